"""Other processes of the same user and settings, one of which may hold the listener's port.

A port says nothing of who listens. So a sibling proves that it knows the user's secret and serves
the same settings, without telling them, before a browser is sent there.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import httpx

from rally_mcp.crypto import random_secret
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.local.principal_secret import PrincipalSecret
from rally_mcp.settings import Settings

_SECONDS = 2
"""For an answer from this machine."""

_CHALLENGE_BITS = 128


@dataclass(frozen=True, slots=True)
class Siblings:
    """Recognises them, and is recognised."""

    secret: PrincipalSecret
    settings: Settings
    http: Callable[[], httpx.AsyncClient]

    def prove(self, challenge: str) -> str:
        """Answer another process's challenge."""
        return self.secret.proof(_decisive(self.settings), challenge)

    async def one_serves(self, origin: str) -> bool:
        """Tell whether a sibling listens at an origin of this machine."""
        challenge = random_secret(_CHALLENGE_BITS)
        try:
            with anyio.fail_after(_SECONDS):
                answer = await self.http().get(f"{origin}/health", params={"challenge": challenge})
            proof = str(answer.json()["proof"])
        except (
            TimeoutError,
            httpx.HTTPError,
            httpx.InvalidURL,
            ValueError,
            LookupError,
            TypeError,
        ):
            return False
        return hmac.compare_digest(proof.encode(), self.prove(challenge).encode())


def _decisive(settings: Settings) -> str:
    """Return what must be the same for one process to finish another's sign-in."""
    upstreams = {
        name: settings.of(UPSTREAMS[name].settings).model_dump(mode="json")
        for name in settings.upstreams
    }
    return json.dumps([settings.callback_url, settings.sqlite_path, upstreams])
