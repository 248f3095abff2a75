"""The uv of this machine, and where it finds packages when a user's home is empty."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.clients.dev_server import PROJECT
from tests.clients.node import is_missing


def uv() -> Path:
    """Return the Makefile's uv; skip the test where there is none."""
    own = next(PROJECT.glob(".tools/uv-*/uv"), None)
    return Path(own or shutil.which("uv") or is_missing("uv is not installed: `make setup`"))


def package_sources() -> dict[str, str]:
    """Return the variables that say where packages come from, and what was downloaded before."""
    known = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
    cache = subprocess.run((uv(), "cache", "dir"), capture_output=True, check=True, text=True)
    return {**known, "UV_CACHE_DIR": cache.stdout.strip()}
