"""What a sign-in and a signed-in call cost in reads and writes, and how long a record lives."""

from datetime import datetime, timedelta

import pytest

from devtools.rally_simulator import RallySimulator
from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.counting_store import CountingStore, counted
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.stored import stored_rows


@pytest.fixture
def counting(deployment: Deployment) -> tuple[CountingStore, Caller]:
    """A store that counts, and a chat served from it."""
    store, instance = counted(deployment)
    return store, deployment.caller().on(instance)


def with_long_tokens(rally: RallySimulator) -> RallySimulator:
    """Return a Rally with the same clients whose access tokens need no refresh in a week."""
    return RallySimulator(
        clock=rally.clock, clients=rally.clients.values(), access_token_ttl=timedelta(days=7)
    )


async def end_of_record(deployment: Deployment) -> datetime:
    """Return when the only principal's record ends."""
    [row] = await stored_rows(deployment, PRINCIPALS)
    return row.expire_at


@requirement("A4")
async def test_the_same_link_is_shown_again_for_one_read_and_no_write(counting):
    store, chat = counting
    link = await chat.auth_url()
    store.forget()

    again = await chat.auth_url()

    assert again == link
    assert (store.reads, store.writes) == (1, 0)


async def test_over_mcp_too_the_same_link_costs_one_read_and_no_write(counting):
    store, chat = counting
    link = (await call_over_mcp(chat, "get_rally_user"))["structuredContent"]["auth_url"]
    store.forget()

    again = (await call_over_mcp(chat, "get_rally_user"))["structuredContent"]["auth_url"]

    assert again == link
    assert (store.reads, store.writes) == (1, 0)


async def test_a_first_sign_in_costs_six_writes(counting):
    store, chat = counting

    await chat.sign_in()

    assert store.writes == 6


async def test_a_later_sign_in_costs_six_writes(counting):
    store, chat = counting
    await chat.visit(await chat.auth_url(), decision="deny")
    store.forget()

    await chat.sign_in()

    assert store.writes == 6


@pytest.mark.parametrize("over", ["REST", "MCP"])
@pytest.mark.parametrize(
    ("tool", "arguments"), [("get_rally_user", {}), ("create_rally_story", {"title": "x"})]
)
async def test_a_signed_in_call_costs_one_read_and_no_write(counting, over, tool, arguments):
    store, chat = counting
    await chat.sign_in()
    store.forget()

    if over == "REST":
        await chat.call(tool, **arguments)
    else:
        await call_over_mcp(chat, tool, **arguments)

    assert (store.reads, store.writes) == (1, 0)


async def test_a_request_that_is_refused_costs_nothing(counting):
    store, chat = counting

    answer = await Caller(chat.deployment, "guessable", chat.instance).call("get_rally_user")

    assert answer.status_code == 400
    assert store.operations == {}


async def test_use_moves_the_end_of_a_record_on_once_a_day(deployment):
    deployment.rally = with_long_tokens(deployment.rally)
    store, instance = counted(deployment)
    chat = deployment.caller().on(instance)
    await chat.sign_in()
    first_end = await end_of_record(deployment)
    store.forget()

    deployment.clock.advance(hours=23)
    await chat.call("get_rally_user")
    writes_within_the_day = store.writes
    end_within_the_day = await end_of_record(deployment)
    deployment.clock.advance(hours=1)
    for _ in range(3):
        await chat.call("get_rally_user")
    writes_after_the_day = store.writes

    assert writes_after_the_day == 1
    assert writes_within_the_day == 0
    assert end_within_the_day == first_end
    assert await end_of_record(deployment) == first_end + timedelta(days=1)


async def test_a_record_that_nobody_uses_ends_after_seven_days(deployment):
    chat = deployment.caller()
    await chat.sign_in()

    deployment.clock.advance(days=7)

    assert (await chat.call("get_rally_user")).status_code == 401


async def test_a_record_in_daily_use_ends_after_thirty_days(deployment):
    chat = deployment.caller()
    await chat.sign_in()

    statuses = []
    for _ in range(30):
        deployment.clock.advance(days=1)
        statuses.append((await chat.call("get_rally_user")).status_code)

    assert statuses == [200] * 29 + [401]


async def test_a_chat_that_never_signs_in_leaves_nothing_for_long(deployment):
    chat = deployment.caller()
    link = await chat.auth_url()

    ends = {row.collection: row.expire_at for row in await stored_rows(deployment)}

    now = deployment.clock()
    assert ends["oauth_states"] == now + timedelta(minutes=10)
    assert ends[PRINCIPALS] <= now + timedelta(hours=1)
    assert link == await chat.auth_url()
