"""Who may use the deployment's account at YATA: whoever is signed in, or anyone where said."""

import pytest

from tests.fixtures.connections import ALL, PROBES
from tests.fixtures.counting_store import counted
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.machine import add_machine
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.oauth_client import new_client
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.token_answers import INTERFACES, call_over, is_invalid_token
from tests.fixtures.upstream_contract import PROVIDERS, declared

SCOPES = ("yata:read", "yata:write")
PUBLIC = "mcp.example.com"


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with(ALL, **WITHOUT_CODE)


@pytest.fixture
def chat(deployment) -> Caller:
    return deployment.caller()


@pytest.fixture
def public(deploy_with) -> Deployment:
    """Deploy YATA alone where others than this machine reach it."""
    deployment = deploy_with("yata", MCP_URL=f"https://{PUBLIC}/mcp")
    deployment.instances[0].mcp.headers["Host"] = PUBLIC
    return deployment


@pytest.mark.parametrize("tool", ["list_todos", "create_todo"])
async def test_a_session_id_alone_gets_a_link_and_no_todos(chat, yata, tool):
    arguments = {"title": "Milk"} if tool == "create_todo" else {}

    over_rest = await chat.call(tool, **arguments)
    over_mcp = await call_over_mcp(chat, tool, **arguments)

    first = declared(PROVIDERS[0])
    location = (await chat.instance.browser().get(over_rest.json()["auth_url"])).headers["location"]
    assert over_rest.status_code == 401
    assert over_mcp["isError"]
    assert f"authenticate with {first.title}" in text_of(over_mcp)
    assert location.startswith(first.authorization_endpoint)
    assert yata.stats.requests == []


@pytest.mark.parametrize("upstream", PROVIDERS)
async def test_being_signed_in_to_an_organisations_upstream_is_enough(chat, yata, upstream):
    await sign_in(chat, tool=PROBES[upstream])

    answer = await chat.call("create_todo", title="Milk")

    assert answer.status_code == 200
    assert yata.stats.api_requests == {"POST /todos/": 1}


async def test_everybody_shares_one_list(deployment, chat):
    other = deployment.caller()
    await sign_in(chat, "ann")
    await sign_in(other, "bob", "get_github_user")
    await chat.call("create_todo", title="Milk")

    seen = (await other.call("list_todos")).json()

    assert [todo["title"] for todo in seen["todos"]] == ["Milk"]


@pytest.mark.parametrize("part", ["started", "waiting"])
async def test_a_sign_in_that_is_not_finished_is_none(deploy_with, yata, part):
    chat = deploy_with("rally,yata").caller()
    link = await chat.auth_url("list_todos")
    if part == "waiting":
        await chat.visit(link)

    assert (await chat.call("list_todos")).status_code == 401
    assert yata.stats.requests == []


async def test_whoever_signed_out_is_out_here_too(chat, yata):
    await sign_in(chat)
    before = await chat.call("list_todos")
    await chat.call("sign_out")
    yata.stats.clear()

    after = await chat.call("list_todos")

    assert (before.status_code, after.status_code) == (200, 401)
    assert yata.stats.requests == []


async def test_signing_out_of_one_of_two_leaves_the_todos(chat):
    await sign_in(chat)
    await sign_in(chat, tool="get_github_user")
    await chat.call("sign_out", upstream="rally")

    assert (await chat.call("list_todos")).status_code == 200


async def test_whoever_lost_the_access_there_loses_it_here_when_the_token_ends(
    chat, clock, rally, yata
):
    await sign_in(chat)
    rally.revoke_user("ann")
    clock.advance(days=1)

    answer = await chat.call("list_todos")

    assert answer.status_code == 401
    assert answer.json()["error_description"].startswith("The upstream ended the last sign-in.")
    assert yata.stats.requests == []


@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_client_that_may_uses_the_todos(deployment, interface):
    client = new_client(deployment, scope="yata:read")
    access_token = (await client.sign_in())["access_token"]

    answer = await call_over(interface, client, access_token, "list_todos")
    writing = await client.call(access_token, "create_todo", title="Milk")

    assert answer.status_code == 200
    assert "No todos found" in answer.text or answer.json()["count"] == 0
    assert writing.status_code == 403
    assert 'scope="yata:read yata:write"' in writing.headers["www-authenticate"]


@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_grant_whose_sign_in_is_over_is_over_for_the_todos(
    deployment, clock, rally, interface
):
    client = new_client(deployment, scope=None)
    tokens = await client.sign_in()
    rally.revoke_user("ann")
    clock.advance(days=1)
    access_token = (await client.refresh(tokens["refresh_token"])).json()["access_token"]

    assert is_invalid_token(await call_over(interface, client, access_token, "list_todos"))


