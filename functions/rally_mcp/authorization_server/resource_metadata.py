"""What a client discovers about the protected resource (RFC 9728). Addresses come from settings."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def paths(resource: str) -> tuple[str, str]:
    """Return the two paths of a resource's metadata: with its own path inserted, and the root."""
    return f"{_WELL_KNOWN}{urlsplit(resource).path}", _WELL_KNOWN


def url(resource: str) -> str:
    """Return where a challenge sends a client (RFC 9728 §5.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{paths(resource)[0]}"


def document(resource: str, issuer: str, scopes: Sequence[str], name: str) -> Mapping[str, Any]:
    """Return the protected resource's metadata (RFC 9728 §2)."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }
