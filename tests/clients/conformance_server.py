"""A build of mcp_endpoint for the MCP conformance suite, with the same protocol code.

The suite sends no credential, so one is added to every request, and it looks for tools by name, so
those that Rally MCP's kind of tool can express are offered beside the product's own. No scenario
gets as far as Rally.
"""

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from pydantic import ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from rally_mcp.bootstrap.configuration import load
from rally_mcp.bootstrap.foundations import Foundations, foundations
from rally_mcp.errors import InvalidInput
from rally_mcp.settings import Function
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool, ToolContext
from rally_mcp.web import mcp_endpoint_app

STOP_SECONDS = 5


class NoArguments(Arguments):
    """For tools that take none."""


class Region(Arguments):
    """An argument that clients repeat in the header `Mcp-Param-Region`."""

    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = ""


class Contact(Arguments):
    """Arguments whose schema has keywords that pydantic itself never writes."""

    model_config = ConfigDict(
        json_schema_extra={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$defs": {"address": {"$anchor": "postalAddress", "type": "string"}},
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"required": ["phone"]},
            "then": {"properties": {"phone": {"minLength": 3}}},
            "else": {"required": ["email"]},
        }
    )

    phone: str = ""
    email: str = ""


class NoFacts(Facts):
    """For tools whose text says it all."""


async def answer_text(_: ToolContext, __: Arguments) -> Answer:
    """Answer one line of text."""
    return Answer(NoFacts(), "This is a simple text response for testing.")


async def fail(_: ToolContext, __: Arguments) -> Answer:
    """Fail, whatever the arguments."""
    raise InvalidInput("This tool intentionally returns an error for testing.")


def _tool(name: str, arguments: type[Arguments] = NoArguments, handler: Any = answer_text) -> Tool:
    return Tool(
        name=name,
        title=name,
        description="A tool that the conformance suite asks for.",
        toolset="conformance",
        arguments=arguments,
        facts=NoFacts,
        handler=handler,
        read_only=True,
        upstreams=(),
    )


FIXTURE_TOOLS = (
    _tool("test_simple_text"),
    _tool("test_error_handling", handler=fail),
    # They could answer as a stream; what the suite looks for is that nothing else is on it.
    _tool("test_streaming_elicitation"),
    _tool("test_logging_tool"),
    _tool("test_custom_header", Region),
    _tool("json_schema_2020_12_tool", Contact),
)
"""Named by the suite, but for test_custom_header, which it finds by its argument."""


@contextmanager
def running_conformance_server(data: Path) -> Iterator[str]:
    """Serve MCP on a free port of 127.0.0.1 until the block ends; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mcp_url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        application = mcp_endpoint_app.create(_foundations(mcp_url, data), FIXTURE_TOOLS)
        config = uvicorn.Config(_with_session_id(application), lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield mcp_url
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS)


def _foundations(mcp_url: str, data: Path) -> Foundations:
    settings = {
        "MCP_URL": mcp_url,
        "AUTH_URL": "http://127.0.0.1:8081",
        "CALLBACK_URL": "http://127.0.0.1:8082/callback",
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(data / "conformance.db"),
        "RALLY_CLIENT_ID": "rally-mcp-test",
        "RALLY_CLIENT_SECRET": "env:RALLY_TEST_SECRET",
    }
    return foundations(load(Function.MCP_ENDPOINT, settings), environment={})


def _with_session_id(app: ASGIApp) -> ASGIApp:
    """Add the credential of one chat, which has never signed in, to each request without any."""
    header = (b"session-id", str(uuid.uuid4()).encode())

    async def with_session_id(scope: Scope, receive: Receive, send: Send) -> None:
        if not {b"session-id", b"authorization"} & dict(scope["headers"]).keys():
            scope = {**scope, "headers": [*scope["headers"], header]}
        await app(scope, receive, send)

    return with_session_id
