"""Tool answers and errors as MCP results. Text and structured content complete each other.

Structured content holds the facts. The text holds the outcome in one line and what people wrote
in Rally, between markers that no such text can contain; of the facts it repeats a few.
"""

from typing import Any

from mcp_types import CallToolResult, TextContent

from rally_mcp.errors import RallyMcpError, RateLimited, SignInPrompt, SignInRequired
from rally_mcp.tools.sanitize import fenced, new_nonce, one_line
from rally_mcp.tools.toolset import Answer, Tool

_LONGEST_MESSAGE = 1000
"""Characters of an error message; Rally's validation texts may be long."""


def tool_result(answer: Answer) -> CallToolResult:
    """Return the MCP result of a tool that worked."""
    fields = "\n".join(f"{name}: {value}" for name, value in answer.user_fields.items() if value)
    written = fenced(new_nonce(), {"fields": fields, **answer.user_texts})
    text = f"{answer.summary}\n\n{written}".rstrip()
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=answer.facts.model_dump(mode="json"),
    )


def tool_error(tool: Tool[Any], error: RallyMcpError) -> CallToolResult:
    """Return the MCP result of a tool that did not work. Its structured content fits the schema."""
    if isinstance(error, SignInRequired):
        return _failed(
            _sign_in_text(error), sign_in_members(error.prompt, error.prompt.short_auth_url)
        )
    members: dict[str, Any] = {"error": tool.failure, "message": message_of(error)}
    if isinstance(error, RateLimited):
        members["retry_after"] = error.retry_after
    return _failed(f"{tool.failure}: {members['message']}", members)


def message_of(error: RallyMcpError) -> str:
    """Return an error's message, cleaned: it may quote Rally."""
    return one_line(error.message, _LONGEST_MESSAGE)


def sign_in_members(prompt: SignInPrompt, auth_url: str) -> dict[str, Any]:
    """Return the four members that tell a program, or a model, how to get signed in."""
    return {
        "error": "Authentication required",
        "error_description": SignInRequired(prompt).message,
        "auth_url": auth_url,
        "instructions": list(_instructions(prompt)),
    }


def _instructions(prompt: SignInPrompt) -> tuple[str, str, str, str]:
    said = (
        "say 'authentication complete' followed by the code that the page shows"
        if prompt.code_expected
        else "say 'authentication complete'"
    )
    return (
        "1. Copy the auth_url and open it in your browser",
        f"2. Complete {prompt.upstream_title} authentication and authorization",
        f"3. Return to this chat and {said}",
        "4. Retry your original request",
    )


def _sign_in_text(error: SignInRequired) -> str:
    prompt = error.prompt
    steps = "\n".join(_instructions(prompt))
    code = (
        "\nWhen the user gives you the code, call complete_sign_in with it, then repeat this call."
        if prompt.code_expected
        else "\nWhen the user says so, repeat this call."
    )
    return (
        f"{error.message}. Show the user this address exactly as it stands, on a line of its own:\n"
        f"\n{prompt.short_auth_url}\n\n{steps}{code}"
    )


def _failed(text: str, members: dict[str, Any]) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=members,
        is_error=True,
    )
