"""The same tool on FastMCP behind its OAuth proxy, as its users write it.

Run by `benchmarks.compare_fastmcp`, in an environment of its own where FastMCP is installed:
`python -m benchmarks.fastmcp_server PORT RALLY_URL`, with the upstream's client secret in
RALLY_CLIENT_SECRET. State is kept where FastMCP keeps it by default: encrypted files below
FASTMCP_HOME, so that a server that starts again knows the tokens that it issued.
"""

import os
import sys

import httpx2  # the successor of httpx, which FastMCP itself uses
import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.providers.debug import DebugTokenVerifier
from fastmcp.server.dependencies import get_access_token
from markdown_it import MarkdownIt
from pydantic import BaseModel

CLIENT_ID = "benchmark"
CALLBACK_PATH = "/auth/callback"


class Story(BaseModel):
    """What the tool answers."""

    success: bool
    formatted_id: str
    url: str


def main() -> None:
    """Serve until stopped."""
    port, rally_url = int(sys.argv[1]), sys.argv[2]
    http = httpx2.AsyncClient(base_url=rally_url, timeout=30)
    markdown = MarkdownIt("commonmark", {"html": False})
    server = FastMCP("Rally", auth=_oauth_proxy(port, rally_url))

    @server.tool
    async def create_rally_story(title: str, description: str = "", points: float = 1) -> Story:
        """Create a user story."""
        answer = await http.post(
            "/slm/webservice/v2.0/hierarchicalrequirement/create",
            params={"fetch": "ObjectID,FormattedID,Name,ScheduleState,Project"},
            headers={"ZSESSIONID": get_access_token().token},
            json={
                "HierarchicalRequirement": {
                    "Name": title,
                    "Description": markdown.render(description),
                    "PlanEstimate": points,
                }
            },
        )
        answer.raise_for_status()
        story = answer.json()["CreateResult"]["Object"]
        url = f"{rally_url}/#/detail/userstory/{story['ObjectID']}"
        return Story(success=True, formatted_id=story["FormattedID"], url=url)

    app = server.http_app(path="/mcp", json_response=True, stateless_http=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def _oauth_proxy(port: int, rally_url: str) -> OAuthProxy:
    """Return the proxy. Rally's tokens are opaque, so the verifier takes what the proxy stored.

    The cheapest choice there is: FastMCP's own providers for opaque tokens ask the upstream at
    each call.
    """
    return OAuthProxy(
        upstream_authorization_endpoint=f"{rally_url}/login/oauth2/auth",
        upstream_token_endpoint=f"{rally_url}/login/oauth2/token",
        upstream_client_id=CLIENT_ID,
        upstream_client_secret=os.environ["RALLY_CLIENT_SECRET"],
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 the method's name
        token_verifier=DebugTokenVerifier(scopes=["alm"], required_scopes=["alm"]),
        base_url=f"http://127.0.0.1:{port}",
        redirect_path=CALLBACK_PATH,
    )


if __name__ == "__main__":
    main()
