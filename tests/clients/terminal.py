"""A terminal that a test can type into and read: a tmux of its own."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

POLL_SECONDS = 0.2
WAIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Terminal:
    """One program in one pane, wide enough that no link is broken."""

    tmux: Sequence[str]
    """The command that reaches the one tmux."""

    @property
    def screen(self) -> str:
        """What the pane shows now."""
        return self._run("capture-pane", "-p", "-J")

    def type(self, text: str) -> None:
        """Type text, without Enter at its end."""
        self._run("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press one key, by tmux's name for it, such as Escape."""
        self._run("send-keys", key)

    async def wait_for(self, pattern: str, *, enter_at: str) -> str:
        """Return what the pattern finds on the screen.

        Until then Enter is pressed whenever the screen shows the other pattern. Raises
        AssertionError after two minutes.
        """
        with anyio.move_on_after(WAIT_SECONDS):
            while not (found := re.search(pattern, screen := self.screen)):
                if re.search(enter_at, screen, re.MULTILINE):
                    self._run("send-keys", "Enter")
                await anyio.sleep(POLL_SECONDS)
            return found[0]
        raise AssertionError(f"{pattern!r} does not come up on the screen:\n{self.screen}")

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            (*self.tmux, *command),
            capture_output=True,
            check=True,
            text=True,
            timeout=5,
        )
        return done.stdout


@contextmanager
def running_terminal(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Terminal]:
    """Run a program in a terminal of 180 by 50 characters until the block ends."""
    size = ("-x", "180", "-y", "50")
    with tempfile.TemporaryDirectory(prefix="tmux-") as own:
        tmux = ("tmux", "-f", "/dev/null", "-S", f"{own}/socket")
        # tmux hands on its own environment: nothing of this process reaches the program.
        subprocess.run(
            (*tmux, "new-session", "-d", *size, *command),
            cwd=folder,
            env=dict(environment),
            check=True,
            timeout=5,
        )
        try:
            yield Terminal(tmux)
        finally:
            subprocess.run((*tmux, "kill-server"), check=False, capture_output=True, timeout=5)
