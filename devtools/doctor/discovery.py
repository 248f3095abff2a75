"""What an MCP client discovers: the resource (RFC 9728) and its authorization server (RFC 8414)."""

from collections.abc import Sequence

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from devtools.doctor.checks import Failed
from devtools.doctor.requests import Requests, origin_of, quoted, read
from rally_mcp.authorization_server import resource_metadata
from rally_mcp.setting_types import Origin
from rally_mcp.settings import Function

_ROUTED = "check that every path of the address is routed to the functions, /.well-known too"

_ORIGIN: TypeAdapter[str] = TypeAdapter(Origin)


class ResourceMetadata(BaseModel):
    """What doctor needs of the protected resource's metadata (RFC 9728 §2)."""

    resource: str
    authorization_servers: list[str] = Field(min_length=1)
    scopes_supported: list[str] = []

    @property
    def issuer(self) -> str:
        """The authorization server."""
        return self.authorization_servers[0]


class ServerMetadata(BaseModel):
    """What doctor needs of the authorization server's metadata (RFC 8414 §2)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str
    revocation_endpoint: str
    scopes_supported: list[str] = []

    @property
    def upstreams(self) -> Sequence[str]:
        """What the deployment stands in front of, in the order of its settings."""
        return upstreams_of(self.scopes_supported)


def upstreams_of(scopes: Sequence[str]) -> Sequence[str]:
    """Return the upstreams that scopes are about, each once."""
    return list(dict.fromkeys(scope.partition(":")[0] for scope in scopes))


async def resource(requests: Requests, mcp_url: str) -> ResourceMetadata:
    """Return the metadata of the resource (RFC 9728 §3.3: it is about the very URL)."""
    url = resource_metadata.url(mcp_url)
    response = await requests.expect("GET", url, 200, _ROUTED)
    document = read(ResourceMetadata, response, _ROUTED)
    if document.resource != mcp_url:
        raise Failed(
            f"resource is {quoted(document.resource)}, expected {mcp_url}",
            f"set MCP_URL of {Function.MCP_ENDPOINT} to this address, or give doctor that one",
        )
    try:
        is_origin = document.issuer == _ORIGIN.validate_python(document.issuer) != ""
    except ValidationError:
        is_origin = False
    if not is_origin:
        raise Failed(
            f"the authorization server is {quoted(document.issuer)}, expected an https origin in "
            "lower case without a path or a trailing slash",
            f"set AUTH_URL of {Function.MCP_ENDPOINT} to the origin of {Function.AUTH_REDIRECT}",
        )
    return document


async def resource_at_root(requests: Requests, mcp_url: str) -> None:
    """Compare the metadata at its other address, byte for byte."""
    _, root = resource_metadata.paths(mcp_url)
    await _compare(requests, resource_metadata.url(mcp_url), f"{origin_of(mcp_url)}{root}")


async def server(requests: Requests, issuer: str) -> ServerMetadata:
    """Return the metadata of the authorization server (RFC 8414 §3.3: it is about the issuer)."""
    response = await requests.expect("GET", server_metadata_url(issuer), 200, _ROUTED)
    document = read(ServerMetadata, response, _ROUTED)
    if document.issuer != issuer:
        raise Failed(
            f"issuer is {quoted(document.issuer)}, expected {issuer}, byte for byte as in the "
            "protected resource metadata (RFC 8414 §3.3)",
            "set AUTH_URL to the same on all three functions",
        )
    for name in ServerMetadata.model_fields:
        if name.endswith("_endpoint") and not getattr(document, name).startswith(f"{issuer}/"):
            raise Failed(
                f"{name} is {quoted(getattr(document, name))}, expected an address at {issuer}",
                "let nothing rewrite the answers of the functions",
            )
    return document


async def openid_configuration(requests: Requests, issuer: str) -> None:
    """Compare the metadata with what OpenID Connect clients ask for, byte for byte."""
    openid = f"{issuer}/.well-known/openid-configuration"
    await _compare(requests, server_metadata_url(issuer), openid)


def server_metadata_url(issuer: str) -> str:
    """Return where the authorization server's metadata is (RFC 8414 §3)."""
    return f"{issuer}/.well-known/oauth-authorization-server"


async def _compare(requests: Requests, url: str, other_url: str) -> None:
    first = await requests.expect("GET", url, 200, _ROUTED)
    other = await requests.expect("GET", other_url, 200, _ROUTED)
    if first.content != other.content:
        raise Failed(
            f"{other_url} is not byte for byte what {url} is",
            "route both to the same function, of one version",
        )
