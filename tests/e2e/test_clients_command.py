"""`rally-mcp clients`, as a process, on the store that a deployment serves from meanwhile."""

import json
import os
import pwd
import re
from pathlib import Path
from typing import Any

import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from tests.conformance.requirements import requirement
from tests.fixtures.administrator import (
    Administrator,
    Ran,
    administrator_of,
    on_each_store,
    set_to_now,
)
from tests.fixtures.deployment import Deployment
from tests.fixtures.machine import (
    ConfidentialClient,
    add_client_for_people,
    add_machine,
    administration,
)
from tests.fixtures.oauth_client import REDIRECT_URI, new_client
from tests.fixtures.signed_assertions import KEYS
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import error_of, is_taken

INVALID_CLIENT = (401, "invalid_client")
DOCUMENT_URL = "https://client.example/oauth/metadata.json"


@pytest.fixture
def administrator(request, tmp_path: Path) -> Administrator:
    return administrator_of(request, tmp_path)


@pytest.fixture
def deployment(deploy, clock, administrator: Administrator) -> Deployment:
    set_to_now(clock)
    return deploy(new_store=lambda: administrator.open_store(clock), **administrator.environment)


async def added(
    administrator: Administrator, deployment: Deployment, *options: str
) -> tuple[ConfidentialClient, Ran]:
    """Add a client by the command; return it, and what the command said."""
    ran = await administrator.clients("add", "Nightly build", "--json", *options)
    answer = ran.document
    plain = new_client(deployment, client_id=answer["client_id"])
    secret = answer["client_secret"] or ""
    return ConfidentialClient(plain, answer["token_endpoint_auth_method"], secret), ran


def written_down(ran: Ran) -> dict[str, str]:
    """Return the audit line of a change, which is of the form that every change has."""
    [line] = ran.audit

    assert (line["message"], line["log"]) == ("client.changed", "audit")
    assert line["severity"] == "NOTICE"
    assert line["administrator"] == pwd.getpwuid(os.getuid()).pw_name
    return line


def secret_shown(ran: Ran) -> str:
    """Return the secret in what was printed for people."""
    return ran.lines[0].removeprefix("client_secret: ")


async def everything_stored(deployment: Deployment) -> str:
    return str(await stored_rows(deployment, OAUTH_CLIENTS))


@on_each_store
@requirement("C1", "C3", "C8", "C13")
async def test_a_machine_works_from_its_adding_on_but_for_when_it_is_disabled_until_its_removal(
    administrator, deployment
):
    deployment.client_secret["NIGHTLY_KEY"] = "_devann"
    options = ("--scope", "rally:write", "--scope", "rally:read", "--access-seconds", "600")
    key = ("--rally-api-key", "env:NIGHTLY_KEY")
    machine, first = await added(administrator, deployment, *options, *key)
    log_in = await machine.log_in(scope="rally:read rally:write")
    access_token = log_in.json()["access_token"]
    worked = await machine.plain.call(access_token, "create_rally_story", title="By night")

    second = await administrator.clients("disable", machine.client_id)
    disabled = await is_taken(machine.plain, access_token), error_of(await machine.log_in())
    third = await administrator.clients("enable", machine.client_id)
    enabled = await is_taken(machine.plain, access_token), (await machine.log_in()).status_code
    fourth = await administrator.clients("remove", machine.client_id)

    assert machine.client_id.startswith("rmcp_mc_")
    assert log_in.json()["expires_in"] == 600
    assert worked.status_code == 200, worked.text
    assert disabled == (False, INVALID_CLIENT)
    assert enabled == (False, 200)
    assert error_of(await machine.log_in()) == INVALID_CLIENT
    assert await everything_stored(deployment) == "[]"
    assert written_down(first)["name"] == "Nightly build"
    assert [
        (written_down(each)["action"], written_down(each)["client"])
        for each in (second, third, fourth)
    ] == [(f"clients {action}", machine.client_id) for action in ("disable", "enable", "remove")]


@requirement("C3", "C13", "C14")
async def test_a_secret_is_shown_once_and_no_command_or_record_shows_it_again(
    administrator, deployment
):
    machine, adding = await added(administrator, deployment)
    rotated = await administrator.clients("rotate", machine.client_id)
    secrets = {machine.secret, secret_shown(rotated)}

    looked = [
        await administrator.clients(*arguments)
        for arguments in (["list"], ["list", "--json"], ["show", machine.client_id])
    ]

    shown = [rotated.err, await everything_stored(deployment), *(ran.out for ran in looked)]
    assert {len(secret) for secret in secrets} == {43}
    assert [machine.client_id in text for text in shown] == [True] * 5
    assert not any(secret in text for text in [*shown, adding.err] for secret in secrets)
    assert written_down(rotated)["client"] == machine.client_id
    assert [ran.err for ran in looked] == ["", "", ""]


