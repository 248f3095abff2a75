"""Clients of the simulated GitHub: a browser, two apps that sign users in, and REST clients."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from devtools.github_simulator import GitHubSimulator, RegisteredClient, create_app

ORIGIN = "http://github.test"
CALLBACK = "https://tools.example.com/callback"
APPS = (
    RegisteredClient("app-1", "secret-1", (CALLBACK, "http://127.0.0.1:9999/loop")),
    RegisteredClient("app-2", "secret-2", (CALLBACK,)),
)
CREDENTIALS = {"client_id": "app-1", "client_secret": "secret-1"}
OTHER_CREDENTIALS = {"client_id": "app-2", "client_secret": "secret-2"}
REQUEST = {
    "client_id": "app-1",
    "redirect_uri": CALLBACK,
    "state": "state-1",
    "scope": "repo read:user",
}


class GitHub:
    """A simulator and who talks to it; `browser` has no credentials and follows no redirect."""

    def __init__(self, simulator: GitHubSimulator, clients: AsyncExitStack) -> None:
        self.simulator = simulator
        self._app = create_app(simulator)
        self._clients = clients
        self.browser = self._client(ORIGIN)

    async def authorized(self, user: str = "ann", **changes: str) -> str:
        """Return the code that a user's consent brings."""
        form = {**REQUEST, **changes, "user": user, "decision": "allow"}
        response = await self.browser.post("/login/oauth/authorize", data=form)
        return answer_of(response)[1]["code"]

    async def exchanged(self, code: str, **changes: str) -> dict[str, Any]:
        """Return what the token endpoint says to a code."""
        return await self.asked(code=code, redirect_uri=CALLBACK, **changes)

    async def refreshed(self, refresh_token: str, **changes: str) -> dict[str, Any]:
        """Return what the token endpoint says to a refresh token."""
        return await self.asked(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    async def asked(self, **form: str) -> dict[str, Any]:
        """Return what the token endpoint says in JSON; its status is 200 whatever it says."""
        response = await self.browser.post(
            "/login/oauth/access_token",
            data=CREDENTIALS | form,
            headers={"Accept": "application/json"},
        )

        assert response.status_code == 200
        return dict(response.json())

    async def signed_in(self, user: str = "ann", **changes: str) -> dict[str, Any]:
        """Return the tokens of a user who signed in to an app."""
        return await self.exchanged(await self.authorized(user, **changes))

    async def client(self, user: str = "ann", **changes: str) -> httpx.AsyncClient:
        """Return a client of the REST API for a user who signed in."""
        return self.client_with((await self.signed_in(user, **changes))["access_token"])

    def client_with(self, access_token: str) -> httpx.AsyncClient:
        """Return a client of the REST API with this access token."""
        client = self._client(f"{ORIGIN}/api/v3")
        client.headers["Authorization"] = f"Bearer {access_token}"
        return client

    async def status_of(self, access_token: str) -> int:
        """Return what the REST API says to an access token."""
        return (await self.client_with(access_token).get("user")).status_code

    def _client(self, base_url: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self._app)
        client = httpx.AsyncClient(transport=transport, base_url=base_url)
        self._clients.push_async_callback(client.aclose)
        return client


@asynccontextmanager
async def connected(**switches: Any) -> AsyncIterator[GitHub]:
    """Make a simulator with two apps; `switches` are those of GitHubSimulator."""
    async with AsyncExitStack() as clients:
        yield GitHub(GitHubSimulator(clients=APPS, **switches), clients)


def answer_of(response: httpx.Response) -> tuple[str, dict[str, str]]:
    """Return where a browser is sent, and with which parameters."""
    assert response.status_code == 302
    location = urlsplit(response.headers["location"])
    return f"{location.scheme}://{location.netloc}{location.path}", dict(parse_qsl(location.query))
