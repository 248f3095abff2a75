"""What this product sends to Rally, and what it makes of the answers that Rally gives on purpose.

Rally answers HTTP 200 also when it refuses, so that the status says nothing (docs/rally-wsapi.md).
"""

import asyncio
from collections.abc import Callable

import pytest

from devtools.rally_simulator import Fault, RallySimulator
from tests.fixtures.deployment import Deployment
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import (
    WSAPI,
    answers,
    holds,
    rewrites,
    wired,
)
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

STORIES = f"{WSAPI}/hierarchicalrequirement"
DEFECTS = f"{WSAPI}/defect"


def named(rally: RallySimulator, name: str, type_name: str = "HierarchicalRequirement") -> int:
    """Return how many artifacts Rally has of that name."""
    found = rally.objects.of_types((type_name,), rally.users["ann"])
    return sum(artifact.name == name for artifact in found)


async def test_a_value_that_rally_refuses_is_told_in_rallys_words(ann, rally):
    answer = await ann.call("create_rally_defect", title="Awful", severity="Awful")

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to create Rally defect"
    assert '"Awful" is not an allowed value' in answer.json()["message"]
    assert named(rally, "Awful", "Defect") == 0


async def test_an_object_that_rally_does_not_find_is_a_404(wire, ann):
    missing = {"OperationResult": {"Errors": ["Cannot find object to read"], "Warnings": []}}
    wire.disturb("GET", STORIES, answers(missing))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 404


@pytest.mark.parametrize("tool", ["create_rally_story", "create_rally_defect"])
async def test_invalid_key_inside_200_is_a_403_and_leaves_the_sign_in_alone(wire, rally, ann, tool):
    refusal = ["Not authorized to perform action: Invalid key"]
    wire.disturb("POST", WSAPI, answers({"CreateResult": {"Errors": refusal}}))

    answer = await ann.call(tool, title="Not for you")
    after = await ann.call(tool, title="For you")

    assert answer.status_code == 403
    assert after.status_code == 200
    assert rally.stats.refreshes == 0


async def test_a_concurrency_conflict_is_tried_again(ann, rally):
    rally.faults.add(Fault(method="POST", path_prefix=STORIES, body="concurrency_conflict"))

    answer = await ann.call("create_rally_story", title="Collided")

    assert answer.status_code == 200
    assert named(rally, "Collided") == 1


async def test_a_conflict_that_does_not_end_is_a_409(ann, rally):
    rally.faults.add(
        Fault(method="POST", path_prefix=STORIES, body="concurrency_conflict", count=None)
    )

    answer = await ann.call("create_rally_story", title="Collided")

    assert answer.status_code == 409
    assert answer.json()["error"] == "Failed to create Rally story"
    assert rally.stats.wsapi_requests["POST HierarchicalRequirement"] == 3
    assert named(rally, "Collided") == 0


async def test_what_rally_ignored_is_told(wire, ann):
    warning = "Ignored JSON element hierarchicalrequirement.PlanEstimate during processing."
    warn = rewrites(lambda result: result["Warnings"].append(warning))
    wire.disturb("POST", STORIES, warn, warn)

    over_rest = await ann.call("create_rally_story", title="Warned")
    over_mcp = await call_over_mcp(ann, "create_rally_story", title="Warned")

    assert over_rest.json()["warnings"] == [warning]
    assert over_mcp["structuredContent"]["warnings"] == [warning]
    assert warning in text_of(over_mcp)


async def test_a_create_that_answers_with_a_reference_alone_is_read(wire, rally, ann):
    wire.disturb(
        "POST", STORIES, rewrites(lambda result: result.update(Object=_reference(result["Object"])))
    )

    answer = await ann.call("create_rally_story", title="Brief")

    assert answer.json()["story"]["name"] == "Brief"
    assert named(rally, "Brief") == 1


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"QueryResult": []},
        {"QueryResult": {"Results": "none"}},
        {"QueryResult": {"Results": [{"FormattedID": "US1"}]}},
        {"QueryResult": {}, "Another": {}},
    ],
)
async def test_an_answer_of_an_unknown_form_is_a_502(wire, ann, document):
    wire.disturb("GET", STORIES, answers(document))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 502
    assert answer.json()["error"] == "Failed to get Rally issue"


