"""A person lets an MCP client work in Rally: real processes, a real browser, a listening client.

SCREENSHOTS names a folder that is to get pictures of the consent page.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Route

from tests.clients.dev_server import DevServer
from tests.conformance.requirements import requirement
from tests.e2e.appearance import body_style, faint_texts, overflow
from tests.e2e.auto_consent import running_with_auto_consent
from tests.e2e.loopback_client import LoopbackClient, listening
from tests.e2e.person import DESK, LOOKS, PHONE, Look, Person, at_the_browser

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff" * 3
LONGEST_URI = f"https://{'a' * 63}.{'b' * 439}/"
"""512 characters, nearly all of them the host's: more than any network knows, and it must fit."""
FOCUSED = "document.activeElement.value"


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """The functions in front of a Rally that does not pause for anybody."""
    with running_with_auto_consent(tmp_path_factory.mktemp("hasty")) as server:
        yield server


@pytest.fixture
async def client(dev_server: DevServer) -> AsyncIterator[LoopbackClient]:
    async with listening(dev_server) as client:
        yield client


@pytest.fixture
async def hasty_client(hasty_server: DevServer) -> AsyncIterator[LoopbackClient]:
    async with listening(hasty_server) as client:
        yield client


async def press(page: Page, decision: str, arrive_at: str) -> None:
    """Press a button of the consent page, and wait until the browser is where it leads."""
    async with page.expect_navigation(url=arrive_at):
        await page.click(f"button[value={decision}]")


def at_rally(server: DevServer) -> str:
    return f"{server.rally_url}/login/**"


def at_client(client: LoopbackClient) -> str:
    return f"{client.redirect_uri}?**"


@requirement("B10", "B11")
@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_a_client_that_a_person_allows_works_in_that_persons_rally(
    look: Look, browser: Browser, client: LoopbackClient
) -> None:
    async with at_the_browser(browser, look) as person:
        await person.open(client.authorize_url())
        heading = await person.heading()
        await press(person.page, "allow", at_rally(client.server))
        await person.decide_at_rally("allow")
        arrived = await person.heading()

    assert heading == "Let Acme Editor work in Rally?"
    assert arrived == "Back at the client"
    assert person.complaints == []
    assert await client.user_name() == "Ann Archer"


@requirement("B10")
@pytest.mark.parametrize("look", [PHONE, DESK], ids=str)
async def test_the_way_to_the_client_is_open_although_rally_does_not_pause(
    look: Look, browser: Browser, hasty_client: LoopbackClient
) -> None:
    async with at_the_browser(browser, look) as person:
        await person.open(hasty_client.authorize_url())
        await press(person.page, "allow", at_client(hasty_client))

    assert person.complaints == []
    assert await hasty_client.user_name() == "Ann Archer"


@requirement("B10")
async def test_a_policy_without_the_way_to_the_client_would_stop_the_browser(
    person: Person, hasty_client: LoopbackClient
) -> None:
    async def allow_this_origin_alone(route: Route) -> None:
        answer = await route.fetch()
        policy = answer.headers["content-security-policy"].split("; ")
        kept = [part for part in policy if not part.startswith("form-action")]
        changed = "; ".join([*kept, "form-action 'self'"])
        headers = answer.headers | {"content-security-policy": changed}
        await route.fulfill(response=answer, headers=headers)

    await person.page.route("**/authorize?**", allow_this_origin_alone)
    await person.open(hasty_client.authorize_url())
    async with person.page.expect_event("console"):
        await person.page.click("button[value=allow]")

    assert "form-action" in " ".join(person.complaints)
    assert hasty_client.told.empty()


@requirement("B13")
async def test_a_client_that_a_person_denies_is_told_so(
    person: Person, client: LoopbackClient
) -> None:
    await person.open(client.authorize_url())
    await press(person.page, "deny", at_client(client))
    response = await client.response()

    assert response["error"] == "access_denied"
    assert "code" not in response
    assert person.complaints == []


@requirement("B13")
async def test_a_client_hears_of_a_person_who_declines_at_rally(
    person: Person, client: LoopbackClient
) -> None:
    await person.open(client.authorize_url())
    await press(person.page, "allow", at_rally(client.server))
    await person.decide_at_rally("deny")

    assert (await client.response())["error"] == "access_denied"
    assert await person.heading() == "Back at the client"


