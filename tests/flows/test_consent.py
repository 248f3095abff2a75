"""The consent page: what it says, what it keeps to itself, and that showing it changes nothing."""

import base64
import hashlib
import html
import re
from http.cookies import SimpleCookie

import httpx
import pytest

from rally_mcp.authorization_server.authorization import AuthorizationRequest
from rally_mcp.authorization_server.client_administration import ClientAdministration, NewClient
from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS, ClientRecord
from rally_mcp.authorization_server.clients import OAuthClient as KnownClient
from rally_mcp.bootstrap.configuration import load
from rally_mcp.identity_providers.registry import PERMISSIONS, UPSTREAMS
from rally_mcp.settings import Function
from rally_mcp.storage.collection import Collection
from rally_mcp.web.consent_page import consent_page
from tests.clients.browser_walk import CODE_ELEMENT, Page
from tests.conformance.requirements import requirement
from tests.fixtures.counting_store import counted
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_ORIGIN, RALLY_ORIGIN, Deployment
from tests.fixtures.oauth_client import REDIRECT_URI, RESOURCE, new_client
from tests.fixtures.one_domain import one_domain

READING, WRITING = "Read what you can read in Rally", "Create and change work in Rally"
UNVERIFIED = "Unverified. The client chose this name itself."
HERE = "a program on this computer"
MARKUP = '<script>alert("x")</script><img src=x onerror=alert(1)>'


async def shown(deployment: Deployment, scope: str | None = None, **metadata: object) -> Page:
    """Register a client and open its consent page."""
    [redirect_uri] = metadata.get("redirect_uris", [REDIRECT_URI])
    client = new_client(deployment, redirect_uri=redirect_uri, scope=scope)
    await client.register(**metadata)
    return await client.consent_page(client.instance.browser())


def text_of(answer: httpx.Response) -> str:
    """Return what a person reads."""
    [body] = re.findall(r"<body>(.*)</body>", answer.text, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).split())


@requirement("B11")
async def test_the_page_says_who_asks_for_what_and_where_the_answer_goes(deployment):
    page = await shown(deployment, client_name="Acme Editor")
    text = text_of(page.response)

    assert page.response.status_code == 200
    assert "<h1>Let Acme Editor work in Rally?</h1>" in page.response.text
    assert UNVERIFIED in text
    assert f"127.0.0.1:33418, {HERE}" in text
    assert READING in text
    assert WRITING in text
    assert "Allow and sign in to Rally" in text


@requirement("B11")
@pytest.mark.parametrize(
    ("redirect_uri", "shown_as"),
    [
        ("https://client.example/callback", "client.example"),
        ("https://client.example:8443/callback", "client.example:8443"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"),
    ],
)
async def test_where_the_answer_goes_is_told_in_what_a_person_can_judge(
    deployment, redirect_uri, shown_as
):
    text = text_of((await shown(deployment, redirect_uris=[redirect_uri])).response)

    assert f"Where it gets the answer {shown_as} " in text
    assert HERE not in text


@requirement("B11")
@pytest.mark.parametrize(
    ("scope", "says", "says_not"),
    [("rally:read", READING, WRITING), ("rally:write", WRITING, READING)],
)
async def test_only_what_is_asked_for_is_listed(deployment, scope, says, says_not):
    text = text_of((await shown(deployment, scope)).response)

    assert says in text
    assert says_not not in text


@requirement("B11")
async def test_a_client_without_a_name_is_called_so(deployment):
    page = await shown(deployment)
    unnamed = await shown(deployment, client_name="\u200b")

    assert "Let Test Client work in Rally?" in page.response.text
    assert "Let an MCP client without a name work in Rally?" in unnamed.response.text


@requirement("B11")
async def test_a_client_that_an_administrator_added_is_vouched_for(deployment):
    records = Collection(deployment.instances[0].store, OAUTH_CLIENTS, ClientRecord)
    added = await ClientAdministration(records, deployment.clock).add(
        NewClient("registered", "Acme Portal", "none", ("rally:read",), (REDIRECT_URI,))
    )
    client = new_client(deployment, client_id=added.client_id, scope="rally:read")

    text = text_of((await client.consent_page(client.instance.browser())).response)

    assert "Let Acme Portal work in Rally?" in text
    assert "A client that your administrator added." in text
    assert "Unverified" not in text


@requirement("B11")
async def test_a_client_with_a_metadata_document_is_named_by_the_host_of_it(deployment):
    settings = load(Function.AUTH_REDIRECT, deployment.settings)
    client_id = "https://editor.example/oauth/client-metadata.json"
    client = KnownClient(client_id, "document", "Editor", (REDIRECT_URI,), "none")
    asked = AuthorizationRequest(client, REDIRECT_URI, None, ("rally:read",), RESOURCE, "x" * 43)

    answer = consent_page(
        asked,
        provider=UPSTREAMS["rally"].declared(settings),
        permissions=PERMISSIONS,
        fields=[],
        form_action=["'self'"],
    )

    assert "A client of <strong>editor.example</strong>." in answer.body.decode()
    assert "Unverified" not in answer.body.decode()


@requirement("B27")
async def test_what_a_client_calls_itself_is_text_on_the_page(deployment):
    page = await shown(deployment, client_name=MARKUP, logo_uri="https://client.example/logo.png")
    tags = re.findall(r"<(?:script|iframe|img|link|a)\b", page.response.text)

    assert f"Let {MARKUP} work in Rally?" in text_of(page.response)
    assert tags == []
    assert "logo.png" not in page.response.text


@requirement("A7", "B10")
async def test_the_page_is_safe_in_itself_and_its_form_may_reach_the_client(deployment):
    answer = (await shown(deployment, redirect_uris=["http://127.0.0.1:33418/callback"])).response
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    form_action = policy.pop("form-action").split(" ")

    assert answer.headers["referrer-policy"] == "same-origin"
    assert {
        "cache-control": "no-store",
        "pragma": "no-cache",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
        "cross-origin-opener-policy": "same-origin",
        "strict-transport-security": "max-age=31536000",
        "content-type": "text/html; charset=utf-8",
    }.items() <= answer.headers.items()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{style_hash}'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert set(form_action) == {
        *("'self'", "https:", "http://127.0.0.1:33418", RALLY_ORIGIN, CALLBACK_ORIGIN),
    }


