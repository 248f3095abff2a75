"""Opening a page in the user's browser."""

import os
import sys
from functools import partial

import anyio

from rally_mcp.local.daemon_thread import run_in_daemon_thread

_SECONDS = 5
"""A browser that has not come back by then runs in the foreground: it is open."""


async def open_page(url: str) -> bool:
    """Open a page; tell whether a browser took it. BROWSER is honoured."""
    if not _may_have_browser():
        return False
    import webbrowser

    with anyio.move_on_after(_SECONDS):
        return await run_in_daemon_thread(partial(webbrowser.open, url))
    return True


def _may_have_browser() -> bool:
    """Tell whether a browser can show. Without a display only those for terminals are left,
    and the terminal, if there is one, belongs to the client.
    """
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return has_display or sys.platform in {"darwin", "win32", "cygwin"}
