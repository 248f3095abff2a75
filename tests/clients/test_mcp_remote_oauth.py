"""mcp-remote with the URL alone: a client that only speaks stdio signs in through the browser."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.clients.default_browser import DefaultBrowser, default_browser
from tests.clients.dev_server import DevServer
from tests.clients.simulated_rally import story_in_rally

BRIDGE = Path(__file__).with_name("node_modules") / "mcp-remote/dist/proxy.js"
STORY = {"title": "Pay by card", "points": 3}


@dataclass(frozen=True, slots=True)
class McpRemote:
    """An installation that keeps its tokens in a folder of the test's own."""

    node: str
    mcp_url: str
    home: Path
    browser: DefaultBrowser

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Start the bridge and connect to it."""
        # Nothing that names a display: it would open a real browser there.
        environment = {"HOME": str(self.home), "MCP_REMOTE_CONFIG_DIR": str(self.home)}
        bridge = StdioServerParameters(
            command=self.node,
            args=[str(BRIDGE), self.mcp_url, "--allow-http", "--transport", "http-only"],
            env={**environment, **self.browser.environment},
        )
        async with Client(bridge, mode="legacy", read_timeout_seconds=30) as client:
            yield client

    def spoil_access_token(self) -> None:
        """Let it keep an access token that the server does not know."""
        (path,) = self.home.glob("*/*_tokens.json")
        tokens = json.loads(path.read_text())
        path.write_text(json.dumps({**tokens, "access_token": "never-issued"}))


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[DefaultBrowser]:
    async with default_browser(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
def mcp_remote(
    node: str, dev_server: DevServer, tmp_path: Path, browser: DefaultBrowser
) -> McpRemote:
    return McpRemote(node, dev_server.mcp_url, tmp_path, browser)


async def test_a_person_signs_in_and_creates_a_story(
    mcp_remote: McpRemote, browser: DefaultBrowser, dev_server: DevServer
) -> None:
    async with mcp_remote.client() as client:
        listed = await client.list_tools()
        created = await client.call_tool("create_rally_story", STORY)

    formatted_id = created.structured_content["story"]["formatted_id"]
    story = await story_in_rally(dev_server.rally_url, formatted_id)
    assert "create_rally_story" in {tool.name for tool in listed.tools}
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert len(browser.opened) == 1


async def test_the_next_start_needs_no_browser(
    mcp_remote: McpRemote, browser: DefaultBrowser
) -> None:
    async with mcp_remote.client():
        pass

    async with mcp_remote.client() as client:
        created = await client.call_tool("create_rally_story", STORY)

    assert not created.is_error
    assert len(browser.opened) == 1


async def test_an_access_token_that_is_refused_is_renewed_without_the_browser(
    mcp_remote: McpRemote, browser: DefaultBrowser
) -> None:
    async with mcp_remote.client():
        pass
    mcp_remote.spoil_access_token()

    async with mcp_remote.client() as client:
        created = await client.call_tool("create_rally_story", STORY)

    assert not created.is_error
    assert len(browser.opened) == 1
