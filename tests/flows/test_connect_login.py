"""How `rally-mcp connect` logs a machine client in: with what, how often, and at whom."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from devtools.machine_login import MachineLogin
from rally_mcp.errors import RallyMcpError
from tests.fixtures.deployment import AUTH_ORIGIN, MCP_ORIGIN, Deployment
from tests.fixtures.machine import (
    ConfidentialClient,
    add_machine,
    add_machine_with_key,
    administration,
)
from tests.fixtures.oauth_client import RESOURCE

RESOURCE_METADATA = f"{MCP_ORIGIN}/.well-known/oauth-protected-resource/mcp"
SERVER_METADATA = f"{AUTH_ORIGIN}/.well-known/oauth-authorization-server"
TOKEN_ENDPOINT = f"{AUTH_ORIGIN}/token"
USER = f"{MCP_ORIGIN}/tools/get_rally_user"


@dataclass(slots=True)
class Wire(httpx2.AsyncBaseTransport):
    """Carries requests into a deployment of this process, and counts them."""

    deployment: Deployment
    changed: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    """What somebody makes of the answers at an address."""
    refused: set[str] = field(default_factory=set)
    """Addresses that take no access token."""
    sent: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = str(request.url)
        self.sent.append(url)
        if url in self.refused:
            return httpx2.Response(401, request=request)
        instance = self.deployment.instances[0]
        http = instance.mcp if url.startswith(MCP_ORIGIN) else instance.programs
        headers = dict(request.headers)
        answer = await http.request(
            request.method, url, content=await request.aread(), headers=headers
        )
        content = answer.content
        if change := self.changed.get(url):
            content = json.dumps(change(answer.json())).encode()
        return httpx2.Response(answer.status_code, content=content, request=request)

    @property
    def logins(self) -> int:
        """How often an access token was asked for."""
        return self.sent.count(TOKEN_ENDPOINT)


@dataclass(frozen=True, slots=True)
class Bot:
    """Calls tools as a machine client."""

    http: httpx2.AsyncClient

    async def call(self, tool: str, **arguments: object) -> httpx2.Response:
        return await self.http.post(f"{MCP_ORIGIN}/tools/{tool}", json=arguments)

    async def user(self) -> str:
        """Return who Rally says it is."""
        answer = await self.call("get_rally_user")

        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine_with_key(deployment)


@pytest.fixture
def wire(deployment: Deployment) -> Wire:
    return Wire(deployment)


@asynccontextmanager
async def bot_of(wire: Wire, machine: ConfidentialClient, **more: Any) -> AsyncIterator[Bot]:
    clock = wire.deployment.clock
    login = MachineLogin(
        **{
            "resource": RESOURCE,
            "client_id": machine.client_id,
            "client_secret": machine.secret,
            "clock": lambda: clock().timestamp(),
            **more,
        }
    )
    async with httpx2.AsyncClient(transport=wire, auth=login) as http:
        yield Bot(http)


async def test_it_finds_the_authorization_server_by_the_metadata_of_the_endpoint(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine) as bot:
        await bot.user()

    assert wire.sent[:3] == [RESOURCE_METADATA, SERVER_METADATA, TOKEN_ENDPOINT]


async def test_it_may_do_all_that_the_client_was_given(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine) as bot:
        created = await bot.call("create_rally_story", title="By night")

    assert created.status_code == 200, created.text


async def test_a_client_that_was_given_less_than_there_is_can_read(
    wire: Wire, machine: ConfidentialClient
) -> None:
    key = "env:RALLY_KEY_OF_NIGHTLY"
    reader = await add_machine(wire.deployment, scopes=("rally:read",), rally_api_key=key)
    async with bot_of(wire, reader) as bot:
        await bot.user()
        refused = await bot.call("create_rally_story", title="By night")

    assert refused.status_code == 403


async def test_it_asks_for_the_scope_that_it_was_told(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine, scope="rally:read") as bot:
        await bot.user()
        refused = await bot.call("create_rally_story", title="By night")

    assert refused.status_code == 403


async def test_an_access_token_is_used_until_a_minute_before_its_end(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine) as bot:
        await bot.user()
        wire.deployment.clock.advance(minutes=58, seconds=59)
        await bot.user()
        before = wire.logins
        wire.deployment.clock.advance(seconds=1)
        await bot.user()

    assert (before, wire.logins) == (1, 2)


async def test_a_refused_access_token_is_renewed_and_the_call_repeated(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine) as bot:
        answer = await bot.call("get_rally_user")
        used = answer.request.headers["Authorization"].removeprefix("Bearer ")
        await machine.revoke(used)
        await bot.user()

    assert wire.logins == 2


async def test_a_call_that_is_refused_again_is_given_up(
    wire: Wire, machine: ConfidentialClient
) -> None:
    wire.refused.add(USER)

    async with bot_of(wire, machine) as bot:
        answer = await bot.call("get_rally_user")

    assert answer.status_code == 401
    assert wire.sent.count(USER) == 2
    assert wire.logins == 2


async def test_a_client_that_was_disabled_is_told_so_without_its_secret(
    wire: Wire, machine: ConfidentialClient
) -> None:
    async with bot_of(wire, machine) as bot:
        await bot.user()
        await administration(wire.deployment).set_disabled(machine.client_id, disabled=True)
        with pytest.raises(RallyMcpError, match="invalid_client") as refused:
            await bot.user()

    assert wire.logins == 2
    assert machine.secret not in refused.value.message


@pytest.mark.parametrize(
    ("address", "change"),
    [
        (RESOURCE_METADATA, lambda metadata: {**metadata, "resource": "https://a.example/mcp"}),
        (RESOURCE_METADATA, lambda metadata: {"resource": metadata["resource"]}),
        (
            RESOURCE_METADATA,
            lambda metadata: {**metadata, "authorization_servers": ["http://a.example"]},
        ),
        (SERVER_METADATA, lambda metadata: {**metadata, "issuer": "https://a.example"}),
        (SERVER_METADATA, lambda metadata: {**metadata, "token_endpoint": "http://a.example/t"}),
        (SERVER_METADATA, lambda _: []),
    ],
    ids=[
        "another resource",
        "no server",
        "an issuer without https",
        "another issuer",
        "no https",
        "no metadata",
    ],
)
async def test_a_secret_goes_to_nobody_whom_the_metadata_does_not_vouch_for(
    wire: Wire, machine: ConfidentialClient, address: str, change: Callable[..., Any]
) -> None:
    wire.changed[address] = change

    async with bot_of(wire, machine) as bot:
        with pytest.raises(RallyMcpError):
            await bot.user()

    assert wire.sent[-1] == address
    assert wire.logins == 0


async def test_the_secret_stands_in_no_repr(machine: ConfidentialClient) -> None:
    login = MachineLogin(RESOURCE, machine.client_id, machine.secret)

    assert machine.secret not in repr(login)
