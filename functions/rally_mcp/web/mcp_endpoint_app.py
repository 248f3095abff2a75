"""mcp_endpoint: MCP and REST over the same tools, for callers with a credential."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from rally_mcp.authorization_server import resource_metadata
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.bootstrap.mcp_endpoint import mcp_endpoint
from rally_mcp.errors import RallyMcpError, RateLimited, UpstreamUnavailable
from rally_mcp.settings import Function
from rally_mcp.tools.catalogue import offered, server_facts
from rally_mcp.tools.toolset import Tool
from rally_mcp.web import openapi
from rally_mcp.web.bearer_challenge import BearerChallenge
from rally_mcp.web.boundary import Endpoint, boundary, routed
from rally_mcp.web.credential import Callers
from rally_mcp.web.mcp_protocol import McpProtocol, NotJson
from rally_mcp.web.request_limits import RequestLimits
from rally_mcp.web.responses import (
    RequestRefused,
    get_or_head,
    health,
    json_answer,
    json_error,
)
from rally_mcp.web.rest import RestApi

_PARSE_ERROR, _INVALID_REQUEST, _INTERNAL_ERROR = -32700, -32600, -32603
"""JSON-RPC's codes for what fails before MCP reads it."""


def create(base: Foundations, further_tools: Sequence[Tool[Any]] = ()) -> ASGIApp:
    """Return the function's ASGI application. Raises ConfigurationError.

    `further_tools` are offered besides the product's own, whatever the settings say.
    """
    services = mcp_endpoint(base)
    settings = services.settings
    tools = {
        **offered(settings.toolsets, settings.upstreams, read_only=settings.read_only),
        **{tool.name: tool for tool in further_tools},
    }
    scopes = _needed(services.scopes, tools.values())
    challenge = BearerChallenge(settings.mcp_url, scopes)
    callers = Callers(services, challenge, RequestLimits.of(settings, base.clock))
    server = server_facts(settings.server_name, tools)
    protocol = McpProtocol(services, callers, tools, server)
    rest = RestApi(services, callers, tools, server)
    description = openapi.document(server, settings.mcp_url.removesuffix("/mcp"), tools)
    resource = resource_metadata.document(
        settings.mcp_url, settings.auth_url, scopes, settings.server_name
    )

    async def answer_health(request: Request) -> Response:
        return health(request, Function.MCP_ENDPOINT)

    routes = routed(
        {
            "/mcp": protocol,
            "/": protocol,
            "/tools": rest.list_tools,
            "/tools/{tool}": rest.call_tool,
            "/openapi.json": _serving(description),
            **dict.fromkeys(resource_metadata.paths(settings.mcp_url), _serving(resource)),
            "/health": answer_health,
            "/mcp/health": answer_health,
        }
    )
    return boundary(routes, _error_answer)


def _needed(scopes: Sequence[str], tools: Iterable[Tool[Any]]) -> list[str]:
    """Return those scopes that some tool needs, in their order."""
    needed = {scope for tool in tools for scope in tool.scopes}
    return [scope for scope in scopes if scope in needed]


def _serving(document: Mapping[str, Any]) -> Endpoint:
    """Return an endpoint that answers with the same document to everybody."""

    async def serve(request: Request) -> Response:
        get_or_head(request)
        return json_answer(document)

    return serve


def _error_answer(request: Request, error: RallyMcpError, correlation_id: str) -> Response:
    """Return JSON; on the MCP path a JSON-RPC error, which is what a client there reads."""
    del correlation_id
    if request.url.path not in {"/", "/mcp"}:
        return json_error(error)
    headline = f"{error.headline}: " if isinstance(error, RequestRefused) else ""
    code = _PARSE_ERROR if isinstance(error, NotJson) else _INVALID_REQUEST
    if error.http_status >= 500:  # noqa: PLR2004 server errors, RFC 9110 §15.6
        code = _INTERNAL_ERROR
    message = f"{headline}{error.message}"
    answer = {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": code, "message": message},
    }
    headers = error.headers if isinstance(error, RequestRefused) else {}
    if isinstance(error, RateLimited | UpstreamUnavailable):
        headers = {"Retry-After": str(error.retry_after)}
    return json_answer(answer, error.http_status, headers)
