"""Planned faults of the simulated GitHub: what clients meet, how often, and what took effect."""

import anyio
import pytest

from devtools.github_simulator import Fault
from tests.simulator.github_clients import connected

ISSUES = "repos/acme/rockets/issues"
NEW = {"title": "Add a fin"}


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


@pytest.fixture
async def ann(github):
    return await github.client("ann")


async def count_of(client):
    parameters = {"q": "repo:acme/rockets is:issue"}
    return (await client.get("search/issues", params=parameters)).json()["total_count"]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_a_status_comes_once_as_json_and_the_request_has_no_effect(github, ann, status):
    github.simulator.faults.add(Fault(status=status))

    failed = await ann.post(ISSUES, json=NEW)

    assert failed.status_code == status
    assert failed.json()["status"] == str(status)
    assert await count_of(ann) == 4


@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 503}, {"body": "html"}])
async def test_a_page_can_come_where_json_is_expected(github, ann, fault):
    github.simulator.faults.add(Fault(**fault, retry_after=9))

    response = await ann.get("user")

    assert response.status_code == fault.get("status", 200)
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["retry-after"] == "9"


async def test_a_403_can_mean_that_the_organization_has_to_be_asked(github, ann):
    github.simulator.faults.add(Fault(status=403))

    response = await ann.get("user")

    assert response.headers["x-github-sso"].startswith("required; url=")
    assert "SAML enforcement" in response.json()["message"]


@pytest.mark.parametrize(("retry_after", "reset"), [(None, "1778668200"), (60, "1778664660")])
async def test_the_primary_rate_limit_tells_when_it_is_reset(github, ann, retry_after, reset):
    github.simulator.faults.add(Fault(rate_limit="primary", retry_after=retry_after))

    response = await ann.get("user")

    assert response.status_code == 403
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert response.headers["x-ratelimit-reset"] == reset
    assert "retry-after" not in response.headers


@pytest.mark.parametrize("status", [None, 403, 429])
async def test_the_secondary_rate_limit_tells_how_long_to_wait(github, ann, status):
    github.simulator.faults.add(Fault(rate_limit="secondary", status=status, retry_after=7))

    response = await ann.get("user")

    assert response.status_code == (status or 403)
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-ratelimit-remaining"] != "0"
    assert "secondary rate limit" in response.json()["message"]


async def test_the_secondary_rate_limit_may_not_say_how_long(github, ann):
    github.simulator.faults.add(Fault(rate_limit="secondary"))

    assert "retry-after" not in (await ann.get("user")).headers


async def test_a_create_can_happen_and_its_answer_be_lost(github, ann):
    github.simulator.faults.add(Fault(method="POST", status=502, after_effect=True))

    failed = await ann.post(ISSUES, json=NEW)

    assert failed.status_code == 502
    assert await count_of(ann) == 5


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_truncated_body_is_no_json(github, ann, after_effect):
    github.simulator.faults.add(Fault(body="truncated", after_effect=after_effect))

    response = await ann.get("user")

    assert response.status_code == 200
    with pytest.raises(ValueError, match="line 1"):
        response.json()


async def test_a_fault_meets_only_its_method_and_path(github, ann):
    fault = Fault(method="post", path_prefix="/api/v3/repos/Acme/rockets", status=500, count=2)
    github.simulator.faults.add(fault)

    statuses = [
        (await ann.get(f"{ISSUES}/1")).status_code,
        (await ann.post("repos/acme/unknown/issues", json=NEW)).status_code,
        (await ann.post(ISSUES, json=NEW)).status_code,
        (await ann.post(f"{ISSUES}/1/comments", json={"body": "x"})).status_code,
        (await ann.post(ISSUES, json=NEW)).status_code,
    ]

    assert statuses == [200, 404, 500, 500, 201]


async def test_the_token_endpoint_can_fail_too(github):
    github.simulator.faults.add(Fault(path_prefix="/login/oauth/access_token", status=500))

    response = await github.browser.post("/login/oauth/access_token", data={})

    assert response.status_code == 500


@pytest.mark.parametrize(("after_effect", "expected"), [(False, 4), (True, 5)])
async def test_a_held_request_waits_before_or_after_its_effect(github, ann, after_effect, expected):
    fault = Fault(method="POST", hold=anyio.Event(), after_effect=after_effect, latency_ms=1)
    github.simulator.faults.add(fault)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: ann.post(ISSUES, json=NEW))
            await fault.reached.wait()
            count_while_held = await count_of(ann)
            fault.hold.set()

    assert count_while_held == expected
    assert await count_of(ann) == 5


async def test_faults_are_planned_and_forgotten_over_http(github, ann):
    plan = {"path_prefix": "/api/v3/user", "count": None, "rate_limit": "primary"}

    planned = await github.browser.post("/simulator/faults", json=plan)
    failed = [(await ann.get("user")).status_code for _ in range(2)]
    forgotten = await github.browser.delete("/simulator/faults")

    assert (planned.status_code, forgotten.status_code) == (201, 204)
    assert failed == [403, 403]
    assert (await ann.get("user")).status_code == 200


@pytest.mark.parametrize("wanted", [{"expire_access_tokens": True}, {"revoke_user": "ann"}])
async def test_tokens_are_ended_over_http(github, ann, wanted):
    response = await github.browser.post("/simulator/faults", json=wanted)

    assert response.status_code == 201
    assert (await ann.get("user")).status_code == 401
    assert await github.status_of((await github.signed_in())["access_token"]) == 200


@pytest.mark.parametrize(
    "plan", [{"status": 418}, {"count": 0}, {"hold": True}, {"body": "x"}, {"revoke_user": "eve"}]
)
async def test_a_fault_that_makes_no_sense_is_refused(github, plan):
    response = await github.browser.post("/simulator/faults", json=plan)

    assert response.status_code == 400
