"""Faults that tests ask for: slow, refused, broken or lost answers."""

from dataclasses import dataclass, field
from typing import Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.pages import error_page
from devtools.rally_simulator.rendering import refusal, wsapi_response
from devtools.rally_simulator.type_catalog import find_type_name

FaultyStatus = Literal[401, 403, 429, 500, 502, 503]
FaultyBody = Literal["truncated", "html", "concurrency_conflict"]

UNAUTHORIZED = "Error {} The username or password you entered is incorrect."


class FaultRequest(BaseModel):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path_prefix: str = "/"
    count: int | None = Field(default=1, ge=1)
    latency_ms: int = Field(default=0, ge=0)
    status: FaultyStatus | None = None
    retry_after: int | None = None
    body: FaultyBody | None = None
    after_effect: bool = False


@dataclass(slots=True, eq=False)
class Fault:
    """What goes wrong, with which requests, and how often.

    It meets requests of `method` (None: any) whose path starts with `path_prefix`, whatever the
    case, `count` times (None: forever). With `after_effect` the request is carried out first,
    so that a create happens and its answer is lost. The answer waits `latency_ms`, then for
    `hold`; `reached` is set when a request has come to this point.
    """

    method: str | None = None
    path_prefix: str = "/"
    count: int | None = 1
    latency_ms: int = 0
    status: FaultyStatus | None = None
    retry_after: int | None = None
    body: FaultyBody | None = None
    after_effect: bool = False
    hold: anyio.Event | None = None
    reached: anyio.Event = field(default_factory=anyio.Event)

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is one that this fault is for."""
        is_method = self.method is None or self.method.upper() == method
        return is_method and path.lower().startswith(self.path_prefix.lower())

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets something else than Rally's answer."""
        return self.status is not None or self.body is not None

    async def wait(self) -> None:
        """Tell that a request is here, then keep it waiting."""
        self.reached.set()
        await anyio.sleep(self.latency_ms / 1000)
        if self.hold is not None:
            await self.hold.wait()

    def answer(self, request: Request, original: bytes) -> Response:
        """Return what the client gets instead of `original`, the true answer's body."""
        status = self.status or 200
        if self.body == "truncated":
            cut = original[: max(len(original) // 2, 1)]
            return Response(cut, status, media_type="application/json")
        if self.body == "concurrency_conflict":
            return wsapi_response(_concurrency_conflict(request))
        return unusable_answer(status, self.retry_after)


class FaultPlan:
    """The faults that are still to come, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Plan a fault and return it."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault; one that holds a request keeps holding it."""
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault for this request, used up by one, or None."""
        for fault in self._faults:
            if fault.meets(method, path):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._faults.remove(fault)
                return fault
        return None


def unusable_answer(status: int, retry_after: int | None = None) -> Response:
    """Return a page where a client expects JSON, as Rally and what stands before it do."""
    message = UNAUTHORIZED.format(status) if status in {401, 403} else f"Error {status}"
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return HTMLResponse(error_page(message), status, headers)


def _concurrency_conflict(request: Request) -> dict[str, object]:
    segments = request.path_params.get("resource", "").split("/")
    type_name = find_type_name(segments[0]) or segments[0]
    text = (
        "Concurrency conflict: [Object has been modified since being read for update in this "
        "context] - ConcurrencyConflictException : Modified since read on update : Object Class "
        f": com.f4tech.slm.domain.{type_name} : ObjectID : {segments[-1]}"
    )
    is_create = segments[-1] == "create"
    return refusal("CreateResult" if is_create else "OperationResult", WsapiError(text))
