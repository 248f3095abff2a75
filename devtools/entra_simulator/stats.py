"""What the simulator was asked, so that tests can count it."""

from dataclasses import asdict, dataclass, field

from starlette.requests import Request

from devtools.simulation.requests import RequestRecord, record_of

_CREDENTIALS = frozenset({"code", "state", "client_secret", "refresh_token"})


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last `clear`."""

    authorizations: int = 0
    code_exchanges: int = 0
    refreshes: int = 0
    refused_token_requests: int = 0
    configuration_requests: int = 0
    key_requests: int = 0
    requests: list[RequestRecord] = field(default_factory=list)

    def record(self, request: Request) -> None:
        """Remember a request; parameters that are credentials are left out."""
        self.requests.append(record_of(request, _CREDENTIALS))

    def clear(self) -> None:
        """Start counting again."""
        self.authorizations = self.code_exchanges = self.refreshes = 0
        self.refused_token_requests = self.configuration_requests = self.key_requests = 0
        self.requests.clear()

    def document(self) -> dict[str, object]:
        """Write everything as JSON."""
        return asdict(self)
