"""The authorization request: what the person is told on a page, and what the client is told."""

import httpx
import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, MCP_ORIGIN
from tests.fixtures.oauth_client import REDIRECT_URI, RESOURCE, OAuthClient, new_client, told
from tests.fixtures.stored import COLLECTIONS, stored_rows

WEB = "https://client.example/callback?tenant=7"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 appendix B's."""


@pytest.fixture
async def client(deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register(redirect_uris=[REDIRECT_URI, WEB])
    return client


async def ask(client: OAuthClient, *more: tuple[str, str], **changed: str | None) -> httpx.Response:
    """Open an authorization request, with parameters changed and `more` of them added."""
    parameters = [*client.request(**changed).items(), *more]
    return await client.instance.browser().get(f"{AUTH_ORIGIN}/authorize", params=parameters)


async def assert_page(client: OAuthClient, answer: httpx.Response) -> None:
    """Fail unless the person was told, and nobody else."""
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert await stored_rows(client.deployment, *COLLECTIONS, OAUTH_CLIENTS) == []


def assert_told(client: OAuthClient, answer: httpx.Response, error: str) -> None:
    """Fail unless the client was told this error at its redirect URI, and nothing else happened."""
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{client.redirect_uri}?")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    response = told(answer)
    assert response.pop("error_description").isascii()
    assert response == {"error": error, "state": client.state, "iss": AUTH_ORIGIN}


@requirement("B5")
@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": None},
        {"client_id": ""},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": "https://attacker.example/callback"},
        {"redirect_uri": "https://attacker.example/callback", "response_type": "token"},
        {"redirect_uri": "https://attacker.example/callback", "code_challenge": None},
    ],
)
async def test_whoever_does_not_name_its_own_redirect_uri_is_not_redirected_to(client, changed):
    answer = await ask(client, **changed)

    await assert_page(client, answer)
    assert "attacker" not in answer.text


@requirement("B6")
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:33418/callback/",
        "http://127.0.0.1:33418/Callback",
        "http://127.0.0.1:33418/callback?x=1",
        "http://127.0.0.1:33418/callback#x",
        "http://127.0.0.1:33418/x/../callback",
        "http://ann@127.0.0.1:33418/callback",
        "http://127.0.0.1:33418@attacker.example/callback",
        "http://127.0.0.1:33418\\@attacker.example/callback",
        "http://127.0.0.1:33418/call\nback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.2:33418/callback",
        "http://localhost:33418/callback",
        "http://[::1]:33418/callback",
        "https://127.0.0.1:33418/callback",
        "https://client.example/callback",
        "https://client.example:443/callback?tenant=7",
        "https://client.example/callback?tenant=7&code=x",
        "https://client.example.attacker.example/callback?tenant=7",
        "javascript:alert(1)",
    ],
)
async def test_a_redirect_uri_that_differs_by_more_than_its_port_gives_a_page(client, redirect_uri):
    answer = await ask(client, redirect_uri=redirect_uri)

    await assert_page(client, answer)


@requirement("B6")
@pytest.mark.parametrize("port", ["", ":1", ":33418", ":65535"])
async def test_a_client_on_this_computer_may_listen_on_any_port(client, port):
    client.redirect_uri = f"http://127.0.0.1{port}/callback"

    response = await client.authorize()

    assert response["code"]


@requirement("B6")
@pytest.mark.parametrize(
    "own",
    [
        CALLBACK_URL,
        CALLBACK_URL.replace("127.0.0.1", "localhost"),
        f"{AUTH_ORIGIN}/authorize/complete",
        f"{MCP_ORIGIN}/mcp",
    ],
)
async def test_an_answer_never_goes_back_to_this_deployment(deployment, own):
    client = new_client(deployment, redirect_uri=own)
    await client.register()

    answer = await ask(client)

    await assert_page(client, answer)
    assert "leads back to this server" in answer.text


@requirement("B7")
@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
        {"code_challenge": CHALLENGE[:-1]},
        {"code_challenge": f"{CHALLENGE}="},
        {"code_challenge": CHALLENGE.replace("-", "+")},
        {"code_challenge": "ä" * 43},
    ],
)
async def test_a_request_without_pkce_by_s256_is_refused(client, changed):
    answer = await ask(client, **changed)

    assert_told(client, answer, "invalid_request")


