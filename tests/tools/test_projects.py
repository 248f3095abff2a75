"""Which project new work goes to, and which projects a deployment touches at all."""

import pytest

from tests.fixtures.deployment import Caller
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

CREATING = pytest.mark.parametrize("tool", ["create_rally_story", "create_rally_defect"])


@pytest.fixture
def bounded(deploy):
    """Sign Ann in where RALLY_PROJECTS is set."""

    async def bounded(projects: str) -> Caller:
        return await signed_in(deploy(RALLY_PROJECTS=projects, **WITHOUT_CODE))

    return bounded


@pytest.fixture
def created(rally):
    """Return how many artifacts of the name that these tests use there are."""

    def created() -> int:
        types = ("HierarchicalRequirement", "Defect")
        found = rally.objects.of_types(types, rally.users["ann"])
        return sum(artifact.name == "Placed" for artifact in found)

    return created


def told_project(answer) -> str:
    body = answer.json()
    return str((body.get("story") or body["defect"])["project"])


@CREATING
async def test_a_named_project_is_where_it_goes(ann, tool):
    answer = await ann.call(tool, title="Placed", project="Mobile")

    assert answer.status_code == 200
    assert told_project(answer) == "Mobile"


@CREATING
async def test_without_a_name_it_goes_to_the_users_default_project(ann, tool):
    answer = await ann.call(tool, title="Placed")

    assert told_project(answer) == "Backlog"


@pytest.mark.parametrize(
    "name", ["Web", "website", "Websites", 'Website") OR (Name != "', "Web\\site", "Billing"]
)
async def test_an_unknown_project_is_a_404_that_lists_the_users_own(ann, created, name):
    answer = await ann.call("create_rally_story", title="Placed", project=name)

    assert answer.status_code == 404
    assert answer.json()["error"] == "Failed to create Rally story"
    assert answer.json()["message"].endswith("Open projects: Backlog, Mobile, Website.")
    assert created() == 0


async def test_a_closed_project_counts_as_unknown(ann, rally, created):
    for project in rally.objects.of_types(("Project",), rally.users["ann"]):
        if project.name == "Mobile":
            rally.objects.change(project, {"State": "Closed"})

    answer = await ann.call("create_rally_story", title="Placed", project="Mobile")

    assert answer.status_code == 404
    assert answer.json()["message"].endswith("Open projects: Backlog, Website.")
    assert created() == 0


async def test_a_name_that_two_projects_share_is_a_409(ann, rally, created):
    workspace = rally.users["ann"].workspace_id
    rally.objects.add("Project", workspace, {"Name": "Website"})

    answer = await ann.call("create_rally_story", title="Placed", project="Website")

    assert answer.status_code == 409
    assert "2 open projects" in answer.json()["message"]
    assert created() == 0


async def test_a_project_with_signs_of_the_query_language_in_its_name_is_found(ann, rally):
    workspace = rally.users["ann"].workspace_id
    name = 'R&D "A" (AND) = \\ 50%'
    rally.objects.add("Project", workspace, {"Name": name})

    answer = await ann.call("create_rally_story", title="Placed", project=name)

    assert told_project(answer) == name


@CREATING
async def test_a_deployment_creates_in_its_own_projects_alone(bounded, created, rally, tool):
    ann = await bounded("Website, Mobile")
    rally.stats.clear()

    elsewhere = await ann.call(tool, title="Placed", project="Backlog")
    anywhere = await ann.call(tool, title="Placed")
    over_mcp = await call_over_mcp(ann, tool, title="Placed", project="Backlog")

    assert elsewhere.status_code == anywhere.status_code == 400
    assert over_mcp["isError"]
    assert "Website, Mobile" in elsewhere.json()["message"]
    assert created() == 0
    assert rally.stats.requests == []


async def test_a_deployment_creates_in_each_of_its_projects(bounded):
    ann = await bounded("Website,Mobile")

    for project in ("Website", "Mobile"):
        answer = await ann.call("create_rally_story", title="Placed", project=project)
        assert told_project(answer) == project


@CREATING
async def test_a_deployments_only_project_is_the_default(bounded, tool):
    ann = await bounded("Website")

    answer = await ann.call(tool, title="Placed")

    assert told_project(answer) == "Website"


async def test_what_lies_in_another_project_looks_as_if_it_did_not_exist(bounded):
    ann = await bounded("Website")

    elsewhere = await ann.call("get_rally_issue", formatted_id="US1")
    missing = await ann.call("get_rally_issue", formatted_id="US404")
    inside = await ann.call("get_rally_issue", formatted_id="US3")

    assert elsewhere.status_code == missing.status_code == 404
    assert elsewhere.text == missing.text.replace("US404", "US1")
    assert inside.json()["name"] == "Check out as a guest"


async def test_a_deployments_project_that_rally_does_not_show_is_a_404(bounded, created):
    ann = await bounded("Gone")

    answer = await ann.call("create_rally_story", title="Placed")

    assert answer.status_code == 404
    assert created() == 0


async def test_a_refusal_names_no_project_that_the_deployment_leaves_out(bounded):
    ann = await bounded("Website,Gone")

    answer = await ann.call("create_rally_story", title="Placed", project="Gone")

    assert answer.status_code == 404
    assert "Backlog" not in answer.text
