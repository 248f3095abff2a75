"""One call that asks for the sign-in and does the work: the client asks its person in between."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.deployment import AUTH_ORIGIN, Caller, Deployment
from tests.fixtures.mcp_call import text_of
from tests.fixtures.oauth_client import new_client
from tests.fixtures.raw_mcp import META, MODERN
from tests.fixtures.upstreams import Deploy
from tests.flows.test_sign_in_code import wrong

PAGES_AND_FORMS = {"elicitation": {"form": {}, "url": {}}}
FORMS = {"elicitation": {"form": {}}}
UNNAMED_MODE = {"elicitation": {}}
PAGES_ALONE = {"elicitation": {"url": {}}}
AT_THE_PAGE = {"sign_in_page": {"action": "accept"}}


async def call(
    chat: Caller,
    capabilities: dict[str, Any],
    responses: dict[str, Any] | None = None,
    tool: str = "get_rally_user",
    credential: dict[str, str] | None = None,
    **arguments: object,
) -> dict[str, Any]:
    """Call a tool as a 2026-07-28 client, with responses to what was asked before."""
    meta = META | {"io.modelcontextprotocol/clientCapabilities": capabilities}
    params: dict[str, Any] = {"_meta": meta, "name": tool, "arguments": arguments}
    if responses is not None:
        params["inputResponses"] = responses
    answer = await chat.instance.mcp.post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={
            **(credential or {"Session-ID": chat.session_id}),
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "MCP-Method": "tools/call",
            "MCP-Name": tool,
        },
    )
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    result: dict[str, Any] = answer.json()["result"]
    return result


def typed(code: str) -> dict[str, Any]:
    return {"confirmation_code": {"action": "accept", "content": {"code": code}}}


def asked(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what the client is to ask its person: one thing, of that name."""
    assert result["resultType"] == "input_required"
    [(key, request)] = result["inputRequests"].items()
    assert (key, request["method"]) == (name, "elicitation/create")
    params: dict[str, Any] = request["params"]
    return params


async def test_a_client_that_opens_pages_is_asked_to_open_one_and_then_for_the_code(
    deployment: Deployment,
):
    chat = deployment.caller()

    page = asked(await call(chat, PAGES_AND_FORMS), "sign_in_page")
    form = asked(await call(chat, PAGES_AND_FORMS, AT_THE_PAGE), "confirmation_code")
    code = (await chat.visit(page["url"])).code
    done = await call(chat, PAGES_AND_FORMS, typed(code))

    assert page["url"].startswith(f"{AUTH_ORIGIN}/auth?state=")
    assert (page["mode"], len(page["elicitationId"])) == ("url", 64)
    assert page["url"] in form["message"]
    assert form["requestedSchema"]["required"] == ["code"]
    assert done["structuredContent"]["user_name"] == "ann@example.com"


@pytest.mark.parametrize("capabilities", [FORMS, UNNAMED_MODE])
async def test_a_client_that_shows_forms_alone_is_told_the_address_in_the_form(
    deployment: Deployment, capabilities
):
    chat = deployment.caller()

    form = asked(await call(chat, capabilities), "confirmation_code")
    [address] = [word for word in form["message"].split() if word.startswith("http")]
    code = (await chat.visit(address)).code
    done = await call(chat, capabilities, typed(code))

    assert form["mode"] == "form"
    assert not done.get("isError")


@pytest.mark.parametrize("capabilities", [{}, PAGES_ALONE, {"sampling": {}}])
async def test_a_client_without_forms_gets_the_address_in_text(
    deployment: Deployment, capabilities
):
    result = await call(deployment.caller(), capabilities)

    assert result["isError"]
    assert result["structuredContent"]["auth_url"] in text_of(result).splitlines()


@pytest.mark.parametrize("action", ["decline", "cancel"])
@pytest.mark.parametrize("name", ["sign_in_page", "confirmation_code"])
async def test_who_declines_gets_the_address_in_text(deployment: Deployment, name, action):
    chat = deployment.caller()
    await call(chat, PAGES_AND_FORMS)

    result = await call(chat, PAGES_AND_FORMS, {name: {"action": action}})

    assert result["isError"]
    assert result["structuredContent"]["auth_url"] in text_of(result).splitlines()


