"""What dates in a query mean on a Wednesday, 2026-05-13."""

from datetime import UTC, datetime

import pytest

from devtools.rally_simulator.date_variables import parse_date

NOW = datetime(2026, 5, 13, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first_day", "day_after"),
    [
        ("today", (2026, 5, 13), (2026, 5, 14)),
        ("TODAY", (2026, 5, 13), (2026, 5, 14)),
        ("yesterday", (2026, 5, 12), (2026, 5, 13)),
        ("tomorrow", (2026, 5, 14), (2026, 5, 15)),
        ("lastweek", (2026, 5, 4), (2026, 5, 11)),
        ("nextweek", (2026, 5, 18), (2026, 5, 25)),
        ("lastmonth", (2026, 4, 1), (2026, 5, 1)),
        ("nextmonth", (2026, 6, 1), (2026, 7, 1)),
        ("lastquarter", (2026, 1, 1), (2026, 4, 1)),
        ("nextquarter", (2026, 7, 1), (2026, 10, 1)),
        ("lastyear", (2025, 1, 1), (2026, 1, 1)),
        ("nextyear", (2027, 1, 1), (2028, 1, 1)),
        ("2026-02-03", (2026, 2, 3), (2026, 2, 4)),
        ("today-7", (2026, 5, 6), (2026, 5, 7)),
        ("today + 180", (2026, 11, 9), (2026, 11, 10)),
    ],
)
def test_a_date_is_a_stretch_of_days(text, first_day, day_after):
    date_range = parse_date(text, NOW)

    assert date_range is not None
    assert date_range.start == datetime(*first_day, tzinfo=UTC)
    assert date_range.end == datetime(*day_after, tzinfo=UTC)


def test_some_days_ago_equals_everything_up_to_the_end_of_today():
    date_range = parse_date("today-1", NOW)

    assert date_range is not None
    assert date_range.satisfies("=", NOW)
    assert date_range.satisfies("=", datetime(2026, 5, 12, tzinfo=UTC))
    assert not date_range.satisfies("!=", NOW)


@pytest.mark.parametrize(
    ("operator", "hour_before", "at_midnight", "next_midnight"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
        ("contains", False, False, False),
    ],
)
def test_today_orders_as_a_whole_day(operator, hour_before, at_midnight, next_midnight):
    today = parse_date("today", NOW)

    assert today is not None
    assert today.satisfies(operator, datetime(2026, 5, 12, 23, tzinfo=UTC)) is hour_before
    assert today.satisfies(operator, datetime(2026, 5, 13, tzinfo=UTC)) is at_midnight
    assert today.satisfies(operator, datetime(2026, 5, 14, tzinfo=UTC)) is next_midnight


def test_a_timestamp_is_one_instant():
    instant = parse_date("2026-05-13T09:30:00.000Z", NOW)

    assert instant is not None
    assert instant.satisfies("=", NOW)


def test_other_words_are_no_dates():
    assert parse_date("someday", NOW) is None
