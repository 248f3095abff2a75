"""Challenges of the protected resource (RFC 6750 §3, RFC 9728 §5.1, MCP authorization).

A bare one makes a client sign in by itself; `invalid_token` makes it refresh or sign in again;
`insufficient_scope` makes it ask for more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rally_mcp.authorization_server import resource_metadata
from rally_mcp.web.responses import RequestRefused


@dataclass(frozen=True, slots=True)
class BearerChallenge:
    """Makes the refusals of one resource. `scopes` are those that its tools need."""

    resource: str
    scopes: Sequence[str]

    def no_credential(self, message: str) -> RequestRefused:
        """Return the 401 for a request without a credential: no error code (RFC 6750 §3.1)."""
        return self._refused(401, "Unauthorized", message, self.scopes, {})

    def invalid_token(self, message: str) -> RequestRefused:
        """Return the 401 for an access token that is worth nothing."""
        error = {"error": "invalid_token", "error_description": message}
        return self._refused(401, "Unauthorized", message, self.scopes, error)

    def insufficient_scope(
        self, granted: Collection[str], needed: Collection[str]
    ) -> RequestRefused:
        """Return the 403 that names every scope the next access token should have."""
        message = f"This needs the scope {' '.join(needed)}; authorize again with it."
        asked = [each for each in self.scopes if each in granted or each in needed]
        error = {"error": "insufficient_scope", "error_description": message}
        return self._refused(403, "Forbidden", message, asked, error)

    def _refused(
        self,
        status: int,
        headline: str,
        message: str,
        scopes: Sequence[str],
        error: dict[str, str],
    ) -> RequestRefused:
        parameters = {
            **error,
            "resource_metadata": resource_metadata.url(self.resource),
            "scope": " ".join(scopes),
        }
        written = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        return RequestRefused(status, headline, message, {"WWW-Authenticate": f"Bearer {written}"})
