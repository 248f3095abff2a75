"""Objects, references and collections in the shapes of the wire."""

import json
from datetime import timedelta

import pytest

ORIGIN = "http://rally.test"
WSAPI = f"{ORIGIN}/slm/webservice/v2.0"


async def first(client, type_name, **parameters):
    parameters = {"project": "null", "order": "ObjectID", **parameters}
    response = await client.get(type_name, params=parameters)
    return response.json()["QueryResult"]["Results"][0]


async def test_a_query_without_fetch_gives_references(ann):
    defect = await first(ann, "defect")

    assert list(defect) == [
        "_rallyAPIMajor",
        "_rallyAPIMinor",
        "_ref",
        "_refObjectUUID",
        "_refObjectName",
        "_type",
    ]
    assert defect["_ref"].startswith(f"{WSAPI}/defect/")
    assert defect["_refObjectName"] == "Basket shows yesterday's prices"
    assert defect["_type"] == "Defect"


async def test_object_ids_are_above_thirty_two_bits(ann):
    defect = await first(ann, "defect", fetch="ObjectID")

    assert defect["ObjectID"] > 2**31
    assert defect["_ref"].endswith(str(defect["ObjectID"]))


@pytest.mark.parametrize("fetch", ["Owner,UserName,Name", '"Owner,UserName,Name"'])
async def test_fetch_is_flat_and_may_stand_in_quotes(ann, fetch):
    story = await first(ann, "hierarchicalrequirement", fetch=fetch)

    assert story["Name"] == "Keep the basket between visits"
    assert story["Owner"]["UserName"] == "ann@example.com"
    assert "DisplayName" not in story["Owner"]
    assert "Description" not in story


async def test_fetch_true_gives_every_attribute_and_plain_references(ann):
    story = await first(ann, "hierarchicalrequirement", fetch="true")

    assert story["FormattedID"] == "US1"
    assert story["_objectVersion"] == story["VersionId"] == "1"
    assert story["Parent"] is None
    assert story["CreationDate"] == "2026-05-13T09:30:00.000Z"
    assert story["Owner"]["_refObjectName"] == "Ann Archer"
    assert "UserName" not in story["Owner"]


async def test_a_cycle_of_references_ends(ann):
    user = await first(
        ann, "user", fetch="UserProfile,DefaultWorkspace,Owner,UserName", query="(ObjectID > 0)"
    )

    owner = user["UserProfile"]["DefaultWorkspace"]["Owner"]
    assert owner["_refObjectName"] == "Ann Archer"
    assert "UserName" not in owner


async def test_an_unset_picklist_reads_none(ann):
    defect = await first(ann, "defect", fetch="Severity,Environment")

    assert defect["Severity"] == "Major Problem"
    assert defect["Environment"] == "None"


async def test_a_collection_is_a_stub_that_leads_to_its_own_url(ann):
    story = await first(ann, "hierarchicalrequirement", fetch="Tasks,ObjectID,Tags")

    assert story["Tasks"] == {
        "_rallyAPIMajor": "2",
        "_rallyAPIMinor": "0",
        "_ref": f"{WSAPI}/HierarchicalRequirement/{story['ObjectID']}/Tasks",
        "_type": "Task",
        "Count": 2,
    }
    assert story["Tags"]["_tagsNameArray"] == []


async def test_a_collection_can_be_paged_and_queried(ann):
    story = await first(ann, "hierarchicalrequirement", fetch="Tasks")
    parameters = {"fetch": "Name", "query": '(Name contains "migrate")', "pagesize": 1}

    response = await ann.get(story["Tasks"]["_ref"], params=parameters)

    result = response.json()["QueryResult"]
    assert result["TotalResultCount"] == 1
    assert result["Results"][0]["Name"] == "Migrate old baskets"


@pytest.mark.parametrize("attribute", ["Tasks", "Defects", "Children", "Tags"])
async def test_a_story_has_these_collections(ann, attribute):
    story = await first(ann, "hierarchicalrequirement", fetch=attribute)

    response = await ann.get(story[attribute]["_ref"])

    result = response.json()["QueryResult"]
    assert result["Errors"] == []
    assert result["TotalResultCount"] == story[attribute]["Count"]


async def test_an_object_is_read_whole_with_errors_and_warnings_inside(ann):
    defect = await first(ann, "defect")

    response = await ann.get(defect["_ref"])

    document = response.json()["Defect"]
    assert document["FormattedID"] == "DE1"
    assert (document["Errors"], document["Warnings"]) == ([], [])


@pytest.mark.parametrize(
    "path", ["defect/1", "defect/nonsense", "defect/1/Tasks", "workspace/0", "task/-6"]
)
async def test_what_does_not_exist_is_refused_inside_http_200(ann, path):
    response = await ann.get(path)

    assert response.status_code == 200
    assert next(iter(response.json().values()))["Errors"] == ["Cannot find object to read"]


async def test_an_object_of_somebody_else_does_not_exist(ann, bob):
    defect = await first(bob, "defect")

    response = await ann.get(defect["_ref"])

    assert response.json()["OperationResult"]["Errors"] == ["Cannot find object to read"]