async def test_a_machine_with_the_scopes_uses_the_todos_without_any_sign_in(
    deployment, rally, yata
):
    machine = await add_machine(deployment, scopes=SCOPES)
    access_token = await machine.access_token(" ".join(SCOPES))

    created = await machine.plain.call(access_token, "create_todo", title="Milk")
    listed = await machine.plain.mcp(access_token, "tools/list")

    names = {tool["name"] for tool in listed.json()["result"]["tools"]}
    assert created.status_code == 200
    assert names == {"create_todo", "list_todos", "get_todo", "update_todo", "delete_todo"}
    assert yata.stats.issued_tokens == 1
    assert rally.stats.requests == []


async def test_a_machine_without_the_scope_is_refused(deployment, yata):
    machine = await add_machine(deployment, scopes=SCOPES)

    answer = await machine.plain.call(
        await machine.access_token("yata:read"), "create_todo", title="Milk"
    )

    assert answer.status_code == 403
    assert yata.stats.requests == []


async def test_anyone_may_where_the_settings_say_so(deploy_with, rally):
    chat = deploy_with("rally,yata", YATA_CALLERS="anyone").caller()

    assert (await chat.call("list_todos")).status_code == 200
    assert (await chat.call("get_rally_user")).status_code == 401
    assert rally.stats.requests == []


async def test_anyone_on_this_machine_may_where_nobody_can_sign_in(deploy_with):
    chat = deploy_with("yata").caller()

    created = await chat.call("create_todo", title="Milk")
    over_mcp = await call_over_mcp(chat, "list_todos")

    assert created.status_code == 200
    assert "Milk" in text_of(over_mcp)


async def test_a_session_id_is_still_needed(deploy_with, yata):
    instance = deploy_with("yata").instances[0]

    answer = await instance.mcp.post("/tools/list_todos", json={})

    assert answer.status_code == 400
    assert answer.json()["error"] == "Missing Session-ID header"
    assert yata.stats.requests == []


async def test_elsewhere_nobody_can_sign_in_and_a_chat_is_told_so(public, yata):
    answer = await public.caller().call("list_todos")

    assert answer.status_code == 403
    assert answer.json()["message"] == (
        "Nobody signs in here with an account that an organisation gave, so YATA is for machine "
        "clients alone; an administrator can add one, or set YATA_CALLERS=anyone."
    )
    assert yata.stats.requests == []


async def test_elsewhere_there_is_no_consent_to_give(public):
    client = new_client(public, scope=None)
    await client.register()
    browser = client.instance.browser()

    page = await client.consent_page(browser)
    back = await browser.get("http://127.0.0.1:8081/authorize/complete?ticket=x")

    assert page.response.status_code == 404
    assert "This deployment serves machine clients alone" in page.response.text
    assert page.form is None
    assert back.status_code == 404


async def test_elsewhere_a_machine_works(public, yata):
    machine = await add_machine(public, scopes=SCOPES)
    access_token = await machine.access_token(" ".join(SCOPES))

    answer = await machine.plain.call(access_token, "create_todo", title="Milk")

    assert answer.status_code == 200
    assert yata.stats.issued_tokens == 1


async def test_elsewhere_anyone_may_where_the_settings_say_so(deploy_with):
    deployment = deploy_with("yata", MCP_URL=f"https://{PUBLIC}/mcp", YATA_CALLERS="anyone")
    deployment.instances[0].mcp.headers["Host"] = PUBLIC

    assert (await deployment.caller().call("list_todos")).status_code == 200


async def test_where_nobody_can_sign_in_the_tools_of_an_account_have_nothing_to_do(deploy_with):
    chat = deploy_with("yata").caller()

    told = await chat.call("auth_status")
    completed = await chat.call("complete_sign_in", code="K7QF-2M9X")
    out = await chat.call("sign_out")
    named = await chat.call("sign_out", upstream="yata")

    assert told.json()["connections"] == [
        {"upstream": "yata", "title": "YATA", "status": "shared", "user": "", "tenant": ""}
    ]
    assert completed.status_code == 404
    assert out.json()["message"] == "Nobody was signed in."
    assert named.status_code == 400
    assert named.json()["message"] == "upstream: name one that people sign in to: none."


async def test_a_call_costs_one_read_and_no_write(deployment):
    store, instance = counted(deployment)
    chat = deployment.caller().on(instance)
    await sign_in(chat)
    await chat.call("list_todos")
    store.forget()

    await chat.call("list_todos")

    assert (store.reads, store.writes) == (1, 0)


async def test_the_audit_log_says_who_used_the_shared_account(chat):
    await sign_in(chat)

    with written_log() as log:
        await chat.call("list_todos")

    [line] = log.audit("tool.called")
    assert (line["tool"], line["user"], line["decision"]) == (
        "list_todos",
        "Ann Archer",
        "allowed",
    )


async def test_an_account_that_anybody_can_make_is_not_enough(deploy_with, github, yata):
    deployment = deploy_with("github,yata", GITHUB_URL="https://github.com")

    answer = await deployment.caller().call("list_todos")

    assert answer.status_code == 403
    assert "YATA_CALLERS=anyone" in answer.json()["message"]
    assert yata.stats.requests == []