@pytest.mark.parametrize(
    ("expected", "tool", "arguments"),
    [
        (1, "create_rally_story", {"title": "Counted"}),
        (1, "create_rally_defect", {"title": "Counted"}),
        (1, "get_rally_issue", {"formatted_id": "US1"}),
        (1, "get_rally_user", {}),
        (2, "create_rally_story", {"title": "Counted", "project": "Website"}),
        (2, "create_rally_defect", {"title": "Counted", "project": "Website"}),
    ],
)
async def test_a_tool_call_asks_rally_no_more_than_it_must(ann, rally, expected, tool, arguments):
    rally.stats.clear()

    answer = await ann.call(tool, **arguments)

    assert answer.status_code == 200
    assert len(rally.stats.requests) == expected


@pytest.mark.parametrize(
    ("header", "scheme"), [("ZSESSIONID", ""), ("Authorization", "Bearer ")], ids=["key", "bearer"]
)
async def test_the_token_goes_in_the_header_that_the_settings_name(
    deploy: Callable[..., Deployment], header, scheme
):
    deployment = wired(deploy(RALLY_TOKEN_HEADER=header, **WITHOUT_CODE))
    chat = await signed_in(deployment)

    await chat.call("get_rally_user")

    credentials = {"zsessionid", "authorization"}
    for request in deployment.wire.sent("GET", WSAPI):
        assert credentials & set(request.headers) == {header.lower()}
        assert request.headers[header].startswith(scheme)
        assert len(request.headers[header]) == len(scheme) + 43


async def test_no_cookie_ever_reaches_rally_whoever_rally_gave_one(deployment, wire, rally):
    wire.set_cookie = "JSESSIONID=of-somebody; Path=/"
    ann, bob = await signed_in(deployment, "ann"), await signed_in(deployment, "bob")

    whose = [(await chat.call("get_rally_user")).json()["display_name"] for chat in (ann, bob, ann)]

    assert whose == ["Ann Archer", "Bob Baker", "Ann Archer"]
    from_us = wire.requests
    assert len(from_us) == 7
    assert not any("cookie" in request.headers for request in from_us)
    assert not any(request.has_cookies for request in rally.stats.requests)


async def test_every_request_to_rally_has_a_timeout(ann, wire, rally, clock):
    await ann.call("create_rally_story", title="Timed", project="Website")
    await ann.call("get_rally_issue", formatted_id="US1")
    clock.advance(days=1)
    await ann.call("get_rally_user")

    timeouts = [request.extensions["timeout"] for request in wire.requests]

    assert rally.stats.refreshes == 1
    assert len(timeouts) == 7
    for timeout in timeouts:
        assert set(timeout) == {"connect", "read", "write", "pool"}
        assert all(0 < seconds <= 30 for seconds in timeout.values())


async def test_a_user_has_twelve_requests_in_flight_at_most_and_holds_up_nobody_else(
    deployment, wire, rally
):
    chats = [await signed_in(deployment, "ann") for _ in range(2)]
    bob = await signed_in(deployment, "bob")
    rally.stats.clear()
    released = asyncio.Event()
    wire.disturb("GET", DEFECTS, *[holds(released)] * 30)

    calls = [
        asyncio.create_task(chats[number % 2].call("get_rally_issue", formatted_id="DE1"))
        for number in range(30)
    ]
    await wire.arrived(12, "GET", DEFECTS)
    of_bob = await bob.call("get_rally_issue", formatted_id="US1")
    held = len(wire.sent("GET", DEFECTS))
    released.set()
    of_ann = await asyncio.gather(*calls)

    assert of_bob.json()["name"] == "Send invoices by e-mail"
    assert held == 12
    assert [answer.status_code for answer in of_ann] == [200] * 30
    assert rally.stats.wsapi_requests["GET Defect"] == 30
    assert rally.stats.most_in_flight["ann"] <= 12


def _reference(created: dict[str, object]) -> dict[str, object]:
    return {name: created[name] for name in ("_ref", "_refObjectName", "_type")}
