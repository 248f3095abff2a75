"""Every tool there is, and which of them a deployment offers."""

from collections.abc import Collection, Mapping
from typing import Any

from rally_mcp.errors import ConfigurationError
from rally_mcp.tools import account, work_items
from rally_mcp.tools.toolset import Tool

ALL_TOOLS: tuple[Tool[Any], ...] = (*work_items.TOOLS, *account.TOOLS)
"""Nothing else is offered to anybody. At most 28: models choose badly among more."""

REST_ALIASES = {"create_story": "create_rally_story"}
"""Names that only REST knows, from before the tools had a product's name in theirs."""

SIGN_IN_TOOLSET = "account"
"""Always offered: without it nobody could sign in or out."""


def offered(toolsets: Collection[str], *, read_only: bool) -> Mapping[str, Tool[Any]]:
    """Return the tools of a deployment by name, as TOOLSETS and READ_ONLY bound them.

    READ_ONLY hides what writes to Rally; signing in and out stays. Raises ConfigurationError for
    a toolset that does not exist.
    """
    known = {tool.toolset for tool in ALL_TOOLS}
    unknown = sorted(set(toolsets) - known)
    if unknown:
        raise ConfigurationError(
            f"TOOLSETS names {', '.join(unknown)}; known toolsets: {', '.join(sorted(known))}"
        )
    return {
        tool.name: tool
        for tool in ALL_TOOLS
        if tool.toolset == SIGN_IN_TOOLSET
        or ((not toolsets or tool.toolset in toolsets) and (tool.read_only or not read_only))
    }
