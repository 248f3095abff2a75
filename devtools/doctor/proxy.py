"""The proxy that this machine's environment names (HTTPS_PROXY, ALL_PROXY, NO_PROXY)."""

import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

ProxyOf = Callable[[str], str | None]
"""Tell which proxy requests to a URL go through: its host and port, or None."""


def proxy_of(url: str) -> str | None:
    """Return what the environment says of a URL, without the proxy's user and password."""
    parts = urlsplit(url)
    named = urllib.request.getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    address = proxy if "://" in proxy else f"//{proxy}"
    return urlsplit(address).netloc.rpartition("@")[2]
