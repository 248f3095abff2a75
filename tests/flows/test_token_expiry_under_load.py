"""Two hundred callers at once when tokens end, Rally's or ours: none of them sees an error.

The limits are on, as they are by default, and everybody comes from one address. Each person's
callers are served by two instances, several by each.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice

import httpx
import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Clock, Instance
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.rally_wire import TOKEN, WiredDeployment, holds, wired
from tests.fixtures.token_answers import is_invalid_token
from tests.fixtures.watched_store import Updates, WatchedStore

# The same lines again and again: to measure them takes longer than to run them.
pytestmark = pytest.mark.no_cover

PEOPLE, CALLS_OF_EACH = 20, 10
CALLERS = PEOPLE * CALLS_OF_EACH
LONGEST_WAIT = 300
"""Seconds until all callers must have met; it takes one where nothing else runs."""

PATIENCE = timedelta(seconds=LONGEST_WAIT)
"""What the store has with two hundred writers in one process, however slow the machine is."""

Tokens = dict[str, str]


@dataclass
class Person:
    """A person's client and its tokens, which all its callers share."""

    client: OAuthClient
    tokens: Tokens

    async def call(self, instance: Instance) -> httpx.Response:
        """Call a tool with the newest access token."""
        access_token = self.tokens["access_token"]
        return await self.client.on(instance).call(access_token, "get_rally_user")

    async def renew_and_call(self, instance: Instance, meeting: asyncio.Barrier) -> httpx.Response:
        """Find the access token ended, as every other caller does; refresh and call again."""
        known = self.tokens
        refused = await self.call(instance)
        assert is_invalid_token(refused), refused.text
        async with asyncio.timeout(LONGEST_WAIT):
            await meeting.wait()
        renewed = await self.client.on(instance).refresh(known["refresh_token"])
        assert renewed.status_code == 200, renewed.text
        self.tokens = renewed.json()
        return await self.call(instance)


@pytest.fixture
def rally(clock: Clock) -> RallySimulator:
    """A Rally that ends the sign-in of whoever refreshes with an old refresh token."""
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], rotate_refresh_tokens=True)


@pytest.fixture
def updates() -> Updates:
    return Updates()


@pytest.fixture
def deployment(deploy, clock, updates, tmp_path) -> WiredDeployment:
    """Its second and third instance reach Rally over the wire."""
    path = tmp_path / "watched.db"
    watched = wired(deploy(lambda: WatchedStore(updates, path, clock=clock, patience=PATIENCE)))
    watched.scale_out()
    return watched


@pytest.fixture
async def people(deployment: WiredDeployment) -> list[Person]:
    clients = [new_client(deployment) for _ in range(PEOPLE)]
    return [
        Person(client, await client.sign_in(user))
        for client, user in zip(clients, cycle(["ann", "bob"]), strict=False)
    ]


@pytest.fixture
def instances(deployment: WiredDeployment) -> list[Instance]:
    """Which instance serves each caller of a person."""
    return list(islice(cycle(deployment.instances[1:]), CALLS_OF_EACH))


@requirement("B20")
async def test_two_hundred_callers_outlive_the_end_of_their_rally_tokens(
    deployment, people, instances, updates, rally, clock
):
    clock.advance(hours=23, minutes=30)
    for person in people:
        person.tokens = (await person.client.refresh(person.tokens["refresh_token"])).json()
    clock.advance(minutes=30)
    released = asyncio.Event()
    deployment.wire.disturb("POST", TOKEN, *[holds(released)] * PEOPLE)

    everybody_tried = updates.count + CALLERS
    calls = [
        asyncio.create_task(person.call(instance)) for person in people for instance in instances
    ]
    async with asyncio.timeout(LONGEST_WAIT), updates.tried:
        await updates.tried.wait_for(lambda: updates.count >= everybody_tried)
    released.set()
    answers = await asyncio.gather(*calls)

    assert [answer.status_code for answer in answers] == [200] * CALLERS
    assert (rally.stats.refreshes, rally.stats.refused_token_requests) == (PEOPLE, 0)


@requirement("B19")
async def test_two_hundred_callers_outlive_the_end_of_our_access_tokens(
    people, instances, rally, clock
):
    clock.advance(hours=1)
    meeting = asyncio.Barrier(CALLERS)

    answers = await asyncio.gather(
        *(person.renew_and_call(instance, meeting) for person in people for instance in instances)
    )

    assert [answer.status_code for answer in answers] == [200] * CALLERS
    assert rally.stats.refreshes == 0


@requirement("B19", "B20")
async def test_two_hundred_callers_outlive_the_end_of_both(people, instances, rally, clock):
    clock.advance(days=1)
    meeting = asyncio.Barrier(CALLERS)

    answers = await asyncio.gather(
        *(person.renew_and_call(instance, meeting) for person in people for instance in instances)
    )

    assert [answer.status_code for answer in answers] == [200] * CALLERS
    assert (rally.stats.refreshes, rally.stats.refused_token_requests) == (PEOPLE, 0)
