"""The OpenAPI 3.1 document of the REST interface, made from the tools themselves."""

import copy
from collections.abc import Mapping
from typing import Any

from rally_mcp.tools.context import ServerFacts
from rally_mcp.tools.toolset import Tool

_ERRORS = {
    400: "The request, the Session-ID header or an argument is not acceptable.",
    401: "The person must sign in; the answer carries the address.",
    403: "Not allowed: by the upstream, by this deployment, or for a foreign Origin.",
    404: "There is no such tool, or the upstream shows no such object.",
    405: "The path does not take this method.",
    409: "The request collides with another one, or could mean more than one thing.",
    413: "The body is larger than 1 MiB.",
    421: "The request was meant for another host.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "Something went wrong here.",
    502: "The upstream's answer cannot be used.",
    503: "The upstream is not available.",
    504: "The upstream did not answer in time.",
}

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error"],
}

_SIGN_IN = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "error_description": {"type": "string"},
        "auth_url": {"type": "string", "format": "uri"},
        "instructions": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["error", "error_description", "auth_url", "instructions"],
}


def document(
    server: ServerFacts, server_url: str, tools: Mapping[str, Tool[Any]]
) -> dict[str, Any]:
    """Describe the REST interface of the offered tools at `server_url`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": server.name,
            "version": server.version,
            "description": "The same tools as over MCP, as the signed-in user.",
        },
        "servers": [{"url": server_url}],
        "security": [{"sessionId": []}],
        "paths": {
            "/tools": {"get": _listing()},
            **{f"/tools/{tool.name}": {"post": _operation(tool)} for tool in tools.values()},
        },
        "components": {
            "securitySchemes": {
                "sessionId": {"type": "apiKey", "in": "header", "name": "Session-ID"}
            },
            "schemas": {"Error": _ERROR, "SignIn": _SIGN_IN},
        },
    }


def _listing() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"tools": {"type": "array"}}, "required": ["tools"]}
    return {
        "operationId": "list_tools",
        "summary": "List the tools",
        "responses": {"200": _json("The tools.", schema), **_error_responses()},
    }


def _operation(tool: Tool[Any]) -> dict[str, Any]:
    success = copy.deepcopy(tool.output_schema)
    success["properties"].update({label: {"type": "string"} for label in tool.user_texts})
    return {
        "operationId": tool.name,
        "summary": tool.title,
        "description": tool.description,
        "requestBody": {
            "required": bool(tool.input_schema.get("required")),
            "content": {"application/json": {"schema": _inlined(tool.input_schema)}},
        },
        "responses": {"200": _json("Done.", _inlined(success)), **_error_responses()},
    }


def _error_responses() -> dict[str, Any]:
    return {
        str(status): _json(
            meaning,
            {"$ref": f"#/components/schemas/{'SignIn' if status == 401 else 'Error'}"},  # noqa: PLR2004 RFC 9110 §15.5.2
        )
        for status, meaning in _ERRORS.items()
    }


def _json(meaning: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Put definitions where they are referred to: a path below the document's root differs."""
    definitions = schema.get("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolved(definitions[part["$ref"].rsplit("/", 1)[-1]])
            return {key: resolved(value) for key, value in part.items() if key != "$defs"}
        return [resolved(item) for item in part] if isinstance(part, list) else part

    inlined: dict[str, Any] = resolved(schema)
    return inlined
