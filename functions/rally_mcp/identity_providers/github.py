"""GitHub as an upstream: github.com, a data residency of it, or an Enterprise Server, by URL.

An OAuth app's tokens have no end; a GitHub App's, and those of apps that opted in, have eight
hours and a refresh token. Errors of the token endpoint come with status 200.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from rally_mcp.errors import UpstreamRejected
from rally_mcp.identity_providers.declaration import (
    Evidence,
    IdentityProvider,
    Members,
    TokenWire,
    Upstream,
    UpstreamUser,
)
from rally_mcp.setting_types import BaseUrl, Origin, Secret
from rally_mcp.settings import Function, Settings, UpstreamSettings

if TYPE_CHECKING:
    import httpx

API_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
}
"""What GitHub asks every request to its REST API to carry."""

_ERROR_WORDS = {
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "unverified_user_email": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
}

_OPEN_TO_ALL = "https://github.com"

_UNTIL_REVOKED = timedelta(days=30)
"""Of tokens without an end: no record lives longer."""

_USER = Members.of(
    used="id login name",
    unused="avatar_url bio blog business_plus collaborators company created_at disk_usage email "
    "events_url followers followers_url following following_url gists_url gravatar_id hireable "
    "html_url ldap_dn location node_id notification_email organizations_url owned_private_repos "
    "plan private_gists public_gists public_repos received_events_url repos_url site_admin "
    "starred_url subscriptions_url suspended_at total_private_repos twitter_username "
    "two_factor_authentication type updated_at url user_view_type",
)


class GitHubSettings(UpstreamSettings):
    """Where GitHub is, and this deployment's OAuth or GitHub App there."""

    PREFIX: ClassVar[str] = "GITHUB_"
    NEEDED: ClassVar[Mapping[Function, tuple[str, ...]]] = {
        Function.MCP_ENDPOINT: ("client_id", "client_secret"),
        Function.AUTH_REDIRECT: ("client_id",),
        Function.OAUTH_CALLBACK: ("client_id", "client_secret"),
    }

    url: Origin = Field(
        _OPEN_TO_ALL,
        description="Origin of GitHub or of a GitHub Enterprise, without a trailing slash.",
    )
    api_url: BaseUrl = Field(
        "",
        description="Base of its REST API, where it does not follow from `GITHUB_URL`.",
    )
    client_id: str = Field("", description="Client id of the OAuth app or GitHub App.")
    client_secret: Secret = Field(
        None,
        description="A reference to the app's client secret, as with `RALLY_CLIENT_SECRET`.",
    )
    scope: str = Field(
        "repo read:user",
        min_length=1,
        description="OAuth scopes asked of GitHub; a GitHub App has permissions instead.",
    )

    @property
    def api(self) -> str:
        """The base of the REST API: each kind of GitHub has it elsewhere."""
        if self.api_url:
            return self.api_url
        host = urlsplit(self.url).hostname or ""
        if host == "github.com" or host.endswith(".ghe.com"):
            return self.url.replace("://", "://api.", 1)
        return f"{self.url}/api/v3"


def github(settings: Settings, own: GitHubSettings) -> IdentityProvider:
    """Declare GitHub at `GITHUB_URL` with the app registered there."""

    async def find_user(http: "httpx.AsyncClient", evidence: Evidence) -> UpstreamUser:
        from rally_mcp.identity_providers.user_request import get_user

        headers = {**API_HEADERS, "Authorization": f"Bearer {evidence.granted.access_token}"}
        return _user(await get_user(http, "GitHub", f"{own.api}/user", headers))

    async def revoke(http: "httpx.AsyncClient", client_secret: str, access_token: str) -> None:
        response = await http.request(
            "DELETE",
            f"{own.api}/applications/{own.client_id}/token",
            auth=(own.client_id, client_secret),
            headers={**API_HEADERS, "Content-Type": "application/json"},
            content=json.dumps({"access_token": access_token}),
        )
        # 404 and 422: there is no such token any more.
        if response.status_code not in {204, 404, 422}:
            raise UpstreamRejected("GitHub did not revoke the access token.")

    return IdentityProvider(
        name="github",
        title="GitHub",
        authorization_endpoint=f"{own.url}/login/oauth/authorize",
        token_endpoint=f"{own.url}/login/oauth/access_token",
        client_id=own.client_id,
        client_secret=own.client_secret,
        redirect_uri=settings.callback_url,
        scope=own.scope,
        find_user=find_user,
        token_wire=TokenWire(
            error_words=_ERROR_WORDS,
            default_lifetime=_UNTIL_REVOKED,
            unused_members=frozenset({"refresh_token_expires_in"}),
        ),
        revoke=revoke,
        vouches=own.url != _OPEN_TO_ALL,  # an Enterprise's accounts are given by its owner
    )


def _user(answer: Mapping[str, object]) -> UpstreamUser:
    found, login = answer.get("id"), answer.get("login")
    if not isinstance(found, int) or not isinstance(login, str) or not login:
        raise UpstreamRejected("GitHub did not say who signed in.")
    _USER.report("github", answer)
    name = answer.get("name")
    shown = f"{name} ({login})" if isinstance(name, str) and name and name != login else login
    return UpstreamUser(id=str(found), name=shown)


GITHUB = Upstream(
    name="github",
    settings=GitHubSettings,
    permissions={
        "github:read": "Read what you can read on GitHub",
        "github:write": "Create issues and comments on GitHub",
    },
    declare=github,
)
