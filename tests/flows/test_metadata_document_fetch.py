"""A metadata document is fetched from a public address that was checked, in one short request."""

import asyncio
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from rally_mcp.authorization_server.document_fetch import LARGEST_DOCUMENT, DocumentFetch
from rally_mcp.authorization_server.metadata_documents import DocumentRefused, MetadataDocuments
from tests.conformance.requirements import requirement
from tests.fixtures.forbidden_places import ADDRESSES, HOSTS, table
from tests.fixtures.internet import (
    ADDRESS,
    HOST,
    IPV6_ADDRESS,
    OTHER_ADDRESS,
    URL,
    Body,
    Internet,
    answers,
    document,
    hangs_up,
    silent,
)
from tests.fixtures.skipped_time import SkippingLoop

TOTAL_SECONDS = 5
REFUSAL = DocumentRefused("").message

REFUSED_ANSWERS = {
    "a permanent redirect": answers(document(), 301, location="https://elsewhere.example/id"),
    "a redirect": answers(document(), 302, location="https://169.254.169.254/id"),
    "a redirect to itself": answers(document(), 307, location=URL),
    "not modified": answers(b"", 304),
    "no content": answers(b"", 204),
    "another success": answers(document(), 203),
    "not found": answers(document(), 404),
    "a demand for credentials": answers(document(), 401, www_authenticate="Basic"),
    "an error of the server": answers(document(), 500),
    "gzip": answers(document(), content_encoding="gzip"),
    "gzip twice": answers(document(), content_encoding="gzip, gzip"),
    "brotli": answers(document(), content_encoding="br"),
    "one byte too many": answers(Body(b" " * LARGEST_DOCUMENT, b" ")),
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


async def refusal(documents: MetadataDocuments, url: str = URL) -> str:
    """Return all that a caller is told."""
    with pytest.raises(DocumentRefused) as refused:
        await documents.find(url)
    return str(refused.value)


def now() -> float:
    return asyncio.get_running_loop().time()


async def does_not_connect(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("no answer to SYN")


@requirement("B29")
async def test_the_connection_goes_to_the_checked_address_and_is_about_the_name(
    documents, internet
):
    internet.serve(answers(document()))

    await documents.find(URL)
    [request] = internet.requests
    assert str(request.url) == f"https://{ADDRESS}/oauth/metadata.json"
    assert request.headers["host"] == HOST
    assert request.extensions["sni_hostname"] == HOST


@requirement("B29")
async def test_an_ipv6_address_is_connected_to_in_the_same_way(documents, internet):
    internet.serve(answers(document()), HOST, IPV6_ADDRESS)

    await documents.find(URL)
    [request] = internet.requests
    assert str(request.url) == f"https://[{IPV6_ADDRESS}]/oauth/metadata.json"
    assert (request.headers["host"], request.extensions["sni_hostname"]) == (HOST, HOST)


@requirement("B28")
async def test_the_one_request_carries_nothing_but_the_wish_for_json(documents, internet, clock):
    internet.serve(answers(document(), set_cookie=f"seen=1; Domain={HOST}"))

    await documents.find(URL)
    clock.advance(days=1)
    await documents.find(URL)
    first, second = internet.requests
    assert dict(first.headers) == {
        "host": HOST,
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": "rally-mcp",
    }
    assert (second.method, second.content, second.headers) == ("GET", b"", first.headers)


@requirement("B28")
async def test_neither_a_proxy_nor_a_password_file_of_the_environment_is_believed():
    async with DocumentFetch().new_client() as client:
        assert not client.trust_env
        assert not client.follow_redirects
        assert client.auth is None


@requirement("B29")
@pytest.mark.parametrize("host", table(HOSTS))
async def test_a_host_that_is_not_public_is_not_even_looked_up(documents, internet, host):
    said = await refusal(documents, f"https://{host}/oauth/metadata.json")

    assert said == REFUSAL
    assert (internet.lookups, internet.requests) == ([], [])


@requirement("B29")
@pytest.mark.parametrize("address", table(ADDRESSES))
async def test_a_name_with_an_address_that_is_not_public_is_refused(documents, internet, address):
    internet.serve(answers(document()), HOST, address)

    assert await refusal(documents) == REFUSAL
    assert internet.requests == []


@requirement("B29")
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_address_that_is_not_public_among_others_refuses_them_all(
    documents, internet, place
):
    addresses = [ADDRESS, OTHER_ADDRESS]
    addresses.insert(place, "10.0.0.1")
    internet.serve(answers(document()), HOST, *addresses)

    assert await refusal(documents) == REFUSAL
    assert internet.requests == []


@requirement("B29")
async def test_a_name_that_changes_its_address_after_the_check_leads_nowhere_else(
    documents, internet, clock
):
    internet.serve(answers(document()))
    internet.servers["127.0.0.1"] = answers(document())
    internet.names[HOST] = [[ADDRESS], ["127.0.0.1"]]

    await documents.find(URL)
    clock.advance(seconds=61)
    assert await refusal(documents) == REFUSAL
    assert internet.lookups == [HOST, HOST]
    assert [request.url.host for request in internet.requests] == [ADDRESS]


@requirement("B29")
async def test_a_refusal_says_the_same_of_everything_that_can_be_wrong(documents, internet):
    hosts = {
        "listens.example": answers(document()),
        "silent.example": silent,
        "hangs-up.example": hangs_up,
        "not-found.example": answers(b"", 404),
        "broken.example": answers(b"", 503),
    }
    for number, (host, answer) in enumerate(hosts.items()):
        internet.serve(answer, host, f"93.184.215.{number}")
    internet.serve(answers(document()), "private.example", "10.0.0.1")
    internet.names["closed.example"] = [["93.184.216.1"]]

    tried = [*internet.names, "unknown.example", "127.0.0.1"]
    said = {await refusal(documents, f"https://{host}/id") for host in tried}
    assert said == {REFUSAL}


@requirement("B28")
@pytest.mark.parametrize("answer", table(REFUSED_ANSWERS))
async def test_an_answer_other_than_a_short_plain_200_is_refused(documents, internet, answer):
    internet.serve(answer)

    assert await refusal(documents) == REFUSAL
    assert len(internet.requests) == 1


@requirement("B28")
async def test_a_document_of_the_greatest_length_is_read(documents, internet):
    padded = str(document()).replace("'", '"').encode().ljust(LARGEST_DOCUMENT)
    internet.serve(answers(Body(padded[:3000], padded[3000:])))

    assert (await documents.find(URL)).client_id == URL


@requirement("B28")
async def test_reading_stops_where_a_document_gets_too_long(documents, internet):
    body = Body(b" " * 1024, endless=True)
    internet.serve(answers(body))

    assert await refusal(documents) == REFUSAL
    assert body.pieces == LARGEST_DOCUMENT // 1024 + 1


@requirement("B28")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silent, id="no answer"),
        pytest.param(answers(Body(b"{", stalls=True)), id="no end"),
    ],
)
async def test_a_server_that_takes_its_time_is_given_up_after_five_seconds(
    documents, internet, answer
):
    internet.serve(answer)
    began = now()

    assert await refusal(documents) == REFUSAL
    assert now() - began == pytest.approx(TOTAL_SECONDS, abs=1)


