"""A chat has a connection per upstream: each is asked for, made and kept apart from the others."""

import httpx
import pytest

from devtools.github_simulator import GitHubSimulator
from rally_mcp.sign_in.states import PENDING_TTL
from tests.clients.browser_walk import walk
from tests.fixtures.connections import ALL, PROBES, connection, connections, working
from tests.fixtures.deployment import CALLBACK_ORIGIN, Caller, Deployment
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.upstream_contract import PROVIDERS, declared
from tests.fixtures.upstreams import SIMULATORS

EACH_PROVIDER = pytest.mark.parametrize("upstream", PROVIDERS)
SIGNED_OUT = dict.fromkeys(PROVIDERS, "signed_out") | {"yata": "shared"}


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with(ALL, **WITHOUT_CODE)


@pytest.fixture
def chat(deployment) -> Caller:
    return deployment.caller()


@pytest.fixture
def simulators(rally, github, entra_id, yata):
    return {"rally": rally, "github": github, "entra_id": entra_id, "yata": yata}


async def arrives_at(chat: Caller, link: str) -> str:
    """Return the address that a link sends a browser to."""
    return str((await chat.instance.browser().get(link)).headers["location"])


async def sign_in_to_all(chat: Caller, user: str = "ann") -> None:
    for tool in PROBES.values():
        await sign_in(chat, user, tool)


def test_every_upstream_that_people_sign_in_to_can_be_asked_for():
    assert set(PROBES) == set(PROVIDERS)


@EACH_PROVIDER
async def test_a_tool_that_lacks_its_upstream_answers_with_that_upstreams_link(chat, upstream):
    answer = await chat.call(PROBES[upstream])

    title = declared(upstream).title
    link = answer.json()["auth_url"]
    assert answer.status_code == 401
    assert answer.json()["error_description"].endswith(
        f"User must authenticate with {title} to access this tool"
    )
    assert answer.json()["instructions"][1] == (
        f"2. Complete {title} authentication and authorization"
    )
    assert (await arrives_at(chat, link)).startswith(
        f"{declared(upstream).authorization_endpoint}?"
    )


@EACH_PROVIDER
async def test_over_mcp_the_link_is_shorter_and_leads_to_the_same_upstream(chat, upstream):
    result = await call_over_mcp(chat, PROBES[upstream])

    link = result["structuredContent"]["auth_url"]
    assert result["isError"]
    assert f"\n{link}\n" in text_of(result)
    assert declared(upstream).title in text_of(result)
    assert len(link) < 100
    assert (await arrives_at(chat, link)).startswith(f"{SIMULATORS[upstream].origin}/")


@EACH_PROVIDER
async def test_signing_in_to_one_leaves_the_others_as_they_were(chat, upstream, simulators):
    await sign_in(chat, tool=PROBES[upstream])

    signed_in = await connections(chat)
    asked = {name for name, simulator in simulators.items() if simulator.stats.requests}
    assert signed_in == SIGNED_OUT | {upstream: "signed_in"}
    assert asked == {upstream}
    assert await working(chat) == {upstream}


async def test_one_chat_may_be_signed_in_to_all_and_be_another_person_at_each(chat):
    for (upstream, tool), user in zip(PROBES.items(), ["ann", "bob", "ann"], strict=True):
        await sign_in(chat, user, tool)
        assert (await connection(chat, upstream))["status"] == "signed_in"

    users = [(await connection(chat, upstream))["user"] for upstream in PROBES]
    assert await working(chat) == set(PROVIDERS)
    assert ["Ann" in user for user in users] == [True, False, True]
    assert "Bob Baker" in users[1]


async def test_a_link_to_one_upstream_lives_beside_a_link_to_another(chat):
    links = {upstream: await chat.auth_url(tool) for upstream, tool in PROBES.items()}

    for link in reversed(links.values()):
        page = await chat.visit(link)
        assert page.response.status_code == 200

    assert len(set(links.values())) == len(PROVIDERS)
    assert await working(chat) == set(PROVIDERS)


@EACH_PROVIDER
async def test_a_sign_in_that_is_declined_is_told_with_the_next_link_to_that_upstream(
    chat, upstream
):
    other = next(name for name in PROVIDERS if name != upstream)
    await chat.visit(await chat.auth_url(PROBES[upstream]), decision="deny")

    again = await chat.call(PROBES[upstream])
    elsewhere = await chat.call(PROBES[other])

    assert "was declined in the browser" in again.json()["error_description"]
    assert "declined" not in elsewhere.json()["error_description"]
    assert (await connections(chat))[upstream] == "sign_in_started"


async def test_a_tool_that_needs_two_upstreams_asks_for_one_after_the_other(chat):
    arguments = {"formatted_id": "US1", "repository": "acme/rockets", "number": 1}
    reached = []
    for _ in range(2):
        link = await chat.auth_url("link_rally_to_github", **arguments)
        reached.append((await arrives_at(chat, link)).partition("?")[0])
        await chat.visit(link)

    answer = await chat.call("link_rally_to_github", **arguments)

    assert set(reached) == {declared(name).authorization_endpoint for name in ("rally", "github")}
    assert answer.status_code == 200, answer.text


