"""What the MCP endpoint answers to those who are not signed in: refusals, and its description."""

import re
from collections.abc import Collection
from urllib.parse import urljoin

from pydantic import BaseModel

from devtools.doctor.checks import Failed
from devtools.doctor.requests import Requests, quoted, read
from rally_mcp.authorization_server import resource_metadata

_PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
_FOREIGN_ORIGIN = "https://foreign.invalid"
_METADATA = re.compile(r'\bresource_metadata="([^"]*)"')
_TOOL = "/tools/"


class Description(BaseModel):
    """What doctor needs of the OpenAPI document."""

    openapi: str
    paths: dict[str, object]

    @property
    def tools(self) -> Collection[str]:
        """The names of the tools that are offered."""
        return {path.removeprefix(_TOOL) for path in self.paths if path.startswith(_TOOL)}


async def challenge(requests: Requests, mcp_url: str) -> None:
    """See that a request without a credential is told where to sign in (RFC 9728 §5.1)."""
    response = await requests.expect(
        "POST",
        mcp_url,
        401,
        "check that MCP_URL equals this address (421 says that it does not), and that nothing "
        "before the function adds a credential",
        json=_PING,
    )
    expected = resource_metadata.url(mcp_url)
    told = _METADATA.search(response.headers.get("www-authenticate", ""))
    if told is None or told[1] != expected:
        seen = f"names {quoted(told[1])}" if told else "names no resource_metadata"
        raise Failed(
            f"WWW-Authenticate {seen}, expected {expected}",
            "set MCP_URL to this address, and let no proxy drop or rewrite WWW-Authenticate",
        )


async def no_stream(requests: Requests, mcp_url: str) -> None:
    """See that no stream is held open: GET is refused (RFC 9110 §15.5.6)."""
    await requests.expect(
        "GET", mcp_url, 405, "check that this address is routed to mcp-endpoint and nothing else"
    )


async def foreign_origin(requests: Requests, mcp_url: str) -> None:
    """See that a web page of another origin is refused."""
    await requests.expect(
        "POST",
        mcp_url,
        403,
        "let no proxy drop or rewrite the Origin header",
        json=_PING,
        headers={"Origin": _FOREIGN_ORIGIN},
    )


async def description(requests: Requests, mcp_url: str) -> Description:
    """Return what the REST interface says of itself."""
    remedy = "route /openapi.json and /tools to mcp-endpoint as well"
    response = await requests.expect("GET", urljoin(mcp_url, "/openapi.json"), 200, remedy)
    return read(Description, response, remedy)
