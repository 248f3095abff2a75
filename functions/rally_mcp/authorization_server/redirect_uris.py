"""Where an authorization code may be sent: what can be registered, and what matches it.

https anywhere, http on this machine, and the schemes of applications (RFC 8252 §7). A URI matches
byte for byte, but for the port of an http loopback URI, which a client picks as it starts
(RFC 8252 §7.3).
"""

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from rally_mcp.errors import InvalidInput

LONGEST = 512
"""Characters."""

MOST = 20
"""Redirect URIs of one client."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

EDITOR_SCHEMES = frozenset(
    {"vscode", "vscode-insiders", "vscodium", "cursor", "windsurf", "zed", "kiro", "claude"}
)
"""Schemes of editors that have no period in them, as RFC 8252 §7.1 wants of all."""

_PRINTABLE = re.compile(r"[!-~]+")
_DOT_SEGMENT = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?=/|%2f|%5c|$)", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A name or an address; anything else could end the policy that the host is written into."""

_RESPONSE_PARAMETERS = frozenset({"code", "state", "iss", "error", "error_description"})

_APPLICATION_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")

ApplicationType = Literal["", "native", "web"]
"""As a client registers it (OpenID Connect Registration §2); empty where it does not say."""


def check(redirect_uri: str, application_type: ApplicationType = "") -> None:
    """Raise InvalidInput, which does not repeat it, for a redirect URI no client may have."""
    if len(redirect_uri) > LONGEST or not _PRINTABLE.fullmatch(redirect_uri):
        raise InvalidInput(f"A redirect URI has at most {LONGEST} printable ASCII characters.")
    parts = _split(redirect_uri)
    if parts is None or "\\" in redirect_uri:
        raise InvalidInput("A redirect URI must be an absolute URI.")
    if "#" in redirect_uri or "@" in parts.netloc or "*" in redirect_uri:
        raise InvalidInput("A redirect URI has no fragment, no user and no wildcard.")
    if _RESPONSE_PARAMETERS & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        raise InvalidInput("A redirect URI has no parameter of an authorization response in it.")
    if _DOT_SEGMENT.search(parts.path):
        raise InvalidInput("A redirect URI has no . or .. in its path.")
    kind = _kind(parts)
    if kind != "application" and not _HOST.fullmatch(parts.hostname or ""):
        raise InvalidInput("A redirect URI has a host name or address, and nothing else there.")
    if kind is None:
        raise InvalidInput(
            "A redirect URI starts with https://, with http:// on the loopback interface, or with "
            "the scheme of an application, which has a period in it (RFC 8252)."
        )
    if application_type == "web" and kind != "https":
        raise InvalidInput("The redirect URI of a web application starts with https://.")


def registered(redirect_uri: str, redirect_uris: Iterable[str]) -> bool:
    """Tell whether a request's redirect URI is one of a client's."""
    return any(each == redirect_uri or _same_but_port(each, redirect_uri) for each in redirect_uris)


def without_port(redirect_uri: str) -> str:
    """Return the URI as it is compared: a loopback one without its port."""
    parts = _split(redirect_uri)
    if parts is None or _kind(parts) != "loopback":
        return redirect_uri
    host = f"[{parts.hostname}]" if parts.hostname == "::1" else parts.hostname or ""
    return redirect_uri.replace(f"//{parts.netloc}", f"//{host}", 1)


def is_loopback(redirect_uri: str) -> bool:
    """Tell whether the code goes to a program on the person's own machine."""
    parts = _split(redirect_uri)
    return parts is not None and _kind(parts) == "loopback"


def is_own(redirect_uri: str, own_urls: Iterable[str]) -> bool:
    """Tell whether a redirect URI leads to one of this deployment's own origins."""
    return _origin(redirect_uri) in {_origin(each) for each in own_urls}


def shown(redirect_uri: str) -> str:
    """Return what a person can judge a redirect URI by: its host, or its application's scheme."""
    parts = urlsplit(redirect_uri)
    return parts.netloc if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def form_action_source(redirect_uri: str) -> str:
    """Return the Content-Security-Policy source that lets a form's redirect chain end there."""
    parts = urlsplit(redirect_uri)
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:"
    # A policy's host cannot be an IPv6 address.
    return f"{parts.scheme}:" if "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"


def with_parameters(redirect_uri: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return the address of an authorization response (RFC 6749 §4.1.2)."""
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(list(parameters))}"


def _kind(parts: SplitResult) -> Literal["https", "loopback", "application"] | None:
    if parts.scheme == "https":
        return "https" if parts.hostname else None
    if parts.scheme == "http":
        return "loopback" if parts.hostname in LOOPBACK_HOSTS else None
    is_application = parts.scheme in EDITOR_SCHEMES or _APPLICATION_SCHEME.fullmatch(parts.scheme)
    return "application" if is_application else None


def _same_but_port(one: str, other: str) -> bool:
    return is_loopback(one) and without_port(one) == without_port(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = (parts.hostname or "").rstrip(".")
    name = "localhost" if host in LOOPBACK_HOSTS else host
    return parts.scheme, name, parts.port or default


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and (parts.netloc or parts.path) else None
