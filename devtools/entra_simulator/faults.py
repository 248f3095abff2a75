"""Faults that tests ask for: answers Entra would not give, false id_tokens, and changes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devtools.entra_simulator.discovery import origin_of
from devtools.entra_simulator.errors import Refused
from devtools.entra_simulator.id_tokens import IdTokenFault
from devtools.simulation import faults

Fault = faults.Fault[faults.UnusableBody]

UNSPOKEN = b'{"token_type": "Bearer"}'
"""What a truncated answer is cut from if the request was never carried out."""


class FaultRequest(faults.FaultRequest[faults.UnusableBody]):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""


class IdTokenFaultRequest(BaseModel):
    """A fault of the next id_tokens as `POST /simulator/faults` takes it."""

    model_config = ConfigDict(extra="forbid")

    id_token: IdTokenFault
    count: int | None = Field(default=1, ge=1)


class UserChangeRequest(BaseModel):
    """What an administrator does to a user, as `POST /simulator/faults` takes it."""

    model_config = ConfigDict(extra="forbid")

    change: Literal["disable_user", "enable_user", "require_interaction", "revoke_user"]
    user: Literal["ann", "bob", "eve"]


class KeyChangeRequest(BaseModel):
    """A new signing key, as `POST /simulator/faults` takes it."""

    model_config = ConfigDict(extra="forbid")

    change: Literal["rotate_keys"]


@dataclass(slots=True)
class IdTokenFaultPlan:
    """The faults of id_tokens that are still to come, in the order in which they were added."""

    _faults: list[IdTokenFaultRequest] = field(default_factory=list)

    def add(self, fault: IdTokenFault, count: int | None = 1) -> None:
        """Plan a fault for the next `count` id_tokens (None: for all)."""
        self._faults.append(IdTokenFaultRequest(id_token=fault, count=count))

    def take(self) -> IdTokenFault | None:
        """Return what is wrong with the next id_token, or None."""
        if not self._faults:
            return None
        planned = self._faults[0]
        if planned.count is not None:
            planned.count -= 1
            if planned.count == 0:
                self._faults.pop(0)
        return planned.id_token

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()


def faulty_answer(request: Request, fault: Fault, original: bytes, now: datetime) -> Response:
    """Return what the client gets instead of `original`, the true answer's body."""
    if fault.body == "truncated":
        return fault.truncated(original)
    if fault.body == "html":
        return fault.page()
    message = "A transient error has occurred. Please try again."
    refused = Refused("temporarily_unavailable", 90033, message)
    document = refused.document(origin_of(request), now)
    return JSONResponse(document, fault.status or 200, fault.headers)
