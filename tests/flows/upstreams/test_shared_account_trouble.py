"""The deployment's own account in trouble: no storm of requests, no token that is none."""

import asyncio

import pytest

from devtools.yata_simulator import Fault, YataSimulator
from rally_mcp.sign_in.records import PRINCIPALS
from rally_mcp.storage.port import Stored
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.rally_wire import wired
from tests.fixtures.stored import stored_rows

TOKEN = "/oauth/token"


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with("yata")


async def statuses(callers: list[Caller]) -> set[int]:
    answers = await asyncio.gather(*(caller.call("list_todos") for caller in callers))
    return {answer.status_code for answer in answers}


def token_requests(yata: YataSimulator) -> int:
    return sum(each.path == TOKEN for each in yata.stats.requests)


async def test_forty_callers_of_an_endpoint_that_is_down_ask_it_once(deployment, yata):
    fault = yata.faults.add(Fault(path_prefix=TOKEN, status=503, hold=asyncio.Event()))
    callers = [deployment.caller() for _ in range(40)]

    asking = asyncio.create_task(statuses(callers))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    fault.hold.set()

    assert await asking == {503}
    assert token_requests(yata) == 1


async def test_a_caller_who_hangs_up_takes_nobodys_token_away(deployment, yata):
    fault = yata.faults.add(Fault(path_prefix=TOKEN, hold=asyncio.Event()))
    first = asyncio.create_task(deployment.caller().call("list_todos"))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    second = asyncio.create_task(statuses([deployment.caller()]))

    first.cancel()
    await asyncio.wait([first])
    fault.hold.set()

    assert await second == {200}
    assert yata.stats.issued_tokens == 1


async def test_a_record_that_is_removed_during_a_renewal_never_makes_an_empty_token(
    deploy_with, yata
):
    deployment = wired(deploy_with("yata"))
    fault = yata.faults.add(Fault(path_prefix=TOKEN, hold=asyncio.Event()))
    asking = asyncio.create_task(statuses([deployment.caller(instance=-1)]))
    async with asyncio.timeout(5):
        await fault.reached.wait()
    store = deployment.instances[0].store
    for row in await stored_rows(deployment, PRINCIPALS):
        await store.take(row.collection, row.key)
    fault.hold.set()

    assert await asking == {200}
    sent = [each.headers["authorization"] for each in deployment.wire.requests]
    assert [each for each in sent if each.startswith("Bearer") and len(each) < 20] == []


async def test_a_record_that_was_altered_counts_as_none(deployment, yata):
    await deployment.caller().call("list_todos")
    store = deployment.instances[0].store
    [row] = await stored_rows(deployment, PRINCIPALS)
    tokens = row.document["upstreams"]["yata"]["active"]["tokens"]
    tokens["access_token"] = tokens["access_token"][::-1]
    await store.put(row.collection, row.key, Stored(row.document, row.expire_at))

    assert await statuses([deployment.caller().on(deployment.scale_out())]) == {200}
    assert yata.stats.issued_tokens == 2
