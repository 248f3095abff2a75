from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.clients.browser_walk import confirmation_code
from tests.clients.dev_server import DevServer

STORY = {"title": "Pay by card", "points": 3}


@pytest.fixture(params=[("legacy", "2025-11-25"), ("auto", "2026-07-28")], ids=lambda era: era[1])
async def client(request, dev_server: DevServer, session_id: str) -> AsyncIterator[Client]:
    """A client of each era of the protocol, in a session that has never signed in."""
    mode, version = request.param
    async with connected(dev_server.mcp_url, session_id, mode) as client:
        assert version == client.protocol_version
        yield client


@asynccontextmanager
async def connected(mcp_url: str, session_id: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Session-ID": session_id}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http_client:
        transport = streamable_http_client(mcp_url, http_client=http_client)
        async with Client(transport, mode=mode, read_timeout_seconds=30) as client:
            yield client


async def test_the_auth_url_arrives_as_text_and_as_data(
    client: Client, dev_server: DevServer
) -> None:
    answer = await client.call_tool("create_rally_story", STORY)

    assert answer.is_error
    assert {"error", "error_description", "auth_url", "instructions"} <= set(
        answer.structured_content
    )
    auth_url = answer.structured_content["auth_url"]
    assert auth_url.startswith(f"{dev_server.auth_url}/auth?state=")
    assert auth_url in answer.content[0].text.splitlines()


async def test_the_story_can_be_created_and_read_after_sign_in(client: Client) -> None:
    await _sign_in(client)

    created = await client.call_tool("create_rally_story", STORY)
    formatted_id = created.structured_content["story"]["formatted_id"]
    read = await client.call_tool("get_rally_issue", {"formatted_id": formatted_id})

    assert not created.is_error
    assert not read.is_error
    assert STORY["title"] in read.content[0].text


async def test_a_session_that_signed_out_is_asked_to_sign_in_again(client: Client) -> None:
    await _sign_in(client)

    await client.call_tool("sign_out", {})
    answer = await client.call_tool("get_rally_user", {})

    assert answer.is_error
    assert "auth_url" in answer.structured_content


async def _sign_in(client: Client) -> None:
    refused = await client.call_tool("create_rally_story", STORY)
    code = await confirmation_code(refused.structured_content["auth_url"])
    accepted = await client.call_tool("complete_sign_in", {"code": code})
    assert not accepted.is_error, accepted.content
