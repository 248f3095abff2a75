"""The same tool on the SDK alone: no sign-in, no storage, no audit, no untrusted text.

Run as `python -m benchmarks.bare_sdk_server PORT RALLY_URL`.
"""

import sys

import httpx
import uvicorn
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

from rally_mcp.rally.rich_text import markdown_to_html


class Story(BaseModel):
    """What the tool answers."""

    success: bool
    formatted_id: str
    url: str


def main() -> None:
    """Serve until stopped."""
    port, rally_url = int(sys.argv[1]), sys.argv[2]
    http = httpx.AsyncClient(headers={"ZSESSIONID": "_devann"})
    server = MCPServer("bare")

    @server.tool()
    async def create_rally_story(title: str, description: str = "", points: float = 1) -> Story:
        """Create a user story."""
        answer = await http.post(
            f"{rally_url}/slm/webservice/v2.0/hierarchicalrequirement/create",
            params={"fetch": "ObjectID,FormattedID,Name,ScheduleState,Project"},
            json={
                "HierarchicalRequirement": {
                    "Name": title,
                    "Description": markdown_to_html(description),
                    "PlanEstimate": points,
                }
            },
        )
        story = answer.json()["CreateResult"]["Object"]
        url = f"{rally_url}/#/detail/userstory/{story['ObjectID']}"
        return Story(success=True, formatted_id=story["FormattedID"], url=url)

    app = server.streamable_http_app(stateless_http=True, json_response=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
