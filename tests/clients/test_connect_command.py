"""`rally-mcp connect`, started by the Python SDK as the Copilot cloud agent starts it."""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from tests.clients.dev_server import PROJECT
from tests.clients.machine_client import AddedClient, Administrator
from tests.clients.simulated_rally import story_in_rally

COMMAND = ("-m", "devtools.cli", "connect")
LONGEST_SECONDS = 120

ERAS = pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")], ids=lambda each: each
)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run of the command came to."""

    exit_code: int
    out: str
    err: str


def secrets_of(machine: AddedClient) -> dict[str, str]:
    return {
        "RALLY_MCP_CLIENT_ID": machine.client_id,
        "RALLY_MCP_CLIENT_SECRET": machine.client_secret,
    }


@asynccontextmanager
async def connected(
    mcp_url: str, environment: Mapping[str, str], *options: str, mode: str = "auto"
) -> AsyncIterator[Client]:
    """Connect as a program does that knows of local servers alone."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[*COMMAND, mcp_url, *options],
        env={**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        cwd=PROJECT,
    )
    async with Client(
        stdio_client(server), mode=mode, read_timeout_seconds=LONGEST_SECONDS
    ) as client:
        yield client


async def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
    """Run the command with its whole input at once."""
    with anyio.fail_after(LONGEST_SECONDS):
        done = await anyio.run_process(
            (sys.executable, *COMMAND, *arguments),
            input=stdin.encode(),
            check=False,
            cwd=PROJECT,
            env=os.environ | environment,
        )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@ERAS
async def test_a_program_that_cannot_sign_in_lists_the_tools_and_creates_a_story(
    administrator: Administrator, mode: str, version: str
) -> None:
    machine = await administrator.add_machine()
    server = administrator.server

    async with connected(server.mcp_url, secrets_of(machine), mode=mode) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        created = await client.call_tool("create_rally_story", {"title": "By night"})
        assert version == client.protocol_version

    assert {"create_rally_story", "get_rally_issue"} <= listed
    assert not created.is_error, created.content
    story = await story_in_rally(
        server.rally_url, created.structured_content["story"]["formatted_id"]
    )
    assert (story["Name"], story["CreatedBy"]["_refObjectName"]) == ("By night", "Ann Archer")


async def test_a_client_sees_the_tools_of_the_scope_that_it_asks_for(
    administrator: Administrator,
) -> None:
    secrets = secrets_of(await administrator.add_machine())
    scope = ("--scope", "rally:read")

    async with connected(administrator.server.mcp_url, secrets, *scope) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}

    assert "get_rally_issue" in listed
    assert "create_rally_story" not in listed


async def test_an_error_of_the_server_reaches_the_program_as_it_is(
    administrator: Administrator,
) -> None:
    secrets = secrets_of(await administrator.add_machine())

    async with connected(administrator.server.mcp_url, secrets) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("create_rally_unicorn", {})

    assert "no such tool" in refused.value.error.message


async def test_the_variables_can_have_other_names(administrator: Administrator) -> None:
    machine = await administrator.add_machine()
    names = ("--client-id-variable", "BOT_ID", "--client-secret-variable", "BOT_SECRET")
    secrets = {"BOT_ID": machine.client_id, "BOT_SECRET": machine.client_secret}

    async with connected(administrator.server.mcp_url, secrets, *names) as client:
        assert (await client.list_tools()).tools


async def test_what_was_asked_before_stdin_ended_is_answered_on_a_line_of_stdout_each(
    administrator: Administrator,
) -> None:
    secrets = secrets_of(await administrator.add_machine())
    asked = [{"jsonrpc": "2.0", "id": each, "method": "tools/list"} for each in ("a", "b")]
    lines = "\n".join(["no JSON", *map(json.dumps, asked), ""])

    ended = await run(administrator.server.mcp_url, stdin=lines, **secrets)

    answers = {(answer := json.loads(line))["id"]: answer for line in ended.out.splitlines()}
    assert ended.exit_code == 0
    assert answers.keys() == {"a", "b"}
    assert all(answer["result"]["tools"] for answer in answers.values())
    assert ended.err == "rally-mcp: a line on stdin is not a JSON-RPC message.\n"


async def test_a_wrong_secret_is_told_to_the_program_and_on_stderr_and_not_repeated(
    administrator: Administrator,
) -> None:
    machine = await administrator.add_machine()
    secrets = secrets_of(machine) | {"RALLY_MCP_CLIENT_SECRET": "not-the-secret"}
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    ended = await run(administrator.server.mcp_url, stdin=f"{asked}\n", **secrets)

    told = json.loads(ended.out)["error"]["message"]
    assert "invalid_client" in told
    assert ended.err == f"rally-mcp: {told}\n"
    assert "not-the-secret" not in told


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["https://mcp.example.com/mcp"], {}, "RALLY_MCP_CLIENT_ID is not set"),
        (
            ["https://mcp.example.com/mcp"],
            {"RALLY_MCP_CLIENT_ID": "$COPILOT_MCP_RALLY_CLIENT_ID"},
            "was not replaced",
        ),
        (["http://mcp.example.com/mcp"], {}, "must be https"),
    ],
    ids=["no variable", "not replaced", "no https"],
)
async def test_what_cannot_work_is_refused_at_once(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    ended = await run(*arguments, **environment)

    assert ended.exit_code in {1, 2}
    assert ended.out == ""
    assert named in ended.err.splitlines()[-1]
