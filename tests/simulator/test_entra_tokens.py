"""Entra's token endpoint: its answers, its errors, and what a code is bound to."""

import re
from datetime import timedelta

import httpx
import pytest

from tests.fixtures.simulated_entra import (
    CALLBACK,
    CREDENTIALS,
    OTHER_CALLBACK,
    OTHER_CREDENTIALS,
    TOKEN,
    VERIFIER,
    refusal_of,
    simulated_entra,
)

GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
async def entra(clock):
    async with simulated_entra(clock) as entra:
        yield entra


async def test_the_answer_has_the_shape_of_entra(entra):
    response = await entra.exchanged(await entra.authorized())

    document = response.json()
    assert set(document) == {
        "token_type",
        "scope",
        "expires_in",
        "ext_expires_in",
        "access_token",
        "refresh_token",
        "id_token",
    }
    assert document["token_type"] == "Bearer"
    assert document["scope"] == "openid profile email"
    assert 3600 <= document["expires_in"] == document["ext_expires_in"] < 5400
    assert "no-store" in response.headers["cache-control"]


async def test_the_lifetime_of_an_access_token_can_be_chosen(clock):
    async with simulated_entra(clock, access_token_ttl=timedelta(minutes=5)) as entra:
        document = await entra.signed_in()

    assert document["expires_in"] == document["ext_expires_in"] == 300


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("openid profile", {"refresh_token"}),
        ("offline_access User.Read", {"id_token"}),
        ("profile", {"refresh_token", "id_token"}),
    ],
)
async def test_what_an_answer_holds_follows_from_the_scopes(entra, scope, missing):
    document = await entra.signed_in(scope=scope)

    assert {"refresh_token", "id_token"} - set(document) == missing


async def test_an_error_has_the_shape_of_entra(entra):
    response = await entra.exchanged("unknown")

    document = response.json()
    description = document.pop("error_description")
    trace_id, correlation_id = document.pop("trace_id"), document.pop("correlation_id")
    assert response.status_code == 400
    assert document == {
        "error": "invalid_grant",
        "error_codes": [9002313],
        "timestamp": "2026-05-13 09:30:00Z",
        "error_uri": "http://entra.test/error?code=9002313",
    }
    assert re.fullmatch(GUID, trace_id)
    assert re.fullmatch(GUID, correlation_id)
    assert description == (
        f"AADSTS9002313: Invalid request. Request is malformed or invalid. Trace ID: {trace_id} "
        f"Correlation ID: {correlation_id} Timestamp: 2026-05-13 09:30:00Z"
    )


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
    ],
)
async def test_a_client_that_cannot_prove_itself_is_refused(entra, changes, refusal):
    code = await entra.authorized()

    response = await entra.exchanged(code, **changes)

    assert refusal_of(response) == refusal
    assert (await entra.exchanged(code)).status_code == 200


@pytest.mark.parametrize(
    ("encoded", "status"), [(True, 200), (False, 401)], ids=["encoded", "as it is"]
)
async def test_http_basic_carries_form_encoded_credentials(entra, encoded, status):
    client_id, client_secret = CREDENTIALS.values()
    if encoded:
        client_secret = str(httpx.QueryParams({"": client_secret})).removeprefix("=")
    form = {
        "grant_type": "authorization_code",
        "code": await entra.authorized(),
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }

    response = await entra.http.post(TOKEN, data=form, auth=(client_id, client_secret))

    assert response.status_code == status


@pytest.mark.parametrize("credentials", ["Basic !!!", "Basic /w==", "Bearer x"])
async def test_credentials_that_cannot_be_read_count_as_none(entra, credentials):
    response = await entra.http.post(TOKEN, data={}, headers={"Authorization": credentials})

    assert refusal_of(response) == (400, "invalid_request", 900144)


@pytest.mark.parametrize("resource", ["", "https://mcp.example.com/mcp"])
@pytest.mark.parametrize("grant", ["exchanged", "refreshed"])
async def test_a_resource_is_refused_before_all_else(entra, grant, resource):
    send = getattr(entra, grant)

    response = await send("unknown", resource=resource, client_secret="wrong")

    assert refusal_of(response) == (400, "invalid_request", 901002)


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": "authorization_code"}, (400, "invalid_request", 900144)),
        ({"grant_type": "refresh_token"}, (400, "invalid_request", 900144)),
    ],
)
async def test_a_request_that_lacks_what_it_needs_is_refused(entra, form, refusal):
    response = await entra.asked(form)

    assert refusal_of(response) == refusal


async def test_another_tenant_has_no_token_endpoint(entra):
    response = await entra.http.post("/common/oauth2/v2.0/token", data={})

    assert refusal_of(response) == (400, "invalid_tenant", 90002)


async def test_a_code_is_redeemed_once_and_its_tokens_outlive_a_replay(entra):
    code = await entra.authorized()

    first = await entra.exchanged(code)
    second = await entra.exchanged(code)

    assert first.status_code == 200
    assert refusal_of(second) == (400, "invalid_grant", 54005)
    assert (await entra.refreshed(first.json()["refresh_token"])).status_code == 200
    assert entra.simulator.stats.code_exchanges == 1
    assert entra.simulator.stats.refused_token_requests == 1


async def test_a_code_is_good_for_ten_minutes(entra, clock):
    first, second = await entra.authorized(), await entra.authorized()

    clock.advance(timedelta(minutes=10, seconds=-1))
    before = await entra.exchanged(first)
    clock.advance(timedelta(seconds=1))
    after = await entra.exchanged(second)

    assert before.status_code == 200
    assert refusal_of(after) == (400, "invalid_grant", 70008)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"redirect_uri": OTHER_CALLBACK}, (401, "invalid_client", 500112)),
        ({"code_verifier": None}, (400, "invalid_grant", 50148)),
        ({"code_verifier": "x" * 43}, (400, "invalid_grant", 501481)),
        (OTHER_CREDENTIALS, (400, "invalid_grant", 9002313)),
    ],
)
async def test_a_code_is_bound_to_its_request_and_survives_a_wrong_one(entra, changes, refusal):
    code = await entra.authorized()

    refused = await entra.exchanged(code, **changes)
    allowed = await entra.exchanged(code)

    assert refusal_of(refused) == refusal
    assert allowed.status_code == 200


async def test_a_code_without_challenge_needs_no_verifier(entra):
    code = await entra.authorized(code_challenge="", code_challenge_method="")

    response = await entra.exchanged(code, code_verifier=None)

    assert response.status_code == 200
