"""Where the network fails: well-known clients still work, and what was refused stays refused."""

import asyncio
from functools import partial
from typing import Any

import anyio
import pytest

from rally_mcp.authorization_server.document_fetch import MOST_FETCHES
from rally_mcp.authorization_server.metadata_documents import DocumentRefused, MetadataDocuments
from tests.conformance.requirements import requirement
from tests.fixtures.forbidden_places import table
from tests.fixtures.internet import ADDRESS, URL, Internet, answers, document, hangs_up, silent
from tests.fixtures.log_lines import written_log
from tests.fixtures.skipped_time import SkippingLoop

COPILOT = "https://github.com/copilot/cli/client-metadata.json"
GITHUB = "github.com"


OUTAGES = {
    "the name does not resolve": {},
    "the name has no address": {"names": {GITHUB: [[]]}},
    "nothing listens": {"names": {GITHUB: [[ADDRESS]]}},
    "the server hangs up": {"names": {GITHUB: [[ADDRESS]]}, "servers": {ADDRESS: hangs_up}},
    "the server is silent": {"names": {GITHUB: [[ADDRESS]]}, "servers": {ADDRESS: silent}},
    "the server fails": {
        "names": {GITHUB: [[ADDRESS]]},
        "servers": {ADDRESS: answers(b"<h1>Unicorn</h1>", 503, content_type="text/html")},
    },
}

REFUSALS = {
    "the document is gone": answers(b"", 404),
    "the document moved": answers(b"", 302, location="https://github.com/login"),
    "the document is no JSON": answers(b"<html>", content_type="text/html"),
    "the document is another client's": answers(document()),
    "the client has a secret": answers(document(COPILOT, client_secret="x")),
    "the document is too long": answers(b" " * 6000),
}


@pytest.fixture
def anyio_backend(clock) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": partial(SkippingLoop, clock)}


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def documents(internet, clock) -> MetadataDocuments:
    return MetadataDocuments(internet.fetch(), clock)


async def is_refused(documents: MetadataDocuments, url: str) -> bool:
    try:
        await documents.find(url)
    except DocumentRefused:
        return True
    return False


@pytest.mark.parametrize("outage", table(OUTAGES))
async def test_a_well_known_client_is_known_without_a_network(clock, outage):
    documents = MetadataDocuments(Internet(**outage).fetch(), clock)

    found = await documents.find(COPILOT)
    assert (found.client_id, found.client_name) == (COPILOT, "GitHub Copilot CLI")
    assert "http://127.0.0.1/callback" in found.redirect_uris


@pytest.mark.parametrize("outage", table(OUTAGES))
async def test_any_other_client_is_refused_without_a_network(clock, outage):
    documents = MetadataDocuments(Internet(**outage).fetch(), clock)

    assert await is_refused(documents, "https://github.com/copilot/cli/other.json")


@requirement("B28")
@pytest.mark.parametrize("answer", table(REFUSALS))
async def test_a_well_known_client_whose_document_is_refused_is_refused(
    documents, internet, answer
):
    internet.serve(answer, GITHUB)

    assert await is_refused(documents, COPILOT)


@requirement("B29")
async def test_a_well_known_client_at_an_address_that_is_not_public_is_refused(documents, internet):
    internet.serve(answers(document(COPILOT)), GITHUB, "127.0.0.1")

    assert await is_refused(documents, COPILOT)
    assert internet.requests == []


async def test_what_a_well_known_client_publishes_comes_before_what_is_built_in(
    documents, internet, clock
):
    published = document(COPILOT, client_name="Copilot, renamed")

    assert (await documents.find(COPILOT)).client_name == "GitHub Copilot CLI"
    internet.serve(answers(published), GITHUB)
    clock.advance(seconds=60)
    assert (await documents.find(COPILOT)).client_name == "Copilot, renamed"


async def test_the_log_tells_once_a_minute_that_a_built_in_document_is_used(
    documents, internet, clock
):
    with written_log() as log:
        for _ in range(3):
            await documents.find(COPILOT)
        clock.advance(seconds=60)
        await documents.find(COPILOT)

    assert [(line["severity"], line["url"]) for line in log.lines] == [("WARNING", COPILOT)] * 2
    assert {line["problem"] for line in log.lines} == {"The host's name does not resolve"}


async def test_the_log_tells_once_why_a_document_was_refused(documents, internet):
    internet.serve(answers(document(client_id="https://client.example.com/other")))

    with written_log() as log:
        for _ in range(3):
            assert await is_refused(documents, URL)
    [line] = log.lines
    assert (line["severity"], line["url"]) == ("INFO", URL)
    assert line["problem"] == "The document's client_id is not its URL"


@requirement("B28")
async def test_a_client_for_which_no_time_was_left_is_refused_this_once(documents, internet):
    crowd = [f"slow-{number}.example" for number in range(MOST_FETCHES)]
    for number, host in enumerate(crowd):
        internet.serve(silent, host, f"93.184.216.{number}")
    internet.serve(silent)
    began = asyncio.get_running_loop().time()

    async with asyncio.TaskGroup() as callers:
        for host in crowd:
            callers.create_task(is_refused(documents, f"https://{host}/id"))
        await anyio.wait_all_tasks_blocked()
        late = callers.create_task(is_refused(documents, URL))
    assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=1)
    assert late.result()

    internet.serve(answers(document()))
    assert not await is_refused(documents, URL)
