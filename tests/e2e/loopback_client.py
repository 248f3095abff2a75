"""An MCP client on this machine: opens a browser elsewhere, and listens for the answer itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from rally_mcp.crypto import s256_challenge
from tests.clients.dev_server import DevServer
from tests.e2e.chat import ANSWER_SECONDS

_PAGE = b"<!doctype html><title>Client</title><h1>Back at the client</h1>"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    % len(_PAGE)
)


@dataclass
class LoopbackClient:
    """A registered client. `told` is what came to its redirect URI."""

    server: DevServer
    redirect_uri: str
    told: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)
    client_id: str = ""
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def register(self, client_name: str = "Acme Editor") -> None:
        """Register, once more under another name where there is one already."""
        document = {"client_name": client_name, "redirect_uris": [self.redirect_uri]}
        answer = await self._post(f"{self.server.auth_url}/register", json=document)
        self.client_id = answer.json()["client_id"]

    def authorize_url(self) -> str:
        """Return the address that the client opens in a browser."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "resource": self.server.mcp_url,
            "code_challenge": s256_challenge(self.code_verifier),
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(f"{self.server.auth_url}/authorize", params=parameters))

    async def response(self) -> dict[str, str]:
        """Return what the browser brought, and check that it is an answer to this client."""
        async with asyncio.timeout(ANSWER_SECONDS):
            told = await self.told.get()
        assert told.pop("state") == self.state
        assert told.pop("iss") == self.server.auth_url
        return told

    async def user_name(self) -> str:
        """Redeem the code that came, and return whose Rally the client works in now."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.code_verifier,
            **await self.response(),
        }
        granted = await self._post(f"{self.server.auth_url}/token", data=form)
        answer = await self._post(
            f"{self.server.mcp_url.removesuffix('/mcp')}/tools/get_rally_user",
            headers={"Authorization": f"Bearer {granted.json()['access_token']}"},
        )
        return str(answer.json()["display_name"])

    async def _post(self, url: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
            answer = await http.post(url, **options)
        assert answer.is_success, answer.text
        return answer


@asynccontextmanager
async def listening(server: DevServer) -> AsyncIterator[LoopbackClient]:
    """Listen on a free port for as long as the block lasts, as a registered client."""
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    connections: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # opened and not used
            request_line = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0].decode()
            url = httpx.URL(request_line.split(" ")[1])
            if url.path == "/callback":
                told.put_nowait(dict(url.params))
            writer.write(_ANSWER + _PAGE)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        client = LoopbackClient(server, f"http://127.0.0.1:{port}/callback", told)
        await client.register()
        try:
            yield client
        finally:
            listener.close()
            await _close(connections)


async def _close(connections: list[asyncio.StreamWriter]) -> None:
    # A browser connects ahead of need: what was just accepted gets to its handler first.
    for _ in range(5):
        await asyncio.sleep(0)
    for connection in connections:
        connection.close()
        with suppress(ConnectionError):
            await connection.wait_closed()
