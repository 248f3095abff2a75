"""Real processes and a real browser: a Chromium per file."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.clients.dev_server import DevServer
from tests.e2e.chat import Chat
from tests.e2e.person import PHONE, Person, at_the_browser, running_chromium


@pytest.fixture
def chat(dev_server: DevServer) -> Chat:
    """A chat that has never signed in."""
    return Chat(dev_server.mcp_url)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The Chromium of this machine."""
    async with running_chromium() as browser:
        yield browser


@pytest.fixture
async def person(browser: Browser) -> AsyncIterator[Person]:
    """Somebody with a phone."""
    async with at_the_browser(browser, PHONE) as person:
        yield person
