"""Whose address a deployed function sees: the server below it believes X-Forwarded-For by itself.

A function of its own tells the address, because no function of the product does.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.chat import ANSWER_SECONDS
from tests.e2e.function_process import CONNECTION_TRIES, function, running_process

TELLS_THE_ADDRESS = """
import functions_framework.aio
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from rally_mcp.bootstrap.foundations import start
from rally_mcp.settings import Function
from rally_mcp.web.client_address import client_address


def create(base):
    async def tell(scope, receive, send):
        address = client_address(Request(scope), base.settings.trusted_proxy_hops)
        await PlainTextResponse(address)(scope, receive, send)

    return tell


app = start(Function.AUTH_REDIRECT, create)


@functions_framework.aio.http
async def tells_the_address(_):
    return app
"""


@contextmanager
def running(port: int, folder: Path, **environment: str) -> Iterator[None]:
    """Run the function as the product's are deployed, until the block ends."""
    source = folder / "tells_the_address.py"
    source.write_text(TELLS_THE_ADDRESS)
    settings = {
        "MCP_URL": "http://127.0.0.1:1/mcp",
        "AUTH_URL": f"http://127.0.0.1:{port}",
        "CALLBACK_URL": "http://127.0.0.1:2/callback",
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(folder / "rally-mcp.db"),
        "RALLY_CLIENT_ID": "rally-mcp-test",
    }
    command = function(source, source.stem, port)
    with (
        (folder / "log").open("wb") as log,
        running_process(command, settings | environment, stdout=log, stderr=log),
    ):
        yield


async def address_seen(port: int, *forwarded: str) -> str:
    """Ask from this machine, with these X-Forwarded-For headers, as soon as somebody listens."""
    transport = httpx.AsyncHTTPTransport(retries=CONNECTION_TRIES)
    async with httpx.AsyncClient(transport=transport, timeout=ANSWER_SECONDS) as http:
        headers = [("X-Forwarded-For", value) for value in forwarded]
        return (await http.get(f"http://127.0.0.1:{port}/", headers=headers)).text


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
        return found


@pytest.mark.parametrize(
    "environment",
    [{}, {"FORWARDED_ALLOW_IPS": "*"}],
    ids=["as it is deployed", "where the server is told to believe everybody"],
)
async def test_without_a_proxy_of_ours_no_header_changes_the_address(
    port: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    with running(port, tmp_path, **environment):
        seen = [
            await address_seen(port),
            await address_seen(port, "198.51.100.7"),
            await address_seen(port, "198.51.100.7, 203.0.113.9", "2001:db8::1"),
        ]

    assert seen == ["127.0.0.1"] * 3


async def test_behind_one_proxy_of_ours_its_entry_is_the_address(port: int, tmp_path: Path) -> None:
    with running(port, tmp_path, TRUSTED_PROXY_HOPS="1"):
        seen = [
            await address_seen(port, "198.51.100.7, 203.0.113.9"),
            await address_seen(port, "127.0.0.1", "198.51.100.7, 127.0.0.1, 2001:db8::1"),
            await address_seen(port),
        ]

    assert seen == ["203.0.113.9", "2001:db8::/64", "127.0.0.1"]
