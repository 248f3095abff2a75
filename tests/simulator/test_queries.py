"""Queries over HTTP: what is found, in which scope and order, and what is refused."""

import pytest


async def result_of(client, path, **parameters):
    response = await client.get(path, params=parameters)
    assert response.status_code == 200
    return response.json()["QueryResult"]


async def found(client, type_name, query, *, key="FormattedID", **parameters):
    parameters = {"fetch": key, "project": "null", "order": "ObjectID", **parameters}
    result = await result_of(client, type_name, query=query, **parameters)
    assert result["Errors"] == []
    return [item[key] for item in result["Results"]]


async def ref_of(client, type_name, name):
    result = await result_of(client, type_name, query=f'(Name = "{name}")')
    return "/".join(result["Results"][0]["_ref"].split("/")[-2:])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('(Name contains "BASKET")', ["US1"]),
        ('(Name !contains "e")', []),
        ("(FormattedID = US2)", ["US2"]),
        ("(FormattedID >= US4)", ["US4", "US5"]),
        ("(PlanEstimate > 3)", ["US1"]),
        ("(PlanEstimate = 3)", ["US2"]),
        ("(PlanEstimate = null)", ["US3", "US4", "US5"]),
        ("(Blocked = true)", []),
        ("(Owner = currentuser)", ["US1", "US5"]),
        ("(Owner = ann@example.com)", ["US1", "US5"]),
        ("(Owner = ANN@example.com)", []),
        ("(Owner = null)", ["US2", "US3", "US4"]),
        ("(Owner != null)", ["US1", "US5"]),
        ('(Owner.DisplayName = "Ann Archer")', ["US1", "US5"]),
        ('(Parent.Name contains "guest")', ["US4"]),
        ("(HasParent = true)", ["US4"]),
        ("(DirectChildrenCount > 0)", ["US3"]),
        ('(Tasks.Name = "Store the basket")', ["US1"]),
        ("(TaskRemainingTotal = 4)", ["US1"]),
        ('(Iteration.Name = "Sprint 2")', ["US1"]),
        ("((Iteration.StartDate <= today) AND (Iteration.EndDate >= today))", ["US1"]),
        ("(CreationDate = today)", ["US1", "US2", "US3", "US4", "US5"]),
        ("(CreationDate < yesterday)", []),
        ("(ScheduleState < Completed)", ["US1", "US2", "US3", "US5"]),
        ('(ScheduleState >= "In-Progress")', ["US1", "US4"]),
        ("(ScheduleState < Nonsense)", []),
        ("(ScheduleState in Completed,In-Progress)", ["US1", "US4"]),
        ("((HasParent = true) OR (PlanEstimate = 5))", ["US1", "US4"]),
        ("((HasParent = true) AND (PlanEstimate = 5))", []),
    ],
)
async def test_a_query_selects_stories(ann, query, expected):
    assert await found(ann, "hierarchicalrequirement", query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('(Priority = "")', ["DE2"]),
        ('(Priority = "None")', []),
        ('(Severity <= "Major Problem")', ["DE1"]),
        ("(State < Open)", ["DE2"]),
        ("(Requirement.FormattedID = US1)", ["DE1"]),
    ],
)
async def test_a_query_selects_defects(ann, query, expected):
    assert await found(ann, "defect", query) == expected


async def test_a_reference_is_compared_by_ref_or_object_id(ann):
    ref = await ref_of(ann, "project", "Mobile")

    by_ref = await found(ann, "hierarchicalrequirement", f"(Project = /{ref})")
    by_id = await found(ann, "hierarchicalrequirement", f"(Project = {ref.split('/')[1]})")
    others = await found(ann, "hierarchicalrequirement", f"(Project != /{ref})")

    assert (by_ref, by_id) == (["US5"], ["US5"])
    assert others == ["US1", "US2", "US3", "US4"]


@pytest.mark.parametrize(
    ("type_name", "query", "error"),
    [
        (
            "defect",
            "((State = Open) AND (State = Open) AND (State = Open))",
            'Could not parse: Error parsing expression -- expected ")" but saw "AND" instead.',
        ),
        (
            "defect",
            "(Nonsense = 1)",
            (
                'Could not parse: Could not find the attribute "Nonsense" on type Defect '
                'in the query segment "Nonsense"'
            ),
        ),
        (
            "defect",
            "(Owner.Nonsense = 1)",
            (
                'Could not parse: Could not find the attribute "Nonsense" on type User '
                'in the query segment "Owner.Nonsense"'
            ),
        ),
        (
            "artifact",
            "(ScheduleState = Defined)",
            "Could not read: could not read all instances of class com.f4tech.slm.domain.Artifact",
        ),
        (
            "defect",
            "(Project = Backlog)",
            'Could not convert: Cannot parse object reference from "Backlog"',
        ),
        (
            "defect",
            "(CreationDate > someday)",
            'Could not convert: Cannot parse date from "someday"',
        ),
        (
            "task",
            "(Estimate > many)",
            'Could not convert: Cannot parse number from "many"',
        ),
    ],
)
async def test_a_wrong_query_is_refused_inside_http_200(ann, type_name, query, error):
    result = await result_of(ann, type_name, query=query, project="null")

    assert result["Errors"] == [error]
    assert result["Results"] == []


