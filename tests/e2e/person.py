"""A person at Chromium without JavaScript, on a screen and in a room of a certain kind."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STEP_MILLISECONDS = 60_000
"""How long one step may take on a busy machine."""

HTTP_ERROR = "Failed to load resource: the server responded with a status of"
"""What Chromium says of every page whose status is an error's, ours included."""


@dataclass(frozen=True, slots=True)
class Look:
    """A screen, and the colour scheme that its owner prefers."""

    device: Literal["phone", "desk"]
    color_scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.device}-{self.color_scheme}"

    async def apply(self, page: Page) -> None:
        """Show the page so from now on."""
        width, height = (360, 740) if self.device == "phone" else (1280, 800)
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=self.color_scheme)


PHONE, DESK = Look("phone", "dark"), Look("desk", "light")
LOOKS = (PHONE, Look("phone", "light"), Look("desk", "dark"), DESK)


@dataclass(frozen=True, slots=True)
class Person:
    """One browser window. `complaints` is what the browser has to say about the pages."""

    page: Page
    complaints: list[str]

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self.page.goto(url)

    async def show(self, response: httpx.Response) -> None:
        """Open an answer of an in-process application as if it came over the network."""
        await self.page.route(
            "**/*",
            lambda route: route.fulfill(
                status=response.status_code, headers=dict(response.headers), body=response.content
            ),
        )
        await self.page.goto(str(response.url))

    async def decide_at_rally(self, decision: str, *, user: str = "ann") -> None:
        """Fill in Rally's form, and wait for the page that comes after it."""
        await self.page.select_option("select[name=user]", user)
        async with self.page.expect_navigation(url="**/callback?**"):
            await self.page.click(f"button[value={decision}]")

    async def heading(self) -> str:
        """Return the page's only heading."""
        return await self.page.get_by_role("heading").inner_text()

    async def text(self) -> str:
        """Return what the page says."""
        return await self.page.inner_text("body")

    async def code(self) -> str:
        """Return the confirmation code shown."""
        return await self.page.inner_text("#confirmation-code")


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Run the Chromium of this machine; skip the test where there is none, or fail it in CI."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("Chromium is not installed: `apt-get install chromium`")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def at_the_browser(browser: Browser, look: Look) -> AsyncIterator[Person]:
    """Sit somebody down at a new window, with no cookies and no JavaScript."""
    context = await browser.new_context(java_script_enabled=False)
    context.set_default_timeout(STEP_MILLISECONDS)
    page = await context.new_page()
    await look.apply(page)
    yield Person(page, _complaints(page))
    await context.close()


def _complaints(page: Page) -> list[str]:
    """Return a list that fills with console messages and with what a page asked for in vain."""
    complaints = []

    def hear(message: ConsoleMessage) -> None:
        if not message.text.startswith(HTTP_ERROR):
            complaints.append(message.text)

    def miss(request: Request) -> None:
        complaints.append(f"{request.url}: {request.failure}")

    page.on("console", hear)
    page.on("requestfailed", miss)
    return complaints
