"""A Rally that is slow, down, garbled or gone: what is tried again, and what never is."""

import httpx
import pytest

from devtools.rally_simulator import Fault, RallySimulator
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import (
    WSAPI,
    answers,
    fails,
    loses_answer,
)

STORIES = f"{WSAPI}/hierarchicalrequirement"
DOUBT = "Whether Rally carried it out is not known"
BROKEN = [
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"body": "truncated"},
    {"body": "html"},
]


def stories(rally: RallySimulator, name: str) -> int:
    found = rally.objects.of_types(("HierarchicalRequirement",), rally.users["ann"])
    return sum(story.name == name for story in found)


@pytest.mark.parametrize("broken", BROKEN, ids=str)
async def test_a_read_is_tried_again(ann, rally, broken):
    rally.faults.add(Fault(method="GET", path_prefix=STORIES, **broken))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 200
    assert rally.stats.wsapi_requests["GET HierarchicalRequirement"] == 2


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.PoolTimeout, httpx.ReadError, httpx.RemoteProtocolError]
)
async def test_a_read_is_tried_again_after_a_broken_connection(ann, wire, error):
    wire.disturb("GET", STORIES, fails(error))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 200
    assert len(wire.sent("GET", STORIES)) == 2


@pytest.mark.parametrize(
    ("expected", "broken"),
    [(503, answers("Error 503", 503)), (504, answers("Error 524", 524)), (502, answers("<html>"))],
    ids=["down", "too slow", "no JSON"],
)
async def test_a_read_that_fails_three_times_says_what_is_wrong(ann, wire, expected, broken):
    wire.disturb("GET", STORIES, broken, broken, broken)

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == expected
    assert set(answer.json()) == {"error", "message"}
    assert ("retry-after" in answer.headers) == (expected == 503)
    assert "<" not in answer.json()["message"]
    assert len(wire.sent("GET", STORIES)) == 3


async def test_a_read_that_takes_too_long_is_a_504_at_once(ann, wire):
    wire.disturb("GET", STORIES, fails(httpx.ReadTimeout))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 504
    assert DOUBT not in answer.json()["message"]
    assert len(wire.sent("GET", STORIES)) == 1


@pytest.mark.parametrize(
    ("method", "tool", "argument"),
    [
        ("GET", "get_rally_issue", {"formatted_id": "US1"}),
        ("POST", "create_rally_story", {"title": "Waited"}),
    ],
    ids=["read", "create"],
)
async def test_a_short_pause_that_rally_asks_for_is_kept(ann, rally, method, tool, argument):
    rally.faults.add(Fault(method=method, path_prefix=STORIES, status=429, retry_after=1))

    answer = await ann.call(tool, **argument)

    assert answer.status_code == 200
    assert rally.stats.wsapi_requests[f"{method} HierarchicalRequirement"] == 2
    assert stories(rally, "Waited") == (method == "POST")


async def test_a_long_pause_is_passed_on(ann, rally):
    limited = {"path_prefix": STORIES, "status": 429, "retry_after": 60}
    rally.faults.add(Fault(count=2, **limited))

    over_rest = await ann.call("create_rally_story", title="Later")
    over_mcp = await call_over_mcp(ann, "create_rally_story", title="Later")

    assert over_rest.status_code == 429
    assert 60 <= int(over_rest.headers["retry-after"]) <= 61
    assert over_mcp["isError"]
    assert 60 <= over_mcp["structuredContent"]["retry_after"] <= 61
    assert stories(rally, "Later") == 0
    assert rally.stats.wsapi_requests["POST HierarchicalRequirement"] == 2


@pytest.mark.parametrize(
    "pause",
    [b"soon", b"-1", b"\xb2", b"9" * 400, b"Wed, 21 Oct 2026 07:28:00 GMT"],
    ids=["word", "negative", "superscript", "endless", "date"],
)
async def test_a_pause_that_cannot_be_read_counts_as_none(ann, wire, pause):
    wire.disturb("GET", STORIES, answers("busy", 429, Retry_After=pause))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 200


