"""`rally-mcp stdio` as a client on a person's computer starts it, before simulated upstreams."""

import os
import secrets
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from devtools import rally_simulator, yata_simulator
from tests.clients.default_browser import DefaultBrowser

RALLY_MCP = Path(sys.executable).with_name("rally-mcp")
CLIENT_ID = "rally-mcp-local"
CLIENT_SECRET = "correct horse"

CONNECTION_TRIES = 6
"""The last begins some eight seconds after the first."""

CALL_SECONDS = 60
"""What clients give a call."""


@dataclass(frozen=True, slots=True)
class Computer:
    """A person's computer: a home, a browser or none, and the settings of `rally-mcp stdio`."""

    home: Path
    settings: Mapping[str, str]
    command: tuple[str, ...] = (str(RALLY_MCP), "stdio")
    browser: DefaultBrowser | None = None

    def with_settings(self, **settings: str) -> "Computer":
        """Return the same computer, where further settings are made."""
        return replace(self, settings={**self.settings, **settings})

    @property
    def environment(self) -> dict[str, str]:
        """What the process is started with."""
        browser = self.browser.environment if self.browser else {"PATH": os.environ["PATH"]}
        measured = {name: value for name, value in os.environ.items() if "COVERAGE" in name}
        return {**measured, **browser, "HOME": str(self.home), **self.settings}

    @property
    def callback_origin(self) -> str:
        """Where a process listens for the browser."""
        return self.settings["CALLBACK_URL"].removesuffix("/callback")

    @property
    def data_folder(self) -> Path:
        """Where the process keeps what it stores."""
        return self.home / ".local/share/rally-mcp"

    @property
    def log(self) -> Path:
        """What its processes wrote to stderr."""
        return self.home / "stderr.log"

    @asynccontextmanager
    async def chat(self, mode: str = "auto") -> AsyncIterator[Client]:
        """Start a process and connect; in `legacy` mode by the protocol of 2025-11-25."""
        command, *arguments = self.command
        server = StdioServerParameters(
            command=command, args=arguments, env=self.environment, cwd=self.home
        )
        with self.log.open("a") as log:
            transport = stdio_client(server, errlog=log)
            async with Client(transport, mode=mode, read_timeout_seconds=CALL_SECONDS) as client:
                yield client


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Simulated upstreams that answer on ports of this machine, and how to reach them."""

    rally_url: str
    settings: Mapping[str, str] = field(repr=False)


@contextmanager
def running_upstreams() -> Iterator[Upstreams]:
    """Serve Rally and YATA, with a client for a free port, until the block ends."""
    callback_url = f"http://127.0.0.1:{free_port()}/callback"
    rally_client = rally_simulator.RegisteredClient(CLIENT_ID, CLIENT_SECRET, (callback_url,))
    yata_client = yata_simulator.RegisteredClient(CLIENT_ID, CLIENT_SECRET)
    rally = rally_simulator.RallySimulator(clients=[rally_client])
    yata = yata_simulator.YataSimulator(clients=[yata_client])
    with (
        _served(rally_simulator.create_app(rally)) as rally_url,
        _served(yata_simulator.create_app(yata)) as yata_url,
    ):
        yield Upstreams(
            rally_url,
            {
                "CALLBACK_URL": callback_url,
                "RALLY_URL": rally_url,
                "RALLY_CLIENT_ID": CLIENT_ID,
                "RALLY_CLIENT_SECRET": "env:UPSTREAM_SECRET",
                "YATA_URL": yata_url,
                "YATA_CLIENT_ID": CLIENT_ID,
                "YATA_CLIENT_SECRET": "env:UPSTREAM_SECRET",
                "UPSTREAM_SECRET": CLIENT_SECRET,
            },
        )


@asynccontextmanager
async def patient_client() -> AsyncIterator[httpx.AsyncClient]:
    """Make a browser that waits for whatever is going to listen."""
    transport = httpx.AsyncHTTPTransport(retries=CONNECTION_TRIES)
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        yield client


async def answer_at(origin: str) -> httpx.Response:
    """Return what the listener says of itself, once it listens."""
    async with patient_client() as client:
        return await client.get(f"{origin}/health")


def free_port() -> int:
    """Find a free port below those that systems hand out by themselves: it must stay free."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def _served(app: Any) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(5)
