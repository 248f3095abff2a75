"""The secret that stands for this machine's user, as a Session-ID stands for a chat.

It is kept in the data folder, so that whoever signed in once stays signed in, in every chat.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from rally_mcp import logs
from rally_mcp.crypto import PrivateKey, random_secret, record_key
from rally_mcp.errors import ConfigurationError
from rally_mcp.local.data_folder import DataFolder
from rally_mcp.sign_in.principal import Principal

_FILE = "principal"
_BITS = 256
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class PrincipalSecret:
    """Whoever holds it is the user, to the store and to other processes of the user."""

    value: str = field(repr=False)

    @classmethod
    def kept_in(cls, folder: DataFolder) -> "PrincipalSecret":
        """Return the secret of a folder, made where there is none yet.

        One that was damaged is replaced; its user signs in again. Raises ConfigurationError.
        """
        kept = folder.read_secret(_FILE)
        if kept is not None and not _FORM.fullmatch(kept):
            logs.event("INFO", "the file `principal` was damaged: a new one means signing in again")
            folder.remove(_FILE)
            kept = None
        if kept is None:
            folder.write_secret(_FILE, random_secret(_BITS))
            kept = folder.read_secret(_FILE)  # another process may have been faster
        if kept is None or not _FORM.fullmatch(kept):
            raise ConfigurationError(f"{folder.variable}: {folder.path / _FILE} cannot be written")
        return cls(kept)

    @property
    def principal(self) -> Principal:
        """Whose tokens are kept, and the key that opens them."""
        return Principal(record_key(self.value), PrivateKey.derive(self.value, "local principal"))

    def proof(self, *about: str) -> str:
        """Return what only processes of this user can say about the same things."""
        message = "\0".join(("rally-mcp listener", *about))
        return hmac.digest(self.value.encode(), message.encode(), hashlib.sha256).hex()
