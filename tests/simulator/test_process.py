"""The simulator as a program of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program():
    """Run the simulator on a free port, with one OAuth client."""
    options = ["--port", "0", "--client-id", "c", "--client-secret", "s", "--latency-ms", "1"]
    options += ["--redirect-uri", "http://localhost/callback", "--auto-consent", "bob"]
    command = [sys.executable, "-m", "devtools.rally_simulator", *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


@pytest.fixture
async def origin(program):
    """Wait for the line that names the URL."""
    with anyio.fail_after(30):
        line = await anyio.to_thread.run_sync(program.stderr.readline, abandon_on_cancel=True)
    return line.split()[-1]


async def test_it_serves_rally_where_it_says(origin):
    consent = {"response_type": "code", "client_id": "c"}
    consent["redirect_uri"] = "http://localhost/callback"

    async with httpx.AsyncClient(base_url=origin) as client:
        user = await client.get("/slm/webservice/v2.0/user", headers={"ZSESSIONID": "_devann"})
        redirect = await client.get("/login/oauth2/auth", params=consent)

    assert user.json()["User"]["_ref"].startswith(f"{origin}/slm/webservice/v2.0/user/")
    assert redirect.headers["location"].startswith("http://localhost/callback?code=")


async def test_it_stops_when_told_to(program, origin):
    program.terminate()

    assert await anyio.to_thread.run_sync(program.wait, 5) in {0, -signal.SIGTERM}
