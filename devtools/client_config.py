"""What each MCP client needs in its configuration to use this server, and where that goes.

Clients that sign in by the MCP authorization specification get the address alone. The Copilot
cloud agent cannot sign in: it gets `rally-mcp connect`, which logs a machine client in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devtools.connect_command import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE

CLOUD_AGENT = "cloud-agent"

GITHUB_PLACE = "the repository's Settings > Copilot > Cloud agent > MCP configuration, on GitHub"

Entry = Mapping[str, Any]
"""What a client's configuration says of one server."""

_SESSION_ID = (
    "The Session-ID is a secret: whoever has it works in Rally as you. Do not commit or share it."
)
_AGENT_SESSION_ID = (
    "Store a fresh UUID as the agent's secret COPILOT_MCP_SESSION_ID. Everybody who may assign "
    "work to the agent then works in Rally as the one person who signs in: use an account made "
    "for that."
)
_LOCAL_SIGN_IN = (
    'Put RALLY_CLIENT_ID and RALLY_CLIENT_SECRET under "env" of the entry (docs/stdio.md). The '
    "browser opens for the sign-in when a tool first needs it."
)
_FETCHED = (
    "uvx fetches {source}, and runs it with the secrets that it is given: be sure that it is this "
    "product, at a tag or commit."
)
_MACHINE = """\
It works once this is done:
1. rally-mcp clients add "Copilot cloud agent" --scope SCOPE --rally-api-key REFERENCE
2. In the repository's Settings > Secrets and variables > Agents, store what it printed as the
   secrets COPILOT_MCP_RALLY_CLIENT_ID and COPILOT_MCP_RALLY_CLIENT_SECRET.
3. Have .github/workflows/copilot-setup-steps.yml install uv.
The agent uses tools without asking: name in "tools" those that it needs."""


@dataclass(frozen=True, slots=True)
class McpClient:
    """How one client is configured."""

    section: str
    """The member of the configuration that holds the servers by name."""
    file: str = ""
    """Where the configuration goes: a path below the project or `~`; none is on GitHub."""
    sign_in: str = ""
    """How a person's sign-in begins."""
    file_everywhere: str = ""
    """The file for all projects, where there is one besides."""
    folder_variable: str = ""
    """An environment variable that moves the file to another folder."""
    remote: Entry = field(default_factory=dict)
    """What an entry with an address has besides."""
    common: Entry = field(default_factory=dict)
    """What every entry has besides."""


CLIENTS: Mapping[str, McpClient] = {
    "vscode": McpClient(
        section="servers",
        file=".vscode/mcp.json",
        remote={"type": "http"},
        sign_in="Press Start above the entry: VS Code opens the browser for the sign-in.",
    ),
    "copilot-cli": McpClient(
        section="mcpServers",
        file="~/.copilot/mcp-config.json",
        folder_variable="COPILOT_HOME",
        remote={"type": "http"},
        common={"tools": ["*"]},
        sign_in="Start copilot: it opens the browser for the sign-in.",
    ),
    "claude-code": McpClient(
        section="mcpServers",
        file=".mcp.json",
        remote={"type": "http"},
        sign_in="Start claude, approve the server, and choose Authenticate in /mcp.",
    ),
    "cursor": McpClient(
        section="mcpServers",
        file=".cursor/mcp.json",
        file_everywhere="~/.cursor/mcp.json",
        sign_in="Turn the server on in Cursor's list of MCP servers, and connect it there.",
    ),
    CLOUD_AGENT: McpClient(section="mcpServers", remote={"type": "http"}, common={"tools": ["*"]}),
}


def remote_entry(client: str, url: str, session_id: str | None = None) -> Entry:
    """Return an entry with an address, and with a Session-ID for those who want one."""
    form = CLIENTS[client]
    headers = {"headers": {"Session-ID": session_id}} if session_id else {}
    return {**form.remote, "url": url, **headers, **form.common}


def local_entry(client: str, program: str, source: str | None) -> Entry:
    """Return an entry that runs the server on the person's own machine.

    It runs `program`, this very command, or with a `source` what uvx fetches from there.
    """
    fetched = {"command": "uvx", "args": ["--from", source, "rally-mcp", "stdio"]}
    own = {"command": program, "args": ["stdio"]}
    return {"type": "stdio", **(fetched if source else own), **CLIENTS[client].common}


def machine_entry(url: str, source: str, scopes: Sequence[str] = ()) -> Entry:
    """Return the cloud agent's entry, which logs a machine client in with the agent's secrets."""
    scope = ["--scope", " ".join(scopes)] if scopes else []
    return {
        "type": "local",
        "command": "uvx",
        "args": ["--from", source, "rally-mcp", "connect", url, *scope],
        "env": {
            CLIENT_ID_VARIABLE: "$COPILOT_MCP_RALLY_CLIENT_ID",
            CLIENT_SECRET_VARIABLE: "$COPILOT_MCP_RALLY_CLIENT_SECRET",
        },
        **CLIENTS[CLOUD_AGENT].common,
    }


def document(client: str, name: str, entry: Entry) -> str:
    """Return a whole configuration with one server."""
    return json.dumps({CLIENTS[client].section: {name: entry}}, indent=2)


def notes(client: str, entry: Entry) -> list[str]:
    """Return what to do and to mind besides, a line or more each."""
    if "command" in entry:
        ways = [_MACHINE if client == CLOUD_AGENT else _LOCAL_SIGN_IN]
        fetched = entry["command"] == "uvx"
        return [*ways, *([_FETCHED.format(source=entry["args"][1])] if fetched else [])]
    if "headers" in entry:
        return [_AGENT_SESSION_ID if client == CLOUD_AGENT else _SESSION_ID]
    return [CLIENTS[client].sign_in]
