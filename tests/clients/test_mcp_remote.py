from pathlib import Path

from mcp import Client, StdioServerParameters

from tests.clients.browser_walk import confirmation_code
from tests.clients.dev_server import DevServer

BRIDGE = Path(__file__).with_name("node_modules") / "mcp-remote/dist/proxy.js"
STORY = {"title": "Pay by card", "points": 3}


async def test_a_client_that_only_speaks_stdio_signs_in_through_mcp_remote(
    node: str, dev_server: DevServer, session_id: str, tmp_path: Path
) -> None:
    bridge = StdioServerParameters(
        command=node,
        args=[
            str(BRIDGE),
            dev_server.mcp_url,
            *("--header", f"Session-ID:{session_id}"),
            *("--transport", "http-only"),
            "--allow-http",
        ],
        env={"HOME": str(tmp_path), "MCP_REMOTE_CONFIG_DIR": str(tmp_path)},
    )

    async with Client(bridge, mode="legacy", read_timeout_seconds=30) as client:
        refused = await client.call_tool("create_rally_story", STORY)
        code = await confirmation_code(refused.structured_content["auth_url"])
        await client.call_tool("complete_sign_in", {"code": code})
        created = await client.call_tool("create_rally_story", STORY)

    assert created.structured_content["story"]["formatted_id"].startswith("US")
