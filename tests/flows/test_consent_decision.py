"""What a decision on the consent page does: once, and in that browser's hand until it is over."""

import asyncio

import httpx
import pytest

from rally_mcp.sign_in.records import OAUTH_STATES, PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client, told
from tests.fixtures.stored import stored_rows


@pytest.fixture
async def client(deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register()
    return client


@pytest.fixture
def browser(client: OAuthClient) -> httpx.AsyncClient:
    return client.instance.browser()


@requirement("B10")
@pytest.mark.parametrize("decision", ["", "ALLOW", "maybe"])
async def test_without_a_decision_nothing_is_decided(client, browser, decision):
    page = await client.consent_page(browser)

    undecided = await client.decide(browser, page, decision)
    decided = await client.decide(browser, page)

    assert undecided.status_code == 400
    assert "Press one of the two buttons" in undecided.text
    assert decided.status_code == 303


@requirement("B10")
async def test_a_double_click_gives_one_grant_and_one_address(client, browser):
    page = await client.consent_page(browser)
    second = client.deployment.scale_out().browser()
    second.cookies = browser.cookies

    answers = await asyncio.gather(*(client.decide(each, page) for each in [browser, second] * 5))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(await stored_rows(client.deployment, PRINCIPALS)) == 1
    response = told(await client.through_rally(browser, answers[0].headers["location"]))
    assert (await client.redeem(response["code"])).status_code == 200


@requirement("B10")
async def test_a_form_that_comes_again_after_the_sign_in_is_refused(client, browser):
    page = await client.consent_page(browser)
    cookie = dict(browser.cookies)
    address = (await client.decide(browser, page)).headers["location"]
    response = told(await client.through_rally(browser, address))
    without_cookie = await client.decide(browser, page)
    browser.cookies.update(cookie)

    with_cookie = await client.decide(browser, page)

    assert without_cookie.status_code == with_cookie.status_code == 403
    assert (await client.redeem(response["code"])).status_code == 200


@requirement("B10")
async def test_a_sign_in_that_was_never_finished_cannot_be_taken_up_later(client, browser):
    page = await client.consent_page(browser)
    await client.decide(browser, page)
    client.deployment.clock.advance(minutes=10)

    answer = await client.decide(browser, page)

    assert answer.status_code == 403
    assert "Connect again from your MCP client." in answer.text


@requirement("B13")
async def test_who_denies_leaves_nothing_behind(client, browser):
    page = await client.consent_page(browser)

    with written_log() as log:
        answer = await client.decide(browser, page, "deny")
    afterwards = await client.decide(browser, page)

    assert told(answer)["error"] == "access_denied"
    assert len(browser.cookies) == 0
    assert afterwards.status_code == 403
    assert await stored_rows(client.deployment, OAUTH_STATES, PRINCIPALS) == []
    assert len(log.audit("consent.denied")) == 1


@requirement("B10")
async def test_allowing_is_two_writes_and_an_audit_line(client, browser):
    page = await client.consent_page(browser)

    with written_log() as log:
        answer = await client.decide(browser, page)

    rows = await stored_rows(client.deployment)
    [line] = log.audit("consent.allowed")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert sorted(row.collection for row in rows) == [OAUTH_STATES, PRINCIPALS]
    assert line["scope"] == "rally:read rally:write"
    assert page.form.fields["grant"] not in log.text
