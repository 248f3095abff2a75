"""A process of its own for a function, or for what stands around it, and its certain end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tests.clients.dev_server import PROJECT

FRAMEWORK = Path(sys.executable).with_name("functions-framework")

CONNECTION_TRIES = 8
"""The last begins half a minute after the first."""

STOP_SECONDS = 15


def function(source: Path, target: str, port: int) -> Sequence[str | Path]:
    """Return the command that serves a function as it is deployed."""
    where = ("--host", "127.0.0.1", "--port", str(port))
    return (FRAMEWORK, "--source", source, "--target", target, *where)


@contextmanager
def running_process(
    command: Sequence[str | Path],
    settings: Mapping[str, str],
    *,
    stdout: BinaryIO,
    stderr: BinaryIO,
) -> Iterator[None]:
    """Run a command with these settings besides the environment, until the block ends."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **settings},
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
