"""Deleting, and that nobody touches what is somebody else's."""


async def updated(client, ref, type_name, **values):
    response = await client.post(ref, json={type_name: values})
    assert response.status_code == 200
    return response.json()["OperationResult"]


async def first(client, type_name, query, **parameters):
    parameters = {"project": "null", "query": query, "fetch": "true", **parameters}
    response = await client.get(type_name, params=parameters)
    return response.json()["QueryResult"]["Results"][0]


async def test_a_deleted_story_takes_its_tasks_and_leaves_its_defects(ann):
    story = await first(ann, "hierarchicalrequirement", "(FormattedID = US1)")

    result = (await ann.delete(story["_ref"])).json()["OperationResult"]

    gone = (await ann.get(story["_ref"])).json()["OperationResult"]["Errors"]
    tasks = (await ann.get("task", params={"project": "null"})).json()["QueryResult"]
    defect = await first(ann, "defect", "(FormattedID = DE1)")
    assert result["Errors"] == []
    assert gone == ["Cannot find object to read"]
    assert tasks["TotalResultCount"] == 0
    assert defect["Requirement"] is None


async def test_deleting_nothing_is_refused(ann):
    response = await ann.delete("defect/1")

    assert response.json()["OperationResult"]["Errors"] == ["Object to delete cannot be null"]


async def test_nobody_writes_to_the_workspace_of_somebody_else(ann, bob):
    defect = await first(bob, "defect", "(FormattedID = DE1)")

    update = await updated(ann, defect["_ref"], "Defect", Name="Mine")
    delete = (await ann.delete(defect["_ref"])).json()["OperationResult"]

    after = await first(bob, "defect", "(FormattedID = DE1)")
    assert update["Errors"][0].startswith("Could not read: Could not read Defect")
    assert delete["Errors"] == ["Object to delete cannot be null"]
    assert after["Name"] == defect["Name"]
