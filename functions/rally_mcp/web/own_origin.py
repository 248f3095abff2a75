"""Host and Origin of a request, checked against the settings: no DNS rebinding, no foreign page.

Browsers let any page send requests to any host; a page whose name was re-pointed at this server
is told apart by `Host`, any other by `Origin`.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from rally_mcp.web.responses import RequestRefused

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORT = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class OwnOrigin:
    """The names this endpoint goes by."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, public_url: str) -> "OwnOrigin":
        """Take them from the public URL; a loopback URL stands for all loopback names."""
        url = urlsplit(public_url)
        default = _DEFAULT_PORT[url.scheme]
        port = url.port or default
        name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
        names = _LOOPBACK if name in _LOOPBACK else (name,)
        hosts = {f"{name}:{port}" for name in names}
        if port == default:
            hosts |= set(names)
        return cls(frozenset(hosts), frozenset(f"{url.scheme}://{host}" for host in hosts))

    def check(self, request: Request) -> None:
        """Raise RequestRefused for a foreign Host (421) or Origin (403)."""
        if request.headers.get("host", "").lower() not in self.hosts:
            raise RequestRefused(
                421, "Misdirected Request", "Use the public address of this endpoint."
            )
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in self.origins:
            raise RequestRefused(403, "Forbidden", "Web pages of other origins may not call this.")
