"""`rally-mcp config` and `rally-mcp doctor`: set a client up, and find out what is wrong."""

import json
import socket
import uuid

import pytest

from devtools import cli
from tests.clients.dev_server import DevServer
from tests.e2e.chat import Chat

MCP_URL = "https://mcp.example.com/mcp"


def config(capsys: pytest.CaptureFixture[str], client: str, url: str = MCP_URL) -> dict[str, dict]:
    assert cli.main(["config", client, url]) == 0
    return json.loads(capsys.readouterr().out)


def session_id(configuration: dict[str, dict]) -> str:
    [servers] = configuration.values()
    return servers["rally"]["headers"]["Session-ID"]


def test_vs_code_gets_a_server_of_its_form(capsys) -> None:
    configuration = config(capsys, "vscode")

    headers = {"Session-ID": session_id(configuration)}
    server = {"type": "http", "url": MCP_URL, "headers": headers}
    assert configuration == {"servers": {"rally": server}}


def test_copilot_cli_gets_a_server_of_its_form_with_every_tool(capsys) -> None:
    configuration = config(capsys, "copilot-cli")

    headers = {"Session-ID": session_id(configuration)}
    server = {"type": "http", "url": MCP_URL, "headers": headers, "tools": ["*"]}
    assert configuration == {"mcpServers": {"rally": server}}


def test_the_cloud_agent_takes_its_session_id_from_a_secret_of_the_repository(capsys) -> None:
    configuration = config(capsys, "cloud-agent")

    headers = {"Session-ID": "$COPILOT_MCP_SESSION_ID"}
    server = {"type": "http", "url": MCP_URL, "headers": headers, "tools": ["*"]}
    assert configuration == {"mcpServers": {"rally": server}}


@pytest.mark.parametrize("client", ["vscode", "copilot-cli"])
def test_each_configuration_has_a_fresh_random_session_id(client: str, capsys) -> None:
    ids = [uuid.UUID(session_id(config(capsys, client))) for _ in range(2)]

    assert ids[0] != ids[1]
    assert [each.version for each in ids] == [4, 4]


async def test_the_server_accepts_a_session_id_of_a_configuration(
    dev_server: DevServer, capsys
) -> None:
    configuration = config(capsys, "vscode", dev_server.mcp_url)

    auth_url = await Chat(dev_server.mcp_url, session_id(configuration)).auth_url()

    assert auth_url.startswith(f"{dev_server.auth_url}/auth?state=")


def test_an_address_that_is_no_mcp_endpoint_is_refused(capsys) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["config", "vscode", "https://mcp.example.com/"])

    assert refused.value.code == 2
    assert "must be the whole address" in capsys.readouterr().err


def test_doctor_finds_nothing_wrong_with_a_running_server(dev_server: DevServer, capsys) -> None:
    exit_code = cli.main(["doctor", dev_server.mcp_url])

    lines = capsys.readouterr().out.splitlines()
    assert exit_code == 0
    assert lines
    assert {"ok"} == {line.split()[0] for line in lines}


def test_doctor_names_a_remedy_where_nothing_answers(capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    exit_code = cli.main(["doctor", f"http://127.0.0.1:{port}/mcp"])

    first, *_ = lines = capsys.readouterr().out.splitlines()
    assert exit_code == 1
    assert {"FAIL"} == {line.split()[0] for line in lines}
    assert "no answer (ConnectError); is the function deployed and public?" in first
