"""The deployment's own access token at an upstream where nobody signs in (RFC 6749 §4.4).

It is kept like a person's: in a record of `principals`, sealed, here under the client secret. So
all instances share one token, and one of them renews it while the others wait; within a process
one caller waits for all.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from anyio import to_thread

from rally_mcp.access_tokens import AccessToken
from rally_mcp.crypto import PrivateKey, record_key
from rally_mcp.errors import (
    ConfigurationError,
    Conflict,
    UpstreamRejected,
    UpstreamUnavailable,
)
from rally_mcp.identity_providers.declaration import ServiceAccount, TokenResponse
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.secret_store import SecretStore
from rally_mcp.sign_in.active_slot import ActiveSlot, NotSignedIn
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, UpstreamSignIn, User
from rally_mcp.sign_in.refresh import Refresh
from rally_mcp.sign_in.sealed_tokens import Place, seal_tokens

_NONE_YET = datetime.fromtimestamp(0, UTC)
"""When a token that was never there expired."""

_TRIES = 3
"""Rounds until a record that somebody keeps removing is given up."""

_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""An operator's secret may be one that can be guessed; the store and the log must not be what a
guess is checked against. Some 50 ms, once in a process."""


class ServiceCredential:
    """One upstream's access token for this process. Implements access_tokens.AccessTokens."""

    def __init__(
        self,
        principals: Principals,
        token_endpoint: TokenEndpoint,
        secrets: SecretStore,
        account: ServiceAccount,
    ) -> None:
        self._principals = principals
        self._token_endpoint = token_endpoint
        self._secrets = secrets
        self._account = account
        self._remembered: tuple[AccessToken, datetime] | None = None
        self._stretched: tuple[str, str] | None = None
        self._under_way: dict[int | None, asyncio.Task[AccessToken]] = {}

    async def current(self) -> AccessToken:
        """Return the access token: from memory, else from the store, else from the upstream."""
        if self._remembered and self._remembered[1] > self._principals.clock():
            return self._remembered[0]
        return await self._renewed(None)

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return the token that replaced the refused one, getting it where nobody has yet."""
        if self._remembered and self._remembered[0].generation != refused.generation:
            return await self.current()
        self._remembered = None
        return await self._renewed(refused.generation)

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Raise UpstreamRejected: a new token was refused as well."""
        del refused
        self._remembered = None
        raise self._refused()

    async def _renewed(self, refused: int | None) -> AccessToken:
        """Join the renewal that is under way, or start one that outlives a caller who gives up."""
        task = self._under_way.get(refused)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.create_task(self._renewed_once(refused))
            self._under_way[refused] = task
            task.add_done_callback(partial(self._finish, refused))
        return await asyncio.shield(task)

    def _finish(self, refused: int | None, task: "asyncio.Task[AccessToken]") -> None:
        if self._under_way.get(refused) is task:
            del self._under_way[refused]
        if not task.cancelled():
            task.exception()  # whoever waited has been told

    async def _renewed_once(self, refused: int | None) -> AccessToken:
        slot = ActiveSlot(self._principals, await self._principal(), self._account.name)
        for _ in range(_TRIES):
            try:
                _, active = await slot.read()
                is_fresh = active.tokens.refresh_at > self._principals.clock()
                if not is_fresh or active.generation == refused:
                    active = await self._refresh(slot).newer_than(
                        active, may_use_stale=active.generation != refused
                    )
                if active.tokens.expires_at > self._principals.clock():
                    return self._remember(slot, active)
                # Somebody began the record anew meanwhile, and has no token in it yet.
            except NotSignedIn as gone:
                await self._begin(slot)
                if gone.record and gone.record.upstream(self._account.name).notice:
                    raise self._refused() from None
            except Conflict:  # altered in the store: as good as none
                await self._principals.remove(slot.principal.key)
        raise UpstreamUnavailable(f"{self._account.title} is being connected; try again.")

    async def _principal(self) -> Principal:
        account = self._account
        if account.client_secret is None:
            raise ConfigurationError(f"The client secret of {account.title} is missing.")
        client_secret = await self._secrets.get(account.client_secret)
        if self._stretched is None or self._stretched[0] != client_secret:
            salt = f"{account.name} {account.client_id}".encode()
            stretch = partial(hashlib.scrypt, client_secret.encode(), salt=salt, **_SCRYPT)
            self._stretched = client_secret, (await to_thread.run_sync(stretch)).hex()
        # A new secret is a new principal: what the old one sealed is not for it to open.
        stretched = self._stretched[1]
        return Principal(
            record_key(f"service principal {stretched}"),
            PrivateKey.derive(stretched, "service principal"),
        )

    def _refresh(self, slot: ActiveSlot) -> Refresh:
        async def renew(refresh_token: str) -> TokenResponse:
            del refresh_token  # RFC 6749 §4.4.3: there is none; the client asks again
            return await self._token_endpoint.client_credentials(self._account)

        return Refresh(slot, self._account.title, renew, self._principals.clock)

    async def _begin(self, slot: ActiveSlot) -> None:
        """Make a record whose tokens ended long ago, for the first caller to renew."""
        principal, upstream = slot.principal, self._account.name
        nothing = TokenResponse("", None, _NONE_YET)
        user = User(id=self._account.client_id, name="(this deployment)")
        place = Place(principal.key, upstream, "active")
        public_key = principal.private_key.public_key
        ended = ActiveTokens(tokens=seal_tokens(public_key, place, nothing, user, _NONE_YET))
        sign_in = UpstreamSignIn(active=ended)
        if not await self._principals.create(principal, upstream, sign_in):
            await self._principals.change(
                principal.key, upstream, lambda there: None if there.active else sign_in
            )

    def _remember(self, slot: ActiveSlot, active: ActiveTokens) -> AccessToken:
        access_token = AccessToken(
            slot.open(active).access_token, active.generation, self._account.client_id
        )
        self._remembered = (access_token, active.tokens.refresh_at)
        return access_token

    def _refused(self) -> UpstreamRejected:
        return UpstreamRejected(
            f"{self._account.title} does not accept this deployment's client id and secret; "
            "its administrator must set them again."
        )
