"""SIGN_IN_CONFIRMATION=none: the flow without a code, and what it costs the operator to want it."""

from collections.abc import Callable

import pytest

from rally_mcp.bootstrap.foundations import start
from rally_mcp.settings import Function
from rally_mcp.web import auth_redirect_app, mcp_endpoint_app, oauth_callback_app
from tests.clients.browser_walk import CODE_ELEMENT
from tests.conformance.requirements import requirement
from tests.fixtures.counting_store import counted
from tests.fixtures.deployment import Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.stored import parts_of_principals

FUNCTIONS = {
    Function.MCP_ENDPOINT: mcp_endpoint_app.create,
    Function.AUTH_REDIRECT: auth_redirect_app.create,
    Function.OAUTH_CALLBACK: oauth_callback_app.create,
}


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy(SIGN_IN_CONFIRMATION="none")


async def test_the_instructions_are_those_of_the_flow_without_a_code(deployment):
    answer = await deployment.caller().call("create_rally_story", title="x")

    assert answer.json()["instructions"] == [
        "1. Copy the auth_url and open it in your browser",
        "2. Complete Rally authentication and authorization",
        "3. Return to this chat and say 'authentication complete'",
        "4. Retry your original request",
    ]


async def test_over_mcp_no_code_is_asked_for(deployment):
    result = await call_over_mcp(deployment.caller(), "get_rally_user")

    assert "code" not in text_of(result).lower()
    assert "repeat this call" in text_of(result)


async def test_the_call_is_repeated_and_works(deployment):
    chat = deployment.caller()

    page = await chat.visit(await chat.auth_url())
    answer = await chat.call("create_rally_story", title="x")

    assert page.response.status_code == 200
    assert answer.json()["success"] is True


async def test_the_page_says_that_all_is_done_and_shows_no_code(deployment):
    chat = deployment.caller()

    page = (await chat.visit(await chat.auth_url())).response.text

    assert "Authentication Successful!" in page
    assert "You have successfully authenticated with Rally" in page
    assert "You can now close this tab and return to VSCode." in page
    assert 'In VSCode, tell the agent "authentication complete" to continue.' in page
    assert CODE_ELEMENT not in page


async def test_saying_a_code_all_the_same_changes_nothing_and_says_who_is_signed_in(deployment):
    chat = deployment.caller()
    await chat.visit(await chat.auth_url())

    answer = await chat.call("complete_sign_in", code="K7QF-2M9X")

    assert answer.status_code == 404
    assert "Ann Archer is signed in already" in answer.json()["message"]


async def test_each_sign_in_leaves_a_warning_in_the_audit_log(deployment):
    with written_log() as log:
        for user in ("ann", "bob"):
            chat = deployment.caller()
            await chat.visit(await chat.auth_url(), user)

    lines = log.audit("sign_in.unconfirmed")
    assert [line["user"] for line in lines] == ["Ann Archer", "Bob Baker"]
    assert {line["severity"] for line in lines} == {"WARNING"}


async def test_with_a_code_no_sign_in_counts_as_unconfirmed(deploy):
    chat = deploy().caller()

    with written_log() as log:
        await chat.sign_in()

    assert log.audit("sign_in.unconfirmed") == []
    assert len(log.audit("sign_in.confirmed")) == 1


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("confirmation", "warnings"), [("none", 1), ("code", 0)])
async def test_every_start_without_a_code_logs_a_warning(
    deployment, monkeypatch, function, confirmation, warnings
):
    for name, value in {**deployment.settings, "SIGN_IN_CONFIRMATION": confirmation}.items():
        monkeypatch.setenv(name, value)

    with written_log() as log:
        start(function, FUNCTIONS[function])

    told = [line for line in log.lines if "SIGN_IN_CONFIRMATION=none" in line["message"]]
    assert len(told) == warnings
    assert all(line["severity"] == "WARNING" for line in told)


async def test_a_sign_in_without_a_code_costs_four_writes(deployment):
    store, instance = counted(deployment)
    chat = deployment.caller().on(instance)

    await chat.visit(await chat.auth_url())

    assert store.writes == 4


@requirement("A9", "A17")
async def test_neither_a_callback_nor_a_signed_out_chat_comes_back(deployment):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    await chat.visit(address)
    await chat.call("sign_out")

    again = await chat.visit(address)

    assert again.response.status_code == 400
    assert await parts_of_principals(deployment) == []
