"""What OAuth asks of every authorization server with users: clients, PKCE, and the way back."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

ALLOW = "allow"
"""The `decision` of a consent form by which the user agrees; any other refuses."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """An OAuth client as it was registered; how redirect_uris are compared is the simulator's."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]

    def has_secret(self, client_secret: str) -> bool:
        """Whether this is the client's secret."""
        return hmac.compare_digest(self.client_secret.encode(), client_secret.encode())


def verifies(code_verifier: str, code_challenge: str) -> bool:
    """Check a code_verifier by the S256 method (RFC 7636 §4.6)."""
    digest = hashlib.sha256(code_verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(expected, code_challenge.encode())


def redirect_to_client(redirect_uri: str, state: str, answer: dict[str, str]) -> Response:
    """Send the browser back to the client (RFC 6749 §4.1.2), with the state if there was one."""
    separator = "&" if urlsplit(redirect_uri).query else "?"
    parameters = {**answer, "state": state} if state else answer
    return RedirectResponse(f"{redirect_uri}{separator}{urlencode(parameters)}", 302)
