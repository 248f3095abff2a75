"""How the Rally client gets at an access token, without knowing where tokens come from."""

from dataclasses import dataclass, field
from typing import NoReturn, Protocol


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A Rally access token (or API key) and whose it is. `generation` tells one from the next."""

    value: str = field(repr=False)
    generation: int
    user_id: str


class AccessTokens(Protocol):
    """Gives out one caller's access token."""

    async def current(self) -> AccessToken:
        """Return a token that should work. Raises SignInRequired where there is none."""
        ...

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return another token than the one Rally just refused. Raises SignInRequired."""
        ...

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Forget the sign-in after Rally refused a renewed token too. Raises SignInRequired."""
        ...
