"""What the audit log tells about machine clients and about people, and that it stops nobody."""

import contextlib
import hashlib
import io
from typing import Any, NoReturn

import pytest

from devtools.rally_simulator import Fault
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.log_lines import WrittenLog, written_log
from tests.fixtures.machine import (
    ConfidentialClient,
    add_machine,
    add_machine_with_key,
    asserted,
)
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.oauth_client import new_client
from tests.fixtures.rally_wire import WSAPI
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in
from tests.fixtures.token_answers import INTERFACES, call_over

KEY = "_devann"
STORY = {"title": "Built by night"}
NOT_OURS = {"time", "logging.googleapis.com/labels"}


@pytest.fixture
def deployment(deploy) -> Deployment:
    return deploy(**WITHOUT_CODE)


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine_with_key(deployment, KEY)


def shortened(key: str) -> str:
    """Return how the log names what has an id of its own."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def lines_of(log: WrittenLog, event: str) -> list[dict[str, Any]]:
    """Return what the lines of one event tell."""
    return [
        {name: value for name, value in line.items() if name not in NOT_OURS}
        for line in log.audit(event)
    ]


@requirement("C12")
async def test_a_login_tells_which_client_got_which_scopes(machine):
    with written_log() as log:
        access_token = await machine.access_token()

    assert lines_of(log, "machine.logged_in") == [
        {
            "severity": "INFO",
            "message": "machine.logged_in",
            "log": "audit",
            "principal": shortened(machine.client_id),
            "client": machine.client_id,
            "scope": "rally:read rally:write",
        }
    ]
    assert access_token not in log.text
    assert machine.secret not in log.text


@requirement("C12")
@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_call_tells_which_client_called_what_and_how_it_was_decided(machine, interface):
    access_token = await machine.access_token()

    with written_log() as log:
        await call_over(interface, machine.plain, access_token)

    [line] = lines_of(log, "tool.called")
    assert line.pop("milliseconds") >= 0
    assert line == {
        "severity": "INFO",
        "message": "tool.called",
        "log": "audit",
        "principal": shortened(machine.client_id),
        "client": machine.client_id,
        "upstream": "rally",
        "tool": "get_rally_user",
        "decision": "allowed",
    }
    assert access_token not in log.text
    assert KEY not in log.text


@requirement("C12")
async def test_a_refusal_and_a_failure_are_told_apart_with_their_reasons(deployment, machine):
    keyless = await add_machine(deployment)
    deployment.rally.faults.add(Fault(path_prefix=WSAPI, status=503, count=9))

    with written_log() as log:
        await keyless.plain.call(await keyless.access_token(), "get_rally_user")
        await machine.plain.call(await machine.access_token(), "create_rally_story", title="")
        await machine.plain.call(await machine.access_token(), "get_rally_user")

    assert [(line["decision"], line["reason"]) for line in log.audit("tool.called")] == [
        ("refused", "PermissionDenied"),
        ("refused", "InvalidInput"),
        ("failed", "UpstreamUnavailable"),
    ]


@requirement("C12")
@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_call_that_lacks_the_scope_is_on_record_as_refused(machine, interface):
    writing = await machine.access_token("rally:write")

    with written_log() as log:
        answer = await call_over(interface, machine.plain, writing)

    assert answer.status_code == 403
    [line] = log.audit("tool.called")
    assert (line["client"], line["tool"]) == (machine.client_id, "get_rally_user")
    assert line["decision"] == "refused"


@requirement("C12")
async def test_a_token_that_is_given_back_is_on_record(machine):
    access_token = await machine.access_token()

    with written_log() as log:
        await machine.revoke(access_token)
        await machine.revoke(access_token)

    [line] = log.audit("machine.token_revoked")
    assert line["client"] == machine.client_id
    assert access_token not in log.text


@requirement("C12")
async def test_an_assertion_that_is_refused_is_on_record_with_the_reason(deployment):
    machine = await add_machine(deployment, "private_key_jwt")
    assertion = machine.assertion(aud="https://auth.elsewhere.example")

    with written_log() as log:
        await machine.post(
            "/token", {"grant_type": "client_credentials"}, (asserted(assertion), {})
        )

    [line] = log.audit("client.refused")
    assert line["client"] == machine.client_id
    assert line["reason"] == "The assertion is not for this server alone"
    assert assertion not in log.text


@requirement("C12")
async def test_the_call_of_a_chat_tells_whose_rally_it_was(deployment):
    chat = await signed_in(deployment, "ann")

    with written_log() as log:
        await chat.call("create_rally_story", **STORY)
        await call_over_mcp(chat, "get_rally_user")

    lines = log.audit("tool.called")
    assert {line["user"] for line in lines} == {"Ann Archer"}
    assert {line["principal"] for line in lines} == {shortened(chat.session_id)}
    assert [line["tool"] for line in lines] == ["create_rally_story", "get_rally_user"]
    assert not any("client" in line for line in lines)


@requirement("C12")
@pytest.mark.parametrize("interface", INTERFACES)
async def test_the_call_of_a_persons_client_tells_whose_rally_it_was_and_which_client(
    deployment, interface
):
    client = new_client(deployment)
    tokens = await client.sign_in("bob")

    with written_log() as log:
        await call_over(interface, client, tokens["access_token"])

    [line] = log.audit("tool.called")
    assert line["user"] == "Bob Baker"
    assert line["client"] == shortened(client.client_id)
    assert tokens["access_token"] not in log.text


@requirement("C12")
async def test_a_call_of_nobody_who_is_signed_in_tells_no_user(deployment):
    with written_log() as log:
        await deployment.caller().call("get_rally_user")

    [line] = log.audit("tool.called")
    assert line["decision"] == "sign_in_required"
    assert "user" not in line


class Broken(io.StringIO):
    """A stdout that nobody reads any more."""

    def write(self, text: str) -> NoReturn:
        raise BrokenPipeError(text)


@requirement("C13")
async def test_logins_and_calls_are_served_although_their_lines_are_lost(machine, capsys):
    with written_log(), contextlib.redirect_stdout(Broken()):
        access_token = await machine.access_token()
        answer = await machine.plain.call(access_token, "create_rally_story", **STORY)

    lost = capsys.readouterr().err
    assert answer.status_code == 200
    assert lost.count("a log line was lost") == 2
    assert access_token not in lost
    assert machine.secret not in lost
