"""An upstream that fails, or a person it is not for, at the moment of the exchange."""

import re

import httpx
import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Caller
from tests.fixtures.log_lines import written_log
from tests.fixtures.rally_wire import TOKEN, WSAPI, answers, fails, wired
from tests.fixtures.stored import parts_of_principals, stored_rows

WORDS = "upstream words"

TOKEN_FAILURES = {
    "server error": answers(f"<html>{WORDS}</html>", 500),
    "gateway": answers(f"<html>{WORDS}</html>", 503),
    "overload": answers({"error": WORDS}, 429),
    "page instead of JSON": answers(f"<html>{WORDS}</html>"),
    "JSON that is no object": answers([WORDS]),
    "no token": answers({"token_type": WORDS}),
    "refused code": answers({"error": "invalid_grant", "error_description": WORDS}, 400),
    "refused client": answers({"error": "invalid_client", "error_description": WORDS}, 401),
    "unknown error": answers({"error": WORDS}, 400),
    "timeout": fails(httpx.ReadTimeout),
    "no connection": fails(httpx.ConnectError),
    "broken connection": fails(httpx.RemoteProtocolError),
}

USER_FAILURES = {
    "server error": answers(f"<html>{WORDS}</html>", 500),
    "page instead of JSON": answers(f"<html>{WORDS}</html>", 401),
    "nobody": answers({"QueryResult": {"Results": [], "Errors": [WORDS]}}),
    "timeout": fails(httpx.ReadTimeout),
}

FAILURES = [
    *(pytest.param("POST", TOKEN, how, id=f"token-{name}") for name, how in TOKEN_FAILURES.items()),
    *(pytest.param("GET", WSAPI, how, id=f"user-{name}") for name, how in USER_FAILURES.items()),
]


async def back_at_callback(chat: Caller, accept: str) -> httpx.Response:
    """Sign in at Rally and return what the callback answers."""
    address = await chat.back_from_rally()
    return await chat.instance.browser().get(address, headers={"Accept": accept})


@requirement("A13")
@pytest.mark.parametrize(("method", "path", "failure"), FAILURES)
async def test_a_failure_is_a_502_page_with_a_number_to_tell_the_administrator(
    deployment, method, path, failure
):
    failing = wired(deployment)
    chat = failing.caller(instance=-1)
    failing.wire.disturb(method, path, failure)

    with written_log() as log:
        page = await back_at_callback(chat, "text/html")

    [number] = re.findall(r"\b[0-9a-f]{32}\b", page.text)
    assert page.status_code == 502
    assert await parts_of_principals(deployment) == [set()]
    assert number in [line.get("correlation_id") for line in log.lines]
    assert WORDS not in page.text
    assert WORDS not in log.text


@requirement("A13")
async def test_a_failure_is_told_to_a_program_in_json_and_the_chat_gets_a_fresh_link(deployment):
    failing = wired(deployment)
    chat = failing.caller(instance=-1)
    failed = await chat.auth_url()
    failing.wire.disturb("POST", TOKEN, answers(f"<html>{WORDS}</html>", 500))

    answer = await back_at_callback(chat, "application/json")

    assert answer.status_code == 502
    assert answer.json()["error"] == "Token exchange failed"
    assert WORDS not in answer.text
    assert await parts_of_principals(deployment) == [set()]
    fresh = await chat.auth_url()
    assert fresh != failed
    assert (await chat.visit(fresh)).code


@requirement("A13")
async def test_a_code_whose_exchange_failed_is_never_sent_again(deployment):
    failing = wired(deployment)
    chat = failing.caller(instance=-1)
    failing.wire.disturb("POST", TOKEN, fails(httpx.ReadTimeout))

    address = await chat.back_from_rally()
    pages = [await chat.visit(address) for _ in range(2)]

    assert [page.response.status_code for page in pages] == [502, 400]
    assert len(failing.wire.sent("POST", TOKEN)) == 1


async def test_a_failed_sign_in_leaves_tokens_that_work_alone(deployment):
    failing = wired(deployment)
    chat = failing.caller(instance=-1)
    first = await chat.visit(await chat.auth_url(), "ann")
    second = await chat.auth_url()
    await chat.call("complete_sign_in", code=first.code)
    failing.wire.disturb("POST", TOKEN, answers(WORDS, 500))

    page = await chat.visit(second, "bob")

    assert page.response.status_code == 502
    assert (await chat.call("get_rally_user")).json()["display_name"] == "Ann Archer"


@pytest.mark.parametrize(
    "named", ["Acme Corporation", "acme corporation", "Other, Acme Corporation"]
)
async def test_people_of_an_allowed_subscription_sign_in(deploy, named):
    chat = deploy(RALLY_SUBSCRIPTIONS=named).caller()

    answer = await chat.sign_in("ann")

    assert "Ann Archer" in answer.json()["message"]


@pytest.mark.parametrize("confirmation", ["code", "none"])
async def test_people_of_another_subscription_are_told_so_and_nothing_is_kept(deploy, confirmation):
    deployment = deploy(RALLY_SUBSCRIPTIONS="Acme Corporation", SIGN_IN_CONFIRMATION=confirmation)
    chat = deployment.caller()

    page = await chat.visit(await chat.auth_url(), "bob")

    [row] = await stored_rows(deployment, PRINCIPALS)
    assert page.response.status_code == 403
    assert "This deployment is not for people of your Rally subscription." in page.response.text
    assert not page.code
    assert await parts_of_principals(deployment) == [set()]
    assert "Bob" not in str(row.document)
    assert (await chat.visit(await chat.auth_url(), "ann")).response.status_code == 200
