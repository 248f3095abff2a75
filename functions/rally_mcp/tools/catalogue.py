"""Every tool there is, and which of them a deployment offers."""

from collections.abc import Collection, Mapping
from typing import Any

from rally_mcp import __version__
from rally_mcp.errors import ConfigurationError
from rally_mcp.tools import account, github_issues, github_links, microsoft, todos, work_items
from rally_mcp.tools.context import ServerFacts
from rally_mcp.tools.toolset import Tool

ALL_TOOLS: tuple[Tool[Any], ...] = (
    *work_items.TOOLS,
    *github_issues.TOOLS,
    *github_links.TOOLS,
    *microsoft.TOOLS,
    *todos.TOOLS,
    *account.TOOLS,
)
"""Nothing else is offered to anybody. At most 28: models choose badly among more."""

REST_ALIASES = {"create_story": "create_rally_story"}
"""Names that only REST knows, from before the tools had a product's name in theirs."""

SIGN_IN_TOOLSET = "account"
"""Always offered: without it nobody could sign in or out."""


def offered(
    toolsets: Collection[str], upstreams: Collection[str], *, read_only: bool
) -> Mapping[str, Tool[Any]]:
    """Return the tools of a deployment by name, as UPSTREAMS, TOOLSETS and READ_ONLY bound them.

    READ_ONLY hides what writes to an upstream; signing in and out stays. Raises ConfigurationError
    for a toolset that does not exist.
    """
    known = {tool.toolset for tool in ALL_TOOLS}
    unknown = sorted(set(toolsets) - known)
    if unknown:
        raise ConfigurationError(
            f"TOOLSETS names {', '.join(unknown)}; known toolsets: {', '.join(sorted(known))}"
        )
    without = sorted(
        name
        for name in set(toolsets) - {SIGN_IN_TOOLSET}
        if not any(t.toolset == name and set(t.upstreams) <= set(upstreams) for t in ALL_TOOLS)
    )
    if without:
        raise ConfigurationError(
            f"TOOLSETS names {', '.join(without)}, whose tools need upstreams that UPSTREAMS does "
            "not name"
        )
    return {
        tool.name: tool
        for tool in ALL_TOOLS
        if set(tool.upstreams) <= set(upstreams)
        and (
            tool.toolset == SIGN_IN_TOOLSET
            or ((not toolsets or tool.toolset in toolsets) and (tool.read_only or not read_only))
        )
    }


def server_facts(name: str, tools: Mapping[str, Tool[Any]]) -> ServerFacts:
    """Return what a deployment that offers these tools tells about itself."""
    working = tuple(tool.name for tool in tools.values() if tool.toolset != SIGN_IN_TOOLSET)
    return ServerFacts(name, __version__, working)
