"""Rally as an upstream: one OAuth client per deployment, scope `alm`, user told by WSAPI."""

from typing import TYPE_CHECKING, Any

import anyio

from rally_mcp.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import IdentityProvider, UpstreamUser
from rally_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

_USER_TIMEOUT = 8.0
"""Seconds for learning who signed in; the person at the browser is waiting."""

_USER_FIELDS = "ObjectID,UserName,DisplayName,SubscriptionID,Subscription,Name"


PERMISSIONS = {
    "rally:read": "Read what you can read in Rally",
    "rally:write": "Create and change work in Rally",
}


def rally(settings: Settings) -> IdentityProvider:
    """Declare Rally at `RALLY_URL` with the client registered there."""

    async def find_user(http: "httpx.AsyncClient", access_token: str) -> UpstreamUser:
        return await _find_user(http, settings, access_token)

    return IdentityProvider(
        name="rally",
        title="Rally",
        authorization_endpoint=f"{settings.rally_url}/login/oauth2/auth",
        token_endpoint=f"{settings.rally_url}/login/oauth2/token",
        client_id=settings.rally_client_id,
        client_secret=settings.rally_client_secret,
        redirect_uri=settings.callback_url,
        scope=settings.rally_scope,
        find_user=find_user,
        permissions=PERMISSIONS,
        allowed_tenants=frozenset(settings.rally_subscriptions),
    )


async def _find_user(
    http: "httpx.AsyncClient", settings: Settings, access_token: str
) -> UpstreamUser:
    """Ask WSAPI who the token's user is; `GET /user` without a query is the current user."""
    import httpx  # auth_redirect declares Rally too, and never needs an HTTP client

    is_bearer = settings.rally_token_header == "Authorization"  # noqa: S105 a header's name
    credential = f"Bearer {access_token}" if is_bearer else access_token
    try:
        with anyio.fail_after(_USER_TIMEOUT):
            response = await http.get(
                f"{settings.rally_url}/slm/webservice/v2.0/user",
                params={"fetch": _USER_FIELDS},
                headers={"Accept": "application/json", settings.rally_token_header: credential},
            )
    except (TimeoutError, httpx.TimeoutException) as error:
        raise UpstreamTimeout("Rally did not answer in time; try again.") from error
    except httpx.HTTPError as error:
        raise UpstreamUnavailable("Rally cannot be reached; try again later.") from error
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise UpstreamUnavailable("Rally is not available; try again later.")
    try:
        return _user(response.json())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UpstreamRejected("Rally did not say who signed in.") from error


def _user(answer: dict[str, Any]) -> UpstreamUser:
    """Read the user from the singleton, or from the query result that some stacks give."""
    user = answer["User"] if "User" in answer else answer["QueryResult"]["Results"][0]
    subscription = user.get("Subscription") or {}
    tenant = subscription.get("Name") or subscription.get("_refObjectName") or ""
    known_as = (
        tenant,
        user.get("SubscriptionID"),
        subscription.get("ObjectID") or subscription.get("_ref", "").rsplit("/", 1)[-1],
    )
    return UpstreamUser(
        id=str(user["ObjectID"]),
        name=str(user.get("DisplayName") or user.get("_refObjectName") or user["UserName"]),
        tenant=str(tenant),
        tenant_names=frozenset(str(name) for name in known_as if name),
    )
