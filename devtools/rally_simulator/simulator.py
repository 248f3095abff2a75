"""The state of one simulated Rally: users, objects, tokens, planned faults and statistics."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from devtools.rally_simulator.errors import NotSignedIn
from devtools.rally_simulator.faults import Fault
from devtools.rally_simulator.fixtures import ANN, ANN_API_KEY, BOB, BOB_API_KEY, populate
from devtools.rally_simulator.oauth import OAuthEndpoints
from devtools.rally_simulator.objects import ObjectStore, RallyObject
from devtools.rally_simulator.stats import Stats
from devtools.rally_simulator.tokens import TokenPolicy, TokenStore
from devtools.simulation.faults import FaultPlan
from devtools.simulation.oauth import RegisteredClient

ACCESS_TOKEN_TTL = timedelta(seconds=86400)


def _now() -> datetime:
    return datetime.now(UTC)


class RallySimulator:
    """A Rally in memory. `create_app` serves it.

    `clock` returns aware UTC times. `auto_consent` names a user (`ann` or `bob`) who allows every
    authorization request without a page. Rally ignores PKCE; `enforce_pkce` demands S256. With
    `rotate_refresh_tokens` an old refresh token is refused, and unless
    `revoke_on_refresh_reuse` is off, its use ends all tokens of that sign-in. `expired_status`
    answers tokens that have expired or were revoked (401, or 403 on some stacks); `latency`
    delays every OAuth and WSAPI answer.
    """

    def __init__(  # noqa: PLR0913 - one switch for each way in which a Rally may differ
        self,
        *,
        clock: Callable[[], datetime] = _now,
        clients: Iterable[RegisteredClient] = (),
        access_token_ttl: timedelta = ACCESS_TOKEN_TTL,
        auto_consent: str | None = None,
        rotate_refresh_tokens: bool = False,
        revoke_on_refresh_reuse: bool = True,
        enforce_pkce: bool = False,
        issue_refresh_tokens: bool = True,
        expired_status: int = 401,
        latency: timedelta = timedelta(0),
    ) -> None:
        self.clock = clock
        self.clients = {client.client_id: client for client in clients}
        self.latency = latency
        self.faults = FaultPlan[Fault]()
        self.stats = Stats()
        self.objects = ObjectStore(clock)
        self.users = populate(self.objects, clock())
        self.api_keys = {ANN_API_KEY: ANN, BOB_API_KEY: BOB}
        policy = TokenPolicy(
            access_token_ttl=access_token_ttl,
            rotate_refresh_tokens=rotate_refresh_tokens,
            issue_refresh_tokens=issue_refresh_tokens,
            revoke_on_refresh_reuse=revoke_on_refresh_reuse,
            enforce_pkce=enforce_pkce,
        )
        self.tokens = TokenStore(policy, clock)
        self.oauth = OAuthEndpoints(
            tokens=self.tokens,
            stats=self.stats,
            clients=self.clients,
            users=tuple(self.users),
            auto_consent=auto_consent,
            enforce_pkce=enforce_pkce,
        )
        self._expired_status = expired_status

    def revoke_user(self, user: str) -> None:
        """End every OAuth token of a user, as the user can at Rally. API keys stay."""
        self.tokens.revoke_user(user)

    def authenticate(self, credential: str) -> tuple[str, RallyObject]:
        """Return whose API key or access token this is. Raises NotSignedIn."""
        user = self.api_keys.get(credential) or self.tokens.user_of(credential)
        if user is None:
            was_issued = self.tokens.was_issued(credential)
            raise NotSignedIn(self._expired_status if was_issued else 401)
        return user, self.users[user]
