"""Faults that tests ask for: answers YATA would not give, and changes behind a client's back."""

from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devtools.simulation import faults
from devtools.yata_simulator.errors import invalid_access_token, invalid_client
from devtools.yata_simulator.oauth import TOKEN_PATH

Fault = faults.Fault[faults.UnusableBody]

UNSPOKEN = b'{"detail": ""}'
"""What a truncated answer is cut from if the request was never carried out."""


class FaultRequest(faults.FaultRequest[faults.UnusableBody]):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""


class ChangeRequest(BaseModel):
    """A change as `POST /simulator/faults` takes it; without `client_id` it meets every client."""

    model_config = ConfigDict(extra="forbid")

    change: Literal["drop_access_tokens", "deactivate_client", "activate_client"]
    client_id: str | None = None


def faulty_answer(request: Request, fault: Fault, original: bytes) -> Response:
    """Return what the client gets instead of `original`, the true answer's body."""
    if fault.body == "truncated":
        return fault.truncated(original)
    if fault.body == "html":
        return fault.page()
    status: int = fault.status or 200
    if status == HTTPStatus.UNAUTHORIZED:
        is_token_endpoint = request.url.path == TOKEN_PATH
        return (invalid_client() if is_token_endpoint else invalid_access_token()).answer()
    return JSONResponse({"detail": HTTPStatus(status).phrase}, status, fault.headers)
