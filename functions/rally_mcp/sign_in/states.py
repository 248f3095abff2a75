"""The `state` of a sign-in: making one, and finding the sign-in that still waits for it.

A state and its code_verifier live ten minutes. The verifier is sealed under the state itself, so
that the store alone cannot finish a sign-in, and the state stands in the principal's record
sealed to the principal, so that the same link can be shown again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rally_mcp.crypto import (
    NotOpened,
    PrivateKey,
    PublicKey,
    RecordKey,
    random_secret,
    record_key,
    s256_challenge,
)
from rally_mcp.errors import InvalidInput
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import (
    OAuthState,
    PendingSignIn,
    sealed_location,
    state_location,
)
from rally_mcp.storage.collection import Collection

PENDING_TTL = timedelta(minutes=10)
"""How long a link works: a login with a second factor fits, a forgotten mail does not."""

EXCHANGE_TTL = timedelta(seconds=30)
"""After this an exchange counts as dead: longer than its requests to the upstream may take."""

STATE_BITS = 144
"""24 characters: unguessable, and a link that survives a chat window."""

VERIFIER_BITS = 384
"""64 characters, within RFC 7636's 43 to 128."""

_PURPOSE = "oauth state"


class StateRefused(InvalidInput):
    """The state is unknown or expired, or (`already_used`) its sign-in is over."""

    def __init__(self, *, already_used: bool) -> None:
        super().__init__("Invalid or expired state token")
        self.already_used = already_used


@dataclass(frozen=True, slots=True)
class OpenState:
    """A state that a sign-in still waits for, and what only the bearer of the state can open."""

    key: RecordKey
    record: OAuthState
    provider: IdentityProvider
    public_key: PublicKey
    awaits_browser: bool
    """The sign-in ends in the browser that consented to a grant, not in a chat."""
    code_verifier: str = field(repr=False)
    state: str = field(repr=False)

    @property
    def code_challenge(self) -> str:
        """The S256 challenge of the verifier (RFC 7636 §4.2)."""
        return s256_challenge(self.code_verifier)


def is_live(pending: PendingSignIn | None, now: datetime) -> bool:
    """Tell whether a sign-in is still on its way; an exchange that died counts as gone."""
    if pending is None or pending.expires_at <= now:
        return False
    started = pending.exchanging_since
    return started is None or started + EXCHANGE_TTL > now


@dataclass(frozen=True, slots=True)
class States:
    """Makes states and finds what waits for them."""

    records: Collection[OAuthState]
    principals: Principals
    providers: Mapping[str, IdentityProvider]
    clock: Callable[[], datetime]

    async def new(self, principal: Principal, upstream: str) -> tuple[str, PendingSignIn]:
        """Write a fresh state (one write); return it with what the principal's record holds."""
        state, code_verifier = random_secret(STATE_BITS), random_secret(VERIFIER_BITS)
        key = record_key(state)
        expires_at = self.clock() + PENDING_TTL
        public_key = principal.private_key.public_key
        sealed_to_state = PrivateKey.derive(state, _PURPOSE).public_key
        await self.records.put(
            key,
            OAuthState(
                principal=principal.key,
                upstream=upstream,
                sealed=sealed_to_state.seal(
                    json.dumps([code_verifier, principal.key, public_key.text, upstream]),
                    sealed_location(key),
                ),
                expire_at=expires_at,
            ),
        )
        return state, PendingSignIn(
            state_key=key,
            state=public_key.seal(state, state_location(principal.key, upstream)),
            code_challenge=s256_challenge(code_verifier),
            expires_at=expires_at,
        )

    async def find(self, state: str) -> OpenState:
        """Return what waits for `state`; two reads, no write. Raises StateRefused.

        A sign-in whose code is being exchanged no longer waits.
        """
        key = record_key(state)
        record = await self.records.get(key)
        provider = self.providers.get(record.upstream) if record else None
        if record is None or provider is None:
            raise StateRefused(already_used=False)
        principal_record = await self.principals.get(record.principal)
        if principal_record is None:
            raise StateRefused(already_used=True)
        pending = principal_record.upstream(record.upstream).pending
        if not waits_for(pending, key, self.clock()):
            raise StateRefused(already_used=True)
        try:
            opened = PrivateKey.derive(state, _PURPOSE).open(record.sealed, sealed_location(key))
        except NotOpened:
            raise StateRefused(already_used=False) from None
        code_verifier, *sealed = json.loads(opened)
        public_key = principal_record.public_key
        if sealed != [record.principal, public_key, record.upstream]:
            raise StateRefused(already_used=False)
        awaits_browser = principal_record.awaits_browser(record.upstream)
        return OpenState(
            key, record, provider, PublicKey(public_key), awaits_browser, code_verifier, state
        )


def waits_for(pending: PendingSignIn | None, state_key: str, now: datetime) -> bool:
    """Tell whether a pending sign-in waits for this state and nobody exchanges its code yet."""
    return (
        pending is not None
        and pending.state_key == state_key
        and pending.exchanging_since is None
        and pending.expires_at > now
    )
