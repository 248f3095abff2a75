"""What Rally's own error texts mean. It sends them inside HTTP 200, in English, since 2012."""

from collections.abc import Sequence

from rally_mcp.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    UserError,
)

_CONCURRENCY = ("Concurrency conflict", "ConcurrencyConflictException", "Unit Of Work")
_MISSING = ("Cannot find object to read", "Could not read: Could not read ")
_FORBIDDEN = ("Not authorized", "not authorized", "do not have permission", "No permission")


def refusal(errors: Sequence[str]) -> UserError:
    """Return the error that a non-empty `Errors` stands for.

    The message quotes Rally where the caller needs its words to mend the request; whoever shows
    it to a model cleans it first.
    """
    text = " ".join(errors)
    if any(sign in text for sign in _CONCURRENCY):
        return Conflict("Somebody else changed this in Rally at the same moment; try again.")
    if any(sign in text for sign in _MISSING):
        return NotFound("Rally has no such object, or does not show it to you.")
    if any(sign in text for sign in _FORBIDDEN):
        return PermissionDenied(
            "Rally does not let you do that; check your permissions there, and that the "
            "connection is not read-only."
        )
    return InvalidInput(f"Rally refused this: {text}")
