"""The product against FastMCP's OAuth proxy: the same signed-in call, and a start, in one run.

    python -m benchmarks.compare_fastmcp [--seconds 1.5] [--rounds 5] [--starts 5] [--latency-ms 20]

Each has one worker on one processor, keeps its state on disk and calls the same Rally. The product
is the three functions under functions-framework; FastMCP is `benchmarks.fastmcp_server` under
uvicorn, in an environment of its own below .tools/, which the first run makes. One person signs in
to each at the Rally simulator; then a Rally that costs next to nothing takes its place. A start
lasts until the first signed-in call is answered.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks import load, oauth_sign_in
from benchmarks.processes import FUNCTIONS_FRAMEWORK, ROOT, free_port, processor_seconds, running
from benchmarks.tool_call import CALL, HEADERS

FASTMCP = "fastmcp==4.1.6"
OVERRIDES = "certifi==2026.10.18\n"
"""FastMCP asks for a newer one than every package index has; nothing here speaks TLS."""

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
"""A protocol version of either era."""

CLIENT_ID = "benchmark"
CLIENT_SECRET = secrets.token_hex(24)


@dataclass(frozen=True, slots=True)
class Process:
    """A server of this run; it is up once `url` answers."""

    url: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_measured: bool = True


@dataclass(frozen=True, slots=True)
class Caller:
    """A client with its credential at one MCP endpoint."""

    process: Process
    credential: Mapping[str, str]

    def headers(self, protocol: str) -> dict[str, str]:
        """Return what it sends with each call."""
        sent = {**HEADERS, **self.credential, "MCP-Protocol-Version": protocol}
        if protocol == HANDSHAKE:
            del sent["Mcp-Method"], sent["Mcp-Name"]
        return sent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--latency-ms", type=int, default=20)
    options = parser.parse_args()
    names = ("mcp", "auth", "callback", "fastmcp", "rally")
    origins = {name: f"http://127.0.0.1:{free_port()}" for name in names}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until_the_end:
        product, *browser_functions = _functions(origins, folder)
        fastmcp = _fastmcp(origins, folder)
        with ExitStack() as while_called:
            for process in (product, *browser_functions, fastmcp):
                _run(while_called, process)
            with ExitStack() as while_signing_in:
                _run(while_signing_in, _simulator(origins))
                callers = asyncio.run(_sign_in(product, fastmcp))
            _run(until_the_end, _light_rally(origins, options.latency_ms))
            asyncio.run(_compare_calls(callers, options))
        _compare_starts(callers, options.starts)


def _run(stack: ExitStack, process: Process) -> float:
    """Run a server on the first processor, as an instance with one has it; all else has the rest.

    FastMCP's threads would otherwise take what the callers and Rally need.
    """
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[:1] if process.is_measured else processors[1:] or [0])
    try:
        return stack.enter_context(running(process.command, process.url, process.environment))
    finally:
        os.sched_setaffinity(0, processors)


async def _compare_calls(callers: tuple[Caller, Caller], options: argparse.Namespace) -> None:
    print("calls per second; above 1 means that the product answers more")
    for protocol in (MODERN, HANDSHAKE):
        for at_once in (1, 16):
            measured: tuple[list[float], list[float]] = ([], [])
            processor: tuple[list[float], list[float]] = ([], [])
            for number in range(options.rounds + 1):
                seconds = options.seconds if number else 0.5  # the first round warms both up
                for side in (number % 2, 1 - number % 2):
                    url = callers[side].process.url
                    before = processor_seconds(str(urlsplit(url).port))
                    outcome = await load.run(
                        url,
                        [callers[side].headers(protocol)] * at_once,
                        _body(protocol),
                        seconds,
                        _is_story,
                    )
                    used = processor_seconds(str(urlsplit(url).port)) - before
                    if number:
                        measured[side].append(outcome.per_second)
                        processor[side].append(outcome.requests / used)
            _report(f"{protocol}, {at_once:2} at once", measured, "{:5.0f}/s")
            _report("  per processor second", processor, "{:5.0f}  ")


def _compare_starts(callers: tuple[Caller, Caller], starts: int) -> None:
    print("process start to first signed-in answer; below 1 means that the product is sooner")
    measured: tuple[list[float], list[float]] = ([], [])
    for number in range(starts + 1):
        for side in (number % 2, 1 - number % 2):
            took = _start(callers[side])
            if number:  # the first round fills the page cache
                measured[side].append(took)
    _report("start", measured, "{:5.2f} s")


def _start(caller: Caller) -> float:
    call = urllib.request.Request(  # noqa: S310 own loopback address
        caller.process.url, _body(MODERN), caller.headers(MODERN)
    )
    with ExitStack() as stack:
        first_answer = _run(stack, caller.process)
        called_at = time.perf_counter()
        with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310
            if not _is_story(answer.read()):
                raise RuntimeError(f"{caller.process.url} forgot the sign-in")
        return first_answer + time.perf_counter() - called_at


def _report(what: str, measured: tuple[list[float], list[float]], time_format: str) -> None:
    ours, theirs = (time_format.format(statistics.median(side)) for side in measured)
    ratios = [product / fastmcp for product, fastmcp in zip(*measured, strict=True)]
    print(
        f"  {what:24} product {ours}   FastMCP {theirs}   ratio min {min(ratios):.2f}, "
        f"median {statistics.median(ratios):.2f}, max {max(ratios):.2f}",
        flush=True,
    )


def _body(protocol: str) -> bytes:
    parameters = dict(CALL["params"])
    if protocol == HANDSHAKE:
        del parameters["_meta"]
    return json.dumps({**CALL, "params": parameters}).encode()


def _is_story(answer: bytes) -> bool:
    return b'"success":true' in answer


def _functions(origins: Mapping[str, str], folder: str) -> list[Process]:
    """Return mcp_endpoint and then the two that a browser visits."""
    environment = {
        "MCP_URL": f"{origins['mcp']}/mcp",
        "AUTH_URL": origins["auth"],
        "CALLBACK_URL": f"{origins['callback']}/callback",
        "STORAGE": "sqlite",
        "SQLITE_PATH": f"{folder}/rally-mcp.db",
        "RALLY_URL": origins["rally"],
        "RALLY_CLIENT_ID": CLIENT_ID,
        "RALLY_CLIENT_SECRET": "env:BENCHMARK_SECRET",
        "BENCHMARK_SECRET": CLIENT_SECRET,
        "RATE_LIMITS": "off",
        **_bytecode(folder),
    }

    def function(name: str, url: str) -> Process:
        where = ("--host", "127.0.0.1", "--port", str(urlsplit(url).port))
        source = ("--source", f"functions/{name}.py", "--target", name)
        return Process(url, (FUNCTIONS_FRAMEWORK, *source, *where), environment)

    return [
        function("mcp_endpoint", environment["MCP_URL"]),
        function("auth_redirect", f"{origins['auth']}/health"),
        function("oauth_callback", f"{origins['callback']}/health"),
    ]


def _fastmcp(origins: Mapping[str, str], folder: str) -> Process:
    port = str(urlsplit(origins["fastmcp"]).port)
    command = (_fastmcp_python(), "-m", "benchmarks.fastmcp_server", port, origins["rally"])
    environment = {
        "FASTMCP_HOME": f"{folder}/fastmcp",
        "RALLY_CLIENT_SECRET": CLIENT_SECRET,
        "PYTHONPATH": "",  # the product's environment is not for it
        **_bytecode(folder),
    }
    return Process(f"{origins['fastmcp']}/mcp", command, environment)


def _bytecode(folder: str) -> Mapping[str, str]:
    """Return what makes both keep bytecode, whatever the installer or the environment say."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}


