"""HTTP answers that more than one function gives, errors above all: JSON with two members."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rally_mcp import __version__
from rally_mcp.errors import RallyMcpError, RateLimited, UpstreamUnavailable

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""On every answer: each depends on who asks, and none is to be guessed a type for."""

INTERNAL_ERROR = "Something went wrong here; it was logged. Try again, or tell the administrator."


class RequestRefused(RallyMcpError):
    """A request that is wrong in form, whoever sends it."""

    def __init__(
        self, status: int, headline: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.http_status = status
        self.headline = headline
        self.headers = dict(headers or {})


def json_answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer that no cache keeps."""
    return JSONResponse(content, status, {**NO_STORE, **(headers or {})})


def json_error(
    error: RallyMcpError, headline: str | None = None, message: str | None = None
) -> Response:
    """Return `{"error", "message"}` with the error's status and the headers it calls for.

    `headline` and `message` stand in for the error's own.
    """
    headers: Mapping[str, str] = {}
    if isinstance(error, RequestRefused):
        headline, headers = error.headline, error.headers
    elif isinstance(error, RateLimited | UpstreamUnavailable):
        headers = {"Retry-After": str(error.retry_after)}
    headline = headline or HTTPStatus(error.http_status).phrase
    body = {"error": headline, "message": message or error.message}
    return json_answer(body, error.http_status, headers)


def method_not_allowed(allowed: str) -> RequestRefused:
    """Return the error for a method that a path does not take (RFC 9110 §15.5.6)."""
    return RequestRefused(
        405, "Method Not Allowed", f"Use {allowed} here.", headers={"Allow": allowed}
    )


def get_or_head(request: Request) -> None:
    """Refuse every method that does not read."""
    if request.method not in {"GET", "HEAD"}:
        raise method_not_allowed("GET, HEAD")


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks: everything else gets JSON."""
    return "text/html" in request.headers.get("accept", "")


def health(request: Request, function: str) -> Response:
    """Answer a health check: the process runs and its settings were accepted."""
    get_or_head(request)
    return json_answer({"status": "ok", "function": function, "version": __version__})
