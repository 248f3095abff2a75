"""Every page that a person can meet: how it looks and reads, and that it is safe to look at.

The pages come from in-process applications, which can be set up to answer each of them, and are
shown in a real browser. SCREENSHOTS names a folder that is to get a picture of each.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from devtools.rally_simulator import Fault
from tests.e2e.appearance import body_style, faint_texts, overflow
from tests.e2e.person import LOOKS, Person
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment

Deploy = Callable[..., Deployment]

CODE_ELEMENT = "confirmation-code"
LONG_NAME = f"<b>{'Wolfeschlegelsteinhausenbergerdorff' * 3}</b>"
HEADERS = {
    "cache-control": "no-store",
    "pragma": "no-cache",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
    "content-type": "text/html; charset=utf-8",
}
POLICY = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}


async def signed_in(deploy: Deploy) -> httpx.Response:
    return await _at_the_callback(deploy())


async def signed_in_under_a_long_name(deploy: Deploy) -> httpx.Response:
    deployment = deploy()
    deployment.rally.users["ann"].values["DisplayName"] = LONG_NAME
    return await _at_the_callback(deployment)


async def signed_in_without_code(deploy: Deploy) -> httpx.Response:
    return await _at_the_callback(deploy(SIGN_IN_CONFIRMATION="none"))


async def declined(deploy: Deploy) -> httpx.Response:
    return await _at_the_callback(deploy(), decision="deny")


async def not_admitted(deploy: Deploy) -> httpx.Response:
    return await _at_the_callback(deploy(RALLY_SUBSCRIPTIONS="Beacon Corporation"))


async def upstream_failed(deploy: Deploy) -> httpx.Response:
    deployment = deploy()
    deployment.rally.faults.add(Fault(path_prefix="/login/oauth2/token", status=503, count=None))
    return await _at_the_callback(deployment)


async def already_used(deploy: Deploy) -> httpx.Response:
    chat = deploy().caller()
    auth_url = await chat.auth_url()
    await chat.visit(auth_url)
    return await chat.instance.browser().get(auth_url)


async def expired(deploy: Deploy) -> httpx.Response:
    deployment = deploy()
    chat = deployment.caller()
    auth_url = await chat.auth_url()
    deployment.clock.advance(minutes=11)
    return await chat.instance.browser().get(auth_url)


async def incomplete_link(deploy: Deploy) -> httpx.Response:
    return await deploy().instances[0].browser().get(f"{AUTH_ORIGIN}/auth")


async def unknown_path(deploy: Deploy) -> httpx.Response:
    return await deploy().instances[0].browser().get(f"{AUTH_ORIGIN}/nothing")


WITH_CODE = (signed_in, signed_in_under_a_long_name)
WITHOUT_CODE = (
    signed_in_without_code,
    declined,
    not_admitted,
    upstream_failed,
    already_used,
    expired,
    incomplete_link,
    unknown_path,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page in front of a person, and the answer that it came in."""

    name: str
    person: Person
    response: httpx.Response


@pytest.fixture(params=WITH_CODE + WITHOUT_CODE, ids=lambda page: page.__name__)
async def shown(request, deploy: Deploy, person: Person) -> Shown:
    answer: Callable[[Deploy], Awaitable[httpx.Response]] = request.param
    response = await answer(deploy)
    await person.show(response)
    return Shown(answer.__name__, person, response)


async def test_a_page_fits_each_screen_and_stands_out_in_each_colour_scheme(shown: Shown) -> None:
    grounds = set()

    for look in LOOKS:
        await look.apply(shown.person.page)
        await _keep_screenshot(shown, f"{shown.name}-{look}.png")
        grounds.add(await body_style(shown.person.page, "backgroundColor"))

        assert await faint_texts(shown.person.page) == [], look
        assert await overflow(shown.person.page) == 0, look
    assert len(grounds) == 2


async def test_a_page_says_its_language_its_title_and_one_heading(shown: Shown) -> None:
    heading = await shown.person.heading()

    assert await shown.person.page.get_attribute("html", "lang") == "en"
    assert await shown.person.page.title() == f"{heading} · Rally MCP"
    assert (await body_style(shown.person.page, "fontFamily")).startswith("system-ui")


async def test_a_page_is_kept_from_caches_frames_and_foreign_content(shown: Shown) -> None:
    policy = shown.response.headers["content-security-policy"].split("; ")

    assert HEADERS.items() <= shown.response.headers.items()
    assert set(policy) >= POLICY
    assert "unsafe" not in shown.response.headers["content-security-policy"]
    assert shown.person.complaints == []


@pytest.mark.parametrize("answer", WITH_CODE, ids=lambda page: page.__name__)
async def test_one_click_selects_the_code_which_is_seen_without_scrolling(
    answer, deploy: Deploy, person: Person
) -> None:
    await person.show(await answer(deploy))
    element = person.page.locator(f"#{CODE_ELEMENT}")
    box = await element.bounding_box()

    await element.click()
    selected = await person.page.evaluate("getSelection().toString()")

    assert await person.code() == selected.strip()
    assert box["y"] + box["height"] <= 740


@pytest.mark.parametrize("answer", WITHOUT_CODE, ids=lambda page: page.__name__)
async def test_no_other_page_mentions_the_element_of_the_code(answer, deploy: Deploy) -> None:
    response = await answer(deploy)

    assert CODE_ELEMENT not in response.text


async def test_a_name_is_shown_as_it_was_written(deploy: Deploy, person: Person) -> None:
    await person.show(await signed_in_under_a_long_name(deploy))

    assert await person.heading() == f"Signed in to Rally as {LONG_NAME}"


async def test_without_a_code_the_page_says_what_the_chat_waits_for(
    deploy: Deploy, person: Person
) -> None:
    await person.show(await signed_in_without_code(deploy))
    lines = (await person.text()).split("\n\n")

    assert lines[:4] == [
        "Authentication Successful!",
        "You have successfully authenticated with Rally.",
        "You can now close this tab and return to VSCode.",
        'In VSCode, tell the agent "authentication complete" to continue.',
    ]


async def _at_the_callback(deployment: Deployment, *, decision: str = "allow") -> httpx.Response:
    chat = deployment.caller()
    page = await chat.visit(await chat.auth_url(), decision=decision)
    return page.response


async def _keep_screenshot(shown: Shown, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await shown.person.page.screenshot(path=Path(folder) / name, full_page=True)
