"""Copilot CLI that starts `rally-mcp stdio` by itself: one prompt, one browser page, one story."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.copilot_cli import CopilotCli, installed_copilot
from tests.clients.default_browser import DefaultBrowser
from tests.clients.scripted_model import ScriptedModel, call, said, say_from_last_result
from tests.clients.simulated_rally import story_in_rally
from tests.clients.stdio_process import Computer, Upstreams, running_upstreams

STORY = r"\bUS\d+\b"
AUTH_URL = r"http://\S+/auth\?state=[\w-]+"


@pytest.fixture(scope="module")
def upstreams():
    with running_upstreams() as upstreams:
        yield upstreams


@pytest.fixture
def computer(upstreams: Upstreams, browser: DefaultBrowser, tmp_path: Path) -> Computer:
    return Computer(tmp_path, upstreams.settings, browser=browser)


@pytest.fixture
def copilot_on(tmux: str, model: ScriptedModel):
    """Return Copilot as it is set up on a computer.

    For a chat: a single prompt without one would not wait for a server that starts slowly.
    """

    def copilot_on(computer: Computer) -> CopilotCli:
        command, *arguments = computer.command
        server = {
            "type": "local",
            "command": command,
            "args": arguments,
            "env": computer.environment,
            "tools": ["*"],
        }
        return CopilotCli(
            installed_copilot(), computer.home, model.base_url, "", None, local_server=server
        )

    return copilot_on


def create_story(model: ScriptedModel, then_say: str) -> None:
    model.steps = (
        call("create_rally_story", title="Pay by card", points=3),
        say_from_last_result(then_say),
    )


async def test_one_prompt_signs_the_person_in_and_creates_the_story(
    copilot_on, computer, model, browser, upstreams
):
    create_story(model, STORY)

    async with copilot_on(computer).chat() as chat:
        formatted_id = await chat.say("Create a Rally story: pay by card.", until=said(STORY))

    [result] = model.tool_results
    assert formatted_id in result
    assert len(browser.opened) == 1
    story = await story_in_rally(upstreams.rally_url, formatted_id)
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"


async def test_where_no_browser_opens_the_person_is_shown_the_link(copilot_on, computer, model):
    create_story(model, AUTH_URL)

    async with copilot_on(replace(computer, browser=None)).chat() as chat:
        link = await chat.say("Create a Rally story.", until=said(AUTH_URL))

    assert link.startswith(f"{computer.callback_origin}/auth?state=")
    assert "say 'authentication complete'" in model.tool_results[-1]
