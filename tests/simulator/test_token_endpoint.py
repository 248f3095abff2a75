"""The token endpoint: its answers, what a code is bound to, and the two ways with PKCE."""

import re
from datetime import timedelta

import pytest

OTHER_CALLBACK = "http://localhost:9999/callback"
OTHER_CREDENTIALS = {"client_id": "client-2", "client_secret": "secret-2"}
USER_URL = "/slm/webservice/v2.0/user"

# RFC 7636, appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_the_answer_has_the_shape_of_rally(rally):
    _, client = rally()

    document = await client.signed_in()

    assert set(document) == {
        "id_token",
        "refresh_token",
        "expires_in",
        "token_type",
        "access_token",
    }
    assert document["id_token"] == "???"
    assert document["expires_in"] == 86400
    assert document["token_type"] == "Bearer"
    assert re.fullmatch(r"[\w-]{43}", document["access_token"])
    assert re.fullmatch(r"[0-9a-f]{29}", document["refresh_token"])


@pytest.mark.parametrize("header", ["ZSESSIONID", "Authorization"])
async def test_an_access_token_is_good_for_the_wsapi(rally, header):
    _, client = rally()
    token = (await client.signed_in())["access_token"]

    credential = f"Bearer {token}" if header == "Authorization" else token
    response = await client.http.get(USER_URL, headers={header: credential})

    assert response.json()["User"]["UserName"] == "ann@example.com"


@pytest.mark.parametrize("status", [401, 403])
async def test_an_access_token_expires(rally, clock, status):
    _, client = rally(access_token_ttl=timedelta(minutes=5), expired_status=status)
    token = (await client.signed_in())["access_token"]

    before = await client.status_of(token)
    clock.advance(timedelta(minutes=5))
    after = await client.status_of(token)

    assert (before, after) == (200, status)


async def test_a_reused_code_is_refused(rally):
    simulator, client = rally()
    code = await client.authorized()

    first = await client.exchanged(code)
    second = await client.exchanged(code)

    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json() == {
        "client_id": None,
        "client_secret": None,
        "error_description": "Invalid authorization code",
        "error": "invalid_grant",
    }
    assert simulator.stats.code_exchanges == 1
    assert simulator.stats.refused_token_requests == 1


async def test_a_code_is_good_for_less_than_a_minute(rally, clock):
    _, client = rally()
    code = await client.authorized()

    clock.advance(timedelta(seconds=60))
    response = await client.exchanged(code)

    assert response.json()["error"] == "invalid_grant"


async def test_a_code_is_bound_to_the_redirect_uri_it_was_sent_to(rally):
    _, client = rally()

    response = await client.exchanged(await client.authorized(), redirect_uri=OTHER_CALLBACK)

    assert response.json()["error"] == "invalid_grant"


async def test_a_code_is_bound_to_its_client(rally):
    _, client = rally()

    response = await client.exchanged(await client.authorized(), **OTHER_CREDENTIALS)

    assert response.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes", [{"client_secret": "wrong"}, {"client_secret": ""}, {"client_id": "nobody"}]
)
async def test_a_client_that_cannot_prove_itself_is_refused_with_401(rally, changes):
    _, client = rally()

    response = await client.exchanged(await client.authorized(), **changes)

    assert response.status_code == 401
    assert response.json()["error"] == "invalid_client"


async def test_another_grant_type_is_refused(rally):
    _, client = rally()

    response = await client.exchanged("", grant_type="password")

    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_grant_type"


async def test_a_request_may_come_as_json(rally):
    _, client = rally()
    document = {
        "grant_type": "authorization_code",
        "code": await client.authorized(),
        "redirect_uri": "http://localhost:8082/callback",
        "client_id": "client-1",
        "client_secret": "secret-1",
    }

    response = await client.http.post("/login/oauth2/token", json=document)

    assert response.status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]"])
async def test_json_that_is_no_object_is_refused(rally, body):
    _, client = rally()

    response = await client.http.post(
        "/login/oauth2/token", content=body, headers={"Content-Type": "application/json"}
    )

    assert response.json()["error"] == "invalid_request"


async def test_rally_does_not_check_the_code_verifier(rally):
    _, client = rally()
    code = await client.authorized(code_challenge=CHALLENGE, code_challenge_method="S256")

    response = await client.exchanged(code, code_verifier="wrong")

    assert response.status_code == 200


@pytest.mark.parametrize(("verifier", "status"), [(VERIFIER, 200), ("wrong", 400), ("", 400)])
async def test_strict_pkce_checks_the_code_verifier(rally, verifier, status):
    _, client = rally(enforce_pkce=True)
    code = await client.authorized(code_challenge=CHALLENGE, code_challenge_method="S256")

    response = await client.exchanged(code, code_verifier=verifier)

    assert response.status_code == status
