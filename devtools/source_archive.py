"""Builds the zip that Google's buildpack gets: `python -m devtools.source_archive`.

Its root is what functions/ holds. The same content gives the same bytes on every machine, because
the zip's hash names a release: another hash deploys three functions anew.

Any Python runs it, before a virtual environment is there.
"""

import argparse
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]

_FOLDER = "functions"
_REQUIREMENTS = "requirements.txt"

# A release that was unpacked has no list of files, and a key may lie where somebody works.
_KINDS = (".css", ".html", ".py")

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16
_UNIX = 3


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the archive and print its path and hash; return the exit code."""
    parser = argparse.ArgumentParser("python -m devtools.source_archive", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/functions.zip"))
    output: Path = parser.parse_args(arguments).output
    try:
        files = _deployed(root)
    except subprocess.CalledProcessError as error:
        # Whatever lies there would be deployed otherwise.
        print(f"git does not say what it tracks: {error.stderr.strip()}", file=sys.stderr)
        return 1
    if _REQUIREMENTS not in files:
        print(f"{_FOLDER}/{_REQUIREMENTS} is missing: make requirements", file=sys.stderr)
        return 1
    content = _zipped(files)
    _write(output, content)
    print(f"{output} sha256:{hashlib.sha256(content).hexdigest()}")
    return 0


def _deployed(root: Path) -> Mapping[str, Path]:
    """Return the files of the archive by their names in it; stderr tells what git would lose."""
    found = dict(_sources(root / _FOLDER))
    tracked = _tracked(root)
    if tracked is None:
        return found
    for name in sorted(found.keys() - tracked):
        print(f"left out, because git does not track it: {_FOLDER}/{name}", file=sys.stderr)
    return {name: path for name, path in found.items() if name in tracked}


def _sources(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        name = PurePosixPath(path.relative_to(folder))
        is_hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
        is_source = name.suffix in _KINDS or str(name) == _REQUIREMENTS
        if is_source and not is_hidden and path.is_file():
            yield str(name), path


def _tracked(root: Path) -> frozenset[str] | None:
    """Return what git tracks in the folder; None where the project is no repository of its own."""
    if not (root / ".git").exists():
        return None
    command = ("git", "-C", str(root / _FOLDER), "ls-files", "-z")
    try:
        listed = subprocess.run(command, capture_output=True, check=True, text=True)
    except FileNotFoundError:
        return None
    return frozenset(listed.stdout.split("\0"))


def _zipped(files: Mapping[str, Path]) -> bytes:
    """Return a zip in which nothing but names and contents is this machine's.

    It is not compressed: what a compressor makes of a file depends on its version.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.create_system = _UNIX
            member.external_attr = _REGULAR_FILE
            archive.writestr(member, files[name].read_bytes())
    return content.getvalue()


def _write(output: Path, content: bytes) -> None:
    """Replace the file at once: whoever deploys it meanwhile has the old one or the new one."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
