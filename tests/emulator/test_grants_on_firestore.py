"""What grants lean on the store for, on Firestore, with two instances that ask at once."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from devtools.rally_simulator import Fault, RallySimulator, RegisteredClient
from rally_mcp.storage.firestore import FirestoreStore
from tests.clients.browser_walk import Page
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Clock, Deployment
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.rally_wire import TOKEN
from tests.fixtures.stored import parts_of_principals
from tests.fixtures.token_answers import error_of, is_invalid_token, is_taken

INVALID_GRANT = (400, "invalid_grant")
LEASE_SECONDS = 10
"""How long one instance may refresh before another takes over."""
EXCHANGE_SECONDS = 30
"""After which an exchange that nobody finished counts as gone."""

Tokens = dict[str, str]


@pytest.fixture
def rally(clock: Clock) -> RallySimulator:
    """A Rally that rotates refresh tokens, so that a second use of one would show."""
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], rotate_refresh_tokens=True)


@pytest.fixture
def on_firestore(
    firestore_emulator: str, deploy: Callable[..., Deployment], clock: Clock
) -> Deployment:
    project = f"rally-mcp-{secrets.token_hex(8)}"
    deployment = deploy(
        new_store=lambda: FirestoreStore(project, "(default)", clock=clock),
        STORAGE="firestore",
        GOOGLE_CLOUD_PROJECT=project,
    )
    deployment.scale_out()
    return deployment


@pytest.fixture
async def client(on_firestore: Deployment) -> OAuthClient:
    client = new_client(on_firestore, instance=0)
    await client.register()
    return client


@pytest.fixture
def elsewhere(on_firestore: Deployment, client: OAuthClient) -> OAuthClient:
    """The same client, served by the other instance."""
    return client.on(on_firestore.instances[1])


@pytest.fixture
async def code(client: OAuthClient) -> str:
    return (await client.authorize())["code"]


@pytest.fixture
async def tokens(client: OAuthClient, code: str) -> Tokens:
    tokens: Tokens = (await client.redeem(code)).json()
    return tokens


async def a_day_later(client: OAuthClient, tokens: Tokens) -> Tokens:
    """Let Rally's access token end; return access and refresh tokens that have not."""
    client.deployment.clock.advance(days=1)
    renewed: Tokens = (await client.refresh(tokens["refresh_token"])).json()
    return renewed


async def killed(request: Coroutine[Any, Any, object], fault: Fault) -> None:
    """Make a request, and end it the hard way once it has come to the fault."""
    task = asyncio.create_task(request)
    async with asyncio.timeout(10):
        await fault.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def holding(rally: RallySimulator, *, after_effect: bool = False) -> Fault:
    """Let Rally hold the next token request for ever, before or after it was carried out."""
    fault = Fault(method="POST", path_prefix=TOKEN, hold=asyncio.Event(), after_effect=after_effect)
    return rally.faults.add(fault)


async def is_revoked(client: OAuthClient, tokens: Tokens) -> bool:
    refused = error_of(await client.refresh(tokens["refresh_token"])) == INVALID_GRANT
    return refused and not await is_taken(client, tokens["access_token"])


@requirement("B17")
async def test_of_twenty_redemptions_on_two_instances_one_succeeds(client, elsewhere, code):
    answers = await asyncio.gather(*(each.redeem(code) for each in [client, elsewhere] * 10))

    refused = [answer for answer in answers if not answer.is_success]
    assert len(refused) == 19
    assert {error_of(answer) for answer in refused} == {INVALID_GRANT}


@requirement("B18")
async def test_the_nineteen_others_are_replays_so_that_everything_is_revoked_afterwards(
    client, elsewhere, code
):
    answers = await asyncio.gather(*(each.redeem(code) for each in [client, elsewhere] * 10))

    [winner] = [answer.json() for answer in answers if answer.is_success]
    assert await is_revoked(client, winner)
    assert await is_revoked(elsewhere, winner)


@requirement("B18")
async def test_a_later_replay_ends_the_access_token_on_both_instances_at_the_next_call(
    client, elsewhere, code, tokens
):
    before = [await is_taken(each, tokens["access_token"]) for each in (client, elsewhere)]

    replay = await elsewhere.redeem(code)
    called = [
        await each.call(tokens["access_token"], "get_rally_user") for each in (client, elsewhere)
    ]

    assert before == [True, True]
    assert error_of(replay) == INVALID_GRANT
    assert all(is_invalid_token(answer) for answer in called)


@requirement("B25")
async def test_revoking_on_one_instance_acts_at_once_on_the_other(client, elsewhere, tokens):
    answer = await client.revoke(tokens["refresh_token"])

    assert answer.status_code == 200
    assert await is_revoked(elsewhere, tokens)


