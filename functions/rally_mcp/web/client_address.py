"""The address that a request came from, as far as proxies of ours vouch for it."""

import re
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

UNKNOWN = "unknown"
"""Stands for a peer without an IP address, such as a Unix socket."""

_WITH_PORT = re.compile(r"\[([^]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")

_HOUSEHOLD = 64
"""Bits of an IPv6 address that a provider hands out; the rest is its holder's to choose."""


def client_address(request: Request, trusted_proxy_hops: int) -> str:
    """Return the caller's address in canonical form: `203.0.113.9`, `2001:db8:1:2::/64`.

    Each proxy adds whom it saw to the end of X-Forwarded-For, so the last `trusted_proxy_hops`
    entries are ours, and the first of these is the caller; what stands before was made up by
    anybody. Without hops, or where that entry is missing or no IP address, it is the peer. Whoever
    reaches the function around a proxy that is counted here can choose the address.

    IPv6 is told apart by /64 network; an IPv4 address mapped into IPv6 counts as IPv4.
    """
    entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    if 0 < trusted_proxy_hops <= len(entries):
        forwarded = _canonical(entries[-trusted_proxy_hops].strip())
        if forwarded:
            return forwarded
    peer = request.client.host if request.client else ""
    return _canonical(peer) or UNKNOWN


def _canonical(text: str) -> str | None:
    """Return the address in its one form, without port and zone; None where it is none."""
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found[1] or found[2]) if found else text)
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _HOUSEHOLD), strict=False))
