import re

from tests.clients.browser_walk import confirmation_code
from tests.clients.copilot_cli import CopilotCli
from tests.clients.dev_server import DevServer
from tests.clients.scripted_model import (
    ScriptedModel,
    call,
    call_with_prompted,
    said,
    say_from_last_result,
)

AUTH_URL = r"http://\S+/auth\?state=[\w-]+"
CODE = r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b"
STORY = r"\bUS\d+\b"
DIALOG = "rally wants you to visit"
NEVER = r"(?!)"
ASK_FOR_SIGN_IN = (
    call("create_rally_story", title="Pay by card", points=3),
    say_from_last_result(AUTH_URL),
)
SIGN_IN_AND_RETRY = (
    call_with_prompted("complete_sign_in", "code", CODE),
    call("create_rally_story", title="Pay by card", points=3),
    say_from_last_result(STORY),
)


async def test_the_model_is_shown_the_auth_url_on_a_line_of_its_own(
    copilot: CopilotCli, model: ScriptedModel, dev_server: DevServer
) -> None:
    model.steps = ASK_FOR_SIGN_IN

    output = await copilot.ask("Create a Rally story: pay by card, 3 points.")

    auth_url = _found(output, AUTH_URL)
    assert auth_url.startswith(f"{dev_server.auth_url}/auth?state=")
    assert auth_url in model.tool_results[-1].splitlines()


async def test_a_person_signs_in_between_two_runs_and_the_second_creates_the_story(
    copilot: CopilotCli, model: ScriptedModel
) -> None:
    model.steps = ASK_FOR_SIGN_IN
    first_output = await copilot.ask("Create a Rally story: pay by card, 3 points.")
    code = await confirmation_code(_found(first_output, AUTH_URL))

    model.steps = SIGN_IN_AND_RETRY
    second_output = await copilot.ask(f"authentication complete {code}")

    assert _found(second_output, STORY) in model.tool_results[-1]


async def test_one_chat_leads_through_sign_in_to_the_story_although_the_dialog_is_cancelled(
    tmux: str, copilot: CopilotCli, model: ScriptedModel
) -> None:
    model.steps = (*ASK_FOR_SIGN_IN, *SIGN_IN_AND_RETRY)

    async with copilot.chat() as chat:
        await chat.say("Create a Rally story: pay by card.", until=DIALOG)
        chat.terminal.press("Escape")
        auth_url = await chat.terminal.wait_for(said(AUTH_URL), enter_at=NEVER)
        code = await confirmation_code(auth_url)
        story = await chat.say(f"authentication complete {code}", until=said(STORY))

    assert story in model.tool_results[-1]


def _found(output: str, pattern: str) -> str:
    found = re.search(said(pattern), output)
    assert found, output
    return found[0]
