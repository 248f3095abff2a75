"""The port that the browser comes back to: when it is open, and whose it is."""

import socket
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from rally_mcp.bootstrap.foundations import foundations
from rally_mcp.errors import Conflict
from rally_mcp.local.configuration import load
from rally_mcp.local.loopback_listener import LoopbackListener
from rally_mcp.local.principal_secret import PrincipalSecret
from rally_mcp.local.siblings import Siblings
from tests.clients.stdio_process import free_port
from tests.fixtures.deployment import TLS
from tests.fixtures.local_process import SETTINGS

BRIEFLY = timedelta(seconds=0.2)
SECONDS = 5


@pytest.fixture
def origin() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
async def http():
    """A client that waits for what is going to listen."""
    transport = httpx.AsyncHTTPTransport(verify=TLS, retries=3)
    async with httpx.AsyncClient(transport=transport) as http:
        yield http


@pytest.fixture
def listener_of(origin, http, tmp_path: Path):
    """Make the listener of one process more."""
    settings = load(SETTINGS | {"CALLBACK_URL": f"{origin}/callback"}, tmp_path)

    def listener_of(secret: PrincipalSecret, tasks, open_for: timedelta = BRIEFLY):
        base = foundations(settings)
        siblings = Siblings(secret, settings, lambda: http)
        return LoopbackListener(base, siblings, tasks, open_for)

    return listener_of


async def health(http: httpx.AsyncClient, origin: str) -> int:
    return (await http.get(f"{origin}/health")).status_code


def is_free(origin: str) -> bool:
    try:
        socket.create_server(("127.0.0.1", httpx.URL(origin).port)).close()
    except OSError:
        return False
    return True


async def test_nothing_listens_until_somebody_has_to_sign_in(listener_of, secret, http, origin):
    async with anyio.create_task_group() as tasks:
        listener = listener_of(secret, tasks)
        free_before = is_free(origin)
        await listener.open()

        assert free_before
        assert await health(http, origin) == 200


async def test_the_port_is_given_back_once_no_link_lives(listener_of, secret, origin):
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            await listener_of(secret, tasks).open()

    assert is_free(origin)


async def test_a_later_sign_in_opens_it_again(listener_of, secret, http, origin):
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            listener = listener_of(secret, tasks)
            await listener.open()
        async with anyio.create_task_group() as tasks:
            listener.tasks = tasks
            await listener.open()

            assert await health(http, origin) == 200


async def test_of_two_processes_the_second_serves_when_the_first_has_closed(
    listener_of, secret, http, origin
):
    longer = timedelta(seconds=60)
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as second_tasks:
            second = listener_of(secret, second_tasks, longer)
            async with anyio.create_task_group() as first_tasks:
                await listener_of(secret, first_tasks, longer).open()
                await second.open()
                first_tasks.cancel_scope.cancel()

            assert await health(http, origin) == 200
            second_tasks.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"])
async def test_a_foreign_program_is_told_from_a_process_of_the_user(
    listener_of, secret, origin, answer
):
    async def serve(connection: anyio.abc.SocketStream) -> None:
        async with connection:
            await connection.receive()
            await connection.send(answer)

    port = httpx.URL(origin).port
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as foreign,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(foreign.serve, serve)
        with pytest.raises(Conflict) as refused:
            await listener_of(secret, tasks).open()
        tasks.cancel_scope.cancel()

    assert origin in refused.value.message


async def test_another_users_process_is_told_from_a_process_of_the_user(listener_of, secret):
    async with anyio.create_task_group() as tasks:
        await listener_of(PrincipalSecret("t" * 43), tasks).open()

        with pytest.raises(Conflict):
            await listener_of(secret, tasks).open()


@pytest.fixture
def named_origin() -> str:
    return f"http://localhost:{free_port()}"


async def test_whoever_has_one_of_the_two_addresses_of_localhost_has_no_sign_in(
    named_origin, http, tmp_path: Path
):
    settings = load(SETTINGS | {"CALLBACK_URL": f"{named_origin}/callback"}, tmp_path)
    secret = PrincipalSecret("a" * 43)
    address = ("::1", int(named_origin.rpartition(":")[2]))
    with socket.create_server(address, family=socket.AF_INET6):
        async with anyio.create_task_group() as tasks:
            listener = LoopbackListener(
                foundations(settings), Siblings(secret, settings, lambda: http), tasks, BRIEFLY
            )

            with pytest.raises(Conflict):
                await listener.open()


async def test_a_stranger_in_a_siblings_place_is_noticed(origin, http, listener_of, tmp_path):
    secret = PrincipalSecret("a" * 43)
    long = timedelta(seconds=SECONDS)
    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as its_tasks:
            await listener_of(secret, its_tasks, long).open()
            assert await health(http, origin) == 200
            second = listener_of(secret, tasks, long)
            await second.open()
            its_tasks.cancel_scope.cancel()
        port = int(origin.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)), pytest.raises(Conflict):
            await second.open()
        tasks.cancel_scope.cancel()
