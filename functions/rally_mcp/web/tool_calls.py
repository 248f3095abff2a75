"""What a tool gets to work with, made for one caller and one call."""

from dataclasses import dataclass, replace
from typing import Any

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import PermissionDenied
from rally_mcp.rally.api_key import ApiKey
from rally_mcp.rally.client import RallyClient
from rally_mcp.rally.wsapi import Wsapi
from rally_mcp.secret_store import SecretReference
from rally_mcp.sign_in.principal import Principal
from rally_mcp.tools.toolset import Tool, ToolContext
from rally_mcp.web.bearer_challenge import BearerChallenge
from rally_mcp.web.credential import Caller


@dataclass(frozen=True, slots=True)
class CallerSignIn:
    """The caller's own sign-in. Implements tools.toolset.SignIn."""

    services: McpEndpoint
    principal: Principal

    async def confirm(self, code: str) -> str:
        """Finish the sign-in that waits for `code`."""
        user = await self.services.activation.confirm(self.principal, code)
        return f"{user.name} ({user.tenant})" if user.tenant else user.name

    async def sign_out(self) -> bool:
        """Delete the caller's record. Rally has no endpoint to revoke its tokens at."""
        was_known = await self.services.principals.remove(self.principal.key) is not None
        if was_known:
            audit.write(AuditEvent.SIGNED_OUT, principal=self.principal.key)
        return was_known


class NoSignIn:
    """Stands for the sign-in that a machine does not have. Implements tools.toolset.SignIn."""

    async def confirm(self, code: str) -> str:
        """Refuse."""
        del code
        raise PermissionDenied("A machine client works with its own API key and has no sign-in.")

    async def sign_out(self) -> bool:
        """Refuse."""
        raise PermissionDenied("A machine client has no sign-in; its administrator can disable it.")


def tool_context(services: McpEndpoint, caller: Caller) -> ToolContext:
    """Return the context of one call; it reads nothing more until a tool needs Rally."""
    if caller.principal is None:
        return _machine_context(services, caller)
    access_tokens = services.credentials.of(
        caller.principal, services.providers["rally"], caller.record
    )
    return ToolContext(
        principal=caller.key,
        client=caller.client_id,
        user=lambda: access_tokens.user_name,
        rally=RallyClient(Wsapi(services.rally, access_tokens), services.settings.rally_projects),
        rally_url=services.settings.rally_url,
        sign_in=CallerSignIn(services, caller.principal),
    )


def _machine_context(services: McpEndpoint, caller: Caller) -> ToolContext:
    reference = caller.machine.rally_api_key if caller.machine else ""
    api_key = ApiKey(
        services.secrets, SecretReference.parse(reference) if reference else None, caller.key
    )
    # Rally takes API keys in this header, whatever it takes OAuth access tokens in.
    server = replace(services.rally, token_header="ZSESSIONID")  # noqa: S106 a header's name
    return ToolContext(
        principal=caller.key,
        client=caller.client_id,
        user=lambda: None,
        rally=RallyClient(Wsapi(server, api_key), services.settings.rally_projects),
        rally_url=services.settings.rally_url,
        sign_in=NoSignIn(),
    )


def require_scope(caller: Caller, tool: Tool[Any], challenge: BearerChallenge) -> None:
    """Raise the 403 that names every scope needed, where the access token lacks the tool's."""
    if tool.scope is None or caller.has_scope(tool.scope):
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
    raise challenge.insufficient_scope(granted, tool.scope)


def may_see(caller: Caller, tool: Tool[Any]) -> bool:
    """Tell whether a tool belongs on the caller's list: it has the scope, and a use for it."""
    if caller.machine is not None and tool.area is None:
        return False  # a machine has no sign-in to complete or to end
    return caller.has_scope(tool.scope)
