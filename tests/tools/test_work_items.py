"""Creating stories and defects: what Rally gets, what the caller gets, and what is refused."""

import json

import pytest

from devtools.rally_simulator import Fault, RallySimulator
from devtools.rally_simulator.objects import RallyObject
from tests.fixtures.deployment import RALLY_ORIGIN
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import WSAPI

STORY = "create_rally_story"
DEFECT = "create_rally_defect"
TITLE = {"title": "Refused"}


def at_rally(rally: RallySimulator, name: str, type_name: str) -> RallyObject:
    """Return the only artifact of that name."""
    found = rally.objects.of_types((type_name,), rally.users["ann"])
    [only] = [artifact for artifact in found if artifact.name == name]
    return only


def story(rally: RallySimulator, name: str) -> RallyObject:
    return at_rally(rally, name, "HierarchicalRequirement")


@pytest.mark.parametrize(
    "name", [STORY, "create-rally-story", "create_story", "create-story", "create_rally-story"]
)
async def test_a_new_story_is_told_in_the_agreed_form_under_each_of_its_names(ann, rally, name):
    answer = await ann.call(name, title="Search by name")

    object_id = story(rally, "Search by name").object_id
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "message": "Rally story created successfully",
        "story": {
            "id": str(object_id),
            "formatted_id": "US6",
            "name": "Search by name",
            "state": "Defined",
            "url": f"{RALLY_ORIGIN}/#/detail/userstory/{object_id}",
            "project": "Backlog",
        },
        "warnings": [],
    }


async def test_the_same_facts_and_one_line_are_told_over_mcp(ann, rally):
    result = await call_over_mcp(ann, STORY, title="Search by name", description="**Fast**")

    url = f"{RALLY_ORIGIN}/#/detail/userstory/{story(rally, 'Search by name').object_id}"
    assert not result["isError"]
    assert text_of(result).startswith(f"Created user story US6: {url}\n")
    assert "\nproject: Backlog\n" in text_of(result)
    assert result["structuredContent"]["message"] == "Rally story created successfully"
    assert result["structuredContent"]["story"]["url"] == url


async def test_rally_gets_html_points_and_the_state_defined(ann, rally):
    markdown = "**Fast** search\n\n- by name\n- by `number`\n\n[Why](https://example.com/why)"

    await ann.call(STORY, title="  Search  ", description=markdown, points=2.5)

    values = story(rally, "Search").values
    assert values["PlanEstimate"] == 2.5
    assert values["ScheduleState"] == "Defined"
    html = str(values["Description"])
    assert html.startswith("<p><b>Fast</b> search</p>")
    assert "<li>by <code>number</code></li>" in html
    assert '<a href="https://example.com/why">Why</a>' in html


async def test_a_story_is_one_point_without_description_by_default(ann, rally):
    await ann.call(STORY, title="Plain")

    values = story(rally, "Plain").values
    assert (values["PlanEstimate"], values["Description"]) == (1, "")


async def test_html_in_a_description_is_text_at_rally(ann, rally):
    await ann.call(STORY, title="Hostile", description="<script>alert(1)</script><img src=x>")

    html = str(story(rally, "Hostile").values["Description"])
    assert "<script" not in html
    assert "<img" not in html
    assert "alert(1)" in html


async def test_a_new_defect_carries_severity_priority_and_points(ann, rally):
    answer = await ann.call(
        DEFECT, title="Blurred", severity="Cosmetic", priority="Low", points=0, description="`x`"
    )

    defect = at_rally(rally, "Blurred", "Defect")
    assert answer.json() == {
        "success": True,
        "message": "Rally defect created successfully",
        "defect": {
            "id": str(defect.object_id),
            "formatted_id": "DE3",
            "name": "Blurred",
            "state": "Submitted",
            "url": f"{RALLY_ORIGIN}/#/detail/defect/{defect.object_id}",
            "project": "Backlog",
        },
        "warnings": [],
    }
    assert defect.values["Severity"] == "Cosmetic"
    assert defect.values["Priority"] == "Low"
    assert defect.values["PlanEstimate"] == 0
    assert defect.values["Description"] == "<p><code>x</code></p>"


async def test_a_defect_needs_a_title_alone(ann, rally):
    answer = await ann.call(DEFECT, title="Blurred")

    assert answer.status_code == 200
    assert at_rally(rally, "Blurred", "Defect").values["Severity"] == ""


async def test_the_largest_arguments_are_accepted(ann, rally):
    answer = await ann.call(STORY, title="t" * 256, description="d" * 30_000, points=10_000)

    assert answer.status_code == 200
    assert answer.json()["story"]["name"] == "t" * 256


@pytest.mark.parametrize(
    ("tool", "argument", "arguments"),
    [
        (STORY, "title", {}),
        (STORY, "title", {"title": ""}),
        (STORY, "title", {"title": " \t\n"}),
        (STORY, "title", {"title": "t" * 257}),
        (STORY, "title", {"title": None}),
        (STORY, "title", {"title": 7}),
        (STORY, "title", {"title": "\ud800"}),
        (STORY, "description", TITLE | {"description": "d" * 30_001}),
        (STORY, "description", TITLE | {"description": None}),
        (STORY, "description", TITLE | {"description": "\udfff"}),
        (STORY, "points", TITLE | {"points": -0.5}),
        (STORY, "points", TITLE | {"points": 10_000.5}),
        (STORY, "points", TITLE | {"points": "many"}),
        (STORY, "points", TITLE | {"points": None}),
        (STORY, "points", TITLE | {"points": float("nan")}),
        (STORY, "points", TITLE | {"points": float("inf")}),
        (STORY, "project", TITLE | {"project": ""}),
        (STORY, "project", TITLE | {"project": "p" * 257}),
        (STORY, "project", TITLE | {"project": ["Website"]}),
        (STORY, "owner", TITLE | {"owner": "ann"}),
        (DEFECT, "title", {}),
        (DEFECT, "severity", TITLE | {"severity": ""}),
        (DEFECT, "severity", TITLE | {"severity": "s" * 129}),
        (DEFECT, "priority", TITLE | {"priority": "p" * 129}),
        (DEFECT, "priority", TITLE | {"priority": 1}),
        (DEFECT, "points", TITLE | {"points": -1}),
        (DEFECT, "state", TITLE | {"state": "Closed"}),
        ("get_rally_issue", "formatted_id", {}),
        ("get_rally_issue", "formatted_id", {"formatted_id": "US"}),
        ("get_rally_issue", "formatted_id", {"formatted_id": "US1234567890123"}),
        ("get_rally_issue", "formatted_id", {"formatted_id": 'US1") OR (Name != "'}),
    ],
)
async def test_an_argument_out_of_bounds_is_a_400_that_names_it(
    deployment, rally, tool, argument, arguments
):
    caller = deployment.caller()

    answer = await caller.instance.mcp.post(
        f"/tools/{tool}",
        content=json.dumps(arguments),
        headers={"Session-ID": caller.session_id, "Content-Type": "application/json"},
    )

    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"error", "message"}
    assert body["error"].startswith("Failed to ")
    assert f"{argument}: " in body["message"]
    assert body["message"].endswith(".")
    assert "\n" not in body["message"]
    assert len(body["message"]) < 300
    assert rally.stats.requests == []


@pytest.mark.parametrize("body", [b"[]", b'"title"', b"7", b"null", b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_400(deployment, rally, body):
    caller = deployment.caller()

    answer = await caller.instance.mcp.post(
        f"/tools/{STORY}", content=body, headers={"Session-ID": caller.session_id}
    )

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to create Rally story"
    assert "JSON object" in answer.json()["message"]
    assert rally.stats.requests == []


async def test_a_refused_argument_is_a_tool_error_over_mcp(deployment, rally):
    result = await call_over_mcp(deployment.caller(), STORY, title="", points=-1)

    assert result["isError"]
    assert text_of(result).startswith("Failed to create Rally story: ")
    assert "title: " in text_of(result)
    assert "points: " in text_of(result)
    assert rally.stats.requests == []


async def test_a_description_that_outgrows_rally_as_markup_is_a_400(ann, rally):
    answer = await ann.call(STORY, title="Grown", description="<" * 20_000)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to create Rally story"
    with pytest.raises(ValueError, match="expected 1, got 0"):
        story(rally, "Grown")


async def test_what_rally_says_of_a_refusal_comes_clean_and_on_one_line(ann):
    answer = await ann.call(DEFECT, title="Refused", severity="Aw\u202eful\u200b\u2028grand")

    assert answer.status_code == 400
    assert 'Severity "Awful grand" is not an allowed value' in answer.json()["message"]


async def test_a_refused_picklist_value_is_answered_with_those_of_the_workspace(ann, rally):
    for value in rally.objects.of_types(("AllowedAttributeValue",), rally.users["ann"]):
        if value.values["StringValue"] == "Cosmetic":
            rally.objects.change(value, {"StringValue": "Trifle"})

    answer = await ann.call(DEFECT, title="Refused", severity="Awful")

    assert answer.status_code == 400
    assert "Severity takes: Crash/Data Loss, Major Problem, Minor Problem, Trifle." in answer.text
    assert "Priority takes" not in answer.text


async def test_picklist_values_that_cannot_be_read_are_rallys_stock_ones(ann, rally, caplog):
    rally.faults.add(Fault(path_prefix=f"{WSAPI}/typedefinition", status=403))

    answer = await ann.call(DEFECT, title="Refused", priority="Awful")

    assert answer.status_code == 400
    assert "Priority takes: Resolve Immediately, High Attention, Normal, Low." in answer.text
    assert "picklist values are the stock ones" in caplog.messages


@pytest.mark.parametrize("title", ["\x1f", "two\nlines", "nul\x00"])
async def test_a_name_with_control_characters_is_refused(ann, rally, title):
    answer = await ann.call(STORY, title=title)

    assert answer.status_code == 400
    assert "title: must be one line, without control characters" in answer.json()["message"]
    assert rally.stats.wsapi_requests["POST HierarchicalRequirement"] == 0
