"""Starting and stopping the servers that are compared."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
FUNCTIONS_FRAMEWORK = str(Path(sys.executable).with_name("functions-framework"))
_START_SECONDS = 60


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], url: str, environment: Mapping[str, str] | None = None
) -> Iterator[float]:
    """Run a server until the block ends; yields the seconds from its start to its first answer."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _first_answer(url, process) - started
    finally:
        process.terminate()
        process.wait()


def processor_seconds(argument: str) -> float:
    """Return the processor time so far of all processes that were started with `argument`.

    Linux alone. It tells what a call costs a server whose callers share its processors.
    """
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if argument.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:  # ended meanwhile
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def _first_answer(url: str, process: "subprocess.Popen[bytes]") -> float:
    give_up_at = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < give_up_at and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 own loopback address
        except urllib.error.HTTPError:
            return time.perf_counter()
        except OSError:
            time.sleep(0.002)
            continue
        return time.perf_counter()
    raise RuntimeError(f"{url} does not answer")
