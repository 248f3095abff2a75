"""Real MCP clients, each met where it is installed."""

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.clients.copilot_cli import CopilotCli, installed_copilot
from tests.clients.default_browser import DefaultBrowser, default_browser
from tests.clients.dev_server import DevServer
from tests.clients.machine_client import administrator
from tests.clients.node import NODE_MODULES, is_missing
from tests.clients.scripted_model import ScriptedModel, running_model

__all__ = ["administrator"]


@pytest.fixture
def session_id() -> str:
    """A chat session that has never signed in."""
    return str(uuid.uuid4())


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """A language model without a script yet."""
    with running_model() as model:
        yield model


@pytest.fixture
def copilot(
    dev_server: DevServer, model: ScriptedModel, session_id: str, tmp_path: Path
) -> CopilotCli:
    """Copilot CLI as just installed, with the server and the scripted model."""
    program = installed_copilot()
    return CopilotCli(program, tmp_path, model.base_url, dev_server.mcp_url, session_id)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[DefaultBrowser]:
    """The browser that a program opens links with, and a person who signs in there."""
    async with default_browser(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
def tmux() -> str:
    """The terminal multiplexer that interactive tests type into."""
    return shutil.which("tmux") or is_missing("tmux is not installed: `apt install tmux`")


@pytest.fixture
def node() -> str:
    """Node.js with the JavaScript clients beside it."""
    program = shutil.which("node") or is_missing("Node.js 18 or newer is not installed")
    if not (NODE_MODULES / "@modelcontextprotocol/sdk").is_dir():
        is_missing("the JavaScript clients are not installed: `make clients`")
    return program
