"""Runs a container's command on this machine, with the environment that it has in the container."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

PROGRAMS = Path(sys.executable).parent
"""Stands in for the image's /venv/bin."""

STOP_SECONDS = 10
"""What an engine gives a container between SIGTERM and SIGKILL."""

_CONNECTION_TRIES = 8
_ANSWER_SECONDS = 20


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command in a folder, and let nothing of it outlive the block."""
    process = subprocess.Popen(
        command,
        executable=PROGRAMS / command[0],
        env=on_this_machine(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def on_this_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the container's environment with this machine's programs, for loopback alone."""
    return {**environment, "PATH": f"{PROGRAMS}:{os.defpath}", "HOST": "127.0.0.1"}


def get(url: str) -> httpx.Response:
    """Ask as soon as somebody listens."""
    transport = httpx.HTTPTransport(retries=_CONNECTION_TRIES)
    with httpx.Client(transport=transport, timeout=_ANSWER_SECONDS) as http:
        return http.get(url)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
