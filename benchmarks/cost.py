"""What a million tool calls cost on Google Cloud, from measured operations and list prices.

    python -m benchmarks.cost [--rally-ms 300] [--at-once 10] [--calls-a-day 50]

Documents, bytes and requests are counted in one process; processor time is measured through
functions-framework, with the Firestore emulator where there is one. Each line shows its sum and
where the price was read. Dollars, us-central1, without any free tier.
"""

import argparse
import asyncio
import json
import math
import secrets
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import load, oauth_sign_in
from benchmarks.processes import FUNCTIONS_FRAMEWORK, free_port, processor_seconds, running
from benchmarks.start import FUNCTIONS, SETTINGS
from benchmarks.tool_call import BODY, HEADERS
from devtools.rally_simulator import RallySimulator, RegisteredClient
from rally_mcp.sign_in.records import PRINCIPALS
from rally_mcp.storage.sqlite import SqliteStore
from tests.firestore_emulator import find_emulator
from tests.fixtures import deployment as deployed
from tests.fixtures.counting_store import CountingStore
from tests.fixtures.log_lines import WrittenLog, written_log
from tests.fixtures.oauth_client import new_client
from tests.fixtures.stored import stored_rows

_QUOTED = "not read at Google; quoted by others in 2025 and 2026"
_UNCONFIRMED = "not read anywhere; from memory"

PRICES = {
    "vCPU-second": (0.000024, 1, "cloud.google.com/run/pricing, tier 1, request-based billing"),
    "GiB-second": (0.0000025, 1, _QUOTED),
    "request": (0.40, 1_000_000, _QUOTED),
    "idle vCPU-second": (0.0000025, 1, _UNCONFIRMED),
    "idle GiB-second": (0.0000025, 1, _UNCONFIRMED),
    "document read": (0.03, 100_000, "firebase.google.com/docs/firestore/pricing, of us-west1"),
    "document write": (0.09, 100_000, "as above"),
    "document delete": (0.01, 100_000, "as above; TTL deletes count, firestore/docs/ttl"),
    "GiB-month stored": (0.15, 1, "as above"),
    "secret access": (0.03, 10_000, "cloud.google.com/secret-manager/pricing"),
    "GiB logged": (0.50, 1, "cloud.google.com/stackdriver/pricing"),
    "GiB sent": (0.12, 1, _QUOTED + "; premium tier, first TiB"),
}
"""Dollars, for how many units, and where they were read: in copies of those pages, most without a
date, looked up in November 2026. Compare them with the pages themselves before relying on them."""

CALLS = 1_000_000
WORKING_DAYS = 21
"""In the 30 days after which everybody signs in again at the latest."""

REFRESHES_A_DAY = 8
"""Of our own access tokens, which live an hour, by a client that is used all day."""

MEMORY_GIB = 0.5
OTHER_REQUEST_SECONDS = 0.1
"""Billed for a request that is no tool call: the least there is."""

MOST_BUSY = 0.6
"""Cloud Run starts another instance above this use of the processor."""

STORE_MS = 10
LOGGED_BY_CLOUD_RUN = 1_500
"""Assumed: one Firestore read in the region, and the bytes that Cloud Run logs of a request."""

FIRESTORE = {
    "get": ("reads",),
    "put": ("writes",),
    "create": ("writes",),
    "take": ("reads", "deletes"),
    "update": ("reads", "writes"),
}
"""What Firestore does with a document for each verb of the store."""

Use = Counter[str]
"""Requests and bytes by direction, bytes logged, documents read, written and deleted."""


@dataclass
class MeasuredDeployment(deployed.Deployment):
    """A deployment whose requests are counted and weighed."""

    use: Use = field(default_factory=Use)
    logged: int = 0

    def taken(self, store: CountingStore, log: WrittenLog) -> Use:
        """Return the use since this was last asked."""
        use, self.use = self.use, Use()
        for verb, times in store.operations.items():
            use.update(dict.fromkeys(FIRESTORE[verb], times))
        store.forget()
        use["bytes logged"] = len(log.text) - self.logged
        self.logged += use["bytes logged"]
        return use

    def client(self, applications: dict[str, Any], **options: Any) -> Any:
        """Return a client as any deployment does; what it reaches is weighed."""
        side = "Rally" if options.get("like_production") else "functions"
        weighed = {
            # What a browser itself asks of Rally is no concern of the functions.
            origin: app
            if (origin == deployed.RALLY_ORIGIN and side != "Rally")
            else self._weigh(app, side)
            for origin, app in applications.items()
        }
        return super().client(weighed, **options)

    def _weigh(self, application: Any, side: str) -> Any:
        async def weighed(scope: Any, receive: Any, send: Any) -> None:
            async def counted_receive() -> Any:
                message = await receive()
                self.use[f"bytes to {side}"] += _weight(message)
                return message

            async def counted_send(message: Any) -> None:
                self.use[f"bytes from {side}"] += _weight(message)
                await send(message)

            self.use[f"requests to {side}"] += 1
            self.use[f"bytes to {side}"] += _weight(scope)
            await application(scope, counted_receive, counted_send)

        return weighed


