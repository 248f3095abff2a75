"""What a tool gets to work with, made for one caller and one call."""

from typing import Any

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.tools.context import ServerFacts, ToolContext
from rally_mcp.tools.toolset import Tool
from rally_mcp.web.bearer_challenge import BearerChallenge
from rally_mcp.web.caller_sign_in import CallerSignIn, NoSignIn
from rally_mcp.web.caller_upstreams import CallerUpstreams
from rally_mcp.web.credential import Caller

_WITHOUT_SIGN_IN = {"rally", "yata"}
"""Upstreams that a machine client reaches, by its API key and by the deployment's account."""


def tool_context(services: McpEndpoint, caller: Caller, server: ServerFacts) -> ToolContext:
    """Return the context of one call; it reads nothing more until a tool needs an upstream."""
    upstreams = CallerUpstreams(services, caller)
    return ToolContext(
        principal=caller.key,
        client=caller.client_id,
        user=upstreams.user_name,
        upstreams=upstreams,
        sign_in=CallerSignIn(services, caller.principal) if caller.principal else NoSignIn(),
        server=server,
    )


def require_scope(caller: Caller, tool: Tool[Any], challenge: BearerChallenge) -> None:
    """Raise the 403 that names every scope needed, where the access token lacks one of them."""
    if caller.has_scopes(tool.scopes):
        return
    granted = caller.scopes or ()
    audit.write(
        AuditEvent.TOOL_CALLED,
        principal=caller.key,
        client=caller.client_id,
        scope=granted,
        tool=tool.name,
        decision="refused",
        reason="insufficient scope",
    )
    raise challenge.insufficient_scope(granted, tool.scopes)


def may_see(caller: Caller, tool: Tool[Any]) -> bool:
    """Tell whether a tool belongs on the caller's list: it has the scopes, and a use for it."""
    if caller.machine is not None and (
        not tool.upstreams or not _WITHOUT_SIGN_IN.issuperset(tool.upstreams)
    ):
        return False  # a machine has no sign-in to complete or to end
    return caller.has_scopes(tool.scopes)
