"""The steps of cloudbuild.yaml, in a clean copy of the project and with nothing of the user's.

What takes minutes or a network is not run but asked of make, which has to know the target and each
command of it: CI runs these targets itself. Steps that copy a program out of their image run where
this machine has the program.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.dev_server import PROJECT
from tests.deployment.checkout import ARCHIVE
from tests.deployment.cloud_build import WORKSPACE, Build, Step, build
from tests.deployment.uv import package_sources, uv
from tests.firestore_emulator import JAR
from tests.infra.terraform import Terraform, running_stand_in, stand_in

LEFT_BY_WORK = shutil.ignore_patterns(
    *(".git", ".venv", ".tools", ".dev", ".*_cache", ".hypothesis", ".coverage*", ".terraform"),
    *(
        "__pycache__",
        "node_modules",
        "build",
        "dist",
        "htmlcov",
        "backend.tf",
        "*.tfstate*",
        "tfplan",
    ),
)
NO_BUCKET = "# Without a bucket, state is a file in this folder.\n"
CLIENT = 'rally_client_id = "rally-client"\n'
TAKES_MINUTES = {"check", "infra", "test", "supply-chain"}
PROGRAMS = {"terraform": "terraform", "firestore-emulator": "gcloud"}
"""What the images of steps have that copy it, and the other steps' image has not."""

RELEASE = {"BRANCH_NAME": "main", "TRIGGER_NAME": "rally-mcp"}
NOTHING_APPLIED = "planned, and nothing applied"

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A clean copy of the project, and the environment in which steps run there."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, step: Step, *options: str) -> str:
        """Run a step, which has to succeed; return what it printed."""
        program = shutil.which(PROGRAMS.get(step.name, "sh"))
        path = f"{Path(program).parent}:{self.environment['PATH']}"
        ended = step.run(self.folder, {**self.environment, "PATH": path}, *options)
        assert ended.returncode == 0, f"{step.name}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def run_up_to_the_plan(self, started: Build) -> None:
        """Run the steps in their order, all but the last."""
        *steps, apply = started.steps.values()
        assert apply.name == "apply"
        for step in steps:
            if step.name != "firestore-emulator":
                self.run(step, *(("--dry-run",) if step.name in TAKES_MINUTES else ()))

    def state(self) -> list[Path]:
        """Return the files that tell what Terraform has made."""
        return list(self.folder.rglob("*.tfstate"))


def clean_copy(folder: Path, **environment: str) -> Workspace:
    """Copy the project as a build gets it, to a machine whose user has an empty home."""
    home = folder / "home"
    home.mkdir()
    workspace = folder / "workspace"
    shutil.copytree(PROJECT, workspace, ignore=LEFT_BY_WORK)
    programs = (Path(sys.executable).resolve().parent, uv().parent)
    path = os.pathsep.join([*map(str, programs), os.defpath])
    machine = {**package_sources(), "HOME": str(home), "PATH": path}
    return Workspace(workspace, {**machine, **environment})


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """A stand-in for Google's provider."""
    with running_stand_in(stand_in(), tmp_path_factory.mktemp("provider")) as terraform:
        yield terraform


@pytest.fixture(scope="module")
def planned(provider: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of a build of which the last step is to come."""
    reached = {name: value for name, value in provider.environment.items() if name[:3] == "TF_"}
    workspace = clean_copy(tmp_path_factory.mktemp("build"), **reached)
    (workspace.folder / "infra/backend.tf.template").write_text(NO_BUCKET)
    with (workspace.folder / "infra/environments/prod.tfvars").open("a") as settings:
        settings.write(CLIENT)
    workspace.run_up_to_the_plan(build())
    return workspace


@pytest.mark.parametrize(
    "step", [step for step in build().steps.values() if step.words], ids=lambda step: step.name
)
def test_each_target_exists_and_needs_nothing_that_a_clean_copy_lacks(
    step: Step, tmp_path: Path
) -> None:
    said = clean_copy(tmp_path).run(step, "--dry-run")

    assert said
    assert "Nothing to be done" not in said


def test_what_is_kept_of_a_build_is_what_its_steps_make(tmp_path: Path) -> None:
    started = build()
    archive, bill_of_materials = started.members["artifacts"]["objects"]["paths"]

    said = clean_copy(tmp_path).run(started.steps["supply-chain"], "--dry-run")

    assert archive == ARCHIVE
    assert bill_of_materials in said


def test_the_emulator_comes_to_where_the_tests_look_for_it(tmp_path: Path) -> None:
    steps = build().steps
    if not shutil.which(PROGRAMS["firestore-emulator"]):
        pytest.skip("gcloud is not on the PATH")
    workspace = clean_copy(tmp_path)

    workspace.run(steps["firestore-emulator"])

    looked_for = steps["test"].environment["CLOUDSDK_ROOT_DIR"].removeprefix(f"{WORKSPACE}/")
    assert (workspace.folder / looked_for / JAR).is_file()


def test_the_plan_is_of_the_archive_that_was_built(planned: Workspace) -> None:
    shown = subprocess.run(
        (planned.folder / ".tools/terraform", "-chdir=infra", "show", "-json", "tfplan"),
        cwd=planned.folder,
        env=planned.environment,
        capture_output=True,
        check=True,
    )
    digest = hashlib.sha256((planned.folder / ARCHIVE).read_bytes()).hexdigest()

    assert f"functions-{digest}.zip".encode() in shown.stdout


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="that a person submitted"),
        pytest.param(RELEASE | {"BRANCH_NAME": "feature"}, id="of another branch"),
        pytest.param(RELEASE | {"_PR_NUMBER": "7"}, id="of a branch main in a fork"),
        pytest.param(RELEASE | {"TRIGGER_NAME": "pull-requests"}, id="of another trigger"),
        pytest.param({"BRANCH_NAME": "main"}, id="that a person called one of main"),
        pytest.param(
            RELEASE | {"BRANCH_NAME": "$(touch taken)main"}, id="of a branch named like a command"
        ),
    ],
)
def test_no_build_applies_anything(variables: dict[str, str], planned: Workspace) -> None:
    said = planned.run(build(**variables).steps["apply"])

    assert NOTHING_APPLIED in said
    assert planned.state() == []
    assert not (planned.folder / "taken").exists()


def test_a_build_of_the_main_branch_applies_its_plan_and_applies_it_once(
    planned: Workspace, tmp_path: Path
) -> None:
    copy = shutil.copytree(planned.folder, tmp_path / "workspace", symlinks=True)
    workspace = Workspace(copy, planned.environment)
    apply = build(**RELEASE).steps["apply"]

    said = workspace.run(apply)
    again = apply.run(workspace.folder, workspace.environment)

    assert "Apply complete!" in said
    assert workspace.state() != []
    assert again.returncode != 0
    assert "Apply complete!" not in again.stdout
