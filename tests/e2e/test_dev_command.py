"""`rally-mcp dev` as a developer runs it: what it prints, what it leaves behind, what it keeps."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.clients.browser_walk import confirmation_code
from tests.clients.dev_server import START_SECONDS, DevServer, running_dev_server
from tests.e2e.chat import Chat
from tests.e2e.dev_process import DevProcess, Ended

STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Chats:
    """The Session-IDs of a chat that signed in and of one that got a link, with its state."""

    signed_in: str
    pending: str
    pending_state: str


@dataclass(frozen=True, slots=True)
class Past:
    """A run that was stopped in the middle of its chats."""

    first_line: str
    run: Ended
    data: Path
    chats: Chats


@pytest.fixture(scope="module")
def past(dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Past:
    data = tmp_path_factory.mktemp("past")
    # The running server has a block of 16 ports to itself and leaves this much of it free.
    process = DevProcess(_first_port(dev_server) + 3, data)
    try:
        line = process.first_line()
        chats = asyncio.run(_begin_chats(json.loads(line)["mcp_url"]))
    finally:
        process.terminate()
        run = process.ended(within=STOP_SECONDS)
    return Past(line, run, data, chats)


def test_stdout_is_one_line_of_json_with_four_addresses_of_four_origins(past: Past) -> None:
    addresses = json.loads(past.first_line)

    assert list(addresses) == ["mcp_url", "auth_url", "callback_url", "rally_url"]
    assert len({httpx.URL(address).netloc for address in addresses.values()}) == 4
    assert past.run.printed == ""


def test_a_ready_configuration_is_told_besides(past: Past) -> None:
    assert "mcp.json for VS Code" in past.run.log
    assert json.loads(past.first_line)["mcp_url"] in past.run.log


def test_sigterm_stops_every_process_within_seconds(past: Past) -> None:
    assert past.run.exit_code == 0
    assert past.run.took < STOP_SECONDS
    assert not past.run.left_processes


async def test_a_restart_on_the_same_data_keeps_what_the_chats_had(past: Past) -> None:
    with running_dev_server(past.data) as server:
        state = _state(await Chat(server.mcp_url, past.chats.pending).auth_url())
        answer = await Chat(server.mcp_url, past.chats.signed_in).call("get_rally_user")

    assert past.chats.pending_state == state
    # The simulated Rally forgets its tokens when it stops, so this sign-in is known to be over.
    assert answer.status_code == 401
    assert "ended" in answer.json()["error_description"]
    assert answer.json()["auth_url"].startswith(f"{server.auth_url}/auth?state=")


@pytest.mark.parametrize("below", [0, 2], ids=["all ports", "third port"])
def test_a_port_in_use_is_named_in_one_line_and_nothing_is_left_running(
    below: int, dev_server: DevServer, tmp_path: Path
) -> None:
    busy = _first_port(dev_server)

    run = DevProcess(busy - below, tmp_path).ended(within=START_SECONDS)

    assert run.exit_code == 1
    assert run.printed == ""
    [line] = run.log.splitlines()
    assert line.startswith(f"rally-mcp dev: port {busy} is in use")
    assert not run.left_processes


async def _begin_chats(mcp_url: str) -> Chats:
    signed_in, pending = Chat(mcp_url), Chat(mcp_url)
    code = await confirmation_code(await signed_in.auth_url())
    await signed_in.call("complete_sign_in", code=code)
    assert (await signed_in.call("get_rally_user")).status_code == 200
    state = _state(await pending.auth_url())
    return Chats(signed_in.session_id, pending.session_id, state)


def _first_port(server: DevServer) -> int:
    port = httpx.URL(server.mcp_url).port
    assert port is not None
    return port


def _state(auth_url: str) -> str:
    return httpx.URL(auth_url).params["state"]
