"""The confirmation code: what ties the person at the browser to the chat that asked.

Without it, anybody could mail an auth_url to a colleague and receive the colleague's Rally.
"""

import hashlib
import hmac
import secrets
from functools import partial

from anyio import to_thread

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: nothing in it is mistaken for anything else in it."""

LENGTH = 8
"""Characters: 40 bits, against which five tries are nothing."""

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def new_code() -> str:
    """Return a fresh code, normalised."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def written(code: str) -> str:
    """Return a normalised code as the person will see it: K7QF-2M9X."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def new_salt() -> str:
    """Return a fresh salt for `code_hash`."""
    return secrets.token_hex(16)


def normalised(code: str) -> str | None:
    """Return the code as it was meant (case, dashes, O for 0), or None if it cannot be one."""
    meant = code.upper().translate(_READ_AS)
    if len(meant) != LENGTH or any(character not in ALPHABET for character in meant):
        return None
    return meant


async def code_hash(code: str, salt: str) -> str:
    """Return the scrypt hash of a normalised code, computed beside the event loop (30 ms)."""
    scrypt = partial(
        hashlib.scrypt, code.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32
    )
    return (await to_thread.run_sync(scrypt)).hex()


async def matches(code: str, salt: str, expected: str) -> bool:
    """Tell, in constant time, whether a normalised code is the one that was hashed."""
    return hmac.compare_digest(await code_hash(code, salt), expected)
