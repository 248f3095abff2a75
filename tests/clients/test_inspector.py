"""The MCP Inspector's command line, with each credential, and signing in by itself."""

import json
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.clients.browser_walk import confirmation_code
from tests.clients.default_browser import DefaultBrowser, default_browser
from tests.clients.dev_server import DevServer
from tests.clients.node import program
from tests.clients.python_sdk import Installation, connected
from tests.clients.simulated_rally import story_in_rally

RUN_SECONDS = 120
"""It takes one; where a server asks it for a person, it waits without end."""

CREATE_A_STORY = (
    *("--method", "tools/call", "--tool-name", "create_rally_story"),
    *("--tool-args-json", '{"title": "Pay by card", "points": 3}'),
)


@dataclass(frozen=True, slots=True)
class Inspector:
    """An installation that keeps what it stores in a folder of the test's own."""

    mcp_url: str
    environment: Mapping[str, str]

    async def run(self, *options: str) -> Any:
        """Run it once, in no terminal; return the result of the request that it made."""
        command = (*program("mcp-inspector"), "--cli", self.mcp_url, "--format", "json")
        with anyio.fail_after(RUN_SECONDS):
            done = await anyio.run_process(
                (*command, *options),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                check=False,
            )
        assert done.stdout, done.stderr.decode()
        return json.loads(done.stdout)["result"]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[DefaultBrowser]:
    async with default_browser(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
def inspector(dev_server: DevServer, browser: DefaultBrowser, tmp_path: Path) -> Inspector:
    return Inspector(
        dev_server.mcp_url,
        {
            **browser.environment,
            "HOME": str(tmp_path),
            # It would not sign in without a terminal, and forget what it got.
            "MCP_AUTO_OPEN_ENABLED": "true",
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_OAUTH_CALLBACK_URL": f"http://127.0.0.1:{_free_port()}/oauth/callback",
        },
    )


async def test_the_tools_are_listed_to_a_session_that_never_signed_in(
    inspector: Inspector, session_id: str
) -> None:
    listed = await inspector.run("--method", "tools/list", "--header", f"Session-ID: {session_id}")

    assert {"create_rally_story", "complete_sign_in"} <= {tool["name"] for tool in listed["tools"]}


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_session_signs_in_and_creates_a_story(
    inspector: Inspector, session_id: str, era: str
) -> None:
    session = ("--header", f"Session-ID: {session_id}", "--protocol-era", era)

    refused = await inspector.run(*session, *CREATE_A_STORY)
    code = await confirmation_code(refused["structuredContent"]["auth_url"])
    complete = ("--method", "tools/call", "--tool-name", "complete_sign_in")
    await inspector.run(*session, *complete, "--tool-arg", f"code={code}")
    created = await inspector.run(*session, *CREATE_A_STORY)

    assert refused["isError"] is True
    assert created["structuredContent"]["story"]["name"] == "Pay by card"


async def test_an_access_token_lists_the_tools_and_creates_a_story(
    inspector: Inspector, dev_server: DevServer
) -> None:
    installation = Installation(dev_server)
    async with connected(dev_server, installation.provider()):
        access_token = installation.keychain.tokens.access_token
    bearer = ("--header", f"Authorization: Bearer {access_token}")

    listed = await inspector.run(*bearer, "--method", "tools/list")
    created = await inspector.run(*bearer, *CREATE_A_STORY)

    assert "create_rally_story" in {tool["name"] for tool in listed["tools"]}
    assert created["structuredContent"]["story"]["name"] == "Pay by card"


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_without_a_credential_it_signs_in_through_the_browser(
    inspector: Inspector, browser: DefaultBrowser, dev_server: DevServer, era: str
) -> None:
    created = await inspector.run("--protocol-era", era, *CREATE_A_STORY)

    formatted_id = created["structuredContent"]["story"]["formatted_id"]
    story = await story_in_rally(dev_server.rally_url, formatted_id)
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert len(browser.opened) == 1


async def test_what_it_stored_serves_the_next_run(
    inspector: Inspector, browser: DefaultBrowser
) -> None:
    await inspector.run("--method", "tools/list")

    created = await inspector.run("--stored-auth-only", *CREATE_A_STORY)

    assert created["structuredContent"]["story"]["name"] == "Pay by card"
    assert len(browser.opened) == 1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
