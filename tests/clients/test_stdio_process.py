"""`rally-mcp stdio` as a process: what it writes where, and how it starts and ends."""

import json
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.clients.stdio_process import Computer, Upstreams, answer_at, running_upstreams

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "lines", "version": "1"},
}
CREATE_STORY = {"name": "create_rally_story", "arguments": {"title": "Pay by card"}}
TALKATIVE_BROWSER = "#!/bin/sh\necho opening; cat; echo opened >&2\necho > {fifo}\n"
WAITING_BROWSER = "#!/bin/sh\nexec sleep 60\n"
LONGEST_LINE = 1 << 20
SECONDS = 60
"""For whatever takes no time where nothing else runs."""

END_SECONDS = 20
"""A third of what the browser waits that must not be waited for."""


@dataclass(slots=True)
class Lines:
    """A client that writes and reads lines, and keeps what it read."""

    process: Process
    lines: list[bytes] = field(default_factory=list)
    _received: BufferedByteReceiveStream | None = None

    async def send(self, **message: object) -> None:
        await self.process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def ask(self, method: str, params: dict[str, object]) -> dict[str, object]:
        """Send a request and return its result."""
        await self.send(id=len(self.lines), method=method, params=params)
        with anyio.fail_after(SECONDS):
            self._received = self._received or BufferedByteReceiveStream(self.process.stdout)
            self.lines.append(await self._received.receive_until(b"\n", LONGEST_LINE))
        return json.loads(self.lines[-1])["result"]

    async def begin(self) -> None:
        await self.ask("initialize", INITIALIZE)
        await self.send(method="notifications/initialized")

    async def exit_code(self) -> int:
        with anyio.fail_after(END_SECONDS):
            return await self.process.wait()


@pytest.fixture(scope="module")
def upstreams():
    with running_upstreams() as upstreams:
        yield upstreams


@pytest.fixture
def computer(upstreams: Upstreams, tmp_path: Path) -> Computer:
    return Computer(tmp_path, upstreams.settings)


@pytest.fixture
def with_browser(computer: Computer, tmp_path: Path):
    """Return the computer with a program as its browser."""

    def with_browser(script: str) -> Computer:
        program = tmp_path / "browser.sh"
        program.write_text(script)
        program.chmod(0o755)
        return computer.with_settings(BROWSER=str(program))

    return with_browser


@asynccontextmanager
async def running(computer: Computer) -> AsyncIterator[Lines]:
    with computer.log.open("ab") as log:
        async with await anyio.open_process(
            computer.command, env=computer.environment, stderr=log
        ) as process:
            yield Lines(process)
            if process.returncode is None:
                process.kill()


