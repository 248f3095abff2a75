"""Microsoft Entra ID as an upstream: one tenant, the v2 endpoints, the id_token as the proof.

Who signed in is read from the validated id_token; no request to Microsoft Graph is needed. An
MCP client's `resource` stays here: the v2 endpoints refuse one (AADSTS901002).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from rally_mcp.errors import PermissionDenied, UpstreamRejected
from rally_mcp.identity_providers.declaration import (
    Evidence,
    FindUser,
    IdentityProvider,
    TokenWire,
    Upstream,
    UpstreamUser,
)
from rally_mcp.setting_types import Origin, Secret
from rally_mcp.settings import Function, Settings, UpstreamSettings

if TYPE_CHECKING:
    import httpx

    from rally_mcp.identity_providers.jwks import KeySets

_TITLE = "Microsoft"
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant that all personal Microsoft accounts belong to."""

_EVERYBODYS = {"common", "organizations", "consumers", _PERSONAL_ACCOUNTS}


def _tenant(value: str) -> str:
    if value.lower() in _EVERYBODYS:
        raise ValueError(
            "must name your own tenant: with common, organizations or consumers anybody with a "
            "Microsoft account could sign in"
        )
    if value and not _DOMAIN.fullmatch(value):
        raise ValueError("must be the Directory (tenant) ID, or a verified domain of the tenant")
    return value


class EntraSettings(UpstreamSettings):
    """The tenant, and this deployment's app registration in it."""

    PREFIX: ClassVar[str] = "ENTRA_"
    NEEDED: ClassVar[Mapping[Function, tuple[str, ...]]] = {
        Function.MCP_ENDPOINT: ("tenant_id", "client_id", "client_secret"),
        Function.AUTH_REDIRECT: ("tenant_id", "client_id"),
        Function.OAUTH_CALLBACK: ("tenant_id", "client_id", "client_secret"),
    }

    url: Origin = Field(
        "https://login.microsoftonline.com",
        description="Origin of Microsoft's sign-in; national clouds have their own.",
    )
    tenant_id: Annotated[str, AfterValidator(_tenant)] = Field(
        "", description="Directory (tenant) ID whose people may sign in."
    )
    client_id: str = Field("", description="Application (client) ID of the app registration.")
    client_secret: Secret = Field(
        None,
        description="A reference to the app's client secret, as with `RALLY_CLIENT_SECRET`.",
    )
    scope: str = Field(
        "openid profile email offline_access",
        pattern=r"(^| )openid( |$)",
        description="Scopes asked of Microsoft; `openid` must be among them.",
    )


def entra_id(settings: Settings, own: EntraSettings) -> IdentityProvider:
    """Declare the tenant `ENTRA_TENANT_ID` with the app registered there."""
    base = _base(own)
    return IdentityProvider(
        name="entra_id",
        title=_TITLE,
        authorization_endpoint=f"{base}/oauth2/v2.0/authorize",
        token_endpoint=f"{base}/oauth2/v2.0/token",
        client_id=own.client_id,
        client_secret=own.client_secret,
        redirect_uri=settings.callback_url,
        scope=own.scope,
        find_user=_find_user(own),
        token_wire=TokenWire(
            unused_members=frozenset({"client_info", "ext_expires_in", "foci", "not_before"})
        ),
        sends_nonce=True,
    )


def _base(own: EntraSettings) -> str:
    return f"{own.url}/{own.tenant_id}"


def _find_user(own: EntraSettings) -> FindUser:
    """Return what reads the user from the id_token, once that is validated."""

    @cache
    def key_sets() -> "KeySets":
        from rally_mcp.identity_providers.jwks import KeySets

        return KeySets(_TITLE)

    async def find_user(http: "httpx.AsyncClient", evidence: Evidence) -> UpstreamUser:
        # Only a callback validates id_tokens; the other functions start without what that needs.
        from rally_mcp.identity_providers import id_token

        published = key_sets()
        issuer, jwks_uri = await published.issuer_and_keys(
            http, f"{_base(own)}/v2.0/.well-known/openid-configuration", evidence.clock()
        )
        rules = id_token.IdTokenRules(
            issuer=issuer,
            audience=own.client_id,
            nonce=evidence.nonce,
            tenant_id=own.tenant_id if _TENANT_ID.fullmatch(own.tenant_id) else None,
        )
        claims = await id_token.verified_claims(
            http, published, evidence.clock, jwks_uri, evidence.granted.id_token, rules
        )
        return _user(claims)

    return find_user


def _user(claims: Mapping[str, object]) -> UpstreamUser:
    """`oid` stays the same in all apps of a tenant; `sub` is the app's own name for the person."""
    if claims.get("tid") == _PERSONAL_ACCOUNTS:
        raise PermissionDenied("This deployment is not for personal Microsoft accounts.")
    found = claims.get("oid") or claims.get("sub")
    name = claims.get("name") or claims.get("preferred_username") or claims.get("email")
    if not isinstance(found, str) or not isinstance(name, str):
        raise UpstreamRejected(f"{_TITLE} did not say who signed in.")
    return UpstreamUser(id=found, name=name, tenant=str(claims.get("tid") or ""))


ENTRA_ID = Upstream(
    name="entra_id",
    settings=EntraSettings,
    permissions={"entra_id:read": "Know who you are at Microsoft"},
    declare=entra_id,
)
