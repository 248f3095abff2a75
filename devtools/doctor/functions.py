"""Each of the three functions by itself: its name, its certificate, its /health."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import BaseModel

from devtools.doctor import network
from devtools.doctor.checks import Check, Failed, NotChecked
from devtools.doctor.network import Resolve
from devtools.doctor.requests import Requests, cloud_name, quoted, read, remedy_for
from rally_mcp.settings import Function

MOST_SKEW = timedelta(seconds=30)
"""Records and tokens live for minutes; this much they can bear."""

_DATE_STEP = timedelta(seconds=1)
"""A Date header tells whole seconds (RFC 9110 §5.6.7)."""

_OK = 200


class HealthAnswer(BaseModel):
    """What /health answers."""

    status: str
    function: str
    version: str


@dataclass(frozen=True, slots=True)
class Health:
    """A function that runs; `ahead` is how far its clock is before ours, None where untold."""

    version: str
    ahead: timedelta | None


@dataclass(frozen=True, slots=True)
class Outside:
    """What the checks reach the world through; tests bring their own."""

    requests: Requests
    resolve: Resolve = network.resolve


@dataclass(frozen=True, slots=True)
class FunctionChecks:
    """The checks of one function, in order."""

    function: Function
    answers: Check[Health]
    all: Sequence[Check[Any]]


def function_checks(
    outside: Outside,
    function: Function,
    health_url: Callable[[], str],
    after: Sequence[Check[Any]] = (),
) -> FunctionChecks:
    """Return the checks of the function that answers at `health_url`, known after `after`."""
    requests = outside.requests
    addresses = Check(
        f"DNS of {function}",
        lambda: network.addresses(health_url(), outside.resolve, requests.proxy_of),
        after,
        ", ".join,
    )
    certificate = Check(
        f"TLS of {function}",
        lambda: network.certificate_end(health_url(), requests, remedy_for(function)),
        (addresses,),
        lambda end: f"certificate until {end:%Y-%m-%d}",
    )
    answers = Check(
        f"{function} answers",
        lambda: _health(requests, function, health_url()),
        (certificate,),
        lambda health: f"version {health.version}",
    )
    return FunctionChecks(function, answers, (addresses, certificate, answers))


async def _health(requests: Requests, function: Function, url: str) -> Health:
    asked_at = requests.clock()
    response = await requests.send("GET", url, remedy_for(function))
    if response.status_code != _OK:
        raise Failed(
            f"{url} answers HTTP {response.status_code}, expected {_OK}",
            remedy_for(function, response.status_code),
        )
    health = read(
        HealthAnswer, response, f"something else answers there; route {url} to {function}"
    )
    if health.function != function:
        raise Failed(
            f"{quoted(health.function)} answers at {url}, expected {function}",
            f"route that path to {cloud_name(function)}, or correct the addresses in the settings",
        )
    if health.status != "ok":
        raise Failed(
            f"its status is {quoted(health.status)}, expected ok", remedy_for(function, 500)
        )
    ahead = _ahead(response.headers.get("date", ""), asked_at, requests.clock())
    return Health(health.version, ahead)


def _ahead(date: str, asked_at: datetime, answered_at: datetime) -> timedelta | None:
    """Return how far a Date header is outside the time in which it was written."""
    try:
        told = parsedate_to_datetime(date)
        if told < asked_at - _DATE_STEP:
            return told - asked_at
        return max(told - answered_at, timedelta())
    except (ValueError, TypeError):  # none, or one without a zone
        return None


async def check_clocks(functions: Sequence[FunctionChecks]) -> None:
    """Raise Failed where this machine's clock and a function's are too far apart."""
    told = [each.answers.found.ahead for each in functions if each.answers.found]
    known = [ahead for ahead in told if ahead is not None]
    if not known:
        raise NotChecked("no function tells its time in a Date header")
    furthest = max(known, key=abs)
    if abs(furthest) > MOST_SKEW:
        direction = "behind" if furthest > timedelta() else "ahead of"
        raise Failed(
            f"this machine's clock is {abs(furthest).total_seconds():.0f} s {direction} that of "
            f"the functions, expected at most {MOST_SKEW.total_seconds():.0f} s",
            "set this machine's clock by time synchronisation; Google's clocks are right",
        )


async def check_versions(functions: Sequence[FunctionChecks]) -> None:
    """Raise Failed where functions that answer are of different versions."""
    versions = {
        each.function: each.answers.found.version for each in functions if each.answers.found
    }
    if len(versions) <= 1:
        raise NotChecked("fewer than two functions answer")
    if len(set(versions.values())) > 1:
        told = ", ".join(f"{function} {version}" for function, version in versions.items())
        raise Failed(
            f"the functions differ: {told}", "deploy all three from one build, with make deploy"
        )
