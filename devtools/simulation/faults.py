"""Faults that tests ask for: slow, refused, broken or lost answers."""

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from devtools.simulation.pages import error_page

FaultyStatus = Literal[401, 403, 429, 500, 502, 503]

UnusableBody = Literal["truncated", "html"]
"""What any API may send where a client expects JSON; a simulator may have more."""

BodyT = TypeVar("BodyT", bound=str)


class FaultRequest(BaseModel, Generic[BodyT]):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path_prefix: str = "/"
    count: int | None = Field(default=1, ge=1)
    latency_ms: int = Field(default=0, ge=0)
    status: FaultyStatus | None = None
    retry_after: int | None = None
    body: BodyT | None = None
    after_effect: bool = False


@dataclass(slots=True, eq=False)
class Fault(Generic[BodyT]):
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
    body: BodyT | None = None
    after_effect: bool = False
    hold: anyio.Event | None = None
    reached: anyio.Event = field(default_factory=anyio.Event)

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is one that this fault is for."""
        is_method = self.method is None or self.method.upper() == method
        return is_method and path.lower().startswith(self.path_prefix.lower())

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets something else than the true answer."""
        return self.status is not None or self.body is not None

    @property
    def headers(self) -> dict[str, str]:
        """Return what tells the client when to come back, if anything does."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    async def wait(self) -> None:
        """Tell that a request is here, then keep it waiting."""
        self.reached.set()
        await anyio.sleep(self.latency_ms / 1000)
        if self.hold is not None:
            await self.hold.wait()

    def truncated(self, original: bytes) -> Response:
        """Return the first half of the true answer's body."""
        cut = original[: max(len(original) // 2, 1)]
        return Response(cut, self.status or 200, media_type="application/json")

    def page(self) -> Response:
        """Return a page where a client expects JSON, as what stands before an API does."""
        status = self.status or 200
        return HTMLResponse(error_page(f"Error {status}"), status, self.headers)


FaultT = TypeVar("FaultT", bound=Fault[Any])


class FaultPlan(Generic[FaultT]):
    """The faults that are still to come, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[FaultT] = []

    def add(self, fault: FaultT) -> FaultT:
        """Plan a fault and return it."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault; one that holds a request keeps holding it."""
        self._faults.clear()

    def take(self, method: str, path: str) -> FaultT | None:
        """Return the first fault for this request, used up by one, or None."""
        for fault in self._faults:
            if fault.meets(method, path):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._faults.remove(fault)
                return fault
        return None
