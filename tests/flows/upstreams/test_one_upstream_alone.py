"""Any upstream alone is a whole deployment, with both ways of signing in to it."""

import pytest

from rally_mcp.identity_providers.registry import UPSTREAMS
from tests.fixtures.connections import PROBES, connections
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.mcp_call import call_over_mcp, list_over_mcp
from tests.fixtures.oauth_client import RESOURCE, new_client
from tests.fixtures.token_answers import INTERFACES, call_over, is_invalid_token
from tests.fixtures.upstream_contract import PROVIDERS, declared

RESOURCE_METADATA = "/.well-known/oauth-protected-resource/mcp"
SERVER_METADATA = f"{AUTH_ORIGIN}/.well-known/oauth-authorization-server"


@pytest.fixture(params=PROVIDERS)
def upstream(request) -> str:
    return str(request.param)


@pytest.fixture
def deployment(deploy_with, upstream) -> Deployment:
    return deploy_with(upstream)


@pytest.fixture(autouse=True)
def nobody_else_is_asked(rally, github, entra_id, yata, upstream):
    """Check after each test that no upstream but the one was asked anything."""
    yield
    simulators = {"rally": rally, "github": github, "entra_id": entra_id, "yata": yata}
    del simulators[upstream]
    assert [simulator.stats.requests for simulator in simulators.values()] == [[]] * 3


async def test_a_chat_signs_in_by_link_and_code_and_works_and_signs_out(deployment, upstream):
    chat, title = deployment.caller(), declared(upstream).title
    page = await chat.visit(await chat.auth_url(PROBES[upstream]))

    confirmed = await chat.call("complete_sign_in", code=page.code)
    worked = await call_over_mcp(chat, PROBES[upstream])
    told = await connections(chat)
    signed_out = await chat.call("sign_out")
    after = await chat.call(PROBES[upstream])

    assert title in page.response.text
    assert "Ann Archer" in page.response.text
    assert confirmed.json()["message"].startswith("Signed in as Ann Archer")
    assert not worked["isError"]
    assert told == {upstream: "signed_in"}
    assert signed_out.json()["message"].startswith(f"Signed out of {title}. Tokens are deleted.")
    assert after.status_code == 401


async def test_a_client_discovers_registers_signs_in_and_works(deployment, upstream):
    client = new_client(deployment, scope=None)
    challenge = (await client.instance.mcp.post("/mcp", json={})).headers["www-authenticate"]
    resource = (await client.instance.mcp.get(RESOURCE_METADATA)).json()
    server = (await client.instance.programs.get(SERVER_METADATA)).json()
    registered = await client.register()

    tokens = await client.sign_in()
    answers = [
        await call_over(each, client, tokens["access_token"], PROBES[upstream])
        for each in INTERFACES
    ]

    scopes = list(UPSTREAMS[upstream].permissions)
    assert f'resource_metadata="{RESOURCE.removesuffix("/mcp")}{RESOURCE_METADATA}"' in challenge
    assert f'scope="{" ".join(scopes)}"' in challenge
    assert resource["scopes_supported"] == server["scopes_supported"] == scopes
    assert resource["authorization_servers"] == [server["issuer"]] == [AUTH_ORIGIN]
    assert registered.status_code == 201
    assert tokens["scope"] == " ".join(scopes)
    assert [answer.status_code for answer in answers] == [200] * len(INTERFACES)


async def test_a_client_that_refreshes_works_on(deployment, upstream, clock):
    client = new_client(deployment, scope=None)
    tokens = await client.sign_in()
    clock.advance(hours=2)

    expired = await client.call(tokens["access_token"], PROBES[upstream])
    renewed = (await client.refresh(tokens["refresh_token"])).json()["access_token"]
    answer = await client.call(renewed, PROBES[upstream])

    assert is_invalid_token(expired)
    assert answer.status_code == 200


async def test_who_declines_is_no_further_than_before(deployment, upstream):
    client, chat = new_client(deployment, scope=None), deployment.caller()

    told = await client.authorize(decision="deny")
    page = await chat.visit(await chat.auth_url(PROBES[upstream]), decision="deny")
    again = await chat.call(PROBES[upstream])

    assert told["error"] == "access_denied"
    assert "code" not in told
    assert not page.code
    assert "was declined in the browser" in again.json()["error_description"]


async def test_models_are_told_where_they_work(deployment, upstream):
    chat = deployment.caller()

    tools = await list_over_mcp(chat)
    answer = await chat.instance.mcp.post(
        "/mcp",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        headers={
            "Session-ID": chat.session_id,
            "Accept": "application/json, text/event-stream",
        },
    )

    told = answer.json()["result"]
    assert f"Tools work in {declared(upstream).title} as the signed-in user" in told["instructions"]
    assert told["serverInfo"]["title"] == "Rally MCP"
    assert PROBES[upstream] in {tool["name"] for tool in tools}
