"""GitHub Copilot CLI with a model that follows a script, cut off from network and user settings."""

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from tests.clients.terminal import Terminal, running_terminal

RUN_SECONDS = 60

QUESTIONS = r"Do you trust the files in this folder\?|Do you want to use this tool\?"
"""What a chat asks its user; Enter says yes."""

PROMPT = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
CONNECTED = "1 server connected"


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
class CopilotCli:
    """A Copilot that knows one MCP server and calls its tools as one chat session.

    `home` is where it keeps all that it writes, a folder that is the test's own.
    """

    program: Path
    home: Path
    model_url: str
    mcp_url: str
    session_id: str

    async def ask(self, prompt: str) -> str:
        """Run it for one prompt, every tool allowed, and return what it prints."""
        command = (*self._command, "--allow-all-tools", "-p", prompt)
        with anyio.fail_after(RUN_SECONDS):
            done = await anyio.run_process(
                command, env=self._environment, cwd=self.home, check=False
            )
        output = done.stdout.decode()
        assert done.returncode == 0, f"{output}\n{done.stderr.decode()}"
        return output

    @asynccontextmanager
    async def chat(self) -> AsyncIterator[CopilotChat]:
        """Run it in a terminal until the block ends; it asks before it calls a tool."""
        with running_terminal(self._command, self._environment, self.home) as terminal:
            await terminal.wait_for(CONNECTED, enter_at=QUESTIONS)
            yield CopilotChat(terminal)

    @property
    def _command(self) -> tuple[str, ...]:
        server = {
            "type": "http",
            "url": self.mcp_url,
            "headers": {"Session-ID": self.session_id},
            "tools": ["*"],
        }
        config = json.dumps({"mcpServers": {"rally": server}})
        options = ("--disable-builtin-mcps", "--additional-mcp-config", config)
        return (str(self.program), *options)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "COPILOT_HOME": str(self.home / ".copilot"),
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_BASE_URL": self.model_url,
            "COPILOT_PROVIDER_API_KEY": "not-checked",
            "COPILOT_MODEL": "scripted",
        }
