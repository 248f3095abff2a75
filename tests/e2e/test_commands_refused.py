"""What the administrator's commands refuse, in one line with the remedy, and leave as it was."""

import json
from pathlib import Path

import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from tests.conformance.requirements import requirement
from tests.fixtures.administrator import Administrator, administrator_of, set_to_now
from tests.fixtures.deployment import Deployment
from tests.fixtures.machine import add_client_for_people, add_machine, administration
from tests.fixtures.oauth_client import new_client
from tests.fixtures.signed_assertions import EC_KEY, jwk
from tests.fixtures.stored import StoredRow, stored_rows

UNKNOWN = "rmcp_mc_0123456789abcdef"
DOCUMENT_URL = "https://client.example/oauth/metadata.json"
RALLY_KEY = "_abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture
def administrator(request, tmp_path: Path) -> Administrator:
    return administrator_of(request, tmp_path)


@pytest.fixture
def deployment(deploy, clock, administrator: Administrator) -> Deployment:
    set_to_now(clock)
    return deploy(new_store=lambda: administrator.open_store(clock), **administrator.environment)


async def clients_of(deployment: Deployment) -> list[StoredRow]:
    return await stored_rows(deployment, OAUTH_CLIENTS)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["add", " \u200b"], "name"),
        (["add", "x", "--auth-method", "none"], "--auth-method"),
        (["add", "x", "--auth-method", "private_key_jwt"], "--jwks"),
        (["add", "x", "--access-seconds", "3601"], "--access-seconds"),
        (["add", "x", "--rally-api-key", RALLY_KEY], "--rally-api-key"),
        (["add", "x", "--redirect-uri", "javascript:alert(1)"], "redirect"),
        (
            ["add", "x", "--redirect-uri", "https://a.example/", "--rally-api-key", "env:X"],
            "--rally-api-key",
        ),
        (
            ["add", "x", "--redirect-uri", "https://a.example/", "--access-seconds", "600"],
            "--access-seconds",
        ),
        (["show", UNKNOWN], UNKNOWN),
        (["rotate", UNKNOWN, "--overlap", "-1"], "--overlap"),
        (["disable", UNKNOWN], UNKNOWN),
        (["disable", "http://client.example/metadata.json"], "client id"),
        (["enable", DOCUMENT_URL], DOCUMENT_URL),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_what_cannot_be_done_is_refused_in_one_line(
    administrator, deployment, options, named
):
    refused = await administrator.run("clients", *options)

    [complaint] = refused.complaints
    assert refused.exit_code == 1
    assert refused.out == ""
    assert complaint.startswith("rally-mcp: ")
    assert named in complaint
    assert RALLY_KEY not in refused.err
    assert await clients_of(deployment) == []


@pytest.mark.parametrize("kind", ["signs", "public", "refused"])
async def test_a_client_without_a_secret_has_none_to_rotate(administrator, deployment, kind):
    if kind == "signs":
        client_id = (await add_machine(deployment, "private_key_jwt")).client_id
    elif kind == "public":
        client_id = (await add_client_for_people(deployment, "none")).client_id
    else:
        client_id = DOCUMENT_URL
        await administration(deployment).set_disabled(client_id, disabled=True)
    before = await clients_of(deployment)

    refused = await administrator.run("clients", "rotate", client_id)

    assert refused.exit_code == 1
    [complaint] = refused.complaints
    assert complaint.startswith("rally-mcp: ")
    assert await clients_of(deployment) == before


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        json.dumps({"keys": [jwk(EC_KEY)]}),
        json.dumps({"keys": [jwk(EC_KEY.public_key(), note=[["nested"]])]}),
    ],
    ids=["no JSON", "private", "nested"],
)
async def test_a_key_set_that_cannot_be_used_is_refused_and_not_repeated(
    administrator, deployment, tmp_path: Path, content
):
    keys = tmp_path / "keys.json"
    keys.write_text(content)
    options = ("--auth-method", "private_key_jwt", "--jwks", str(keys))

    refused = await administrator.run("clients", "add", "x", *options)

    assert refused.exit_code == 1
    [complaint] = refused.complaints
    assert complaint.startswith("rally-mcp: --jwks ")
    assert jwk(EC_KEY)["d"] not in refused.err
    assert await clients_of(deployment) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["clients"],
        ["clients", "rotate"],
        ["clients", "add", "x", "--scope", "rally:admin"],
        ["principals", "list", "--older-than", "3"],
    ],
    ids=" ".join,
)
async def test_a_command_line_that_is_wrong_is_answered_with_its_usage(administrator, arguments):
    refused = await administrator.run(*arguments)

    assert refused.exit_code == 2
    assert refused.out == ""
    assert refused.complaints[0].startswith(f"usage: rally-mcp {arguments[0]}")
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("command", "environment", "named"),
    [
        ("clients", {}, "GOOGLE_CLOUD_PROJECT"),
        ("principals", {}, "GOOGLE_CLOUD_PROJECT"),
        ("clients", {"STORAGE": "sqlite"}, "SQLITE_PATH"),
        ("clients", {"STORAGE": "mysql"}, "STORAGE"),
        ("clients", {"STORAGE": "sqlite", "SQLITE_PATH": "/dev/null/store.db"}, "SQLITE_PATH"),
    ],
    ids=["none", "none", "no path", "unknown", "unusable"],
)
async def test_a_store_that_is_not_named_gives_one_line_with_the_variable_and_the_remedy(
    commands, command, environment, named
):
    refused = await Administrator(environment, commands).run(command, "list")

    [complaint] = refused.complaints
    assert refused.exit_code == 1
    assert refused.out == ""
    assert complaint.startswith("rally-mcp: ")
    assert named in complaint


async def test_an_id_that_was_cut_off_on_its_way_is_not_noted_as_refused(administrator, deployment):
    client = new_client(deployment)
    await client.register()

    refused = await administrator.run("clients", "disable", client.client_id[:-3])

    assert refused.exit_code == 1
    assert "client id" in refused.complaints[0]
    assert await clients_of(deployment) == []


@requirement("C13")
@pytest.mark.parametrize(
    ("redirection", "actions"),
    [("2>&-", ["add", "rotate", "disable", "enable", "remove"]), ("2>/dev/full", ["rotate"])],
    ids=["closed", "full"],
)
async def test_no_client_is_changed_where_that_cannot_be_written_down(
    administrator, deployment, redirection, actions
):
    machine, disabled = await add_machine(deployment), await add_machine(deployment)
    await administration(deployment).set_disabled(disabled.client_id, disabled=True)
    named = {"add": "Release", "enable": disabled.client_id}
    before = await clients_of(deployment)

    failed = [
        await administrator.run_redirected(
            "clients", action, named.get(action, machine.client_id), redirections=redirection
        )
        for action in actions
    ]

    assert 0 not in {ran.exit_code for ran in failed}
    assert {ran.out for ran in failed} == {""}
    assert await clients_of(deployment) == before
