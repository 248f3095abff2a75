"""How a client that knows the MCP address alone finds out where and how to sign in.

Each deployment is tried in two layouts: an origin for each function, and one domain for all.
"""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from rally_mcp.crypto import s256_challenge
from tests.clients.browser_walk import walk
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import (
    AUTH_ORIGIN,
    MCP_ORIGIN,
    RALLY_ORIGIN,
    Deployment,
    Instance,
)
from tests.fixtures.oauth_client import REDIRECT_URI, told
from tests.fixtures.one_domain import ORIGIN, one_domain

WELL_KNOWN = "/.well-known"
RESOURCE_PATHS = ("/oauth-protected-resource/mcp", "/oauth-protected-resource")
SERVER_PATHS = ("/oauth-authorization-server", "/openid-configuration")
CODE_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

LIES = {
    "x-forwarded-host": "attacker.example",
    "x-forwarded-proto": "gopher",
    "x-forwarded-port": "666",
    "x-forwarded-prefix": "/attacker",
    "x-original-url": "/attacker",
    "x-rewrite-url": "/attacker",
    "forwarded": "host=attacker.example;proto=gopher",
    "origin": "https://attacker.example",
    "referer": "https://attacker.example/",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A deployment's newest instance, and the addresses that its settings give it."""

    instance: Instance
    mcp_url: str
    issuer: str

    async def resource_metadata(self, path: str, **headers: str) -> httpx.Response:
        return await self.instance.mcp.get(WELL_KNOWN + path, headers=headers)

    async def server_metadata(self, path: str, **headers: str) -> httpx.Response:
        return await self.instance.programs.get(self.issuer + WELL_KNOWN + path, headers=headers)

    async def post(self, access_token: str | None = None, **headers: str) -> httpx.Response:
        """Send an MCP request, with an access token where one is given."""
        if access_token:
            headers["authorization"] = f"Bearer {access_token}"
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        accept = {"accept": "application/json, text/event-stream"}
        return await self.instance.mcp.post(self.mcp_url, json=message, headers=accept | headers)


@pytest.fixture(params=["three origins", "one domain"])
def layout(request, deployment: Deployment) -> Layout:
    if request.param == "one domain":
        return Layout(one_domain(deployment).instances[-1], f"{ORIGIN}/mcp", ORIGIN)
    return Layout(deployment.instances[-1], f"{MCP_ORIGIN}/mcp", AUTH_ORIGIN)


async def authorize(
    layout: Layout, server: dict[str, Any], scope: str, browser: httpx.AsyncClient
) -> tuple[str, str]:
    """Register and sign in at the endpoints that were found; return client id and code."""
    programs = layout.instance.programs
    registered = await programs.post(
        server["registration_endpoint"], json={"redirect_uris": [REDIRECT_URI]}
    )
    client_id = registered.json()["client_id"]
    address = httpx.URL(
        server["authorization_endpoint"],
        params={
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": scope,
            "state": "af0ifjsldkj",
            "resource": layout.mcp_url,
            "code_challenge": s256_challenge(CODE_VERIFIER),
            "code_challenge_method": "S256",
        },
    )
    page = await walk(browser, str(address), stop_before=REDIRECT_URI)
    answer = told(page.response)

    assert answer["state"] == "af0ifjsldkj"
    assert answer["iss"] == server["issuer"]
    return client_id, answer["code"]


@requirement("B1", "B2", "B4")
async def test_a_client_that_knows_the_mcp_address_alone_can_sign_in(layout):
    challenge = (await layout.post()).headers["www-authenticate"]
    [found_at] = re.findall('resource_metadata="([^"]+)"', challenge)
    [scope] = re.findall('scope="([^"]+)"', challenge)
    resource = (await layout.instance.mcp.get(found_at)).json()
    [issuer] = resource["authorization_servers"]
    well_known = f"{issuer}{WELL_KNOWN}/oauth-authorization-server"
    server = (await layout.instance.programs.get(well_known)).json()
    client_id, code = await authorize(layout, server, scope, layout.instance.browser())

    granted = await layout.instance.programs.post(
        server["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": CODE_VERIFIER,
            "resource": resource["resource"],
        },
    )
    listed = await layout.post(granted.json()["access_token"])

    assert granted.json()["scope"] == scope
    assert "create_rally_story" in listed.text


@requirement("B1")
@pytest.mark.parametrize("path", RESOURCE_PATHS)
async def test_the_resources_metadata_stands_at_its_own_path_and_at_the_root(layout, path):
    answer = await layout.resource_metadata(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "resource": layout.mcp_url,
        "authorization_servers": [layout.issuer],
        "scopes_supported": ["rally:read", "rally:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Rally MCP",
    }


@requirement("B2")
@pytest.mark.parametrize("path", SERVER_PATHS)
async def test_the_servers_metadata_says_what_clients_look_for(layout, path):
    answer = await layout.server_metadata(path)
    document = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert document["issuer"] == layout.issuer
    assert not document["issuer"].endswith("/")
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["client_id_metadata_document_supported"] is True
    assert set(document["token_endpoint_auth_methods_supported"]) == {
        *("none", "client_secret_basic", "client_secret_post", "private_key_jwt"),
    }
    assert set(document["grant_types_supported"]) == {
        *("authorization_code", "refresh_token", "client_credentials"),
    }
    assert set(document["scopes_supported"]) == {"rally:read", "rally:write"}
    assert document["token_endpoint_auth_signing_alg_values_supported"]


@requirement("B2", "B25")
async def test_every_endpoint_is_below_the_issuer_and_answers(layout):
    document = (await layout.server_metadata(SERVER_PATHS[0])).json()
    endpoints = {name: url for name, url in document.items() if name.endswith("_endpoint")}

    answers = {name: await layout.instance.programs.post(url) for name, url in endpoints.items()}

    assert endpoints == {
        f"{name}_endpoint": f"{layout.issuer}/{path}"
        for name, path in [
            ("authorization", "authorize"),
            ("token", "token"),
            ("registration", "register"),
            ("revocation", "revoke"),
        ]
    }
    assert {answer.status_code for answer in answers.values()} <= {400, 401, 415}


@requirement("B2")
async def test_both_documents_of_the_server_are_the_same(layout):
    first, second = [await layout.server_metadata(path) for path in SERVER_PATHS]

    assert first.content == second.content


@requirement("B3")
@pytest.mark.parametrize("lie", LIES)
async def test_no_header_changes_what_is_discovered(layout, lie):
    for path in RESOURCE_PATHS:
        truth = await layout.resource_metadata(path)
        assert (await layout.resource_metadata(path, **{lie: LIES[lie]})).content == truth.content
    for path in SERVER_PATHS:
        truth = await layout.server_metadata(path)
        assert (await layout.server_metadata(path, **{lie: LIES[lie]})).content == truth.content


@requirement("B3")
async def test_the_name_that_a_request_was_sent_to_changes_nothing_either(layout):
    documents = [
        *[await layout.resource_metadata(path, host="attacker.example") for path in RESOURCE_PATHS],
        *[await layout.server_metadata(path, host="attacker.example") for path in SERVER_PATHS],
    ]

    assert {document.status_code for document in documents} == {200}
    assert "attacker" not in "".join(document.text for document in documents)


@requirement("B3", "B4")
@pytest.mark.parametrize("lie", sorted(set(LIES) - {"origin"}))
async def test_no_header_changes_the_challenge(layout, lie):
    truth = (await layout.post()).headers["www-authenticate"]

    answer = await layout.post(**{lie: LIES[lie]})

    assert answer.headers["www-authenticate"] == truth


@requirement("B3")
@pytest.mark.parametrize(
    ("header", "status"),
    [({"host": "attacker.example"}, 421), ({"origin": "https://attacker.example"}, 403)],
    ids=["host", "origin"],
)
async def test_who_comes_by_another_name_or_from_another_page_is_not_challenged(
    layout, header, status
):
    answer = await layout.post(**header)

    assert answer.status_code == status
    assert "www-authenticate" not in answer.headers
    assert "attacker" not in answer.text


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/mcp/health", "mcp_endpoint"),
        ("/auth/health", "auth_redirect"),
        ("/callback/health", "oauth_callback"),
    ],
)
async def test_on_one_domain_each_function_tells_its_health(deployment, path, function):
    browser = one_domain(deployment).instances[-1].browser()

    answer = await browser.get(ORIGIN + path)

    assert answer.json()["function"] == function


@requirement("B12")
async def test_the_cookie_of_a_consent_is_for_one_host_and_over_https_alone(layout):
    server = (await layout.server_metadata(SERVER_PATHS[0])).json()
    cookies: list[str] = []

    async def keep(answer: httpx.Response) -> None:
        if not str(answer.url).startswith(RALLY_ORIGIN):
            cookies.extend(answer.headers.get_list("set-cookie"))

    browser = layout.instance.browser()
    browser.event_hooks = {"response": [keep]}
    await authorize(layout, server, "rally:read", browser)
    shown, decided, taken = cookies

    prefix, secure = ("__Host-", "; Secure") if layout.issuer == ORIGIN else ("", "")
    attributes = f"; HttpOnly; Max-Age=1200; Path=/; SameSite=lax{secure}"
    assert re.fullmatch(rf"{prefix}rmcp_[0-9a-f]{{32}}=[A-Za-z0-9_-]{{43}}{attributes}", shown)
    assert decided == shown
    assert taken.startswith(f'{shown.partition("=")[0]}=""; ')
    assert "Max-Age=0" in taken
