"""How the simulated Entra refuses a request: OAuth's code, and Microsoft's number and words."""

import uuid
from datetime import datetime


class Refused(Exception):
    """An OAuth error (RFC 6749 §5.2) with its AADSTS number; `members` join the JSON."""

    def __init__(
        self, error: str, number: int, message: str, *, status: int = 400, **members: str
    ) -> None:
        super().__init__(f"{error}: AADSTS{number}: {message}")
        self.error = error
        self.number = number
        self.status = status
        self._message = message
        self._members = members

    def document(self, origin: str, now: datetime) -> dict[str, object]:
        """Write it as the JSON endpoints do. No two refusals have the same trace."""
        trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
        timestamp = f"{now:%Y-%m-%d %H:%M:%S}Z"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self._message} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {timestamp}",
            "error_codes": [self.number],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{origin}/error?code={self.number}",
            **self._members,
        }


def resource_not_supported() -> Refused:
    """Refuse RFC 8707's `resource`: the v2.0 endpoints know scopes alone."""
    return Refused("invalid_request", 901002, "The 'resource' request parameter is not supported.")


def missing_parameter(name: str) -> Refused:
    """Refuse a request that lacks a parameter."""
    return Refused(
        "invalid_request",
        900144,
        f"The request body must contain the following parameter: '{name}'.",
    )


def tenant_not_found(tenant: str) -> Refused:
    """Refuse every tenant but the one that is simulated, `common` and its like included."""
    return Refused("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")


def client_not_found(client_id: str, tenant: str) -> Refused:
    """Refuse an application that is not registered."""
    return Refused(
        "unauthorized_client",
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'.",
    )