async def test_an_upstream_that_ends_its_sign_in_ends_no_other(chat, clock, github, entra_id):
    await sign_in_to_all(chat)
    github.revoke_user("ann")
    entra_id.directory.revoke_user("ann")
    github_link = await chat.call("get_github_user")
    clock.advance(hours=2)

    entra_link = await chat.call("server_info")

    for link in (github_link, entra_link):
        assert link.json()["error_description"].startswith("The upstream ended the last sign-in.")
    assert await working(chat) == {"rally"}


@EACH_PROVIDER
async def test_with_codes_each_sign_in_is_confirmed_by_its_own(deploy_with, upstream):
    chat = deploy_with(ALL).caller()
    codes = {
        name: (await chat.visit(await chat.auth_url(tool))).code for name, tool in PROBES.items()
    }

    answer = await chat.call("complete_sign_in", code=codes[upstream])

    waiting = dict.fromkeys(PROVIDERS, "waiting_for_code") | {"yata": "shared"}
    assert answer.json()["message"].startswith("Signed in as Ann")
    assert await connections(chat) == waiting | {upstream: "signed_in"}
    for name in set(PROVIDERS) - {upstream}:
        await chat.call("complete_sign_in", code=codes[name])
    assert await working(chat) == set(PROVIDERS)


@EACH_PROVIDER
async def test_auth_status_follows_a_sign_in_from_link_to_confirmation(
    deploy_with, clock, upstream
):
    chat, tool = deploy_with(ALL).caller(), PROBES[upstream]
    before = await connections(chat)
    link = await chat.auth_url(tool)
    started = await connections(chat)
    page = await chat.visit(link)
    waiting = await connections(chat)
    await chat.call("complete_sign_in", code=page.code)
    done = await connections(chat)

    assert before == SIGNED_OUT
    assert started == SIGNED_OUT | {upstream: "sign_in_started"}
    assert waiting == SIGNED_OUT | {upstream: "waiting_for_code"}
    assert done == SIGNED_OUT | {upstream: "signed_in"}


@pytest.mark.parametrize("is_visited", [False, True], ids=["link", "code"])
async def test_auth_status_knows_when_a_sign_in_came_to_nothing(deploy_with, clock, is_visited):
    chat = deploy_with(ALL).caller()
    link = await chat.auth_url("get_github_user")
    if is_visited:
        await chat.visit(link)
    clock.now += PENDING_TTL

    assert await connections(chat) == SIGNED_OUT


async def test_auth_status_names_the_person_and_their_tenant_and_asks_no_upstream(chat, simulators):
    await sign_in_to_all(chat)
    for simulator in simulators.values():
        simulator.stats.clear()

    answer = await chat.call("auth_status")

    told = {each.pop("upstream"): each for each in answer.json()["connections"]}
    assert told["rally"] == {
        "title": "Rally",
        "status": "signed_in",
        "user": "Ann Archer",
        "tenant": "Acme Corporation",
    }
    assert told["yata"] == {"title": "YATA", "status": "shared", "user": "", "tenant": ""}
    assert [simulator.stats.requests for simulator in simulators.values()] == [[]] * 4


async def test_over_mcp_auth_status_is_a_line_on_each_and_keeps_names_apart(chat):
    await sign_in(chat)

    result = await call_over_mcp(chat, "auth_status")

    lines, _, written = text_of(result).partition("\n\n")
    assert not result["isError"]
    assert lines.splitlines() == [
        "Rally (rally): signed in",
        "GitHub (github): not signed in; a tool that needs it answers with a link",
        "Microsoft (entra_id): not signed in; a tool that needs it answers with a link",
        "YATA (yata): used with this deployment's own account",
    ]
    assert "rally user: Ann Archer" in written
    assert "Ann" not in lines


async def test_an_upstream_that_is_no_longer_chosen_is_neither_told_nor_in_the_way(
    deploy_with, chat, deployment
):
    await sign_in_to_all(chat)
    later = deploy_with("yata,entra_id", new_store=deployment.new_store, **WITHOUT_CODE)
    chat = later.caller(chat.session_id)

    told = await connections(chat)
    todos = await chat.call("list_todos")
    out = await chat.call("sign_out")

    assert told == {"yata": "shared", "entra_id": "signed_in"}
    assert todos.status_code == 200
    assert out.json()["message"] == "Signed out of Microsoft. Tokens are deleted."


async def test_a_code_from_one_upstream_is_not_taken_for_another(
    chat, github: GitHubSimulator, entra_id
):
    github_link, entra_link = [
        await chat.auth_url(tool) for tool in ("get_github_user", "server_info")
    ]
    browser = chat.instance.browser()
    state = (await arrives_at(chat, entra_link)).partition("&state=")[2].partition("&")[0]
    back = await _back_from_github(chat, github_link)

    answer = await browser.get(f"{CALLBACK_ORIGIN}/callback", params={"code": back, "state": state})

    assert answer.status_code == 502
    assert entra_id.stats.refused_token_requests == 1
    assert github.stats.code_exchanges == 0
    assert await working(chat) == set()


async def _back_from_github(chat: Caller, link: str) -> str:
    """Sign in at GitHub and stop there; return the code that it sends the browser back with."""
    page = await walk(chat.instance.browser(), link, stop_before=CALLBACK_ORIGIN)
    return httpx.URL(page.response.headers["location"]).params["code"]
