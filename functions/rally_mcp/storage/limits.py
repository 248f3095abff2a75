"""What every store accepts: Firestore's rules, so that SQLite refuses what production would."""

import math
import re
from typing import Any

from rally_mcp.storage.port import Stored

_NAME = re.compile(r"(?!\.{1,2}\Z|__.*__\Z)[A-Za-z0-9_.:-]{1,512}")
_RESERVED_FIELD = re.compile(r"__.*__|", re.DOTALL)
_INTEGERS = range(-(2**63), 2**63)


def check_address(collection: str, key: str) -> None:
    """Raise ValueError unless both names are 1 to 512 characters of A-Z a-z 0-9 _ . : -.

    Firestore reserves ".", ".." and names between double underscores.
    """
    for name in (collection, key):
        if not _NAME.fullmatch(name):
            raise ValueError("A collection or key must be 1 to 512 of A-Z a-z 0-9 _ . : -")


def check_stored(stored: Stored) -> None:
    """Raise ValueError unless the document is one that both stores keep unchanged.

    Beyond JSON: integers have 64 bits, a list holds no list directly, and the field name
    `expire_at` is the store's own.
    """
    if stored.expire_at.utcoffset() is None:
        raise ValueError("expire_at must be aware")
    if "expire_at" in stored.document:
        raise ValueError("A document has no expire_at of its own, it belongs to Stored")
    _check_object(stored.document)


def _check_object(members: Any) -> None:
    for name, value in members.items():
        if not isinstance(name, str) or _RESERVED_FIELD.fullmatch(name):
            raise ValueError("A field name must be a string, not empty, not __reserved__")
        _check_value(value)


def _check_value(value: Any) -> None:
    match value:
        case None | bool() | str():
            pass
        case int():
            _require(value in _INTEGERS, "An integer must fit in 64 bits")
        case float():
            _require(math.isfinite(value), "A number must be finite")
        case list():
            for item in value:
                _require(not isinstance(item, list), "A list must not hold a list directly")
                _check_value(item)
        case dict():
            _check_object(value)
        case _:
            raise ValueError(f"A document must be JSON, not hold a {type(value).__name__}")


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 an assertion's shape
    if not condition:
        raise ValueError(message)
