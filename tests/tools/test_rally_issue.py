"""Reading an artifact by its FormattedID."""

import pytest

from devtools.rally_simulator import Fault
from tests.fixtures.deployment import RALLY_ORIGIN
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import WSAPI, answers, rewrites
from tests.fixtures.signed_in import signed_in


async def test_a_story_comes_with_its_fields(ann):
    issue = (await ann.call("get_rally_issue", formatted_id="US1")).json()

    description = issue.pop("description")
    assert issue == {
        "id": issue["id"],
        "formatted_id": "US1",
        "type": "user story",
        "name": "Keep the basket between visits",
        "state": "In-Progress",
        "schedule_state": "In-Progress",
        "plan_estimate": 5.0,
        "priority": "",
        "severity": "",
        "blocked": False,
        "blocked_reason": "",
        "project": "Backlog",
        "owner": "Ann Archer",
        "iteration": "Sprint 2",
        "release": "",
        "created_at": "2026-11-21T09:00:00.000Z",
        "updated_at": "2026-11-21T09:00:00.000Z",
        "url": f"{RALLY_ORIGIN}/#/detail/userstory/{issue['id']}",
        "notes": "",
    }
    assert issue["id"].isdecimal()
    assert description.startswith("As a **shopper** I want to keep my basket")


async def test_a_defect_comes_with_severity_priority_and_its_own_state(ann):
    issue = (await ann.call("get_rally_issue", formatted_id="DE1")).json()

    assert issue["type"] == "defect"
    assert issue["state"] == "Open"
    assert issue["schedule_state"] == "Defined"
    assert (issue["severity"], issue["priority"]) == ("Major Problem", "High Attention")
    assert issue["url"] == f"{RALLY_ORIGIN}/#/detail/defect/{issue['id']}"


async def test_a_task_comes_with_what_a_task_has(ann):
    issue = (await ann.call("get_rally_issue", formatted_id="TA1")).json()

    assert issue["type"] == "task"
    assert issue["name"] == "Store the basket"
    assert issue["state"] == "Defined"
    assert issue["plan_estimate"] is None
    assert issue["url"] == f"{RALLY_ORIGIN}/#/detail/task/{issue['id']}"


@pytest.mark.parametrize("written", ["us1", "Us1", " US1 "])
async def test_a_formatted_id_may_be_written_loosely(ann, written):
    answer = await ann.call("get_rally_issue", formatted_id=written)

    assert answer.json()["name"] == "Keep the basket between visits"


async def test_an_unknown_prefix_is_a_400_that_lists_the_tenants_own(ann):
    answer = await ann.call("get_rally_issue", formatted_id="ZZ1")

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to get Rally issue"
    for known in ("US (user story)", "DE (defect)", "TA (task)"):
        assert known in answer.json()["message"]
    assert "feature" not in answer.json()["message"]


async def test_prefixes_that_cannot_be_read_are_rallys_stock_ones(ann, rally, caplog):
    rally.faults.add(Fault(path_prefix=f"{WSAPI}/typedefinition", status=403))

    answer = await ann.call("get_rally_issue", formatted_id="ZZ1")

    assert answer.status_code == 400
    assert "F (feature)" in answer.json()["message"]
    assert "prefixes are the stock ones" in caplog.messages


async def test_a_prefix_of_the_tenants_own_is_found(ann, rally):
    of_ann = rally.users["ann"]
    for definition in rally.objects.of_types(("TypeDefinition",), of_ann):
        if definition.values["ElementName"] == "Defect":
            rally.objects.change(definition, {"IDPrefix": "BUG"})
    defect = next(rally.objects.of_types(("Defect",), of_ann))
    rally.objects.change(defect, {"FormattedID": "BUG1"})
    rally.stats.clear()

    answer = await ann.call("get_rally_issue", formatted_id="bug1")

    assert answer.json()["name"] == "Basket shows yesterday's prices"
    assert answer.json()["type"] == "defect"
    assert len(rally.stats.requests) == 2


@pytest.mark.parametrize("formatted_id", ["US404", "DE404", "TA404"])
async def test_what_does_not_exist_is_a_404_that_names_it(ann, formatted_id):
    answer = await ann.call("get_rally_issue", formatted_id=formatted_id.lower())

    assert answer.status_code == 404
    assert answer.json()["error"] == "Failed to get Rally issue"
    assert formatted_id in answer.json()["message"]


async def test_a_type_that_this_rally_does_not_have_is_a_404(ann):
    answer = await ann.call("get_rally_issue", formatted_id="F1")

    assert answer.status_code == 404


async def test_another_tenants_artifact_of_that_number_stays_unseen(deployment, ann):
    bob = await signed_in(deployment, "bob")

    of_ann = await ann.call("get_rally_issue", formatted_id="US1")
    of_bob = await bob.call("get_rally_issue", formatted_id="US1")
    beyond = await bob.call("get_rally_issue", formatted_id="US2")

    assert of_ann.json()["name"] == "Keep the basket between visits"
    assert of_bob.json()["name"] == "Send invoices by e-mail"
    assert beyond.status_code == 404


async def test_a_prefix_that_two_types_share_finds_the_exact_number_alone(wired_ann, wire):
    other = {"ObjectID": 7, "FormattedID": "S1", "Name": "Somebody else's"}
    found = answers({"QueryResult": {"Results": [other]}})
    wire.disturb("GET", f"{WSAPI}/hierarchicalrequirement", found)

    answer = await wired_ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 404


async def test_a_reference_without_a_name_is_shown_as_empty(wired_ann, wire):
    unnamed = rewrites(lambda found: found["Results"][0]["Owner"].update(_refObjectName=None))
    wire.disturb("GET", f"{WSAPI}/hierarchicalrequirement", unnamed)

    answer = await wired_ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 200
    assert answer.json()["owner"] == ""


async def test_text_and_structured_content_complete_each_other(ann):
    result = await call_over_mcp(ann, "get_rally_issue", formatted_id="US1")

    facts = result["structuredContent"]
    assert not result["isError"]
    assert text_of(result).startswith(
        f"US1 is a user story, In-Progress, 5 points: {facts['url']}\n"
    )
    assert "As a **shopper** I want to keep my basket" in text_of(result)
    assert {"description", "notes"}.isdisjoint(facts)
    assert "shopper" not in str(facts)


async def test_a_missing_artifact_is_a_tool_error_over_mcp(ann):
    result = await call_over_mcp(ann, "get_rally_issue", formatted_id="US404")

    assert result["isError"]
    assert set(result["structuredContent"]) == {"error", "message"}
    assert text_of(result).startswith("Failed to get Rally issue: ")
