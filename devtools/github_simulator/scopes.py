"""OAuth scopes: which there are, and which include others."""

import re
from collections.abc import Iterable

_INCLUDED = {
    "repo": {"public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"},
    "user": {"read:user", "user:email", "user:follow"},
    "admin:org": {"write:org", "read:org"},
    "write:org": {"read:org"},
    "project": {"read:project"},
}

_KNOWN = {"gist", "notifications", "workflow", *_INCLUDED, *set().union(*_INCLUDED.values())}


def with_included(scopes: Iterable[str]) -> set[str]:
    """Return scopes and all that they include."""
    given = set(scopes)
    return given.union(*(_INCLUDED.get(scope, set()) for scope in given))


def normalized(requested: str) -> tuple[str, ...]:
    """Return what a token gets: no scope GitHub does not know, none that another includes."""
    known = set(re.split(r"[\s,]+", requested)) & _KNOWN
    included: set[str] = set().union(*(_INCLUDED.get(scope, set()) for scope in known))
    return tuple(sorted(known - included))
