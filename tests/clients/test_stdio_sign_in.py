"""Signing in through `rally-mcp stdio`: the browser opens, and the call returns with the work."""

import os
import socket
from dataclasses import replace
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client

from tests.clients.browser_walk import sign_in, walk
from tests.clients.default_browser import DefaultBrowser, default_browser
from tests.clients.simulated_rally import story_in_rally
from tests.clients.stdio_process import Computer, Upstreams, patient_client, running_upstreams

STORY = {"title": "Pay by card", "points": 3}
EACH_ERA = pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")]
)


@pytest.fixture(scope="module")
def upstreams():
    with running_upstreams() as upstreams:
        yield upstreams


@pytest.fixture
def computer(upstreams: Upstreams, browser: DefaultBrowser, tmp_path) -> Computer:
    return Computer(tmp_path, upstreams.settings, browser=browser)


async def created(client: Client) -> str:
    """Create a story and return its FormattedID."""
    answer = await client.call_tool("create_rally_story", STORY)
    assert not answer.is_error, answer.content
    return answer.structured_content["story"]["formatted_id"]


async def shown_link(client: Client) -> str:
    """Return the link that a call answers with, where no browser opens."""
    answer = await client.call_tool("create_rally_story", STORY)
    return answer.structured_content["auth_url"]


@EACH_ERA
async def test_the_first_call_opens_the_browser_and_returns_with_the_story(
    computer, upstreams, browser, mode, version
):
    async with computer.chat(mode) as client:
        assert version == client.protocol_version
        formatted_id = await created(client)

    story = await story_in_rally(upstreams.rally_url, formatted_id)
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert len(browser.opened) == 1
    assert "Signed in as Ann Archer" in browser.ends[0].response.text


async def test_whoever_signed_in_once_is_signed_in_in_later_chats(computer, browser):
    async with computer.chat() as client:
        await created(client)

    async with computer.chat() as client:
        await created(client)
        status = await client.call_tool("auth_status", {})

    assert len(browser.opened) == 1
    assert [each["status"] for each in status.structured_content["connections"]] == ["signed_in"]


async def test_two_chats_at_once_share_the_sign_in(computer, browser):
    async with computer.chat() as one, computer.chat() as other, anyio.create_task_group() as both:
        both.start_soon(created, one)
        both.start_soon(created, other)

    # Each may have opened the page, before it could know of the other.
    assert len({str(link) for link in browser.opened}) == 1


async def test_calls_at_once_open_one_page(computer, browser):
    async with computer.chat() as client, anyio.create_task_group() as both:
        both.start_soon(created, client)
        both.start_soon(created, client)

    assert len(browser.opened) == 1


async def test_signing_out_means_signing_in_again(computer, browser):
    async with computer.chat() as client:
        await created(client)
        signed_out = await client.call_tool("sign_out", {})
        await created(client)

    assert not signed_out.is_error
    assert len(browser.opened) == 2


async def test_without_a_browser_the_link_is_shown_and_works_by_hand(computer):
    without_browser = replace(computer, browser=None)
    async with without_browser.chat() as client:
        shown = await client.call_tool("create_rally_story", STORY)
        page = await sign_in(shown.structured_content["auth_url"])
        await created(client)

    assert shown.is_error
    assert shown.structured_content["auth_url"] in shown.content[0].text.splitlines()
    assert "say 'authentication complete'" in shown.content[0].text
    assert page.response.status_code == 200


async def test_a_browser_that_runs_in_the_foreground_does_not_hold_the_call_up(computer, tmp_path):
    browser, opened = tmp_path / "browser.sh", tmp_path / "opened"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\nexec sleep 15\n')
    browser.chmod(0o755)

    async def sign_in_there() -> None:
        await sign_in((await anyio.Path(opened).read_text()).strip())

    async with (
        computer.with_settings(BROWSER=str(browser)).chat() as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(sign_in_there)
        await created(client)


async def test_a_sign_in_that_was_declined_offers_a_fresh_link(computer, tmp_path):
    async with (
        default_browser(tmp_path / "declining", decision="deny") as declining,
        replace(computer, browser=declining).chat() as client,
    ):
        refused = await client.call_tool("create_rally_story", STORY)

        assert refused.is_error
        assert "The last sign-in was declined in the browser." in refused.content[0].text
        assert refused.structured_content["auth_url"] != str(declining.opened[0])


async def test_a_chat_takes_the_callback_over_when_the_other_that_had_it_ends(computer):
    without_browser = replace(computer, browser=None)
    async with without_browser.chat() as client:
        async with without_browser.chat() as first:
            link = await shown_link(first)
            assert await shown_link(client) == link
        async with patient_client() as browser:
            page = await walk(browser, link)
        assert "Signed in as Ann Archer" in page.response.text, page.response.text

        await created(client)


async def test_a_foreign_program_at_the_callback_is_told_with_the_remedy(computer, upstreams):
    callback = urlsplit(upstreams.settings["CALLBACK_URL"])
    with socket.create_server(("127.0.0.1", callback.port)):
        async with computer.chat() as client:
            refused = await client.call_tool("create_rally_story", STORY)

    assert refused.is_error
    assert "CALLBACK_URL" in refused.content[0].text
    assert f"http://{callback.netloc}" in refused.content[0].text


async def test_a_chat_of_other_settings_leaves_the_callback_to_the_one_that_has_it(computer):
    without_browser = replace(computer, browser=None)
    async with (
        without_browser.chat() as first,
        without_browser.with_settings(RALLY_CLIENT_ID="another").chat() as other,
    ):
        await shown_link(first)
        refused = await other.call_tool("create_rally_story", STORY)

    assert refused.is_error
    assert "CALLBACK_URL" in refused.content[0].text


async def test_todos_need_no_sign_in(computer, browser):
    async with computer.with_settings(UPSTREAMS="yata").chat() as client:
        made = await client.call_tool("create_todo", {"title": "Buy milk"})

    assert not made.is_error, made.content
    assert browser.opened == []
