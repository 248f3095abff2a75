"""What doctor finds wrong with the functions themselves, and what it says to do."""

import anyio
import pytest

from tests.doctor.examined import (
    HEALTH,
    RESOURCE,
    Examined,
    failed,
    instead,
    no_connection,
    outcomes,
    with_header,
    with_members,
)
from tests.fixtures.deployment import CALLBACK_ORIGIN
from tests.fixtures.raw_http import served

FUNCTIONS = list(HEALTH)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(403), "answers HTTP 403, expected 200", "roles/run.invoker for allUsers"),
        (instead(404), "answers HTTP 404, expected 200", "is deployed there, and that its ingress"),
        (instead(503), "answers HTTP 503, expected 200", "read the log of "),
        (instead(200, "<h1>Hello</h1>"), "no such document", "something else answers there"),
        (with_members(function="another"), "'another' answers at http://", "route that path to "),
        (with_members(status="starting"), "its status is 'starting', expected ok", "read the log"),
        (no_connection, "no answer from 127.0.0.1:", "is deployed and public"),
    ],
    ids=["forbidden", "missing", "down", "no JSON", "another function", "not ready", "refused"],
)
async def test_a_function_that_does_not_answer_as_it_should_fails_alone(
    examined: Examined, function: str, change, seen: str, to_do: str
) -> None:
    examined.changes[HEALTH[function]] = change

    report = await examined.report()

    [(name, finding)] = failed(report).items()
    assert name == f"{function} answers"
    assert seen in finding.problem
    assert to_do in finding.remedy


async def test_what_depends_on_a_function_that_does_not_answer_is_not_checked(
    examined: Examined,
) -> None:
    examined.changes[HEALTH["mcp_endpoint"]] = no_connection

    report = await examined.report()

    later = [each for each in report.findings if each.name != "DNS of mcp_endpoint"]
    unchecked = [each for each in later if each.outcome == "not_checked"]
    assert list(failed(report)) == ["mcp_endpoint answers"]
    assert "ok" not in {each.outcome for each in later}
    assert "'mcp_endpoint answers' failed" in {each.problem for each in unchecked}


async def test_a_server_that_accepts_and_never_answers_is_given_up(examined: Examined) -> None:
    async def silent(scope, receive, send) -> None:
        await anyio.sleep_forever()

    silence = dict.fromkeys(examined.applications, silent)
    report = await Examined(silence, examined.clock, seconds=0.1).report()

    finding = failed(report)["mcp_endpoint answers"]
    assert finding.problem == "no answer from 127.0.0.1:8080 within 0.1 s"


async def test_functions_of_different_versions_are_told_apart(examined: Examined) -> None:
    examined.changes[HEALTH["oauth_callback"]] = with_members(version="0.0.9")

    report = await examined.report()

    [(name, finding)] = failed(report).items()
    assert name == "one version everywhere"
    assert "oauth_callback 0.0.9" in finding.problem
    assert "deploy all three from one build" in finding.remedy


@pytest.mark.parametrize(
    ("ahead", "seen"),
    [
        ({"seconds": 45}, "this machine's clock is 45 s behind that of the functions"),
        ({"seconds": -45}, "this machine's clock is 45 s ahead of that of the functions"),
        ({"hours": 1}, "this machine's clock is 3600 s behind"),
    ],
    ids=["behind", "ahead", "far behind"],
)
async def test_clocks_that_are_too_far_apart_are_told_once(
    examined: Examined, ahead: dict[str, float], seen: str
) -> None:
    for function in FUNCTIONS:
        examined.changes[HEALTH[function]] = with_header("Date", examined.date(**ahead))

    report = await examined.report()

    [(name, finding)] = failed(report).items()
    assert name == "clock"
    assert seen in finding.problem
    assert "expected at most 30 s" in finding.problem
    assert "time synchronisation" in finding.remedy


@pytest.mark.parametrize("seconds", [-25, 0, 25])
async def test_clocks_that_are_nearly_together_are_well(examined: Examined, seconds: int) -> None:
    for function in FUNCTIONS:
        date = examined.date(seconds=seconds)
        examined.changes[HEALTH[function]] = with_header("Date", date)

    assert outcomes(await examined.report())["clock"] == "ok"


async def test_a_date_that_is_none_tells_no_time(examined: Examined) -> None:
    examined.changes[HEALTH["mcp_endpoint"]] = with_header("Date", "yesterday")

    assert outcomes(await examined.report())["clock"] == "not_checked"


async def test_the_clock_is_compared_where_only_one_function_answers(examined: Examined) -> None:
    examined.changes[HEALTH["mcp_endpoint"]] = with_header("Date", examined.date(minutes=5))
    examined.changes[HEALTH["auth_redirect"]] = no_connection

    report = await examined.report()

    assert list(failed(report)) == ["auth_redirect answers", "clock"]
    assert outcomes(report)["one version everywhere"] == "not_checked"


async def test_what_a_server_says_cannot_disturb_a_terminal(examined: Examined) -> None:
    examined.changes[f"{RESOURCE}/mcp"] = with_members(resource="\x1b[2J\n" * 500)

    report = await examined.report()

    [line] = [line for line in report.lines() if line.startswith("FAIL")]
    assert line.isprintable()
    assert len(line) < 500


async def test_a_callback_at_another_path_is_found_all_the_same(deploy) -> None:
    deployment = deploy(CALLBACK_URL=f"{CALLBACK_ORIGIN}/oauth/callback")

    report = await Examined(served(deployment).applications, deployment.clock).report()

    assert outcomes(report)["oauth_callback answers"] == "ok"
