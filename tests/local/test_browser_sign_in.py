"""Waiting for a person who signs in while a tool call goes on: until when, and what ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from rally_mcp.errors import Conflict
from rally_mcp.local.browser_sign_in import LONGEST_WAIT, LOOK_SECONDS, BrowserSignIn
from tests.fixtures.deployment import Clock
from tests.fixtures.local_process import LocalProcess

CALL_SECONDS = 60
"""What clients give a call."""


@dataclass(slots=True)
class Person:
    """Sits before the screen, and does something at some second of the wait."""

    clock: Clock
    has_browser: bool = True
    opened: list[str] = field(default_factory=list)
    deeds: dict[float, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    waited: float = 0

    async def open_page(self, url: str) -> bool:
        self.opened.append(url)
        return self.has_browser

    async def pause(self, seconds: float) -> None:
        self.waited += seconds
        self.clock.advance(seconds=seconds)
        if self.waited in self.deeds:
            await self.deeds[self.waited]()


@pytest.fixture
def person(clock: Clock) -> Person:
    return Person(clock)


@pytest.fixture
def sign_in(local: LocalProcess, person: Person) -> BrowserSignIn:
    async def listens() -> None:
        """Do nothing: the listener of these tests is there."""

    return BrowserSignIn(
        local.services, local.secret.principal, listens, person.open_page, person.pause
    )


async def test_the_tool_is_run_again_as_soon_as_the_person_has_signed_in(local, person, sign_in):
    prompt = await local.prompt()
    person.deeds[10] = lambda: local.visit(prompt.short_auth_url)

    assert await sign_in.finish(prompt)
    assert person.waited == 10
    assert person.opened == [prompt.short_auth_url]


async def test_the_wait_is_over_before_the_client_gives_the_call_up(local, person, sign_in):
    assert not await sign_in.finish(await local.prompt())
    assert LONGEST_WAIT.total_seconds() == person.waited < CALL_SECONDS


async def test_a_later_call_waits_for_the_same_page_and_opens_no_other(local, person, sign_in):
    prompt = await local.prompt()
    await sign_in.finish(prompt)
    person.deeds[60] = lambda: local.visit(prompt.short_auth_url)

    assert await sign_in.finish(await local.prompt())
    assert person.opened == [prompt.short_auth_url]


async def test_without_a_browser_nobody_is_waited_for(local, person, sign_in):
    person.has_browser = False

    assert not await sign_in.finish(await local.prompt())
    assert person.waited == 0


async def test_a_browser_that_did_not_open_is_tried_again_by_the_next_call(local, person, sign_in):
    prompt = await local.prompt()
    person.has_browser = False
    await sign_in.finish(prompt)
    person.has_browser = True
    await sign_in.finish(prompt)

    assert person.opened == [prompt.short_auth_url] * 2


async def test_a_sign_in_that_is_declined_ends_the_wait_for_a_fresh_link(local, person, sign_in):
    prompt = await local.prompt()
    person.deeds[5] = lambda: local.visit(prompt.short_auth_url, "deny")

    assert await sign_in.finish(prompt)
    assert person.waited == 5
    assert (await local.prompt()).short_auth_url != prompt.short_auth_url


async def test_a_link_that_expires_ends_the_wait(local, person, sign_in, clock):
    prompt = await local.prompt()
    clock.advance(minutes=9, seconds=50)

    assert await sign_in.finish(prompt)
    assert person.waited == pytest.approx(10, abs=LOOK_SECONDS)


async def test_signing_out_ends_the_wait(local, person, sign_in):
    prompt = await local.prompt()
    person.deeds[5] = lambda: local.services.principals.remove(local.secret.principal.key)

    assert await sign_in.finish(prompt)
    assert person.waited == 5


async def test_no_page_is_opened_that_would_not_lead_back(local, person):
    async def cannot_listen() -> None:
        raise Conflict("Another program has the port.")

    sign_in = BrowserSignIn(
        local.services, local.secret.principal, cannot_listen, person.open_page, person.pause
    )

    with pytest.raises(Conflict):
        await sign_in.finish(await local.prompt())
    assert person.opened == []
