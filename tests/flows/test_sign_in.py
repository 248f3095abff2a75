"""Signing in with a Session-ID, from the chat through the browser and back."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Caller, Deployment
from tests.fixtures.mcp_call import call_over_mcp, list_over_mcp, text_of
from tests.fixtures.meeting_store import meeting
from tests.fixtures.stored import stored_rows

RUN_APP = "https://auth-redirect-123456789012.australia-southeast1.run.app"
"""An origin as Google makes it. Name and region may have 33 characters together, as here."""

SAY_THE_CODE = "say 'authentication complete' followed by the code that the page shows"


async def test_a_story_is_created_after_the_sign_in(deployment: Deployment) -> None:
    chat = deployment.caller()

    await chat.sign_in("ann")
    answer = await chat.call("create_rally_story", title="Search by name", description="**Fast**")

    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["story"]["formatted_id"].startswith("US")


async def test_a_story_is_created_over_mcp_after_the_sign_in(deployment: Deployment) -> None:
    chat = deployment.caller()
    link = (await call_over_mcp(chat, "create_rally_story", title="x"))["structuredContent"]
    page = await chat.visit(link["auth_url"])

    confirmed = await call_over_mcp(chat, "complete_sign_in", code=page.code)
    created = await call_over_mcp(chat, "create_rally_story", title="x")

    assert not confirmed.get("isError")
    assert created["structuredContent"]["success"] is True


@requirement("A3")
async def test_the_first_call_over_rest_answers_401_with_what_to_do(deployment: Deployment) -> None:
    answer = await deployment.caller().call("create_rally_story", title="x")

    assert answer.status_code == 401
    body = answer.json()
    assert body.pop("auth_url").startswith(f"{AUTH_ORIGIN}/auth?state=")
    assert body == {
        "error": "Authentication required",
        "error_description": "User must authenticate with Rally to access this tool",
        "instructions": [
            "1. Copy the auth_url and open it in your browser",
            "2. Complete Rally authentication and authorization",
            f"3. Return to this chat and {SAY_THE_CODE}",
            "4. Retry your original request",
        ],
    }


async def test_the_link_over_rest_carries_all_three_pkce_parameters(deployment: Deployment) -> None:
    link = urlsplit(await deployment.caller().auth_url())

    parameters = parse_qs(link.query, strict_parsing=True)
    assert set(parameters) == {"state", "code_challenge", "code_challenge_method"}
    assert parameters["code_challenge_method"] == ["S256"]
    assert len(parameters["state"][0]) == 24
    assert len(parameters["code_challenge"][0]) == 43


@requirement("A3")
async def test_the_first_call_over_mcp_is_a_tool_error_with_the_link_on_its_own_line(
    deployment: Deployment,
) -> None:
    chat = deployment.caller()

    result = await call_over_mcp(chat, "create_rally_story", title="x")

    members = result["structuredContent"]
    assert result["isError"] is True
    assert set(members) == {"error", "error_description", "auth_url", "instructions"}
    assert members["auth_url"] in text_of(result).splitlines()


@requirement("A3")
async def test_tools_are_listed_without_a_sign_in(deployment: Deployment) -> None:
    chat = deployment.caller()

    tools = await list_over_mcp(chat)
    answer = await chat.instance.mcp.get("/tools", headers={"Session-ID": chat.session_id})

    assert {"complete_sign_in", "create_rally_story"} <= {tool["name"] for tool in tools}
    assert answer.status_code == 200
    assert await stored_rows(deployment) == []


@requirement("A20")
async def test_the_link_over_mcp_is_short_and_leads_to_the_configured_origin(
    deploy: Callable[..., Deployment],
) -> None:
    chat = deploy(AUTH_URL=RUN_APP).caller()

    result = await call_over_mcp(chat, "get_rally_user")

    link = result["structuredContent"]["auth_url"]
    assert link.startswith(f"{RUN_APP}/auth?state=")
    assert len(link) < 100


async def test_both_protocols_show_the_same_sign_in(deployment: Deployment) -> None:
    chat = deployment.caller()

    over_mcp = (await call_over_mcp(chat, "get_rally_user"))["structuredContent"]["auth_url"]
    over_rest = await chat.auth_url()

    assert over_rest.startswith(f"{over_mcp}&")


@requirement("A4")
async def test_twenty_first_calls_at_once_show_one_link(deployment: Deployment) -> None:
    instance = meeting(deployment, PRINCIPALS, 20)
    chat = deployment.caller().on(instance)

    links = await _at_once(20, chat)

    assert len(links) == 20
    assert len(set(links)) == 1
    assert (await chat.visit(links[0])).code


@requirement("A21")
async def test_whoever_types_the_code_is_told_whose_rally_it_connects(
    deployment: Deployment,
) -> None:
    answer = await deployment.caller().sign_in("bob")

    assert "Bob Baker (Beacon Corporation)" in answer.json()["message"]


async def test_the_page_names_the_user_beside_the_code(deployment: Deployment) -> None:
    chat = deployment.caller()

    page = await chat.visit(await chat.auth_url(), "bob")

    assert "Signed in to Rally as Bob Baker" in page.response.text


async def test_a_chat_goes_on_at_another_instance_between_any_two_steps(
    deployment: Deployment,
) -> None:
    here, there = deployment.caller(), deployment.scale_out()
    link = await here.auth_url()
    page = await here.on(there).visit(link)

    confirmed = await here.call("complete_sign_in", code=page.code)
    used = await here.on(there).call("get_rally_user")

    assert confirmed.status_code == 200
    assert used.json()["display_name"] == "Ann Archer"


async def _at_once(calls: int, chat: Caller) -> list[str]:
    return list(await asyncio.gather(*(chat.auth_url() for _ in range(calls))))
