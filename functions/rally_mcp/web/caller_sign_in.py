"""The caller's own sign-ins, as tools may see and end them. Implements tools.context.SignIn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.crypto import NotOpened
from rally_mcp.errors import InvalidInput, PermissionDenied
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.records import PrincipalRecord, SealedTokens, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import Place, open_tokens
from rally_mcp.sign_in.states import is_live
from rally_mcp.tools.context import Connection, SignedOutOf

_NO_SIGN_IN = "A machine client works with its own API key and has no sign-in."


@dataclass(frozen=True, slots=True)
class CallerSignIn:
    """A person's sign-ins."""

    services: McpEndpoint
    principal: Principal

    async def connections(self) -> Sequence[Connection]:
        """Return where the caller stands with each upstream; one read."""
        record = await self.services.principals.get(self.principal.key)
        found = []
        for name, upstream in self.services.upstreams.items():
            if name not in self.services.providers:
                found.append(Connection(name, upstream.title, "shared"))
                continue
            sign_in = record.upstream(name) if record else UpstreamSignIn()
            user = sign_in.active.tokens.user if sign_in.active else None
            found.append(
                Connection(
                    upstream=name,
                    title=upstream.title,
                    status=self._status(sign_in),
                    user=user.name if user else "",
                    tenant=user.tenant if user else "",
                )
            )
        return found

    def _status(
        self, sign_in: UpstreamSignIn
    ) -> Literal["signed_in", "waiting_for_code", "sign_in_started", "signed_out"]:
        now = self.services.principals.clock()
        if sign_in.active:
            return "signed_in"
        if sign_in.parked and sign_in.parked.is_waiting(now):
            return "waiting_for_code"
        return "sign_in_started" if is_live(sign_in.pending, now) else "signed_out"

    async def confirm(self, code: str) -> str:
        """Finish the sign-in that waits for `code`."""
        user = await self.services.activation.confirm(self.principal, code)
        return f"{user.name} ({user.tenant})" if user.tenant else user.name

    async def sign_out(self, upstream: str | None) -> SignedOutOf:
        """Delete the caller's record, or one upstream's part of it; then tell the upstreams."""
        if upstream is not None and upstream not in self.services.providers:
            names = ", ".join(self.services.providers) or "none"
            raise InvalidInput(f"upstream: name one that people sign in to: {names}.")
        if upstream is None or upstream == self.principal.grant_upstream:
            # A client's grant is worth nothing without the sign-in that it stands on.
            removed = await self.services.principals.remove(self.principal.key)
            providers = list(self.services.providers.values())
        else:
            removed = await self._forget(upstream)
            providers = [self.services.providers[upstream]]
        if removed is None:
            return SignedOutOf((), ())
        audit.write(AuditEvent.SIGNED_OUT, principal=self.principal.key, upstream=upstream)
        ended = [
            each for each in providers if self._status(removed.upstream(each.name)) != "signed_out"
        ]
        revoked = [each for each in ended if await self._revoke(each, removed)]
        return SignedOutOf(
            tuple(each.title for each in ended), tuple(each.title for each in revoked)
        )

    async def _forget(self, upstream: str) -> PrincipalRecord | None:
        """Empty one upstream's part; return the record as it was, None where there was nothing."""
        before: PrincipalRecord | None = None

        def emptied(record: PrincipalRecord) -> PrincipalRecord | None:
            nonlocal before
            before = record if record.upstream(upstream) != UpstreamSignIn() else None
            return record.with_upstream(upstream, UpstreamSignIn()) if before else None

        await self.services.principals.records.update(self.principal.key, emptied)
        return before

    async def _revoke(self, provider: IdentityProvider, record: PrincipalRecord) -> bool:
        """Tell the upstream of tokens that are gone, those that waited for their code too."""
        if provider.revoke is None:
            return False
        sign_in = record.upstream(provider.name)
        held: list[tuple[Literal["active", "parked"], SealedTokens]] = []
        if sign_in.active:
            held.append(("active", sign_in.active.tokens))
        if sign_in.parked:
            held.append(("parked", sign_in.parked.tokens))
        told = [await self._revoke_one(provider, part, tokens) for part, tokens in held]
        return bool(told) and all(told)

    async def _revoke_one(
        self, provider: IdentityProvider, part: Literal["active", "parked"], tokens: SealedTokens
    ) -> bool:
        place = Place(self.principal.key, provider.name, part)
        try:
            access_token = open_tokens(self.principal.private_key, place, tokens).access_token
        except NotOpened:  # altered in the store
            return False
        return await self.services.revocation.revoke(provider, access_token)


class NoSignIn:
    """Stands for the sign-ins that a machine does not have."""

    async def connections(self) -> Sequence[Connection]:
        """Refuse."""
        raise PermissionDenied(_NO_SIGN_IN)

    async def confirm(self, code: str) -> str:
        """Refuse."""
        del code
        raise PermissionDenied(_NO_SIGN_IN)

    async def sign_out(self, upstream: str | None) -> SignedOutOf:
        """Refuse."""
        del upstream
        raise PermissionDenied("A machine client has no sign-in; its administrator can disable it.")
