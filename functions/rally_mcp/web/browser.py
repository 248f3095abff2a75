"""What a person at a browser is answered: pages that need no JavaScript and reveal nothing."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rally_mcp.errors import PermissionDenied, RallyMcpError, RateLimited, UpstreamError
from rally_mcp.sign_in.states import StateRefused
from rally_mcp.web.responses import (
    NO_STORE,
    RequestRefused,
    json_answer,
    json_error,
    method_not_allowed,
    wants_page,
)

if TYPE_CHECKING:
    from rally_mcp.sign_in.completion import SignedIn

_PAGES = Path(__file__).parent / "pages"
_STYLE = (_PAGES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_STATE = re.compile(r"[A-Za-z0-9_-]{1,128}")

_templates = Environment(
    loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined
)
_templates.globals["style"] = _STYLE

REDIRECT_HEADERS = {
    **NO_STORE,
    "Pragma": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""The address holds a secret: keep it out of caches, referrers and search engines."""


def content_security_policy(form_action: Sequence[str]) -> str:
    """Return a policy for a page whose form, redirects included, may go to `form_action`."""
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        f"form-action {' '.join(form_action)}; base-uri 'none'; frame-ancestors 'none'"
    )


PAGE_HEADERS = {
    **REDIRECT_HEADERS,
    "Content-Security-Policy": content_security_policy(["'none'"]),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Frame-Options": "DENY",
}


class MethodUnsupported(RequestRefused):
    """A code_challenge_method other than S256."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "Unsupported code_challenge_method",
            "Open the link exactly as the chat shows it.",
        )


def get_only(request: Request) -> None:
    """Refuse every other method, HEAD too: a link preview must not use a sign-in up."""
    if request.method != "GET":
        raise method_not_allowed("GET")


def parameters(request: Request) -> dict[str, str]:
    """Return the query's parameters; one that comes twice is refused (RFC 6749 §3.1)."""
    pairs = request.query_params.multi_items()
    if len(pairs) != len(dict(pairs)):
        raise RequestRefused(
            400, "Duplicate parameter", "Open the link exactly as the chat shows it."
        )
    return dict(pairs)


def check_state(state: str) -> None:
    """Refuse what cannot be a state before anything is looked up."""
    if not _STATE.fullmatch(state):
        raise StateRefused(already_used=False)


def signed_in(outcome: "SignedIn") -> Response:
    """Show whose Rally is connected now and, where one is expected, the code to carry back."""
    template = "signed_in.html" if outcome.code else "signed_in_without_code.html"
    return page(template, 200, outcome=outcome)


def declined(request: Request, upstream_title: str) -> Response:
    """Confirm that the person declined; nothing was stored."""
    if not wants_page(request):
        message = "The sign-in was declined. Nothing was stored."
        return json_answer({"error": "access_denied", "message": message})
    return page("declined.html", 200, upstream=upstream_title)


def error_answer(request: Request, error: RallyMcpError, correlation_id: str) -> Response:
    """Return a page for a browser and JSON for anything else, with the same status."""
    status = 502 if isinstance(error, UpstreamError) else error.http_status
    if wants_page(request):
        headers = error.headers if isinstance(error, RequestRefused) else {}
        if isinstance(error, RateLimited):
            headers = {"Retry-After": str(error.retry_after)}
        return page(
            _template_for(error), status, headers, error=error, correlation_id=correlation_id
        )
    if isinstance(error, StateRefused):
        message = "Repeat your request in the chat and open the new link."
        return json_answer({"error": error.message, "message": message}, status)
    if isinstance(error, MethodUnsupported):
        return json_answer({"error": error.headline, "supported": ["S256"]}, status)
    if isinstance(error, UpstreamError):
        answer = {
            "error": "Token exchange failed",
            "message": error.message,
            "correlation_id": correlation_id,
        }
        return json_answer(answer, status)
    return json_error(error)


def _template_for(error: RallyMcpError) -> str:
    if isinstance(error, StateRefused):
        return "already_used.html" if error.already_used else "expired.html"
    if type(error) is PermissionDenied:  # of an account; its kinds are about something else
        return "not_admitted.html"
    if isinstance(error, UpstreamError):
        return "upstream_failed.html"
    return "refused.html"


def page(
    template: str, status: int, headers: Mapping[str, str] | None = None, **values: object
) -> Response:
    """Return a page of `pages/`, with the headers that every page has."""
    html = _templates.get_template(template).render(values)
    return HTMLResponse(html, status, {**PAGE_HEADERS, **(headers or {})})
