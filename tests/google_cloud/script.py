"""Runs infra/gcloud-deploy.sh with the real gcloud against a Google Cloud on this machine."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from tests.google_cloud import warm_gcloud
from tests.google_cloud.resources import Resources
from tests.google_cloud.stand_in import GoogleCloud, Request

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "infra" / "gcloud-deploy.sh"

# gcloud may call nobody but the stand-in, and reads no account of this machine.
_ALONE = {
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
    "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
    "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the script said and asked for, and what it left behind."""

    code: int
    output: str
    messages: str
    requests: list[Request]
    resources: Resources

    @property
    def changes(self) -> list[Request]:
        """The requests that changed something, in order."""
        return [request for request in self.requests if request.changes]

    def as_text(self) -> str:
        """Return it as text that `from_text` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the run that was written."""
        told = json.loads(text)
        requests = [Request(**request) for request in told.pop("requests")]
        resources = Resources(**told.pop("resources"))
        return cls(**told, requests=requests, resources=resources)


@dataclass(frozen=True, slots=True)
class Gcloud:
    """The gcloud of this machine, kept to itself."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def deploy(self, cloud: GoogleCloud, *arguments: str | Path, **environment: str) -> Run:
        """Run the script; only the requests that it makes are told."""
        already = len(cloud.requests)
        done = run_script(
            *arguments, environment={**self.environment, **cloud.overrides, **environment}
        )
        requests = cloud.requests[already:]
        return Run(done.returncode, done.stdout, done.stderr, requests, cloud.resources)


def run_script(
    *arguments: str | Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the script with nothing in its environment but PATH and what is given."""
    return subprocess.run(
        ("bash", SCRIPT, *arguments),
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def empty_project() -> Resources:
    """Return a project in which nothing was made."""
    return Resources("acme-rally-mcp", "123456789012")


def state(resources: Resources) -> dict[str, Any]:
    """Return every single value there is, without what tells how often it was written."""
    return {
        **dict(leaves(resources.kept)),
        **{
            f"{name} {json.dumps(binding, sort_keys=True)}": "granted"
            for name, policy in resources.policies.items()
            for binding in policy["bindings"]
        },
    }


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Take JSON apart into its values, each with its path."""
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from leaves(inner, f"{path}.{key}")
        case list() if value:
            for number, inner in enumerate(value):
                yield from leaves(inner, f"{path}[{number}]")
        case _:
            yield path, value


@contextmanager
def running_gcloud(folder: Path) -> Iterator[Gcloud]:
    """Keep gcloud warm for as long as the block lasts. Skips the test where there is no gcloud."""
    if not shutil.which("gcloud"):
        pytest.skip("gcloud is not on the PATH")
    token = folder / "token"
    token.write_text("ya29.nobody")
    environment = {
        **_ALONE,
        "HOME": str(folder),
        "CLOUDSDK_CONFIG": str(folder / "configuration"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
    }
    python, sdk = _installation(environment)
    socket = folder / "socket"
    interpreter = folder / "python"
    interpreter.write_text(warm_gcloud.client(sys.executable, socket))
    interpreter.chmod(0o755)
    server = Path(warm_gcloud.__file__)
    with subprocess.Popen(
        (python, "-S", server, sdk, socket), stdout=subprocess.PIPE, text=True, env=environment
    ) as warm:
        try:
            # Another release may not be started this way; it works unaided, and more slowly.
            if warm.stdout.readline() == "ready\n":
                environment["CLOUDSDK_PYTHON"] = str(interpreter)
            yield Gcloud(environment)
        finally:
            warm.terminate()


def _installation(environment: Mapping[str, str]) -> list[str]:
    """Return gcloud's Python and where the Cloud SDK lies."""
    asked = ("gcloud", "info", "--format=value(basic.python_location,installation.sdk_root)")
    told = subprocess.run(
        asked, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return told.stdout.split()


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Run]) -> Run:
    """Return a run that all processes of one test session share: the first of them makes it."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    kept = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(make().as_text())
    return Run.from_text(kept.read_text())
