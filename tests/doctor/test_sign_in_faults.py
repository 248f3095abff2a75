"""What doctor finds wrong with a sign-in on its way through all three functions to the upstream."""

from functools import partial
from typing import Any

import httpx
import pytest

from rally_mcp.errors import UpstreamUnavailable
from rally_mcp.storage.sqlite import SqliteStore
from tests.doctor.examined import (
    AUTH_ORIGIN,
    DOOR,
    LINK,
    MCP_URL,
    Change,
    Examined,
    failed,
    instead,
    no_connection,
    outcomes,
)
from tests.fixtures.deployment import CALLBACK_URL, Deployment
from tests.fixtures.raw_http import served

AT_RALLY = "upstream's authorization endpoint"


class FullStore(SqliteStore):
    """A store that takes nothing more."""

    async def create(self, *_: Any) -> bool:
        raise UpstreamUnavailable("The database does not answer, try again shortly")


def parts(deployment: Deployment) -> Examined:
    return Examined(served(deployment).applications, deployment.clock)


def answered(**structured: str) -> Change:
    """Answer a tool call with this structured content."""
    result = {"content": [], "isError": True, "structuredContent": structured}
    return lambda _: httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": result})


def redirected(**parameters: str | None) -> Change:
    """Change parameters of the address that the answer redirects to; None leaves one out."""

    def change(answer: httpx.Response) -> httpx.Response:
        location = httpx.URL(answer.headers["location"])
        changed = {**location.params, **parameters}
        kept = {name: value for name, value in changed.items() if value is not None}
        return httpx.Response(302, headers={"location": str(location.copy_with(params=kept))})

    return change


async def test_a_store_that_mcp_endpoint_cannot_write_to_is_found(deploy, clock, tmp_path) -> None:
    deployment = deploy(new_store=partial(FullStore, tmp_path / "full.db", clock=clock))

    report = await parts(deployment).report()

    [(name, finding)] = failed(report).items()
    assert name == "tool call without a sign-in"
    assert "The database does not answer" in finding.problem
    assert "the service account of mcp_endpoint may read and write the Firestore" in finding.remedy
    assert outcomes(report)["sign-in link"] == "not_checked"


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(500), "HTTP 500, expected 200", "its log says more"),
        (instead(200, "no JSON"), "no such document", "its log says more"),
        (answered(), "the answer has none, expected a sign-in link", "its log says more"),
        (
            answered(auth_url="https://elsewhere.example/auth?state=x"),
            f"leads to 'https://elsewhere.example/auth', expected {AUTH_ORIGIN}/auth",
            "set AUTH_URL to the same on all three functions",
        ),
    ],
    ids=["down", "no JSON", "no link", "a link elsewhere"],
)
async def test_a_tool_call_without_a_sign_in_has_to_give_a_link(
    examined: Examined, change: Change, seen: str, to_do: str
) -> None:
    examined.changes[f"POST {MCP_URL}"] = change

    finding = failed(await examined.report())["tool call without a sign-in"]

    assert seen in finding.problem
    assert to_do in finding.remedy


async def test_functions_on_different_databases_are_found(deploy, clock) -> None:
    one, another = deploy(), deploy()
    applications = served(one).applications
    applications[AUTH_ORIGIN] = served(another).applications[AUTH_ORIGIN]

    report = await Examined(applications, clock).report()

    [(name, finding)] = failed(report).items()
    assert name == "sign-in link"
    assert finding.problem == "HTTP 400 for a link that was just made, expected 302"
    assert (
        "set STORAGE, GOOGLE_CLOUD_PROJECT, FIRESTORE_DATABASE (or SQLITE_PATH) and UPSTREAMS to "
        "the same on all three functions" in finding.remedy
    )


