"""Finds the uv that the Makefile has put below .tools, and programs that it can run."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.supply_chain.deployed import PROJECT


def pinned_uv() -> Path:
    """Return uv as the Makefile pins it, or the one on the PATH; skip the test without any."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE)
    ours = PROJECT / ".tools" / f"uv-{version}" / "uv"
    found = str(ours) if ours.exists() else shutil.which("uv")
    if found is None:
        pytest.skip(f"uv {version} is neither below .tools nor on the PATH: make setup")
    return Path(found)


def uv_with(*tool: str) -> Path:
    """Return the same; skip the test where a package index to fetch `tool` from is out of reach."""
    uv = pinned_uv()
    command: Sequence[str] = (str(uv), "tool", "run", "--quiet", *tool, "python", "-c", "")
    fetched = subprocess.run(command, capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip(f"{' '.join(tool)} cannot be fetched: {fetched.stderr.strip()}")
    return uv
