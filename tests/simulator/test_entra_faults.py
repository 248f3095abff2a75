"""Entra's faults and statistics, and the simulator as a program of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from devtools.entra_simulator import Fault
from tests.fixtures.simulated_entra import (
    AUTHORIZE,
    CONFIGURATION,
    KEYS,
    REQUEST,
    TOKEN,
    simulated_entra,
)

ROOT = Path(__file__).parents[2]
OWN_TENANT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def entra(clock):
    async with simulated_entra(clock) as entra:
        yield entra


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
async def test_a_status_comes_as_often_as_planned_and_nothing_is_done(entra, status):
    code = await entra.authorized()
    entra.simulator.faults.add(Fault(path_prefix=TOKEN, status=status, count=2, retry_after=7))

    failed = [await entra.exchanged(code) for _ in range(2)]
    answered = await entra.exchanged(code)

    assert [response.status_code for response in failed] == [status, status]
    assert failed[0].headers["retry-after"] == "7"
    assert failed[0].json()["error"] == "temporarily_unavailable"
    assert failed[0].json()["error_codes"] == [90033]
    assert answered.status_code == 200


async def test_a_code_can_be_redeemed_and_the_answer_be_lost(entra):
    code = await entra.authorized()
    entra.simulator.faults.add(Fault(path_prefix=TOKEN, status=502, after_effect=True))

    lost, again = await entra.exchanged(code), await entra.exchanged(code)

    assert lost.status_code == 502
    assert again.json()["error_codes"] == [54005]


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_truncated_body_is_no_json(entra, after_effect):
    entra.simulator.faults.add(Fault(body="truncated", after_effect=after_effect))

    response = await entra.http.get(CONFIGURATION)

    assert response.status_code == 200
    with pytest.raises(ValueError, match="line 1"):
        response.json()


@pytest.mark.parametrize("status", [None, 503])
async def test_a_page_can_come_where_json_is_expected(entra, status):
    entra.simulator.faults.add(Fault(body="html", status=status))

    response = await entra.http.get(KEYS)

    assert response.status_code == (status or 200)
    assert response.headers["content-type"].startswith("text/html")


async def test_a_request_can_be_held_while_others_are_answered(entra):
    fault = entra.simulator.faults.add(Fault(path_prefix=KEYS, hold=anyio.Event()))
    statuses = []

    async def fetch():
        statuses.append((await entra.http.get(KEYS)).status_code)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            await fault.reached.wait()
            other = await entra.http.get(KEYS)
            answers_while_held = list(statuses)
            fault.hold.set()

    assert other.status_code == 200
    assert answers_while_held == []
    assert statuses == [200]


async def test_faults_are_planned_and_forgotten_over_http(entra):
    plans = [{"path_prefix": KEYS, "count": None, "status": 503}, {"id_token": "missing"}]

    planned = [await entra.http.post("/simulator/faults", json=plan) for plan in plans]
    failed = await entra.http.get(KEYS)
    without = await entra.signed_in()
    await entra.http.post("/simulator/faults", json={"id_token": "expired", "count": None})
    forgotten = await entra.http.delete("/simulator/faults")

    assert [response.status_code for response in planned] == [201, 201]
    assert (failed.status_code, forgotten.status_code) == (503, 204)
    assert "id_token" not in without
    assert await entra.problems((await entra.signed_in())["id_token"]) == set()


@pytest.mark.parametrize(
    ("change", "number"),
    [("disable_user", 50057), ("require_interaction", 50076), ("revoke_user", 50173)],
)
async def test_what_is_done_to_a_user_is_done_over_http(entra, change, number):
    token = (await entra.signed_in())["refresh_token"]

    made = await entra.http.post("/simulator/faults", json={"change": change, "user": "ann"})
    refused = await entra.refreshed(token)
    await entra.http.post("/simulator/faults", json={"change": "enable_user", "user": "ann"})

    assert made.status_code == 201
    assert refused.json()["error_codes"] == [number]
    assert "refresh_token" in await entra.signed_in()


async def test_keys_are_rotated_over_http(entra):
    before = await entra.keys()

    await entra.http.post("/simulator/faults", json={"change": "rotate_keys"})

    assert set(before) < set(await entra.keys())


@pytest.mark.parametrize(
    "plan",
    [
        {"status": 418},
        {"body": "concurrency_conflict"},
        {"id_token": "purple"},
        {"id_token": "expired", "count": 0},
        {"change": "disable_user"},
        {"change": "disable_user", "user": "mallory"},
        {"change": "rotate_keys", "user": "ann"},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(entra, plan):
    response = await entra.http.post("/simulator/faults", json=plan)

    assert response.status_code == 400


async def test_requests_are_counted_and_listed_without_credentials(entra):
    await entra.http.get(AUTHORIZE, params={**REQUEST, "prompt": "consent"})
    token = (await entra.signed_in())["refresh_token"]
    await entra.refreshed(token)
    await entra.refreshed("unknown")
    await entra.http.get(CONFIGURATION, headers={"Cookie": "a=b"})
    await entra.http.get(KEYS)

    stats = (await entra.http.get("/simulator/stats")).json()

    requests = stats.pop("requests")
    assert stats == {
        "authorizations": 1,
        "code_exchanges": 1,
        "refreshes": 1,
        "refused_token_requests": 1,
        "configuration_requests": 1,
        "key_requests": 1,
    }
    assert [record["path"] for record in requests] == [
        *[AUTHORIZE] * 2,
        *[TOKEN] * 3,
        CONFIGURATION,
        KEYS,
    ]
    assert set(requests[0]["query"]) == {*REQUEST, "prompt"} - {"state"}
    assert [record["has_cookies"] for record in requests] == [False] * 5 + [True, False]


async def test_counting_starts_again_after_clear(entra):
    await entra.signed_in()

    entra.simulator.stats.clear()

    stats = (await entra.http.get("/simulator/stats")).json()
    assert not any(stats.values())


@pytest.fixture
def program():
    """Run the simulator on a free port, with a tenant and one application."""
    options = ["--port", "0", "--tenant", OWN_TENANT, "--latency-ms", "1", "--auto-consent", "bob"]
    options += ["--client-id", "c", "--client-secret", "s"]
    options += ["--redirect-uri", "http://localhost/callback"]
    command = [sys.executable, "-m", "devtools.entra_simulator", *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


@pytest.fixture
async def origin(program):
    """Wait for the line that names the URL."""
    with anyio.fail_after(30):
        line = await anyio.to_thread.run_sync(program.stderr.readline, abandon_on_cancel=True)
    return line.split()[-1]


async def test_it_serves_entra_where_it_says(origin):
    discovery = f"/{OWN_TENANT}/v2.0/.well-known/openid-configuration"
    request = {"response_type": "code", "client_id": "c", "scope": "openid"}
    request["redirect_uri"] = "http://localhost/callback"

    async with httpx.AsyncClient(base_url=origin) as client:
        document = (await client.get(discovery)).json()
        keys = (await client.get(document["jwks_uri"])).json()
        redirect = await client.get(document["authorization_endpoint"], params=request)

    assert document["issuer"] == f"{origin}/{OWN_TENANT}/v2.0"
    assert len(keys["keys"]) == 1
    assert redirect.headers["location"].startswith("http://localhost/callback?code=")


async def test_it_stops_when_told_to(program, origin):
    program.terminate()

    assert await anyio.to_thread.run_sync(program.wait, 5) in {0, -signal.SIGTERM}
