"""The port that the browser comes back to: open while somebody may be signing in.

Several processes of one user have the same port. Whoever has it serves the others too, from the
store that they share; when that one goes, another takes over.
"""

import socket
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup

from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.errors import Conflict
from rally_mcp.local.siblings import Siblings
from rally_mcp.sign_in.states import PENDING_TTL

_TAKE_OVER_SECONDS = 0.5
"""Between looks whether the port is free again."""


@dataclass(slots=True)
class LoopbackListener:
    """Listens at the host and port of CALLBACK_URL, as one of the tasks of the process."""

    base: Foundations
    siblings: Siblings
    tasks: TaskGroup
    open_for: timedelta = PENDING_TTL
    """As long as a link lives."""
    _open_until: float = field(default=0, init=False)
    _is_kept: bool = field(default=False, init=False)
    _returned: anyio.Event = field(default_factory=anyio.Event, init=False)

    async def open(self) -> None:
        """See that a browser finds its way back, for some time from now on.

        Raises Conflict where a foreign program has the port.
        """
        self._open_until = anyio.current_time() + self.open_for.total_seconds()
        if self._is_kept:
            return
        listener = self._listen()
        origin = self.base.settings.auth_url
        if listener is None and not await self.siblings.one_serves(origin):
            raise Conflict(
                f"Nobody can sign in: CALLBACK_URL leads to {origin}, which another program has. "
                "Another rally-mcp with other settings gives it back ten minutes after its last "
                "sign-in began. Otherwise set CALLBACK_URL to another port of this machine, and "
                "register that redirect URI where people sign in."
            )
        if self._is_kept:  # by another call, while the sibling was asked
            return
        self._is_kept = True
        self.tasks.start_soon(self._keep, listener)

    async def browser_returned(self, seconds: float) -> None:
        """Wait until a browser has come back to this process, at most so many seconds."""
        with anyio.move_on_after(seconds):
            await self._returned.wait()

    async def _keep(self, listener: socket.socket | None) -> None:
        try:
            while anyio.current_time() < self._open_until:
                listener = listener or self._listen()
                if listener:
                    await self._serve(listener)
                    listener = None
                else:
                    await anyio.sleep(_TAKE_OVER_SECONDS)
        finally:
            self._is_kept = False

    async def _serve(self, listener: socket.socket) -> None:
        # Only now, because most processes find their user signed in.
        from rally_mcp.local import loopback_app, loopback_server

        app = loopback_app.create(self.base, self.siblings.prove, self._note_return)
        await loopback_server.serve(app, listener, self._until_closed)

    async def _until_closed(self) -> None:
        while (now := anyio.current_time()) < self._open_until:  # noqa: ASYNC110 it moves on
            await anyio.sleep(self._open_until - now)

    def _note_return(self) -> None:
        self._returned.set()
        self._returned = anyio.Event()

    def _listen(self) -> socket.socket | None:
        """Return a listening socket, None where something else listens there."""
        url = urlsplit(self.base.settings.auth_url)
        host = "127.0.0.1" if url.hostname == "localhost" else str(url.hostname)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, url.port or 0), family=family)
        except OSError:
            return None
