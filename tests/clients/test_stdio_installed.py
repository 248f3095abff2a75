"""`uvx --from . rally-mcp stdio`: built, installed and started where nothing of it was before."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tests.clients.default_browser import DefaultBrowser
from tests.clients.dev_server import PROJECT
from tests.clients.node import is_missing
from tests.clients.simulated_rally import story_in_rally
from tests.clients.stdio_process import Computer, running_upstreams

INSTALL_SECONDS = 300


@pytest.fixture
def uv() -> str:
    own = next(PROJECT.glob(".tools/uv-*/uv"), None)
    return str(own or shutil.which("uv") or is_missing("uv is not installed: `make setup`"))


@pytest.fixture
def installed(uv: str, browser: DefaultBrowser, tmp_path: Path):
    """Start it as a user with an empty home does, but for what was downloaded before."""
    cache = subprocess.run((uv, "cache", "dir"), capture_output=True, check=True, text=True).stdout
    own = {
        "UV_CACHE_DIR": cache.strip(),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    # Where packages come from is this machine's business.
    machine = {
        name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))
    }
    command = (uv, "tool", "run", "--from", str(PROJECT), "rally-mcp", "stdio")
    with running_upstreams() as upstreams:
        settings = {**machine, **own, **upstreams.settings}
        yield Computer(tmp_path, settings, command, browser)


async def test_it_signs_in_and_works_from_its_wheel_alone(installed: Computer, browser):
    with anyio.fail_after(INSTALL_SECONDS):  # which no client waits
        await anyio.run_process(
            installed.command, input=b"", env=installed.environment, cwd=installed.home
        )

    async with installed.chat() as client:
        created = await client.call_tool("create_rally_story", {"title": "Pay by card"})

    assert not created.is_error, created.content
    assert "Signed in as Ann Archer" in browser.ends[0].response.text
    rally_url = installed.settings["RALLY_URL"]
    assert await story_in_rally(rally_url, created.structured_content["story"]["formatted_id"])
