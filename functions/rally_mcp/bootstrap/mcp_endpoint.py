"""The parts of mcp_endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS, ClientRecord
from rally_mcp.authorization_server.issuing import GrantBearers
from rally_mcp.authorization_server.machine_access import MachineAccessTokens
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.rally.wsapi import RallyServer
from rally_mcp.secret_store import SecretStore
from rally_mcp.settings import Settings
from rally_mcp.sign_in.activation import Activation
from rally_mcp.sign_in.credentials import Credentials
from rally_mcp.sign_in.offer import SignInOffers
from rally_mcp.sign_in.principals import Principals
from rally_mcp.storage.collection import Collection


@dataclass(frozen=True, slots=True)
class McpEndpoint:
    """The parts of mcp_endpoint."""

    settings: Settings
    secrets: SecretStore
    providers: Mapping[str, IdentityProvider]
    scopes: tuple[str, ...]
    """Every scope there is, in the order in which they are offered."""
    principals: Principals
    grant_bearers: GrantBearers
    machines: MachineAccessTokens
    credentials: Credentials
    activation: Activation
    rally: RallyServer


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
        providers=base.providers,
        scopes=tuple(base.permissions),
        principals=base.principals,
        grant_bearers=GrantBearers(base.principals, base.clock),
        machines=MachineAccessTokens(
            Collection(base.store, OAUTH_CLIENTS, ClientRecord), base.clock
        ),
        credentials=Credentials(base.principals, offers, token_endpoint, base.clock),
        activation=Activation(base.principals, base.clock),
        rally=RallyServer(settings.rally_url, settings.rally_token_header, base.http),
    )
