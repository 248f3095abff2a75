"""`rally-mcp config`: set a client up."""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from devtools import cli
from devtools.client_config import CLIENTS, CLOUD_AGENT
from tests.clients.dev_server import DevServer
from tests.e2e.chat import Chat

MCP_URL = "https://mcp.example.com/mcp"
SOURCE = "git+https://git.example.com/tools/rally-mcp@v1"
PEOPLES_CLIENTS = sorted(set(CLIENTS) - {CLOUD_AGENT})

Printed = pytest.CaptureFixture[str]


def config(capsys: Printed, client: str, *options: str, url: str = MCP_URL) -> dict[str, Any]:
    assert cli.main(["config", client, url, *options]) == 0
    return json.loads(capsys.readouterr().out)


def entry(configuration: dict[str, Any], name: str = "rally") -> dict[str, Any]:
    [servers] = configuration.values()
    return servers[name]


def session_id(configuration: dict[str, Any]) -> str:
    return entry(configuration)["headers"]["Session-ID"]


@pytest.mark.parametrize(
    ("client", "configuration"),
    [
        ("vscode", {"servers": {"rally": {"type": "http", "url": MCP_URL}}}),
        (
            "copilot-cli",
            {"mcpServers": {"rally": {"type": "http", "url": MCP_URL, "tools": ["*"]}}},
        ),
        ("claude-code", {"mcpServers": {"rally": {"type": "http", "url": MCP_URL}}}),
        ("cursor", {"mcpServers": {"rally": {"url": MCP_URL}}}),
    ],
)
def test_a_client_that_can_sign_in_gets_the_address_alone_in_its_own_form(
    client: str, configuration: dict[str, Any], capsys
) -> None:
    assert config(capsys, client) == configuration


def test_the_cloud_agent_gets_a_machine_client_whose_id_and_secret_are_secrets_of_the_repository(
    capsys,
) -> None:
    configuration = config(capsys, CLOUD_AGENT, "--from", SOURCE)

    secrets = {
        "RALLY_MCP_CLIENT_ID": "$COPILOT_MCP_RALLY_CLIENT_ID",
        "RALLY_MCP_CLIENT_SECRET": "$COPILOT_MCP_RALLY_CLIENT_SECRET",
    }
    assert configuration["mcpServers"]["rally"] == {
        "type": "local",
        "command": "uvx",
        "args": ["--from", SOURCE, "rally-mcp", "connect", MCP_URL],
        "env": secrets,
        "tools": ["*"],
    }


def test_a_machine_client_that_has_not_every_scope_asks_for_those_that_it_has(capsys) -> None:
    scopes = ("--scope", "rally:read", "--scope", "github:read")

    configuration = config(capsys, CLOUD_AGENT, "--from", SOURCE, *scopes)

    assert entry(configuration)["args"][-2:] == ["--scope", "rally:read github:read"]


def test_the_cloud_agent_can_work_as_a_person_by_a_session_id_that_is_a_secret_of_the_repository(
    capsys,
) -> None:
    configuration = config(capsys, CLOUD_AGENT, "--session-id")

    assert session_id(configuration) == "$COPILOT_MCP_SESSION_ID"
    assert entry(configuration)["url"] == MCP_URL


@pytest.mark.parametrize("client", PEOPLES_CLIENTS)
def test_a_local_server_is_run_by_a_command_and_has_no_address(client: str, capsys) -> None:
    local = entry(config(capsys, client, "--stdio", "--from", SOURCE))

    assert local["type"] == "stdio"
    assert [local["command"], *local["args"]] == ["uvx", "--from", SOURCE, "rally-mcp", "stdio"]
    assert "url" not in local


def test_a_local_server_is_this_very_program_where_no_other_source_is_named(capsys) -> None:
    local = entry(config(capsys, "vscode", "--stdio"))

    assert Path(local["command"]) == Path(sys.argv[0]).absolute()
    assert local["args"] == ["stdio"]


@pytest.mark.parametrize("client", PEOPLES_CLIENTS)
def test_a_session_id_that_was_asked_for_is_fresh_and_random(client: str, capsys) -> None:
    ids = [uuid.UUID(session_id(config(capsys, client, "--session-id"))) for _ in range(2)]

    assert ids[0] != ids[1]
    assert [each.version for each in ids] == [4, 4]


def test_a_session_id_is_called_a_secret_beside_the_configuration(capsys) -> None:
    cli.main(["config", "vscode", MCP_URL, "--session-id"])

    assert "is a secret" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("client", "place"),
    [("vscode", ".vscode/mcp.json"), ("cursor", ".cursor/mcp.json"), ("claude-code", ".mcp.json")],
)
def test_it_is_told_where_the_configuration_goes(client: str, place: str, capsys) -> None:
    cli.main(["config", client, MCP_URL])

    assert f"It goes into {place}." in capsys.readouterr().err


def test_the_steps_to_a_machine_client_are_told_besides(capsys) -> None:
    cli.main(["config", CLOUD_AGENT, MCP_URL, "--from", SOURCE])

    told = capsys.readouterr().err
    assert "rally-mcp clients add" in told
    assert "COPILOT_MCP_RALLY_CLIENT_SECRET" in told


def test_the_server_can_have_another_name(capsys) -> None:
    configuration = config(capsys, "cursor", "--name", "rally-test")

    assert entry(configuration, "rally-test") == {"url": MCP_URL}


async def test_the_server_accepts_a_session_id_of_a_configuration(
    dev_server: DevServer, capsys
) -> None:
    configuration = config(capsys, "vscode", "--session-id", url=dev_server.mcp_url)

    auth_url = await Chat(dev_server.mcp_url, session_id(configuration)).auth_url()

    assert auth_url.startswith(f"{dev_server.auth_url}/auth?state=")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["vscode", "https://mcp.example.com/"], "must end in /mcp"),
        (["vscode", "mcp.example.com/mcp"], "must be an absolute https URL"),
        (["vscode", "http://mcp.example.com/mcp"], "must be https"),
        (["vscode", MCP_URL, "--name", "my server"], "letters, digits"),
        (["vscode", "--write", MCP_URL], "goes before --write"),
        (["vscode", MCP_URL, "--stdio", "--session-id"], "not allowed with"),
        (["emacs", MCP_URL], "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_line_that_is_wrong_is_answered_with_what_is_right(
    arguments: list[str], named: str, capsys
) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["config", *arguments])

    assert refused.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([CLOUD_AGENT, "http://127.0.0.1:8080/mcp"], "address of a deployment"),
        ([CLOUD_AGENT, MCP_URL, "--stdio"], "--stdio"),
        ([CLOUD_AGENT, MCP_URL, "--from", SOURCE, "--write"], "paste it into"),
        ([CLOUD_AGENT, MCP_URL], "--from git+https://"),
        (["vscode", MCP_URL, "--scope", "rally:read"], "--scope"),
        ([CLOUD_AGENT, MCP_URL, "--session-id", "--scope", "rally:read"], "--scope"),
        (["vscode", MCP_URL, "--global"], "--global"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_a_client_cannot_have_is_refused_in_one_line(
    arguments: list[str], named: str, capsys
) -> None:
    exit_code = cli.main(["config", *arguments])

    printed = capsys.readouterr()
    [complaint] = printed.err.splitlines()
    assert (exit_code, printed.out) == (1, "")
    assert complaint.startswith("rally-mcp: ")
    assert named in complaint
