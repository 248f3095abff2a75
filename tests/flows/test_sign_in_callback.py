"""The callback: one exchange for one sign-in, whatever happens on the way."""

import asyncio

import httpx
import pytest

from devtools.rally_simulator import Fault, RallySimulator
from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import CALLBACK_URL
from tests.fixtures.meeting_store import meeting
from tests.fixtures.rally_wire import TOKEN, WSAPI
from tests.fixtures.stored import parts_of_principals, stored_rows


def held_token_requests(rally: RallySimulator) -> tuple[Fault, asyncio.Event]:
    """Keep every token request waiting at Rally until the event is set."""
    released = asyncio.Event()
    fault = Fault(method="POST", path_prefix=TOKEN, count=None, hold=released)
    return rally.faults.add(fault), released


def token_requests(rally: RallySimulator) -> int:
    """Count the token requests that reached Rally, granted or refused."""
    return sum(request.path == TOKEN for request in rally.stats.requests)


def without_refresh(rally: RallySimulator) -> RallySimulator:
    """Return a Rally with the same clients that issues no refresh tokens."""
    return RallySimulator(
        clock=rally.clock, clients=rally.clients.values(), issue_refresh_tokens=False
    )


async def all_but_one(visits: list[asyncio.Task[httpx.Response]]) -> list[httpx.Response]:
    """Wait until one is left, for 5 s at most, and return the answers of the others."""
    waiting = set(visits)
    answered: list[httpx.Response] = []
    async with asyncio.timeout(5):
        while len(waiting) > 1:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            answered += [visit.result() for visit in done]
    return answered


@requirement("A9")
async def test_of_twenty_callbacks_at_once_one_exchanges_the_code(deployment, rally):
    address = await deployment.caller().back_from_rally()
    here = meeting(deployment, PRINCIPALS, 20)
    there = deployment.scale_out()
    fault, released = held_token_requests(rally)
    browsers = [instance.browser() for instance in (here, there) for _ in range(10)]

    visits = [asyncio.create_task(browser.get(address)) for browser in browsers]
    refused = await all_but_one(visits)
    assert fault.reached.is_set()
    released.set()
    answers = await asyncio.gather(*visits)

    assert [answer.status_code for answer in refused] == [400] * 19
    assert sorted(answer.status_code for answer in answers) == [200, *([400] * 19)]
    assert token_requests(rally) == 1


@requirement("A9")
async def test_a_callback_that_comes_again_exchanges_nothing(deployment, rally):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    page = await chat.visit(address)

    again = await chat.visit(address)
    confirmed = await chat.call("complete_sign_in", code=page.code)

    assert again.response.status_code == 400
    assert "This link was already used" in again.response.text
    assert token_requests(rally) == 1
    assert confirmed.status_code == 200


async def test_a_callback_that_dies_holds_the_chat_up_for_thirty_seconds_at_most(deployment, rally):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    fault, _ = held_token_requests(rally)
    dying = asyncio.create_task(chat.visit(address))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    rally.faults.clear()
    dead = await chat.auth_url()

    deployment.clock.advance(seconds=30)
    fresh = await chat.auth_url()

    assert fresh != dead
    assert (await chat.visit(fresh)).code
    assert (await chat.visit(address)).response.status_code == 400


async def test_an_exchange_that_ends_after_a_fresh_link_was_shown_parks_nothing(deployment, rally):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    fault, released = held_token_requests(rally)
    slow = asyncio.create_task(chat.visit(address))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    deployment.clock.advance(seconds=30)
    fresh = await chat.auth_url()

    released.set()
    page = await slow

    assert page.response.status_code == 400
    assert await parts_of_principals(deployment) == [{"pending"}]
    assert (await chat.visit(fresh)).code


@requirement("A12")
async def test_a_person_who_declines_is_told_so_and_the_chat_gets_another_link(deployment):
    chat = deployment.caller()
    link = await chat.auth_url()

    page = await chat.visit(link, decision="deny")
    answer = await chat.call("get_rally_user")

    assert page.response.status_code == 200
    assert "Rally was not connected, and nothing was stored." in page.response.text
    assert answer.status_code == 401
    assert answer.json()["error_description"].startswith(
        "The last sign-in was declined in the browser."
    )
    assert answer.json()["auth_url"] != link
    assert (await chat.visit(answer.json()["auth_url"])).code


