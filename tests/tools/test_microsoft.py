"""The two tools for people who signed in with Microsoft Entra ID."""

import json

import pytest

from rally_mcp import __version__
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.signed_in import WITHOUT_CODE

TOOLS = ["hello_world", "server_info"]
GREETING = "Hello, {}! You've successfully authenticated with Azure and accessed this MCP tool."


async def sign_in(chat):
    page = await chat.visit(await chat.auth_url("hello_world"), "ann")
    assert page.response.status_code == 200, page.response.text
    return chat


@pytest.fixture
def deployment(deploy_with):
    return deploy_with("entra_id", **WITHOUT_CODE)


@pytest.fixture
async def ann(deployment):
    return await sign_in(deployment.caller())


@pytest.mark.parametrize(("given", "greeted"), [({}, "World"), ({"name": "Ann"}, "Ann")])
async def test_whoever_is_signed_in_is_greeted(ann, given, greeted):
    result = await call_over_mcp(ann, "hello_world", **given)

    assert text_of(result) == GREETING.format(greeted)
    assert result["structuredContent"] == {"result": GREETING.format(greeted)}


async def test_a_name_is_greeted_on_one_line_that_shows_it_all(ann):
    answer = await ann.call("hello_world", name="Ann\r\n\u202eArcher\u200b")

    assert answer.json() == {"result": GREETING.format("Ann Archer")}


@pytest.mark.parametrize("arguments", [{"name": "x" * 257}, {"name": None}, {"who": "Ann"}])
async def test_a_name_out_of_bounds_is_a_400(ann, arguments):
    answer = await ann.call("hello_world", **arguments)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to say hello"


async def test_the_server_tells_what_it_is(deploy_with):
    chat = await sign_in(deploy_with("entra_id", SERVER_NAME="Board", **WITHOUT_CODE).caller())

    result = await call_over_mcp(chat, "server_info")

    assert result["structuredContent"] == {
        "name": "Board",
        "version": __version__,
        "authentication": "Azure OAuth (Microsoft Entra ID)",
        "tools": ["hello_world", "server_info"],
    }
    assert json.loads(text_of(result)) == result["structuredContent"]


async def test_the_server_names_the_tools_that_it_offers_and_no_others(deploy_with):
    settings = {"TOOLSETS": "microsoft,todos", "READ_ONLY": "true", **WITHOUT_CODE}
    chat = await sign_in(deploy_with("rally,entra_id,yata", **settings).caller())

    answer = await chat.call("server_info")

    assert answer.json()["tools"] == ["hello_world", "server_info", "list_todos", "get_todo"]


@pytest.mark.parametrize("tool", TOOLS)
async def test_whoever_is_not_signed_in_gets_a_link_to_microsoft(deployment, entra_id, tool):
    answer = await deployment.caller().call(tool)

    assert answer.status_code == 401
    assert "Microsoft" in answer.json()["error_description"]
    assert answer.json()["auth_url"].startswith(deployment.settings["AUTH_URL"])
    assert entra_id.stats.requests == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_whoever_signed_out_is_asked_to_sign_in_again(ann, tool):
    before = await ann.call(tool)
    await ann.call("sign_out")
    after = await ann.call(tool)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_signed_in_caller_costs_microsoft_nothing(ann, entra_id):
    entra_id.stats.clear()

    for tool in TOOLS:
        assert (await ann.call(tool)).status_code == 200

    assert entra_id.stats.requests == []
