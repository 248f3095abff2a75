"""The kinds of values that settings have, each with the sentence that refuses a wrong one."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator

from rally_mcp.secret_store import SecretReference

_URL = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Tell whether only this machine reaches a URL."""
    return urlsplit(url).hostname in _LOOPBACK


def _public_url(value: str) -> SplitResult:
    """Split a URL that other machines will be sent to. Raises ValueError with the remedy."""
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname or not _URL.fullmatch(value):
        raise ValueError("must be an absolute https URL, without spaces")
    if not _is_port(url):
        raise ValueError("must have a port from 1 to 65535, or none")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("must be https; plain http is accepted for 127.0.0.1 and localhost only")
    if url.username or url.password or url.query or url.fragment or "?" in value or "#" in value:
        raise ValueError("must have no user, query or fragment")
    return url


def _is_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _mcp_url(value: str) -> str:
    if value and not _public_url(value).path.endswith("/mcp"):
        raise ValueError("must end in /mcp, as in https://mcp.example.com/mcp")
    return value


def _origin(value: str) -> str:
    if not value:
        return value
    url = _public_url(value)
    if url.path:
        raise ValueError(
            "must be an origin without path or trailing slash, as in https://a.example.com"
        )
    # As browsers and answers write it (RFC 6454 §6.1), so that comparing text compares origins.
    return f"{url.scheme}://{url.netloc.lower().removesuffix(_DEFAULT_PORTS[url.scheme])}"


def _base_url(value: str) -> str:
    if value and _public_url(value).path.endswith("/"):
        raise ValueError("must have no trailing slash, as in https://a.example.com/api/v1")
    return value


def _callback_url(value: str) -> str:
    if value and not _public_url(value).path.endswith("/callback"):
        raise ValueError(
            "must end in /callback and equal the redirect URI registered at the upstreams"
        )
    return value


def _secret_reference(value: object) -> object:
    return SecretReference.parse(value) if isinstance(value, str) else value


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        parts = (part.strip() for part in value.split(","))
        return tuple(dict.fromkeys(part for part in parts if part))
    return value


McpUrl = Annotated[str, BeforeValidator(_mcp_url)]
"""The URL of the MCP endpoint; ends in /mcp."""

Origin = Annotated[str, BeforeValidator(_origin)]
"""Scheme, host and port, without a trailing slash."""

BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""A URL that paths are appended to."""

CallbackUrl = Annotated[str, BeforeValidator(_callback_url)]
"""A redirect URI (RFC 6749 §3.1.2); ends in /callback."""

Secret = Annotated[SecretReference | None, BeforeValidator(_secret_reference)]
"""A reference to a secret, never the secret."""

CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
"""Several values, written with commas."""