@requirement("A7")
async def test_in_production_the_form_may_reach_https_and_the_client_alone(deployment):
    deployment.settings["RALLY_URL"] = "https://rally1.rallydev.com"
    client = new_client(deployment)
    await client.register()

    browser = one_domain(deployment).instances[-1].browser()

    answer = await browser.get("/authorize", params=client.request(resource=None))

    assert answer.status_code == 200
    assert re.findall("form-action ([^;]*);", answer.headers["content-security-policy"]) == [
        "'self' https: http://127.0.0.1:33418"
    ]


@requirement("B10")
async def test_the_page_is_a_plain_form_with_two_buttons(deployment):
    page = await shown(deployment)
    buttons = re.findall(r"<button ([^>]*)>", page.response.text)

    assert '<form method="post" action="/authorize">' in page.response.text
    assert [re.findall(r'name="(\w+)" value="(\w+)"', each) for each in buttons] == [
        [("decision", "allow")],
        [("decision", "deny")],
    ]
    assert re.findall(r"<[^>]*\s(?:on\w+|src|href|style)\s*=", page.response.text) == []
    assert CODE_ELEMENT not in page.response.text


@requirement("B12")
async def test_the_secret_of_the_cookie_is_not_on_the_page(deployment):
    answer = (await shown(deployment)).response
    [cookie] = SimpleCookie(answer.headers["set-cookie"]).values()

    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert len(cookie.value) == 43
    assert cookie.value not in answer.text


@requirement("B10")
async def test_showing_the_page_writes_nothing_however_often(deployment):
    store, _ = counted(deployment)
    client = new_client(deployment)
    await client.register()
    store.forget()
    browser = client.instance.browser()

    pages = [await client.consent_page(browser) for _ in range(10)]

    assert {page.response.status_code for page in pages} == {200}
    assert store.writes == 0
    assert len({page.form.fields["grant"] for page in pages if page.form}) == 10
    assert len(browser.cookies) == 10


@requirement("B10")
@pytest.mark.parametrize("more", [{}, {"prompt": "none"}, {"decision": "allow"}])
async def test_who_allowed_a_client_before_is_asked_again(deployment, more):
    client = new_client(deployment)
    await client.register()
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    await client.through_rally(browser, address)

    page = await client.consent_page(browser, **more)

    assert page.response.status_code == 200
    assert "Allow and sign in to Rally" in page.response.text


@requirement("C10")
async def test_one_address_may_open_so_many_pages_and_is_told_when_it_may_again(deployment):
    client = new_client(deployment)
    await client.register()
    browser = client.instance.browser()
    url, parameters = f"{AUTH_ORIGIN}/authorize", client.request()

    answers = [await browser.get(url, params=parameters) for _ in range(301)]
    deployment.clock.advance(seconds=int(answers[-1].headers["retry-after"]))
    again = await browser.get(url, params=parameters)

    assert [answer.status_code for answer in answers] == [200] * 300 + [429]
    assert "Too many requests" in answers[-1].text
    assert again.status_code == 200
