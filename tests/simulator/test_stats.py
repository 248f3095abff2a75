"""Statistics, by which tests prove how often Rally was asked."""

import anyio

from devtools.rally_simulator import Fault


async def test_requests_are_counted_by_method_and_type(ann, simulator):
    await ann.get("hierarchicalrequirement")
    await ann.get("HierarchicalRequirement.js")
    await ann.post("defect/create", json={"Defect": {"Name": "A"}})
    await ann.get("nonsense")

    assert simulator.stats.wsapi_requests == {
        "GET HierarchicalRequirement": 2,
        "POST Defect": 1,
        "GET nonsense": 1,
    }


async def test_requests_are_listed_without_credentials(ann, simulator):
    await ann.get("user", params={"fetch": "UserName", "key": "secret"})

    (record,) = simulator.stats.requests
    assert (record.method, record.path) == ("GET", "/slm/webservice/v2.0/user")
    assert record.query == {"fetch": "UserName"}
    assert record.has_cookies is False


async def test_a_cookie_is_noticed(ann, simulator):
    await ann.get("user", headers={"Cookie": "JSESSIONID=1"})

    assert simulator.stats.requests[0].has_cookies is True


async def test_the_most_simultaneous_requests_of_each_user_are_known(ann, bob, simulator):
    faults = [simulator.faults.add(Fault(hold=anyio.Event())) for _ in range(3)]

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for client in (ann, ann, bob):
                tasks.start_soon(client.get, "user")
            for fault in faults:
                await fault.reached.wait()
            for fault in faults:
                fault.hold.set()
    await ann.get("user")

    assert simulator.stats.most_in_flight == {"ann": 2, "bob": 1}


async def test_statistics_are_read_over_http(ann, anonymous):
    await ann.get("user")

    document = (await anonymous.get("/simulator/stats")).json()

    assert document["wsapi_requests"] == {"GET User": 1}
    assert document["most_in_flight"] == {"ann": 1}
    assert len(document["requests"]) == 1
    assert document["authorizations"] == 0


async def test_counting_starts_again_after_clear(ann, simulator):
    await ann.get("user")

    simulator.stats.clear()

    assert simulator.stats.requests == []
    assert simulator.stats.wsapi_requests == {}
