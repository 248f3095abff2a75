"""What the simulator was asked, so that tests can count it."""

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field

from starlette.requests import Request

from devtools.simulation.requests import RequestRecord, in_flight, record_of

_CREDENTIALS = frozenset({"code", "state", "key", "client_secret", "refresh_token"})


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last `clear`.

    `wsapi_requests` counts by method and type, such as `POST HierarchicalRequirement`;
    `most_in_flight` has the highest number of simultaneous WSAPI requests of each user.
    """

    authorizations: int = 0
    code_exchanges: int = 0
    refreshes: int = 0
    refused_token_requests: int = 0
    wsapi_requests: Counter[str] = field(default_factory=Counter)
    most_in_flight: Counter[str] = field(default_factory=Counter)
    requests: list[RequestRecord] = field(default_factory=list)
    _in_flight: Counter[str] = field(default_factory=Counter)

    def record(self, request: Request) -> None:
        """Remember a request; parameters that are credentials are left out."""
        self.requests.append(record_of(request, _CREDENTIALS))

    def in_flight(self, user: str) -> AbstractContextManager[None]:
        """Count one WSAPI request of a user for as long as it takes."""
        return in_flight(user, self._in_flight, self.most_in_flight)

    def clear(self) -> None:
        """Start counting again; requests that are in flight still are."""
        self.authorizations = self.code_exchanges = 0
        self.refreshes = self.refused_token_requests = 0
        self.wsapi_requests.clear()
        self.most_in_flight.clear()
        self.requests.clear()

    def document(self) -> dict[str, object]:
        """Write everything as JSON."""
        return {
            "authorizations": self.authorizations,
            "code_exchanges": self.code_exchanges,
            "refreshes": self.refreshes,
            "refused_token_requests": self.refused_token_requests,
            "wsapi_requests": dict(self.wsapi_requests),
            "most_in_flight": dict(self.most_in_flight),
            "requests": [asdict(record) for record in self.requests],
        }
