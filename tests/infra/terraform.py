"""Terraform with no registry and no cloud: a stand-in for Google's provider that knows its schema.

TERRAFORM_CHECK names the stand-in's `check` program; it may also lie in shared/terraform beside the
project. Where neither it nor terraform is, the tests are skipped.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
INFRA = PROJECT / "infra"
NEEDED = {
    "project_id": "acme-rally-mcp",
    "project_number": "123456789012",
    "rally_client_id": "rally-client",
}
"""The variables that have no default."""

_NOT_STATE = shutil.ignore_patterns(".terraform*", "backend.tf", "*.tfstate*", "tfplan*")


def stand_in() -> Path:
    """Return the stand-in's program, or skip the test."""
    beside = PROJECT.parent / "shared" / "terraform" / "check"
    check = Path(os.environ.get("TERRAFORM_CHECK") or beside)
    if not shutil.which("terraform"):
        pytest.skip("terraform is not on the PATH")
    if not check.exists():
        pytest.skip("no stand-in for Google's provider: TERRAFORM_CHECK does not name one")
    return check


@dataclass(frozen=True, slots=True)
class Plan:
    """What Terraform would make. Values are those that are known before an apply."""

    document: dict[str, Any]
    outputs: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        outputs = self.document["planned_values"].get("outputs", {})
        object.__setattr__(self, "outputs", {name: o.get("value") for name, o in outputs.items()})

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type by the key of their for_each, or by name."""
        return {
            str(found.get("index", found["name"])): found["values"]
            for found in self.document["planned_values"]["root_module"]["resources"]
            if found["type"] == kind
        }

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment variables of one function."""
        deployed = self.resources("google_cloudfunctions2_function")[function]
        environment: dict[str, str] = deployed["service_config"][0]["environment_variables"]
        return environment


@dataclass(frozen=True, slots=True)
class Terraform:
    """Plans a folder with the running stand-in."""

    environment: Mapping[str, str]

    def plan(self, folder: Path, needed: Mapping[str, str] = NEEDED, /, **variables: Any) -> Plan:
        """Plan a folder, which is written to. Values that are no text go as JSON."""
        given = [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in {**needed, **variables}.items()
        ]
        self.run(folder, "init", "-backend=false", "-input=false")
        self.run(folder, "plan", "-input=false", "-refresh=false", "-out=tfplan", *given)
        return Plan(json.loads(self.run(folder, "show", "-json", "tfplan")))

    def run(self, folder: Path, *arguments: str) -> str:
        """Run terraform; return what it printed. Raises AssertionError with what it complained."""
        done = subprocess.run(
            ("terraform", *arguments),
            cwd=folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def copied(folder: Path) -> Path:
    """Copy infra/ into a folder, without state."""
    return Path(shutil.copytree(INFRA, folder / "infra", ignore=_NOT_STATE))


@contextmanager
def running_stand_in(
    check: Path, folder: Path, further_schema: Path | None = None
) -> Iterator[Terraform]:
    """Run the stand-in for as long as the block lasts.

    It knows the resources in provider-schema.json beside it, and those in a file of the same form.
    """
    python = _python_of(check)
    schema, socket = check.with_name("provider-schema.json"), folder / "socket"
    if further_schema:
        resources = json.loads(schema.read_text()) | json.loads(further_schema.read_text())
        schema = folder / "schema.json"
        schema.write_text(json.dumps(resources))
    with subprocess.Popen(
        (python, check.with_name("provider.py"), schema, socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as provider:
        try:
            reattach = provider.stdout.readline()
            yield Terraform(
                {
                    **os.environ,
                    "TF_REATTACH_PROVIDERS": reattach.strip(),
                    "TF_CLI_CONFIG_FILE": os.devnull,
                    "TF_IN_AUTOMATION": "1",
                    "CHECKPOINT_DISABLE": "1",
                }
            )
        finally:
            provider.terminate()


def _python_of(check: Path) -> Path:
    """Return the Python that the stand-in runs with; its own program makes it on its first run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "terraform-check"
    environment = Path(os.environ.get("TERRAFORM_CHECK_VENV") or cache)
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_suffix(".lock").open("w") as lock, TemporaryDirectory() as empty:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may be the first
        if not (environment / "bin" / "python").exists():
            subprocess.run(("bash", check, empty), capture_output=True, check=False)
    return environment / "bin" / "python"
