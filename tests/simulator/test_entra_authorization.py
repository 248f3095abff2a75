"""Entra's authorization endpoint: who is asked, who decides, and where the browser goes."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from devtools.entra_simulator import DOMAIN, OTHER_TENANT, TENANT
from tests.fixtures.simulated_entra import AUTHORIZE, CALLBACK, CLIENT_ID, REQUEST, simulated_entra


@pytest.fixture
async def entra(clock):
    async with simulated_entra(clock) as entra:
        yield entra


async def asked(entra, **changes):
    return await entra.http.get(AUTHORIZE, params={**REQUEST, **changes})


async def decided(entra, decision, user="ann", **changes):
    form = {**REQUEST, "user": user, "decision": decision, **changes}
    return await entra.http.post(AUTHORIZE, data=form)


def answer_of(response):
    assert response.status_code == 302
    location = urlsplit(response.headers["location"])
    return f"{location.scheme}://{location.netloc}{location.path}", dict(parse_qsl(location.query))


async def test_the_page_is_a_form_that_carries_the_request(entra):
    response = await asked(entra)

    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', response.text)
    assert response.status_code == 200
    assert dict(hidden) == REQUEST
    assert f'<form method="post" action="{AUTHORIZE}">' in response.text
    assert re.findall(r'<option value="(\w+)">', response.text) == ["ann", "bob", "eve"]
    assert re.findall(r'name="decision" value="(\w+)"', response.text) == ["allow", "deny"]


async def test_the_page_escapes_what_it_repeats(entra):
    response = await asked(entra, state='"><script>')

    assert "<script>" not in response.text
    assert "&quot;&gt;&lt;script&gt;" in response.text


async def test_allow_brings_a_code_the_state_and_a_session_state(entra):
    response = await decided(entra, "allow")

    target, answer = answer_of(response)
    assert target == CALLBACK
    assert set(answer) == {"code", "session_state", "state"}
    assert answer["state"] == "state-1"
    assert len(answer["code"]) > 700
    assert entra.simulator.stats.authorizations == 1


async def test_a_request_without_state_gets_none_back(entra):
    response = await decided(entra, "allow", state="")

    assert set(answer_of(response)[1]) == {"code", "session_state"}


async def test_deny_brings_access_denied_in_microsofts_words(entra):
    response = await decided(entra, "deny")

    target, answer = answer_of(response)
    assert target == CALLBACK
    assert set(answer) == {"error", "error_description", "error_uri", "state"}
    assert answer["error"] == "access_denied"
    assert answer["error_description"].startswith("AADSTS65004: User declined to consent")
    assert answer["error_uri"] == "http://entra.test/error?code=65004"
    assert entra.simulator.stats.authorizations == 0


async def test_auto_consent_redirects_at_once(clock):
    async with simulated_entra(clock, auto_consent="bob") as entra:
        response = await asked(entra)

    assert "code" in answer_of(response)[1]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"client_id": "nobody"}, 700016),
        ({"client_id": ""}, 700016),
        ({"redirect_uri": ""}, 50011),
        ({"redirect_uri": f"{CALLBACK}/"}, 50011),
        ({"redirect_uri": "http://localhost:8083/callback"}, 50011),
    ],
)
async def test_another_client_or_redirect_uri_is_never_redirected_to(
    entra, method, changes, number
):
    send = asked if method == "GET" else decided
    sent = {} if method == "GET" else {"decision": "allow"}

    response = await send(entra, **sent, **changes)

    assert response.status_code == 400
    assert "location" not in response.headers
    assert f"AADSTS{number}" in response.text


@pytest.mark.parametrize("resource", ["", "https://mcp.example.com/mcp"])
async def test_a_resource_stops_the_sign_in_on_a_page(entra, resource):
    asked_for = await asked(entra, resource=resource)
    decided_for = await decided(entra, "allow", resource=resource)

    for response in (asked_for, decided_for):
        assert response.status_code == 400
        assert "location" not in response.headers
        assert "<code>invalid_request</code>: AADSTS901002" in response.text


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 700054),
        ({"response_mode": "form_post"}, "invalid_request", 70007),
        ({"scope": ""}, "invalid_request", 900144),
        ({"scope": "openid alm"}, "invalid_client", 650053),
        ({"code_challenge_method": "plain"}, "invalid_request", 50149),
        ({"code_challenge_method": ""}, "invalid_request", 50149),
        ({"code_challenge": ""}, "invalid_request", 501491),
        ({"code_challenge": "x" * 42}, "invalid_request", 501491),
    ],
)
async def test_a_request_that_is_not_served_is_sent_back_as_an_error(entra, changes, error, number):
    response = await asked(entra, **changes)

    target, answer = answer_of(response)
    assert target == CALLBACK
    assert answer["error"] == error
    assert answer["error_description"].startswith(f"AADSTS{number}: ")
    assert answer["state"] == "state-1"


async def test_the_query_is_the_response_mode_that_is_served(entra):
    response = await asked(entra, response_mode="query")

    assert response.status_code == 200


async def test_a_confidential_client_may_leave_pkce_out(entra):
    response = await asked(entra, code_challenge="", code_challenge_method="")

    assert response.status_code == 200


@pytest.mark.parametrize("tenant", [OTHER_TENANT, "common", "organizations"])
async def test_another_tenant_is_not_found(entra, tenant):
    response = await entra.http.get(f"/{tenant}/oauth2/v2.0/authorize", params=REQUEST)

    assert response.status_code == 400
    assert f"AADSTS90002: Tenant &#x27;{tenant}&#x27; not found" in response.text


@pytest.mark.parametrize("tenant", [TENANT.upper(), DOMAIN])
async def test_a_tenant_is_known_in_capitals_and_by_its_domain_too(entra, tenant):
    response = await entra.http.get(AUTHORIZE.replace(TENANT, tenant), params=REQUEST)

    assert response.status_code == 200


async def test_a_decision_of_nobody_is_a_page(entra):
    response = await decided(entra, "allow", user="mallory")

    assert response.status_code == 400
    assert "location" not in response.headers


async def test_a_disabled_user_cannot_sign_in_until_they_are_enabled(entra):
    entra.simulator.directory.disable_user("ann")
    refused = await decided(entra, "allow")
    other = await decided(entra, "allow", user="bob")
    entra.simulator.directory.enable_user("ann")
    allowed = await decided(entra, "allow")

    assert refused.status_code == 400
    assert "AADSTS50057" in refused.text
    assert (other.status_code, allowed.status_code) == (302, 302)


async def test_the_front_page_tells_tenant_users_and_applications_but_no_secret(entra):
    page = (await entra.http.get("/")).text

    assert f'href="/{TENANT}/v2.0/.well-known/openid-configuration"' in page
    assert "<b>eve</b>: Eve Evans, eve@example.org, of another tenant" in page
    assert f"{CLIENT_ID}: {CALLBACK}" in page
    assert "secret-1" not in page