async def test_artifacts_of_all_types_are_found_together(ann):
    query = '(Name contains "basket")'

    everything = await found(ann, "artifact", query)
    narrowed = await found(ann, "artifact", query, types="Defect,Task")

    assert everything == ["US1", "TA1", "TA2", "DE1"]
    assert narrowed == ["TA1", "TA2", "DE1"]


async def test_types_may_make_a_field_queryable(ann):
    query = "(ScheduleState = Completed)"

    assert await found(ann, "artifact", query, types="hierarchicalrequirement") == ["US4"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["US3", "US4", "US5"]),
        ({"projectScopeDown": "false"}, ["US3", "US4"]),
        ({"projectScopeUp": "false"}, ["US3", "US4", "US5"]),
    ],
)
async def test_a_project_brings_its_children_unless_told_otherwise(ann, parameters, expected):
    website = await ref_of(ann, "project", "Website")

    stories = await found(ann, "hierarchicalrequirement", "", project=website, **parameters)

    assert stories == expected


@pytest.mark.parametrize(
    ("scope_up", "expected"), [("true", ["US3", "US4", "US5"]), ("false", ["US5"])]
)
async def test_a_project_brings_its_parents_unless_told_otherwise(ann, scope_up, expected):
    mobile = await ref_of(ann, "project", "Mobile")

    stories = await found(
        ann, "hierarchicalrequirement", "", project=mobile, projectScopeUp=scope_up
    )

    assert stories == expected


async def test_without_project_the_default_project_counts(ann):
    result = await result_of(ann, "hierarchicalrequirement", fetch="FormattedID")

    assert [item["FormattedID"] for item in result["Results"]] == ["US1", "US2"]


async def test_a_workspace_alone_means_all_of_it(ann):
    workspace = await ref_of(ann, "workspace", "Acme Workspace")

    result = await result_of(ann, "hierarchicalrequirement", workspace=workspace)

    assert result["TotalResultCount"] == 5


async def test_nobody_reaches_the_workspace_of_somebody_else(ann, bob):
    workspace = await ref_of(bob, "workspace", "Beacon Workspace")
    project = await ref_of(bob, "project", "Billing")

    by_workspace = await result_of(ann, "defect", workspace=workspace)
    by_project = await result_of(ann, "defect", project=project)
    projects = await found(ann, "project", "", key="Name")

    assert by_workspace["Errors"] != []
    assert by_project["Errors"] != []
    assert projects == ["Backlog", "Website", "Mobile"]


async def test_tasks_are_where_their_work_product_is(ann):
    backlog = await ref_of(ann, "project", "Backlog")
    website = await ref_of(ann, "project", "Website")

    assert await found(ann, "task", "", project=backlog) == ["TA1", "TA2"]
    assert await found(ann, "task", "", project=website) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("FormattedID DESC", ["US5", "US4", "US3", "US2", "US1"]),
        ("PlanEstimate DESC,FormattedID", ["US1", "US2", "US3", "US4", "US5"]),
        ("ScheduleState,FormattedID DESC", ["US5", "US3", "US2", "US1", "US4"]),
        ("Project.Name,Name", ["US2", "US1", "US5", "US3", "US4"]),
        ("Rank", ["US1", "US2", "US3", "US4", "US5"]),
    ],
)
async def test_results_come_in_the_order_that_was_asked_for(ann, order, expected):
    assert await found(ann, "hierarchicalrequirement", "", order=order) == expected


async def test_a_page_starts_at_one_and_tells_the_total(ann):
    result = await result_of(
        ann,
        "hierarchicalrequirement",
        fetch="FormattedID",
        project="null",
        order="ObjectID",
        start="3",
        pagesize="2",
    )

    assert [item["FormattedID"] for item in result["Results"]] == ["US3", "US4"]
    assert (result["TotalResultCount"], result["StartIndex"], result["PageSize"]) == (5, 3, 2)


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, 20), ("2000", 2000), ("5000", 2000), ("many", 20)]
)
async def test_a_page_has_at_most_two_thousand_results(ann, asked, expected):
    result = await result_of(ann, "defect", **({"pagesize": asked} if asked else {}))

    assert result["PageSize"] == expected


async def test_an_unknown_type_is_a_page_not_json(ann):
    response = await ann.get("nonsense")

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["users", "users.js", "User"])
async def test_a_user_is_found_by_name_in_every_spelling_of_the_type(ann, path):
    query = "(UserName = ann@example.com)"

    assert await found(ann, path, query, key="DisplayName") == ["Ann Archer"]
