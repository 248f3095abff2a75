"""Who is calling: a principal, known by a hash, holding the key to its own sealed tokens."""

import re
import uuid
from dataclasses import dataclass, field
from itertools import pairwise

from rally_mcp.crypto import PrivateKey, RecordKey, record_key
from rally_mcp.errors import InvalidInput

_UUID_SHAPE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BASE64URL_128_BITS = re.compile(r"[A-Za-z0-9_-]{22,128}")
_WORDS = re.compile(r"[a-z_-]+|[A-Z_-]+")
"""Placeholders that nobody replaced; random base64url mixes cases or has digits."""

_UNEXPANDED = re.compile(r"\$\{.*\}|\$\(.*\)|\{\{.*\}\}|\$[A-Za-z_][\w:-]*|%\w+%")

_FEWEST_DISTINCT_PAIRS = 0.6
"""Share of neighbouring character pairs that must differ. Random ids stay above 0.7; repeated
and counted-up ones fall below."""

_FEWEST_DISTINCT_STEPS = 10
"""How many different steps there must be from a character to the next, and to the next but one.
Of a million random ids one has fewer; whatever counts up has far fewer."""

_PRINTED_IN_DOCUMENTATION = {
    "16fd2706-8baf-433b-82eb-8c7fada847da",
    "110ec58a-a0f2-4ac4-8393-c866d813b8d1",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "919108f7-52d1-4320-9bac-f847db4148a8",
    "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    "123e4567-e89b-42d3-a456-426614174000",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "550e8400-e29b-41d4-a716-446655440000",
}
"""Ids that tutorials print: people paste them, and then share a sign-in with strangers."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. `key` names its record and may be logged in part; `private_key` opens it.

    `grant_upstream` is set for an MCP client's grant: the upstream whose end is the grant's end.
    """

    key: RecordKey
    private_key: PrivateKey = field(repr=False)
    grant_upstream: str | None = None


def principal_of_session(session_id: str) -> Principal:
    """Return the principal that a Session-ID stands for.

    A Session-ID is a bearer secret: a random UUID (version 4) or at least 128 bits of base64url.
    Raises InvalidInput, without repeating the value, for anything that could be guessed.
    """
    if _UNEXPANDED.fullmatch(session_id):
        raise InvalidInput(
            "The Session-ID header holds a variable that was not expanded; set the variable "
            "or put a fresh id in its place (rally-mcp config prints one)."
        )
    canonical = session_id.lower() if _UUID_SHAPE.fullmatch(session_id) else session_id
    if not _is_unguessable(canonical):
        raise InvalidInput(
            "The Session-ID must be a random UUID (version 4) or at least 128 bits of base64url; "
            "rally-mcp config prints a fresh one."
        )
    return Principal(record_key(canonical), PrivateKey.derive(canonical, "session principal"))


def _is_unguessable(session_id: str) -> bool:
    if _UUID_SHAPE.fullmatch(session_id):
        parsed = uuid.UUID(session_id)
        if parsed.version != 4 or session_id in _PRINTED_IN_DOCUMENTATION:  # noqa: PLR2004 RFC 9562 §5.4
            return False
    elif not _BASE64URL_128_BITS.fullmatch(session_id) or _WORDS.fullmatch(session_id):
        return False
    characters = session_id.replace("-", "")
    pairs = list(pairwise(characters))
    if len(set(pairs)) < _FEWEST_DISTINCT_PAIRS * len(pairs):
        return False
    return min(_distinct_steps(characters, 1), _distinct_steps(characters, 2)) >= (
        _FEWEST_DISTINCT_STEPS
    )


def _distinct_steps(characters: str, distance: int) -> int:
    later = characters[distance:]
    return len({ord(after) - ord(before) for before, after in zip(characters, later, strict=False)})