async def test_an_object_is_not_read_under_another_type(ann):
    defect = await first(ann, "defect", fetch="ObjectID")

    as_task = await ann.get(f"task/{defect['ObjectID']}")
    as_artifact = await ann.get(f"artifact/{defect['ObjectID']}.js")

    assert as_task.json()["OperationResult"]["Errors"] == ["Cannot find object to read"]
    assert as_artifact.json()["Defect"]["FormattedID"] == "DE1"


async def test_the_singletons_are_the_caller_and_their_subscription(ann, bob):
    user = (await ann.get("user", params={"fetch": "UserName,DisplayName"})).json()["User"]
    subscription = (await bob.get("subscription")).json()["Subscription"]

    assert (user["UserName"], user["DisplayName"]) == ("ann@example.com", "Ann Archer")
    assert (user["Errors"], user["Warnings"]) == ([], [])
    assert subscription["Name"] == "Beacon Corporation"


async def test_html_is_escaped_in_json(ann):
    response = await ann.get(
        "hierarchicalrequirement", params={"fetch": "Description", "query": "(FormattedID = US1)"}
    )

    description = response.json()["QueryResult"]["Results"][0]["Description"]
    assert "<h3>Acceptance criteria</h3>" in description
    assert "\\u003Ch3\\u003E" in response.text
    assert "<" not in response.text


async def test_the_age_of_an_object_is_told_in_words(ann, clock):
    ages = []
    for age in (timedelta(0), timedelta(minutes=1), timedelta(days=1)):
        clock.advance(age)
        ages.append((await first(ann, "defect", fetch="Name"))["_CreatedAt"])

    assert ages == ["just now", "today at 9:30 am", "May 13, 2026"]


async def test_the_schema_is_reached_by_a_redirect_and_describes_every_type(ann):
    workspace = await first(ann, "workspace")
    schema_url = workspace["_ref"].replace("webservice", "schema")

    redirect = await ann.get(schema_url)
    schema = await ann.get(redirect.headers["location"])

    assert redirect.status_code == 302
    types = {row["ElementName"]: row for row in schema.json()["QueryResult"]["Results"]}
    severity = next(
        row for row in types["Defect"]["Attributes"] if row["ElementName"] == "Severity"
    )
    assert types["HierarchicalRequirement"]["IDPrefix"] == "US"
    assert severity["AllowedValues"]["_ref"].endswith("/AllowedValues")
    assert severity["AttributeType"] == "RATING"


async def test_allowed_values_are_reached_from_the_type_definition(ann):
    definition = await first(ann, "typedefinition", query="(ElementName = Defect)", fetch="true")
    attributes = await ann.get(
        definition["Attributes"]["_ref"],
        params={"query": "(ElementName = Severity)", "fetch": "ObjectID,AllowedValues,Required"},
    )
    severity = attributes.json()["QueryResult"]["Results"][0]

    values = await ann.get(severity["AllowedValues"]["_ref"])

    assert severity["ObjectID"] < 0
    assert [value["StringValue"] for value in values.json()["QueryResult"]["Results"]] == [
        "",
        "Crash/Data Loss",
        "Major Problem",
        "Minor Problem",
        "Cosmetic",
    ]


async def test_security_authorize_gives_a_token(ann):
    response = await ann.get("security/authorize")

    result = response.json()["OperationResult"]
    assert result["Errors"] == []
    assert len(result["SecurityToken"]) == 43


async def test_the_other_name_of_the_version_works(ann):
    response = await ann.get(f"{ORIGIN}/slm/webservice/v2.x/user")

    assert response.json()["User"]["UserName"] == "ann@example.com"


async def test_an_old_version_is_gone(ann):
    response = await ann.get(f"{ORIGIN}/slm/webservice/v1.43/user")

    assert response.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{}, {"ZSESSIONID": "_nonsense"}, {"Authorization": "Basic X2Rldg=="}],
)
async def test_without_a_good_credential_the_answer_is_a_page(anonymous, headers):
    response = await anonymous.get(f"{WSAPI}/user", headers=headers)

    assert response.status_code == 401
    assert response.headers["content-type"].startswith("text/html")
    assert "The username or password you entered is incorrect." in response.text


async def test_a_bearer_token_is_as_good_as_the_session_header(anonymous):
    response = await anonymous.get(f"{WSAPI}/user", headers={"Authorization": "Bearer _devbob"})

    assert response.json()["User"]["UserName"] == "bob@example.com"


async def test_the_root_page_tells_who_can_sign_in(anonymous):
    page = (await anonymous.get("/")).text

    assert all(word in page for word in ("ann", "bob", "_devann", "_devbob", "client-1"))
    assert "secret-1" not in page


async def test_answers_are_json(ann):
    response = await ann.get("user")

    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.text) == response.json()


async def test_the_schema_of_a_foreign_workspace_is_not_found(ann, bob):
    workspace = await first(bob, "workspace")

    response = await ann.get(workspace["_ref"].replace("webservice", "schema"))

    assert response.status_code == 404
