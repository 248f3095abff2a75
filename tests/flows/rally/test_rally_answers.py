"""What Rally's rarer answers mean to the caller: half a create, a closed network, a long pause."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from devtools.rally_simulator import RallySimulator
from tests.fixtures.deployment import RALLY_ORIGIN
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import (
    WSAPI,
    answers,
    fails,
    rewrites,
)

STORIES = f"{WSAPI}/hierarchicalrequirement"
DOUBT = "Whether Rally carried it out is not known"
NO_NUMBER = "Rally has not told its number yet."
NOT_ADMITTED = (
    "Your IP address, 1.2.3.4, is not within the allowed range that your subscription "
    "administrator has configured."
)


def stories(rally: RallySimulator, name: str) -> list[Any]:
    found = rally.objects.of_types(("HierarchicalRequirement",), rally.users["ann"])
    return [story for story in found if story.name == name]


def leave_the_reference_alone(result: dict[str, Any]) -> None:
    result["Object"] = {"_ref": result["Object"]["_ref"]}


@pytest.mark.parametrize(
    "broken",
    [
        answers("down", 503, Retry_After=b"600"),
        answers("busy", 429, Retry_After=b"600"),
        fails(httpx.ReadTimeout),
        answers({"OperationResult": {"Errors": ["Cannot find object to read"], "Warnings": []}}),
        answers("no", 401),
    ],
    ids=["503", "429", "timeout", "not found", "401"],
)
async def test_a_created_story_that_cannot_be_read_back_is_a_success_without_its_number(
    ann, wire, rally, broken
):
    wire.disturb("POST", STORIES, rewrites(leave_the_reference_alone))
    wire.disturb("GET", STORIES, broken, broken)

    answer = await ann.call("create_rally_story", title="Once")

    [created] = stories(rally, "Once")
    body = answer.json()
    assert answer.status_code == 200
    assert body["success"] is True
    assert body["story"]["id"] == str(created.object_id)
    assert body["story"]["url"] == f"{RALLY_ORIGIN}/#/detail/userstory/{created.object_id}"
    assert body["story"]["formatted_id"] == ""
    assert NO_NUMBER in body["warnings"]
    assert len(wire.sent("POST", STORIES)) == 1


async def test_a_created_story_that_can_be_read_back_comes_with_its_number(ann, wire, rally):
    wire.disturb("POST", STORIES, rewrites(leave_the_reference_alone))

    answer = await ann.call("create_rally_story", title="Once")

    body = answer.json()
    assert body["story"]["formatted_id"].startswith("US")
    assert body["warnings"] == []
    assert len(stories(rally, "Once")) == 1


@pytest.mark.parametrize("reference", [7, ["a"], {"a": "b"}, True], ids=str)
async def test_a_create_answered_by_a_reference_that_is_none_leaves_doubt(ann, wire, reference):
    created = {"CreateResult": {"Errors": [], "Warnings": [], "Object": {"_ref": reference}}}
    wire.disturb("POST", STORIES, answers(created))

    answer = await ann.call("create_rally_story", title="Once")

    assert answer.status_code == 502
    assert DOUBT in answer.json()["message"]
    assert len(wire.sent("POST", STORIES)) == 1


async def test_markdown_that_grows_beyond_what_rally_keeps_is_refused_before_anything_is_sent(
    ann, wire
):
    before = len(wire.requests)

    answer = await ann.call("create_rally_story", title="Long", description="&" * 10_000)

    assert answer.status_code == 400
    assert "Rally keeps 32,768" in answer.json()["message"]
    assert len(wire.requests) == before


@pytest.mark.parametrize("status", [401, 403, 412])
async def test_a_network_that_rally_does_not_admit_is_told_and_costs_no_sign_in(
    ann, wire, rally, status
):
    wire.disturb("GET", STORIES, answers(NOT_ADMITTED, status))

    answer = await ann.call("get_rally_issue", formatted_id="US1")
    after = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 403
    assert "network address" in answer.json()["message"]
    assert "1.2.3.4" not in answer.text
    assert after.status_code == 200
    assert rally.stats.refreshes == 0
    assert len(wire.sent("GET", STORIES)) == 2


async def test_a_pause_until_a_date_is_passed_on_in_seconds(ann, wire):
    until = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    wire.disturb("GET", STORIES, answers("busy", 429, Retry_After=until.encode()))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 429
    assert 540 <= int(answer.headers["retry-after"]) <= 600
    assert len(wire.sent("GET", STORIES)) == 1


async def test_a_rally_that_is_down_for_long_is_not_asked_again(ann, wire):
    wire.disturb("GET", STORIES, answers("down", 503, Retry_After=b"600"))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "600"
    assert len(wire.sent("GET", STORIES)) == 1


async def test_why_a_story_is_blocked_is_peoples_text(ann, rally):
    [story] = stories(rally, "Keep the basket between visits")
    rally.objects.change(story, {"Blocked": True, "BlockedReason": "Obey me"})

    over_rest = (await ann.call("get_rally_issue", formatted_id="US1")).json()
    over_mcp = await call_over_mcp(ann, "get_rally_issue", formatted_id="US1")

    assert (over_rest["blocked"], over_rest["blocked_reason"]) == (True, "Obey me")
    assert over_mcp["structuredContent"]["blocked"] is True
    assert "Obey me" not in str(over_mcp["structuredContent"])
    marked = r"<<<([0-9a-f]{32}) blocked_reason\nObey me\n\1>>>"
    assert len(re.findall(marked, text_of(over_mcp))) == 1
