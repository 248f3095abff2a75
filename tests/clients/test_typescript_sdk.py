import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from tests.clients.browser_walk import confirmation_code
from tests.clients.dev_server import DevServer

SCRIPT = Path(__file__).with_name("call_tool.mjs")
RUN_SECONDS = 120
STORY = {"title": "Pay by card", "points": 3}

CallTool = Callable[[str, dict[str, object]], Awaitable[dict]]


@pytest.fixture
def call_tool(node: str, dev_server: DevServer, session_id: str) -> CallTool:
    """Call a tool in one session, with a client that starts anew each time."""

    async def call(tool: str, arguments: dict[str, object]) -> dict:
        script = (node, str(SCRIPT), dev_server.mcp_url, session_id, tool, json.dumps(arguments))
        with anyio.fail_after(RUN_SECONDS):
            done = await anyio.run_process(script, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return call


async def test_the_auth_url_gets_past_the_check_of_the_output_schema(
    call_tool: CallTool, dev_server: DevServer
) -> None:
    answer = await call_tool("create_rally_story", STORY)

    auth_url = answer["structuredContent"]["auth_url"]
    assert answer["isError"] is True
    assert auth_url.startswith(f"{dev_server.auth_url}/auth?state=")
    assert auth_url in answer["content"][0]["text"].splitlines()


async def test_the_story_is_created_after_sign_in(call_tool: CallTool) -> None:
    refused = await call_tool("create_rally_story", STORY)
    code = await confirmation_code(refused["structuredContent"]["auth_url"])
    await call_tool("complete_sign_in", {"code": code})

    created = await call_tool("create_rally_story", STORY)

    story = created["structuredContent"]["story"]
    assert "isError" not in created or created["isError"] is False
    assert story["formatted_id"].startswith("US")
    assert STORY["title"] == story["name"]
