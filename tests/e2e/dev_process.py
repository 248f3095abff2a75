"""One run of `rally-mcp dev`, with what it printed, how it ended and what it left behind."""

import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.clients.dev_server import START_SECONDS

RALLY_MCP = Path(sys.executable).with_name("rally-mcp")


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over. `printed` is the rest of stdout, `took` how many seconds it went on."""

    exit_code: int
    printed: str
    log: str
    took: float
    left_processes: bool


class DevProcess:
    """A run in a process group of its own, which logs into its data folder."""

    def __init__(self, port: int, data: Path) -> None:
        self._log = data / "dev.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                (RALLY_MCP, "dev", "--json", "--port", str(port), "--data", data),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def first_line(self) -> str:
        """Wait for the line that tells that everything answers, and return it."""
        select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if self._process.poll() is None else ""
        assert line, self._log.read_text()
        return line

    def terminate(self) -> None:
        """Ask it to stop; `ended` waits for that."""
        self._process.send_signal(signal.SIGTERM)

    def ended(self, within: float) -> Ended:
        """Wait for the end for so many seconds, then force it."""
        started = time.monotonic()
        try:
            exit_code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            exit_code = self._process.wait()
        took = time.monotonic() - started
        with self._process.stdout as stdout:
            printed = stdout.read()
        return Ended(exit_code, printed, self._log.read_text(), took, self._end_group())

    def _end_group(self) -> bool:
        """Kill what is left of the process group; tell whether there was anything."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
