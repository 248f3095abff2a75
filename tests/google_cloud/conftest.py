"""A checkout to deploy, gcloud, and the one run that most tests look at."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.google_cloud.script import (
    PROJECT,
    Gcloud,
    Run,
    empty_project,
    once,
    running_gcloud,
)
from tests.google_cloud.stand_in import GoogleCloud

SETTINGS = """\
# Everything is on.
GITHUB_CLIENT_ID: Iv1.0
ENTRA_TENANT_ID: "72f988bf-86f1-41af-91ab-2d7cd011db47"
ENTRA_CLIENT_ID: 3f2504e0-4f89-41d3-9a0c-0305e82c3301 # the app's
YATA_URL: https://todos.example.com
YATA_CLIENT_ID: 'todo-client'
READ_ONLY: "true"
SERVER_NAME: -n
"""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project: its functions and its settings."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "functions").mkdir()
    for key in ("mcp_endpoint", "auth_redirect", "oauth_callback"):
        (root / "functions" / f"{key}.py").write_text(f"def {key}(request): ...\n")
    (root / "functions" / "requirements.txt").write_text("functions-framework\n")
    (root / "devtools").mkdir()
    for name in ("__init__.py", "source_archive.py"):
        shutil.copy(PROJECT / "devtools" / name, root / "devtools")
    (root / "settings.yaml").write_text(SETTINGS)
    return root


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """What `make archive` makes of the checkout."""
    path = tmp_path_factory.mktemp("build") / "functions.zip"
    command = (sys.executable, "-m", "devtools.source_archive", "--output", path)
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def options(checkout: Path) -> list[str]:
    """Options that leave no default."""
    return [
        "--rally-client-id=rally-client",
        "--region=europe-west1",
        "--name-prefix=dev-",
        "--upstreams=rally,github,entra_id,yata",
        f"--settings={checkout / 'settings.yaml'}",
        f"--source={checkout / 'functions'}",
        "--alert-email=platform@example.com",
        "--alert-email=oncall@example.com",
        # One channel for one address.
        "--alert-email=platform@example.com",
    ]


@pytest.fixture(scope="session")
def gcloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gcloud]:
    """The gcloud of this machine."""
    with running_gcloud(tmp_path_factory.mktemp("gcloud")) as gcloud:
        yield gcloud


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory, gcloud: Gcloud, options: list[str]) -> Run:
    """A run in an empty project. The environment tells the project, and a secret of others."""

    def deploy() -> Run:
        with GoogleCloud(empty_project()) as cloud:
            environment = {"PROJECT": "acme-rally-mcp", "RALLY_CLIENT_SECRET": "hunter2-hunter2"}
            return gcloud.deploy(cloud, *options, **environment)

    run = once(tmp_path_factory, "first-run", deploy)
    assert run.code == 0, run.messages
    return run


@pytest.fixture
def redeploy(gcloud: Gcloud, options: list[str]) -> Callable[..., Run]:
    """Run the script again, with the same options and further ones, on what a run left."""

    def redeploy(cloud: GoogleCloud, *further: str) -> Run:
        return gcloud.deploy(cloud, "--project=acme-rally-mcp", *options, *further)

    return redeploy
