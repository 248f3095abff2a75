"""REST: the same tools for programs that speak no MCP, in the words its first users know.

POST /tools/{tool}   a JSON object of arguments → the tool's facts, or {"error", "message"}
GET  /tools          what there is
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import GrantEnded, InvalidInput, RallyMcpError, SignInRequired
from rally_mcp.tools.catalogue import REST_ALIASES
from rally_mcp.tools.context import ServerFacts
from rally_mcp.tools.results import message_of, sign_in_members
from rally_mcp.tools.toolset import Answer, Tool
from rally_mcp.web.body import read_body
from rally_mcp.web.boundary import known
from rally_mcp.web.credential import Callers, missing_session_id
from rally_mcp.web.own_origin import OwnOrigin
from rally_mcp.web.responses import RequestRefused, json_answer, json_error, method_not_allowed
from rally_mcp.web.tool_calls import may_see, require_scope, tool_context

_CHALLENGE = 'Session-ID realm="Rally"'
"""RFC 9110 §15.5.2 wants one. Not Bearer: a client would start an OAuth of its own."""


class RestApi:
    """The handlers of /tools."""

    def __init__(
        self,
        services: McpEndpoint,
        callers: Callers,
        tools: Mapping[str, Tool[Any]],
        server: ServerFacts,
    ) -> None:
        self._services = services
        self._callers = callers
        self._tools = tools
        self._server = server
        self._own = OwnOrigin.of(services.settings.mcp_url)

    async def list_tools(self, request: Request) -> Response:
        """List the tools with their schemas."""
        self._own.check(request)
        if request.method != "GET":
            raise method_not_allowed("GET")
        caller = await self._callers.identify(request, missing_session_id)
        seen = [tool for tool in self._tools.values() if may_see(caller, tool)]
        return json_answer({"tools": [_described(tool) for tool in seen]})

    async def call_tool(self, request: Request) -> Response:
        """Run one tool."""
        self._own.check(request)
        if request.method != "POST":
            raise method_not_allowed("POST")
        caller = await self._callers.identify(request, missing_session_id)
        tool = self._tool(request.path_params["tool"])
        require_scope(caller, tool, self._callers.challenge)
        try:
            arguments = _arguments(await read_body(request))
            context = tool_context(self._services, caller, self._server)
            answer = await tool.run(context, arguments)
        except SignInRequired as error:
            members = sign_in_members(error.prompt, error.prompt.auth_url)
            return json_answer(members, 401, {"WWW-Authenticate": _CHALLENGE})
        except GrantEnded as ended:
            raise self._callers.challenge.invalid_token(ended.message) from None
        except RequestRefused:
            raise
        except RallyMcpError as raised:
            shown = known(raised)
            return json_error(shown, tool.failure, message_of(shown))
        return json_answer(_members(answer))

    def _tool(self, named: str) -> Tool[Any]:
        name = named.replace("-", "_")
        tool = self._tools.get(REST_ALIASES.get(name, name))
        if tool is None:
            names = ", ".join(self._tools)
            raise RequestRefused(404, "Unknown tool", f"Known tools: {names}.")
        return tool


def _arguments(body: bytes) -> object:
    """Parse the body; an empty one stands for no arguments."""
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise InvalidInput("The body must be a JSON object with the tool's arguments.") from None


def _members(answer: Answer) -> dict[str, Any]:
    """Return facts and what people wrote as one JSON object."""
    return {**answer.facts.model_dump(mode="json"), **answer.user_texts}


def _described(tool: Tool[Any]) -> dict[str, Any]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "read_only": tool.read_only,
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
    }
