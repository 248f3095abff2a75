"""The deployment's own account at YATA: one access token for everybody, renewed by one of them."""

import asyncio
from datetime import timedelta

import pytest

from devtools.yata_simulator import Fault
from rally_mcp.secret_store import REREAD_PAUSE
from rally_mcp.sign_in.records import PRINCIPALS
from tests.fixtures.deployment import CLIENT_ID, Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.meeting_store import meeting
from tests.fixtures.rally_wire import wired
from tests.fixtures.stored import stored_rows

LIST = "list_todos"
TOKEN = "/oauth/token"
TODOS = "/api/v1/todos"
HOUR = timedelta(hours=1)
NOT_ACCEPTED = (
    "YATA does not accept this deployment's client id and secret; "
    "its administrator must set them again."
)


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    """Deploy where everybody on this machine may use the account."""
    return deploy_with("yata")


@pytest.fixture
def chat(deployment) -> Caller:
    return deployment.caller()


async def statuses(*chats: Caller) -> list[int]:
    """Let all list the todos at once; return how each fared."""
    answers = await asyncio.gather(*(chat.call(LIST) for chat in chats))
    return [answer.status_code for answer in answers]


def todo_requests(yata) -> int:
    """Count the requests to the todo API, those that were refused included."""
    return sum(yata.stats.api_requests.values())


async def test_twenty_callers_on_four_instances_need_one_token_request(deployment, yata):
    fault = yata.faults.add(Fault(path_prefix=TOKEN, hold=asyncio.Event()))
    instances = [meeting(deployment, PRINCIPALS, 4), *(deployment.scale_out() for _ in range(3))]
    callers = [deployment.caller().on(instance) for instance in instances * 5]

    asking = asyncio.create_task(statuses(*callers))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    fault.hold.set()

    assert await asking == [200] * 20
    assert yata.stats.issued_tokens == 1
    assert yata.stats.refused_token_requests == 0
    assert todo_requests(yata) == 20


async def test_an_instance_that_starts_later_uses_the_token_that_there_is(deployment, chat, yata):
    await chat.call(LIST)

    assert await statuses(chat.on(deployment.scale_out())) == [200]
    assert yata.stats.issued_tokens == 1


async def test_the_token_is_renewed_a_minute_early_and_never_refused(chat, clock, yata):
    await chat.call(LIST)
    clock.now += HOUR - timedelta(seconds=61)
    before = await statuses(chat), yata.stats.issued_tokens
    clock.advance(seconds=2)
    after = await statuses(chat), yata.stats.issued_tokens

    assert before == ([200], 1)
    assert after == ([200], 2)
    assert todo_requests(yata) == 3


async def test_of_many_callers_on_two_instances_one_renews(deployment, chat, clock, yata):
    elsewhere = chat.on(deployment.scale_out())
    await statuses(chat, elsewhere)
    clock.now += HOUR

    assert await statuses(*[chat, elsewhere] * 10) == [200] * 20
    assert yata.stats.issued_tokens == 2


async def test_a_renewal_that_fails_in_the_last_minute_disturbs_nobody(chat, clock, yata):
    await chat.call(LIST)
    clock.now += HOUR - timedelta(seconds=30)
    yata.faults.add(Fault(path_prefix=TOKEN, status=503))

    failed_to_renew = await statuses(chat)
    renewed = await statuses(chat)

    assert (failed_to_renew, renewed) == ([200], [200])
    assert yata.stats.issued_tokens == 2


async def test_a_refused_token_is_renewed_once_and_the_request_sent_again(chat, yata):
    await chat.call(LIST)
    yata.drop_access_tokens()
    yata.stats.clear()

    created = await chat.call("create_todo", title="Milk")

    assert created.status_code == 200
    assert yata.stats.issued_tokens == 1
    assert yata.stats.api_requests == {"POST /todos/": 2}
    assert len((await chat.call(LIST)).json()["todos"]) == 1


async def test_a_token_that_was_dropped_is_renewed_once_for_two_instances(deployment, chat, yata):
    elsewhere = chat.on(deployment.scale_out())
    await statuses(chat, elsewhere)
    yata.drop_access_tokens()

    answers = await statuses(*[chat, elsewhere] * 5)

    assert answers == [200] * 10
    assert yata.stats.issued_tokens == 2


