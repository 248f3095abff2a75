"""Which tools a deployment offers, and how they are listed.

tests/tools/snapshots holds each tool's listing, as models get it. After a change that is meant,
renew them and review the difference:

    UPDATE_SNAPSHOTS=1 .venv/bin/pytest tests/tools/test_catalogue.py
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from rally_mcp.errors import ConfigurationError
from rally_mcp.tools.catalogue import ALL_TOOLS
from tests.fixtures.deployment import Deployment
from tests.fixtures.mcp_call import list_over_mcp
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

SNAPSHOTS = Path(__file__).parent / "snapshots"
ACCOUNT = {"get_rally_user", "complete_sign_in", "sign_out"}
WORK_ITEMS = {"create_rally_story", "create_rally_defect", "get_rally_issue"}
TOOLS = pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)


async def listed(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {tool["name"]: tool for tool in await list_over_mcp(deployment.caller())}


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Return every JSON object inside a schema, itself included."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects_in(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(found for item in schema.values() for found in objects_in(item))]


@TOOLS
async def test_a_tool_is_listed_as_its_snapshot_says(deployment, tool):
    path = SNAPSHOTS / f"{tool.name}.json"
    listing = json.dumps((await listed(deployment))[tool.name], indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(listing, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == listing


def test_every_snapshot_is_of_a_tool():
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {tool.name for tool in ALL_TOOLS}


def test_there_are_no_more_tools_than_a_model_can_choose_among():
    names = [tool.name for tool in ALL_TOOLS]

    assert len(names) <= 28
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


async def test_rest_lists_the_same_tools_with_the_same_schemas(deployment):
    caller = deployment.caller()

    answer = await caller.instance.mcp.get("/tools", headers={"Session-ID": caller.session_id})

    over_rest = {
        tool["name"]: (tool["input_schema"], tool["output_schema"])
        for tool in answer.json()["tools"]
    }
    over_mcp = {
        name: (tool["inputSchema"], tool["outputSchema"])
        for name, tool in (await listed(deployment)).items()
    }
    assert over_rest == over_mcp


@TOOLS
async def test_a_tool_says_what_it_does_and_describes_its_arguments(deployment, tool):
    listing = (await listed(deployment))[tool.name]

    assert 40 <= len(listing["description"]) <= 400
    assert listing["annotations"]["readOnlyHint"] == tool.read_only
    assert listing["inputSchema"]["additionalProperties"] is False
    for argument in listing["inputSchema"].get("properties", {}).values():
        assert argument["description"].endswith(".")


@TOOLS
def test_an_error_fits_the_output_schema(tool):
    for schema in objects_in(tool.output_schema):
        assert "required" not in schema
        assert schema.get("additionalProperties") is not False


async def test_all_tools_are_offered_where_nothing_bounds_them(deployment):
    assert set(await listed(deployment)) == WORK_ITEMS | ACCOUNT


async def test_a_toolset_that_is_not_named_is_neither_listed_nor_run(deploy):
    deployment = deploy(TOOLSETS="account", **WITHOUT_CODE)
    ann = await signed_in(deployment)

    answer = await ann.call("create_rally_story", title="Hidden")

    assert set(await listed(deployment)) == ACCOUNT
    assert answer.status_code == 404


async def test_signing_in_is_offered_whatever_toolsets_are_named(deploy):
    assert set(await listed(deploy(TOOLSETS="work_items"))) == WORK_ITEMS | ACCOUNT


@pytest.mark.parametrize("spelling", ["true", "1", "True"])
async def test_a_read_only_deployment_hides_what_writes_to_rally(deploy, rally, spelling):
    deployment = deploy(READ_ONLY=spelling, **WITHOUT_CODE)
    ann = await signed_in(deployment)
    rally.stats.clear()

    refused = [
        await ann.call(tool, title="Hidden")
        for tool in ("create_rally_story", "create_story", "create_rally_defect")
    ]
    read = await ann.call("get_rally_issue", formatted_id="US1")

    assert set(await listed(deployment)) == {"get_rally_issue"} | ACCOUNT
    assert [answer.status_code for answer in refused] == [404] * 3
    assert read.status_code == 200
    assert [request.method for request in rally.stats.requests] == ["GET"]


async def test_an_unknown_tool_is_a_404_that_lists_the_known_ones(deployment):
    answer = await deployment.caller().call("delete_rally_story")

    assert answer.status_code == 404
    assert answer.json()["error"] == "Unknown tool"
    assert "create_rally_story" in answer.json()["message"]
    assert "create_story," not in answer.json()["message"]


async def test_an_unknown_toolset_stops_the_start_and_is_named(deploy):
    with pytest.raises(ConfigurationError) as refused:
        deploy(TOOLSETS="work_items,planning")

    assert refused.value.message == ("TOOLSETS names planning; known toolsets: account, work_items")
