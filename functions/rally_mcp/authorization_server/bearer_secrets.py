"""How codes and tokens are written: `<prefix><record id>.<secret>`.

The record id is a grant's (32 hex digits) or a machine client's, so that whoever takes one reads
one document. The prefixes let secret scanners recognise what leaked.
"""

import hmac
import re
import secrets
from enum import StrEnum

from rally_mcp.crypto import RecordKey, random_secret, record_key

_SECRET_BITS = 256

_FORM = re.compile(r"(rmcp_(?:ac|at|rt)_)([0-9a-f]{32}|rmcp_mc_[0-9a-f]{16})\.[A-Za-z0-9_-]{43}")

_GRANT_ID = re.compile(r"[0-9a-f]{32}")

MACHINE_CLIENT_PREFIX = "rmcp_mc_"


class Kind(StrEnum):
    """What a bearer secret is; the value is its prefix."""

    AUTHORIZATION_CODE = "rmcp_ac_"
    ACCESS_TOKEN = "rmcp_at_"  # noqa: S105 a prefix
    REFRESH_TOKEN = "rmcp_rt_"  # noqa: S105 a prefix


def new_grant_id() -> RecordKey:
    """Return a fresh grant id: 128 bits, because whoever knows one can have the grant revoked."""
    return RecordKey(secrets.token_hex(16))


def is_grant_id(text: str) -> bool:
    """Tell whether a text has the form of a grant id."""
    return _GRANT_ID.fullmatch(text) is not None


def new_bearer_secret(kind: Kind, record_id: str) -> str:
    """Return a fresh code or token of a grant or machine client."""
    return f"{kind}{record_id}.{random_secret(_SECRET_BITS)}"


def record_of(text: str, *kinds: Kind) -> RecordKey | None:
    """Return whose record a bearer secret of one of these kinds names; None for anything else."""
    form = _FORM.fullmatch(text)
    return RecordKey(form[2]) if form and Kind(form[1]) in kinds else None


def is_hash_of(expected: str, bearer_secret: str) -> bool:
    """Tell, in constant time, whether `expected` is the stored hash of a bearer secret."""
    return hmac.compare_digest(record_key(bearer_secret), expected)
