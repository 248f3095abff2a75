"""An MCP client on this machine: opens a browser elsewhere, and listens for the answer itself."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import httpx

from rally_mcp.crypto import s256_challenge
from tests.clients.dev_server import DevServer
from tests.e2e.chat import ANSWER_SECONDS

_PAGE = b"<!doctype html><title>Client</title><h1>Back at the client</h1>"


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
    loop = asyncio.get_running_loop()
    with _Listener(lambda answer: loop.call_soon_threadsafe(told.put_nowait, answer)) as listener:
        client = LoopbackClient(server, f"http://127.0.0.1:{listener.server_port}/callback", told)
        await client.register()
        yield client


class _Listener(ThreadingHTTPServer):
    """Tells what the browser brings to /callback.

    It has a thread of its own: asyncio's server loses a connection that it accepted in the moment
    of its closing, and a browser connects ahead of need.
    """

    def __init__(self, tell: Callable[[dict[str, str]], object]) -> None:
        self.tell = tell
        self._connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Callback)
        self._thread = Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        for connection in self._connections:
            with suppress(OSError):  # most are closed by now
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address


class _Callback(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        url = httpx.URL(self.path)
        if url.path == "/callback":
            self.server.tell(dict(url.params))
        with suppress(ConnectionError):  # an impatient browser
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(_PAGE)))
            self.end_headers()
            self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
