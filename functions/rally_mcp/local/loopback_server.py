"""Serving an application on a socket, in the event loop that is running already."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 1
"""For answers that are under way at the end."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, of which this is a part."""
        yield


async def serve(
    app: ASGIApp, listeners: list[socket.socket], over: Callable[[], Awaitable[None]]
) -> None:
    """Serve until `over` returns, or the caller is cancelled. The sockets are closed."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)

    async def until_told_to_end() -> None:
        with anyio.CancelScope(shield=True):  # so that it closes what is open
            await server.serve(sockets=listeners)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(until_told_to_end)
        try:
            await over()
        finally:
            server.should_exit = True
