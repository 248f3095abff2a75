"""Dates as a query may write them: timestamps, and words such as `today` and `lastmonth`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY = timedelta(days=1)
_OFFSET = re.compile(r"(today)\s*([+-])\s*(\d+)\Z", re.IGNORECASE)
_DAY_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class DateRange:
    """A stretch of time from `start` up to, not including, `end`.

    `today-7` orders like that one day but equals everything up to the end of today,
    which is what `equal_start` and `equal_end` hold.
    """

    start: datetime
    end: datetime
    equal_start: datetime
    equal_end: datetime

    def satisfies(self, operator: str, moment: datetime) -> bool:
        """Whether `moment operator range` is true."""
        outcomes = {
            "=": self.equal_start <= moment < self.equal_end,
            "!=": not self.equal_start <= moment < self.equal_end,
            "<": moment < self.start,
            "<=": moment < self.end,
            ">": moment >= self.end,
            ">=": moment >= self.start,
        }
        return outcomes.get(operator, False)


def parse_date(text: str, now: datetime) -> DateRange | None:
    """Return what a date in a query means at `now`, or None for what is not a date."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    offset = _OFFSET.match(text.strip())
    if offset:
        return _days_away(midnight, int(offset[2] + offset[3]))
    variable = _VARIABLES.get(text.strip().lower())
    if variable:
        return _plain(*variable(midnight))
    return _timestamp(text.strip())


def parse_timestamp(text: str) -> datetime | None:
    """Return an ISO 8601 timestamp as an aware instant (UTC where it says nothing), or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _timestamp(text: str) -> DateRange | None:
    moment = parse_timestamp(text)
    if moment is None:
        return None
    length = DAY if _DAY_ONLY.match(text) else timedelta(milliseconds=1)
    return _plain(moment, moment + length)


def _plain(start: datetime, end: datetime) -> DateRange:
    return DateRange(start, end, start, end)


def _days_away(midnight: datetime, days: int) -> DateRange:
    start = midnight + days * DAY
    return DateRange(start, start + DAY, min(start, midnight), max(start, midnight) + DAY)


def _week(weeks: int) -> Callable[[datetime], tuple[datetime, datetime]]:
    def bounds(midnight: datetime) -> tuple[datetime, datetime]:
        monday = midnight - midnight.weekday() * DAY + weeks * 7 * DAY
        return monday, monday + 7 * DAY

    return bounds


def _months(away: int, length: int) -> Callable[[datetime], tuple[datetime, datetime]]:
    """Return bounds of the month, quarter or year (`length` months) `away` periods from now."""

    def bounds(midnight: datetime) -> tuple[datetime, datetime]:
        first = (midnight.month - 1) // length * length + away * length
        return _month_start(midnight, first), _month_start(midnight, first + length)

    return bounds


def _month_start(midnight: datetime, month_index: int) -> datetime:
    years, month = divmod(month_index, 12)
    return midnight.replace(year=midnight.year + years, month=month + 1, day=1)


def _day(days: int) -> Callable[[datetime], tuple[datetime, datetime]]:
    return lambda midnight: (midnight + days * DAY, midnight + (days + 1) * DAY)


_VARIABLES: dict[str, Callable[[datetime], tuple[datetime, datetime]]] = {
    "today": _day(0),
    "yesterday": _day(-1),
    "tomorrow": _day(1),
    "lastweek": _week(-1),
    "nextweek": _week(1),
    "lastmonth": _months(-1, 1),
    "nextmonth": _months(1, 1),
    "lastquarter": _months(-1, 3),
    "nextquarter": _months(1, 3),
    "lastyear": _months(-1, 12),
    "nextyear": _months(1, 12),
}
