"""Signing in within one tool call: the page is opened for the person, and the call waits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import SignInPrompt
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.states import is_live

LONGEST_WAIT = timedelta(seconds=50)
"""Clients give a call a minute."""

LOOK_SECONDS = 0.5
"""Between looks into the store, where another process may have put the tokens."""


@dataclass(frozen=True, slots=True)
class BrowserSignIn:
    """Finishes sign-ins of this machine's user.

    `listen` sees that the browser finds its way back, and raises where it cannot. `open_page` tells
    whether a browser took a page. `pause` waits so many seconds, or less where a browser came back.
    """

    services: McpEndpoint
    principal: Principal
    listen: Callable[[], Awaitable[None]]
    open_page: Callable[[str], Awaitable[bool]]
    pause: Callable[[float], Awaitable[None]]
    opened: dict[str, str] = field(default_factory=dict)
    """The page that was last opened, by upstream: each is opened once."""

    async def finish(self, prompt: SignInPrompt) -> bool:
        """Have the person sign in; tell whether the tool is worth another run.

        It is once the sign-in worked or failed: the second run has the result, or a fresh link.
        Raises Conflict where the browser would not find its way back.
        """
        await self.listen()
        return await self._shown(prompt) and await self._is_over(prompt)

    async def _shown(self, prompt: SignInPrompt) -> bool:
        page, before = prompt.short_auth_url, self.opened.get(prompt.upstream_title)
        if page == before:
            return True
        # Noted first, so that calls that come at once open one page.
        self.opened[prompt.upstream_title] = page
        if await self.open_page(page):
            return True
        del self.opened[prompt.upstream_title]
        return False

    async def _is_over(self, prompt: SignInPrompt) -> bool:
        clock = self.services.principals.clock
        deadline = clock() + LONGEST_WAIT
        while await self._is_waited_for(prompt):
            if clock() >= deadline:
                return False
            await self.pause(LOOK_SECONDS)
        return True

    async def _is_waited_for(self, prompt: SignInPrompt) -> bool:
        principals = self.services.principals
        record = await principals.get(self.principal.key)
        name = next(
            name
            for name, provider in self.services.providers.items()
            if provider.title == prompt.upstream_title
        )
        if record is None:
            return False
        sign_in = record.upstream(name)
        return sign_in.active is None and is_live(sign_in.pending, principals.clock())