@requirement("A12")
@pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>alert(1)</script>"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_nothing_that_the_upstream_says_is_shown(deployment, error, accept):
    chat = deployment.caller()
    state = httpx.URL(await chat.auth_url()).params["state"]
    said = {
        "error": error,
        "error_description": "<b>upstream words</b>",
        "error_uri": "https://u.x",
    }

    answer = await chat.instance.browser().get(
        CALLBACK_URL, params={"state": state, **said}, headers={"Accept": accept}
    )

    assert "upstream words" not in answer.text
    assert "https://u.x" not in answer.text
    assert "<script" not in answer.text
    assert await parts_of_principals(deployment) == [set()]


@requirement("A12")
async def test_a_decline_does_not_stop_an_exchange_that_has_begun(deployment, rally):
    chat = deployment.caller()
    address = httpx.URL(await chat.back_from_rally())
    fault, released = held_token_requests(rally)
    finishing = asyncio.create_task(chat.visit(str(address)))
    async with asyncio.timeout(5):
        await fault.reached.wait()

    declined = await chat.visit(
        f"{CALLBACK_URL}?state={address.params['state']}&error=access_denied"
    )
    released.set()
    page = await finishing

    assert declined.response.status_code == 400
    assert page.code


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?state=&code=", "?state=x&code="])
async def test_a_callback_without_state_or_code_is_refused(deployment, query):
    browser = deployment.instances[0].browser()

    answer = await browser.get(CALLBACK_URL + query, headers={"Accept": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"] == "Missing authorization code or state parameter"


@pytest.mark.parametrize("path", ["/oauth/callback", "/auth/callback"])
async def test_the_callback_answers_at_every_path_that_ends_so(deployment, path):
    chat = deployment.caller()
    address = (await chat.back_from_rally()).replace("/callback", path)

    page = await chat.visit(address)

    assert page.code


@requirement("A9")
@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
async def test_a_preview_of_the_callback_does_not_use_it_up(deployment, rally, method):
    chat = deployment.caller()
    address = await chat.back_from_rally()

    answer = await chat.instance.browser().request(method, address)

    assert answer.status_code == 405
    assert token_requests(rally) == 0
    assert (await chat.visit(address)).code


@requirement("A17")
async def test_a_sign_out_during_the_exchange_stays_a_sign_out(deployment, rally):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    fault, released = held_token_requests(rally)
    finishing = asyncio.create_task(chat.visit(address))
    async with asyncio.timeout(5):
        await fault.reached.wait()

    signed_out = await chat.call("sign_out")
    released.set()
    page = await finishing

    assert signed_out.json()["message"] == "Signed out of Rally. Tokens are deleted."
    assert page.response.status_code == 400
    assert "This link was already used" in page.response.text
    assert await stored_rows(deployment, PRINCIPALS) == []


@requirement("A17")
@pytest.mark.parametrize("signed_in", [True, False], ids=["active", "parked"])
async def test_a_sign_out_is_obeyed_at_once_everywhere(deployment, signed_in):
    here = deployment.caller()
    there = here.on(deployment.scale_out())
    page = await here.visit(await here.auth_url())
    if signed_in:
        await here.call("complete_sign_in", code=page.code)
        assert (await there.call("get_rally_user")).status_code == 200

    await here.call("sign_out")

    assert (await there.call("get_rally_user")).status_code == 401
    assert (await there.call("complete_sign_in", code=page.code)).status_code == 404
    assert (await stored_rows(deployment, PRINCIPALS))[0].document["upstreams"]["rally"][
        "active"
    ] is None


@requirement("A17")
async def test_a_late_refusal_of_old_tokens_leaves_a_new_sign_in_alone(deployment):
    deployment.rally = rally = without_refresh(deployment.rally)
    chat = deployment.caller().on(deployment.scale_out())
    await chat.sign_in("ann")
    released = asyncio.Event()
    fault = rally.faults.add(Fault(path_prefix=f"{WSAPI}/user", status=401, hold=released))
    late = asyncio.create_task(chat.call("get_rally_user"))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    await chat.call("sign_out")
    await chat.sign_in("bob")

    released.set()
    await late

    assert (await chat.call("get_rally_user")).json()["display_name"] == "Bob Baker"
