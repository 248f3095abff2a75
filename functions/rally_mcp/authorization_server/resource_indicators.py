"""The `resource` that a client asks tokens for (RFC 8707): this MCP endpoint, or nothing."""

from urllib.parse import urlsplit

from rally_mcp.errors import OAuthError


def check_resource(requested: str | None, resource: str) -> None:
    """Raise OAuthError (invalid_target) unless `resource` is what is asked for, or none is.

    Scheme and host may come in capitals, as RFC 3986 section 6.2.2.1 has them.
    """
    if requested and _canonical(requested) != resource and requested != resource:
        raise OAuthError("invalid_target", f"The resource here is {resource}.")


def _canonical(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return url.replace(
        f"{url.partition(':')[0]}://{parts.netloc}", f"{parts.scheme}://{parts.netloc.lower()}", 1
    )
