"""The GitHub simulator as a program of its own."""

import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program():
    """Run the simulator on a free port, with one GitHub App."""
    options = ["--port", "0", "--client-id", "c", "--client-secret", "s", "--latency-ms", "1"]
    options += ["--redirect-uri", "http://localhost/callback", "--auto-consent", "bob"]
    command = [sys.executable, "-m", "devtools.github_simulator", *options, "--expiring-tokens"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


async def test_it_serves_github_where_it_says(program):
    with anyio.fail_after(30):
        line = await anyio.to_thread.run_sync(program.stderr.readline, abandon_on_cancel=True)

    async with httpx.AsyncClient(base_url=line.split()[-1]) as client:
        redirect = await client.get("/login/oauth/authorize", params={"client_id": "c"})
        code = httpx.URL(redirect.headers["location"]).params["code"]
        form = {"client_id": "c", "client_secret": "s", "code": code}
        answer = await client.post(
            "/login/oauth/access_token", data=form, headers={"Accept": "application/json"}
        )
        user = await client.get(
            "/api/v3/user", headers={"Authorization": f"Bearer {answer.json()['access_token']}"}
        )

    assert line.startswith("GitHub simulator: http://127.0.0.1:")
    assert answer.json()["expires_in"] == 28800
    assert user.json()["login"] == "bob"
