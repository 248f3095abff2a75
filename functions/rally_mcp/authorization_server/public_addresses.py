"""Where a stranger may send this server: which URLs it fetches, and which addresses it connects to.

Anybody can name a metadata document in an authorization request, and this server goes and gets it.
So a URL has a single reading here and names a host of the public DNS, and what the name resolves
to must be an address of the public Internet: no neighbour, no metadata server, and no way through
an address that holds another one.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

LONGEST_URL = 512
"""Characters."""

_LONGEST_NAME = 253
"""Characters of a name in the DNS (RFC 1035 §2.3.4)."""

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL = "[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""It begins with a letter; every spelling of an IPv4 address ends in a number."""

_PATH_CHARACTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
"""RFC 3986 §3.3. Nothing that an HTTP client would have to encode or might read otherwise."""

_URL = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+{_TOP_LABEL})(?::443)?(?P<path>/{_PATH_CHARACTER}+)"
)

_SLASH = re.compile("/|%2f|%5c")

_PRIVATE_DOMAINS = frozenset({"arpa", "internal", "local", "localdomain", "localhost"})
"""Top-level domains that mean something else on every network (RFC 6761, 6762, 8375)."""

_SPECIAL_IPV4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private use
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, and the metadata servers of clouds
            "172.16.0.0/12",  # private use
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private use
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
"""From IANA's registry of special-purpose addresses; Python's own list changes with its version."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All else is loopback, link-local, site-local, unique local, multicast, NAT64, or an IPv4 address
in disguise."""

_SPECIAL_IPV6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)

_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""How an interface identifier begins that ends in an IPv4 address (RFC 5214 §6.1)."""


@dataclass(frozen=True, slots=True)
class DocumentUrl:
    """The two parts of an acceptable URL that a request needs; the port is 443."""

    host: str
    path: str


def parse_url(url: str) -> DocumentUrl:
    """Read the URL of a metadata document or a key set.

    Raises ValueError, with a sentence that does not repeat it. Stricter than the draft's §3 where
    that leaves room: no port but 443 and no path `/`, for no document is there; a name in lower
    case; and no query, because a server that fetches a URL with parameters does what they say,
    and could be made to call its own /authorize.
    """
    parts = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if parts is None:
        raise ValueError(
            f"The URL is not https://, a name in lower case and a path, in {LONGEST_URL} characters"
        )
    segments = _SLASH.split(parts["path"].lower())
    if any(segment.replace("%2e", ".") in {".", ".."} for segment in segments):
        raise ValueError("The URL's path has a dot segment")
    if len(parts["host"]) > _LONGEST_NAME or _top_level(parts["host"]) in _PRIVATE_DOMAINS:
        raise ValueError("The URL's host is not a name of the public DNS")
    return DocumentUrl(parts["host"], parts["path"])


def is_public(address: str) -> bool:
    """Tell whether an address, as a resolver wrote it, is one of the public Internet."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return found.is_global and not any(found in network for network in _SPECIAL_IPV4)
    return (
        found.scope_id is None
        and found.is_global
        and found in _GLOBAL_UNICAST
        and not any(found in network for network in _SPECIAL_IPV6)
        and (int(found) >> 32) & 0xFFFF_FFFF not in _ISATAP
    )


def _top_level(host: str) -> str:
    return host.rpartition(".")[2]