async def test_functions_in_front_of_different_upstreams_are_found(deploy_with) -> None:
    one = deploy_with("github,rally")
    another = deploy_with("rally", SQLITE_PATH=one.settings["SQLITE_PATH"])
    applications = served(one).applications | one.further
    applications[AUTH_ORIGIN] = served(another).applications[AUTH_ORIGIN]

    report = await Examined(applications, one.clock).report()

    assert "UPSTREAMS to the same" in failed(report)["sign-in link"].remedy


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (instead(500), "HTTP 500, expected 302", "service account of auth_redirect may read"),
        (instead(200), "HTTP 200, expected 302", "service account of auth_redirect may read"),
        (no_connection, "no answer from 127.0.0.1:8081", "auth-redirect is deployed and public"),
        (instead(302, location="http://[bad"), "Location is no URL", "the upstream's address in"),
        (instead(302, location="http://[bad]"), "Location is no URL", "the upstream's address in"),
        (instead(302, location="login"), "Location is no URL", "the upstream's address in"),
    ],
    ids=["down", "a page", "refused", "half a host", "no host", "a path"],
)
async def test_a_link_has_to_lead_to_the_upstream(
    examined: Examined, change: Change, seen: str, to_do: str
) -> None:
    examined.changes[LINK] = change

    [(name, finding)] = failed(await examined.report()).items()

    assert name == "sign-in link"
    assert seen in finding.problem
    assert to_do in finding.remedy


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": ""},
        {"scope": None},
        {"state": "another"},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_an_authorization_request_has_to_be_whole(
    examined: Examined, changed: dict[str, str | None]
) -> None:
    examined.changes[LINK] = redirected(**changed)

    [(name, finding)] = failed(await examined.report()).items()

    [parameter] = changed
    assert name == "authorization request"
    assert finding.problem == f"{parameter} missing or wrong in the request to Rally"
    assert "set the variables RALLY_" in finding.remedy


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        (None, "there is none"),
        ("https://callback.example/", "must end in /callback"),
        ("http://callback.example/callback", "must be https"),
    ],
    ids=["none", "no callback", "plain http"],
)
async def test_a_redirect_uri_that_cannot_be_registered_is_found(
    examined: Examined, uri: str | None, seen: str
) -> None:
    examined.changes[LINK] = redirected(redirect_uri=uri)

    report = await examined.report()

    finding = failed(report)["redirect_uri"]
    assert seen in finding.problem
    assert "set CALLBACK_URL of auth_redirect to the callback of oauth_callback" in finding.remedy
    assert report.redirect_uri is None


async def test_a_redirect_uri_that_leads_to_another_function_is_found(examined: Examined) -> None:
    examined.changes[LINK] = redirected(redirect_uri=f"{AUTH_ORIGIN}/callback")

    finding = failed(await examined.report())["oauth_callback answers"]

    assert "HTTP 404" in finding.problem


@pytest.mark.parametrize(
    "settings",
    [{"RALLY_CLIENT_ID": "unknown"}, {"CALLBACK_URL": CALLBACK_URL.replace("/c", "/oauth/c")}],
    ids=["client id", "redirect_uri"],
)
async def test_a_client_that_is_not_registered_at_the_upstream_is_found(
    deploy, settings: dict[str, str]
) -> None:
    report = await parts(deploy(**settings)).report()

    [(name, finding)] = failed(report).items()
    assert name == AT_RALLY
    assert "HTTP 400 from 127.0.0.1" in finding.problem
    assert "the client id or the redirect_uri is not registered there" in finding.problem
    assert "register the client at Rally with this very redirect_uri" in finding.remedy


@pytest.mark.parametrize(
    ("change", "seen", "to_do"),
    [
        (no_connection, "no answer from 127.0.0.1:8090", "Rally is out of reach from here"),
        (instead(404), "not registered there", "register the client at Rally"),
        (instead(401), "not registered there", "register the client at Rally"),
        (instead(403), "HTTP 403 from", "check its IP allow-list"),
        (instead(503), "HTTP 503 from", "try again when Rally is well"),
        (
            instead(302, location=f"{CALLBACK_URL}?error=invalid_scope&state=x"),
            "error 'invalid_scope'",
            "invalid_scope is about the scope in the settings",
        ),
    ],
    ids=["out of reach", "missing", "refused", "turned away", "down", "sent back with an error"],
)
async def test_an_upstream_that_does_not_take_the_request_is_found(
    examined: Examined, change: Change, seen: str, to_do: str
) -> None:
    examined.changes[DOOR] = change

    [(name, finding)] = failed(await examined.report()).items()

    assert name == AT_RALLY
    assert seen in finding.problem
    assert to_do in finding.remedy


@pytest.mark.parametrize(
    "change",
    [
        instead(302, location="https://sso.example/login?return=1"),
        instead(302, location=f"{CALLBACK_URL}?code=x&state=y"),
        instead(401, "<form>", content_type="text/html; charset=utf-8"),
    ],
    ids=["another login", "consent given before", "a login page with 401"],
)
async def test_an_upstream_that_shows_a_login_in_its_own_way_is_well(
    examined: Examined, change: Change
) -> None:
    examined.changes[DOOR] = change

    assert failed(await examined.report()) == {}
