"""Copilot CLI with the URL alone: it signs in by the MCP authorization specification, by itself."""

from dataclasses import replace

import httpx
import pytest

from tests.clients.copilot_cli import NOT_CONNECTED, CopilotCli
from tests.clients.default_browser import DefaultBrowser
from tests.clients.dev_server import DevServer
from tests.clients.scripted_model import ScriptedModel, call, said, say, say_from_last_result
from tests.clients.simulated_rally import story_in_rally

COPILOT_CLIENT_ID = "https://github.com/copilot/cli/client-metadata.json"
STORY = r"\bUS\d+\b"
CREATE_A_STORY = (
    call("create_rally_story", title="Pay by card", points=3),
    say_from_last_result(STORY),
)


@pytest.fixture
def copilot_with_url(tmux: str, copilot: CopilotCli, browser: DefaultBrowser) -> CopilotCli:
    """Copilot CLI as just installed, configured with the server's URL alone."""
    return replace(copilot, session_id=None, browser=browser)


async def test_copilot_signs_in_through_the_browser_and_creates_a_story(
    copilot_with_url: CopilotCli,
    model: ScriptedModel,
    browser: DefaultBrowser,
    dev_server: DevServer,
) -> None:
    model.steps = CREATE_A_STORY

    async with copilot_with_url.chat() as chat:
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    (link,) = browser.opened
    story = await story_in_rally(dev_server.rally_url, formatted_id)
    assert f"{dev_server.auth_url}/authorize" == str(link.copy_with(query=None))
    assert link.params["client_id"] == COPILOT_CLIENT_ID
    assert dev_server.mcp_url == link.params["resource"]
    assert (story["Name"], story["PlanEstimate"]) == ("Pay by card", 3)
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"


async def test_the_next_chat_needs_no_browser(
    copilot_with_url: CopilotCli, model: ScriptedModel, browser: DefaultBrowser
) -> None:
    model.steps = CREATE_A_STORY
    async with copilot_with_url.chat():
        pass

    async with copilot_with_url.chat() as chat:
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    assert formatted_id in model.tool_results[-1]
    assert len(browser.opened) == 1


async def test_an_expired_access_token_is_renewed_without_the_browser(
    copilot_with_url: CopilotCli, model: ScriptedModel, browser: DefaultBrowser
) -> None:
    model.steps = CREATE_A_STORY
    async with copilot_with_url.chat():
        pass
    first = copilot_with_url.stored_tokens
    copilot_with_url.forget_time()

    async with copilot_with_url.chat() as chat:
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    renewed = copilot_with_url.stored_tokens
    assert formatted_id in model.tool_results[-1]
    assert first.access_token != renewed.access_token
    assert first.refresh_token != renewed.refresh_token
    assert len(browser.opened) == 1


async def test_a_call_after_revocation_goes_through_the_browser_and_succeeds(
    copilot_with_url: CopilotCli,
    model: ScriptedModel,
    browser: DefaultBrowser,
    dev_server: DevServer,
) -> None:
    model.steps = CREATE_A_STORY

    async with copilot_with_url.chat() as chat:
        await _revoke(dev_server, copilot_with_url.stored_tokens.access_token)
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    assert formatted_id in model.tool_results[-1]
    assert len(browser.opened) == 2


async def test_a_chat_that_begins_after_revocation_signs_in_at_the_first_message(
    copilot_with_url: CopilotCli,
    model: ScriptedModel,
    browser: DefaultBrowser,
    dev_server: DevServer,
) -> None:
    model.steps = (say("Hello."), *CREATE_A_STORY)
    async with copilot_with_url.chat():
        pass
    await _revoke(dev_server, copilot_with_url.stored_tokens.access_token)

    async with copilot_with_url.chat(beginning=NOT_CONNECTED) as chat:
        await chat.say("Good morning.", until=said(r"Hello\."))
        await browser.wait_for(walks=2)
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    assert formatted_id in model.tool_results[-1]
    assert len(browser.opened) == 2


async def _revoke(server: DevServer, access_token: str) -> None:
    """Revoke the whole sign-in (RFC 7009), as its client."""
    form = {"token": access_token, "client_id": COPILOT_CLIENT_ID}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{server.auth_url}/revoke", data=form)
    answer.raise_for_status()
