"""The browser that programs open links with: a command on their PATH, and a person behind it."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
from anyio.abc import SocketStream

from tests.clients.browser_walk import Page, walk

PAGE_SECONDS = 60
"""A consent page waits up to five for a client's metadata document that no network brings."""

WALK_SECONDS = 120

COMMANDS = ("xdg-open", "open")
"""What programs run on Linux and on macOS."""

COMMAND = """\
#!{python} -I
import socket, sys

with socket.create_connection(("127.0.0.1", {port})) as person:
    person.sendall(sys.argv[1].encode())
"""


@dataclass(frozen=True, slots=True)
class DefaultBrowser:
    """Allows or denies what it is asked, and signs in at Rally as one user."""

    folder: Path
    user: str
    decision: str = "allow"
    opened: list[httpx.URL] = field(default_factory=list)
    """Each link that a program opened."""
    ends: list[Page] = field(default_factory=list)
    """Where each of them led in the end."""
    ended: anyio.Condition = field(default_factory=anyio.Condition)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to find it, however the program looks for a browser."""
        return {
            "PATH": os.pathsep.join((str(self.folder), os.environ["PATH"])),
            "BROWSER": str(self.folder / COMMANDS[0]),
        }

    async def take(self, link: SocketStream) -> None:
        """Go where one link leads, in a browser without cookies."""
        async with link:
            url = b"".join([part async for part in link]).decode()
        self.opened.append(httpx.URL(url))
        headers = {"Accept": "text/html"}
        async with httpx.AsyncClient(
            headers=headers, timeout=PAGE_SECONDS, trust_env=False
        ) as browser:
            end = await walk(browser, url, user=self.user, decision=self.decision)
        self.ends.append(end)
        async with self.ended:
            self.ended.notify_all()

    async def wait_for(self, walks: int) -> None:
        """Wait until so many links have led to their ends."""
        with anyio.fail_after(WALK_SECONDS):
            async with self.ended:
                while len(self.ends) < walks:
                    await self.ended.wait()


@asynccontextmanager
async def default_browser(
    folder: Path, *, user: str = "ann", decision: str = "allow"
) -> AsyncIterator[DefaultBrowser]:
    """Put the command into a new folder, and take links until the block ends."""
    browser = DefaultBrowser(folder, user, decision)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        _, port = listener.extra(anyio.abc.SocketAttribute.local_address)
        _write_commands(folder, port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, browser.take)
            yield browser
            tasks.cancel_scope.cancel()


def _write_commands(folder: Path, port: int) -> None:
    folder.mkdir()
    for name in COMMANDS:
        command = folder / name
        command.write_text(COMMAND.format(python=sys.executable, port=port))
        command.chmod(0o755)
