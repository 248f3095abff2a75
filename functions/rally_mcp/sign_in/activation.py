"""Making parked tokens active: the person brings the code from the browser to the chat."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import NotOpened
from rally_mcp.errors import InvalidInput, NotFound, UserError
from rally_mcp.sign_in import confirmation
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import MOST_TRIES, ActiveTokens, ParkedTokens, UpstreamSignIn, User
from rally_mcp.sign_in.sealed_tokens import Place, move_tokens

_NOTHING_WAITS = (
    "No sign-in is waiting for a code. Call the tool you need; it answers with a sign-in link."
)


@dataclass(frozen=True, slots=True)
class Activation:
    """Checks confirmation codes and makes tokens active."""

    principals: Principals
    clock: Callable[[], datetime]

    async def confirm(self, principal: Principal, typed: str) -> User:
        """Activate the parked tokens that `typed` belongs to; return whose they are.

        A try is counted before it is compared, and the fifth wrong one destroys what is parked,
        nothing else. Raises InvalidInput for a wrong code, NotFound where nothing is parked.
        """
        code = confirmation.normalised(typed)
        if code is None:
            raise InvalidInput(
                "A confirmation code has 8 letters and digits, as in K7QF-2M9X; "
                "type the one that the sign-in page shows."
            )
        record = await self.principals.get(principal.key)
        upstreams = record.upstreams if record else {}
        tries_left: int | None = None
        wrong: list[tuple[str, ParkedTokens, int]] = []
        for name, sign_in in upstreams.items():
            parked = sign_in.parked
            if parked and parked.code and parked.is_waiting(self.clock()):
                tries_left = await self._count(principal, name, parked.id)
                if tries_left is None:
                    continue
                if await confirmation.matches(code, parked.code.salt, parked.code.hash):
                    return await self._activate(principal, name, parked)
                wrong.append((name, parked, tries_left))
        # The right code of one upstream's sign-in is no wrong one of another's.
        for name, parked, left in wrong:
            await self._refuse(principal, name, parked, left)
        raise _refusal(upstreams, tries_left)

    async def _count(self, principal: Principal, upstream: str, parked_id: str) -> int | None:
        """Count one try; return how many are left after it, or None where none was left."""

        def count(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            parked = sign_in.parked
            if parked is None or parked.id != parked_id or parked.tries >= MOST_TRIES:
                return None
            counted = parked.model_copy(update={"tries": parked.tries + 1})
            return sign_in.model_copy(update={"parked": counted})

        record = await self.principals.change(principal.key, upstream, count)
        parked = record.upstream(upstream).parked if record else None
        return MOST_TRIES - parked.tries if parked else None

    async def _activate(self, principal: Principal, upstream: str, parked: ParkedTokens) -> User:
        try:
            tokens = move_tokens(
                principal.private_key,
                Place(principal.key, upstream, "parked"),
                Place(principal.key, upstream, "active"),
                parked.tokens,
            )
        except NotOpened as error:
            raise NotFound(_NOTHING_WAITS) from error

        def activate(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if sign_in.parked is None or sign_in.parked.id != parked.id:
                return None
            return UpstreamSignIn(active=ActiveTokens(tokens=tokens), pending=sign_in.pending)

        changed = await self.principals.change(principal.key, upstream, activate, signed_in=True)
        if changed is None:
            raise NotFound(_NOTHING_WAITS)
        audit.write(
            AuditEvent.SIGN_IN_CONFIRMED,
            principal=principal.key,
            upstream=upstream,
            user=tokens.user.name,
        )
        return tokens.user

    async def _refuse(
        self, principal: Principal, upstream: str, parked: ParkedTokens, tries_left: int
    ) -> None:
        audit.write(AuditEvent.SIGN_IN_CODE_REFUSED, principal=principal.key, upstream=upstream)
        if tries_left:
            return

        def destroy(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if sign_in.parked is None or sign_in.parked.id != parked.id:
                return None
            return sign_in.model_copy(update={"parked": None})

        await self.principals.change(principal.key, upstream, destroy)


def _refusal(upstreams: Mapping[str, UpstreamSignIn], tries_left: int | None) -> UserError:
    if tries_left:
        return InvalidInput(f"That is not the code that the page shows; {tries_left} tries left.")
    if tries_left == 0:
        return InvalidInput(
            "That was the fifth wrong code, so this sign-in was discarded. "
            "Call the tool you need again for a new link."
        )
    for sign_in in upstreams.values():
        if sign_in.active:
            name = sign_in.active.tokens.user.name
            return NotFound(f"No sign-in is waiting for a code: {name} is signed in already.")
    return NotFound(_NOTHING_WAITS)
