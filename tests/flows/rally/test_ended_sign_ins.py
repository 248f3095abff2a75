"""Tokens that Rally no longer takes: refreshed once where that helps, a fresh link where not."""

from datetime import timedelta

import httpx
import pytest

from devtools.rally_simulator import Fault, RallySimulator, RegisteredClient
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, CLIENT_ID
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import (
    TOKEN,
    WSAPI,
    answers,
    fails,
    loses_answer,
)
from tests.fixtures.signed_in import sign_in, signed_in

ENDED = "The upstream ended the last sign-in."


def different_rally(**options: object) -> pytest.MarkDecorator:
    """Run a test with a Rally that differs so from the usual one."""
    return pytest.mark.parametrize("rally", [options], indirect=True, ids=str)


@pytest.fixture
def rally(clock, request) -> RallySimulator:
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], **getattr(request, "param", {}))


def asks_to_sign_in(answer: httpx.Response, notice: str = ENDED) -> bool:
    """Whether an answer offers a link and tells why one is needed."""
    body = answer.json()
    return (
        answer.status_code == 401
        and body["error_description"].startswith(notice)
        and body["auth_url"].startswith(f"{AUTH_ORIGIN}/auth?state=")
    )


@pytest.mark.parametrize(
    ("tool", "argument"),
    [("get_rally_issue", {"formatted_id": "US1"}), ("create_rally_story", {"title": "Once"})],
)
async def test_a_refused_token_is_refreshed_once_and_the_call_goes_through(
    ann, rally, tool, argument
):
    rally.faults.add(Fault(path_prefix=f"{WSAPI}/hierarchicalrequirement", status=401))

    answer = await ann.call(tool, **argument)
    again = await ann.call("get_rally_user")

    assert answer.status_code == again.status_code == 200
    assert rally.stats.refreshes == 1
    stories = rally.objects.of_types(("HierarchicalRequirement",), rally.users["ann"])
    assert sum(story.name == "Once" for story in stories) == (tool == "create_rally_story")


async def test_a_403_for_the_user_too_is_a_dead_token(ann, rally):
    rally.faults.add(Fault(path_prefix=WSAPI, status=403, count=2))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert answer.status_code == 200
    assert rally.stats.refreshes == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_token_that_is_refused_too_ends_the_sign_in(ann, rally, status):
    rally.faults.add(Fault(path_prefix=WSAPI, status=status, count=4))

    answer = await ann.call("get_rally_issue", formatted_id="US1")

    assert asks_to_sign_in(answer)
    assert rally.stats.refreshes == 1


@pytest.mark.parametrize(
    "rally", [{"expired_status": 401}, {"expired_status": 403}], indirect=True, ids=str
)
@pytest.mark.parametrize("is_expired", [False, True], ids=["living", "expired"])
async def test_access_revoked_at_rally_gives_a_link_that_works(ann, rally, clock, is_expired):
    rally.revoke_user("ann")
    clock.advance(days=1 if is_expired else 0)

    refused = await ann.call("create_rally_story", title="Revoked")
    refused_again = await ann.call("create_rally_story", title="Revoked")
    await sign_in(ann)
    answer = await ann.call("create_rally_story", title="Allowed")

    assert asks_to_sign_in(refused)
    assert refused_again.json() == refused.json()
    assert answer.status_code == 200
    assert rally.stats.refreshes == 0
    assert rally.stats.refused_token_requests == 1


async def test_an_ended_sign_in_is_told_over_mcp(ann, rally):
    rally.revoke_user("ann")

    result = await call_over_mcp(ann, "get_rally_user")

    assert result["isError"]
    assert text_of(result).startswith(ENDED)
    assert result["structuredContent"]["auth_url"] in text_of(result).splitlines()


async def test_the_notice_is_gone_after_the_next_sign_in(ann, rally):
    rally.revoke_user("ann")
    await ann.call("get_rally_user")

    await sign_in(ann)
    await ann.call("sign_out")
    answer = await ann.call("get_rally_user")

    assert asks_to_sign_in(answer, notice="User must authenticate with Rally")


async def test_one_persons_ended_sign_in_is_nobody_elses(deployment, ann, rally):
    bob = await signed_in(deployment, "bob")
    rally.revoke_user("bob")

    of_bob = await bob.call("get_rally_user")
    of_ann = await ann.call("get_rally_user")

    assert of_bob.status_code == 401
    assert of_ann.status_code == 200


