"""Creating and updating, and what Rally refuses or ignores on the way."""

from datetime import timedelta

import pytest


async def created(client, type_name, *, project=None, **values):
    parameters = {"project": project} if project else {}
    response = await client.post(f"{type_name}/create", params=parameters, json={type_name: values})
    assert response.status_code == 200
    return response.json()["CreateResult"]


async def updated(client, ref, type_name, **values):
    response = await client.post(ref, json={type_name: values})
    assert response.status_code == 200
    return response.json()["OperationResult"]


async def first(client, type_name, query, **parameters):
    parameters = {"project": "null", "query": query, "fetch": "true", **parameters}
    response = await client.get(type_name, params=parameters)
    return response.json()["QueryResult"]["Results"][0]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("key", ["HierarchicalRequirement", "hierarchicalrequirement"])
async def test_a_story_is_created_with_defaults(ann, method, key):
    response = await ann.request(
        method, "hierarchicalrequirement/create", json={key: {"Name": "New", "PlanEstimate": "3"}}
    )

    result = response.json()["CreateResult"]
    story = result["Object"]
    assert (result["Errors"], result["Warnings"]) == ([], [])
    assert story["FormattedID"] == "US6"
    assert story["ScheduleState"] == "Defined"
    assert story["PlanEstimate"] == 3.0
    assert story["Project"]["_refObjectName"] == "Backlog"
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert story["_CreatedAt"] == "just now"


async def test_formatted_ids_count_in_each_workspace(ann, bob):
    ann_defect = await created(ann, "defect", Name="One more")
    bob_defect = await created(bob, "defect", Name="One more")

    assert ann_defect["Object"]["FormattedID"] == "DE3"
    assert bob_defect["Object"]["FormattedID"] == "DE2"


async def test_a_defect_is_submitted_by_its_creator(ann):
    defect = (await created(ann, "Defect", Name="Broken", Severity="Cosmetic"))["Object"]

    assert defect["State"] == "Submitted"
    assert defect["Severity"] == "Cosmetic"
    assert defect["Priority"] == "None"
    assert defect["SubmittedBy"]["_refObjectName"] == "Ann Archer"


async def test_the_project_comes_from_the_body_or_else_the_request(ann):
    website = (await first(ann, "project", "(Name = Website)"))["_ref"]
    mobile = (await first(ann, "project", "(Name = Mobile)"))["_ref"]

    by_request = await created(ann, "Defect", project=website, Name="A")
    by_body = await created(ann, "Defect", project=website, Name="B", Project={"_ref": mobile})

    assert by_request["Object"]["Project"]["_refObjectName"] == "Website"
    assert by_body["Object"]["Project"]["_refObjectName"] == "Mobile"


async def test_a_task_is_where_its_story_is(ann):
    story = await first(ann, "hierarchicalrequirement", "(FormattedID = US1)")

    task = (await created(ann, "Task", Name="Draw it", WorkProduct=story["_ref"]))["Object"]

    assert task["FormattedID"] == "TA3"
    assert task["Project"]["_ref"] == story["Project"]["_ref"]
    assert task["Iteration"]["_ref"] == story["Iteration"]["_ref"]


@pytest.mark.parametrize(
    ("type_name", "values", "error"),
    [
        ("HierarchicalRequirement", {}, "{}.Name should not be null"),
        ("HierarchicalRequirement", {"Name": ""}, "{}.Name should not be null"),
        ("HierarchicalRequirement", {"Name": None}, "{}.Name should not be null"),
        ("Task", {"Name": "Lonely"}, "{}.WorkProduct should not be null"),
        ("Defect", {"Name": "n" * 257}, "{}.Name length is greater than the maximum length of 256"),
        (
            "Defect",
            {"Name": "A", "Description": "d" * 32769},
            "{}.Description length is greater than the maximum length of 32768",
        ),
        (
            "Defect",
            {"Name": "A", "Severity": "Awful"},
            '{}.Severity "Awful" is not an allowed value',
        ),
        ("Defect", {"Name": "A", "State": None}, '{}.State "" is not an allowed value'),
    ],
)
async def test_what_is_not_valid_is_not_created(ann, type_name, values, error):
    result = await created(ann, type_name, **values)

    assert result["Errors"] == ["Validation error: " + error.format(type_name)]
    assert "Object" not in result


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"PlanEstimate": "many"}, 'Could not convert: Cannot parse number from "many"'),
        ({"Owner": "Ann"}, 'Could not convert: Cannot parse object reference from "Ann"'),
        ({"Owner": "/user/1"}, "Could not read: Could not read referenced object 1"),
        ({"Tags": "urgent"}, "Could not convert: Cannot parse collection Tags"),
    ],
)
async def test_what_cannot_be_converted_is_not_created(ann, values, error):
    result = await created(ann, "Defect", Name="A", **values)

    assert result["Errors"] == [error]


async def test_a_wrong_date_is_refused(ann):
    result = await created(ann, "Iteration", Name="Sprint", StartDate="soon")

    assert result["Errors"] == ['Could not convert: Cannot parse date from "soon"']


async def test_a_reference_has_to_fit_and_to_be_visible(ann, bob):
    own_project = (await first(ann, "project", "(Name = Backlog)"))["_ref"]
    foreign_project = (await first(bob, "project", "(Name = Billing)"))["_ref"]

    not_a_user = await created(ann, "Defect", Name="A", Owner=own_project)
    not_visible = await created(ann, "Defect", Name="A", Project=foreign_project)

    assert not_a_user["Errors"][0].startswith("Could not read: Could not read referenced object")
    assert not_visible["Errors"][0].startswith("Could not read: Could not read referenced object")