@pytest.mark.parametrize("broken", BROKEN, ids=str)
async def test_a_create_whose_answer_is_lost_is_not_sent_again(ann, rally, broken):
    rally.faults.add(Fault(method="POST", path_prefix=STORIES, after_effect=True, **broken))

    answer = await ann.call("create_rally_story", title="Once")

    assert answer.status_code == (503 if "status" in broken else 502)
    assert DOUBT in answer.json()["message"]
    assert rally.stats.wsapi_requests["POST HierarchicalRequirement"] == 1
    assert stories(rally, "Once") == 1


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (503, httpx.ReadError),
        (503, httpx.WriteError),
        (503, httpx.RemoteProtocolError),
        (504, httpx.ReadTimeout),
        (504, httpx.WriteTimeout),
    ],
)
async def test_a_create_that_broke_off_is_not_sent_again(ann, wire, rally, expected, error):
    wire.disturb("POST", STORIES, loses_answer(error))

    answer = await ann.call("create_rally_story", title="Once")

    assert answer.status_code == expected
    assert DOUBT in answer.json()["message"]
    assert len(wire.sent("POST", STORIES)) == 1
    assert stories(rally, "Once") == 1


@pytest.mark.parametrize(
    "document",
    [{"error": "proxy"}, [], {"CreateResult": {"Errors": [], "Warnings": []}}],
    ids=["not Rally's", "no object", "nothing created"],
)
async def test_a_create_whose_answer_says_nothing_leaves_doubt(ann, wire, document):
    wire.disturb("POST", STORIES, answers(document))

    answer = await ann.call("create_rally_story", title="Once")

    assert answer.status_code == 502
    assert DOUBT in answer.json()["message"]
    assert len(wire.sent("POST", STORIES)) == 1


async def test_the_doubt_is_told_over_mcp_too(ann, wire, rally):
    wire.disturb("POST", STORIES, loses_answer(httpx.ReadTimeout))

    result = await call_over_mcp(ann, "create_rally_story", title="Once")

    assert result["isError"]
    assert result["structuredContent"]["error"] == "Failed to create Rally story"
    assert DOUBT in text_of(result)
    assert stories(rally, "Once") == 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout], ids=lambda e: e.__name__
)
async def test_a_create_that_never_left_is_sent_again(ann, wire, rally, error):
    wire.disturb("POST", STORIES, fails(error))

    answer = await ann.call("create_rally_story", title="Once")

    assert answer.status_code == 200
    assert stories(rally, "Once") == 1


async def test_a_rally_that_cannot_be_reached_is_a_503_without_doubt(ann, wire, rally):
    wire.disturb("POST", STORIES, *[fails(httpx.ConnectError)] * 3)

    answer = await ann.call("create_rally_story", title="Never")

    assert answer.status_code == 503
    assert DOUBT not in answer.json()["message"]
    assert stories(rally, "Never") == 0


async def test_a_closed_project_is_a_403_and_leaves_the_sign_in_alone(ann, rally):
    rally.faults.add(Fault(method="POST", path_prefix=STORIES, status=403))

    answer = await ann.call("create_rally_story", title="Closed")
    after = await ann.call("create_rally_story", title="Open")

    assert answer.status_code == 403
    assert after.status_code == 200
    assert rally.stats.refreshes == 0
    assert stories(rally, "Closed") == 0


@pytest.mark.parametrize("status", [401, 403])
async def test_a_network_that_rally_does_not_admit_is_a_403_for_the_administrator(
    ann, wire, rally, status
):
    page = "Your IP address, 192.0.2.1, is not within the allowed range that your subscription"
    wire.disturb("GET", STORIES, answers(page, status))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 403
    assert "administrator" in answer.json()["message"]
    assert "192.0.2.1" not in answer.text
    assert rally.stats.refreshes == 0
