"""The zip of a release: the same on every machine, and nothing in it but what is deployed."""

import ast
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.deployment.checkout import Checkout, checkout, sources, track

LONG_AGO = 86_400
ENTRY_FILES = {"mcp_endpoint.py", "auth_redirect.py", "oauth_callback.py"}
BESIDE_THE_SOURCES = (
    ".env",
    ".coverage.host.1234",
    ".hidden/module.py",
    "client_secret.json",
    "rally-mcp.db",
    "rally-mcp.db-wal",
    "rally_mcp/.~module.py",
    "rally_mcp/__pycache__/audit.cpython-313.pyc",
    "rally_mcp/__pycache__/audit.py",
    "rally_mcp/audit.py.orig",
    "rally_mcp/key.pem",
)
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture
def release(tmp_path: Path) -> Checkout:
    """A release as it was unpacked, of which git knows nothing."""
    return checkout(tmp_path / "release")


def imported_packages(module: ast.Module) -> Iterator[str]:
    """Return the top of each name that a module imports, wherever it does."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_the_same_content_gives_the_same_bytes_whoever_builds_it_and_when(
    release: Checkout, tmp_path: Path
) -> None:
    elsewhere = checkout(tmp_path / "another user's copy", reversed(sources()))
    for path in elsewhere.root.rglob("*.py"):
        path.chmod(0o755)
        os.utime(path, (LONG_AGO, LONG_AGO))

    first = release.build_as(0o022)
    second = elsewhere.build_as(0o077, TZ="Asia/Kolkata", PYTHONHASHSEED="7", LC_ALL="C")

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.names() == sorted(first.names())


def test_another_content_gives_another_hash(release: Checkout) -> None:
    before = release.build()
    release.write("rally_mcp/__init__.py")

    after = release.build()

    assert before.stdout != after.stdout


def test_one_line_tells_the_path_and_the_hash(release: Checkout) -> None:
    built = release.build_as(0o022)

    digest = hashlib.sha256(built.path.read_bytes()).hexdigest()
    assert (built.exit_code, built.stderr) == (0, "")
    assert built.stdout == f"build/functions.zip sha256:{digest}\n"


def test_its_root_has_the_entry_files_the_requirements_and_the_package(release: Checkout) -> None:
    names = release.build().names()

    assert {name.partition("/")[0] for name in names} == {
        *ENTRY_FILES,
        "requirements.txt",
        "rally_mcp",
    }
    assert {PurePosixPath(name).suffix for name in names} == {".py", ".html", ".css", ".txt"}


def test_every_source_is_in_it(release: Checkout) -> None:
    deployed = {f"functions/{name}" for name in release.build().names()}

    assert set(sources()) == deployed


def test_what_lies_beside_the_sources_stays_out(release: Checkout) -> None:
    before = release.build().names()
    for name in BESIDE_THE_SOURCES:
        release.write(name)

    after = release.build()

    assert (after.names(), after.stderr) == (before, "")


@needs_git
def test_what_git_does_not_track_stays_out_and_is_named(release: Checkout) -> None:
    track(release.root)
    release.write("rally_mcp/forgotten.py")

    built = release.build()

    assert built.exit_code == 0
    assert "rally_mcp/forgotten.py" not in built.names()
    assert built.stderr.count("\n") == 1
    assert "functions/rally_mcp/forgotten.py" in built.stderr


@needs_git
def test_a_checkout_and_a_release_that_was_unpacked_give_the_same_bytes(release: Checkout) -> None:
    unpacked = release.build().path.read_bytes()
    track(release.root)

    checked_out = release.build().path.read_bytes()

    assert checked_out == unpacked


@needs_git
def test_a_release_inside_somebody_elses_repository_is_complete(
    release: Checkout, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    track(tmp_path)

    assert "rally_mcp/audit.py" in release.build().names()


@needs_git
def test_where_git_refuses_to_say_what_it_tracks_nothing_is_built(release: Checkout) -> None:
    (release.root / ".git").write_text("neither a folder nor the name of one\n")

    built = release.build()

    assert built.exit_code == 1
    assert built.stderr.startswith("git does not say")
    assert built.stderr.count("\n") == 1
    assert not built.path.exists()


def test_without_requirements_nothing_is_built(release: Checkout) -> None:
    (release.root / "functions/requirements.txt").unlink()

    built = release.build()

    assert built.exit_code == 1
    assert built.stderr == "functions/requirements.txt is missing: make requirements\n"
    assert not built.path.exists()


def test_whoever_reads_the_archive_while_it_is_replaced_has_the_old_one(release: Checkout) -> None:
    first = release.build()
    old = first.path.read_bytes()
    with first.path.open("rb") as reader:
        release.write("rally_mcp/__init__.py")

        second = release.build()
        seen = reader.read()

    assert seen == old
    assert second.path.read_bytes() != old
    assert [path.name for path in second.path.parent.iterdir()] == ["functions.zip"]


def test_nothing_in_it_needs_what_only_developers_have(release: Checkout) -> None:
    with zipfile.ZipFile(release.build().path) as archive:
        modules = {
            name: ast.parse(archive.read(name), name)
            for name in archive.namelist()
            if name.endswith(".py")
        }

    for name, module in modules.items():
        assert not {"devtools", "tests", "benchmarks"} & set(imported_packages(module)), name
