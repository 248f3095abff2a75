"""What doctor finds wrong with the callback, where the sign-in that it began ends."""

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.doctor.examined import (
    DOOR,
    HEALTH,
    Change,
    Examined,
    failed,
    instead,
    no_connection,
    outcomes,
)
from tests.fixtures.deployment import CALLBACK_ORIGIN, CALLBACK_URL
from tests.fixtures.raw_http import served
from tests.fixtures.stored import stored_rows

SAME_EVERYWHERE = (
    "set STORAGE, GOOGLE_CLOUD_PROJECT, FIRESTORE_DATABASE (or SQLITE_PATH) and UPSTREAMS to the "
    "same on all three functions"
)


async def test_the_sign_in_that_doctor_began_is_declined_at_the_end(
    examined: Examined, deployment
) -> None:
    report = await examined.report()

    last = [request for request in examined.sent if "state" in request.url.params][-1]
    [principal] = await stored_rows(deployment, PRINCIPALS)
    assert outcomes(report)["callback"] == "ok"
    assert str(last.url).startswith(f"{CALLBACK_URL}?error=access_denied&state=")
    assert principal.document["upstreams"]["rally"].get("pending") is None


async def test_the_sign_in_is_declined_where_the_upstream_does_not_take_it(
    examined: Examined,
) -> None:
    examined.changes[DOOR] = no_connection

    report = await examined.report()

    assert list(failed(report)) == ["upstream's authorization endpoint"]
    assert outcomes(report)["callback"] == "ok"


async def test_a_callback_on_another_database_is_found(deploy, clock) -> None:
    one, another = deploy(), deploy()
    applications = served(one).applications
    applications[CALLBACK_ORIGIN] = served(another).applications[CALLBACK_ORIGIN]

    report = await Examined(applications, clock).report()

    [(name, finding)] = failed(report).items()
    assert name == "callback"
    assert finding.problem == "HTTP 400 for a sign-in that its person declines, expected 200"
    assert SAME_EVERYWHERE in finding.remedy


async def test_a_callback_in_front_of_other_upstreams_is_found(deploy_with) -> None:
    one, another = deploy_with("rally"), deploy_with("github")
    applications = served(one).applications | one.further
    applications[CALLBACK_ORIGIN] = served(another).applications[CALLBACK_ORIGIN]

    [(name, finding)] = failed(await Examined(applications, one.clock).report()).items()

    assert name == "callback"
    assert SAME_EVERYWHERE in finding.remedy


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(500), "HTTP 500 for a sign-in", "read the log of oauth-callback: it says why"),
        (instead(503), "HTTP 503 for a sign-in", "read the log of oauth-callback: it says why"),
        (instead(404), "HTTP 404 for a sign-in", f"route {CALLBACK_URL} to oauth-callback"),
        (instead(302, location="/"), "HTTP 302 for a sign-in", "let nothing before it answer"),
        (no_connection, "no answer from 127.0.0.1:8082", "oauth-callback is deployed and public"),
    ],
    ids=["failing", "down", "elsewhere", "redirected", "refused"],
)
async def test_a_callback_that_does_not_understand_a_refusal_is_found(
    examined: Examined, change: Change, seen: str, to_do: str
) -> None:
    examined.changes[CALLBACK_URL] = change

    [(name, finding)] = failed(await examined.report()).items()

    assert name == "callback"
    assert seen in finding.problem
    assert to_do in finding.remedy


async def test_a_callback_that_is_not_there_is_one_failure(examined: Examined) -> None:
    examined.changes[HEALTH["oauth_callback"]] = instead(404)

    report = await examined.report()

    assert list(failed(report)) == ["oauth_callback answers"]
    assert outcomes(report)["callback"] == "not_checked"
