"""A copy of what builds the archive, in a folder of its own, and the archive that comes of it."""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from devtools import source_archive
from tests.clients.dev_server import PROJECT

ARCHIVE = "build/functions.zip"
BUILD = (sys.executable, "-m", "devtools.source_archive")
_BUILDER = ("devtools/__init__.py", "devtools/source_archive.py")


@dataclass(frozen=True, slots=True)
class Built:
    """How a build ended, and what it left."""

    path: Path
    exit_code: int
    stdout: str
    stderr: str

    def names(self) -> list[str]:
        """Return the names of what the archive holds."""
        with zipfile.ZipFile(self.path) as archive:
            return archive.namelist()


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the project's sources. `root` is where its commands are run."""

    root: Path

    def write(self, name: str, text: str = "") -> None:
        """Put a file below functions/."""
        path = self.root / "functions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(self) -> Built:
        """Build the archive in this process."""
        stdout, stderr = io.StringIO(), io.StringIO()
        path = self.root / ARCHIVE
        with redirect_stdout(stdout), redirect_stderr(stderr):
            exit_code = source_archive.main(["--output", str(path)], self.root)
        return Built(path, exit_code, stdout.getvalue(), stderr.getvalue())

    def build_as(self, umask: int, **environment: str) -> Built:
        """Build the archive as somebody with this umask and environment."""
        ended = subprocess.run(
            BUILD,
            cwd=self.root,
            env={"PATH": os.environ["PATH"], **environment},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )
        return Built(self.root / ARCHIVE, ended.returncode, ended.stdout, ended.stderr)


def sources() -> list[str]:
    """Return the files below functions/ that are not hidden, as they lie here."""
    return sorted(
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "functions").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
    )


def checkout(root: Path, names: Iterable[str] = ()) -> Checkout:
    """Copy the sources into a folder, one after another in the order of `names`."""
    for name in (*_BUILDER, *(names or sources())):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, root / name)
    return Checkout(root)


def track(folder: Path) -> None:
    """Make a folder a git repository that tracks all that lies there now."""
    # What somebody has configured for his own repositories does not count.
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {"PATH": os.environ["PATH"], **nobody}
    for arguments in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(("git", *arguments), cwd=folder, env=environment, check=True)
