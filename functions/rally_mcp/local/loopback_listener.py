"""The port that the browser comes back to: open while somebody may be signing in.

Several processes of one user have the same port. Whoever has it serves the others too, from the
store that they share; when that one goes, another takes over.
"""

import errno
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

_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""What a machine without IPv6 says."""

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
    _serves: bool = field(default=False, init=False)
    _returned: anyio.Event = field(default_factory=anyio.Event, init=False)

    async def open(self) -> None:
        """See that a browser finds its way back, for some time from now on.

        Raises Conflict where a foreign program has the port.
        """
        self._open_until = anyio.current_time() + self.open_for.total_seconds()
        if self._serves:
            return
        origin = self.base.settings.auth_url
        if self._is_kept:  # for a sibling, who may be gone, and a stranger in its place
            if not await self.siblings.one_serves(origin):
                await anyio.sleep(2 * _TAKE_OVER_SECONDS)
                self._check(origin, is_ours=self._serves)
            return
        listeners = self._listen()
        self._check(origin, is_ours=bool(listeners) or await self.siblings.one_serves(origin))
        if self._is_kept:  # by another call, while the sibling was asked
            return
        self._is_kept = True
        self.tasks.start_soon(self._keep, listeners)

    def _check(self, origin: str, *, is_ours: bool) -> None:
        if not is_ours:
            raise Conflict(
                f"Nobody can sign in: CALLBACK_URL leads to {origin}, which another program has. "
                "Another rally-mcp with other settings gives it back ten minutes after its last "
                "sign-in began. Otherwise set CALLBACK_URL to another port of this machine, and "
                "register that redirect URI where people sign in."
            )

    async def browser_returned(self, seconds: float) -> None:
        """Wait until a browser has come back to this process, at most so many seconds."""
        with anyio.move_on_after(seconds):
            await self._returned.wait()

    async def _keep(self, listeners: list[socket.socket]) -> None:
        try:
            while anyio.current_time() < self._open_until:
                listeners = listeners or self._listen()
                if listeners:
                    await self._serve(listeners)
                    listeners = []
                else:
                    await anyio.sleep(_TAKE_OVER_SECONDS)
        finally:
            self._is_kept = False

    async def _serve(self, listeners: list[socket.socket]) -> None:
        # Only now, because most processes find their user signed in.
        from rally_mcp.local import loopback_app, loopback_server

        app = loopback_app.create(self.base, self.siblings.prove, self._note_return)
        self._serves = True
        try:
            await loopback_server.serve(app, listeners, self._until_closed)
        finally:
            self._serves = False

    async def _until_closed(self) -> None:
        while (now := anyio.current_time()) < self._open_until:  # noqa: ASYNC110 it moves on
            await anyio.sleep(self._open_until - now)

    def _note_return(self) -> None:
        self._returned.set()
        self._returned = anyio.Event()

    def _listen(self) -> list[socket.socket]:
        """Return listening sockets, none where something else listens at one of the addresses.

        A browser may take `localhost` for either address, and who has the other one has it all.
        """
        url = urlsplit(self.base.settings.auth_url)
        hosts = ("127.0.0.1", "::1") if url.hostname == "localhost" else (str(url.hostname),)
        listeners: list[socket.socket] = []
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                listeners.append(socket.create_server((host, url.port or 80), family=family))
            except OSError as error:
                if error.errno in _NO_SUCH_ADDRESS:
                    continue
                for listener in listeners:
                    listener.close()
                return []
        return listeners
