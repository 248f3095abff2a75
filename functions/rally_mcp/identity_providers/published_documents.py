"""JSON documents that an upstream publishes of itself: bounded, remembered, fetched once at a time.

    url ─ remembered and young enough? ─> value
        └ being fetched? join ─ else GET ─> at most LARGEST bytes in FETCH_SECONDS ─ read ─> value

The URLs come from this deployment's settings and from documents found there, never from a caller.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import anyio
import httpx

from rally_mcp import logs
from rally_mcp.errors import UpstreamError, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable

FETCH_SECONDS = 5.0
"""For all of a fetch; the person at the browser is waiting."""

LARGEST = 128 * 1024
"""Bytes. Twenty RSA keys, each with its certificate, are half of it."""

T = TypeVar("T")


class PublishedDocuments(Generic[T]):
    """What `read` makes of the documents at URLs; one object for a process.

    `read` raises ValueError, in our own words, for a document that cannot be used. `title` is what
    people call the upstream. A failure is not remembered: the next caller tries again.
    """

    def __init__(self, title: str, read: Callable[[str, bytes], T]) -> None:
        self._title = title
        self._read = read
        self._found: dict[str, tuple[T, datetime]] = {}
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def get(
        self, http: httpx.AsyncClient, url: str, *, now: datetime, max_age: timedelta
    ) -> T:
        """Return the document at a URL as it is `now`, or was less than `max_age` before.

        Raises UpstreamUnavailable or UpstreamTimeout where it cannot be had, UpstreamRejected
        where it cannot be used.
        """
        if url in self._found:
            value, fetched_at = self._found[url]
            if now - fetched_at < max_age:
                return value
        return await self._fetch_once(http, url, now)

    async def _fetch_once(self, http: httpx.AsyncClient, url: str, now: datetime) -> T:
        """Join the fetch that is under way, or start one that outlives a caller who gives up."""
        task = self._under_way.get(url)
        if task is None:
            task = asyncio.create_task(self._fetched(http, url, now))
            self._under_way[url] = task
            task.add_done_callback(lambda done: self._finish(url, done))
        return await asyncio.shield(task)

    def _finish(self, url: str, task: "asyncio.Task[T]") -> None:
        del self._under_way[url]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, UpstreamError):
            logs.event("WARNING", "no published document", url=url, problem=_problem(error))

    async def _fetched(self, http: httpx.AsyncClient, url: str, now: datetime) -> T:
        try:
            with anyio.fail_after(FETCH_SECONDS):
                value = self._read(url, await self._body(http, url))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UpstreamTimeout(f"{self._title} did not answer in time; try again.") from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(
                f"{self._title} cannot be reached; try again later."
            ) from error
        except ValueError as error:
            raise UpstreamRejected(
                f"{self._title} does not publish what a sign-in is checked with; "
                "the log of this deployment says why."
            ) from error
        self._found[url] = value, now
        return value

    async def _body(self, http: httpx.AsyncClient, url: str) -> bytes:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with http.stream("GET", url, headers=headers, timeout=FETCH_SECONDS) as response:
            status = response.status_code
            if response.is_server_error or status == httpx.codes.TOO_MANY_REQUESTS:
                raise UpstreamUnavailable(f"{self._title} is not available; try again later.")
            if status != httpx.codes.OK:
                raise ValueError(f"The answer is {status}, not 200")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                # A small body could become a large one.
                raise ValueError("The answer is compressed, although that was not offered")
            return await _bounded(response)


def _problem(error: UpstreamError) -> str:
    """Say what went wrong in words of our own; those of others could be anything."""
    cause = error.__cause__
    if cause is None:
        return error.message
    return str(cause) if type(cause) is ValueError else type(cause).__name__


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST:
            raise ValueError(f"The answer is longer than {LARGEST} bytes")
    return bytes(body)
