"""Records of requests, so that tests can count and read what a simulator was asked."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, without credentials; `has_cookies` because API clients must send none."""

    method: str
    path: str
    query: dict[str, str]
    has_cookies: bool


def record_of(request: Request, credentials: Collection[str] = ()) -> RequestRecord:
    """Return what is remembered of a request: all parameters but those named as credentials."""
    parameters = request.query_params.items()
    query = {name: value for name, value in parameters if name not in credentials}
    return RequestRecord(request.method, request.url.path, query, "cookie" in request.headers)


@contextmanager
def in_flight(user: str, current: Counter[str], most: Counter[str]) -> Iterator[None]:
    """Count a user's request in `current` for as long as it takes; `most` keeps the highest."""
    current[user] += 1
    most[user] = max(most[user], current[user])
    try:
        yield
    finally:
        current[user] -= 1
