"""A machine client's own Rally API key, as the access token that the Rally client asks for."""

from dataclasses import dataclass, field
from typing import NoReturn

from rally_mcp.access_tokens import AccessToken
from rally_mcp.errors import PermissionDenied
from rally_mcp.secret_store import SecretReference, SecretStore


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Gives out one API key. Implements access_tokens.AccessTokens."""

    secrets: SecretStore
    reference: SecretReference | None = field(repr=False)
    owner: str

    async def current(self) -> AccessToken:
        """Return the key. Raises PermissionDenied where there is none, SecretUnreadable."""
        return self._access(await self.secrets.get(self._known()))

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return the key as its source has it now. Raises PermissionDenied for the same one."""
        key = await self.secrets.reread(self._known())
        if key == refused.value:
            await self.give_up(refused)
        return self._access(key)

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Say who can help."""
        del refused
        raise PermissionDenied(
            "Rally does not accept this machine client's API key; its administrator must renew it."
        )

    def _known(self) -> SecretReference:
        if self.reference is None:
            raise PermissionDenied(
                "This machine client has no Rally API key; its administrator adds a client that "
                "has one (rally-mcp clients add --rally-api-key)."
            )
        return self.reference

    def _access(self, key: str) -> AccessToken:
        return AccessToken(value=key, generation=0, user_id=self.owner)
