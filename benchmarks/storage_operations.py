"""How many storage operations a sign-in and a tool call cost.

    python -m benchmarks.storage_operations

Counted through the store itself, in one process, with a simulated Rally.
"""

import asyncio
import tempfile
from pathlib import Path

from devtools.rally_simulator import RallySimulator, RegisteredClient
from rally_mcp.storage.sqlite import SqliteStore
from tests.fixtures.counting_store import CountingStore
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Clock, new_deployment


async def _measure(folder: Path) -> None:
    clock = Clock()
    client = RegisteredClient(CLIENT_ID, "benchmark", (CALLBACK_URL,))
    store = CountingStore(SqliteStore(folder / "state.db", clock=clock))
    deployment = new_deployment(
        RallySimulator(clock=clock, clients=[client]), clock, lambda: store, "benchmark"
    )
    chat = deployment.caller()

    def report(what: str) -> None:
        print(f"{what:42} {store.reads} reads  {store.writes} writes")
        store.forget()

    link = await chat.auth_url()
    report("first call, answered with a link")
    await chat.auth_url()
    report("another call while the link lives")
    page = await chat.visit(link)
    report("link opened, Rally's answer taken")
    await chat.call("complete_sign_in", code=page.code)
    report("confirmation code")
    await chat.call("create_rally_story", title="Counted")
    report("authenticated tool call")
    clock.advance(hours=25)
    await chat.call("create_rally_story", title="Counted")
    report("tool call that refreshes, on another day")
    await deployment.close()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder)))


if __name__ == "__main__":
    main()
