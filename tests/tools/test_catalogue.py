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
from rally_mcp.identity_providers.registry import PERMISSIONS, UPSTREAMS
from rally_mcp.tools.catalogue import ALL_TOOLS
from tests.fixtures.deployment import Deployment
from tests.fixtures.mcp_call import list_over_mcp
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIGN_IN = {"auth_status", "complete_sign_in", "sign_out"}
ACCOUNT = {"get_rally_user"} | SIGN_IN
WORK_ITEMS = {"create_rally_story", "create_rally_defect", "get_rally_issue"}
GITHUB = {"get_github_user", "get_github_issue", "search_github_issues", "create_github_issue"}
BOTH_WAYS = {"link_rally_to_github"}
MICROSOFT = {"hello_world", "server_info"}
TODOS = {"create_todo", "list_todos", "get_todo", "update_todo", "delete_todo"}
"""Their arguments are described in the words that YATA's clients know."""

EVERYTHING = ",".join(UPSTREAMS)
TOOLS = pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)


@pytest.fixture
def whole_deployment(deploy_with) -> Deployment:
    """Deploy in front of everything that there is."""
    return deploy_with(EVERYTHING)


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
async def test_a_tool_is_listed_as_its_snapshot_says(whole_deployment, tool):
    path = SNAPSHOTS / f"{tool.name}.json"
    found = (await listed(whole_deployment))[tool.name]
    listing = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
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


@TOOLS
def test_every_scope_that_a_tool_needs_is_one_that_can_be_granted(tool):
    assert set(tool.scopes) <= PERMISSIONS.keys()


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_every_upstream_has_tools_and_every_scope_of_it_lets_use_one(upstream):
    needed = {scope for tool in ALL_TOOLS if upstream in tool.upstreams for scope in tool.scopes}

    assert UPSTREAMS[upstream].permissions.keys() <= needed


async def test_rest_lists_the_same_tools_with_the_same_schemas(whole_deployment):
    caller = whole_deployment.caller()

    answer = await caller.instance.mcp.get("/tools", headers={"Session-ID": caller.session_id})

    over_rest = {
        tool["name"]: (tool["input_schema"], tool["output_schema"])
        for tool in answer.json()["tools"]
    }
    over_mcp = {
        name: (tool["inputSchema"], tool["outputSchema"])
        for name, tool in (await listed(whole_deployment)).items()
    }
    assert over_rest == over_mcp


@TOOLS
async def test_a_tool_says_what_it_does_and_describes_its_arguments(whole_deployment, tool):
    listing = (await listed(whole_deployment))[tool.name]

    assert 40 <= len(listing["description"]) <= 400
    assert listing["annotations"]["readOnlyHint"] == tool.read_only
    assert listing["inputSchema"]["additionalProperties"] is False
    for argument in listing["inputSchema"].get("properties", {}).values():
        assert argument["description"].endswith("." if tool.name not in TODOS else "")


@TOOLS
def test_an_error_fits_the_output_schema(tool):
    for schema in objects_in(tool.output_schema):
        assert "required" not in schema
        assert schema.get("additionalProperties") is not False


async def test_all_tools_are_offered_where_nothing_bounds_them(whole_deployment):
    assert set(await listed(whole_deployment)) == {tool.name for tool in ALL_TOOLS}


@pytest.mark.parametrize(
    ("upstreams", "tools"),
    [
        ("rally", WORK_ITEMS | ACCOUNT),
        ("github", GITHUB | SIGN_IN),
        ("entra_id", MICROSOFT | SIGN_IN),
        ("yata", TODOS | SIGN_IN),
        ("rally,yata", WORK_ITEMS | TODOS | ACCOUNT),
        ("github,rally", WORK_ITEMS | GITHUB | BOTH_WAYS | ACCOUNT),
        ("entra_id,yata", MICROSOFT | TODOS | SIGN_IN),
    ],
)
async def test_a_tool_is_offered_where_every_upstream_that_it_needs_is_chosen(
    deploy_with, upstreams, tools
):
    deployment = deploy_with(upstreams)

    left_out = await deployment.caller().call(min({tool.name for tool in ALL_TOOLS} - tools))

    assert set(await listed(deployment)) == tools
    assert left_out.status_code == 404


@pytest.mark.parametrize(
    ("toolsets", "tools"),
    [
        ("github", GITHUB | BOTH_WAYS),
        ("todos", TODOS),
        ("microsoft,todos", MICROSOFT | TODOS),
        ("account", set()),
    ],
)
async def test_each_toolset_can_be_had_without_the_others(deploy_with, toolsets, tools):
    deployment = deploy_with(EVERYTHING, TOOLSETS=toolsets)

    assert set(await listed(deployment)) == tools | ACCOUNT


async def test_a_deployment_that_only_reads_hides_what_writes_to_any_upstream(deploy_with):
    deployment = deploy_with(EVERYTHING, READ_ONLY="true")

    reading = {tool.name for tool in ALL_TOOLS if tool.read_only}
    assert set(await listed(deployment)) == reading | SIGN_IN
    assert {"get_github_issue", "list_todos", "get_rally_issue"} < reading


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

    assert refused.value.message == (
        "TOOLSETS names planning; known toolsets: account, github, microsoft, todos, work_items"
    )
