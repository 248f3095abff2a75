"""A configuration file of an MCP client, in which one server is set and all else stays.

Nothing is lost: a file that is not plain JSON is left alone, the new text takes the old one's
place as a whole, and a symbolic link stays one.
"""

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rally_mcp.errors import InvalidInput

Members = Mapping[str, Any]

_OWNER_ONLY = 0o600
_AS_THE_UMASK_SAYS = 0o666


@dataclass(frozen=True, slots=True)
class ClientFile:
    """The file as it was read."""

    path: Path
    """Behind any symbolic link."""
    content: bytes | None
    """None where there is no file."""
    members: Members | None
    """None where the content is not plain JSON, as with comments or trailing commas."""

    @classmethod
    def read(cls, path: Path) -> "ClientFile":
        """Read a file that may not be there. Raises InvalidInput."""
        try:
            target = path.resolve()
            if target.is_symlink():  # from Python 3.13 on, a link in a circle resolves to itself
                raise InvalidInput(f"{path} is a symbolic link that leads back to itself.")
            if not target.exists():
                return cls(target, None, {})
            if not target.is_file():
                raise InvalidInput(f"{path} is not a file.")
            content = target.read_bytes()
        except (OSError, RuntimeError) as error:
            raise _refusal(path, error) from None
        return cls(target, content, _members(content))

    def entry(self, section: str, name: str) -> object:
        """Return what the file says of a server, None where it says nothing.

        Raises InvalidInput where servers do not stand by their names in `section`.
        """
        servers = (self.members or {}).get(section, {})
        if not isinstance(servers, dict):
            raise InvalidInput(f'{self.path}: "{section}" is not an object; put that right first.')
        return servers.get(name)

    def with_entry(self, section: str, name: str, entry: Members) -> bytes:
        """Return the content with a server set, indented as the file is."""
        members = self.members or {}
        servers = {**members.get(section, {}), name: entry}
        return self._written({**members, section: servers})

    @property
    def keeps_its_layout(self) -> bool:
        """Whether all that is not changed will look as it did."""
        return not self.content or self.content == self._written(self.members or {})

    @property
    def others_may_read(self) -> bool:
        """Whether the file as it is now is for more people than its owner."""
        return bool(self.path.stat().st_mode & 0o077)

    def replace(self, content: bytes, *, holds_a_secret: bool) -> None:
        """Put content in the file's place. Raises InvalidInput if that changed since it was read.

        A new file with a secret is its owner's alone; a file that was there keeps its mode.
        """
        mode = _OWNER_ONLY if holds_a_secret else _AS_THE_UMASK_SAYS
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                if self.content is not None:
                    _take_rights(descriptor, self.path.stat())
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            if ClientFile.read(self.path).content != self.content:
                raise InvalidInput(f"{self.path} was changed meanwhile; run this again.")
            beside.replace(self.path)
        except OSError as error:
            raise _refusal(self.path, error) from None
        finally:
            with suppress(OSError):
                beside.unlink()

    def _written(self, members: Members) -> bytes:
        text = (self.content or b"").decode("utf-8-sig")
        indents = re.findall(r"^[ \t]+(?=\")", text, re.MULTILINE)
        end = "\n" if text.endswith("\n") or not text.strip() else ""
        indent = min(indents, key=len, default="  ")
        written = f"{json.dumps(members, indent=indent, ensure_ascii=False)}{end}"
        return (written.replace("\n", "\r\n") if "\r\n" in text else written).encode()


def _members(content: bytes) -> Members | None:
    try:
        text = content.decode("utf-8-sig")
        members = json.loads(text, object_pairs_hook=_unique) if text.strip() else {}
        json.dumps(members, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; a name that comes twice would lose the first."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refusal(path: Path, error: Exception) -> InvalidInput:
    reason = (isinstance(error, OSError) and error.strerror) or "not a usable path"
    return InvalidInput(f"{path}: {reason}.")


def _take_rights(descriptor: int, before: os.stat_result) -> None:
    """Let the new file be whose the old one was, and for the same eyes; Windows keeps its own."""
    if os.name == "posix":
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
