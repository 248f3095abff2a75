"""`rally-mcp doctor` as an operator runs it: what it prints, and how it ends."""

import json
import secrets
import socket

import pytest

from devtools import cli
from devtools.simulated_upstreams import CLIENT_ID
from rally_mcp import __version__
from tests.clients.dev_server import DevServer
from tests.fixtures.administrator import Administrator

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def nowhere() -> str:
    """The MCP URL of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}/mcp"


def test_nothing_is_found_wrong_with_a_running_server(
    dev_server: DevServer, capsys: Printed
) -> None:
    exit_code = cli.main(["doctor", dev_server.mcp_url])

    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert (exit_code, printed.err) == (0, "")
    assert {line[:6] for line in lines} == {"ok    ", "--    "}
    assert [line for line in lines if line.startswith("--") and "plain http" not in line] == []
    assert (
        f"ok    redirect_uri: register this redirect_uri at Rally: {dev_server.callback_url}"
        in lines
    )


async def test_programs_get_one_json_document(dev_server: DevServer, commands) -> None:
    ran = await Administrator({}, commands).run("doctor", dev_server.mcp_url, "--json")

    document = ran.document
    checks = document.pop("checks")
    assert (ran.exit_code, ran.err, len(ran.lines)) == (0, "", 1)
    assert document == {
        "mcp_url": dev_server.mcp_url,
        "ok": True,
        "version": __version__,
        "redirect_uri": dev_server.callback_url,
    }
    assert {frozenset(check) for check in checks} == {
        frozenset({"name", "outcome", "problem", "remedy", "fact"})
    }
    assert {check["outcome"] for check in checks} == {"ok", "not_checked"}
    facts = {check["name"]: check["fact"] for check in checks}
    assert facts["mcp_endpoint answers"] == f"version {__version__}"


def test_a_remedy_is_named_where_nothing_answers(nowhere: str, capsys: Printed) -> None:
    exit_code = cli.main(["doctor", nowhere])

    lines = capsys.readouterr().out.splitlines()
    [failure] = [line for line in lines if line.startswith("FAIL")]
    assert exit_code == 1
    assert failure == (
        f"FAIL  mcp_endpoint answers: no answer from {nowhere[7:-4]} (ConnectError); "
        "check the address, and that mcp-endpoint is deployed and public"
    )


def test_what_is_unknown_is_null_in_json(nowhere: str, capsys: Printed) -> None:
    exit_code = cli.main(["doctor", nowhere, "--json"])

    document = json.loads(capsys.readouterr().out)
    assert (exit_code, document["ok"]) == (1, False)
    assert (document["version"], document["redirect_uri"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mcp.example.com/mcp"], "must be an absolute https URL"),
        (["http://mcp.example.com/mcp"], "must be https"),
        (["https://mcp.example.com/"], "must end in /mcp"),
        (["--project", ""], "must be a name"),
        (["--database", "projects/p/databases/d"], "must be a name"),
        (["--verbose"], "unrecognized arguments"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong_is_answered_with_what_is_right(
    arguments: list[str], named: str, capsys: Printed
) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["doctor", *arguments])

    assert refused.value.code == 2
    assert named in capsys.readouterr().err


async def test_an_environment_without_settings_ends_with_one(commands) -> None:
    ran = await Administrator({}, commands).run("doctor")

    assert (ran.exit_code, ran.err) == (1, "")
    assert ran.lines[0].startswith("FAIL  settings of mcp_endpoint: MCP_URL is missing; set it: ")


async def test_an_environment_with_an_emulator_is_written_and_read(
    dev_server: DevServer, commands, firestore_emulator
) -> None:
    environment = {
        "MCP_URL": dev_server.mcp_url,
        "AUTH_URL": dev_server.auth_url,
        "CALLBACK_URL": dev_server.callback_url,
        "RALLY_URL": dev_server.rally_url,
        "RALLY_CLIENT_ID": CLIENT_ID,
        "RALLY_CLIENT_SECRET": "env:OWN_SECRET",
        "OWN_SECRET": "correct horse",
    }
    project = f"rally-mcp-{secrets.token_hex(8)}"
    options = ("--project", project, "--database", "rally-mcp")

    ran = await Administrator(environment, commands).run("doctor", *options)

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.lines[3:] == [
        "ok    Firestore database rally-mcp",
        "--    TTL policies: not checked, because the emulator has no TTL policies",
        "ok    secret of RALLY_CLIENT_SECRET",
        "ok    authorization endpoint of Rally",
    ]


@pytest.mark.parametrize(
    ("options", "environment", "is_asked"),
    [
        ([], {}, False),
        ([], {"GOOGLE_CLOUD_PROJECT": "project-1"}, False),
        (["--project", "project-1"], {}, True),
    ],
    ids=["no project", "a project in the environment", "a project on the command line"],
)
async def test_a_deployment_on_this_machine_has_parts_at_google_only_where_that_is_said(
    dev_server: DevServer,
    commands,
    firestore_emulator,
    options: list[str],
    environment: dict[str, str],
    is_asked,
) -> None:
    # Credentials that are none: those of the machine must not decide a test.
    environment |= {"GOOGLE_APPLICATION_CREDENTIALS": "/dev/null"}

    ran = await Administrator(environment, commands).run("doctor", dev_server.mcp_url, *options)

    told = [line for line in ran.lines if "Firestore database rally-mcp" in line]
    assert bool(told) == is_asked
    assert ran.exit_code == (1 if is_asked else 0)
