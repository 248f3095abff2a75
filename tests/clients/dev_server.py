"""Starts `rally-mcp dev` for the clients to talk to: the three functions and a simulated Rally."""

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PORTS_OF_ONE_SERVER = (0, 1, 2, 10)
START_SECONDS = 75
"""It gives itself 60, and its own words on a failure are worth the wait."""

STOP_SECONDS = 15


@dataclass(frozen=True, slots=True)
class DevServer:
    """Where the parts of a running `rally-mcp dev` answer."""

    mcp_url: str
    auth_url: str
    callback_url: str
    rally_url: str


@pytest.fixture(scope="session")
def dev_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where `dev_server` keeps its data."""
    return tmp_path_factory.mktemp("dev")


@pytest.fixture(scope="session")
def dev_server(dev_data: Path) -> Iterator[DevServer]:
    """One `rally-mcp dev` for all tests; each signs in as a session or a client of its own."""
    with running_dev_server(dev_data) as server:
        yield server


@contextmanager
def running_dev_server(data: Path) -> Iterator[DevServer]:
    """Run a server that keeps its data and its log in a folder, until the block ends."""
    log = data / "dev.log"
    command = (sys.executable, "-m", "devtools.cli", "dev", "--json")
    options = ("--port", str(_free_port_block()), "--data", str(data))
    with log.open("wb") as errors:
        process = subprocess.Popen(
            (*command, *options),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield DevServer(**_first_line(process, log))
    finally:
        _stop(process)


def _first_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise RuntimeError(f"rally-mcp dev did not start:\n{log.read_text()}")
    return json.loads(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask for an orderly end, and take the whole process group down where none comes."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
        raise
    finally:
        process.stdout.close()


def _free_port_block() -> int:
    """Find a free block below the ports that systems hand out by themselves."""
    while True:
        first = secrets.choice(range(20_000, 32_000, 16))
        if _is_free(first):
            return first


def _is_free(first: int) -> bool:
    with ExitStack() as held:
        try:
            for offset in PORTS_OF_ONE_SERVER:
                held.enter_context(socket.create_server(("127.0.0.1", first + offset)))
        except OSError:
            return False
    return True
