"""What a client's sign-in, its calls and its token requests cost in reads and writes."""

import secrets
from datetime import timedelta

import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient
from tests.conformance.requirements import requirement
from tests.fixtures.counting_store import CountingStore, counted
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Clock, Deployment
from tests.fixtures.oauth_client import OAuthClient, new_client, unknown_secret
from tests.fixtures.token_answers import INTERFACES, call_over, is_taken


@pytest.fixture
def rally(clock: Clock) -> RallySimulator:
    """A Rally whose access tokens need no refresh in a week."""
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], access_token_ttl=timedelta(days=7))


@pytest.fixture
def counting(deployment: Deployment) -> tuple[CountingStore, OAuthClient]:
    """A store that counts, and a client served from it."""
    store, instance = counted(deployment)
    return store, new_client(deployment).on(instance)


async def test_a_whole_sign_in_costs_six_writes(counting):
    store, client = counting

    await client.sign_in()

    assert store.writes == 6


async def test_registering_and_looking_at_the_consent_page_write_nothing(counting):
    store, client = counting

    await client.register()
    for _ in range(3):
        page = await client.consent_page(client.instance.browser())

    assert page.form
    assert store.writes == 0


async def test_each_step_of_a_sign_in_costs_what_the_whole_leaves_to_it(counting):
    store, client = counting
    await client.register()
    browser = client.instance.browser()

    address = await client.to_rally(browser)
    allowed = store.writes
    await client.through_rally(browser, address, stop_before="http://127.0.0.1:8081/authorize/c")
    parked = store.writes
    code = (await client.authorize())["code"]
    released = store.writes
    await client.redeem(code)

    assert (allowed, parked, released - parked, store.writes - released) == (2, 4, 5, 1)


@requirement("B31")
@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_tool_call_with_an_access_token_costs_one_read_and_no_write(counting, interface):
    store, client = counting
    tokens = await client.sign_in()
    store.forget()

    answer = await call_over(interface, client, tokens["access_token"])

    assert answer.status_code == 200
    assert (store.reads, store.writes) == (1, 0)


@requirement("B31")
async def test_creating_a_story_costs_one_read_and_no_write(counting):
    store, client = counting
    tokens = await client.sign_in()
    store.forget()

    answer = await client.call(tokens["access_token"], "create_rally_story", title="x")

    assert answer.status_code == 200
    assert (store.reads, store.writes) == (1, 0)


@requirement("B31")
async def test_an_access_token_that_is_worth_nothing_costs_one_read_at_most(counting):
    store, client = counting
    tokens = await client.sign_in()
    made_up = f"{tokens['access_token'].partition('.')[0]}.{secrets.token_urlsafe(32)}"
    costs = []
    for access_token in (made_up, unknown_secret("rmcp_at_"), "rmcp_at_x", "x" * 2000):
        store.forget()
        assert not await is_taken(client, access_token)
        costs.append((store.reads, store.writes))

    assert costs == [(1, 0), (1, 0), (0, 0), (0, 0)]


async def test_no_call_writes_because_refreshing_moves_the_records_end_on(counting, clock):
    store, client = counting
    tokens = await client.sign_in()
    writes = []
    for _ in range(3):
        clock.advance(days=1)
        tokens = (await client.refresh(tokens["refresh_token"])).json()
        clock.advance(minutes=59)
        store.forget()
        await client.call(tokens["access_token"], "get_rally_user")
        writes.append(store.writes)

    assert writes == [0, 0, 0]


async def test_each_token_request_asks_for_one_write(counting):
    store, client = counting
    tokens = await client.sign_in()
    writes = []
    for request in (client.refresh, client.refresh, client.revoke, client.revoke):
        store.forget()
        await request(tokens["refresh_token"])
        writes.append(store.writes)

    assert writes == [1, 1, 1, 1]


async def test_a_grant_that_nobody_uses_ends_after_seven_days(counting, clock):
    _, client = counting
    tokens = await client.sign_in()
    clock.advance(days=7, seconds=-1)
    current = (await client.refresh(tokens["refresh_token"])).json()
    clock.advance(days=7)

    answer = await client.refresh(current["refresh_token"])

    assert answer.status_code == 400
