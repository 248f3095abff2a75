"""YATA's faults and statistics, its front page, and the simulator as a program of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from devtools.yata_simulator import Fault
from tests.fixtures.simulated_yata import simulated_yata

ROOT = Path(__file__).parents[2]
TODO = {"title": "Buy milk"}


@pytest.fixture
async def yata(clock):
    async with simulated_yata(clock) as yata:
        yield yata


@pytest.fixture
async def todos(yata):
    return await yata.signed_in()


async def count_of(todos):
    return len((await todos.get("/todos/")).json())


@pytest.mark.parametrize("status", [403, 429, 500, 502, 503])
async def test_a_status_comes_as_often_as_planned_and_nothing_is_done(yata, todos, status):
    yata.simulator.faults.add(Fault(status=status, count=2, retry_after=7))

    failed = [await todos.post("/todos/", json=TODO) for _ in range(2)]

    assert [response.status_code for response in failed] == [status, status]
    assert [response.headers["retry-after"] for response in failed] == ["7", "7"]
    assert set(failed[0].json()) == {"detail"}
    assert await count_of(todos) == 0


async def test_a_401_reads_as_that_of_the_endpoint(yata, todos):
    yata.simulator.faults.add(Fault(status=401, count=2))

    refused = await todos.get("/todos/")
    not_issued = await yata.token()

    assert refused.status_code == not_issued.status_code == 401
    assert refused.json() == {"detail": "Invalid or expired token"}
    assert not_issued.json() == {"detail": "Invalid client credentials"}
    assert not_issued.headers["www-authenticate"] == "Basic"


async def test_a_create_can_happen_and_its_answer_be_lost(yata, todos):
    yata.simulator.faults.add(Fault(method="POST", status=502, after_effect=True))

    failed = await todos.post("/todos/", json=TODO)

    assert failed.status_code == 502
    assert await count_of(todos) == 1


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_truncated_body_is_no_json(yata, todos, after_effect):
    yata.simulator.faults.add(Fault(body="truncated", after_effect=after_effect))

    response = await todos.get("/todos/00000000-0000-4000-8000-000000000000")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="line 1"):
        response.json()


@pytest.mark.parametrize("status", [None, 502])
async def test_a_page_can_come_where_json_is_expected(yata, todos, status):
    yata.simulator.faults.add(Fault(body="html", status=status))

    response = await todos.get("/todos/")

    assert response.status_code == (status or 200)
    assert response.headers["content-type"].startswith("text/html")


async def test_a_token_request_can_be_held_while_others_are_answered(yata, todos):
    fault = yata.simulator.faults.add(Fault(path_prefix="/oauth/token", hold=anyio.Event()))
    statuses = []

    async def ask():
        statuses.append((await yata.token()).status_code)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await fault.reached.wait()
            answered_while_held = await count_of(todos), list(statuses)
            fault.hold.set()

    assert answered_while_held == (0, [])
    assert statuses == [200]


async def test_faults_are_planned_and_forgotten_over_http(yata, todos):
    plan = {"method": "GET", "path_prefix": "/api", "count": None, "status": 503}

    planned = await yata.http.post("/simulator/faults", json=plan)
    failed = await todos.get("/todos/")
    forgotten = await yata.http.delete("/simulator/faults")

    assert (planned.status_code, forgotten.status_code) == (201, 204)
    assert failed.status_code == 503
    assert await count_of(todos) == 0


@pytest.mark.parametrize("change", ["drop_access_tokens", "deactivate_client"])
@pytest.mark.parametrize("client_id", [None, "client-1"])
async def test_changes_behind_the_clients_back_are_made_over_http(yata, todos, change, client_id):
    wanted = {"change": change, "client_id": client_id}

    made = await yata.http.post("/simulator/faults", json=wanted)
    refused = await todos.get("/todos/")
    await yata.http.post("/simulator/faults", json={"change": "activate_client"})

    assert made.status_code == 201
    assert refused.status_code == 401
    assert (await yata.token()).status_code == 200


@pytest.mark.parametrize(
    "plan", [{"status": 418}, {"count": 0}, {"body": "concurrency_conflict"}, {"change": "nothing"}]
)
async def test_a_fault_that_makes_no_sense_is_refused(yata, plan):
    response = await yata.http.post("/simulator/faults", json=plan)

    assert response.status_code == 400


async def test_requests_are_counted_by_kind_and_listed_without_credentials(yata, todos):
    await todos.post("/todos/", json=TODO)
    await todos.get("/todos/1")
    await todos.get("/todos/2", params={"a": "b"})
    await todos.get("/todos", headers={"Cookie": "a=b"})
    await yata.token(scope="todos:admin")

    stats = (await yata.http.get("/simulator/stats")).json()

    assert stats["issued_tokens"] == stats["refused_token_requests"] == 1
    assert stats["api_requests"] == {"POST /todos/": 1, "GET /todos/{id}": 2, "GET /todos": 1}
    assert [record["path"] for record in stats["requests"]] == [
        "/oauth/token",
        "/api/v1/todos/",
        "/api/v1/todos/1",
        "/api/v1/todos/2",
        "/api/v1/todos",
        "/oauth/token",
    ]
    assert stats["requests"][3]["query"] == {"a": "b"}
    assert [record["has_cookies"] for record in stats["requests"]] == [False] * 4 + [True, False]


async def test_counting_starts_again_after_clear(yata, todos):
    await todos.get("/todos/")

    yata.simulator.stats.clear()

    stats = (await yata.http.get("/simulator/stats")).json()
    assert stats["issued_tokens"] == 0
    assert stats["api_requests"] == {}
    assert stats["requests"] == []


async def test_the_front_page_lists_endpoints_and_clients_but_no_secret(yata):
    yata.simulator.deactivate_client("client-2")

    page = (await yata.http.get("/")).text

    assert "/oauth/token" in page
    assert "<code>client-1</code>, todos:read todos:write</li>" in page
    assert "<code>client-2</code>, todos:read todos:write (inactive)</li>" in page
    assert "secret-1" not in page


@pytest.fixture
def program():
    """Run the simulator on a free port, with one client that may only read."""
    options = ["--port", "0", "--client-id", "c", "--client-secret", "s", "--latency-ms", "1"]
    options += ["--client-name", "reader", "--scopes", "todos:read"]
    command = [sys.executable, "-m", "devtools.yata_simulator", *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


@pytest.fixture
async def origin(program):
    """Wait for the line that names the URL."""
    with anyio.fail_after(30):
        line = await anyio.to_thread.run_sync(program.stderr.readline, abandon_on_cancel=True)
    return line.split()[-1]


async def test_it_serves_yata_where_it_says(origin):
    async with httpx.AsyncClient(base_url=origin, auth=("c", "s")) as client:
        issued = await client.post("/oauth/token", data={"scope": "todos:read"})
        refused = await client.post("/oauth/token", data={"scope": "todos:write"})
        page = await client.get("/")

    assert (issued.status_code, refused.status_code) == (200, 400)
    assert "reader" in page.text


async def test_it_stops_when_told_to(program, origin):
    program.terminate()

    assert await anyio.to_thread.run_sync(program.wait, 5) in {0, -signal.SIGTERM}
