"""Where the report goes: stdout, which may be full or closed."""

import os
import sys


def written(text: str) -> bool:
    """Print, and tell whether that worked. What went wrong is one line on stderr.

    A reader that has read enough, as `head` has, is told nothing.
    """
    if sys.stdout is None:  # Python's for one that was closed from the start
        return False
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _abandon_stdout()
        return False
    except OSError as error:
        _abandon_stdout()
        print(f"rally-mcp: the report cannot be written: {error.strerror}", file=sys.stderr)
        return False
    return True


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere: Python would fail once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