async def test_an_instance_that_was_not_there_when_it_was_dropped_takes_the_new_one(
    deployment, chat, yata
):
    elsewhere = chat.on(deployment.scale_out())
    await statuses(chat, elsewhere)
    yata.drop_access_tokens()
    await statuses(chat)

    assert await statuses(elsewhere) == [200]
    assert yata.stats.issued_tokens == 2


async def test_a_token_that_is_refused_although_it_is_new_is_not_asked_for_again(chat, yata):
    yata.faults.add(Fault(path_prefix=TODOS, status=401, count=2))

    answer = await chat.call(LIST)
    after = await chat.call(LIST)

    assert answer.status_code == 502
    assert answer.json() == {"error": "Failed to list todos", "message": NOT_ACCEPTED}
    assert after.status_code == 200
    assert todo_requests(yata) == 3


@pytest.mark.parametrize("has_token", [False, True], ids=["at first", "later"])
async def test_a_client_that_is_switched_off_is_told_and_works_again_when_on(chat, yata, has_token):
    if has_token:
        await chat.call(LIST)
    yata.deactivate_client()
    off = await chat.call(LIST)
    yata.activate_client()

    on = await chat.call(LIST)

    assert off.status_code == 502
    assert off.json()["message"] == NOT_ACCEPTED
    assert on.status_code == 200


async def test_a_wrong_secret_is_told_but_never_shown_and_a_right_one_helps(
    deployment, chat, clock, yata
):
    right = deployment.client_secret["YATA_TEST_SECRET"]
    deployment.client_secret["YATA_TEST_SECRET"] = "battery staple"
    with written_log() as log:
        wrong = await chat.call(LIST)
    deployment.client_secret["YATA_TEST_SECRET"] = right
    clock.now += REREAD_PAUSE

    after = await chat.call(LIST)

    assert wrong.status_code == 502
    assert wrong.json()["message"] == NOT_ACCEPTED
    assert "battery" not in wrong.text + log.text
    assert after.status_code == 200
    assert yata.stats.issued_tokens == 1


async def test_a_secret_that_was_rotated_is_taken_up_without_a_new_deployment(
    deployment, chat, clock, yata
):
    await chat.call(LIST)
    [client] = yata.clients.values()
    client.client_secret = deployment.client_secret["YATA_TEST_SECRET"] = "a newer horse"
    clock.now += HOUR

    assert await statuses(chat, chat.on(deployment.scale_out())) == [200, 200]


@pytest.mark.parametrize(
    ("status", "fault"),
    [(503, {"status": 503}), (503, {"status": 429}), (502, {"body": "html"})],
)
async def test_a_token_request_that_fails_is_no_lasting_harm(chat, yata, status, fault):
    yata.faults.add(Fault(path_prefix=TOKEN, **fault))

    failed = await chat.call(LIST)
    after = await chat.call(LIST)

    assert (failed.status_code, after.status_code) == (status, 200)
    assert yata.stats.issued_tokens == 1


async def test_scopes_that_the_client_may_not_have_are_refused_at_yata(deploy_with, yata):
    chat = deploy_with("yata", YATA_SCOPE="todos:read todos:burn").caller()

    answer = await chat.call(LIST)

    assert answer.status_code == 502
    assert yata.stats.issued_tokens == 0


async def test_the_store_has_the_token_sealed_and_neither_it_nor_the_secret_in_the_clear(
    deployment,
):
    watched = wired(deployment)
    await watched.caller(instance=-1).call(LIST)

    [row] = await stored_rows(deployment, PRINCIPALS)
    [asked] = watched.wire.sent("GET", TODOS)
    access_token = asked.headers["authorization"].removeprefix("Bearer ")
    assert row.document["upstreams"]["yata"]["active"]["tokens"]["user"]["id"] == CLIENT_ID
    assert access_token not in f"{row.key} {row.document}"
    assert deployment.client_secret["YATA_TEST_SECRET"] not in f"{row.key} {row.document}"


async def test_whoever_empties_the_store_makes_one_more_token_request(deployment, chat, yata):
    await chat.call(LIST)
    [row] = await stored_rows(deployment, PRINCIPALS)
    await deployment.instances[0].store.take(PRINCIPALS, row.key)

    assert await statuses(chat.on(deployment.scale_out())) == [200]
    assert yata.stats.issued_tokens == 2
    assert await statuses(chat) == [200]
    assert yata.stats.issued_tokens == 2
