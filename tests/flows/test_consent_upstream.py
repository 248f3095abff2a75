"""A sign-in that does not succeed at Rally: the client is told why, in the words of RFC 6749."""

import httpx
import pytest

from devtools.rally_simulator import RallySimulator
from rally_mcp.sign_in.records import PRINCIPALS
from tests.clients.browser_walk import walk
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client, told
from tests.fixtures.rally_wire import TOKEN, WSAPI, answers, fails, loses_answer, wired
from tests.fixtures.stored import stored_rows

WORDS = "upstream words"

UNAVAILABLE = {
    "server error": answers(f"<html>{WORDS}</html>", 500),
    "gateway": answers(f"<html>{WORDS}</html>", 503),
    "overload": answers({"error": WORDS}, 429),
    "no connection": fails(httpx.ConnectError),
    "timeout": fails(httpx.ReadTimeout),
    "lost answer": loses_answer(httpx.ReadError),
}
TOKEN_REJECTIONS = {
    "page instead of JSON": answers(f"<html>{WORDS}</html>"),
    "no token": answers({"token_type": WORDS}),
    "refused code": answers({"error": "invalid_grant", "error_description": WORDS}, 400),
    "refused client": answers({"error": "invalid_client", "error_description": WORDS}, 401),
}
USER_REJECTIONS = {
    "page instead of JSON": answers(f"<html>{WORDS}</html>", 401),
    "nobody": answers({"QueryResult": {"Results": [], "Errors": [WORDS]}}),
}
FAILURES = [
    pytest.param(method, path, how, error, id=f"{path.rpartition('/')[2]}-{name}")
    for method, path, error, failures in (
        ("POST", TOKEN, "temporarily_unavailable", UNAVAILABLE),
        ("POST", TOKEN, "server_error", TOKEN_REJECTIONS),
        ("GET", WSAPI, "temporarily_unavailable", UNAVAILABLE),
        ("GET", WSAPI, "server_error", USER_REJECTIONS),
    )
    for name, how in failures.items()
]


async def assert_told(client: OAuthClient, answer: httpx.Response, error: str) -> None:
    """Fail unless the client was told this error in our own words, and nothing is left."""
    response = told(answer)
    assert answer.headers["location"].startswith(f"{client.redirect_uri}?")
    assert answer.headers["cache-control"] == "no-store"
    assert WORDS not in response.pop("error_description")
    assert response == {"error": error, "state": client.state, "iss": AUTH_ORIGIN}
    [row] = await stored_rows(client.deployment, PRINCIPALS)
    assert row.document["upstreams"] == {}
    assert row.document["grant"] is None


async def registered(deployment: Deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register()
    return client


async def walk_back(
    client: OAuthClient, browser: httpx.AsyncClient, parameters: dict[str, str]
) -> httpx.Response:
    """Come back from Rally with these parameters, and on to the client."""
    back = str(httpx.URL(CALLBACK_URL, params=parameters))
    return await client.through_rally(browser, back)


@requirement("B13")
async def test_who_declines_at_rally_is_brought_back_to_the_client(deployment):
    client = await registered(deployment)
    browser = client.instance.browser()
    address = await client.to_rally(browser)

    answer = await client.through_rally(browser, address, decision="deny")

    await assert_told(client, answer, "access_denied")
    assert len(browser.cookies) == 0


@requirement("B13")
async def test_somebody_of_another_subscription_is_not_admitted(deploy):
    client = await registered(deploy(RALLY_SUBSCRIPTIONS="Acme Corporation"))
    browser = client.instance.browser()

    welcome = await client.authorize("ann")
    address = await client.to_rally(browser)
    answer = await client.through_rally(browser, address, "bob")

    assert welcome["code"]
    assert told(answer)["error"] == "access_denied"
    assert "not for that account" in told(answer)["error_description"]


@pytest.mark.parametrize(("method", "path", "failure", "error"), FAILURES)
async def test_a_failure_at_rally_is_told_without_its_words(
    deployment, method, path, failure, error
):
    failing = wired(deployment)
    client = await registered(failing)
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    failing.wire.disturb(method, path, failure)

    with written_log() as log:
        answer = await client.through_rally(browser, address)

    await assert_told(client, answer, error)
    assert WORDS not in log.text
    assert len(log.audit("sign_in.failed")) == 1


async def test_after_a_failure_at_rally_the_next_try_succeeds(deployment):
    failing = wired(deployment)
    client = await registered(failing)
    failing.wire.disturb("POST", TOKEN, answers(WORDS, 503))

    failed = await client.authorize()
    tokens = await client.sign_in()

    assert failed["error"] == "temporarily_unavailable"
    assert tokens["access_token"]


@pytest.mark.parametrize("said", ["server_error", "invalid_scope", "<script>", "temporarily"])
async def test_what_rally_says_instead_of_a_code_is_not_passed_on(deployment, said):
    client = await registered(deployment)
    browser = client.instance.browser()
    state = httpx.URL(await client.to_rally(browser)).params["state"]
    parameters = {"state": state, "error": said, "error_description": WORDS}

    answer = await walk_back(client, browser, parameters)

    await assert_told(client, answer, "server_error")


@requirement("B12")
async def test_a_failure_is_not_told_by_way_of_another_browser(deployment):
    client = await registered(deployment)
    browser, elsewhere = client.instance.browser(), client.instance.browser()
    address = await client.to_rally(browser)

    answer = await client.through_rally(elsewhere, address, decision="deny")

    assert answer.status_code == 403
    assert "location" not in answer.headers


@requirement("B14")
async def test_the_code_of_one_sign_in_does_nothing_in_another(deployment):
    deployment.rally = RallySimulator(
        clock=deployment.clock, clients=deployment.rally.clients.values(), enforce_pkce=True
    )
    deployment.scale_out()
    client = await registered(deployment)
    browser = client.instance.browser()
    addresses = [await client.to_rally(browser) for _ in range(2)]
    pages = [await walk(browser, each, stop_before=CALLBACK_URL) for each in addresses]
    first, second = (httpx.URL(page.response.headers["location"]) for page in pages)

    mixed_up = first.copy_set_param("code", second.params["code"])
    answer = await client.through_rally(browser, str(mixed_up))

    assert told(answer)["error"] == "server_error"


@requirement("B12")
async def test_a_browser_that_comes_back_too_late_finds_nothing_parked(deployment):
    client = await registered(deployment)
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    complete = f"{AUTH_ORIGIN}/authorize/complete"
    back = await client.through_rally(browser, address, stop_before=complete)
    deployment.clock.advance(minutes=10)

    answer = await browser.get(back.headers["location"])

    await assert_told(client, answer, "server_error")


async def test_who_takes_too_long_at_rally_is_told_to_connect_again(deployment):
    client = await registered(deployment)
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    deployment.clock.advance(minutes=10)

    answer = await client.through_rally(browser, address)

    assert answer.status_code == 400
    assert "connect again in the client that brought you here" in answer.text