async def ended(computer: Computer) -> tuple[int, str, str]:
    """Run without a client; return the exit code, stdout and stderr."""
    with anyio.fail_after(SECONDS):
        done = await anyio.run_process(
            computer.command, env=computer.environment, input=b"", check=False
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_stdout_carries_the_protocol_alone_whatever_the_browser_writes(
    with_browser, tmp_path
):
    written = tmp_path / "written"
    os.mkfifo(written)
    computer = with_browser(TALKATIVE_BROWSER.format(fifo=written))
    async with running(computer) as client:
        await client.begin()
        listed = await client.ask("tools/list", {})
        await client.send(id="call", method="tools/call", params=CREATE_STORY)
        with anyio.fail_after(SECONDS):  # while the call goes on
            await anyio.Path(written).read_text()
        await client.process.stdin.aclose()
        rest = b"".join([part async for part in client.process.stdout])

        assert await client.exit_code() == 0
    assert {"create_rally_story", "sign_out"} <= {tool["name"] for tool in listed["tools"]}
    for line in (*client.lines, *rest.splitlines()):
        assert json.loads(line)["jsonrpc"] == "2.0"
    assert "opening" in computer.log.read_text()
    assert "opened" in computer.log.read_text()


async def test_log_and_audit_lines_go_to_stderr_without_the_link(computer):
    async with running(computer) as client:
        await client.begin()
        answer = await client.ask("tools/call", CREATE_STORY)

    state = answer["structuredContent"]["auth_url"].partition("state=")[2]
    logged = [json.loads(line) for line in computer.log.read_text().splitlines()]
    assert "sign_in.started" in [line["message"] for line in logged if line["log"] == "audit"]
    assert state not in computer.log.read_text()


@pytest.mark.parametrize("how", ["stdin ends", "SIGTERM", "SIGINT"])
async def test_it_ends_at_once_although_a_call_waits_for_the_browser(with_browser, how):
    computer = with_browser(WAITING_BROWSER)
    async with running(computer) as client:
        await client.begin()
        await client.send(id=2, method="tools/call", params=CREATE_STORY)
        await answer_at(computer.callback_origin)
        if how == "stdin ends":
            await client.process.stdin.aclose()
        else:
            client.process.send_signal(signal.Signals[how])

        assert await client.exit_code() == 0
    with socket.create_server(("127.0.0.1", urlsplit(computer.callback_origin).port)):
        assert list(computer.data_folder.glob("*.db-*")) == []


async def test_it_ends_without_a_complaint_when_nobody_reads_what_it_writes(computer):
    read_end, write_end = os.pipe()
    with computer.log.open("ab") as log:
        async with await anyio.open_process(
            computer.command, env=computer.environment, stdout=write_end, stderr=log
        ) as process:
            os.close(write_end)
            os.close(read_end)
            await Lines(process).send(id=1, method="initialize", params=INITIALIZE)
            with anyio.fail_after(SECONDS):
                exit_code = await process.wait()

    assert exit_code == 0
    assert computer.log.read_text() == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"RALLY_CLIENT_ID": ""}, "RALLY_CLIENT_ID is missing; set it: "),
        ({"RALLY_CLIENT_SECRET": "correct horse"}, "RALLY_CLIENT_SECRET must be a reference"),
        ({"UPSTREAMS": "jira"}, "UPSTREAMS names jira; known upstreams: "),
        ({"TOOLSETS": "cooking"}, "TOOLSETS names cooking; known toolsets: "),
        ({"CALLBACK_URL": "https://mcp.example.com/callback"}, "CALLBACK_URL must be http on "),
        ({"XDG_DATA_HOME": "/dev/null"}, "XDG_DATA_HOME: /dev/null/rally-mcp "),
        ({"SQLITE_PATH": "/dev/null"}, "SQLITE_PATH: /dev/null "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_is_missing_or_wrong_is_one_line_on_stderr(computer, settings, words):
    exit_code, out, err = await ended(computer.with_settings(**settings))

    assert exit_code == 1
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith(f"rally-mcp: {words}")
    assert "correct horse" not in line


async def test_a_file_that_is_no_database_is_one_line_on_stderr(computer, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ann," * 200)

    exit_code, out, err = await ended(
        computer.with_settings(SQLITE_PATH=str(tmp_path / "letter.txt"))
    )

    assert exit_code == 1
    assert out == ""
    assert err.startswith("rally-mcp: SQLITE_PATH: ")
    assert len(err.splitlines()) == 1


async def test_nobody_else_reads_what_it_keeps_while_it_runs(computer):
    async with running(computer) as client:
        await client.begin()
        await client.ask("tools/call", CREATE_STORY)
        kept = {path.name: rights(path) for path in computer.data_folder.iterdir()}

    assert rights(computer.data_folder) == 0o700
    assert set(kept) == {
        "principal",
        "rally-mcp.db",
        "rally-mcp.db-shm",
        "rally-mcp.db-wal",
    }
    assert set(kept.values()) == {0o600}


async def test_rights_that_were_too_wide_are_taken_back(computer):
    await ended(computer)
    computer.data_folder.chmod(0o755)
    for path in computer.data_folder.iterdir():
        path.chmod(0o644)

    exit_code, _, _ = await ended(computer)

    assert exit_code == 0
    assert rights(computer.data_folder) == 0o700
    assert {rights(path) for path in computer.data_folder.iterdir()} == {0o600}


async def test_stdio_stands_in_the_help_of_the_command_line(computer):
    with anyio.fail_after(SECONDS):
        done = await anyio.run_process((computer.command[0], "--help"))

    assert "stdio" in done.stdout.decode()
