"""A simulated Rally with a clock that tests move, in-process and as a real server."""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn

from devtools.rally_simulator import RallySimulator, RegisteredClient, create_app

ORIGIN = "http://rally.test"
CALLBACK = "http://localhost:8082/callback"
CLIENT = RegisteredClient("client-1", "secret-1", (CALLBACK,))
CREDENTIALS = {"client_id": "client-1", "client_secret": "secret-1"}
TWO_CLIENTS = (
    RegisteredClient("client-1", "secret-1", (CALLBACK, "http://localhost:9999/callback")),
    RegisteredClient("client-2", "secret-2", (CALLBACK,)),
)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 13, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class OAuthClient:
    """The confidential client `client-1`; keyword arguments change what it sends."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def authorized(self, **changes):
        """Return an authorization code of a user who consents by themselves."""
        parameters = {
            "response_type": "code",
            "client_id": "client-1",
            "redirect_uri": CALLBACK,
            "state": "state-1",
            **changes,
        }
        response = await self.http.get("/login/oauth2/auth", params=parameters)
        return parse_qs(urlsplit(response.headers["location"]).query)["code"][0]

    async def exchanged(self, code, **changes):
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self._asked({**grant, **changes})

    async def refreshed(self, refresh_token, **changes):
        grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._asked({**grant, **changes})

    async def signed_in(self):
        return (await self.exchanged(await self.authorized())).json()

    async def status_of(self, access_token):
        """Return what the WSAPI says to a token."""
        headers = {"ZSESSIONID": access_token}
        return (await self.http.get("/slm/webservice/v2.0/user", headers=headers)).status_code

    async def _asked(self, form):
        return await self.http.post("/login/oauth2/token", data={**CREDENTIALS, **form})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> RallySimulator:
    return RallySimulator(clock=clock, clients=[CLIENT])


@pytest.fixture
async def browser_to() -> AsyncIterator[Callable[[RallySimulator], httpx.AsyncClient]]:
    """Make clients without credentials; redirects are not followed."""
    clients: list[httpx.AsyncClient] = []

    def connect(simulator: RallySimulator) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=create_app(simulator))
        clients.append(httpx.AsyncClient(transport=transport, base_url=ORIGIN))
        return clients[-1]

    yield connect
    for client in clients:
        await client.aclose()


@pytest.fixture
def rally(browser_to, clock):
    """Make a simulator in which Ann consents by herself, and an OAuth client for it."""

    def make(**switches):
        simulator = RallySimulator(clock=clock, clients=TWO_CLIENTS, auto_consent="ann", **switches)
        return simulator, OAuthClient(browser_to(simulator))

    return make


@pytest.fixture
def anonymous(simulator, browser_to) -> httpx.AsyncClient:
    return browser_to(simulator)


@pytest.fixture
def ann(simulator, browser_to) -> httpx.AsyncClient:
    """Make a WSAPI client that is signed in as Ann."""
    return _signed_in(browser_to(simulator), "_devann")


@pytest.fixture
def bob(simulator, browser_to) -> httpx.AsyncClient:
    return _signed_in(browser_to(simulator), "_devbob")


@pytest.fixture
def server(simulator) -> Iterator[str]:
    """Serve the simulator on a free port and give its host and port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        config = uvicorn.Config(create_app(simulator), log_level="warning", lifespan="off")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        thread.join(5)
        assert not thread.is_alive()


def _signed_in(client: httpx.AsyncClient, api_key: str) -> httpx.AsyncClient:
    client.headers["ZSESSIONID"] = api_key
    client.base_url = httpx.URL(f"{ORIGIN}/slm/webservice/v2.0/")
    return client