@requirement("B6", "B13")
async def test_an_application_on_this_device_may_get_the_answer(
    person: Person, client: LoopbackClient
) -> None:
    client.redirect_uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    await client.register()
    await person.open(client.authorize_url())

    async with person.page.expect_request("cursor://**") as asked:
        await person.page.click("button[value=deny]", no_wait_after=True)

    assert httpx.URL((await asked.value).url).params["error"] == "access_denied"
    assert "form-action" not in " ".join(person.complaints)


@requirement("B12")
async def test_two_sign_ins_in_one_browser_keep_apart(
    person: Person, client: LoopbackClient, dev_server: DevServer
) -> None:
    second = Person(await person.page.context.new_page(), [])
    async with listening(dev_server) as other:
        await other.register("Another Editor")
        await person.open(client.authorize_url())
        await second.open(other.authorize_url())
        await press(person.page, "allow", at_rally(dev_server))
        await press(second.page, "allow", at_rally(dev_server))
        await second.decide_at_rally("allow", user="bob")
        await person.decide_at_rally("allow", user="ann")

        assert await client.user_name() == "Ann Archer"
        assert await other.user_name() == "Bob Baker"


@requirement("B12")
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_another_browser_cannot_finish_what_this_one_began(
    decision: str, browser: Browser, person: Person, client: LoopbackClient
) -> None:
    await person.open(client.authorize_url())
    await press(person.page, "allow", at_rally(client.server))
    lure = person.page.url

    async with at_the_browser(browser, DESK) as victim:
        await victim.open(lure)
        async with victim.page.expect_navigation(url="**/authorize/complete?**"):
            await victim.page.click(f"button[value={decision}]")
        text, ended_at = await victim.text(), victim.page.url
    await person.open(ended_at)

    assert "This page belongs to another browser" in text
    assert await person.heading() == "This link does not work"
    assert client.told.empty()


@requirement("B10")
async def test_a_person_can_decide_by_keyboard(person: Person, client: LoopbackClient) -> None:
    keyboard = person.page.keyboard
    await person.open(client.authorize_url())
    await keyboard.press("Tab")
    first = await person.page.evaluate(FOCUSED)
    outline = await person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    await keyboard.press("Tab")
    second = await person.page.evaluate(FOCUSED)
    async with person.page.expect_navigation(url=at_client(client)):
        await keyboard.press("Enter")

    assert [first, second] == ["allow", "deny"]
    assert outline == "solid"
    assert (await client.response())["error"] == "access_denied"


@requirement("B10")
async def test_going_back_to_the_page_after_the_sign_in_offers_a_new_one(
    person: Person, client: LoopbackClient
) -> None:
    await person.open(client.authorize_url())
    await press(person.page, "deny", at_client(client))
    await client.response()

    await person.page.go_back()
    await press(person.page, "allow", at_rally(client.server))
    await person.decide_at_rally("allow")

    assert await client.user_name() == "Ann Archer"


@requirement("B10")
@pytest.mark.parametrize("button", ["allow", "deny"])
async def test_an_impatient_second_click_does_no_harm(
    button: str, person: Person, hasty_client: LoopbackClient
) -> None:
    await person.open(hasty_client.authorize_url())
    async with person.page.expect_navigation(url=at_client(hasty_client)):
        await person.page.click(f"button[value={button}]", click_count=2, no_wait_after=True)
    response = await hasty_client.response()

    assert ("code" in response) == (button == "allow")
    assert ("error" in response) == (button == "deny")


@requirement("B11", "B27")
@pytest.mark.parametrize(
    ("name", "redirect_uri"),
    [
        ("Acme Editor", None),
        ("", "https://editor.example/callback"),
        (LONG_NAME, LONGEST_URI),
        ("Ärger & <b>Söhne</b> 東京", "cursor://anysphere.cursor-mcp/oauth/callback"),
    ],
    ids=["ordinary", "unnamed", "long", "markup"],
)
async def test_the_page_fits_each_screen_and_stands_out_in_each_colour_scheme(
    name: str, redirect_uri: str | None, person: Person, client: LoopbackClient, request
) -> None:
    client.redirect_uri = redirect_uri or client.redirect_uri
    await client.register(name)
    await person.open(client.authorize_url())
    grounds = set()

    for look in LOOKS:
        await look.apply(person.page)
        await _keep_screenshot(person.page, f"consent-{request.node.callspec.id}-{look}.png")
        grounds.add(await body_style(person.page, "backgroundColor"))

        assert await faint_texts(person.page) == [], look
        assert await overflow(person.page) == 0, look
    assert len(grounds) == 2
    assert await person.page.title() == f"{await person.heading()} · Rally MCP"
    assert person.complaints == []


async def _keep_screenshot(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / name, full_page=True)