def _weight(message: Any) -> int:
    heads = sum(len(name) + len(value) + 4 for name, value in message.get("headers", ()))
    address = len(message.get("raw_path", b"")) + len(message.get("query_string", b""))
    return address + heads + len(message.get("body", b""))


async def count(folder: Path) -> tuple[dict[str, Use], int]:
    """Return what each thing that people do uses, and the bytes of one person's record."""
    clock = deployed.Clock()
    store = CountingStore(SqliteStore(folder / "state.db", clock=clock))
    client = RegisteredClient(deployed.CLIENT_ID, "benchmark", (deployed.CALLBACK_URL,))
    rally = RallySimulator(clock=clock, clients=[client])
    bare = deployed.new_deployment(rally, clock, lambda: store, "benchmark")
    deployment = MeasuredDeployment(**{**vars(bare), "instances": []})
    deployment.scale_out()
    with written_log() as log:
        uses = await _uses(deployment, partial(deployment.taken, store, log))
    rows = await stored_rows(deployment, PRINCIPALS)
    await deployment.close()
    return uses, max(len(json.dumps(row.document)) for row in rows)


async def _uses(deployment: MeasuredDeployment, taken: Callable[[], Use]) -> dict[str, Use]:
    mcp, uses = deployment.instances[0].mcp, {}
    await deployment.caller().sign_in()
    uses["sign-in from a chat"] = taken()
    person = new_client(deployment)
    granted = (await person.redeem((await person.authorize())["code"])).json()
    uses["sign-in by an MCP client"] = taken()
    trace = {"X-Cloud-Trace-Context": "105445aa7843bc8bf206b12000100000/1;o=1"}
    headers = {**HEADERS, **trace, "Authorization": f"Bearer {granted['access_token']}"}
    (await mcp.post("/mcp", content=BODY, headers=headers)).raise_for_status()
    uses["tool call"] = taken()
    deployment.clock.advance(hours=25)
    granted = (await person.refresh(granted["refresh_token"])).json()
    uses["token refresh by an MCP client"] = taken()
    headers["Authorization"] = f"Bearer {granted['access_token']}"
    (await mcp.post("/mcp", content=BODY, headers=headers)).raise_for_status()
    uses["tool call that refreshes at Rally"] = taken()
    return uses


