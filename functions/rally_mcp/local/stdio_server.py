"""One client at stdin and stdout, served until it goes or the process is told to end."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from rally_mcp.bootstrap.foundations import foundations
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint, mcp_endpoint
from rally_mcp.local.browser_sign_in import BrowserSignIn
from rally_mcp.local.default_browser import open_page
from rally_mcp.local.loopback_listener import LoopbackListener
from rally_mcp.local.principal_secret import PrincipalSecret
from rally_mcp.local.siblings import Siblings
from rally_mcp.local.standard_input import StandardInput
from rally_mcp.settings import Settings
from rally_mcp.sign_in.principal import Principal
from rally_mcp.tools.catalogue import offered, server_facts
from rally_mcp.tools.toolset import Tool
from rally_mcp.web.credential import Caller
from rally_mcp.web.tool_server import Context, ToolServer

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class _UpstreamHttp:
    """This process's one HTTP client, made on first use."""

    made: "httpx.AsyncClient | None" = field(default=None, init=False)

    def __call__(self) -> "httpx.AsyncClient":
        if self.made is None:
            from rally_mcp.http_client import new_client

            self.made = new_client()
        return self.made

    async def close(self) -> None:
        if self.made:
            await self.made.aclose()


async def serve(settings: Settings, secret: PrincipalSecret) -> None:
    """Serve the tools. Raises ConfigurationError before the first line is read."""
    http = _UpstreamHttp()
    base = foundations(settings, http=http)
    services, principal = mcp_endpoint(base), secret.principal
    tools = offered(settings.toolsets, settings.upstreams, read_only=settings.read_only)
    # Opened now, so that a file that is no database is told at once.
    await services.principals.get(principal.key)
    try:
        async with anyio.create_task_group() as tasks:
            listener = LoopbackListener(base, Siblings(secret, settings, http), tasks)
            sign_in = BrowserSignIn(
                services, principal, listener.open, open_page, listener.browser_returned
            )
            server = tool_server(services, tools, principal, sign_in).server()
            tasks.start_soon(_end_at_signal, tasks.cancel_scope)
            await _converse(server)
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await base.store.close()
            await http.close()


def tool_server(
    services: McpEndpoint,
    tools: Mapping[str, Tool[Any]],
    principal: Principal,
    sign_in: BrowserSignIn,
) -> ToolServer:
    """Return the tools for one principal, who signs in as `sign_in` does it."""
    caller = Caller(key=principal.key, principal=principal)

    def caller_of(context: Context) -> Caller:
        del context
        return caller

    facts = server_facts(services.settings.server_name, tools)
    return ToolServer(services, tools, facts, caller_of, finish_sign_in=sign_in.finish)


async def _converse(server: Server[Any]) -> None:
    """Speak the protocol until stdin ends, or the client reads no more."""
    lines = cast("anyio.AsyncFile[str]", StandardInput())
    try:
        async with stdio_server(stdin=lines) as (received, sent):
            await server.run(received, sent, server.create_initialization_options())
    except* (BrokenPipeError, anyio.BrokenResourceError):
        pass


async def _end_at_signal(scope: anyio.CancelScope) -> None:
    if sys.platform == "win32":  # where nothing can be told to end, only be ended
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return
