"""How long each function takes from process start to first answer, against a bare function.

    python -m benchmarks.start [--runs 5]

Prints the median of each and its ratio to the bare function, measured in turn.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.processes import FUNCTIONS_FRAMEWORK, free_port, running

FUNCTIONS = ("auth_redirect", "oauth_callback", "mcp_endpoint")
SETTINGS = {
    "MCP_URL": "https://mcp.example.com/mcp",
    "AUTH_URL": "https://auth.example.com",
    "CALLBACK_URL": "https://callback.example.com/callback",
    "STORAGE": "sqlite",
    "RALLY_CLIENT_ID": "benchmark",
    "RALLY_CLIENT_SECRET": "env:RALLY_SECRET",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {"hello": [], **{name: [] for name in FUNCTIONS}}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            for name, measured in seconds.items():
                took = _start(name, Path(folder))
                if run:  # the first round fills the page cache
                    measured.append(took)
    bare = statistics.median(seconds["hello"])
    for name, measured in seconds.items():
        median = statistics.median(measured)
        print(f"{name:15} {median * 1000:7.0f} ms   {median / bare:4.2f} x the bare function")


def _start(name: str, folder: Path) -> float:
    source = "benchmarks/bare_functions.py" if name == "hello" else f"functions/{name}.py"
    port = str(free_port())
    command = (FUNCTIONS_FRAMEWORK, "--source", source, "--target", name)
    settings = {**SETTINGS, "SQLITE_PATH": str(folder / "state.db")}
    address = f"http://127.0.0.1:{port}/health"
    with running((*command, "--host", "127.0.0.1", "--port", port), address, settings) as took:
        return took


if __name__ == "__main__":
    main()
