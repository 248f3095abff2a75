"""A client whose id is a URL is what the document there says, if that is acceptable."""

import json

import pytest

from rally_mcp.authorization_server import redirect_uris
from rally_mcp.authorization_server.metadata_documents import (
    DocumentRefused,
    MetadataDocument,
    MetadataDocuments,
    is_metadata_document_url,
)
from rally_mcp.authorization_server.well_known_clients import WELL_KNOWN
from tests.conformance.requirements import requirement
from tests.fixtures.forbidden_places import table
from tests.fixtures.internet import ADDRESS, HOST, URL, Body, Internet, answers, document

KEYS_URL = f"https://{HOST}/oauth/keys.json"
PUBLIC_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
PRIVATE_KEY = PUBLIC_KEY | {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
KEYS = {"keys": [PUBLIC_KEY | {"kid": "one"}]}

REFUSED_DOCUMENTS = {
    "another client_id": document(client_id="https://client.example.com/oauth/other.json"),
    "a client_id with the port written out": document(
        client_id="https://client.example.com:443/oauth/metadata.json"
    ),
    "no client_id": document(client_id=None),
    "a client_id that is no text": document(client_id=[URL]),
    "no redirect URI": document(redirect_uris=[]),
    "no redirect_uris": document(redirect_uris=None),
    "redirect_uris that are no list": document(redirect_uris="http://127.0.0.1/"),
    "a redirect URI that is no text": document(redirect_uris=[7]),
    "a redirect URI that is too long": document(redirect_uris=["https://a.example/".ljust(513)]),
    "too many redirect URIs": document(redirect_uris=["http://127.0.0.1/"] * 21),
    "a name that is no text": document(client_name={"en": "An Editor"}),
    "client_secret_basic": document(token_endpoint_auth_method="client_secret_basic"),
    "client_secret_post": document(token_endpoint_auth_method="client_secret_post"),
    "client_secret_jwt": document(token_endpoint_auth_method="client_secret_jwt"),
    "an unknown method": document(token_endpoint_auth_method="tls_client_auth"),
    "a client secret": document(client_secret="correct horse"),
    "a client secret that is null": document() | {"client_secret": None},
    "the end of a client secret": document(client_secret_expires_at=0),
    "a private key": document(jwks={"keys": [PUBLIC_KEY, PRIVATE_KEY]}),
    "a shared key": document(jwks={"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}),
    "a key set without keys": document(jwks={"keys": []}),
    "a key set that is none": document(jwks=["keys"]),
    "private_key_jwt without keys": document(token_endpoint_auth_method="private_key_jwt"),
    "private_key_jwt with keys in two places": document(
        token_endpoint_auth_method="private_key_jwt", jwks=KEYS, jwks_uri=KEYS_URL
    ),
    "a jwks_uri on a private network": document(jwks_uri="https://10.0.0.1/keys.json"),
    "a jwks_uri without TLS": document(jwks_uri="http://client.example.com/keys.json"),
    "grant types without authorization_code": document(grant_types=["client_credentials"]),
    "an application type that is not defined": document(application_type="desktop"),
    "a list": [document()],
    "a text": "document",
    "null": None,
}

REFUSED_BODIES = {
    "nothing": b"",
    "HTML": b"<!doctype html>",
    "half a document": json.dumps(document()).encode()[:-1],
    "two documents": json.dumps(document()).encode() * 2,
    "a document that is not UTF-8": json.dumps(document()).encode("utf-16"),
    "bytes that are not UTF-8": b'{"client_id": "\xff"}',
    "half a surrogate pair": json.dumps(document(client_name="\ud800")).encode(),
    "lists without end": b"[" * 5000,
}


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def documents(internet, clock) -> MetadataDocuments:
    return MetadataDocuments(internet.fetch(), clock)


def test_a_client_id_that_is_an_https_url_points_to_a_document():
    assert is_metadata_document_url(URL)
    assert not is_metadata_document_url("http://client.example.com/oauth/metadata.json")
    assert not is_metadata_document_url("rmcp_cl_WyJBbiBFZGl0b3IiXQ")


async def test_a_document_describes_its_client(documents, internet):
    described = document(
        grant_types=["authorization_code", "refresh_token"],
        scope="rally:read",
        application_type="native",
        token_endpoint_auth_method="private_key_jwt",
        jwks=KEYS,
    )
    internet.serve(answers(described))

    assert await documents.find(URL) == MetadataDocument(
        client_id=URL,
        client_name="An Editor",
        redirect_uris=("http://127.0.0.1/callback",),
        token_endpoint_auth_method="private_key_jwt",
        grant_types=("authorization_code", "refresh_token"),
        scope="rally:read",
        application_type="native",
        jwks=KEYS,
        jwks_uri="",
    )


async def test_what_a_document_does_not_say_is_the_least(documents, internet):
    least = document(client_name=None, token_endpoint_auth_method=None)
    internet.serve(answers(least))

    found = await documents.find(URL)
    assert found.client_name == HOST
    assert found.token_endpoint_auth_method == "none"
    assert found.grant_types == ("authorization_code",)
    assert (found.scope, found.application_type, found.jwks, found.jwks_uri) == ("", "", None, "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("An\x00 Edi\u202etor\n", "An Editor", id="hidden characters"),
        pytest.param("\u200b\u2060", HOST, id="hidden characters alone"),
        pytest.param("a" * 500, "a" * 100, id="too long"),
    ],
)
async def test_a_name_is_shown_on_one_line_without_what_hides_or_reorders_it(
    documents, internet, name, shown
):
    internet.serve(answers(document(client_name=name)))

    found = await documents.find(URL)
    assert found.client_name == shown


async def test_what_else_a_document_says_is_ignored_and_never_fetched(documents, internet):
    else_ = {name: f"https://{HOST}/{name}" for name in ("logo_uri", "client_uri", "policy_uri")}
    internet.serve(answers(document(**else_, jwks_uri=KEYS_URL, response_types=["code"])))

    await documents.find(URL)
    assert [request.url.path for request in internet.requests] == ["/oauth/metadata.json"]


@requirement("B28")
@pytest.mark.parametrize("content", table(REFUSED_DOCUMENTS))
async def test_a_document_that_describes_no_client_for_people_is_refused(
    documents, internet, content
):
    internet.serve(answers(content))

    with pytest.raises(DocumentRefused):
        await documents.find(URL)


@requirement("B28")
@pytest.mark.parametrize("body", table(REFUSED_BODIES))
async def test_what_is_not_json_is_refused(documents, internet, body):
    internet.serve(answers(body))

    with pytest.raises(DocumentRefused):
        await documents.find(URL)


@requirement("B28")
@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/client+json"])
async def test_a_document_of_a_json_type_is_accepted(documents, internet, kind):
    internet.serve(answers(document(), content_type=kind))

    assert (await documents.find(URL)).client_id == URL


@requirement("B28")
@pytest.mark.parametrize(
    "kind", ["", "text/html", "text/json", "application/jsonp", "application/xml, application/json"]
)
async def test_a_document_of_another_type_is_refused(documents, internet, kind):
    internet.serve(answers(document(), content_type=kind))

    with pytest.raises(DocumentRefused):
        await documents.find(URL)


async def test_the_key_set_that_a_document_points_to_is_fetched_by_the_same_rules(
    documents, internet
):
    internet.serve(answers(KEYS, content_type="application/jwk-set+json"))

    assert await documents.keys_at(KEYS_URL) == KEYS
    [request] = internet.requests
    assert (request.url.host, request.headers["host"]) == (ADDRESS, HOST)


@requirement("B28")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"keys": [PRIVATE_KEY]}, id="a private key"),
        pytest.param({"keys": []}, id="no keys"),
        pytest.param([PUBLIC_KEY], id="a list"),
        pytest.param(Body(b" " * 1024, endless=True), id="without end"),
    ],
)
async def test_a_key_set_that_cannot_be_trusted_is_refused(documents, internet, content):
    internet.serve(answers(content))

    with pytest.raises(DocumentRefused):
        await documents.keys_at(KEYS_URL)


@requirement("B29")
async def test_a_key_set_on_a_private_network_is_refused(documents, internet):
    internet.serve(answers(KEYS), HOST, "10.0.0.1")

    with pytest.raises(DocumentRefused):
        await documents.keys_at(KEYS_URL)
    assert internet.requests == []


@pytest.mark.parametrize("url", WELL_KNOWN)
async def test_a_built_in_document_is_one_that_its_maker_could_serve(documents, internet, url):
    host = url.split("/")[2]
    internet.serve(answers(WELL_KNOWN[url]), host)

    found = await documents.find(url)
    assert found.token_endpoint_auth_method == "none"
    for redirect_uri in found.redirect_uris:
        redirect_uris.check(redirect_uri, found.application_type)
