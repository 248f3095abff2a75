"""The state of one simulated YATA: clients, tokens, todos, planned faults and statistics."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from devtools.simulation.faults import FaultPlan
from devtools.yata_simulator.clients import RegisteredClient
from devtools.yata_simulator.faults import Fault
from devtools.yata_simulator.oauth import TokenEndpoint
from devtools.yata_simulator.stats import Stats
from devtools.yata_simulator.todo_api import TodoApi
from devtools.yata_simulator.todos import TodoStore
from devtools.yata_simulator.tokens import TokenStore

ACCESS_TOKEN_TTL = timedelta(hours=1)


def _now() -> datetime:
    return datetime.now(UTC)


class YataSimulator:
    """A YATA in memory. `create_app` serves it.

    `clock` returns aware UTC times. `created_status` answers a create: 201, or 200 as of a backend
    that says nothing of it. `latency` delays every answer of the token endpoint and the todo API.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = _now,
        clients: Iterable[RegisteredClient] = (),
        access_token_ttl: timedelta = ACCESS_TOKEN_TTL,
        created_status: int = 201,
        latency: timedelta = timedelta(0),
    ) -> None:
        self.clients = {client.client_id: client for client in clients}
        self.latency = latency
        self.faults = FaultPlan[Fault]()
        self.stats = Stats()
        self.tokens = TokenStore(access_token_ttl, clock)
        self.todos = TodoStore(clock)
        self.token_endpoint = TokenEndpoint(self.clients, self.tokens, self.stats)
        self.todo_api = TodoApi(self.tokens, self.todos, created_status)

    def drop_access_tokens(self, client_id: str | None = None) -> None:
        """End the access token of one client or of all, before its time."""
        self.tokens.drop(client_id)

    def deactivate_client(self, client_id: str | None = None) -> None:
        """Switch one client or all off: tokens are refused with 401, those issued before too."""
        self._set_active(client_id, is_active=False)

    def activate_client(self, client_id: str | None = None) -> None:
        """Switch one client or all on again."""
        self._set_active(client_id, is_active=True)

    def _set_active(self, client_id: str | None, *, is_active: bool) -> None:
        for client in self.clients.values():
            if client_id in {None, client.client_id}:
                client.is_active = is_active
