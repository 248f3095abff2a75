"""GitHub Copilot CLI with a model that follows a script, cut off from network and user settings."""

import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from tests.clients.default_browser import DefaultBrowser
from tests.clients.node import NODE_MODULES, is_missing
from tests.clients.terminal import Terminal, running_terminal

RUN_SECONDS = 180
"""Ten are enough where nothing else runs."""

QUESTIONS = r"Do you trust the files in this folder\?|Do you want to use this tool\?"
"""What a chat asks its user; Enter says yes."""

PROMPT = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
CONNECTED = "1 server connected"
NOT_CONNECTED = "0 servers connected"


def installed_copilot() -> Path:
    """Return the program; skip the test where it is not installed."""
    # The package for this machine; npm's own launcher needs Node.js besides.
    program = next(NODE_MODULES.glob("@github/copilot-*/copilot"), None)
    return program or is_missing("Copilot CLI is not installed: `make clients`")


@dataclass(frozen=True, slots=True)
class CopilotChat:
    """An open chat, seen and used through its terminal."""

    terminal: Terminal

    async def say(self, message: str, *, until: str) -> str:
        """Send a message, say yes to every tool, and return what the pattern finds in the end."""
        self.terminal.type(message)
        # Enter sent right behind the text is sometimes lost, so it waits for the input line.
        unsent = rf"^{PROMPT} {re.escape(message)}"
        return await self.terminal.wait_for(until, enter_at=f"{unsent}|{QUESTIONS}")


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """An access token and what it can be renewed with; empty where there is nothing."""

    access_token: str
    refresh_token: str

    @classmethod
    def read(cls, path: Path) -> "StoredTokens":
        """Read one of Copilot's files."""
        stored = json.loads(path.read_text())
        return cls(stored["accessToken"], stored.get("refreshToken", ""))


@dataclass(frozen=True, slots=True)
class CopilotCli:
    """A Copilot that knows one MCP server.

    It calls its tools as one chat session or, without a Session-ID, signs in by itself, which takes
    a browser. `home` is where it keeps all that it writes, a folder that is the test's own.
    """

    program: Path
    home: Path
    model_url: str
    mcp_url: str
    session_id: str | None
    browser: DefaultBrowser | None = None
    local_server: Mapping[str, object] | None = None
    """A server for it to start itself, in place of the one at `mcp_url`."""

    async def ask(self, prompt: str) -> str:
        """Run it for one prompt, every tool allowed, and return what it prints."""
        self._share_package()
        command = (*self._command, "--allow-all-tools", "-p", prompt)
        with anyio.fail_after(RUN_SECONDS):
            done = await anyio.run_process(
                command, env=self._environment, cwd=self.home, check=False
            )
        output = done.stdout.decode()
        assert done.returncode == 0, f"{output}\n{done.stderr.decode()}"
        return output

    @asynccontextmanager
    async def chat(self, *, beginning: str = CONNECTED) -> AsyncIterator[CopilotChat]:
        """Run it in a terminal until the block ends; it asks before it calls a tool.

        `beginning` is what it says of its servers once it has tried to connect.
        """
        self._share_package()
        with running_terminal(self._command, self._environment, self.home) as terminal:
            await terminal.wait_for(beginning, enter_at=QUESTIONS)
            yield CopilotChat(terminal)

    @property
    def stored_tokens(self) -> StoredTokens:
        """What it has kept of its last sign-in."""
        found = [StoredTokens.read(path) for path in self._token_files]
        # Copies for other processes of its own are without the refresh token.
        return next(each for each in found if each.refresh_token)

    def forget_time(self) -> None:
        """Let its access tokens expire, as far as it knows itself."""
        for path in self._token_files:
            path.write_text(json.dumps(json.loads(path.read_text()) | {"expiresAt": 1}))

    def _share_package(self) -> None:
        """Let the first test of a run unpack what the others find: it is 235 MB."""
        package = self.home / ".cache/copilot/pkg"
        if not package.is_symlink():
            shared = self.home.parent / "copilot-package"
            shared.mkdir(exist_ok=True)
            package.parent.mkdir(parents=True, exist_ok=True)
            package.symlink_to(shared)

    @property
    def _token_files(self) -> list[Path]:
        return list(self.home.glob(".copilot/mcp-oauth-config/*.tokens.json"))

    @property
    def _command(self) -> tuple[str, ...]:
        server: dict[str, object] = {"type": "http", "url": self.mcp_url, "tools": ["*"]}
        if self.session_id:
            server["headers"] = {"Session-ID": self.session_id}
        config = json.dumps({"mcpServers": {"rally": self.local_server or server}})
        options = ("--disable-builtin-mcps", "--additional-mcp-config", config)
        return (str(self.program), *options)

    @property
    def _environment(self) -> dict[str, str]:
        browser = self.browser.environment if self.browser else {"PATH": os.environ["PATH"]}
        return {
            **browser,
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "COPILOT_HOME": str(self.home / ".copilot"),
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_BASE_URL": self.model_url,
            "COPILOT_PROVIDER_API_KEY": "not-checked",
            "COPILOT_MODEL": "scripted",
        }
