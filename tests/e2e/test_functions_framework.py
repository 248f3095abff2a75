"""functions-framework calls the ASGI application that a function returns, which no manual promises.

Each function runs as it is deployed, in a functions-framework process of its own.
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.clients.dev_server import DevServer
from tests.e2e.chat import ANSWER_SECONDS, Chat

MEBIBYTE = 1024 * 1024
FUNCTIONS = ("mcp_endpoint", "auth_redirect", "oauth_callback")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
        yield http


@pytest.fixture
def origins(dev_server: DevServer) -> dict[str, str]:
    """Where each function answers."""
    urls = (dev_server.mcp_url, dev_server.auth_url, dev_server.callback_url)
    return {
        function: str(httpx.URL(url).copy_with(path="")).rstrip("/")
        for function, url in zip(FUNCTIONS, urls, strict=True)
    }


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_the_application_answers_for_the_function(function, origins, http) -> None:
    answer = await http.get(f"{origins[function]}/health")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["function"] == function


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_an_unknown_path_is_answered_by_the_application(function, origins, http) -> None:
    answer = await http.get(f"{origins[function]}/no/such/path")

    assert answer.status_code == 404
    assert answer.json() == {"error": "Not Found", "message": "There is nothing at this path."}


@pytest.mark.parametrize(
    ("function", "method", "path", "allowed"),
    [
        ("mcp_endpoint", "GET", "/mcp", "POST"),
        ("mcp_endpoint", "DELETE", "/mcp", "POST"),
        ("mcp_endpoint", "GET", "/tools/get_rally_user", "POST"),
        ("auth_redirect", "POST", "/auth", "GET"),
        ("auth_redirect", "OPTIONS", "/auth", "GET"),
        ("oauth_callback", "POST", "/callback", "GET"),
        ("oauth_callback", "PUT", "/oauth/callback", "GET"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_refused(
    function, method, path, allowed, origins, http
) -> None:
    answer = await http.request(method, f"{origins[function]}{path}")

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert "Method Not Allowed" in answer.text


@pytest.mark.parametrize("path", ["/mcp", "/tools/create_rally_story"])
@pytest.mark.parametrize("chunks", [1, 2], ids=["declared", "chunked"])
async def test_a_body_of_more_than_a_mebibyte_is_refused(
    path, chunks, chat: Chat, origins, http
) -> None:
    body = b" " * (MEBIBYTE + 2)

    answer = await http.post(
        f"{origins['mcp_endpoint']}{path}",
        content=body if chunks == 1 else _in_chunks(body),
        headers={"Session-ID": chat.session_id, "Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert "Content Too Large" in answer.text


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    half = len(body) // 2
    yield body[:half]
    yield body[half:]
