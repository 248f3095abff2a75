"""Rally as an upstream: one OAuth client per deployment, scope `alm`, user told by WSAPI."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from rally_mcp.errors import UpstreamRejected
from rally_mcp.identity_providers.declaration import (
    Evidence,
    IdentityProvider,
    Members,
    TokenResponse,
    TokenWire,
    Upstream,
    UpstreamUser,
)
from rally_mcp.setting_types import CommaList, Origin, Secret
from rally_mcp.settings import Function, Settings, UpstreamSettings

if TYPE_CHECKING:
    import httpx

_USER_FIELDS = "ObjectID,UserName,DisplayName,SubscriptionID,Subscription,Name"

_USER = Members.of(
    used="ObjectID UserName DisplayName SubscriptionID Subscription _refObjectName",
    unused="Name Errors Warnings _CreatedAt _objectVersion _rallyAPIMajor _rallyAPIMinor _ref "
    "_refObjectUUID _type",
)


class RallySettings(UpstreamSettings):
    """Where Rally is, and this deployment's OAuth client there."""

    PREFIX: ClassVar[str] = "RALLY_"
    NEEDED: ClassVar[Mapping[Function, tuple[str, ...]]] = {
        Function.MCP_ENDPOINT: ("client_id", "client_secret"),
        Function.AUTH_REDIRECT: ("client_id",),
        Function.OAUTH_CALLBACK: ("client_id", "client_secret"),
    }

    url: Origin = Field(
        "https://rally1.rallydev.com", description="Origin of Rally, without a trailing slash."
    )
    client_id: str = Field("", description="Client id of the OAuth client registered at Rally.")
    scope: str = Field("alm", min_length=1, description="OAuth scope asked of Rally.")
    token_header: Literal["ZSESSIONID", "Authorization"] = Field(
        "ZSESSIONID",
        description="Header that carries the Rally token: `ZSESSIONID` or `Authorization`.",
    )
    client_secret: Secret = Field(
        None,
        description="A reference to the Rally client secret: `projects/P/secrets/S/versions/V`, "
        "`env:NAME` or `file:PATH`. The secret itself is refused.",
    )
    projects: CommaList = Field(
        (),
        description="Rally projects that may be touched, by name, as a comma list; all when empty.",
    )
    subscriptions: CommaList = Field(
        (),
        description="Rally subscriptions whose people may sign in, by name or id, as a comma "
        "list; all when empty.",
    )


def rally(settings: Settings, own: RallySettings) -> IdentityProvider:
    """Declare Rally at `RALLY_URL` with the client registered there."""

    async def find_user(http: "httpx.AsyncClient", evidence: Evidence) -> UpstreamUser:
        # auth_redirect declares Rally too, and never needs an HTTP client.
        from rally_mcp.identity_providers.user_request import get_user

        # `GET /user` without a query is the current user.
        answer = await get_user(
            http,
            "Rally",
            f"{own.url}/slm/webservice/v2.0/user",
            {"Accept": "application/json", own.token_header: _credential(own, evidence.granted)},
            {"fetch": _USER_FIELDS},
        )
        return _user(answer)

    return IdentityProvider(
        name="rally",
        title="Rally",
        authorization_endpoint=f"{own.url}/login/oauth2/auth",
        token_endpoint=f"{own.url}/login/oauth2/token",
        client_id=own.client_id,
        client_secret=own.client_secret,
        redirect_uri=settings.callback_url,
        scope=own.scope,
        find_user=find_user,
        allowed_tenants=frozenset(own.subscriptions),
        token_wire=TokenWire(unused_members=frozenset({"id_token"})),
    )


def _credential(own: RallySettings, granted: TokenResponse) -> str:
    is_bearer = own.token_header == "Authorization"  # noqa: S105 a header's name
    return f"Bearer {granted.access_token}" if is_bearer else granted.access_token


def _user(answer: dict[str, Any]) -> UpstreamUser:
    """Read the user from the singleton, or from the query result that some stacks give."""
    try:
        user = answer["User"] if "User" in answer else answer["QueryResult"]["Results"][0]
        subscription = user.get("Subscription") or {}
        tenant = subscription.get("Name") or subscription.get("_refObjectName") or ""
        known_as = (
            tenant,
            user.get("SubscriptionID"),
            subscription.get("ObjectID") or subscription.get("_ref", "").rsplit("/", 1)[-1],
        )
        found = UpstreamUser(
            id=str(user["ObjectID"]),
            name=str(user.get("DisplayName") or user.get("_refObjectName") or user["UserName"]),
            tenant=str(tenant),
            tenant_names=frozenset(str(name) for name in known_as if name),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UpstreamRejected("Rally did not say who signed in.") from error
    _USER.report("rally", user)
    return found


RALLY = Upstream(
    name="rally",
    settings=RallySettings,
    permissions={
        "rally:read": "Read what you can read in Rally",
        "rally:write": "Create and change work in Rally",
    },
    declare=rally,
)