async def test_a_wrong_code_is_asked_for_again_until_the_sign_in_is_discarded(
    deployment: Deployment,
):
    chat = deployment.caller()
    page = asked(await call(chat, PAGES_AND_FORMS), "sign_in_page")
    code = (await chat.visit(page["url"])).code

    told = [
        asked(await call(chat, PAGES_AND_FORMS, typed(wrong(code))), "confirmation_code")
        for _ in range(5)
    ]
    late = await call(chat, PAGES_AND_FORMS, typed(code))

    assert [
        f"{left} tries left" in form["message"]
        for left, form in zip((4, 3, 2, 1), told, strict=False)
    ] == ([True] * 4)
    assert "discarded" in told[4]["message"]
    assert page["url"] not in told[4]["message"]
    assert late["resultType"] == "input_required"


@pytest.mark.parametrize("code", ["", "K7QF-2M9X", "x" * 5000, 7, None, ["K7QF-2M9X"]])
async def test_a_form_that_brings_no_code_is_asked_for_again(deployment: Deployment, code):
    chat = deployment.caller()

    result = await call(
        chat, FORMS, {"confirmation_code": {"action": "accept", "content": {"code": code}}}
    )

    asked(result, "confirmation_code")


async def test_who_signed_in_already_is_asked_for_the_code_alone(deployment: Deployment):
    chat = deployment.caller()
    await chat.visit(await chat.auth_url())

    asked(await call(chat, PAGES_AND_FORMS), "confirmation_code")


async def test_a_code_of_another_chat_signs_nobody_in(deployment: Deployment):
    victim, attacker = deployment.caller(), deployment.caller()
    page = asked(await call(victim, PAGES_AND_FORMS), "sign_in_page")
    code = (await victim.visit(page["url"])).code

    result = await call(attacker, PAGES_AND_FORMS, typed(code))

    asked(result, "confirmation_code")
    assert (await call(victim, PAGES_AND_FORMS, typed(code))).get("isError") is not True


async def test_without_codes_the_person_says_when_the_page_is_done(deploy: Deploy):
    chat = deploy(SIGN_IN_CONFIRMATION="none").caller()

    page = asked(await call(chat, PAGES_AND_FORMS), "sign_in_page")
    form = asked(await call(chat, PAGES_AND_FORMS, AT_THE_PAGE), "confirmation_code")
    early = await call(chat, PAGES_AND_FORMS, {"confirmation_code": {"action": "accept"}})
    await chat.visit(page["url"])
    done = await call(chat, PAGES_AND_FORMS, {"confirmation_code": {"action": "accept"}})

    assert form["requestedSchema"]["properties"] == {}
    assert early["isError"]
    assert not done.get("isError")


async def test_a_tool_of_two_upstreams_asks_for_one_sign_in_after_the_other(deploy_with: Deploy):
    chat = deploy_with("rally,github").caller()
    link = {
        "tool": "link_rally_to_github",
        "formatted_id": "US1",
        "repository": "acme/rockets",
        "number": 1,
    }

    first = asked(await call(chat, PAGES_AND_FORMS, **link), "sign_in_page")
    code = (await chat.visit(first["url"])).code
    second = asked(await call(chat, PAGES_AND_FORMS, typed(code), **link), "confirmation_code")

    assert "GitHub" in second["message"]


async def test_an_mcp_client_with_an_access_token_is_asked_for_a_further_upstream(
    deploy_with: Deploy,
):
    deployment = deploy_with("rally,github")
    tokens = await replace(new_client(deployment), scope=None).sign_in()
    credential = {"Authorization": f"Bearer {tokens['access_token']}"}
    chat = deployment.caller()

    page = asked(
        await call(chat, PAGES_AND_FORMS, tool="get_github_user", credential=credential),
        "sign_in_page",
    )
    code = (await chat.visit(page["url"])).code
    done = await call(
        chat,
        PAGES_AND_FORMS,
        typed(code),
        tool="get_github_user",
        credential=credential,
    )

    assert done["structuredContent"]["login"] == "ann"


async def test_asking_again_costs_no_write(deployment: Deployment):
    chat = deployment.caller()

    first = asked(await call(chat, PAGES_AND_FORMS), "sign_in_page")
    second = asked(await call(chat, PAGES_AND_FORMS), "sign_in_page")

    assert first == second
