"""Lines of stdin, which this process alone reads."""

import os
from functools import partial

from rally_mcp.local.daemon_thread import run_in_daemon_thread

_CHUNK = 1 << 16
_STDIN = 0


class StandardInput:
    """Yields lines as text until stdin ends.

    From its making on, whatever else reads stdin finds it empty: a browser that is started, say.
    The SDK's reader would hold the process up until the client sends a line or goes.
    """

    def __init__(self) -> None:
        self._descriptor = os.dup(_STDIN)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, _STDIN)
        os.close(nothing)
        self._read = bytearray()
        self._has_ended = False

    def __aiter__(self) -> "StandardInput":
        return self

    async def __anext__(self) -> str:
        """Return the next line."""
        while not (end := self._read.find(b"\n") + 1) and not self._has_ended:
            chunk = await run_in_daemon_thread(partial(os.read, self._descriptor, _CHUNK))
            self._has_ended = not chunk
            self._read += chunk
        line = bytes(self._read[: end or len(self._read)])
        if not line:
            raise StopAsyncIteration
        del self._read[: len(line)]
        return line.decode("utf-8", "replace")
