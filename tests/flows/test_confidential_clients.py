"""Clients for people that an administrator added, and that prove who they are."""

import pytest

from tests.conformance.requirements import requirement
from tests.fixtures.machine import add_client_for_people, administration
from tests.fixtures.oauth_client import told
from tests.fixtures.token_answers import error_of, is_taken

INVALID_CLIENT = (401, "invalid_client")
UNAUTHORIZED_CLIENT = (400, "unauthorized_client")

SECRET_METHODS = ("client_secret_basic", "client_secret_post")

every_method = pytest.mark.parametrize("method", [*SECRET_METHODS, "private_key_jwt"])
by_secret = pytest.mark.parametrize("method", SECRET_METHODS)


@every_method
@requirement("C2", "B16")
async def test_a_client_for_people_proves_itself_when_it_redeems_a_code(deployment, method):
    client = await add_client_for_people(deployment, method)
    code = (await client.plain.authorize())["code"]

    unproven = await client.by("none").redeem(code)
    wrong = await client.by("client_secret_post", "x").redeem(code)
    answer = await client.redeem(code)

    assert client.client_id.startswith("rmcp_pc_")
    assert error_of(unproven) == error_of(wrong) == INVALID_CLIENT
    assert answer.status_code == 200, answer.text
    assert answer.json()["refresh_token"]
    assert await is_taken(client.plain, answer.json()["access_token"])


@by_secret
@requirement("C1", "C2")
async def test_a_client_for_people_refreshes_and_revokes_as_itself_and_is_no_machine(
    deployment, method
):
    client = await add_client_for_people(deployment, method)
    tokens = (await client.redeem((await client.plain.authorize())["code"])).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    as_machine = await client.log_in()
    unproven = await client.by("none").post("/token", refresh)
    renewed = (await client.post("/token", refresh)).json()
    left = await client.by("none").revoke(renewed["refresh_token"])
    still = await is_taken(client.plain, renewed["access_token"])
    revoked = await client.revoke(renewed["refresh_token"])

    assert error_of(as_machine) == UNAUTHORIZED_CLIENT
    assert error_of(unproven) == error_of(left) == INVALID_CLIENT
    assert still
    assert revoked.status_code == 200
    assert not await is_taken(client.plain, renewed["access_token"])


@requirement("C5")
async def test_a_client_for_people_asks_for_no_more_than_it_was_given(deployment):
    client = (await add_client_for_people(deployment, "none", ("rally:read",))).plain

    page = await client.consent_page(client.instance.browser(), scope="rally:write")

    assert told(page.response)["error"] == "invalid_scope"


@requirement("B5")
async def test_a_client_for_people_has_the_redirect_uris_that_it_was_given_alone(deployment):
    client = (await add_client_for_people(deployment, "none")).plain

    good = await client.consent_page(client.instance.browser())
    other = "https://client.elsewhere.example/callback"
    bad = await client.consent_page(client.instance.browser(), redirect_uri=other)

    assert good.response.status_code == 200
    assert bad.response.status_code == 400
    assert "location" not in bad.response.headers


@requirement("C8")
async def test_a_client_for_people_that_is_disabled_gets_neither_page_nor_tokens(deployment):
    client = await add_client_for_people(deployment, "client_secret_post")
    tokens = (await client.redeem((await client.plain.authorize())["code"])).json()
    code = (await client.plain.authorize())["code"]

    await administration(deployment).set_disabled(client.client_id, disabled=True)
    page = await client.plain.consent_page(client.plain.instance.browser())
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answers = [await client.redeem(code), await client.post("/token", refresh)]

    assert page.response.status_code == 400
    assert [error_of(answer) for answer in answers] == [INVALID_CLIENT] * 2
