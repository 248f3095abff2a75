"""A person signs in: real processes, a real browser, and the chat on the other side."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import Browser

from tests.clients.dev_server import DevServer
from tests.e2e.chat import Chat
from tests.e2e.person import LOOKS, Look, Person, at_the_browser


@pytest.fixture
def broken_token_endpoint(dev_server: DevServer) -> Iterator[None]:
    """Rally lets people sign in, and issues no tokens."""
    faults = f"{dev_server.rally_url}/simulator/faults"
    fault = {"path_prefix": "/login/oauth2/token", "status": 503, "count": None}
    httpx.post(faults, json=fault, trust_env=False).raise_for_status()
    yield
    httpx.delete(faults, trust_env=False).raise_for_status()


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_the_code_that_the_page_shows_lets_the_chat_create_a_story(
    look: Look, browser: Browser, chat: Chat
) -> None:
    async with at_the_browser(browser, look) as person:
        await person.open(await chat.auth_url())
        await person.decide_at_rally("allow")
        heading, code = await person.heading(), await person.code()

    completed = await chat.call("complete_sign_in", code=code)
    created = await chat.call("create_rally_story", title="Pay by card")

    assert heading == "Signed in to Rally as Ann Archer"
    assert person.complaints == []
    assert completed.status_code == 200, completed.text
    assert created.json()["success"], created.text


async def test_a_person_can_sign_in_by_keyboard(person: Person, chat: Chat) -> None:
    await person.open(await chat.auth_url())

    await person.page.keyboard.press("Tab")
    await person.page.keyboard.type("bob")
    await person.page.keyboard.press("Tab")
    async with person.page.expect_navigation(url="**/callback?**"):
        await person.page.keyboard.press("Enter")

    assert await person.heading() == "Signed in to Rally as Bob Baker"


async def test_a_person_who_declines_is_told_that_nothing_was_stored(
    person: Person, chat: Chat
) -> None:
    auth_url = await chat.auth_url()

    await person.open(auth_url)
    await person.decide_at_rally("deny")

    assert await person.heading() == "Sign-in declined"
    assert "nothing was stored" in await person.text()
    assert await chat.auth_url() != auth_url


async def test_reloading_the_page_says_that_the_link_was_used_and_spoils_nothing(
    person: Person, chat: Chat
) -> None:
    await person.open(await chat.auth_url())
    await person.decide_at_rally("allow")
    code = await person.code()

    await person.page.reload()
    heading = await person.heading()
    completed = await chat.call("complete_sign_in", code=code)

    assert heading == "This link was already used"
    assert completed.status_code == 200, completed.text


async def test_a_link_that_was_changed_is_refused_before_rally(person: Person, chat: Chat) -> None:
    link = httpx.URL(await chat.auth_url())

    await person.open(str(link.copy_set_param("state", link.params["state"][::-1])))

    assert await person.heading() == "This link has expired"
    assert person.page.url.startswith(f"{link.scheme}://{link.netloc.decode()}/")


async def test_while_rally_issues_no_tokens_the_page_says_how_to_try_again(
    broken_token_endpoint: None, person: Person, chat: Chat
) -> None:
    auth_url = await chat.auth_url()

    await person.open(auth_url)
    await person.decide_at_rally("allow")

    assert await person.heading() == "The sign-in could not be finished"
    assert "Repeat your request in the chat" in await person.text()
    assert await chat.auth_url() != auth_url


async def test_a_link_preview_does_not_use_the_sign_in_up(
    person: Person, chat: Chat, dev_server: DevServer
) -> None:
    auth_url = await chat.auth_url()
    state = httpx.URL(auth_url).params["state"]

    async with httpx.AsyncClient(trust_env=False) as preview:
        at_auth = await preview.head(auth_url)
        at_callback = await preview.head(f"{dev_server.callback_url}?state={state}&code=x")
    await person.open(auth_url)
    await person.decide_at_rally("allow")

    assert at_auth.status_code == 405
    assert at_callback.status_code == 405
    assert await person.heading() == "Signed in to Rally as Ann Archer"
