"""What doctor makes of answers that are too long: it holds no more than it needs."""

import asyncio
import gzip
from contextlib import suppress

import httpx
import pytest

from devtools.doctor import examination
from devtools.doctor.functions import Outside
from devtools.doctor.google_cloud import Google
from devtools.doctor.requests import MOST_BYTES, Requests
from rally_mcp.bootstrap.foundations import now
from tests.doctor.examined import DOOR, HEALTH, RESOURCE, Change, Examined, failed, instead

TOO_LONG = "x" * (MOST_BYTES + 1)


def compressed(answer: httpx.Response) -> httpx.Response:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    return httpx.Response(200, content=gzip.compress(answer.content), headers=headers)


def compressed_too_long(_: httpx.Response) -> httpx.Response:
    content = gzip.compress(TOO_LONG.encode())
    return httpx.Response(200, content=content, headers={"content-encoding": "gzip"})


@pytest.mark.parametrize("change", [instead(200, TOO_LONG), compressed_too_long])
async def test_an_answer_that_no_deployment_gives_is_not_read_to_its_end(
    examined: Examined, change: Change
) -> None:
    examined.changes[HEALTH["mcp_endpoint"]] = change

    [(name, finding)] = failed(await examined.report()).items()

    assert name == "mcp_endpoint answers"
    assert finding.problem == "an answer of more than 1 MiB"
    assert "check that 127.0.0.1 is the address of the deployment" in finding.remedy


async def test_a_compressed_answer_is_read(examined: Examined) -> None:
    examined.changes[f"{RESOURCE}/mcp"] = compressed

    assert failed(await examined.report()) == {}


async def test_a_login_page_may_be_of_any_length(examined: Examined) -> None:
    examined.changes[DOOR] = instead(200, TOO_LONG, content_type="text/html")

    assert failed(await examined.report()) == {}


async def test_an_endless_answer_is_left_soon() -> None:
    sent = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
                sent += 65536

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, httpx.AsyncClient(trust_env=False) as http:
        mcp_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        outside = Outside(Requests(http, now, proxy_of=lambda _: None))
        report = await examination.of_deployment(mcp_url, outside, Google())

    assert failed(report)["mcp_endpoint answers"].problem == "an answer of more than 1 MiB"
    assert sent < 20 * MOST_BYTES  # the rest of it lies in the buffers of this machine
