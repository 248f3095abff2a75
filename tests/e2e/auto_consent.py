"""The three functions in front of a Rally that asks nothing: it sends every browser straight back.

A person who is signed in to Rally already, and has allowed the deployment before, may see this.
`rally-mcp dev` has a Rally that always asks.
"""

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.clients.dev_server import PROJECT, DevServer
from tests.e2e.chat import ANSWER_SECONDS
from tests.e2e.function_process import CONNECTION_TRIES, function, running_process

CLIENT_ID = "rally-mcp-test"
FUNCTIONS = ("mcp_endpoint", "auth_redirect", "oauth_callback")


@contextmanager
def running_with_auto_consent(data: Path) -> Iterator[DevServer]:
    """Run all four processes, which keep their data and logs in a folder, until the block ends."""
    *ports, rally_port = _free_ports(4)
    mcp, auth, callback = (f"http://127.0.0.1:{port}" for port in ports)
    rally = f"http://127.0.0.1:{rally_port}"
    server = DevServer(f"{mcp}/mcp", auth, f"{callback}/callback", rally)
    simulator = (
        *(sys.executable, "-m", "devtools.rally_simulator", "--port", str(rally_port)),
        *("--client-id", CLIENT_ID, "--client-secret", "correct horse"),
        *("--redirect-uri", server.callback_url, "--auto-consent", "ann"),
    )
    with ExitStack() as processes:
        for name, port in zip(FUNCTIONS, ports, strict=True):
            command = function(PROJECT / "functions" / f"{name}.py", name, port)
            processes.enter_context(_running(command, data, server))
        processes.enter_context(_running(simulator, data, server))
        with httpx.Client(
            transport=httpx.HTTPTransport(retries=CONNECTION_TRIES), timeout=ANSWER_SECONDS
        ) as http:
            for origin in (mcp, auth, callback):
                http.get(f"{origin}/health").raise_for_status()
            http.get(rally).raise_for_status()
        yield server


@contextmanager
def _running(command: Sequence[str | Path], data: Path, server: DevServer) -> Iterator[None]:
    settings = {
        "MCP_URL": server.mcp_url,
        "AUTH_URL": server.auth_url,
        "CALLBACK_URL": server.callback_url,
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(data / "rally-mcp.db"),
        "RALLY_URL": server.rally_url,
        "RALLY_CLIENT_ID": CLIENT_ID,
        "RALLY_CLIENT_SECRET": "env:RALLY_TEST_SECRET",
        "RALLY_TEST_SECRET": "correct horse",
    }
    with (
        (data / "log").open("ab") as log,
        running_process(command, settings, stdout=log, stderr=log),
    ):
        yield


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
