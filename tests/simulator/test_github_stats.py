"""Statistics of the simulated GitHub, by which tests prove how often it was asked."""

import anyio
import pytest

from devtools.github_simulator import Fault
from tests.simulator.github_clients import connected


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


@pytest.fixture
async def ann(github):
    client = await github.client("ann")
    github.simulator.stats.clear()
    return client


async def test_requests_are_counted_by_method_and_route(github, ann):
    await ann.get("user")
    await ann.get("repos/acme/rockets/issues/1")
    await ann.get("repos/acme/rockets/issues/2")
    await ann.post("repos/acme/rockets/issues", json={"title": "Add a fin"})
    await ann.get("nonsense")

    assert github.simulator.stats.api_requests == {
        "GET /user": 1,
        "GET /repos/{owner}/{repo}/issues/{number}": 2,
        "POST /repos/{owner}/{repo}/issues": 1,
        "GET /{path}": 1,
    }


async def test_a_request_that_met_a_fault_counts_too(github, ann):
    github.simulator.faults.add(Fault(status=500))

    await ann.get("user")

    assert github.simulator.stats.api_requests == {"GET /user": 1}


async def test_requests_are_listed_without_credentials(github):
    parameters = {"client_id": "app-1", "client_secret": "secret-1", "code": "0"}

    await github.browser.post("/login/oauth/access_token", params=parameters)

    (record,) = github.simulator.stats.requests
    assert (record.method, record.path) == ("POST", "/login/oauth/access_token")
    assert record.query == {"client_id": "app-1"}
    assert record.has_cookies is False


async def test_a_cookie_is_noticed(github, ann):
    await ann.get("user", headers={"Cookie": "logged_in=yes"})

    assert github.simulator.stats.requests[0].has_cookies is True


async def test_the_most_simultaneous_requests_of_each_user_are_known(github, ann):
    bob = await github.client("bob")
    faults = [github.simulator.faults.add(Fault(hold=anyio.Event())) for _ in range(3)]

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for client in (ann, ann, bob):
                tasks.start_soon(client.get, "user")
            for fault in faults:
                await fault.reached.wait()
            for fault in faults:
                fault.hold.set()

    assert github.simulator.stats.most_in_flight == {"ann": 2, "bob": 1}


async def test_statistics_are_read_over_http(github, ann):
    await ann.get("user")

    document = (await github.browser.get("/simulator/stats")).json()

    assert document["api_requests"] == {"GET /user": 1}
    assert document["most_in_flight"] == {"ann": 1}
    assert len(document["requests"]) == 1
    assert document["revocations"] == 0
