"""Copilot CLI with a Session-ID: one call asks its person to sign in, and then does the work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.clients.copilot_cli import CopilotChat, CopilotCli
from tests.clients.default_browser import DefaultBrowser
from tests.clients.dev_server import DevServer
from tests.clients.scripted_model import ScriptedModel, call, said, say_from_last_result
from tests.clients.simulated_rally import story_in_rally

STORY = r"\bUS\d+\b"
PAGE = "rally wants you to visit"
FORM = "rally needs information"
REFUSED = "That is not the code that the page shows; 4 tries left"
NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class AskedPerson:
    """Somebody whose chat shows the form for the code, and whose browser shows the code."""

    chat: CopilotChat
    code: str

    async def answer(self, code: str, *, until: str) -> str:
        """Type a code into the form and return what the pattern finds in the end."""
        self.chat.terminal.type(code)
        return await self.chat.terminal.wait_for(until, enter_at=rf"{code}\s*$")


@pytest.fixture
def asked(tmux: str, copilot: CopilotCli, browser: DefaultBrowser, model: ScriptedModel):
    """Ask for a story in a chat that is signed in to nothing, and sign in at the page it opens."""
    model.steps = (
        call("create_rally_story", title="Pay by card", points=3),
        say_from_last_result(STORY),
    )

    @asynccontextmanager
    async def ask() -> AsyncIterator[AskedPerson]:
        async with replace(copilot, browser=browser).chat() as chat:
            await chat.say("Create a Rally story: pay by card.", until=PAGE)
            await chat.terminal.wait_for(FORM, enter_at=PAGE)
            await browser.wait_for(1)
            yield AskedPerson(chat, browser.ends[0].code)

    return ask


async def test_the_person_opens_the_page_types_the_code_and_the_story_is_there(
    asked, model: ScriptedModel, dev_server: DevServer
) -> None:
    async with asked() as person:
        formatted_id = await person.answer(person.code, until=said(STORY))

    story = await story_in_rally(dev_server.rally_url, formatted_id)
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    # The model was told of the story, and never of the sign-in.
    assert len(model.tool_results) == 1


async def test_a_wrong_code_is_asked_for_again(asked) -> None:
    async with asked() as person:
        wrong = "0000-0000" if person.code != "0000-0000" else "1111-1111"
        await person.answer(wrong, until=REFUSED)

        assert await person.answer(person.code, until=said(STORY))
