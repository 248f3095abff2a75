"""How much one address, or one caller, may ask of one instance.

Generous towards addresses, because a whole company may share one. What an attack could spread
over instances is counted in the store (`authorization_server.login_attempts`, confirmation codes).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from rally_mcp.rate_limit import Rate, RateLimit
from rally_mcp.settings import Settings
from rally_mcp.web.client_address import client_address

REGISTRATIONS = Rate(burst=300, per_minute=300)
CONSENT_PAGES = Rate(burst=300, per_minute=300)
TOKEN_REQUESTS = Rate(burst=1000, per_minute=1200)
REFUSED_CREDENTIALS = Rate(burst=300, per_minute=300)
CALLS = Rate(burst=1000, per_minute=1200)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of one instance, each with its own keys: addresses, or for calls the caller."""

    registrations: RateLimit
    consent_pages: RateLimit
    token_requests: RateLimit
    refused_credentials: RateLimit
    calls: RateLimit
    trusted_proxy_hops: int

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], datetime]) -> "RequestLimits":
        """Make the limits that the settings ask for."""

        def limit(rate: Rate) -> RateLimit:
            return RateLimit(rate, clock) if settings.rate_limits == "on" else RateLimit.off()

        return cls(
            registrations=limit(REGISTRATIONS),
            consent_pages=limit(CONSENT_PAGES),
            token_requests=limit(TOKEN_REQUESTS),
            refused_credentials=limit(REFUSED_CREDENTIALS),
            calls=limit(CALLS),
            trusted_proxy_hops=settings.trusted_proxy_hops,
        )

    def address_of(self, request: Request) -> str:
        """Return the address that a request is counted under."""
        return client_address(request, self.trusted_proxy_hops)
