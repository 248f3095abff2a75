"""The MCP conformance suite as a client of the authorization server, with a person at a browser."""

import json
import re
import socket
import subprocess
from pathlib import Path

import anyio
import httpx
from anyio.streams.text import TextReceiveStream

from tests.clients.browser_walk import sign_in
from tests.clients.dev_server import DevServer
from tests.clients.node import program

SUITE_SECONDS = 120
"""It waits five minutes for the person, and takes a second when there is one."""


async def test_the_conformance_suite_gets_tokens_through_a_sign_in_at_rally(
    dev_server: DevServer, tmp_path: Path
) -> None:
    suite = program("conformance")
    port = _free_port()
    client_id = await _registered_client(dev_server, f"http://127.0.0.1:{port}/callback")

    printed = await _run_suite(
        *(*suite, "authorization", "--url", dev_server.auth_url, "--resource", dev_server.mcp_url),
        *("--client-id", client_id, "--port", str(port), "--output-dir", str(tmp_path)),
        authorization_endpoint=f"{dev_server.auth_url}/authorize",
    )

    statuses = {check["id"]: check["status"] for check in _found(tmp_path)}
    assert statuses == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-server-metadata-cimd": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
    }, printed


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def _registered_client(server: DevServer, redirect_uri: str) -> str:
    """Register a public client (RFC 7591); the suite expects its client_id to be known."""
    metadata = {
        "client_name": "MCP conformance suite",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{server.auth_url}/register", json=metadata)
    return answer.raise_for_status().json()["client_id"]


async def _run_suite(*command: str, authorization_endpoint: str) -> str:
    """Run the suite, sign in as ann when it asks for a person, and return what both were told."""
    asked = re.compile(rf"^({re.escape(authorization_endpoint)}\?\S+)\n", re.MULTILINE)
    printed, signed_in = "", False
    with anyio.fail_after(SUITE_SECONDS):
        async with await anyio.open_process(command, stderr=subprocess.STDOUT) as suite:
            async for text in TextReceiveStream(suite.stdout):
                printed += text
                address = asked.search(printed)
                if address and not signed_in:
                    signed_in = True
                    page = await sign_in(address[1])
                    printed += f"{page.response.status_code}: {page.response.text}\n"
                    if page.response.is_error:
                        suite.terminate()
    return printed


def _found(results: Path) -> list[dict[str, str]]:
    return [
        check for path in results.glob("*/checks.json") for check in json.loads(path.read_text())
    ]
