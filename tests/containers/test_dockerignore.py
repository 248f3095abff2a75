"""What a builder is sent, by the matcher of Docker's own Python client."""

from pathlib import Path, PurePath

import pytest
from docker.utils.build import exclude_paths

from tests.containers.dockerfile import PROJECT, stages

NEVER_SENT = (
    ".env",
    ".git/config",
    ".dev/rally-mcp.db",
    ".venv/bin/python",
    "functions/.env",
    "functions/.env.production",
    "functions/rally_mcp/.coverage",
    "functions/rally_mcp/__pycache__/audit.cpython-313.pyc",
    "functions/rally_mcp/audit.pyc",
    "functions/rally-mcp.db",
    "functions/rally-mcp.db-wal",
    "functions/client_secret.json",
    "functions/key.pem",
    "devtools/.netrc",
    "devtools/rally_simulator/__pycache__/app.cpython-313.pyc",
    "service-account.json",
    "tests/fixtures/machine.py",
    "docs/security.md",
)
SENT = (
    "functions/mcp_endpoint.py",
    "functions/requirements.txt",
    "functions/rally_mcp/audit.py",
    "functions/rally_mcp/web/pages/page.css",
    "devtools/rally_simulator/app.py",
)


def sent(folder: Path) -> set[str]:
    """Return the files below a folder that reach the builder."""
    patterns = (PROJECT / ".dockerignore").read_text().splitlines()
    told = [line for line in patterns if line and not line.startswith("#")]
    paths = {PurePath(path).as_posix() for path in exclude_paths(str(folder), told)}
    return {path for path in paths if (folder / path).is_file()}


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    """A checkout in which somebody has worked."""
    for name in (*SENT, *NEVER_SENT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_builder_is_sent_the_sources_and_nothing_that_lies_beside_them(work_tree: Path) -> None:
    assert sent(work_tree) == set(SENT)


def test_everything_that_is_copied_is_sent() -> None:
    copies = [copy for stage in stages().values() for copy in stage.copies()]
    sources = {source for copy in copies if not copy.from_stage for source in copy.sources}
    found = sent(PROJECT)

    for source in sources:
        assert [path for path in found if path.startswith(source)], source


def test_nothing_stands_in_the_functions_folder_that_the_image_lacks() -> None:
    standing = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "functions").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
    }

    assert standing - sent(PROJECT) == set()
