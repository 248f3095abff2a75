"""What doctor finds wrong with what clients discover, and with the answers to strangers."""

import pytest

from tests.doctor.examined import (
    AUTH_ORIGIN,
    MCP_URL,
    OPENID,
    RESOURCE,
    SERVER,
    Examined,
    failed,
    instead,
    with_members,
)
from tests.fixtures.deployment import MCP_ORIGIN


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(404), "HTTP 404, expected 200", "/.well-known too"),
        (instead(200, "{}"), "member resource is missing", "/.well-known too"),
        (
            with_members(resource="https://mcp.example.com/mcp"),
            f"resource is 'https://mcp.example.com/mcp', expected {MCP_URL}",
            "set MCP_URL of mcp_endpoint to this address",
        ),
        (
            with_members(authorization_servers=["https://auth.example.com/"]),
            "expected an https origin",
            "set AUTH_URL of mcp_endpoint to the origin of auth_redirect",
        ),
        (
            with_members(authorization_servers=["http://auth.example.com"]),
            "expected an https origin",
            "set AUTH_URL of mcp_endpoint",
        ),
        (with_members(authorization_servers=[]), "member authorization_servers is", "/.well-known"),
    ],
    ids=["missing", "empty", "another resource", "a slash too many", "plain http", "no server"],
)
async def test_the_resource_metadata_has_to_be_about_the_very_address(
    examined: Examined, change, seen: str, to_do: str
) -> None:
    examined.changes[f"{RESOURCE}/mcp"] = change

    finding = failed(await examined.report())["protected resource metadata"]

    assert seen in finding.problem
    assert to_do in finding.remedy


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (RESOURCE, "protected resource metadata at the origin"),
        (OPENID, "openid-configuration"),
    ],
)
async def test_a_document_is_the_same_byte_for_byte_wherever_it_stands(
    examined: Examined, address: str, name: str
) -> None:
    examined.changes[address] = lambda answer: instead(200, f"{answer.text} ")(answer)

    [(found, finding)] = failed(await examined.report()).items()

    assert found == name
    assert f"{address} is not byte for byte what" in finding.problem
    assert "route both to the same function" in finding.remedy


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(500), "HTTP 500, expected 200", "/.well-known too"),
        (
            with_members(issuer=f"{AUTH_ORIGIN}/"),
            f"issuer is '{AUTH_ORIGIN}/', expected {AUTH_ORIGIN}, byte for byte",
            "set AUTH_URL to the same on all three functions",
        ),
        (
            with_members(token_endpoint="https://evil.example/token"),
            f"token_endpoint is 'https://evil.example/token', expected an address at {AUTH_ORIGIN}",
            "let nothing rewrite",
        ),
        (
            with_members(authorization_endpoint=f"{AUTH_ORIGIN}.evil.example/authorize"),
            "authorization_endpoint is",
            "let nothing rewrite",
        ),
    ],
    ids=["down", "another issuer", "an endpoint elsewhere", "an endpoint at a similar name"],
)
async def test_the_server_metadata_has_to_be_about_the_very_issuer(
    examined: Examined, change, seen: str, to_do: str
) -> None:
    examined.changes[SERVER] = change

    finding = failed(await examined.report())["authorization server metadata"]

    assert seen in finding.problem
    assert to_do in finding.remedy


@pytest.mark.parametrize(
    ("request_line", "change", "name", "seen", "to_do"),
    [
        (
            f"POST {MCP_URL}",
            instead(421),
            "401 without a credential",
            "HTTP 421, expected 401",
            "MCP_URL equals this address",
        ),
        (
            f"POST {MCP_URL}",
            instead(401),
            "401 without a credential",
            f"names no resource_metadata, expected {RESOURCE}/mcp",
            "let no proxy drop or rewrite WWW-Authenticate",
        ),
        (
            f"POST {MCP_URL}",
            instead(401, www_authenticate='Bearer resource_metadata="https://x.example/"'),
            "401 without a credential",
            f"names 'https://x.example/', expected {RESOURCE}/mcp",
            "set MCP_URL to this address",
        ),
        (
            f"GET {MCP_URL}",
            instead(200),
            "405 for GET /mcp",
            "HTTP 200, expected 405",
            "routed to mcp-endpoint",
        ),
        (
            f"POST {MCP_URL}",
            instead(200),
            "403 for a foreign Origin",
            "HTTP 200, expected 403",
            "let no proxy drop or rewrite the Origin header",
        ),
        (
            f"GET {MCP_ORIGIN}/openapi.json",
            instead(404),
            "/openapi.json",
            "HTTP 404, expected 200",
            "route /openapi.json and /tools to mcp-endpoint",
        ),
        (
            f"GET {MCP_ORIGIN}/openapi.json",
            instead(200, "[]"),
            "/openapi.json",
            "no such document",
            "route /openapi.json",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value[:3].isdigit() else "",
)
async def test_strangers_are_answered_as_the_protocols_want_it(
    examined: Examined, request_line: str, change, name: str, seen: str, to_do: str
) -> None:
    examined.changes[request_line] = change

    finding = failed(await examined.report())[name]

    assert seen in finding.problem
    assert to_do in finding.remedy
