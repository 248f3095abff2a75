"""Copilot CLI with the files that `rally-mcp config --write` makes.

It also stands in for the cloud agent, which runs the same program with the same form of
configuration.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from tests.clients.copilot_cli import RUN_SECONDS
from tests.clients.dev_server import PROJECT
from tests.clients.machine_client import Administrator
from tests.clients.node import NODE_MODULES, is_missing
from tests.clients.scripted_model import ScriptedModel, call, say_from_last_result
from tests.clients.simulated_rally import story_in_rally

AUTH_URL = r"http://\S+/auth\?state=[\w-]+"
STORY = r"\bUS\d+\b"

UVX = f"""\
#!/bin/sh
shift 3  # --from SOURCE rally-mcp
cd {PROJECT} && export PYTHONPATH={os.environ.get("PYTHONPATH", "")}
exec {sys.executable} -m devtools.cli "$@"
"""
"""Stands where uvx is, with this tree as whatever it would fetch."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A Copilot whose home is a folder of the test's own."""

    program: Path
    home: Path
    model_url: str

    @property
    def settings(self) -> dict[str, str]:
        """The environment of everything that is run there."""
        return {
            "PATH": f"{self.home}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_BASE_URL": self.model_url,
            "COPILOT_PROVIDER_API_KEY": "not-checked",
            "COPILOT_MODEL": "scripted",
        }

    async def configure(self, *arguments: str) -> None:
        """Run `rally-mcp config`."""
        await self._run((sys.executable, "-m", "devtools.cli", "config", *arguments), PROJECT)

    async def ask(self, prompt: str, **secrets: str) -> str:
        """Run Copilot for one prompt, and return what it prints."""
        options = ("--disable-builtin-mcps", "--allow-all-tools", "-p", prompt)
        return await self._run((str(self.program), *options), self.home, **secrets)

    async def _run(self, command: tuple[str, ...], folder: Path, **secrets: str) -> str:
        environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), **self.settings, **secrets}
        with anyio.fail_after(RUN_SECONDS):
            done = await anyio.run_process(command, cwd=folder, env=environment, check=False)
        assert done.returncode == 0, f"{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()


@pytest.fixture
def copilot(model: ScriptedModel, tmp_path: Path) -> Installation:
    program = next(NODE_MODULES.glob("@github/copilot-*/copilot"), None)
    if program is None:
        is_missing("Copilot CLI is not installed: `make clients`")
    # Copilot unpacks 235 MB once, for all tests that keep it there.
    unpacked = tmp_path.parent / "copilot-package"
    unpacked.mkdir(exist_ok=True)
    (tmp_path / ".cache/copilot").mkdir(parents=True)
    (tmp_path / ".cache/copilot/pkg").symlink_to(unpacked)
    uvx = tmp_path / "uvx"
    uvx.write_text(UVX)
    uvx.chmod(0o755)
    return Installation(program, tmp_path, model.base_url)


async def test_copilot_finds_the_server_in_its_own_file(
    copilot: Installation, administrator: Administrator, model: ScriptedModel
) -> None:
    server = administrator.server
    await copilot.configure("copilot-cli", server.mcp_url, "--session-id", "--write")
    model.steps = (call("get_rally_user"), say_from_last_result(AUTH_URL))

    output = await copilot.ask("Who am I in Rally?")

    assert f"{server.auth_url}/auth?state=" in output


async def test_the_cloud_agents_configuration_lets_a_machine_client_create_a_story(
    copilot: Installation, administrator: Administrator, model: ScriptedModel
) -> None:
    server, machine = administrator.server, await administrator.add_machine()
    own_file = copilot.home / ".copilot/mcp-config.json"
    # The cloud agent reaches no loopback address, so what it is given names another at first.
    source = ("--from", "git+https://git.example.com/tools/rally-mcp@v1")
    url = "https://x.example/mcp"
    await copilot.configure("cloud-agent", url, *source, "--write", str(own_file))
    own_file.write_text(own_file.read_text().replace(url, server.mcp_url))
    model.steps = (call("create_rally_story", title="By night"), say_from_last_result(STORY))

    output = await copilot.ask(
        "Create a story in Rally: by night.",
        COPILOT_MCP_RALLY_CLIENT_ID=machine.client_id,
        COPILOT_MCP_RALLY_CLIENT_SECRET=machine.client_secret,
    )

    story = await story_in_rally(server.rally_url, re.findall(STORY, output)[-1])
    assert (story["Name"], story["CreatedBy"]["_refObjectName"]) == ("By night", "Ann Archer")
