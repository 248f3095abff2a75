"""What hangs on an artifact: the posts of its discussion, and its pull requests."""

import pytest

PULL_REQUEST = {
    "ExternalID": "3000000001",
    "ExternalFormattedId": "acme/rockets#2",
    "Name": "Keep the basket",
    "Url": "https://github.example.com/acme/rockets/pull/2",
}


async def created(client, type_name, **values):
    response = await client.post(f"{type_name.lower()}/create", json={type_name: values})
    return response.json()["CreateResult"]


async def found(client, type_name, query):
    parameters = {"query": query, "fetch": "true", "project": "null"}
    response = await client.get(type_name, params=parameters)
    result = response.json()["QueryResult"]

    assert result["Errors"] == []
    return result["Results"]


async def artifact(client, formatted_id, type_name="hierarchicalrequirement"):
    [only] = await found(client, type_name, f'(FormattedID = "{formatted_id}")')
    return only


@pytest.fixture
async def story(ann):
    return await artifact(ann, "US1")


@pytest.fixture
def ref(story):
    """Refer to the story as clients may, without the server's address."""
    return f"/hierarchicalrequirement/{story['ObjectID']}"


async def test_a_post_is_its_writers_and_counts_from_zero(ann, ref):
    first = (await created(ann, "ConversationPost", Artifact=ref, Text="<p>First</p>"))["Object"]
    second = (await created(ann, "ConversationPost", Artifact=ref, Text="<p>Next</p>"))["Object"]

    assert first["User"]["_refObjectName"] == "Ann Archer"
    assert first["Text"] == "<p>First</p>"
    assert first["Artifact"]["_refObjectName"] == "Keep the basket between visits"
    assert (first["PostNumber"], second["PostNumber"]) == (0, 1)


async def test_posts_are_found_by_their_artifact_and_a_part_of_their_text(ann, story, ref):
    defect = await artifact(ann, "DE1", "defect")
    for target, text in ((ref, "See HERE"), (ref, "Later"), (defect["_ref"], "See here")):
        await created(ann, "ConversationPost", Artifact=target, Text=text)
    of_story = f'(Artifact.ObjectID = "{story["ObjectID"]}")'

    posts = await found(ann, "conversationpost", f'({of_story} AND (Text contains "see here"))')

    assert [post["Text"] for post in posts] == ["See HERE"]
    assert (await artifact(ann, "US1"))["Discussion"]["Count"] == 2


async def test_a_pull_request_is_where_its_artifact_is(ann, story, ref):
    made = (await created(ann, "PullRequest", Artifact=ref, **PULL_REQUEST))["Object"]

    assert PULL_REQUEST.items() <= made.items()
    assert made["Project"]["_ref"] == story["Project"]["_ref"]
    assert (await artifact(ann, "US1"))["Connections"]["Count"] == 1


async def test_a_pull_request_is_found_by_its_address(ann, ref):
    await created(ann, "PullRequest", Artifact=ref, **PULL_REQUEST)

    there = await found(ann, "pullrequest", f'(Url = "{PULL_REQUEST["Url"]}")')
    elsewhere = await found(ann, "pullrequest", f'(Url = "{PULL_REQUEST["Url"]}0")')

    assert [each["Name"] for each in there] == ["Keep the basket"]
    assert elsewhere == []


@pytest.mark.parametrize("type_name", ["ConversationPost", "PullRequest"])
async def test_neither_is_possible_without_an_artifact_that_the_user_sees(bob, ref, type_name):
    without = await created(bob, type_name, Text="Hello")
    of_ann = await created(bob, type_name, Artifact=ref)

    assert without["Errors"] == [f"Validation error: {type_name}.Artifact should not be null"]
    assert of_ann["Errors"][0].startswith("Could not read: Could not read referenced object")


@pytest.mark.parametrize("type_name", ["ConversationPost", "PullRequest"])
async def test_another_tenants_are_not_found(ann, bob, ref, type_name):
    await created(ann, type_name, Artifact=ref)

    assert await found(bob, type_name, "(ObjectID > 0)") == []


@pytest.mark.parametrize("type_name", ["ConversationPost", "PullRequest"])
async def test_both_go_with_their_artifact(ann, story, ref, type_name):
    await created(ann, type_name, Artifact=ref)
    await ann.delete(story["_ref"])

    assert await found(ann, type_name, "(ObjectID > 0)") == []