def _fastmcp_python() -> str:
    """Return the Python of an environment with FastMCP; it is made where there is none."""
    folder = ROOT / ".tools" / FASTMCP.replace("==", "-")
    python, overrides = str(folder / "bin" / "python"), folder / "overrides.txt"
    if not overrides.exists():
        uv = [*(ROOT / ".tools").glob("uv-*/uv"), shutil.which("uv")][0]
        if uv is None:
            raise SystemExit("compare_fastmcp: uv is missing; put it on the PATH or run make setup")
        new = (uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
        subprocess.run(new, check=True)
        (folder / "wanted.txt").write_text(OVERRIDES)
        into = ("--quiet", "--python", python)
        given = ("--override", folder / "wanted.txt", FASTMCP)
        subprocess.run((uv, "pip", "install", *into, *given), check=True)
        (folder / "wanted.txt").rename(overrides)
    return python


def _simulator(origins: Mapping[str, str]) -> Process:
    port = ("--port", str(urlsplit(origins["rally"]).port))
    client = ("--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET)
    callbacks = (f"{origins['callback']}/callback", f"{origins['fastmcp']}/auth/callback")
    allowed = (word for callback in callbacks for word in ("--redirect-uri", callback))
    command = (sys.executable, "-m", "devtools.rally_simulator", *port, *client, *allowed)
    return Process(origins["rally"], command, {})


def _light_rally(origins: Mapping[str, str], latency_ms: int) -> Process:
    port = str(urlsplit(origins["rally"]).port)
    command = (sys.executable, "-m", "benchmarks.light_rally", port, str(latency_ms))
    return Process(origins["rally"], command, {}, is_measured=False)


async def _sign_in(product: Process, fastmcp: Process) -> tuple[Caller, Caller]:
    """Sign a person in to both, and let each call the simulator, which takes her token alone."""
    ours, theirs = [
        Caller(process, await oauth_sign_in.sign_in(process.url)) for process in (product, fastmcp)
    ]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        for caller in (ours, theirs):
            for protocol in (MODERN, HANDSHAKE):
                answer = await http.post(
                    caller.process.url, content=_body(protocol), headers=caller.headers(protocol)
                )
                if not _is_story(answer.content):
                    raise RuntimeError(f"{caller.process.url} made no story: {answer.text[:500]}")
    return ours, theirs


if __name__ == "__main__":
    main()
