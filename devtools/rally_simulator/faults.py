"""Faults that tests ask for: what of them is Rally's, pages above all."""

from collections.abc import Mapping
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.rendering import refusal, wsapi_response
from devtools.rally_simulator.type_catalog import find_type_name
from devtools.simulation import faults
from devtools.simulation.pages import error_page

FaultyBody = Literal[faults.UnusableBody, "concurrency_conflict"]

Fault = faults.Fault[FaultyBody]

UNAUTHORIZED = "Error {} The username or password you entered is incorrect."

UNSPOKEN = b'{"OperationResult": {"Errors": []}}'
"""What a truncated answer is cut from if the request was never carried out."""


class FaultRequest(faults.FaultRequest[FaultyBody]):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""


def faulty_answer(request: Request, fault: Fault, original: bytes) -> Response:
    """Return what the client gets instead of `original`, the true answer's body."""
    if fault.body == "truncated":
        return fault.truncated(original)
    if fault.body == "concurrency_conflict":
        return wsapi_response(_concurrency_conflict(request))
    return unusable_answer(fault.status or 200, fault.headers)


def unusable_answer(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page where a client expects JSON, as Rally and what stands before it do."""
    message = UNAUTHORIZED.format(status) if status in {401, 403} else f"Error {status}"
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
