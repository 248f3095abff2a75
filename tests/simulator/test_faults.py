"""Planned faults: what clients meet, how often, and whether the request took effect."""

import anyio
import pytest

from devtools.rally_simulator import Fault

CREATE = "defect/create"
DEFECT = {"Defect": {"Name": "A"}}


async def count_of(client):
    response = await client.get("defect", params={"project": "null"})
    return response.json()["QueryResult"]["TotalResultCount"]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
async def test_a_status_comes_once_and_the_request_has_no_effect(ann, simulator, status):
    simulator.faults.add(Fault(status=status))

    failed = await ann.post(CREATE, json=DEFECT)
    count = await count_of(ann)

    assert failed.status_code == status
    assert failed.headers["content-type"].startswith("text/html")
    assert count == 2


async def test_a_rate_limit_tells_when_to_come_back(ann, simulator):
    simulator.faults.add(Fault(status=429, retry_after=7))

    response = await ann.get("defect")

    assert response.headers["retry-after"] == "7"


async def test_a_create_can_happen_and_its_answer_be_lost(ann, simulator):
    simulator.faults.add(Fault(method="POST", status=502, after_effect=True))

    failed = await ann.post(CREATE, json=DEFECT)
    count = await count_of(ann)

    assert failed.status_code == 502
    assert count == 3


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_truncated_body_is_no_json(ann, simulator, after_effect):
    simulator.faults.add(Fault(body="truncated", after_effect=after_effect))

    response = await ann.post(CREATE, json=DEFECT)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="line 1"):
        response.json()


async def test_a_page_can_come_where_json_is_expected(ann, simulator):
    simulator.faults.add(Fault(body="html"))

    response = await ann.get("defect")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


async def test_a_concurrency_conflict_has_the_text_of_rally(ann, simulator):
    simulator.faults.add(Fault(body="concurrency_conflict", count=2))

    update = await ann.post("defect/77", json=DEFECT)
    create = await ann.post(CREATE, json=DEFECT)

    assert update.status_code == 200
    (text,) = update.json()["OperationResult"]["Errors"]
    assert text == (
        "Concurrency conflict: [Object has been modified since being read for update in this "
        "context] - ConcurrencyConflictException : Modified since read on update : Object Class "
        ": com.f4tech.slm.domain.Defect : ObjectID : 77"
    )
    assert create.json()["CreateResult"]["Errors"][0].startswith("Concurrency conflict")


async def test_a_fault_meets_only_its_method_and_path(ann, simulator):
    fault = Fault(method="post", path_prefix="/slm/webservice/v2.0/Defect", status=500)
    simulator.faults.add(fault)

    statuses = [
        (await ann.get("defect")).status_code,
        (await ann.post("task/create", json={})).status_code,
        (await ann.post(CREATE, json=DEFECT)).status_code,
        (await ann.post(CREATE, json=DEFECT)).status_code,
    ]

    assert statuses == [200, 200, 500, 200]


async def test_a_fault_can_come_some_times_or_forever(ann, simulator):
    simulator.faults.add(Fault(status=503, count=2))
    simulator.faults.add(Fault(status=500, count=None))

    statuses = [(await ann.get("user")).status_code for _ in range(4)]
    simulator.faults.clear()

    assert statuses == [503, 503, 500, 500]
    assert (await ann.get("user")).status_code == 200


async def test_the_token_endpoint_can_fail_too(anonymous, simulator):
    simulator.faults.add(Fault(path_prefix="/login/oauth2/token", status=503))

    response = await anonymous.post("/login/oauth2/token", data={})

    assert response.status_code == 503


@pytest.mark.parametrize(("after_effect", "expected"), [(False, 2), (True, 3)])
async def test_a_held_request_waits_before_or_after_its_effect(
    ann, simulator, after_effect, expected
):
    fault = Fault(method="POST", hold=anyio.Event(), after_effect=after_effect)
    simulator.faults.add(fault)
    statuses = []

    async def create():
        statuses.append((await ann.post(CREATE, json=DEFECT)).status_code)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create)
            await fault.reached.wait()
            count_while_held = await count_of(ann)
            answers_while_held = list(statuses)
            fault.hold.set()

    assert count_while_held == expected
    assert answers_while_held == []
    assert statuses == [200]
    assert await count_of(ann) == 3


async def test_latency_delays_the_answer_and_changes_nothing_else(ann, simulator):
    simulator.faults.add(Fault(latency_ms=1))

    response = await ann.get("user")

    assert response.json()["User"]["UserName"] == "ann@example.com"


async def test_faults_are_planned_and_forgotten_over_http(ann, anonymous):
    plan = {"method": "GET", "path_prefix": "/slm", "count": None, "status": 503}

    planned = await anonymous.post("/simulator/faults", json=plan)
    failed = await ann.get("user")
    forgotten = await anonymous.delete("/simulator/faults")
    answered = await ann.get("user")

    assert (planned.status_code, forgotten.status_code) == (201, 204)
    assert (failed.status_code, answered.status_code) == (503, 200)


@pytest.mark.parametrize("plan", [{"status": 418}, {"count": 0}, {"hold": True}, {"body": "x"}])
async def test_a_fault_that_makes_no_sense_is_refused(anonymous, plan):
    response = await anonymous.post("/simulator/faults", json=plan)

    assert response.status_code == 400
