"""Links that fail on the way: what is left behind, what the caller is told, and how to go on."""

import httpx
import pytest

from devtools.rally_simulator import Fault
from tests.fixtures.on_github import API, linked, sign_in_to_github, signed_in_to_both
from tests.fixtures.rally_wire import WSAPI, answers, fails, loses_answer
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.upstreams import GITHUB_ORIGIN

LINK = "link_rally_to_github"
TO_ISSUE = {"formatted_id": "US1", "repository": "acme/rockets", "number": 1}
TO_PULL = {"formatted_id": "US1", "repository": "acme/rockets", "number": 3}
ISSUE_URL = f"{GITHUB_ORIGIN}/acme/rockets/issues/1"
COMMENTS = f"{API}/repos/acme/rockets/issues/1/comments"
EITHER = pytest.mark.parametrize("arguments", [TO_ISSUE, TO_PULL], ids=["issue", "pull_request"])


@EITHER
async def test_both_sign_ins_are_asked_for_before_anything_is_written(both, written, arguments):
    chat = both.caller(instance=-1)
    neither = await chat.call(LINK, **arguments)
    await sign_in(chat, "ann")
    rally_alone = await chat.call(LINK, **arguments)
    nothing = written()
    await sign_in_to_github(chat, "ann")

    assert (neither.status_code, rally_alone.status_code) == (401, 401)
    assert "Rally" in neither.json()["error_description"]
    assert "GitHub" in rally_alone.json()["error_description"]
    assert nothing == (0, 0)
    assert await linked(chat, arguments) == ("created", "created")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"formatted_id": "US404"}, 404),
        ({"formatted_id": "ZZ1"}, 400),
        ({"formatted_id": "1US"}, 400),
        ({"number": 404}, 404),
        ({"number": 0}, 400),
        ({"repository": "acme/nowhere"}, 404),
        ({"repository": "acme"}, 400),
    ],
)
async def test_an_end_that_does_not_exist_leaves_the_other_as_it_is(
    ann_on_github, written, arguments, status
):
    answer = await ann_on_github.call(LINK, **{**TO_ISSUE, **arguments})

    assert answer.status_code == status
    assert answer.json()["error"] == "Failed to link Rally to GitHub"
    assert written() == (0, 0)


async def test_an_artifact_outside_the_deployments_projects_is_not_linked(deploy_with, written):
    bounded = deploy_with("rally,github", RALLY_PROJECTS="Website", **WITHOUT_CODE)
    ann = await signed_in_to_both(bounded)

    outside = await ann.call(LINK, **TO_ISSUE)
    inside = await ann.call(LINK, **{**TO_ISSUE, "formatted_id": "US3"})

    assert outside.status_code == 404
    assert inside.status_code == 200
    assert written() == (1, 1)


@EITHER
async def test_nothing_is_written_on_github_where_rally_refuses(
    ann_on_github, rally, written, arguments
):
    rally.faults.add(Fault(method="POST", path_prefix=WSAPI, status=403))

    answer = await ann_on_github.call(LINK, **arguments)

    assert answer.status_code == 403
    assert written() == (0, 0)


@pytest.mark.parametrize(
    ("disturbance", "status"),
    [
        (answers({"message": "Unable to create comment because issue is locked."}, 403), 403),
        (answers({"message": "Slow down"}, 403, Retry_After=b"17"), 429),
        (answers({"message": "Server Error"}, 500), 503),
        (fails(httpx.ReadTimeout), 504),
    ],
)
async def test_a_link_that_was_made_in_rally_alone_says_so_and_is_completed_by_a_repeat(
    both, ann_on_github, written, disturbance, status
):
    both.wire.disturb("POST", COMMENTS, disturbance)

    half = await ann_on_github.call(LINK, **TO_ISSUE)
    after = written()

    assert half.status_code == status
    assert half.json()["message"].startswith("US1 links to acme/rockets#1 in Rally")
    assert "Repeat this call" in half.json()["message"]
    assert after == (1, 0)
    assert await linked(ann_on_github, TO_ISSUE) == ("existed", "created")
    assert written() == (1, 1)


async def test_a_limit_in_between_says_how_long_to_wait(both, ann_on_github):
    limited = answers({"message": "Slow down"}, 403, Retry_After=b"17")
    both.wire.disturb("POST", COMMENTS, limited)

    answer = await ann_on_github.call(LINK, **TO_ISSUE)

    assert answer.headers["retry-after"] == "17"


async def test_a_sign_in_that_ends_in_between_is_asked_for_again(
    both, ann_on_github, github, written
):
    both.wire.disturb("POST", COMMENTS, answers({"message": "Bad credentials"}, 401))
    github.revoke_user("ann")
    both.wire.disturb("GET", f"{API}/repos/acme/rockets/issues/1", *_of_issue(github))

    half = await ann_on_github.call(LINK, **TO_ISSUE)
    await sign_in_to_github(ann_on_github, "ann")

    assert half.status_code == 401
    assert half.json()["auth_url"]
    assert await linked(ann_on_github, TO_ISSUE) == ("existed", "created")
    assert written() == (1, 1)


@EITHER
async def test_a_write_whose_answer_was_lost_is_found_by_a_repeat(
    both, ann_on_github, written, arguments
):
    path = f"{API}/repos/acme/rockets/issues/{arguments['number']}/comments"
    both.wire.disturb("POST", WSAPI, loses_answer(httpx.ReadTimeout))
    both.wire.disturb("POST", path, loses_answer(httpx.ReadTimeout))

    first = await ann_on_github.call(LINK, **arguments)
    second = await ann_on_github.call(LINK, **arguments)

    assert (first.status_code, second.status_code) == (504, 504)
    assert await linked(ann_on_github, arguments) == ("existed", "existed")
    assert written() == (1, 1)


def _of_issue(github):
    """Answer two reads of the issue as if its reader were signed in."""
    there = {"id": 1, "number": 1, "html_url": ISSUE_URL, "comments": 1}
    return answers(there), answers([])