@pytest.mark.parametrize(
    ("expected", "broken"),
    [
        (503, answers("Error 500", 500)),
        (503, answers("Error 429", 429)),
        (503, fails(httpx.ConnectError)),
        (504, fails(httpx.ReadTimeout)),
        (502, answers("<html>sign in</html>")),
        (502, answers({"error": "server_error"}, 400)),
        (502, answers({"token_type": "Bearer"})),
    ],
    ids=["500", "429", "no connection", "timeout", "no JSON", "other error", "no token"],
)
async def test_a_refresh_that_fails_keeps_the_sign_in(ann, wire, rally, clock, expected, broken):
    wire.disturb("POST", TOKEN, broken)
    clock.advance(days=1)

    answer = await ann.call("create_rally_story", title="Later")
    after = await ann.call("create_rally_story", title="Now")

    assert answer.status_code == expected
    assert answer.json()["error"] == "Failed to create Rally story"
    assert ("retry-after" in answer.headers) == (expected == 503)
    assert "html" not in answer.text
    assert after.status_code == 200
    assert rally.stats.refreshes == 1


@pytest.mark.parametrize(
    "words",
    [
        answers("<html>Error 401</html>", 401),
        answers({"error": "access_denied"}, 403),
        answers({"error": "invalid_request"}, 400),
    ],
    ids=["HTML", "access_denied", "invalid_request"],
)
async def test_a_refresh_refused_in_any_words_asks_for_a_new_sign_in(ann, wire, clock, words):
    wire.disturb("POST", TOKEN, words)
    clock.advance(days=1)

    answer = await ann.call("create_rally_story", title="Refused")

    assert answer.status_code == 401
    assert answer.json()["auth_url"]


@pytest.mark.parametrize(
    ("rally", "expected"),
    [({"rotate_refresh_tokens": True}, 401), ({"rotate_refresh_tokens": False}, 200)],
    indirect=["rally"],
    ids=["rotates", "does not"],
)
async def test_a_lost_answer_costs_the_sign_in_only_where_rally_rotates(ann, wire, clock, expected):
    wire.disturb("POST", TOKEN, loses_answer(httpx.ReadTimeout))
    clock.advance(days=1)

    lost = await ann.call("get_rally_user")
    after = await ann.call("get_rally_user")

    assert lost.status_code == 504
    assert after.status_code == expected


async def test_a_token_is_not_refreshed_before_its_last_minute(ann, rally, clock):
    clock.advance(days=1, seconds=-61)

    answer = await ann.call("get_rally_user")

    assert answer.status_code == 200
    assert rally.stats.refreshes == 0


@pytest.mark.parametrize(
    "error", ["invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"]
)
async def test_a_refresh_that_rally_refuses_for_good_ends_the_sign_in(ann, wire, clock, error):
    wire.disturb("POST", TOKEN, answers({"error": error, "error_description": "no"}, 400))
    clock.advance(days=1)

    answer = await ann.call("get_rally_user")

    assert asks_to_sign_in(answer)
    assert len(wire.sent("POST", TOKEN)) == 2


@different_rally(issue_refresh_tokens=False)
async def test_without_a_refresh_token_the_sign_in_lasts_as_long_as_its_token(ann, rally, clock):
    clock.advance(days=1, seconds=-1)
    before = await ann.call("get_rally_user")
    clock.advance(seconds=1)
    after = await ann.call("get_rally_user")
    await sign_in(ann)
    in_the_end = await ann.call("get_rally_user")

    assert before.status_code == 200
    assert asks_to_sign_in(after)
    assert in_the_end.status_code == 200
    assert rally.stats.refused_token_requests == 0


@different_rally(issue_refresh_tokens=False)
async def test_without_a_refresh_token_a_refused_token_ends_the_sign_in(ann, rally):
    rally.revoke_user("ann")

    assert asks_to_sign_in(await ann.call("get_rally_user"))


@different_rally(access_token_ttl=timedelta(seconds=30), rotate_refresh_tokens=True)
async def test_short_lived_tokens_are_refreshed_as_often_as_it_takes(ann, rally, clock):
    statuses = []
    for _ in range(4):
        clock.advance(seconds=31)
        statuses.append((await ann.call("get_rally_user")).status_code)

    assert statuses == [200] * 4
    assert rally.stats.refreshes == 4
