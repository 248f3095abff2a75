"""Node.js 22, which some clients need, and the programs that run on it.

`make clients` installs it beside them, so that the machine's own Node.js may be older.
"""

import os
from pathlib import Path
from typing import NoReturn

import pytest

NODE_MODULES = Path(__file__).with_name("node_modules")


def node_22() -> str:
    """Return the path of Node.js 22; skip the test where it is not installed."""
    # Of the packages, one for each kind of machine, npm installs the one that runs here.
    path = next(NODE_MODULES.glob("node-*/bin/node"), None)
    return str(path or is_missing("Node.js 22 is not installed: `make clients`"))


def program(name: str) -> tuple[str, str]:
    """Return the command that runs an installed program; skip the test where it is missing."""
    path = NODE_MODULES / ".bin" / name
    if not path.exists():
        is_missing(f"{name} is not installed: `make clients`")
    return node_22(), str(path)


def is_missing(what: str) -> NoReturn:
    """Skip the test, or fail it in CI, where everything must be there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
