"""Ready configurations for MCP clients, each in its own form, with a fresh Session-ID."""

import json
import uuid

CLIENTS = ("vscode", "copilot-cli", "cloud-agent")

_NOTES = {
    "vscode": "Save it as .vscode/mcp.json. The Session-ID is a secret of yours: do not commit it.",
    "copilot-cli": "Save it as ~/.copilot/mcp-config.json. The Session-ID is a secret of yours.",
    "cloud-agent": (
        "Paste it into the repository's Copilot settings, and store a fresh UUID as the agent "
        "secret COPILOT_MCP_SESSION_ID. Everybody who may assign work to the agent then works in "
        "Rally as the one person who signs in: use an account made for that."
    ),
}


def for_client(client: str, url: str) -> str:
    """Return the JSON to paste into the client's configuration."""
    return json.dumps(_configuration(client, url), indent=2)


def note_for(client: str) -> str:
    """Return where the configuration goes, and what to mind."""
    return _NOTES[client]


def _configuration(client: str, url: str) -> dict[str, object]:
    server = {"type": "http", "url": url, "headers": {"Session-ID": str(uuid.uuid4())}}
    if client == "vscode":
        return {"servers": {"rally": server}}
    if client == "cloud-agent":
        server["headers"] = {"Session-ID": "$COPILOT_MCP_SESSION_ID"}
    return {"mcpServers": {"rally": {**server, "tools": ["*"]}}}
