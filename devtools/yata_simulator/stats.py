"""What the simulator was asked, so that tests can count it."""

from collections import Counter
from dataclasses import asdict, dataclass, field

from starlette.requests import Request

from devtools.simulation.requests import RequestRecord, record_of


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last `clear`.

    `api_requests` counts by method and path below `/api/v1`, such as `PUT /todos/{id}`.
    """

    issued_tokens: int = 0
    refused_token_requests: int = 0
    api_requests: Counter[str] = field(default_factory=Counter)
    requests: list[RequestRecord] = field(default_factory=list)

    def record(self, request: Request) -> None:
        """Remember a request; its credentials stand in a header and are left out."""
        self.requests.append(record_of(request))
        path = request.url.path
        if path.startswith("/api/v1/"):
            kind = "/todos/{id}" if "todo_id" in request.path_params else path[len("/api/v1") :]
            self.api_requests[f"{request.method} {kind}"] += 1

    def clear(self) -> None:
        """Start counting again."""
        self.issued_tokens = self.refused_token_requests = 0
        self.api_requests.clear()
        self.requests.clear()

    def document(self) -> dict[str, object]:
        """Write everything as JSON."""
        return {
            "issued_tokens": self.issued_tokens,
            "refused_token_requests": self.refused_token_requests,
            "api_requests": dict(self.api_requests),
            "requests": [asdict(record) for record in self.requests],
        }
