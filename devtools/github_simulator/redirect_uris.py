"""Which redirect_uris GitHub accepts: those below a callback URL that the app registered."""

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_registered(redirect_uri: str, callback_urls: Iterable[str]) -> bool:
    """Whether a redirect_uri lies below one of the callback URLs.

    Unlike other servers, GitHub takes subdomains of the host and subdirectories of the path. The
    port has to be the same, except on a loopback address (RFC 8252 §7.3).
    """
    try:
        requested = urlsplit(redirect_uri)
        return any(_is_below(requested, urlsplit(callback)) for callback in callback_urls)
    except ValueError:
        return False


def _is_below(requested: SplitResult, callback: SplitResult) -> bool:
    host, registered_host = requested.hostname or "", callback.hostname or ""
    is_same_host = host == registered_host or host.endswith(f".{registered_host}")
    is_same_port = requested.port == callback.port or {host, registered_host} <= _LOOPBACK
    directory = callback.path.rstrip("/")
    is_subdirectory = requested.path == callback.path or requested.path.startswith(f"{directory}/")
    return (
        requested.scheme == callback.scheme
        and is_same_host
        and is_same_port
        and is_subdirectory
        and ".." not in requested.path.split("/")
        and not requested.fragment
    )
