"""The people of the tenant, and what an administrator has done to them."""

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field

from devtools.entra_simulator.errors import Refused

TENANT = "5e1f0c4b-7a35-4f0e-9d63-2b8f6f5d9c11"
OTHER_TENANT = "c07d2a9e-41b6-4c58-8e0f-9a3d1c6b7e22"

DOMAIN = "example.onmicrosoft.com"
"""A verified domain of the simulated tenant, which may stand for its GUID in every path."""


@dataclass(frozen=True, slots=True)
class User:
    """A person; `tenant` is None for those who are at home in the simulated tenant."""

    name: str
    email: str
    oid: str
    tenant: str | None = None

    def subject(self, client_id: str) -> str:
        """Return the `sub` that one client sees: no other client sees the same (pairwise)."""
        digest = hashlib.sha256(f"{client_id} {self.oid}".encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


USERS = {
    "ann": User("Ann Archer", "ann@example.com", "0f6b1d7c-5b0a-4c7e-8d21-6a4e3f9b1a01"),
    "bob": User("Bob Baker", "bob@example.com", "1a7c2e8d-6c1b-4d8f-9e32-7b5f4a0c2b02"),
    "eve": User(
        "Eve Evans", "eve@example.org", "2b8d3f9e-7d2c-4e90-8f43-8c6a5b1d3c03", OTHER_TENANT
    ),
}
"""Eve is at home in another tenant, of which her id_tokens speak: what an application for several
tenants would get, and one for a single tenant must refuse."""


@dataclass(slots=True)
class Directory:
    """Who may sign in, who must do so again, and whose tokens an administrator has revoked."""

    _disabled: set[str] = field(default_factory=set)
    _must_interact: set[str] = field(default_factory=set)
    _revocations: Counter[str] = field(default_factory=Counter)

    def disable_user(self, user: str) -> None:
        """Refuse a user everywhere, until they are enabled again."""
        self._disabled.add(user)

    def enable_user(self, user: str) -> None:
        """Let a user in again, whatever was done to them but for tokens that were revoked."""
        self._disabled.discard(user)
        self._must_interact.discard(user)

    def require_interaction(self, user: str) -> None:
        """Refuse to refresh for a user until they sign in at the browser, as for another factor."""
        self._must_interact.add(user)

    def revoke_user(self, user: str) -> None:
        """End every code and refresh token that a user has given until now."""
        self._revocations[user] += 1

    def sign_in(self, user: str) -> int:
        """Note that a user is at the browser, and return by what to know this sign-in.

        Raises Refused for one who is disabled.
        """
        self._check_enabled(user)
        self._must_interact.discard(user)
        return self._revocations[user]

    def check_grant(self, user: str, generation: int) -> None:
        """Raise Refused where a sign-in is no longer good."""
        self._check_enabled(user)
        if self._revocations[user] != generation:
            raise Refused(
                "invalid_grant",
                50173,
                "The provided grant has expired due to it being revoked, a fresh auth token is "
                "needed.",
            )

    def check_refresh(self, user: str, generation: int) -> None:
        """Raise Refused where nothing more may be had without the user."""
        self.check_grant(user, generation)
        if user in self._must_interact:
            raise Refused(
                "interaction_required",
                50076,
                "Due to a configuration change made by your administrator, or because you moved "
                "to a new location, you must use multi-factor authentication.",
                suberror="basic_action",
            )

    def _check_enabled(self, user: str) -> None:
        if user in self._disabled:
            raise Refused("invalid_grant", 50057, "The user account is disabled.")
