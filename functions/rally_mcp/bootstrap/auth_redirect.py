"""The parts of auth_redirect: the authorization server, and the redirect of a chat's sign-in."""

from dataclasses import dataclass

from rally_mcp.authorization_server.authorization import AuthorizationRequests
from rally_mcp.authorization_server.client_assertions import ClientAssertions
from rally_mcp.authorization_server.client_authentication import ClientAuthentication
from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS, ClientRecord
from rally_mcp.authorization_server.clients import OAuthClients
from rally_mcp.authorization_server.code_release import CodeRelease
from rally_mcp.authorization_server.consent import Consents
from rally_mcp.authorization_server.document_fetch import DocumentFetch
from rally_mcp.authorization_server.grants import Grants
from rally_mcp.authorization_server.login_attempts import ATTEMPTS, FailedLogins, LoginAttempts
from rally_mcp.authorization_server.machine_access import MachineAccessTokens
from rally_mcp.authorization_server.metadata_documents import MetadataDocuments
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS, ReplayMark, ReplayMarks
from rally_mcp.authorization_server.token_requests import TokenRequests
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.settings import Settings
from rally_mcp.storage.collection import Collection


@dataclass(frozen=True, slots=True)
class AuthRedirect:
    """The parts of auth_redirect."""

    settings: Settings
    authorization_requests: AuthorizationRequests
    consents: Consents | None
    """None where no upstream is one that people sign in to."""
    code_release: CodeRelease
    token_requests: TokenRequests


def auth_redirect(base: Foundations, fetch: DocumentFetch | None = None) -> AuthRedirect:
    """Wire auth_redirect; `fetch` stands in for the Internet in tests."""
    settings, clock = base.settings, base.clock
    records = Collection(base.store, OAUTH_CLIENTS, ClientRecord)
    clients = OAuthClients(records, MetadataDocuments(fetch or DocumentFetch(), clock))
    return AuthRedirect(
        settings=settings,
        authorization_requests=AuthorizationRequests(
            clients=clients,
            resource=settings.mcp_url,
            issuer=settings.auth_url,
            scopes=tuple(base.permissions),
            own_urls=(settings.mcp_url, settings.auth_url, settings.callback_url),
        ),
        consents=Consents(base.states, base.principals, clock, base.sign_in_provider)
        if base.sign_in_provider
        else None,
        code_release=CodeRelease(base.principals, clock),
        token_requests=TokenRequests(
            authentication=_client_authentication(base, clients),
            grants=Grants(base.principals, clock),
            machines=MachineAccessTokens(records, clock),
            resource=settings.mcp_url,
            clock=clock,
        ),
    )


def _client_authentication(base: Foundations, clients: OAuthClients) -> ClientAuthentication:
    issuer, clock = base.settings.auth_url, base.clock
    marks = ReplayMarks(Collection(base.store, REPLAY_MARKS, ReplayMark))
    return ClientAuthentication(
        clients=clients,
        assertions=ClientAssertions(marks, (issuer, f"{issuer}/token"), clock),
        attempts=LoginAttempts(
            Collection(base.store, ATTEMPTS, FailedLogins),
            clock,
            limited=base.settings.rate_limits == "on",
        ),
        clock=clock,
    )
