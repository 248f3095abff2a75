"""The parts of mcp_endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS, ClientRecord
from rally_mcp.authorization_server.issuing import GrantBearers
from rally_mcp.authorization_server.machine_access import MachineAccessTokens
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.github.client import GitHubServer
from rally_mcp.identity_providers.declaration import IdentityProvider, ServiceAccount
from rally_mcp.identity_providers.github import GitHubSettings
from rally_mcp.identity_providers.rally import RallySettings
from rally_mcp.identity_providers.revocation import Revocation
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.identity_providers.yata import YataSettings
from rally_mcp.rally.wsapi import RallyServer
from rally_mcp.secret_store import SecretStore
from rally_mcp.settings import Settings
from rally_mcp.sign_in.activation import Activation
from rally_mcp.sign_in.credentials import Credentials
from rally_mcp.sign_in.offer import SignInOffers
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.service_credential import ServiceCredential
from rally_mcp.storage.collection import Collection
from rally_mcp.yata.client import YataServer


@dataclass(frozen=True, slots=True)
class McpEndpoint:
    """The parts of mcp_endpoint."""

    settings: Settings
    secrets: SecretStore
    upstreams: Mapping[str, IdentityProvider | ServiceAccount]
    providers: Mapping[str, IdentityProvider]
    scopes: tuple[str, ...]
    """Every scope there is, in the order in which they are offered."""
    principals: Principals
    grant_bearers: GrantBearers
    machines: MachineAccessTokens
    credentials: Credentials
    activation: Activation
    revocation: Revocation
    service_credentials: Mapping[str, ServiceCredential]
    """The deployment's own, by upstream."""
    rally: RallyServer | None
    github: GitHubServer | None
    yata: YataServer | None


def mcp_endpoint(base: Foundations) -> McpEndpoint:
    """Wire mcp_endpoint."""
    settings = base.settings
    token_endpoint = TokenEndpoint(base.http, base.secrets, base.clock)
    offers = SignInOffers(
        states=base.states,
        principals=base.principals,
        clock=base.clock,
        auth_url=settings.auth_url,
        code_expected=settings.sign_in_confirmation == "code",
    )
    return McpEndpoint(
        settings=settings,
        secrets=base.secrets,
        upstreams=base.upstreams,
        providers=base.providers,
        scopes=tuple(base.permissions),
        principals=base.principals,
        grant_bearers=GrantBearers(base.principals, base.clock),
        machines=MachineAccessTokens(
            Collection(base.store, OAUTH_CLIENTS, ClientRecord), base.clock
        ),
        credentials=Credentials(base.principals, offers, token_endpoint, base.clock),
        activation=Activation(base.principals, base.clock),
        revocation=Revocation(base.http, base.secrets),
        service_credentials={
            name: ServiceCredential(base.principals, token_endpoint, base.secrets, account)
            for name, account in base.upstreams.items()
            if isinstance(account, ServiceAccount)
        },
        rally=_rally(base),
        github=_github(base),
        yata=_yata(base),
    )


def _rally(base: Foundations) -> RallyServer | None:
    if "rally" not in base.upstreams:
        return None
    own = base.settings.of(RallySettings)
    return RallyServer(own.url, own.token_header, base.http, own.projects)


def _github(base: Foundations) -> GitHubServer | None:
    if "github" not in base.upstreams:
        return None
    own = base.settings.of(GitHubSettings)
    return GitHubServer(own.url, own.api, base.http)


def _yata(base: Foundations) -> YataServer | None:
    if "yata" not in base.upstreams:
        return None
    return YataServer(base.settings.of(YataSettings).api, base.http)
