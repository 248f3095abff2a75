"""Blocking calls that must not keep the process from ending.

The threads of anyio are waited for at the end: by a read of stdin, for as long as the client likes.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def run_in_daemon_thread(call: Callable[[], ResultT]) -> ResultT:
    """Return what a blocking call returns, or raise what it raises.

    A caller that is cancelled leaves the thread behind.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[ResultT] = loop.create_future()

    def settle(how: Callable[[], None]) -> None:
        if not outcome.done():  # nobody waits any more
            how()

    def run() -> None:
        try:
            how = partial(outcome.set_result, call())
        except Exception as raised:  # noqa: BLE001 raised again where it is awaited
            how = partial(outcome.set_exception, raised)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, how)

    threading.Thread(target=run, daemon=True).start()
    return await outcome