def processor_ms(at_once: int) -> tuple[float, str]:
    """Return the processor time of one tool call in ms, and the store that it was measured on."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until_the_end:
        emulator = find_emulator(until_the_end)
        ports = {name: str(free_port()) for name in (*FUNCTIONS, "rally")}
        origins = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        environment = _environment(origins, folder, emulator)
        light_rally = (sys.executable, "-m", "benchmarks.light_rally", ports["rally"])
        until_the_end.enter_context(running((*light_rally, "20"), origins["rally"]))
        for name in FUNCTIONS:
            command = (FUNCTIONS_FRAMEWORK, "--source", f"functions/{name}.py", "--target", name)
            address = ("--host", "127.0.0.1", "--port", ports[name])
            url = f"{origins[name]}/health"
            until_the_end.enter_context(running((*command, *address), url, environment))
        used = asyncio.run(_processor_ms(environment["MCP_URL"], ports["mcp_endpoint"], at_once))
    return used, "Firestore's emulator" if emulator else "SQLite, for want of an emulator"


async def _processor_ms(url: str, port: str, at_once: int) -> float:
    callers: load.Callers = [{**HEADERS, **await oauth_sign_in.sign_in(url)}] * at_once
    used = []
    for seconds in (1.0, 4.0, 4.0, 4.0):
        before = processor_seconds(port)
        outcome = await load.run(url, callers, BODY, seconds, lambda body: b"US" in body)
        used.append((processor_seconds(port) - before) / outcome.requests * 1000)
    return statistics.median(used[1:])


def _environment(
    origins: Mapping[str, str], folder: str, emulator: str | None
) -> Mapping[str, str]:
    return {
        **SETTINGS,
        "STORAGE": "firestore" if emulator else "sqlite",
        "SQLITE_PATH": f"{folder}/state.db",
        "GOOGLE_CLOUD_PROJECT": f"benchmark-{secrets.token_hex(4)}",
        "FIRESTORE_EMULATOR_HOST": emulator or "",
        "MCP_URL": f"{origins['mcp_endpoint']}/mcp",
        "AUTH_URL": origins["auth_redirect"],
        "CALLBACK_URL": f"{origins['oauth_callback']}/callback",
        "RALLY_URL": origins["rally"],
        "RALLY_SECRET": "benchmark",
        "RATE_LIMITS": "off",
    }


def report(uses: dict[str, Use], record: int, cpu_ms: float, options: argparse.Namespace) -> None:
    """Print what was counted, then each line of the bill of a million calls."""
    for name, use in uses.items():
        print(f"\n{name}: " + ", ".join(f"{number} {what}" for what, number in use.items()))
    days = CALLS / options.calls_a_day
    people = days / WORKING_DAYS
    total = _together(uses, days, people)
    requests = total["requests to functions"]
    _bill(
        f"{CALLS:,} calls of {people:,.0f} people, {options.calls_a_day} a working day each",
        {
            "request": requests,
            "document read": total["reads"],
            "document write": total["writes"],
            "document delete": total["deletes"] + round(2 * people),  # by TTL, at most
            "GiB-month stored": people * record / 2**30,
            "secret access": round(days + people),  # at most: a read serves five minutes
            "GiB logged": (total["bytes logged"] + requests * LOGGED_BY_CLOUD_RUN) / 2**30,
            "GiB sent": (total["bytes from functions"] + total["bytes to Rally"]) / 2**30,
        },
    )
    takes = uses["tool call"]["requests to Rally"] * options.rally_ms + STORE_MS + cpu_ms
    print(f"\na call takes {takes:.0f} ms, {cpu_ms:.1f} of them on the processor")
    alone = math.ceil(takes / 100) * 100  # billed so
    shared = max(takes / options.at_once, cpu_ms / MOST_BUSY)
    for at_once, milliseconds in ((1, alone), (options.at_once, shared)):
        seconds = CALLS * milliseconds / 1000 + (requests - CALLS) * OTHER_REQUEST_SECONDS
        time = {"vCPU-second": round(seconds), "GiB-second": round(seconds * MEMORY_GIB)}
        _bill(f"instances' time with {at_once} at once: {milliseconds:.1f} ms a call", time)
    month = 30 * 24 * 3600
    idle = {"idle vCPU-second": month, "idle GiB-second": month * MEMORY_GIB}
    _bill("one instance of one function kept ready for 30 days", idle)


def _together(uses: dict[str, Use], days: float, people: float) -> Use:
    numbers = {
        "tool call": CALLS - days,
        "tool call that refreshes at Rally": days,
        "token refresh by an MCP client": days * REFRESHES_A_DAY,
        "sign-in by an MCP client": people,
    }
    total = Use()
    for name, number in numbers.items():
        total.update({what: round(each * number) for what, each in uses[name].items()})
    return total


def _bill(title: str, lines: Mapping[str, float]) -> None:
    print(f"\n{title}")
    together = 0.0
    for unit, quantity in lines.items():
        price, per, source = PRICES[unit]
        dollars = quantity * price / per
        together += dollars
        product = f"{quantity:14,.7g} x ${price:.7f} / {per:,}"
        print(f"  {unit:17} {product:38} = ${dollars:6.2f}   {source}")
    print(f"  {'together':56} = ${together:6.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rally-ms", type=float, default=300)
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--calls-a-day", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uses, record = asyncio.run(count(Path(folder)))
    cpu_ms, store = processor_ms(options.at_once)
    print(f"{cpu_ms:.2f} ms of processor a call, the record read from {store}")
    report(uses, record, cpu_ms, options)


if __name__ == "__main__":
    main()
