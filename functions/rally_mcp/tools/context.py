"""What a tool can reach: upstreams as the caller, and the caller's own sign-ins.

Protocols, because credentials are none of the tools' business; `web.caller_upstreams` and
`web.caller_sign_in` have the classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rally_mcp.access_tokens import AccessTokens
from rally_mcp.github.client import GitHubClient
from rally_mcp.rally.client import RallyClient
from rally_mcp.yata.client import YataClient


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the caller stands with one upstream."""

    upstream: str
    title: str
    status: Literal["signed_in", "waiting_for_code", "sign_in_started", "signed_out", "shared"]
    """`shared`: the deployment has an account of its own there."""
    user: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class SignedOutOf:
    """What a sign-out ended: titles of upstreams."""

    ended: tuple[str, ...]
    revoked: tuple[str, ...]
    """Those where the access token was revoked as well."""


class SignIn(Protocol):
    """The caller's own sign-ins, as far as tools may touch them."""

    async def connections(self) -> Sequence[Connection]:
        """Return where the caller stands with each upstream."""
        ...

    async def confirm(self, code: str) -> str:
        """Finish the sign-in that waits for `code`; return whose it is, for people to read."""
        ...

    async def sign_out(self, upstream: str | None) -> SignedOutOf:
        """Forget the caller's sign-in at one upstream, or everything. Raises InvalidInput."""
        ...


class Upstreams(Protocol):
    """The upstreams as one caller reaches them. A tool is offered only where its own are."""

    @property
    def rally(self) -> RallyClient:
        """Rally."""
        ...

    @property
    def rally_url(self) -> str:
        """Rally's origin, for links."""
        ...

    @property
    def github(self) -> GitHubClient:
        """GitHub."""
        ...

    @property
    def entra_id(self) -> AccessTokens:
        """Microsoft Entra ID, which has nothing but the sign-in itself."""
        ...

    @property
    def yata(self) -> YataClient:
        """YATA, with the deployment's own account."""
        ...


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a deployment tells about itself."""

    name: str
    version: str
    tools: tuple[str, ...]
    """Names of the tools that do work, signing in and out left aside."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool can reach, bound to one caller."""

    principal: str
    """The caller's record key, for the audit log."""
    client: str | None
    """The MCP client's id, for the audit log; None for a chat."""
    user: Callable[[], str | None]
    """The upstream user's name, once a call has opened that user's tokens."""
    upstreams: Upstreams
    sign_in: SignIn
    server: ServerFacts