@requirement("B8")
@pytest.mark.parametrize(
    "resource",
    [
        "https://attacker.example/mcp",
        MCP_ORIGIN,
        f"{RESOURCE}/",
        f"{RESOURCE}#fragment",
        f"{RESOURCE}?x=1",
        RESOURCE.upper(),
    ],
)
async def test_another_resource_is_refused(client, resource):
    answer = await ask(client, resource=resource)

    assert_told(client, answer, "invalid_target")


@requirement("B8")
@pytest.mark.parametrize("resource", [None, "", RESOURCE.replace("http", "HTTP")])
async def test_the_tokens_are_for_this_resource_although_it_is_not_named(client, resource):
    code = (await client.authorize(resource=resource))["code"]
    elsewhere = await client.redeem(code, resource="https://attacker.example/mcp")
    granted = await client.redeem(code)
    answer = await client.call(granted.json()["access_token"], "get_rally_user")

    assert elsewhere.json()["error"] == "invalid_target"
    assert answer.status_code == 200, answer.text


@requirement("B9")
@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_a_repeated_address_or_client_gives_a_page(client, name):
    answer = await ask(client, (name, client.request()[name]))

    await assert_page(client, answer)


@requirement("B9")
@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "resource", "code_challenge", "code_challenge_method", "unknown"],
)
async def test_any_other_parameter_that_comes_twice_is_refused(client, name):
    again = (name, client.request().get(name, "x"))

    answer = await ask(client, again, *([again] if name == "unknown" else []))

    assert_told(client, answer, "invalid_request")


@requirement("B9")
@pytest.mark.parametrize("states", [["ä"], ["line\nbreak"], ["x" * 2049], ["one", "another"]])
async def test_a_state_that_no_client_may_send_is_not_sent_back(client, states):
    answer = await ask(client, *[("state", state) for state in states], state=None)

    assert told(answer)["error"] == "invalid_request"
    assert "state" not in told(answer)


@requirement("B7")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": "rally:read rally:delete"}, "invalid_scope"),
        ({"scope": "offline_access"}, "invalid_scope"),
        ({"scope": "alm"}, "invalid_scope"),
    ],
)
async def test_what_is_not_served_is_refused_by_its_name(client, changed, error):
    answer = await ask(client, **changed)

    assert_told(client, answer, error)


@pytest.mark.parametrize("scope", [None, "", " "])
async def test_a_request_without_scopes_asks_for_all(client, scope):
    tokens = await client.sign_in(scope=scope)

    assert tokens["scope"] == "rally:read rally:write"


@pytest.mark.parametrize("state", ["x" * 2048, "a b&c=d#e%20+"])
async def test_a_state_comes_back_byte_for_byte(client, state):
    answer = await ask(client, state=state, response_type="token")
    response = await client.authorize(state=state)

    assert httpx.URL(answer.headers["location"]).params["state"] == state
    assert response["state"] == state


@pytest.mark.parametrize("state", [None, ""])
async def test_a_client_without_a_state_gets_none(client, state):
    response = await client.authorize(state=state)

    assert set(response) == {"code", "iss"}


async def test_the_query_of_a_redirect_uri_stays_before_the_answer(client):
    client.redirect_uri = WEB

    answer = await ask(client, response_type="token")
    response = await client.authorize()

    assert answer.headers["location"].startswith(f"{WEB}&error=unsupported_response_type&")
    assert response["tenant"] == "7"
    assert response["code"]


@requirement("B13")
async def test_who_denies_on_the_consent_page_tells_the_client_so(client):
    browser = client.instance.browser()

    answer = await client.decide(browser, await client.consent_page(browser), "deny")

    assert answer.status_code == 303
    response = told(answer)
    assert response.pop("error_description")
    assert response == {"error": "access_denied", "state": client.state, "iss": AUTH_ORIGIN}
    assert await stored_rows(client.deployment) == []


@requirement("B13")
async def test_who_declines_at_rally_tells_the_client_so(client):
    response = await client.authorize(decision="deny")

    assert response.pop("error_description")
    assert response == {"error": "access_denied", "state": client.state, "iss": AUTH_ORIGIN}


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_a_preview_of_the_address_is_refused(client, method):
    answer = await client.instance.browser().request(
        method, f"{AUTH_ORIGIN}/authorize", params=client.request()
    )

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert "set-cookie" not in answer.headers