@requirement("C3")
async def test_a_rotation_leaves_the_secret_before_good_for_as_long_as_it_is_told(
    administrator, deployment
):
    machine = await add_machine(deployment)
    rotated = await administrator.clients("rotate", machine.client_id, "--overlap", "2")
    fresh = machine.by(machine.method, secret_shown(rotated))

    during = [(await each.log_in()).status_code for each in (machine, fresh)]
    deployment.clock.advance(hours=2, minutes=1)
    after = [(await each.log_in()).status_code for each in (machine, fresh)]
    await administrator.clients("rotate", machine.client_id, "--overlap", "0")

    assert during == [200, 200]
    assert after == [401, 200]
    assert error_of(await fresh.log_in()) == INVALID_CLIENT


@requirement("C2")
async def test_a_machine_that_signs_its_logins_is_added_with_its_public_keys(
    administrator, deployment, tmp_path: Path
):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(KEYS))

    machine, _ = await added(
        administrator, deployment, "--auth-method", "private_key_jwt", "--jwks", str(keys)
    )

    assert machine.secret == ""
    assert (await machine.log_in()).status_code == 200


async def test_a_client_for_people_signs_them_in_and_disabling_it_signs_them_out(
    administrator, deployment
):
    options = ("--redirect-uri", REDIRECT_URI, "--auth-method", "client_secret_post")
    client, _ = await added(administrator, deployment, *options)
    code = (await client.plain.authorize(scope="rally:read"))["code"]
    tokens = (await client.redeem(code)).json()
    before = await is_taken(client.plain, tokens["access_token"])

    ended = await administrator.clients("disable", client.client_id)

    assert client.client_id.startswith("rmcp_pc_")
    assert before
    assert not await is_taken(client.plain, tokens["access_token"])
    assert re.search(r"\b1\b", ended.out)


@on_each_store
@requirement("B26")
async def test_a_client_that_registered_itself_is_refused_and_admitted_again(
    administrator, deployment
):
    client, other = new_client(deployment), new_client(deployment)
    await other.register(client_name="Another")
    tokens, others = [await each.sign_in() for each in (client, other)]

    await administrator.clients("disable", client.client_id)
    signed_out = not await is_taken(client, tokens["access_token"])
    refused = await client.consent_page(client.instance.browser())
    await administrator.clients("enable", client.client_id)
    admitted = await client.consent_page(client.instance.browser())

    assert signed_out
    assert refused.response.status_code == 400
    assert "does not admit this client" in refused.response.text
    assert admitted.response.status_code == 200
    assert await is_taken(other, others["access_token"])


@requirement("B26")
async def test_a_client_of_a_metadata_document_is_refused_until_the_refusal_is_removed(
    administrator, deployment
):
    await administrator.clients("disable", DOCUMENT_URL)
    client = new_client(deployment, client_id=DOCUMENT_URL)

    refresh = await client.refresh("rmcp_rt_x")
    await administrator.clients("remove", DOCUMENT_URL)

    assert error_of(refresh) == INVALID_CLIENT
    assert await everything_stored(deployment) == "[]"


@on_each_store
async def test_the_list_names_every_client_in_one_line_each_and_in_json(administrator, deployment):
    machine = await add_machine(deployment)
    client = await add_client_for_people(deployment, "none")
    for client_id in (client.client_id, DOCUMENT_URL):
        await administration(deployment).set_disabled(client_id, disabled=True)

    lines = (await administrator.clients("list")).lines
    document = (await administrator.clients("list", "--json")).document

    assert len(lines) == 3
    assert {tuple(line.split()[1:3]) for line in lines} == {
        ("machine", "enabled"),
        ("registered", "disabled"),
        ("denied", "disabled"),
    }
    assert {each["name"] for each in document} == {"Nightly build", "Board", DOCUMENT_URL}
    assert [each["disabled"] for each in document if each["kind"] == "machine"] == [False]
    assert machine.client_id in {each["client_id"] for each in document}


async def test_what_the_list_calls_a_refused_client_can_be_shown_and_admitted(
    administrator, deployment
):
    await administration(deployment).set_disabled(DOCUMENT_URL, disabled=True)
    [listed] = (await administrator.clients("list", "--json")).document

    shown = await administrator.run("clients", "show", listed["client_id"])
    enabled = await administrator.run("clients", "enable", listed["client_id"])

    assert (shown.exit_code, enabled.exit_code) == (0, 0), enabled.err
    assert await everything_stored(deployment) == "[]"


async def test_a_client_is_shown_with_all_that_was_said_about_it(administrator, deployment):
    options = ("--scope", "rally:write", "--rally-api-key", "file:/run/secrets/nightly")
    machine, _ = await added(administrator, deployment, *options, "--access-seconds", "60")
    await machine.log_in()

    document: dict[str, Any] = (await administrator.clients("show", machine.client_id)).document

    assert document.pop("created_at")
    [secret] = document.pop("secrets")
    assert secret.keys() == {"created_at", "ends_at"}
    assert document == {
        "client_id": machine.client_id,
        "kind": "machine",
        "name": "Nightly build",
        "disabled": False,
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "rally:write",
        "redirect_uris": [],
        "rally_api_key": "file:/run/secrets/nightly",
        "access_seconds": 60,
        "live_access_tokens": 1,
    }
