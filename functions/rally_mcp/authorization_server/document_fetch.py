"""One GET of a stranger's document: bounded in time and size, and to a checked address alone.

    URL ─ parse_url ─> host ─ resolve, once ─> addresses ─ all public? ─> connect to one of them

The connection goes to an address that was checked, never to the name: no second look at the DNS
can lead elsewhere. The name is what the Host header and the certificate are about.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

import anyio

from rally_mcp.authorization_server.public_addresses import DocumentUrl, is_public, parse_url

if TYPE_CHECKING:
    # At run time the first fetch imports them: they cost a cold start 0.1 s.
    from concurrent.futures import ThreadPoolExecutor

    import httpx

LARGEST_DOCUMENT = 5120
"""Bytes, as the draft recommends (§8.7)."""

TOTAL_SECONDS = 5.0
"""For all of a fetch, waiting and resolution included: a person waits for it."""

CONNECT_SECONDS = 1.5
"""For one address, so that a second one gets its turn."""

MOST_FETCHES = 4
"""At once, in a process. Strangers decide how many there are and how long they take."""

_MOST_TRIES = 2
"""Addresses of one family that are connected to."""

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json")
_MAX_AGE = re.compile(r'max-age="?([0-9]{1,9})"?', re.ASCII)

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a host's name to its addresses. Raises OSError."""


class FetchFailed(Exception):
    """No document came that may be used. The words are our own, and meant for the log."""


class HostUnreachable(FetchFailed):
    """The network or the server failed, which may pass; nothing about the document was refused."""


class TooManyFetches(HostUnreachable):
    """The fetch had to wait for others, and its time ran out: it says nothing of the host."""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """What was served, and for how many seconds it may be kept; 0 where that was not said."""

    body: bytes
    max_age: int


async def resolved(host: str) -> Sequence[str]:
    """Return a host's addresses, each once, as this machine resolves them. Raises OSError."""
    # Bytes, because text is taken for an internationalized name; with the final dot, because the
    # resolver tries a network's search domains for a name that may be incomplete.
    name = f"{host}.".encode("ascii")
    lookup = partial(socket.getaddrinfo, name, 443, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_resolver_threads(), lookup)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _new_client() -> "httpx.AsyncClient":
    from rally_mcp.http_client import new_client

    return new_client()


@dataclass(frozen=True, slots=True)
class DocumentFetch:
    """Fetches JSON documents from URLs that strangers named.

    Every fetch has a client of its own: a pooled connection to an address could have been made
    for another name with the same address, whose certificate was the one to be checked.
    """

    resolve: Resolve = resolved
    new_client: Callable[[], "httpx.AsyncClient"] = _new_client
    places: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, MOST_FETCHES))

    async def get(self, url: str) -> FetchedDocument:
        """Return the document at a URL, in 5 s at most. What it says is not looked at.

        Raises FetchFailed for a URL, an address or an answer that is not acceptable, and
        HostUnreachable where there was no answer, or 5xx.
        """
        try:
            place = parse_url(url)
        except ValueError as refused:
            raise FetchFailed(str(refused)) from None
        must_wait = self.places.locked()
        try:
            with anyio.fail_after(TOTAL_SECONDS):
                async with self.places:
                    return await self._fetch(place)
        except TimeoutError:
            if must_wait:
                raise TooManyFetches("Too many other fetches were under way") from None
            raise HostUnreachable("The host did not answer in time") from None

    async def _fetch(self, place: DocumentUrl) -> FetchedDocument:
        import httpx

        addresses = await self._checked_addresses(place.host)
        try:
            async with self.new_client() as client:
                for address in _to_try(addresses):
                    try:
                        return await _answer(client, place, address)
                    except (httpx.ConnectError, httpx.ConnectTimeout):
                        continue
        except httpx.RequestError:
            raise HostUnreachable("The connection to the host failed") from None
        raise HostUnreachable("No connection to the host was made")

    async def _checked_addresses(self, host: str) -> Sequence[str]:
        try:
            addresses = await self.resolve(host)
        except OSError:
            addresses = ()
        if not addresses:
            raise HostUnreachable("The host's name does not resolve")
        # Whoever mixes in one that is not public means to have it connected to.
        if not all(map(is_public, addresses)):
            raise FetchFailed("The host has an address that is not public")
        return addresses


def _to_try(addresses: Sequence[str]) -> Sequence[str]:
    """Choose some of each family: there may be no route to one of them."""
    families = [[each for each in addresses if (":" in each) is six] for six in (False, True)]
    chosen = {each for family in families for each in family[:_MOST_TRIES]}
    return [each for each in addresses if each in chosen]


async def _answer(client: "httpx.AsyncClient", place: DocumentUrl, address: str) -> FetchedDocument:
    import httpx

    authority = f"[{address}]" if ":" in address else address
    request = client.stream(
        "GET",
        f"https://{authority}{place.path}",
        headers={
            "Host": place.host,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
        },
        # The name that the certificate is checked for.
        extensions={"sni_hostname": place.host},
        timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
    )
    async with request as response:
        _check_head(response)
        return FetchedDocument(await _bounded_body(response), _max_age(response))


def _check_head(response: "httpx.Response") -> None:
    if response.is_server_error:
        raise HostUnreachable("The host answered 5xx")
    if response.status_code != 200:  # noqa: PLR2004 the draft's §5 knows no other
        raise FetchFailed("The host did not answer 200")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON_TYPE.fullmatch(media_type):
        raise FetchFailed("The host's answer is not of a JSON type")
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("The host's answer is compressed")


async def _bounded_body(response: "httpx.Response") -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise FetchFailed(f"The document is longer than {LARGEST_DOCUMENT} bytes")
    return bytes(body)


def _max_age(response: "httpx.Response") -> int:
    directives = [
        each.strip().lower() for each in response.headers.get("cache-control", "").split(",")
    ]
    if {"no-store", "no-cache"} & set(directives):
        return 0
    ages = [int(age[1]) for each in directives if (age := _MAX_AGE.fullmatch(each))]
    return min(ages, default=0)


@cache
def _resolver_threads() -> "ThreadPoolExecutor":
    """Return threads for this alone: a lookup cannot be stopped, and must not hold others up."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(MOST_FETCHES, thread_name_prefix="resolver")
