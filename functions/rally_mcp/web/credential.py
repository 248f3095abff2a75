"""Who is calling: exactly one credential per request, and it comes in a header."""

from starlette.requests import Request

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.errors import InvalidInput
from rally_mcp.sign_in.principal import Principal, principal_of_session
from rally_mcp.web.responses import RequestRefused

_HEADER = "session-id"


def authenticate(request: Request) -> Principal:
    """Return the principal of a request.

    Raises RequestRefused (400) where there is no credential, more than one, one that could be
    guessed, or one in the URL, where logs would keep it.
    """
    try:
        return principal_of_session(_session_id(request))
    except RequestRefused as error:
        audit.write(AuditEvent.CREDENTIAL_REFUSED, principal=None, reason=error.headline)
        raise
    except InvalidInput as error:
        headline = "Invalid Session-ID header"
        audit.write(AuditEvent.CREDENTIAL_REFUSED, principal=None, reason=headline)
        raise RequestRefused(400, headline, error.message) from None


def _session_id(request: Request) -> str:
    if any(name.lower().replace("_", "-") == _HEADER for name in request.query_params):
        raise RequestRefused(
            400, "Session-ID in the URL", "Send the Session-ID in its header, never in the URL."
        )
    session_ids = request.headers.getlist(_HEADER)
    authorizations = request.headers.getlist("authorization")
    if len(session_ids) + len(authorizations) > 1:
        raise RequestRefused(
            400,
            "More than one credential",
            "Send exactly one Session-ID header and no other credential.",
        )
    if not session_ids:
        raise RequestRefused(
            400,
            "Missing Session-ID header",
            "Send a Session-ID header with a random UUID (version 4) of your own; "
            "rally-mcp config prints a ready configuration.",
        )
    return session_ids[0]
