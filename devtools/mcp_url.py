"""The argument of a command that names an MCP endpoint."""

import argparse

from pydantic import TypeAdapter, ValidationError

from rally_mcp.setting_types import McpUrl

_CHECKED: TypeAdapter[str] = TypeAdapter(McpUrl)


def mcp_url(text: str) -> str:
    """Return the URL of an MCP endpoint as it is, held to what MCP_URL has to be."""
    try:
        return _CHECKED.validate_python(text or "/")
    except ValidationError as error:
        (problem,) = error.errors()
        reason = problem["msg"].removeprefix("Value error, ")
        raise argparse.ArgumentTypeError(f"{text!r} {reason}") from None
