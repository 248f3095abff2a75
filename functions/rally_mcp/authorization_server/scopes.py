"""Scopes: words with spaces between (RFC 6749 §3.3), in the order in which they are offered."""

from collections.abc import Sequence

from rally_mcp.errors import OAuthError


def requested(scope: str | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes that a request names, all `allowed` ones where it names none.

    Raises OAuthError (invalid_scope) for one that is not allowed.
    """
    named = set((scope or "").split(" ")) - {""}
    if named - set(allowed):
        raise OAuthError(
            "invalid_scope", f"Ask for scopes that are available here: {' '.join(allowed)}."
        )
    return tuple(each for each in allowed if each in named or not named)


def least(allowed: Sequence[str]) -> str:
    """Return what a machine gets that names no scope: reading alone, if it may read."""
    return " ".join([each for each in allowed if each.endswith(":read")] or allowed)
