"""What a tool gets to work with, made for one caller and one call."""

from dataclasses import dataclass

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap import McpEndpoint
from rally_mcp.rally.client import RallyClient
from rally_mcp.rally.wsapi import Wsapi
from rally_mcp.sign_in.principal import Principal
from rally_mcp.tools.toolset import ToolContext


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


def tool_context(services: McpEndpoint, principal: Principal) -> ToolContext:
    """Return the context of one call; it reads nothing until a tool needs Rally."""
    access_tokens = services.credentials.of(principal, services.providers["rally"])
    return ToolContext(
        principal=principal.key,
        rally=RallyClient(Wsapi(services.rally, access_tokens), services.settings.rally_projects),
        rally_url=services.settings.rally_url,
        sign_in=CallerSignIn(services, principal),
    )
