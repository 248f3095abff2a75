"""`rally-mcp dev`: the three functions, each a process of its own, and simulated upstreams.

PORT, PORT+1, PORT+2 are mcp_endpoint, auth_redirect and oauth_callback, three origins as on
Google Cloud; PORT+10 is Rally, and PORT+11 to PORT+13 are what UPSTREAMS names beside it.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from devtools import client_config, simulated_upstreams
from devtools.simulated_upstreams import HOST, SECRET_VARIABLE, SimulatedUpstream

_FUNCTIONS = Path(__file__).parents[1] / "functions"
_START_SECONDS = 60
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Options:
    """What `rally-mcp dev` was asked for."""

    port: int
    storage: Literal["sqlite", "firestore"]
    data: Path
    as_json: bool


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the processes answer."""

    port: int
    mcp_url: str
    auth_url: str
    callback_url: str
    simulated: Sequence[SimulatedUpstream]

    @classmethod
    def from_port(cls, port: int, simulated: Sequence[SimulatedUpstream]) -> "Addresses":
        """Derive them from the first port."""
        origin = f"http://{HOST}:{{}}".format
        return cls(
            port=port,
            mcp_url=f"{origin(port)}/mcp",
            auth_url=origin(port + 1),
            callback_url=f"{origin(port + 2)}/callback",
            simulated=simulated,
        )

    def as_members(self) -> dict[str, str]:
        """Return them as the one JSON line gives them."""
        return {
            "mcp_url": self.mcp_url,
            "auth_url": self.auth_url,
            "callback_url": self.callback_url,
            **{f"{each.prefix.lower()}url": each.url(self.port) for each in self.simulated},
        }

    def to_wait_for(self) -> tuple[str, ...]:
        """Return what answers once everything runs."""
        return (
            f"{self.mcp_url}/health",
            f"{self.auth_url}/health",
            f"{self.callback_url}/health",
            *(f"{each.url(self.port)}/" for each in self.simulated),
        )


_NO_FIRESTORE = (
    "rally-mcp dev: --storage firestore needs FIRESTORE_EMULATOR_HOST (start one with: gcloud "
    "emulators firestore start) or, for a real database, GOOGLE_CLOUD_PROJECT."
)


def _busy_port(addresses: Addresses) -> int | None:
    """Return a port that something else listens on: it would answer in a function's place."""
    offsets = (0, 1, 2, *(each.offset for each in addresses.simulated))
    for port in (addresses.port + offset for offset in offsets):
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            return port
    return None


def _can_reach_firestore() -> bool:
    return bool(os.environ.get("FIRESTORE_EMULATOR_HOST") or os.environ.get("GOOGLE_CLOUD_PROJECT"))


class _Stopped(Exception):
    """A signal asked to stop."""


def run(options: Options) -> int:
    """Run until a signal comes or a process ends. Everything is stopped on the way out."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _stop)
    if options.storage == "firestore" and not _can_reach_firestore():
        print(_NO_FIRESTORE, file=sys.stderr)
        return 1
    if not _FUNCTIONS.is_dir():
        print("rally-mcp dev: this needs a checkout of the project.", file=sys.stderr)
        return 1
    addresses = Addresses.from_port(options.port, simulated_upstreams.chosen(os.environ))
    if busy := _busy_port(addresses):
        print(f"rally-mcp dev: port {busy} is in use; choose others with --port.", file=sys.stderr)
        return 1
    options.data.mkdir(parents=True, exist_ok=True)
    client_secret = secrets.token_hex(24)
    commands = _commands(options, addresses, client_secret)
    try:
        with _processes(commands, _environment(options, addresses, client_secret)) as started:
            if not _wait(addresses, started):
                print(
                    "rally-mcp dev: a process ended or did not answer; its own words stand above.",
                    file=sys.stderr,
                )
                return 1
            _announce(options, addresses)
            while all(process.poll() is None for process in started):
                time.sleep(0.2)
            print("rally-mcp dev: a process ended; stopping the others.", file=sys.stderr)
            return 1
    except _Stopped:
        return 0


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _Stopped


def _commands(
    options: Options, addresses: Addresses, client_secret: str
) -> tuple[tuple[str, ...], ...]:
    framework = str(Path(sys.executable).with_name("functions-framework"))

    def function(offset: int, name: str) -> tuple[str, ...]:
        source, port = str(_FUNCTIONS / f"{name}.py"), str(options.port + offset)
        return (framework, "--source", source, "--target", name, "--host", HOST, "--port", port)

    simulators = [
        each.command(options.port, client_secret, addresses.callback_url)
        for each in addresses.simulated
    ]
    return (
        function(0, "mcp_endpoint"),
        function(1, "auth_redirect"),
        function(2, "oauth_callback"),
        *simulators,
    )


def _environment(options: Options, addresses: Addresses, client_secret: str) -> dict[str, str]:
    """Return the settings; what the caller's environment says of policy stays as it is."""
    environment = dict(os.environ)
    environment |= {
        "MCP_URL": addresses.mcp_url,
        "AUTH_URL": addresses.auth_url,
        "CALLBACK_URL": addresses.callback_url,
        "STORAGE": options.storage,
        "SQLITE_PATH": str((options.data / "rally-mcp.db").absolute()),
        SECRET_VARIABLE: client_secret,
        "PYTHONUNBUFFERED": "1",
    }
    for each in addresses.simulated:
        environment |= each.environment(options.port)
    environment.setdefault("GOOGLE_CLOUD_PROJECT", "rally-mcp-dev")
    return environment


@contextmanager
def _processes(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the commands; their output goes to stderr, because stdout is for the JSON line."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            started.append(  # noqa: PERF401 what has started must be stopped if the next fails
                subprocess.Popen(command, env=environment, stdout=sys.stderr, cwd=_FUNCTIONS.parent)
            )
        yield started
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)
        for process in started:
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            process.kill()
            process.wait()


def _wait(addresses: Addresses, started: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Wait until all answer; False as soon as one has ended, or after a minute."""
    give_up_at = time.monotonic() + _START_SECONDS
    waiting = list(addresses.to_wait_for())
    while waiting and time.monotonic() < give_up_at:
        if any(process.poll() is not None for process in started):
            return False
        waiting = [url for url in waiting if not _answers(url)]
        time.sleep(0.05)
    return not waiting


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 own loopback address
            return bool(response.status == 200)  # noqa: PLR2004 RFC 9110 §15.3.1
    except (urllib.error.URLError, OSError):
        return False


def _simulated(addresses: Addresses) -> str:
    return "\n".join(
        f"{each.name:<15}{each.url(addresses.port)} (simulated"
        + (f"; users {each.people})" if each.people else ")")
        for each in addresses.simulated
    )


def _announce(options: Options, addresses: Addresses) -> None:
    entry = client_config.remote_entry("vscode", addresses.mcp_url)
    configuration = client_config.document("vscode", "rally", entry)
    told = sys.stderr if options.as_json else sys.stdout
    print(
        f"MCP endpoint   {addresses.mcp_url}\n"
        f"Sign-in        {addresses.auth_url}\n"
        f"Callback       {addresses.callback_url}\n"
        f"{_simulated(addresses)}\n\n"
        f"mcp.json for VS Code (rally-mcp config copilot-cli {addresses.mcp_url} for another):\n"
        f"{configuration}\n\nCtrl-C stops everything.",
        file=told,
        flush=True,
    )
    if options.as_json:
        print(json.dumps(addresses.as_members()), flush=True)
