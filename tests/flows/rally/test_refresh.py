"""Refreshing: once across all instances, whoever is killed, signs out or hangs up meanwhile.

This Rally rotates refresh tokens and ends a sign-in whose old one comes again, so that a second
refresh with the same token would show.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from devtools.rally_simulator import Fault, RallySimulator, RegisteredClient
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Caller, Deployment
from tests.fixtures.rally_wire import (
    TOKEN,
    WSAPI,
    Forward,
    Wire,
    WiredDeployment,
    fails,
    holds,
    wired,
)
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.watched_store import Updates, WatchedStore

LEASE_SECONDS = 10
ENDED = "The upstream ended the last sign-in."


@pytest.fixture
def rally(clock) -> RallySimulator:
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], rotate_refresh_tokens=True)


@pytest.fixture
def updates() -> Updates:
    return Updates()


@pytest.fixture
def deployment(
    deploy: Callable[..., Deployment], clock, updates, tmp_path: Path
) -> WiredDeployment:
    def new_store() -> WatchedStore:
        return WatchedStore(updates, tmp_path / "watched.db", clock=clock)

    return wired(deploy(new_store, **WITHOUT_CODE))


@pytest.fixture
def elsewhere(deployment: WiredDeployment, ann: Caller) -> Caller:
    """The same chat, served by another instance."""
    return ann.on(deployment.scale_out())


@pytest.fixture
def expired(ann: Caller, clock) -> None:
    """Ann's access token has ended; her refresh token has not."""
    clock.advance(days=1)


async def ask(chat: Caller) -> httpx.Response:
    """Call a tool that needs Rally; it may wait for a refresh, for 5 s at most."""
    async with asyncio.timeout(5):
        return await chat.call("get_rally_user")


def begin(chat: Caller) -> asyncio.Task[httpx.Response]:
    """Call a tool that needs Rally, and go on at once."""
    return asyncio.create_task(ask(chat))


async def refreshing(wire: Wire, count: int = 1) -> None:
    """Wait until so many refreshes have left, after the one exchange of the sign-in."""
    await wire.arrived(1 + count, "POST", TOKEN)


@pytest.mark.usefixtures("expired")
async def test_fifty_calls_on_two_instances_refresh_once(ann, elsewhere, wire, rally, updates):
    released = asyncio.Event()
    wire.disturb("POST", TOKEN, holds(released))

    calls = [begin(chat) for chat in (ann, elsewhere) for _ in range(25)]
    await updates.more(50)
    released.set()
    answers = await asyncio.gather(*calls)

    assert [answer.status_code for answer in answers] == [200] * 50
    assert rally.stats.refreshes == 1
    assert rally.stats.refused_token_requests == 0


async def test_calls_whose_token_is_refused_at_once_refresh_once(ann, elsewhere, wire, rally):
    released = anyio.Event()
    user = f"{WSAPI}/user"
    rally.faults.add(Fault(path_prefix=user, status=401, count=20, hold=released))
    before = len(wire.sent("GET", user))

    calls = [begin(chat) for chat in (ann, elsewhere) for _ in range(10)]
    await wire.arrived(before + 20, "GET", user)
    released.set()
    answers = await asyncio.gather(*calls)

    assert [answer.status_code for answer in answers] == [200] * 20
    assert rally.stats.refreshes == 1
    assert rally.stats.refused_token_requests == 0


async def test_nobody_waits_for_a_refresh_ahead_of_time(ann, elsewhere, wire, rally, clock):
    clock.advance(days=1, seconds=-30)
    released = asyncio.Event()
    wire.disturb("POST", TOKEN, holds(released))

    refresher = begin(ann)
    await refreshing(wire)
    meanwhile = [await ask(chat) for chat in (ann, elsewhere)]
    released.set()
    answer = await refresher

    assert [answer.status_code for answer in meanwhile] == [200, 200]
    assert answer.status_code == 200
    assert rally.stats.refreshes == 1


async def test_a_refresh_ahead_of_time_that_fails_harms_no_call(ann, wire, clock):
    clock.advance(days=1, seconds=-30)
    wire.disturb("POST", TOKEN, fails(httpx.ReadTimeout))

    answer = await ask(ann)

    assert answer.status_code == 200


