"""Throughput of an authenticated tool call against the same tool on the bare SDK.

    python -m benchmarks.tool_call [--rally simulator|light] [--seconds 6] [--rounds 3]

Both run in turn on one Rally that takes 20 ms, with 16 callers. The product runs through
functions-framework, with SQLite, sign-in, sealed tokens, audit and everything else it does in
production. The simulator is itself the slowest of the three; `--rally light` takes it out.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks import load
from benchmarks.processes import FUNCTIONS_FRAMEWORK, free_port, running
from tests.clients.browser_walk import confirmation_code

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "create_rally_story",
        "arguments": {"title": "Benchmark", "description": "As a **user** I want it fast."},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
        },
    },
}
BODY = json.dumps(CALL).encode()
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "create_rally_story",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rally", choices=("simulator", "light"), default="simulator")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--latency-ms", type=int, default=20)
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        product, bare = _start_all(stack, Path(folder), options)
        asyncio.run(_measure(product, bare, options))


def _start_all(stack: ExitStack, folder: Path, options: argparse.Namespace) -> tuple[str, str]:
    ports = {name: free_port() for name in ("mcp", "auth", "callback", "rally", "bare")}
    origin = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    callback_url = f"{origin['callback']}/callback"
    settings = {
        "MCP_URL": f"{origin['mcp']}/mcp",
        "AUTH_URL": origin["auth"],
        "CALLBACK_URL": callback_url,
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(folder / "state.db"),
        "RALLY_URL": origin["rally"],
        "RALLY_CLIENT_ID": "benchmark",
        "RALLY_CLIENT_SECRET": "env:BENCHMARK_SECRET",
        "BENCHMARK_SECRET": "benchmark",
    }
    rally = _rally_command(options, ports["rally"], callback_url)
    stack.enter_context(running(rally, origin["rally"]))
    names = {"mcp": "mcp_endpoint", "auth": "auth_redirect", "callback": "oauth_callback"}
    for name, function in names.items():
        command = (FUNCTIONS_FRAMEWORK, "--source", f"functions/{function}.py")
        target = ("--target", function, "--host", "127.0.0.1", "--port", str(ports[name]))
        stack.enter_context(running((*command, *target), f"{origin[name]}/health", settings))
    server = (sys.executable, "-m", "benchmarks.bare_sdk_server", str(ports["bare"]))
    path = {"PYTHONPATH": os.pathsep.join(("functions", "."))}
    stack.enter_context(running((*server, origin["rally"]), f"{origin['bare']}/mcp", path))
    return origin["mcp"], origin["bare"]


def _rally_command(options: argparse.Namespace, port: int, callback_url: str) -> tuple[str, ...]:
    latency = str(options.latency_ms)
    if options.rally == "light":
        return (sys.executable, "-m", "benchmarks.light_rally", str(port), latency)
    command = (sys.executable, "-m", "devtools.rally_simulator", "--port", str(port))
    client = ("--client-id", "benchmark", "--client-secret", "benchmark")
    return (*command, *client, "--redirect-uri", callback_url, "--latency-ms", latency)


async def _measure(product: str, bare: str, options: argparse.Namespace) -> None:
    signed_in = [await _sign_in(product, user) for user in ("ann", "bob")]
    callers = [{**HEADERS, **signed_in[n % 2]} for n in range(options.callers)]
    strangers: load.Callers = [HEADERS] * options.callers
    ratios = []
    for _ in range(options.rounds):
        ours = await load.run(f"{product}/mcp", callers, BODY, options.seconds, _is_story)
        theirs = await load.run(f"{bare}/mcp", strangers, BODY, options.seconds, _is_story)
        ratios.append(ours.per_second / theirs.per_second)
        print(
            f"product {ours.per_second:6.0f}/s   bare SDK {theirs.per_second:6.0f}/s   "
            f"ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(
        f"median ratio {statistics.median(ratios):.2f} at {options.callers} callers, "
        f"Rally: {options.rally}"
    )


async def _sign_in(product: str, user: str) -> Mapping[str, str]:
    """Sign one more chat in; half of the callers share it, as a person's clients do."""
    session = {"Session-ID": str(uuid.uuid4())}
    async with httpx.AsyncClient(base_url=product, headers=session, timeout=30) as chat:
        refused = await chat.post("/tools/get_rally_user")
        code = await confirmation_code(refused.json()["auth_url"], user=user)
        (await chat.post("/tools/complete_sign_in", json={"code": code})).raise_for_status()
    return session


def _is_story(answer: bytes) -> bool:
    return b'"success":true' in answer


if __name__ == "__main__":
    main()
