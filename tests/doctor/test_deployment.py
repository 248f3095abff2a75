"""`rally-mcp doctor MCP_URL` where all is well, in both layouts, and what it leaves behind."""

import pytest

from devtools.rally_simulator import create_app
from rally_mcp import __version__
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS
from rally_mcp.sign_in.records import OAUTH_STATES, PRINCIPALS
from tests.doctor.examined import MCP_URL, Examined, failed, lines, outcomes
from tests.fixtures.deployment import CALLBACK_URL, RALLY_ORIGIN
from tests.fixtures.one_domain import CALLBACK_URL as CALLBACK_ON_ONE_DOMAIN
from tests.fixtures.one_domain import ORIGIN, one_domain
from tests.fixtures.raw_http import served
from tests.fixtures.stored import stored_rows

TLS = {f"TLS of {function}" for function in ("mcp_endpoint", "auth_redirect", "oauth_callback")}


async def test_nothing_is_found_wrong_with_three_origins(examined: Examined) -> None:
    report = await examined.report()

    assert failed(report) == {}
    assert {name for name, outcome in outcomes(report).items() if outcome != "ok"} == {
        *TLS,
        "clock",
    }


async def test_nothing_is_found_wrong_with_one_domain(deployment) -> None:
    moved = one_domain(deployment)
    functions = {ORIGIN: moved.load_balancer, RALLY_ORIGIN: create_app(moved.rally)}

    report = await Examined(functions, deployment.clock).report(f"{ORIGIN}/mcp")

    assert failed(report) == {}
    assert report.redirect_uri == CALLBACK_ON_ONE_DOMAIN


@pytest.mark.parametrize("upstreams", ["github,rally", "entra_id"])
async def test_nothing_is_found_wrong_with_other_upstreams(deploy_with, upstreams: str) -> None:
    deployment = deploy_with(upstreams)
    applications = served(deployment).applications | deployment.further
    title = {"github,rally": "GitHub", "entra_id": "Microsoft"}[upstreams]

    report = await Examined(applications, deployment.clock).report()

    assert failed(report) == {}
    assert any(f"register this redirect_uri at {title}: " in line for line in lines(report))


async def test_nobody_is_sent_to_an_upstream_that_nobody_signs_in_to(deploy_with) -> None:
    deployment = deploy_with("yata")
    applications = served(deployment).applications | deployment.further

    report = await Examined(applications, deployment.clock).report()

    assert report.ok
    assert outcomes(report)["openid-configuration"] == "ok"
    assert outcomes(report)["tool call without a sign-in"] == "not_checked"
    assert outcomes(report)["oauth_callback answers"] == "not_checked"
    assert report.redirect_uri is None


async def test_the_redirect_uri_to_register_and_the_version_are_told(examined: Examined) -> None:
    report = await examined.report()

    assert (report.mcp_url, report.version) == (MCP_URL, __version__)
    assert report.redirect_uri == CALLBACK_URL
    assert f"ok    redirect_uri: register this redirect_uri at Rally: {CALLBACK_URL}" in lines(
        report
    )


async def test_the_addresses_of_a_name_are_told(examined: Examined) -> None:
    assert "ok    DNS of mcp_endpoint: 203.0.113.7" in lines(await examined.report())


async def test_what_is_left_in_the_store_ends_by_itself_within_the_hour(
    examined: Examined, deployment
) -> None:
    await examined.report()

    assert len(await stored_rows(deployment, OAUTH_STATES)) == 1
    assert len(await stored_rows(deployment, PRINCIPALS)) == 1
    deployment.clock.advance(hours=1)
    for collection in (OAUTH_STATES, PRINCIPALS, REPLAY_MARKS):
        assert [row async for row in deployment.instances[0].store.scan(collection)] == []


async def test_no_secret_of_a_sign_in_is_told(examined: Examined) -> None:
    report = await examined.report()

    told = "\n".join([*lines(report), report.as_json()])
    session_ids = {request.headers.get("session-id") for request in examined.sent} - {None}
    states = {request.url.params.get("state") for request in examined.sent} - {None}
    assert (len(session_ids), len(states)) == (1, 1)
    assert not [secret for secret in session_ids | states if secret in told]


async def test_each_run_is_a_chat_of_its_own_that_the_mcp_endpoint_alone_hears_of(
    examined: Examined,
) -> None:
    await examined.report()
    await examined.report()

    told = [request for request in examined.sent if "session-id" in request.headers]
    assert len({request.headers["session-id"] for request in told}) == 2
    assert {str(request.url) for request in told} == {MCP_URL}
