"""Runs `make deploy` and its parts in a checkout: real programs, and a Google on this machine."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.deployment.checkout import checkout
from tests.google_cloud.script import running_gcloud
from tests.infra.deploy.google_services import GoogleServices
from tests.infra.terraform import PROJECT as REPOSITORY
from tests.infra.terraform import Terraform, copied

PROJECT = "acme-rally-mcp"
NUMBER = "123456789012"
STATE_BUCKET = f"{PROJECT}-rally-mcp-state"
SMALL = 'name_prefix = "{name}-"\nrally_client_id = "rally-client"\n'
"""An environment's file with nothing but what it must have."""

_WITHOUT_SETUP = ("make", "--no-print-directory", "--old-file=.venv/.set-up")
"""The virtual environment is the one that the tests run in."""

_PROGRAMS = ("gcloud", "terraform")
_SECONDS = 100
"""For a whole deployment on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. A terminal shows stdout and stderr as one."""

    code: int
    stdout: str
    stderr: str = ""

    @property
    def complaint(self) -> list[str]:
        """The lines on stderr."""
        return self.stderr.splitlines()


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of what a deployment needs, at `root`, and the environment of its commands.

    `record` has the arguments and the environment of every program that a deployment started.
    """

    root: Path
    environment: Mapping[str, str]
    record: Path

    @property
    def plan_file(self) -> Path:
        """Where the plan lies between its making and its end."""
        return self.root / "infra/tfplan"

    def write_environment(self, name: str, text: str = SMALL) -> None:
        """Write the file of an environment; {name} in it stands for the name."""
        path = self.root / f"infra/environments/{name}.tfvars"
        path.write_text(text.replace("{name}", name))

    def deploy(self, verb: str, answer: str = "", **environment: str) -> Ended:
        """Run infra/deploy.sh with an answer on stdin, which is no terminal."""
        return self._run(("infra/deploy.sh", verb), answer, environment)

    def make(self, target: str, **environment: str) -> Ended:
        """Run `make`, which asks nobody."""
        return self._run((*_WITHOUT_SETUP, target), "", environment)

    def make_in_terminal(
        self, target: str, dialogue: Sequence[tuple[str, str]], **environment: str
    ) -> Ended:
        """Run `make` in a terminal, where somebody waits for each text and then types a line."""
        with self._terminal((*_WITHOUT_SETUP, target), environment) as (process, screen):
            for awaited, typed in dialogue:
                screen.wait_for(awaited)
                screen.type(f"{typed}\n")
            return Ended(screen.wait_for_end(process), screen.text)

    def end_at(self, text: str, end: signal.Signals, verb: str, **environment: str) -> Ended:
        """Run infra/deploy.sh in a terminal, and end it with a signal where the text stands."""
        with self._terminal(("infra/deploy.sh", verb), environment) as (process, screen):
            screen.wait_for(text)
            os.killpg(process.pid, end)
            return Ended(screen.wait_for_end(process), screen.text)

    def terraform(self, *arguments: str) -> Ended:
        """Run Terraform by hand, where it was connected to a state."""
        return self._run(("terraform", "-chdir=infra", *arguments), "", {})

    def _run(self, command: Sequence[str], answer: str, environment: Mapping[str, str]) -> Ended:
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**self.environment, **environment},
            input=answer,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def _terminal(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> Iterator[tuple[subprocess.Popen[bytes], "Screen"]]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.environment, **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            yield process, Screen(ours)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(ours)


@dataclass(slots=True)
class Screen:
    """A terminal, as somebody before it sees it."""

    descriptor: int
    text: str = ""
    _seen: int = 0
    _end: float = field(default_factory=lambda: time.monotonic() + _SECONDS)

    def wait_for(self, awaited: str) -> None:
        """Read on until a text stands there. Raises AssertionError where it never comes."""
        while awaited not in self.text[self._seen :]:
            assert self._read(), f"{awaited!r} never came:\n{self.text}"
        self._seen = len(self.text)

    def wait_for_end(self, process: subprocess.Popen[bytes]) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        return process.wait(_SECONDS)

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self.descriptor, text.encode())

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], self._end - time.monotonic())
        assert ready, f"nothing more came:\n{self.text}"
        try:
            more = os.read(self.descriptor, 65536)
        except OSError:  # how Linux tells that nobody has the terminal open any more
            return False
        self.text += more.decode().replace("\r\n", "\n")
        return bool(more)


@contextmanager
def running_programs(terraform: Terraform, folder: Path) -> Iterator[Mapping[str, str]]:
    """Keep gcloud warm until the block ends; yield the environment that it and Terraform need."""
    if not shutil.which("make"):
        pytest.skip("make is not on the PATH")
    reached = {
        name: value
        for name, value in terraform.environment.items()
        if name.startswith(("TF_", "CHECKPOINT_"))
    }
    with running_gcloud(folder) as gcloud:
        yield {**reached, **gcloud.environment}


def new_checkout(folder: Path, google: GoogleServices, environment: Mapping[str, str]) -> Checkout:
    """Copy what a deployment needs into an empty folder; nothing of the user's is in reach."""
    root = checkout(folder / "checkout").root
    copied(root)
    shutil.copy(REPOSITORY / "Makefile", root)
    (root / ".venv").symlink_to(sys.prefix)
    record = folder / "started.txt"
    programs = _recorded(folder / "programs", record)
    return Checkout(
        root,
        {
            **environment,
            **google.environment,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            # Where gcloud writes its logs.
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
            "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "false",
            "PROJECT": PROJECT,
            "NO_GCE_CHECK": "true",
        },
        record,
    )


def only(folder: Path, *programs: str) -> str:
    """Return a PATH that has these programs and no other."""
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program))
    return str(folder)


def _recorded(folder: Path, record: Path) -> Path:
    """Make programs that write down how they were called, and go on as the real ones."""
    folder.mkdir()
    for name in _PROGRAMS:
        real = shutil.which(name)
        program = folder / name
        program.write_text(
            f'#!/bin/sh\n{{ echo "{name} $*"; env; }} >>{record}\nexec {real} "$@"\n'
        )
        program.chmod(0o755)
    return folder
