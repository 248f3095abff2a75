"""The authorization endpoint: who may be asked, who decides, and where the browser goes."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient

CALLBACK = "http://localhost:8082/callback"
CLIENT = RegisteredClient("client-1", "secret-1", (CALLBACK, f"{CALLBACK}?tenant=1"))
REQUEST = {
    "response_type": "code",
    "client_id": "client-1",
    "redirect_uri": CALLBACK,
    "state": "state-1",
    "scope": "alm",
}
S256 = {"code_challenge": "c" * 43, "code_challenge_method": "S256"}


async def asked(client, **changes):
    return await client.get("/login/oauth2/auth", params={**REQUEST, **changes})


def answer_of(response):
    assert response.status_code in {302, 303}
    location = urlsplit(response.headers["location"])
    return f"{location.scheme}://{location.netloc}{location.path}", dict(parse_qsl(location.query))


def hidden_fields(page):
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))


async def test_the_page_is_a_form_that_carries_the_request(anonymous):
    response = await asked(anonymous, **S256)

    assert response.status_code == 200
    assert hidden_fields(response.text) == {**REQUEST, **S256}
    assert '<form method="post" action="/login/oauth2/auth">' in response.text
    assert re.findall(r'<option value="(\w+)">', response.text) == ["ann", "bob"]
    assert re.findall(r'name="decision" value="(\w+)"', response.text) == ["allow", "deny"]


async def test_the_page_escapes_what_it_repeats(anonymous):
    response = await asked(anonymous, state='"><script>')

    assert "<script>" not in response.text
    assert "&quot;&gt;&lt;script&gt;" in response.text


async def test_allow_brings_a_code_and_the_state(anonymous, simulator):
    form = hidden_fields((await asked(anonymous)).text)

    response = await anonymous.post(
        "/login/oauth2/auth", data={**form, "user": "bob", "decision": "allow"}
    )

    target, answer = answer_of(response)
    assert target == CALLBACK
    assert answer["state"] == "state-1"
    assert set(answer) == {"code", "state"}
    assert simulator.stats.authorizations == 1


async def test_deny_brings_access_denied_and_the_state(anonymous, simulator):
    response = await anonymous.post(
        "/login/oauth2/auth", data={**REQUEST, "user": "ann", "decision": "deny"}
    )

    assert answer_of(response) == (CALLBACK, {"error": "access_denied", "state": "state-1"})
    assert simulator.stats.authorizations == 0


async def test_a_decision_of_nobody_is_an_error_page(anonymous):
    response = await anonymous.post(
        "/login/oauth2/auth", data={**REQUEST, "user": "eve", "decision": "allow"}
    )

    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "client-2"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?a=1"},
        {"redirect_uri": "http://LOCALHOST:8082/callback"},
        {"redirect_uri": "http://localhost:8083/callback"},
        {"redirect_uri": "https://localhost:8082/callback"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_client_or_redirect_uri_is_never_redirected_to(anonymous, method, changes):
    parameters = {**REQUEST, **changes, "user": "ann", "decision": "allow"}
    sent = {"params": parameters} if method == "GET" else {"data": parameters}

    response = await anonymous.request(method, "/login/oauth2/auth", **sent)

    assert response.status_code == 400
    assert "location" not in response.headers


async def test_another_response_type_is_sent_back_as_an_error(anonymous):
    response = await asked(anonymous, response_type="token")

    assert answer_of(response)[1] == {"error": "unsupported_response_type", "state": "state-1"}


async def test_auto_consent_redirects_at_once(browser_to):
    simulator = RallySimulator(clients=[CLIENT], auto_consent="ann")

    response = await asked(browser_to(simulator))

    target, answer = answer_of(response)
    assert response.status_code == 302
    assert (target, set(answer)) == (CALLBACK, {"code", "state"})


async def test_a_redirect_uri_keeps_its_own_query(browser_to):
    simulator = RallySimulator(clients=[CLIENT], auto_consent="ann")

    response = await asked(browser_to(simulator), redirect_uri=f"{CALLBACK}?tenant=1")

    assert set(answer_of(response)[1]) == {"tenant", "code", "state"}


@pytest.mark.parametrize(
    "challenge", [{}, {"code_challenge": "c" * 43}, {**S256, "code_challenge_method": "plain"}]
)
async def test_strict_pkce_demands_a_challenge_by_s256(browser_to, challenge):
    simulator = RallySimulator(clients=[CLIENT], enforce_pkce=True)
    client = browser_to(simulator)

    refused = await asked(client, **challenge)
    accepted = await asked(client, **S256)

    assert answer_of(refused)[1] == {"error": "invalid_request", "state": "state-1"}
    assert accepted.status_code == 200


async def test_rally_does_not_look_at_pkce(anonymous):
    response = await asked(anonymous, code_challenge="x", code_challenge_method="plain")

    assert response.status_code == 200
