"""The user's data folder: where it is, and files that nobody but the user reads.

On Windows rights are inherited from the user's profile, which other users cannot enter.
"""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rally_mcp.errors import ConfigurationError

_NAME = "rally-mcp"

_LONGEST_SECRET = 1024
"""Bytes that are read of a file: a secret has 43."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder of the user's own. `variable` is what decides where it is."""

    path: Path
    variable: str

    @classmethod
    def of(cls, environment: Mapping[str, str], platform: str = sys.platform) -> "DataFolder":
        """Return where programs keep a user's data on a platform."""
        home = Path(environment.get("HOME") or Path.home())
        if platform == "win32":
            local = Path(environment.get("LOCALAPPDATA") or home / "AppData/Local")
            return cls(local / _NAME, "LOCALAPPDATA")
        if platform == "darwin":
            return cls(home / "Library/Application Support" / _NAME, "HOME")
        given = Path(environment.get("XDG_DATA_HOME", ""))
        # The XDG Base Directory Specification has relative paths ignored.
        shared = given if given.is_absolute() else home / ".local/share"
        return cls(shared / _NAME, "XDG_DATA_HOME")

    def prepare(self) -> None:
        """Make the folder, or close one of the user's own to others.

        This and the other verbs raise ConfigurationError for what is somebody else's, for links,
        which may lead anywhere, and for what cannot be written.
        """
        with _told(self.path, self.variable):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sys.platform != "win32":
                os.close(_opened(self.path, os.O_DIRECTORY, 0o700))

    def read_secret(self, name: str) -> str | None:
        """Return what a file holds; None where there is none."""
        path = self.path / name
        with _told(path, self.variable), suppress(FileNotFoundError):
            descriptor = _opened_file(path)
            try:
                return os.read(descriptor, _LONGEST_SECRET).decode("ascii", "replace")
            finally:
                os.close(descriptor)
        return None

    def write_secret(self, name: str, secret: str) -> None:
        """Write a file unless there is one: of several processes one does, and none reads half."""
        path = self.path / name
        with _told(path, self.variable):
            descriptor, written = tempfile.mkstemp(prefix=f".{name}-", dir=self.path)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secret)
                with suppress(FileExistsError):
                    os.link(written, path)
            finally:
                Path(written).unlink()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        path = self.path / name
        with _told(path, self.variable):
            path.unlink(missing_ok=True)


def prepare_database(path: Path) -> None:
    """Make an empty database, or close one of the user's own to others.

    SQLite gives the files that it puts beside a database the database's rights. Raises
    ConfigurationError as DataFolder does.
    """
    with _told(path, "SQLITE_PATH"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            with suppress(FileNotFoundError):
                os.close(_opened_file(file))


def _opened_file(path: Path) -> int:
    if sys.platform == "win32":
        return os.open(path, os.O_RDONLY)
    # What turns out to be a pipe must not be waited for.
    return _opened(path, os.O_NONBLOCK, 0o600)


def _opened(path: Path, flags: int, mode: int) -> int:
    """Open what is the user's own, and take everybody else's rights to it away.

    Looked at once it is open, so that nothing is put in its place between look and use.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | flags)
    try:
        status = os.fstat(descriptor)
        is_expected = stat.S_ISDIR if flags & os.O_DIRECTORY else stat.S_ISREG
        if status.st_uid != os.geteuid() or not is_expected(status.st_mode):
            raise PermissionError
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(descriptor, mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _told(path: Path, variable: str) -> Iterator[None]:
    """Turn what the system refuses into one line with the remedy."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{variable}: {path} belongs to another user, is a link, or cannot be written. "
            "Remove it, or name a place of your own"
        ) from error
