"""Upstreams that take their time: every request is given up, as a whole, before it does harm.

No transport here has time-outs of its own, and each wait would end by itself, too late.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient
from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import UpstreamTimeout
from rally_mcp.http_client import new_client
from rally_mcp.identity_providers.rally import RALLY
from rally_mcp.identity_providers.token_endpoint import TOKEN_REQUEST_TIMEOUT, TokenEndpoint
from rally_mcp.secret_store import SecretReference, SecretStore
from rally_mcp.settings import Function
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID
from tests.fixtures.rally_wire import (
    TOKEN,
    WSAPI,
    Disturbance,
    Forward,
)
from tests.fixtures.skipped_time import SkippingLoop

STORIES = f"{WSAPI}/hierarchicalrequirement"
LEASE_SECONDS = 10
PATIENCE_OF_CLOUD_FUNCTIONS = 60
TOO_LONG = 75
"""Seconds, more than any request may take."""

SECONDS_BETWEEN_BYTES = 5

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def anyio_backend(clock) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": partial(SkippingLoop, clock)}


@pytest.fixture
def rally(clock) -> RallySimulator:
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], rotate_refresh_tokens=True)


def now() -> float:
    return asyncio.get_running_loop().time()


def takes(seconds: float) -> Disturbance:
    """The request takes so long to get to Rally."""

    async def disturb(request: httpx.Request, forward: Forward) -> httpx.Response:
        await anyio.sleep(seconds)
        return await forward(request)

    return disturb


class Dribble(httpx.AsyncByteStream):
    """A body that comes byte by byte, so that no single wait is long."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(TOO_LONG // SECONDS_BETWEEN_BYTES):
            await anyio.sleep(SECONDS_BETWEEN_BYTES)
            yield b" "


async def dribbles(_: httpx.Request, __: Forward) -> httpx.Response:
    """Rally's answer begins at once, and hardly goes on."""
    return httpx.Response(200, stream=Dribble())


class SlowSecrets(SecretStore):
    """A secret store whose every read takes five seconds, and whose secret was just rotated."""

    async def get(self, reference: SecretReference) -> str:
        await anyio.sleep(5)
        return "the old secret"

    async def reread(self, reference: SecretReference) -> str:
        await anyio.sleep(5)
        return await super().reread(reference)


@pytest.mark.parametrize("answer_begins_after", [0, 4], ids=["dribbling answer", "old secret"])
async def test_a_token_request_is_given_up_in_time_whatever_is_slow(
    deployment, clock, answer_begins_after
):
    async def handle(_: httpx.Request) -> httpx.Response:
        await anyio.sleep(answer_begins_after)
        if answer_begins_after:
            return httpx.Response(401, json={"error": "invalid_client"})
        return httpx.Response(200, stream=Dribble())

    provider = RALLY.declared(load(Function.OAUTH_CALLBACK, deployment.settings))
    secrets = SlowSecrets(clock=clock, environment=deployment.client_secret)
    started = now()

    async with new_client(mounts={"all://": httpx.MockTransport(handle)}) as http:
        with pytest.raises(UpstreamTimeout):
            await TokenEndpoint(lambda: http, secrets, clock).refresh(provider, "refresh token")

    assert now() - started == pytest.approx(TOKEN_REQUEST_TIMEOUT, abs=1)


async def test_a_refresh_slower_than_its_lease_never_uses_a_refresh_token_twice(
    deployment, ann, wire, rally, clock
):
    clock.advance(days=1)
    wire.disturb("POST", TOKEN, takes(LEASE_SECONDS + 2))
    elsewhere = ann.on(deployment.scale_out())

    answers = await asyncio.gather(*(chat.call("get_rally_user") for chat in (ann, elsewhere)))

    assert sorted(answer.status_code for answer in answers) == [200, 504]
    assert rally.stats.refreshes == 1
    assert rally.stats.refused_token_requests == 0


async def test_a_refresh_that_dribbles_keeps_the_sign_in(ann, wire, rally, clock):
    clock.advance(days=1)
    wire.disturb("POST", TOKEN, dribbles)

    late = await ann.call("get_rally_user")
    after = await ann.call("get_rally_user")

    assert (late.status_code, after.status_code) == (504, 200)
    assert rally.stats.refreshes == 1


@pytest.mark.parametrize(
    ("method", "tool", "argument"),
    [
        ("GET", "get_rally_issue", {"formatted_id": "US1"}),
        ("POST", "create_rally_story", {"title": "Slow"}),
    ],
    ids=["read", "create"],
)
async def test_a_call_is_answered_before_google_cuts_it_off(ann, wire, method, tool, argument):
    wire.disturb(method, STORIES, dribbles)
    started = now()

    answer = await ann.call(tool, **argument)

    assert now() - started < PATIENCE_OF_CLOUD_FUNCTIONS
    assert answer.status_code == 504
    assert ("look before you try again" in answer.json()["message"]) == (method == "POST")
    assert len(wire.sent(method, STORIES)) == 1


async def test_a_person_at_the_callback_does_not_wait_for_ever(deployment, wire):
    chat = deployment.caller(instance=-1)
    link = await chat.auth_url()
    wire.disturb("GET", f"{WSAPI}/user", dribbles)
    started = now()

    page = await chat.visit(link)

    assert page.response.status_code == 502
    assert now() - started < PATIENCE_OF_CLOUD_FUNCTIONS