@pytest.mark.usefixtures("expired")
async def test_others_take_over_from_an_instance_that_was_killed_before_it_reached_rally(
    ann, elsewhere, wire, rally, clock, updates
):
    wire.disturb("POST", TOKEN, holds(asyncio.Event()))
    await _killed(begin(ann), refreshing(wire))

    waiting = begin(elsewhere)
    await updates.more(2)
    was_waiting = not waiting.done()
    refreshes_until_then = rally.stats.refreshes
    clock.advance(seconds=LEASE_SECONDS)
    answer = await waiting

    assert was_waiting
    assert refreshes_until_then == 0
    assert answer.status_code == 200
    assert rally.stats.refreshes == 1


@pytest.mark.usefixtures("expired")
async def test_rotated_tokens_that_died_with_their_instance_cost_a_new_sign_in(
    ann, elsewhere, wire, rally, clock
):
    carried_out = asyncio.Event()

    async def never_answers(request: httpx.Request, forward: Forward) -> httpx.Response:
        await forward(request)
        carried_out.set()
        await asyncio.Event().wait()
        raise AssertionError

    wire.disturb("POST", TOKEN, never_answers)
    await _killed(begin(ann), carried_out.wait())
    clock.advance(seconds=LEASE_SECONDS)

    refused = await ask(elsewhere)
    await sign_in(ann)
    answer = await ask(elsewhere)

    assert refused.status_code == 401
    assert refused.json()["error_description"].startswith(ENDED)
    assert answer.status_code == 200
    assert rally.stats.refused_token_requests == 1


@pytest.mark.usefixtures("expired")
async def test_a_failed_refresh_is_nobody_elses(ann, elsewhere, wire, rally):
    released = asyncio.Event()

    async def breaks_later(request: httpx.Request, _: Forward) -> httpx.Response:
        await released.wait()
        raise httpx.ConnectError("broken", request=request)

    wire.disturb("POST", TOKEN, breaks_later)
    first = begin(ann)
    await refreshing(wire)
    waiting = begin(elsewhere)
    released.set()

    assert (await first).status_code == 503
    assert (await waiting).status_code == 200
    assert rally.stats.refreshes == 1


@pytest.mark.usefixtures("expired")
async def test_a_sign_out_during_a_refresh_stays_a_sign_out(ann, elsewhere, wire):
    released = asyncio.Event()
    wire.disturb("POST", TOKEN, holds(released))

    refresher = begin(ann)
    await refreshing(wire)
    signed_out = await elsewhere.call("sign_out")
    released.set()
    answer = await refresher
    after = await ask(elsewhere)

    assert signed_out.status_code == 200
    assert answer.status_code == 401
    assert after.status_code == 401


@pytest.mark.usefixtures("expired")
async def test_a_sign_in_during_a_refresh_stays_whose_it_is(ann, elsewhere, wire):
    released = asyncio.Event()
    wire.disturb("POST", TOKEN, holds(released))

    refresher = begin(ann)
    await refreshing(wire)
    await elsewhere.call("sign_out")
    await sign_in(elsewhere, "bob")
    released.set()
    await refresher
    after = await ask(ann)

    assert after.json()["display_name"] == "Bob Baker"


@pytest.mark.usefixtures("expired")
async def test_a_late_refresh_does_not_put_one_persons_tokens_in_anothers_place(
    ann, elsewhere, wire, updates, clock
):
    of_ann, of_bob = asyncio.Event(), asyncio.Event()
    wire.disturb("POST", TOKEN, holds(of_ann))
    late = begin(ann)
    await refreshing(wire)
    await elsewhere.call("sign_out")
    await sign_in(elsewhere, "bob")
    clock.advance(days=1)
    wire.disturb("POST", TOKEN, holds(of_bob))

    in_time = begin(elsewhere)
    await refreshing(wire, 3)
    of_ann.set()
    await updates.more(1)
    of_bob.set()
    answers = [await late, await in_time, await ask(ann)]

    assert [answer.json()["display_name"] for answer in answers] == ["Bob Baker"] * 3


@pytest.mark.usefixtures("expired")
async def test_a_caller_who_hangs_up_does_not_lose_rotated_tokens(ann, elsewhere, wire, rally):
    released = asyncio.Event()
    wire.disturb("POST", TOKEN, holds(released))

    async with anyio.create_task_group() as caller:
        caller.start_soon(ask, ann)
        await refreshing(wire)
        caller.cancel_scope.cancel()
        released.set()
    answer = await ask(elsewhere)

    assert answer.status_code == 200
    assert rally.stats.refreshes == 1
    assert rally.stats.refused_token_requests == 0


async def _killed(call: asyncio.Task[httpx.Response], reached: Any) -> None:
    """End a call the hard way as soon as it has reached its point."""
    await asyncio.wait_for(reached, 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
