"""The conformance oracle: Rally's own Python toolkit works against the simulator, unpatched."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def rally(server, monkeypatch):
    """Connect to Ann's workspace over plain HTTP, which pyral calls a constant."""
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    import pyral
    import pyral.restapi

    usual_protocol = pyral.restapi.PROTOCOL
    pyral.restapi.PROTOCOL = "http"
    connection = pyral.Rally(
        server=server, apikey="_devann", workspace="Acme Workspace", project="Backlog"
    )
    yield connection
    connection.session.close()
    pyral.restapi.PROTOCOL = usual_protocol


def test_a_connection_finds_its_workspace_and_projects(rally):
    projects = sorted(project.Name for project in rally.getProjects())

    assert rally.getWorkspace().Name == "Acme Workspace"
    assert rally.getProject().Name == "Backlog"
    assert projects == ["Backlog", "Mobile", "Website"]


def test_a_connection_without_workspace_uses_the_defaults_of_the_profile(server, rally):
    import pyral

    connection = pyral.Rally(server=server, apikey="_devbob")

    try:
        assert connection.getWorkspace().Name == "Beacon Workspace"
        assert connection.getProject().Name == "Billing"
    finally:
        connection.session.close()


def test_a_query_finds_stories_by_name_and_state(rally):
    response = rally.get(
        "UserStory",
        fetch="FormattedID,Name,Owner,UserName,ScheduleState",
        query='Name contains "basket" and ScheduleState = In-Progress and Blocked = false',
    )

    stories = list(response)
    assert response.errors == []
    assert [(s.FormattedID, s.Owner.UserName) for s in stories] == [("US1", "ann@example.com")]


def test_a_created_story_can_be_read_updated_and_deleted(rally):
    created = rally.create("UserStory", {"Name": "Made by pyral", "PlanEstimate": 2})
    updated = rally.update(
        "UserStory", {"ObjectID": created.oid, "ScheduleState": "Completed", "Blocked": True}
    )
    deleted = rally.delete("UserStory", created.FormattedID)
    left = rally.get("UserStory", query='Name = "Made by pyral"')

    assert created.ScheduleState == "Defined"
    assert created.Project.Name == "Backlog"
    assert (updated.ScheduleState, updated.Blocked) == ("Completed", True)
    assert deleted is True
    assert left.resultCount == 0


def test_a_refused_update_raises_with_the_text_of_rally(rally):
    from pyral import RallyRESTAPIError

    story = rally.get("UserStory", fetch="ObjectID", query="FormattedID = US1").next()

    with pytest.raises(RallyRESTAPIError, match="Name should not be null"):
        rally.update("UserStory", {"ObjectID": story.ObjectID, "Name": ""})


def test_allowed_values_come_in_the_order_of_rally(rally):
    states = rally.getAllowedValues("Defect", "State")
    schedule_states = rally.getAllowedValues("UserStory", "ScheduleState")

    assert states == ["Submitted", "Open", "Fixed", "Closed"]
    assert schedule_states[:3] == ["Idea", "Defined", "In-Progress"]


def test_a_collection_is_followed(rally):
    story = rally.get("UserStory", fetch="FormattedID,Tasks", query="FormattedID = US1").next()

    assert [task.Name for task in story.Tasks] == ["Store the basket", "Migrate old baskets"]


def test_pages_are_followed_to_the_end(rally):
    expected = [f"Story {number:02d}" for number in range(12)]
    for name in expected:
        rally.create("UserStory", {"Name": name})

    response = rally.get(
        "UserStory", fetch="Name", query='Name contains "Story "', order="Name", pagesize=5
    )

    assert [story.Name for story in response] == expected
