"""The way back from Rally: the code goes to the browser that consented, once, and nowhere else."""

import asyncio
import re

import httpx
import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.clients.browser_walk import CODE_ELEMENT, walk
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, RALLY_ORIGIN
from tests.fixtures.log_lines import written_log
from tests.fixtures.meeting_store import meeting
from tests.fixtures.oauth_client import OAuthClient, new_client, told
from tests.fixtures.stored import parts_of_principals, stored_rows

COMPLETE = f"{AUTH_ORIGIN}/authorize/complete"
TICKET = rf"{re.escape(COMPLETE)}\?ticket=([0-9a-f]{{32}}\.[A-Za-z0-9_-]{{43}})"


@pytest.fixture
async def client(deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register()
    return client


@pytest.fixture
def browser(client: OAuthClient) -> httpx.AsyncClient:
    return client.instance.browser()


async def back_from_rally(client: OAuthClient, browser: httpx.AsyncClient) -> str:
    """Allow, sign in at Rally, and return the address that the callback sends the browser to."""
    address = await client.to_rally(browser)
    answer = await client.through_rally(browser, address, stop_before=COMPLETE)
    return str(answer.headers["location"])


async def assert_ended(client: OAuthClient) -> None:
    """Fail unless all that was parked or pending is gone."""
    [row] = await stored_rows(client.deployment, PRINCIPALS)
    assert row.document["upstreams"] == {}
    assert row.document["grant"] is None
    assert row.expire_at <= client.deployment.clock()


@requirement("B12")
async def test_the_callback_sends_the_browser_back_with_a_ticket_and_no_page(client, browser):
    address = await client.to_rally(browser)

    answer = await client.through_rally(browser, address, stop_before=COMPLETE)

    assert answer.status_code == 303
    assert str(answer.request.url).startswith(CALLBACK_URL)
    assert re.fullmatch(TICKET, answer.headers["location"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert CODE_ELEMENT not in answer.text
    assert await parts_of_principals(client.deployment) == [{"parked"}]


@requirement("B12", "B31")
async def test_the_browser_that_consented_takes_the_code_to_the_client(client, browser):
    address = await back_from_rally(client, browser)

    answer = await browser.get(address)
    response = told(answer)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{client.redirect_uri}?")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert re.fullmatch(r"rmcp_ac_[0-9a-f]{32}\.[A-Za-z0-9_-]{43}", response.pop("code"))
    assert response == {"state": client.state, "iss": AUTH_ORIGIN}
    assert len(browser.cookies) == 0


@requirement("B12")
async def test_sign_ins_side_by_side_in_one_browser_do_not_touch_each_other(client, browser):
    clients = [new_client(client.deployment) for _ in range(3)]
    for number, each in enumerate(clients):
        await each.register(client_name=f"Client {number}")
    pages = [await each.consent_page(browser) for each in clients]
    users = ["ann", "bob", "ann"]

    addresses = [
        (await each.decide(browser, page)).headers["location"]
        for each, page in zip(clients, pages, strict=True)
    ]
    codes = {}
    for number in (1, 2, 0):
        answer = await clients[number].through_rally(browser, addresses[number], users[number])
        assert told(answer)["state"] == clients[number].state
        codes[number] = told(answer)["code"]
    names = []
    for number, each in enumerate(clients):
        granted = (await each.redeem(codes[number])).json()
        user = await each.call(granted["access_token"], "get_rally_user")
        names.append(user.json()["display_name"])

    assert names == ["Ann Archer", "Bob Baker", "Ann Archer"]


@requirement("B12")
@pytest.mark.parametrize("has_a_consent_of_its_own", [False, True])
async def test_in_another_browser_the_sign_in_is_refused_and_what_was_parked_destroyed(
    client, browser, has_a_consent_of_its_own
):
    elsewhere = client.instance.browser()
    if has_a_consent_of_its_own:
        await client.consent_page(elsewhere)
    address = await client.to_rally(browser)

    with written_log() as log:
        answer = await client.through_rally(elsewhere, address)
    too_late = await browser.get(str(answer.request.url))

    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "This page belongs to another browser" in answer.text
    assert too_late.status_code == 400
    assert len(log.audit("consent.refused")) == 1
    await assert_ended(client)


@requirement("B12")
@pytest.mark.parametrize("cookie", ["", "x" * 43, "Ä", "'; --"])
async def test_a_cookie_that_was_altered_is_none(client, browser, cookie):
    address = await back_from_rally(client, browser)
    [name] = browser.cookies
    elsewhere = client.instance.browser()

    answer = await elsewhere.get(address, headers=[("Cookie", f"{name}={cookie}".encode())])

    assert answer.status_code == 403
    await assert_ended(client)


@requirement("B12")
async def test_a_program_that_completes_a_strangers_sign_in_is_told_in_json(client, browser):
    address = await back_from_rally(client, browser)

    answer = await client.instance.programs.get(address)

    assert answer.status_code == 403
    assert answer.json()["message"].startswith("This page belongs to another browser")


@requirement("B12")
async def test_a_ticket_is_good_once_and_its_code_stays_so(client, browser):
    address = await back_from_rally(client, browser)
    cookies = dict(browser.cookies)
    response = told(await browser.get(address))
    browser.cookies.update(cookies)

    again = await browser.get(address)

    assert again.status_code == 400
    assert "This sign-in was finished already or is too old." in again.text
    assert (await client.redeem(response["code"])).status_code == 200


@requirement("B12")
async def test_of_many_returns_at_once_one_gets_a_code(client, browser):
    address = await back_from_rally(client, browser)
    here = meeting(client.deployment, PRINCIPALS, 8)
    browsers = [here.browser() for _ in range(8)]
    for each in browsers:
        each.cookies.update(browser.cookies)

    answers = await asyncio.gather(*(each.get(address) for each in browsers))

    assert sorted(answer.status_code for answer in answers) == [302, *[400] * 7]


@requirement("B12")
async def test_whoever_knows_no_more_than_the_grants_id_can_end_nothing(client, browser):
    address = await back_from_rally(client, browser)
    grant_id = re.fullmatch(TICKET, address)[1].partition(".")[0]
    made_up = [f"{grant_id}.{'A' * 43}", grant_id, f"{grant_id}.", f"{grant_id.upper()}.x"]

    refused = [await browser.get(COMPLETE, params={"ticket": each}) for each in made_up]
    answer = await browser.get(address)

    assert {each.status_code for each in refused} == {400}
    assert told(answer)["code"]


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=x", f"?ticket={'0' * 32}.{'A' * 43}"])
async def test_without_a_ticket_there_is_a_page_that_says_what_to_do(browser, query):
    answer = await browser.get(COMPLETE + query)

    assert answer.status_code == 400
    assert "Connect again from your MCP client." in answer.text


@requirement("B9")
async def test_a_ticket_that_comes_twice_is_refused_and_stays_good(client, browser):
    address = await back_from_rally(client, browser)

    twice = await browser.get(f"{address}&ticket=x")
    answer = await browser.get(address)

    assert twice.status_code == 400
    assert told(answer)["code"]


@requirement("B12")
@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
async def test_a_preview_does_not_use_a_ticket_up(client, browser, method):
    address = await back_from_rally(client, browser)

    preview = await browser.request(method, address)
    answer = await browser.get(address)

    assert preview.status_code == 405
    assert told(answer)["code"]


@requirement("B14")
async def test_the_sign_in_at_rally_has_a_state_and_a_challenge_of_its_own(client, browser):
    addresses = [httpx.URL(await client.to_rally(browser)) for _ in range(2)]

    first, second = (dict(address.params) for address in addresses)
    assert first.pop("state") != second.pop("state")
    assert first.pop("code_challenge") != second.pop("code_challenge")
    assert first == second
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == CALLBACK_URL
    assert str(addresses[0]).startswith(f"{RALLY_ORIGIN}/login/oauth2/auth?")
    for name in ("client_id", "state", "code_challenge", "resource", "redirect_uri"):
        assert client.request()[name] not in addresses[0].params.values(), name


@requirement("B14")
async def test_what_the_client_calls_state_is_nothing_at_the_callback(client, browser):
    address = await client.to_rally(browser)
    page = await walk(browser, address, stop_before=CALLBACK_URL)
    back = httpx.URL(page.response.headers["location"])

    answer = await browser.get(back.copy_set_param("state", client.state))

    assert answer.status_code == 400
    assert told(await client.through_rally(browser, str(back)))["code"]
