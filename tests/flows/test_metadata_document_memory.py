"""What was fetched is remembered for a while, and nobody can make a server fetch at will."""

import asyncio

import anyio
import httpx
import pytest

from rally_mcp.authorization_server.document_fetch import MOST_FETCHES
from rally_mcp.authorization_server.metadata_documents import (
    MOST_REMEMBERED,
    DocumentRefused,
    MetadataDocuments,
)
from tests.conformance.requirements import requirement
from tests.fixtures.internet import HOST, URL, Internet, answers, document

MINUTE = 60
DAY = 24 * 60 * MINUTE

LIVES = {
    "": MINUTE,
    "public": MINUTE,
    "max-age=0": MINUTE,
    "max-age=59": MINUTE,
    "max-age=61": 61,
    "max-age=3600": 3600,
    "public, Max-Age=600": 600,
    'max-age="600"': 600,
    "max-age=600, max-age=300": 300,
    "max-age=86400": DAY,
    "max-age=86401, immutable": DAY,
    "max-age=999999999": DAY,
    "max-age=99999999999999999999": MINUTE,
    "max-age=-1": MINUTE,
    "max-age=soon": MINUTE,
    "s-maxage=600": MINUTE,
    "no-store": MINUTE,
    "no-cache": MINUTE,
    "max-age=600, no-store": MINUTE,
    "no-cache, max-age=600": MINUTE,
}


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def documents(internet, clock) -> MetadataDocuments:
    return MetadataDocuments(internet.fetch(), clock)


def url(number: int) -> str:
    return f"https://{HOST}/oauth/{number}.json"


async def about_itself(request: httpx.Request) -> httpx.Response:
    """Every path of the host is a client."""
    return await answers(document(f"https://{HOST}{request.url.path}"))(request)


async def is_refused(documents: MetadataDocuments, url: str = URL) -> bool:
    try:
        await documents.find(url)
    except DocumentRefused:
        return True
    return False


class Slow:
    """A server that answers when it is let."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.may_answer.wait()
        return await about_itself(request)


@requirement("B28")
@pytest.mark.parametrize(("cache_control", "seconds"), LIVES.items())
async def test_a_document_is_remembered_as_its_server_asks_between_a_minute_and_a_day(
    documents, internet, clock, cache_control, seconds
):
    internet.serve(answers(document(), cache_control=cache_control))

    await documents.find(URL)
    clock.advance(seconds=seconds - 1)
    await documents.find(URL)
    assert len(internet.requests) == 1

    clock.advance(seconds=1)
    await documents.find(URL)
    assert len(internet.requests) == 2


@requirement("B28")
async def test_a_document_that_is_gone_is_refused_once_its_time_is_over(documents, internet, clock):
    internet.serve(answers(document()))
    await documents.find(URL)
    internet.serve(answers(b"", 404))

    assert not await is_refused(documents)
    clock.advance(seconds=MINUTE)
    assert await is_refused(documents)


@requirement("B28")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answers(b"", 404, cache_control="max-age=3600"), id="an error"),
        pytest.param(answers(b"", 503), id="an error of the server"),
        pytest.param(answers(document(client_id="x"), cache_control="max-age=3600"), id="a lie"),
    ],
)
async def test_a_refusal_is_remembered_for_a_minute_and_no_longer(
    documents, internet, clock, answer
):
    internet.serve(answer)

    assert await is_refused(documents)
    internet.serve(answers(document()))
    clock.advance(seconds=MINUTE - 1)
    assert await is_refused(documents)
    assert len(internet.requests) == 1

    clock.advance(seconds=1)
    assert not await is_refused(documents)


@requirement("B28")
async def test_of_too_many_documents_the_one_used_longest_ago_is_forgotten(documents, internet):
    internet.serve(about_itself)
    for number in range(MOST_REMEMBERED):
        await documents.find(url(number))
    await documents.find(url(0))

    await documents.find(url(MOST_REMEMBERED))
    del internet.requests[:]
    await documents.find(url(0))
    assert internet.requests == []
    await documents.find(url(1))
    assert len(internet.requests) == 1


@requirement("B28")
async def test_refusals_push_no_document_out(documents, internet):
    internet.serve(answers(document()))
    await documents.find(URL)
    for number in range(MOST_REMEMBERED + 1):
        assert await is_refused(documents, url(number))

    del internet.requests[:]
    await documents.find(URL)
    assert internet.requests == []


@requirement("B28")
async def test_callers_who_come_at_once_share_one_fetch(documents, internet):
    slow = Slow()
    internet.serve(slow)

    async with asyncio.timeout(5), asyncio.TaskGroup() as callers:
        found = [callers.create_task(documents.find(URL)) for _ in range(10)]
        await anyio.wait_all_tasks_blocked()
        slow.may_answer.set()
    assert {each.result().client_id for each in found} == {URL}
    assert len(internet.requests) == 1


async def test_a_caller_who_gives_up_takes_nothing_from_the_others(documents, internet):
    slow = Slow()
    internet.serve(slow)

    async with asyncio.timeout(5), asyncio.TaskGroup() as callers:
        first = callers.create_task(documents.find(URL))
        second = callers.create_task(documents.find(URL))
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        slow.may_answer.set()
    assert first.cancelled()
    assert second.result().client_id == URL
    assert len(internet.requests) == 1


@requirement("B28")
async def test_no_more_than_four_fetches_go_on_at_once_and_the_next_begins_when_one_ends(
    documents, internet
):
    slow = Slow()
    internet.serve(slow)

    async with asyncio.timeout(5), asyncio.TaskGroup() as callers:
        found = [callers.create_task(documents.find(url(number))) for number in range(6)]
        await anyio.wait_all_tasks_blocked()
        assert len(internet.requests) == MOST_FETCHES == 4
        slow.may_answer.set()
    assert [each.result().client_id for each in found] == [url(number) for number in range(6)]
    assert len(internet.requests) == 6
