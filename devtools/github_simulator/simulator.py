"""The state of one simulated GitHub: accounts, repositories, tokens, faults and statistics."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from devtools.github_simulator.accounts import Account
from devtools.github_simulator.errors import ApiError, bad_credentials
from devtools.github_simulator.faults import Fault
from devtools.github_simulator.fixtures import USERS, populate
from devtools.github_simulator.oauth import OAuthEndpoints
from devtools.github_simulator.rate_limits import RateLimits
from devtools.github_simulator.repositories import RepositoryStore
from devtools.github_simulator.stats import Stats
from devtools.github_simulator.tokens import Grant, TokenStore
from devtools.simulation.faults import FaultPlan
from devtools.simulation.oauth import RegisteredClient


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who calls the REST API, and by which access token."""

    account: Account
    grant: Grant


class GitHubSimulator:
    """A GitHub Enterprise in memory. `create_app` serves it.

    `clock` returns aware UTC times. `auto_consent` names a user (`ann` or `bob`) who allows every
    authorization request without a page. With `expiring_tokens` the clients are GitHub Apps, whose
    tokens end and are refreshed; else OAuth apps. `latency` delays every OAuth and API answer.
    Like an Enterprise in private mode, it answers nobody who is not signed in.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = _now,
        clients: Iterable[RegisteredClient] = (),
        auto_consent: str | None = None,
        expiring_tokens: bool = False,
        latency: timedelta = timedelta(0),
    ) -> None:
        self.clock = clock
        self.clients = {client.client_id: client for client in clients}
        self.users = USERS
        self.latency = latency
        self.faults = FaultPlan[Fault]()
        self.stats = Stats()
        self.rate_limits = RateLimits(clock)
        self.repositories = RepositoryStore(clock)
        populate(self.repositories)
        self.tokens = TokenStore(clock, expiring=expiring_tokens)
        self.oauth = OAuthEndpoints(
            tokens=self.tokens,
            stats=self.stats,
            clients=self.clients,
            users=USERS,
            auto_consent=auto_consent,
        )

    def revoke_user(self, user: str) -> None:
        """End every token of a user, as the user can in the settings at GitHub."""
        self.tokens.revoke_user(user)

    def expire_access_tokens(self) -> None:
        """Let every access token be over; refresh tokens stay good."""
        self.tokens.expire_access_tokens()

    def authenticate(self, request: Request) -> SignedIn:
        """Return whose access token a request carries. Raises ApiError 401."""
        scheme, _, access_token = request.headers.get("authorization", "").partition(" ")
        if not access_token:
            raise ApiError(401, "Requires authentication")
        grant = self.tokens.grant_of(access_token.strip())
        if grant is None or scheme.lower() not in {"bearer", "token"}:
            raise bad_credentials()
        return SignedIn(self.repositories.accounts[grant.user], grant)
