"""The state of one simulated Entra tenant: people, tokens, keys, planned faults and statistics."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from devtools.entra_simulator.authorization import AuthorizationEndpoint
from devtools.entra_simulator.directory import TENANT, Directory
from devtools.entra_simulator.faults import Fault, IdTokenFaultPlan
from devtools.entra_simulator.signing_keys import SigningKey, SigningKeys
from devtools.entra_simulator.stats import Stats
from devtools.entra_simulator.token_endpoint import TokenEndpoint
from devtools.entra_simulator.tokens import TokenStore
from devtools.simulation.faults import FaultPlan
from devtools.simulation.oauth import RegisteredClient


def _now() -> datetime:
    return datetime.now(UTC)


class EntraSimulator:
    """One tenant of Entra in memory. `create_app` serves it.

    `clock` returns aware UTC times. `auto_consent` names a user (`ann`, `bob`, or `eve` of another
    tenant) who allows every authorization request without a page. Without `access_token_ttl` each
    access token has 60 to 90 minutes, by chance. `signing_key` is the first key; making one takes a
    tenth of a second, so that tests may share it. `latency` delays every answer of Entra.

    `faults` are for answers, `id_token_faults` for what stands in them; `directory` disables users
    and ends what they gave, `keys` rotates.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = _now,
        tenant: str = TENANT,
        clients: Iterable[RegisteredClient] = (),
        access_token_ttl: timedelta | None = None,
        auto_consent: str | None = None,
        signing_key: SigningKey | None = None,
        latency: timedelta = timedelta(0),
    ) -> None:
        self.clock = clock
        self.tenant = tenant.lower()
        self.clients = {client.client_id: client for client in clients}
        self.latency = latency
        self.faults = FaultPlan[Fault]()
        self.id_token_faults = IdTokenFaultPlan()
        self.stats = Stats()
        self.directory = Directory()
        self.keys = SigningKeys(clock, signing_key)
        tokens = TokenStore(clock)
        self.authorization = AuthorizationEndpoint(
            self.tenant, tokens, self.directory, self.stats, self.clients, auto_consent
        )
        self.token_endpoint = TokenEndpoint(
            self.tenant,
            tokens,
            self.directory,
            self.keys,
            self.id_token_faults,
            self.stats,
            self.clients,
            access_token_ttl,
        )
