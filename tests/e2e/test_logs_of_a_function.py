"""What a deployed function writes to stdout, where Cloud Logging reads it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.clients.dev_server import PROJECT
from tests.e2e.chat import ANSWER_SECONDS
from tests.e2e.function_process import CONNECTION_TRIES, function, running_process

SOURCE = PROJECT / "functions" / "mcp_endpoint.py"


@contextmanager
def running_mcp_endpoint(port: int, data: Path, **environment: str) -> Iterator[None]:
    """Run mcp_endpoint as it is deployed, until the block ends; its stdout goes to a file."""
    settings = {
        "MCP_URL": f"http://127.0.0.1:{port}/mcp",
        "AUTH_URL": "http://127.0.0.1:1",
        "CALLBACK_URL": "http://127.0.0.1:2/callback",
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(data / "rally-mcp.db"),
        "RALLY_URL": "http://127.0.0.1:3",
        "RALLY_CLIENT_ID": "rally-mcp-test",
        "RALLY_CLIENT_SECRET": "env:RALLY_TEST_SECRET",
    }
    command = function(SOURCE, "mcp_endpoint", port)
    with (
        (data / "stdout").open("wb") as stdout,
        (data / "stderr").open("wb") as stderr,
        running_process(command, settings | environment, stdout=stdout, stderr=stderr),
    ):
        yield


async def refused(port: int) -> httpx.Response:
    """Call a tool with a credential that anybody could guess, as soon as somebody listens."""
    transport = httpx.AsyncHTTPTransport(retries=CONNECTION_TRIES)
    async with httpx.AsyncClient(transport=transport, timeout=ANSWER_SECONDS) as http:
        return await http.post(
            f"http://127.0.0.1:{port}/tools/get_rally_user", headers={"Session-ID": "guess me"}
        )


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
        return found


async def test_the_audit_log_is_written_where_google_switches_execution_ids_on(
    port: int, tmp_path: Path
) -> None:
    with running_mcp_endpoint(port, tmp_path, LOG_EXECUTION_ID="true"):
        answer = await refused(port)

    written = (tmp_path / "stdout").read_text()
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    audit = [line for line in lines if line.get("log") == "audit"]
    assert answer.status_code == 400
    assert [line["message"] for line in audit] == ["credential.refused"], written
    assert audit[0]["severity"] == "WARNING"
    assert "guess me" not in written
