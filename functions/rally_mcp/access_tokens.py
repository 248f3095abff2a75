"""How a client of an upstream gets at access tokens, without knowing where they come from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol, TypeVar

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An upstream's access token (or API key) and whose it is.

    `generation` tells one from the next.
    """

    value: str = field(repr=False)
    generation: int
    user_id: str


class AccessTokens(Protocol):
    """Gives out one caller's access token."""

    async def current(self) -> AccessToken:
        """Return a token that should work. Raises SignInRequired where there is none."""
        ...

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return another token than the one that was just refused. Raises SignInRequired."""
        ...

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Forget the sign-in after a renewed token was refused too. Raises SignInRequired."""
        ...


async def authorized(
    access_tokens: AccessTokens,
    send: Callable[[AccessToken], Awaitable[AnswerT]],
    is_refused: Callable[[AnswerT], bool],
) -> AnswerT:
    """Return what `send` brings with an access token, renewed once where it is refused.

    Raises SignInRequired, or what `send` raises.
    """
    access_token = await access_tokens.current()
    answer = await send(access_token)
    if not is_refused(answer):
        return answer
    renewed = await access_tokens.renewed(access_token)
    answer = await send(renewed)
    if is_refused(answer):
        await access_tokens.give_up(renewed)
    return answer
