"""The toolset `microsoft`: two tools that show a sign-in with Microsoft Entra ID at work.

Neither calls anything: that the caller is signed in is all they need.
"""

from typing import Annotated

from pydantic import Field

from rally_mcp.tools.account import NoArguments
from rally_mcp.tools.context import ToolContext
from rally_mcp.tools.sanitize import one_line
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool

_LONGEST_NAME = 256


class HelloWorld(Arguments):
    """Arguments of hello_world."""

    name: Annotated[str, Field(max_length=_LONGEST_NAME, description="Whom to greet.")] = "World"


class Greeting(Facts):
    """Facts of hello_world."""

    result: str


class ServerInfo(Facts):
    """Facts of server_info."""

    name: str
    version: str
    authentication: str
    tools: list[str]


async def hello_world(context: ToolContext, arguments: HelloWorld) -> Answer:
    """Greet a caller who is signed in."""
    await context.upstreams.entra_id.current()
    name = one_line(arguments.name, _LONGEST_NAME)
    greeting = (
        f"Hello, {name}! You've successfully authenticated with Azure and accessed this MCP tool."
    )
    return Answer(Greeting(result=greeting), greeting)


async def server_info(context: ToolContext, _: NoArguments) -> Answer:
    """Tell what this server is."""
    await context.upstreams.entra_id.current()
    facts = ServerInfo(
        name=context.server.name,
        version=context.server.version,
        authentication="Azure OAuth (Microsoft Entra ID)",
        tools=list(context.server.tools),
    )
    return Answer(facts, facts.model_dump_json())


TOOLS = (
    Tool(
        name="hello_world",
        title="Hello, world",
        description="A simple hello world tool that demonstrates authenticated MCP functionality.",
        toolset="microsoft",
        arguments=HelloWorld,
        facts=Greeting,
        handler=hello_world,
        read_only=True,
        failure="Failed to say hello",
        idempotent=True,
        open_world=False,
        upstreams=("entra_id",),
    ),
    Tool(
        name="server_info",
        title="Server information",
        description=(
            "Get information about this MCP server: its name and version, how people sign in, "
            "and the names of its tools."
        ),
        toolset="microsoft",
        arguments=NoArguments,
        facts=ServerInfo,
        handler=server_info,
        read_only=True,
        failure="Failed to get server information",
        idempotent=True,
        open_world=False,
        upstreams=("entra_id",),
    ),
)
