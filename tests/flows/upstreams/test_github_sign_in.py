"""Sign-ins to GitHub: tokens with and without an end, and errors that come with status 200."""

import asyncio
from datetime import timedelta

import pytest

from devtools.github_simulator import Fault
from rally_mcp.sign_in.principals import LONGEST_TTL
from tests.clients.browser_walk import walk
from tests.fixtures.connections import connections
from tests.fixtures.deployment import CALLBACK_ORIGIN, CALLBACK_URL, Caller, Deployment
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.upstreams import GITHUB_ORIGIN, switched

USER = "get_github_user"
TOKEN = "/login/oauth/access_token"
EIGHT_HOURS = timedelta(hours=8)

expiring = switched("github", expiring_tokens=True)


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with("github", **WITHOUT_CODE)


@pytest.fixture
async def chat(deployment) -> Caller:
    chat = deployment.caller()
    await sign_in(chat, tool=USER)
    return chat


def asks_to_sign_in(answer, notice: str = "The upstream ended the last sign-in.") -> bool:
    """Whether an answer offers a link and tells why one is needed."""
    return answer.status_code == 401 and answer.json()["error_description"].startswith(notice)


async def test_the_browser_is_sent_with_pkce_and_the_scopes_that_the_tools_need(deployment):
    chat = deployment.caller()

    page = await walk(
        chat.instance.browser(), await chat.auth_url(USER), stop_before=f"{GITHUB_ORIGIN}/"
    )

    address = page.response.headers["location"]
    assert address.startswith(f"{GITHUB_ORIGIN}/login/oauth/authorize?")
    assert "&scope=repo+read%3Auser&" in address
    assert "&code_challenge_method=S256" in address


async def test_a_token_without_an_end_works_as_long_as_its_record_and_is_never_refreshed(
    chat, clock, github
):
    statuses = []
    for _ in range(4):
        clock.advance(days=6)
        statuses.append((await chat.call(USER)).status_code)
    clock.now += LONGEST_TTL

    after = await chat.call(USER)

    assert statuses == [200] * 4
    assert after.status_code == 401
    assert (github.stats.code_exchanges, github.stats.refreshes) == (1, 0)


async def test_a_token_without_an_end_that_is_withdrawn_ends_the_sign_in(chat, github):
    github.revoke_user("ann")

    answer = await chat.call(USER)

    assert asks_to_sign_in(answer)
    assert await connections(chat) == {"github": "sign_in_started"}
    assert github.stats.refused_token_requests == 0


@expiring
async def test_a_token_with_an_end_is_refreshed_before_it(chat, clock, github):
    clock.now += EIGHT_HOURS - timedelta(seconds=61)
    before = await chat.call(USER)
    refreshed_before = github.stats.refreshes
    clock.advance(seconds=2)

    after = await chat.call(USER)

    assert (before.status_code, after.status_code) == (200, 200)
    assert (refreshed_before, github.stats.refreshes) == (0, 1)


@expiring
async def test_tokens_are_refreshed_over_and_over_with_the_newest_refresh_token(
    chat, clock, github
):
    statuses = []
    for _ in range(3):
        clock.now += EIGHT_HOURS
        statuses.append((await chat.call(USER)).status_code)

    assert statuses == [200] * 3
    assert (github.stats.refreshes, github.stats.refused_token_requests) == (3, 0)


@expiring
async def test_of_many_callers_on_two_instances_one_refreshes(deployment, chat, clock, github):
    clock.now += EIGHT_HOURS
    elsewhere = chat.on(deployment.scale_out())

    answers = await asyncio.gather(*(each.call(USER) for each in [chat, elsewhere] * 5))

    assert {answer.status_code for answer in answers} == {200}
    assert (github.stats.refreshes, github.stats.refused_token_requests) == (1, 0)


@expiring
async def test_a_refused_token_is_refreshed_once_and_the_call_goes_on(chat, github):
    github.expire_access_tokens()

    answer = await chat.call(USER)

    assert answer.status_code == 200
    assert github.stats.refreshes == 1


@expiring
@pytest.mark.parametrize("is_expired", [False, True], ids=["living", "expired"])
async def test_a_refresh_that_is_refused_inside_a_200_ends_the_sign_in(
    chat, clock, github, is_expired
):
    github.revoke_user("ann")
    clock.now += EIGHT_HOURS if is_expired else timedelta(0)

    answer = await chat.call(USER)
    again = await chat.call(USER)

    assert asks_to_sign_in(answer)
    assert asks_to_sign_in(again)
    assert github.stats.refused_token_requests == 1


@expiring
@pytest.mark.parametrize(
    ("status", "fault"), [(503, {"status": 503}), (503, {"status": 429}), (502, {"body": "html"})]
)
async def test_a_refresh_that_fails_otherwise_keeps_the_sign_in(chat, clock, github, status, fault):
    clock.now += EIGHT_HOURS
    github.faults.add(Fault(path_prefix=TOKEN, **fault))

    failed = await chat.call(USER)
    after = await chat.call(USER)

    assert (failed.status_code, after.status_code) == (status, 200)


async def test_a_code_that_is_refused_inside_a_200_stores_nothing_and_the_next_link_works(
    deployment, github
):
    chat = deployment.caller()
    browser = chat.instance.browser()
    back = await walk(browser, await chat.auth_url(USER), stop_before=CALLBACK_URL)
    state = back.response.headers["location"].rpartition("state=")[2]

    page = await browser.get(
        f"{CALLBACK_ORIGIN}/callback", params={"code": "made up", "state": state}
    )
    again = await chat.call(USER)
    await sign_in(chat, tool=USER)

    assert page.status_code == 502
    assert github.stats.refused_token_requests == 1
    assert asks_to_sign_in(again, "The last sign-in did not succeed.")
    assert (await chat.call(USER)).status_code == 200


async def test_a_wrong_client_secret_is_told_as_the_administrators_to_set(deployment, github):
    chat = deployment.caller()
    deployment.client_secret["GITHUB_TEST_SECRET"] = "another secret"

    page = await chat.visit(await chat.auth_url(USER))

    assert page.response.status_code == 502
    assert "another secret" not in page.response.text
    assert github.stats.code_exchanges == 0


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/api/v3/user", {"status": 503}),
        ("/api/v3/user", {"status": 429}),
        ("/api/v3/user", {"status": 401}),
        ("/api/v3/user", {"body": "truncated"}),
        (TOKEN, {"body": "html"}),
    ],
)
async def test_a_sign_in_whose_person_is_not_proven_stores_nothing(deployment, github, path, fault):
    chat = deployment.caller()
    github.faults.add(Fault(path_prefix=path, **fault))

    page = await chat.visit(await chat.auth_url(USER))
    after = await chat.call(USER)

    assert page.response.status_code == 502
    assert asks_to_sign_in(after, "The last sign-in did not succeed.")
