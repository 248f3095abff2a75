"""A GitHub App's tokens: they end after eight hours, and refreshing replaces both."""

from datetime import timedelta

import pytest

from tests.simulator.github_clients import OTHER_CREDENTIALS, connected


@pytest.fixture
async def github(clock):
    async with connected(clock=clock, expiring_tokens=True) as github:
        yield github


async def test_a_code_brings_a_token_with_an_end_and_a_refresh_token(github):
    token = await github.signed_in()

    assert token["access_token"].startswith("ghu_")
    assert token["refresh_token"].startswith("ghr_")
    assert (token["expires_in"], token["refresh_token_expires_in"]) == (28800, 15897600)
    assert token["token_type"] == "bearer"


async def test_there_are_permissions_instead_of_scopes(github):
    token = await github.signed_in()
    client = github.client_with(token["access_token"])

    response = await client.get("repos/acme/secret-plans/issues/1")

    assert token["scope"] == ""
    assert response.headers["x-oauth-scopes"] == ""
    assert response.status_code == 200


async def test_an_access_token_ends_after_eight_hours(github, clock):
    token = await github.signed_in()
    clock.advance(timedelta(hours=8, seconds=-1))
    before = await github.status_of(token["access_token"])
    clock.advance(timedelta(seconds=1))
    after = await github.status_of(token["access_token"])

    assert (before, after) == (200, 401)


async def test_refreshing_replaces_the_access_token_and_the_refresh_token(github):
    first = await github.signed_in()

    second = await github.refreshed(first["refresh_token"])

    assert set(second) == set(first)
    assert await github.status_of(first["access_token"]) == 401
    assert await github.status_of(second["access_token"]) == 200
    assert (await github.refreshed(first["refresh_token"]))["error"] == "bad_refresh_token"
    assert "access_token" in await github.refreshed(second["refresh_token"])
    assert github.simulator.stats.refreshes == 2


async def test_a_refresh_token_outlives_its_access_token_by_half_a_year(github, clock):
    in_time, late = await github.signed_in(), await github.signed_in()
    clock.advance(timedelta(seconds=15897599))
    refreshed_in_time = await github.refreshed(in_time["refresh_token"])
    clock.advance(timedelta(seconds=1))
    refreshed_late = await github.refreshed(late["refresh_token"])

    assert "access_token" in refreshed_in_time
    assert refreshed_late["error"] == "bad_refresh_token"


async def test_a_refresh_token_is_bound_to_its_app(github):
    token = await github.signed_in()

    answer = await github.refreshed(token["refresh_token"], **OTHER_CREDENTIALS)

    assert answer["error"] == "bad_refresh_token"


async def test_a_revoked_user_cannot_refresh_or_exchange(github):
    token, code = await github.signed_in(), await github.authorized()

    github.simulator.revoke_user("ann")

    assert await github.status_of(token["access_token"]) == 401
    assert (await github.refreshed(token["refresh_token"]))["error"] == "bad_refresh_token"
    assert (await github.exchanged(code))["error"] == "bad_verification_code"


async def test_expiring_all_access_tokens_leaves_the_refresh_tokens(github):
    token = await github.signed_in()

    github.simulator.expire_access_tokens()

    assert await github.status_of(token["access_token"]) == 401
    assert "access_token" in await github.refreshed(token["refresh_token"])