async def test_unknown_and_read_only_elements_are_ignored_with_a_warning(ann):
    result = await created(
        ann, "HierarchicalRequirement", Name="New", c_Squad="x", FormattedID="US99", _type="x"
    )

    assert result["Errors"] == []
    assert result["Warnings"] == [
        f"Ignored JSON element hierarchicalrequirement.{name} during processing of this request."
        for name in ("c_Squad", "FormattedID")
    ]
    assert result["Object"]["FormattedID"] == "US6"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Task": {"Name": "A"}}', b'{"Defect": 1}'])
async def test_a_body_that_is_not_the_object_is_refused(ann, body):
    response = await ann.post("defect/create", content=body)

    errors = response.json()["CreateResult"]["Errors"]
    assert len(errors) == 1
    assert errors[0].startswith("Cannot parse input stream due to I/O error as JSON document")


@pytest.mark.parametrize("type_name", ["User", "Project", "Artifact"])
async def test_not_everything_can_be_created(ann, type_name):
    result = await created(ann, type_name, Name="A")

    assert result["Errors"] == [f"Not authorized to create: {type_name}"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_update_changes_the_object_and_its_version(ann, clock, method):
    defect = await first(ann, "defect", "(FormattedID = DE1)")
    clock.advance(timedelta(seconds=5))

    response = await ann.request(
        method, defect["_ref"], json={"defect": {"State": "Fixed", "Blocked": True}}
    )

    result = response.json()["OperationResult"]
    assert result["Errors"] == []
    assert (result["Object"]["State"], result["Object"]["Blocked"]) == ("Fixed", True)
    assert (defect["VersionId"], result["Object"]["VersionId"]) == ("1", "2")
    assert result["Object"]["LastUpdateDate"] == "2026-05-13T09:30:05.000Z"


async def test_a_refused_update_changes_nothing(ann):
    defect = await first(ann, "defect", "(FormattedID = DE1)")

    result = await updated(ann, defect["_ref"], "Defect", State="Fixed", Name="")

    after = await first(ann, "defect", "(FormattedID = DE1)")
    assert result["Errors"] == ["Validation error: Defect.Name should not be null"]
    assert (after["State"], after["VersionId"]) == ("Open", "1")


async def test_an_update_of_nothing_is_refused(ann):
    result = await updated(ann, "defect/1", "Defect", Name="A")

    assert result["Errors"] == ["Could not read: Could not read Defect 1 to update."]


async def test_what_rally_keeps_itself_is_not_changed(ann):
    project = await first(ann, "project", "(Name = Backlog)")

    update = await updated(ann, project["_ref"], "Project", Name="A")
    delete = (await ann.delete(project["_ref"])).json()["OperationResult"]

    assert update["Errors"] == ["Not authorized to update: Project"]
    assert delete["Errors"] == ["Not authorized to delete: Project"]


async def test_an_owner_and_a_picklist_can_be_unset(ann):
    defect = await first(ann, "defect", "(FormattedID = DE1)")

    result = await updated(ann, defect["_ref"], "Defect", Owner=None, Severity="None", Notes=None)

    assert result["Object"]["Owner"] is None
    assert result["Object"]["Severity"] == "None"
    assert result["Object"]["Notes"] == ""


async def test_a_completed_task_has_nothing_to_do(ann):
    task = await first(ann, "task", "(FormattedID = TA1)")

    result = await updated(ann, task["_ref"], "Task", State="Completed")

    assert (task["ToDo"], result["Object"]["ToDo"]) == (2.0, 0)


async def test_a_story_that_moves_takes_the_iteration_of_the_same_name(ann):
    website = await first(ann, "project", "(Name = Website)")
    story = await first(ann, "hierarchicalrequirement", "(FormattedID = US1)")

    moved = (await updated(ann, story["_ref"], "HierarchicalRequirement", Project=website["_ref"]))[
        "Object"
    ]

    assert moved["Project"]["_refObjectName"] == "Website"
    assert moved["Iteration"]["_refObjectName"] == "Sprint 2"
    assert moved["Iteration"]["_ref"] != story["Iteration"]["_ref"]


async def test_an_iteration_without_a_namesake_is_lost_in_a_move(ann):
    website = await first(ann, "project", "(Name = Website)")
    only_here = (await created(ann, "Iteration", Name="Only here"))["Object"]
    story = (await created(ann, "HierarchicalRequirement", Name="A", Iteration=only_here["_ref"]))[
        "Object"
    ]

    moved = await updated(ann, story["_ref"], "HierarchicalRequirement", Project=website["_ref"])

    assert moved["Object"]["Iteration"] is None


async def test_tags_are_replaced_by_an_array_of_refs(ann):
    urgent = (await created(ann, "Tag", Name="urgent"))["Object"]
    story = await first(ann, "hierarchicalrequirement", "(FormattedID = US1)")

    result = await updated(
        ann, story["_ref"], "HierarchicalRequirement", Tags=[{"_ref": urgent["_ref"]}]
    )

    tagged = await first(ann, "hierarchicalrequirement", '(Tags.Name = "urgent")')
    assert result["Object"]["Tags"]["Count"] == 1
    assert result["Object"]["Tags"]["_tagsNameArray"][0]["Name"] == "urgent"
    assert tagged["FormattedID"] == "US1"


async def test_a_method_that_has_no_meaning_is_not_found(ann):
    response = await ann.delete("defect")

    assert response.status_code == 404