@requirement("B19")
async def test_ten_refreshes_with_one_refresh_token_get_one_successor_of_one_family(
    client, elsewhere, tokens
):
    answers = await asyncio.gather(
        *(each.refresh(tokens["refresh_token"]) for each in [client, elsewhere] * 5)
    )
    granted = [answer.json() for answer in answers]
    following = await elsewhere.refresh(granted[0]["refresh_token"])

    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({(each["access_token"], each["refresh_token"]) for each in granted}) == 1
    assert following.status_code == 200
    assert await is_taken(client, granted[0]["access_token"])


@requirement("B20")
async def test_ten_calls_on_two_instances_refresh_the_upstream_token_once(
    client, elsewhere, tokens, rally
):
    tokens = await a_day_later(client, tokens)
    released = asyncio.Event()
    fault = rally.faults.add(Fault(method="POST", path_prefix=TOKEN, hold=released))

    calls = asyncio.gather(
        *(each.call(tokens["access_token"], "get_rally_user") for each in [client, elsewhere] * 5)
    )
    async with asyncio.timeout(10):
        await fault.reached.wait()
    released.set()
    answers = await calls

    assert [answer.status_code for answer in answers] == [200] * 10
    assert (rally.stats.refreshes, rally.stats.refused_token_requests) == (1, 0)


async def test_another_instance_refreshes_once_the_lease_of_a_killed_one_is_over(
    client, elsewhere, tokens, rally, clock
):
    tokens = await a_day_later(client, tokens)
    await killed(client.call(tokens["access_token"], "get_rally_user"), holding(rally))
    clock.advance(seconds=LEASE_SECONDS)

    answer = await elsewhere.call(tokens["access_token"], "get_rally_user")

    assert answer.status_code == 200
    assert rally.stats.refreshes == 1


async def test_rotated_tokens_that_died_with_their_instance_cost_a_new_sign_in(
    client, elsewhere, tokens, rally, clock
):
    tokens = await a_day_later(client, tokens)
    held = holding(rally, after_effect=True)
    await killed(client.call(tokens["access_token"], "get_rally_user"), held)
    clock.advance(seconds=LEASE_SECONDS)

    told = await elsewhere.call(tokens["access_token"], "get_rally_user")
    fresh = await elsewhere.sign_in()
    answer = await client.call(fresh["access_token"], "get_rally_user")

    assert is_invalid_token(told)
    assert await is_revoked(client, tokens)
    assert answer.status_code == 200


async def kill_midway(
    client: OAuthClient, browser: httpx.AsyncClient, page: Page, fault: Fault
) -> str:
    """Sign in until the callback's request to Rally, and kill that; return its address."""
    address = (await client.decide(browser, page)).headers["location"]
    back = await client.through_rally(browser, address, stop_before=CALLBACK_URL)
    callback = str(back.headers["location"])
    await killed(browser.get(callback), fault)
    return callback


@pytest.mark.parametrize("after_effect", [False, True], ids=["before Rally", "after Rally"])
async def test_a_sign_in_whose_instance_was_killed_midway_is_begun_again(
    on_firestore, client, elsewhere, rally, clock, after_effect
):
    browser = client.instance.browser()
    page = await client.consent_page(browser)
    held = holding(rally, after_effect=after_effect)
    callback = await kill_midway(client, browser, page, held)

    reloaded = await on_firestore.instances[1].browser().get(callback)
    clock.advance(seconds=EXCHANGE_SECONDS)
    reloaded_later = await on_firestore.instances[1].browser().get(callback)
    left = await parts_of_principals(on_firestore)
    fresh = await elsewhere.sign_in()
    answer = await client.call(fresh["access_token"], "get_rally_user")

    assert (reloaded.status_code, reloaded_later.status_code) == (400, 400)
    assert left == [{"pending"}]
    assert answer.status_code == 200


async def test_whoever_reloads_the_callback_of_a_killed_sign_in_is_told_to_connect_again(
    on_firestore, client, rally
):
    browser = client.instance.browser()
    page = await client.consent_page(browser)
    callback = await kill_midway(client, browser, page, holding(rally))

    reloaded = await on_firestore.instances[1].browser().get(callback)

    assert "connect again in the client" in reloaded.text


async def test_the_consent_form_of_a_killed_sign_in_says_to_connect_again(client, rally, clock):
    browser = client.instance.browser()
    page = await client.consent_page(browser)
    await kill_midway(client, browser, page, holding(rally))
    clock.advance(seconds=EXCHANGE_SECONDS)

    answer = await client.decide(browser, page)

    assert answer.status_code == 403
    assert "Connect again from your MCP client" in answer.text
