"""A load generator that costs little itself: keep-alive HTTP/1.1 over plain asyncio streams."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of requests came to."""

    requests: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Answers per second over the whole run."""
        return self.requests / self.seconds


Callers = list[Mapping[str, str]]
"""The headers of each caller; as many callers as entries are at work at once."""


async def run(
    url: str, callers: Callers, body: bytes, seconds: float, check: Callable[[bytes], bool]
) -> Outcome:
    """Let every caller repeat its request for some seconds; a bad answer is a RuntimeError."""
    started = time.perf_counter()
    until = started + seconds
    counts = await asyncio.gather(
        *(_repeat(url, headers, body, until, check) for headers in callers)
    )
    return Outcome(sum(counts), time.perf_counter() - started)


async def _repeat(
    url: str, headers: Mapping[str, str], body: bytes, until: float, check: Callable[[bytes], bool]
) -> int:
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: {len(body)}\r\n"
    )
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = head.encode() + b"\r\n" + body
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        answer = await _read_answer(reader)
        if not check(answer):
            raise RuntimeError(f"unexpected answer: {answer[:500]!r}")
        count += 1
    writer.close()
    return count


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return await reader.readexactly(int(value))
    raise RuntimeError(f"an answer without a length: {head!r}")