@requirement("B28")
async def test_a_resolver_that_takes_its_time_is_given_up_too(internet, clock):
    async def stuck(_: str) -> list[str]:
        return await anyio.sleep_forever()

    documents = MetadataDocuments(DocumentFetch(stuck, internet.fetch().new_client), clock)
    began = now()

    assert await refusal(documents) == REFUSAL
    assert now() - began == pytest.approx(TOTAL_SECONDS, abs=1)


@pytest.mark.parametrize("answer", [None, does_not_connect], ids=["refused", "timed out"])
async def test_another_checked_address_is_tried_when_one_does_not_connect(
    documents, internet, answer
):
    internet.serve(answers(document()), HOST, ADDRESS, OTHER_ADDRESS)
    del internet.servers[ADDRESS]
    if answer:
        internet.servers[ADDRESS] = answer

    assert (await documents.find(URL)).client_id == URL
    assert [request.url.host for request in internet.requests] == [ADDRESS, OTHER_ADDRESS]
    assert internet.lookups == [HOST]


async def test_a_family_of_addresses_without_a_route_does_not_hide_the_other(documents, internet):
    unreachable = [f"2001:4860:4860::{number}" for number in range(1, 9)]
    internet.serve(answers(document()), HOST, ADDRESS)
    internet.names[HOST] = [[*unreachable, ADDRESS]]

    assert (await documents.find(URL)).client_id == URL
    assert [request.url.host for request in internet.requests] == [*unreachable[:2], ADDRESS]


async def test_an_answer_is_taken_from_the_first_address_that_connects(documents, internet):
    internet.serve(answers(document()), HOST, ADDRESS, OTHER_ADDRESS)
    internet.servers[ADDRESS] = hangs_up

    assert await refusal(documents) == REFUSAL
    assert [request.url.host for request in internet.requests] == [ADDRESS]


@requirement("B29")
async def test_a_name_that_nobody_has_is_refused_by_this_machines_resolver(clock):
    documents = MetadataDocuments(DocumentFetch(), clock)

    assert await refusal(documents, "https://client.invalid/id") == REFUSAL
