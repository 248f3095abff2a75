"""Access tokens: a client has one at a time, good for an hour."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from devtools.yata_simulator.clients import RegisteredClient


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a client got, and what for."""

    value: str
    client: RegisteredClient
    scopes: tuple[str, ...]
    expires_at: datetime


class TokenStore:
    """Issues access tokens; a new one ends the one that the client had."""

    def __init__(self, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._active: dict[str, AccessToken] = {}

    def issue(self, client: RegisteredClient, scopes: tuple[str, ...]) -> AccessToken:
        """Return a new access token for scopes that were checked before."""
        expires_at = self._clock() + self.lifetime
        issued = AccessToken(secrets.token_urlsafe(32), client, scopes, expires_at)
        self._active[client.client_id] = issued
        return issued

    def find(self, value: str) -> AccessToken | None:
        """Return a living access token of a client that is still active, or None."""
        for issued in self._active.values():
            is_alive = self._clock() < issued.expires_at and issued.client.is_active
            if issued.value == value and is_alive:
                return issued
        return None

    def drop(self, client_id: str | None = None) -> None:
        """End the access token of one client, or of all."""
        if client_id is None:
            self._active.clear()
        else:
            self._active.pop(client_id, None)
