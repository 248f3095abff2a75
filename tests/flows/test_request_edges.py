"""Requests at the edge: what goes wrong before a tool runs, and the headers around every answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.deployment import AUTH_ORIGIN, Caller, Deployment
from tests.fixtures.mcp_call import PROTOCOL_VERSION, list_over_mcp
from tests.fixtures.raw_http import ServedDeployment, served
from tests.fixtures.raw_mcp import LEGACY, MODERN, message_of, send

INTERNAL_ERROR = -32603


@pytest.fixture
def chat(deployment: Deployment) -> Caller:
    return deployment.caller()


@pytest.fixture
def endpoint(deployment: Deployment) -> ServedDeployment:
    return served(deployment)


async def breaking() -> AsyncIterator[bytes]:
    """Send half a message, then break as a server's own connection may."""
    yield b'{"jsonrpc": '
    raise OSError("a secret of the server")


async def test_what_breaks_before_mcp_begins_is_an_internal_error_of_json_rpc(chat):
    headers = {
        "Session-ID": chat.session_id,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": PROTOCOL_VERSION,
    }

    answer = await chat.instance.mcp.post("/mcp", content=breaking(), headers=headers)

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == INTERNAL_ERROR
    assert answer.json()["id"] is None
    assert "secret" not in answer.text


async def test_mcp_goes_on_after_all_that_ran_beside_it_was_cancelled(chat):
    before = asyncio.all_tasks()
    first = await list_over_mcp(chat)
    beside = asyncio.all_tasks() - before

    for task in beside:
        task.cancel()
    _, running = await asyncio.wait(beside, timeout=5)

    assert beside
    assert not running
    assert await list_over_mcp(chat) == first


@pytest.mark.parametrize(
    "pkce",
    [
        {"code_challenge": "c" * 43, "code_challenge_method": "plain"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "c" * 43},
    ],
    ids=["plain", "plain without challenge", "plain by default"],
)
async def test_a_method_but_s256_is_named_before_the_state_is_looked_at(chat, pkce):
    answer = await chat.instance.browser().get(
        f"{AUTH_ORIGIN}/auth",
        params={"state": "s" * 24, **pkce},
        headers={"Accept": "application/json"},
    )

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Unsupported code_challenge_method",
        "supported": ["S256"],
    }


async def test_a_401_challenges_and_starts_no_oauth_in_the_client(chat):
    answer = await chat.call("get_rally_user")

    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge
    assert not challenge.lower().startswith("bearer")


@pytest.mark.parametrize("path", ["/tools", "/tools/get_rally_user", "/openapi.json", "/health"])
async def test_no_answer_over_rest_is_kept_or_guessed_at(chat, path):
    method = "POST" if path.startswith("/tools/") else "GET"

    answer = await chat.instance.mcp.request(method, path, headers={"Session-ID": chat.session_id})

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("method", ["tools/list", "tools/call", "no/such/method"])
async def test_no_answer_over_mcp_is_kept_or_guessed_at(endpoint, era, method):
    params = {"name": "get_rally_user", "arguments": {}} if method == "tools/call" else {}

    answer = await send(endpoint, era, message_of(era, method, params))

    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_the_described_server_keeps_the_path_in_front_of_mcp(deploy):
    deployment = deploy(MCP_URL="https://h.example/rally/mcp")

    answer = await deployment.instances[0].mcp.get("/openapi.json")

    assert answer.json()["servers"] == [{"url": "https://h.example/rally"}]


@pytest.mark.parametrize(
    "variable",
    [
        "${{ secrets.SESSION_ID }}",
        "${input:id}",
        "$(uuidgen)",
        "{{id}}",
        "%ID%",
        "$COPILOT_MCP_SESSION_ID",
    ],
)
async def test_a_session_id_that_nobody_filled_in_is_told_apart(deployment, variable):
    answer = await deployment.caller(variable).call("get_rally_user")

    assert answer.status_code == 400
    assert "a variable that was not expanded" in answer.json()["message"]
    assert variable not in answer.text
