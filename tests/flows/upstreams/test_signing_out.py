"""Signing out of one upstream or of all: what is forgotten, what is revoked, and what is told."""

import asyncio

import httpx
import pytest

from devtools.github_simulator import Fault
from rally_mcp.sign_in.records import PRINCIPALS
from rally_mcp.sign_in.states import PENDING_TTL
from tests.fixtures.connections import ALL, PROBES, connections, working
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.racing_store import racing
from tests.fixtures.rally_wire import fails, wired
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.stored import stored_rows
from tests.fixtures.upstream_contract import PROVIDERS, declared

EACH_PROVIDER = pytest.mark.parametrize("upstream", PROVIDERS)
REVOCATION = "/api/v3/applications/"


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with(ALL, **WITHOUT_CODE)


@pytest.fixture
async def chat(deployment) -> Caller:
    """Sign a chat in to everything."""
    chat = deployment.caller()
    for tool in PROBES.values():
        await sign_in(chat, tool=tool)
    return chat


async def message_of(chat: Caller, **arguments: str) -> str:
    """Sign out, and return what is said."""
    answer = await chat.call("sign_out", **arguments)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["message"])


def said_of(upstream: str) -> str:
    """Return what is said after signing out of one upstream."""
    title = declared(upstream).title
    revoked = f" They are revoked at {title} too." if declared(upstream).revoke else ""
    return f"Signed out of {title}. Tokens are deleted.{revoked}"


@EACH_PROVIDER
async def test_signing_out_of_one_leaves_the_others(deployment, chat, upstream):
    message = await message_of(chat, upstream=upstream)
    elsewhere = chat.on(deployment.scale_out())

    assert message == said_of(upstream)
    assert (await connections(elsewhere))[upstream] == "signed_out"
    assert await working(elsewhere) == set(PROVIDERS) - {upstream}


@EACH_PROVIDER
async def test_nothing_of_the_one_stays_in_the_store(deployment, chat, upstream):
    await chat.call("sign_out", upstream=upstream)

    [row] = await stored_rows(deployment, PRINCIPALS)
    assert not any(row.document["upstreams"][upstream].values())
    for other in set(PROVIDERS) - {upstream}:
        assert row.document["upstreams"][other]["active"]


async def test_signing_out_of_all_forgets_everything_and_names_it(deployment, chat):
    message = await message_of(chat)

    assert message == (
        "Signed out of Rally and GitHub and Microsoft. Tokens are deleted. "
        "They are revoked at GitHub too."
    )
    assert await stored_rows(deployment, PRINCIPALS) == []
    assert await working(chat) == set()


async def test_what_was_left_before_is_not_named_again(chat):
    await chat.call("sign_out", upstream="github")

    assert await message_of(chat, upstream="github") == "Nobody was signed in."
    assert await message_of(chat) == "Signed out of Rally and Microsoft. Tokens are deleted."
    assert await message_of(chat) == "Nobody was signed in."


@pytest.mark.parametrize("arguments", [{}, {"upstream": "github"}], ids=["all", "github"])
async def test_a_sign_in_that_came_to_its_end_is_not_one_to_sign_out_of(
    deployment, clock, github, arguments
):
    chat = deployment.caller()
    await sign_in(chat, tool="get_github_user")
    github.revoke_user("ann")
    await chat.call("get_github_user")
    clock.now += PENDING_TTL

    assert await message_of(chat, **arguments) == "Nobody was signed in."
    assert github.stats.revocations == 0


@pytest.mark.parametrize("upstream", ["jira", "yata", "Rally", "rally "])
async def test_only_what_people_sign_in_to_can_be_named(chat, upstream):
    answer = await chat.call("sign_out", upstream=upstream)

    is_rally = upstream.strip() == "rally"
    assert answer.status_code == (200 if is_rally else 400)
    if not is_rally:
        assert answer.json()["message"] == (
            "upstream: name one that people sign in to: rally, github, entra_id."
        )
        assert await working(chat) == set(PROVIDERS)


@EACH_PROVIDER
async def test_a_sign_in_on_its_way_ends_with_a_sign_out(deployment, upstream):
    chat = deployment.caller()
    links = {name: await chat.auth_url(tool) for name, tool in PROBES.items()}
    other = next(name for name in PROVIDERS if name != upstream)

    message = await message_of(chat, upstream=upstream)
    ended = await chat.visit(links[upstream])
    living = await chat.visit(links[other])

    assert message == f"Signed out of {declared(upstream).title}. Tokens are deleted."
    assert ended.response.status_code == 400
    assert living.response.status_code == 200
    assert await working(chat) == {other}


@pytest.mark.parametrize("arguments", [{}, {"upstream": "github"}], ids=["all", "github"])
async def test_the_access_token_is_revoked_where_the_upstream_can(chat, github, rally, arguments):
    other = chat.deployment.caller()
    await sign_in(other, tool="get_github_user")
    rally.stats.clear()

    await chat.call("sign_out", **arguments)

    assert github.stats.revocations == 1
    assert rally.stats.requests == []
    assert await working(other) == {"github"}


@pytest.mark.parametrize("arguments", [{}, {"upstream": "rally"}, {"upstream": "entra_id"}])
async def test_a_revocation_is_of_what_was_signed_out_of(chat, github, arguments):
    await chat.call("sign_out", **arguments)

    assert github.stats.revocations == (0 if arguments else 1)


@pytest.mark.parametrize("arguments", [{}, {"upstream": "github"}], ids=["all", "github"])
@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_a_sign_out_works_although_github_does_not(chat, github, arguments, status):
    github.faults.add(Fault(path_prefix=REVOCATION, status=status, count=None))

    with written_log() as log:
        message = await message_of(chat, **arguments)

    [told] = [line for line in log.lines if "did not revoke" in line["message"]]
    assert message.startswith("Signed out of ")
    assert "revoked" not in message
    assert (told["severity"], told["upstream"]) == ("WARNING", "github")
    assert "gho_" not in log.text
    assert "github" not in await working(chat)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout])
async def test_a_sign_out_works_although_github_cannot_be_reached(deployment, error):
    watched = wired(deployment)
    chat = watched.caller(instance=-1)
    await sign_in(chat, tool="get_github_user")
    watched.wire.disturb("DELETE", REVOCATION, fails(error))

    message = await message_of(chat)

    assert message == "Signed out of GitHub. Tokens are deleted."
    assert await working(chat) == set()


async def test_two_sign_outs_at_once_end_it_once(deployment, chat, github):
    racers = [chat.on(instance) for instance in racing(deployment, PRINCIPALS, expected=2)]

    messages = await asyncio.gather(*(message_of(each, upstream="github") for each in racers))

    assert sorted(messages) == ["Nobody was signed in.", said_of("github")]
    assert github.stats.revocations == 1


async def test_a_sign_out_is_audited_with_the_upstream_that_it_was_of(chat):
    with written_log() as log:
        await chat.call("sign_out", upstream="entra_id")
        await chat.call("sign_out")

    assert [line.get("upstream") for line in log.audit("signed_out")] == ["entra_id", None]
