"""Entra's refresh tokens: rotation, narrower scopes, and what an administrator ends."""

from datetime import timedelta

import pytest

from tests.fixtures.simulated_entra import OTHER_CREDENTIALS, SCOPE, refusal_of, simulated_entra


@pytest.fixture
async def entra(clock):
    async with simulated_entra(clock) as entra:
        yield entra


async def test_refreshing_rotates_and_leaves_the_old_refresh_token_good(entra):
    first = await entra.signed_in()

    second = (await entra.refreshed(first["refresh_token"])).json()
    third = (await entra.refreshed(first["refresh_token"])).json()

    tokens = (first, second, third)
    assert len({token["refresh_token"] for token in tokens}) == 3
    assert len({token["access_token"] for token in tokens}) == 3
    assert {token["scope"] for token in tokens} == {"openid profile email"}
    assert (await entra.refreshed(second["refresh_token"])).status_code == 200
    assert entra.simulator.stats.refreshes == 3


async def test_a_refresh_token_is_good_for_ninety_days(entra, clock):
    token = (await entra.signed_in())["refresh_token"]

    clock.advance(timedelta(days=90, seconds=-1))
    before = await entra.refreshed(token)
    clock.advance(timedelta(seconds=1))
    after = await entra.refreshed(token)

    assert before.status_code == 200
    assert refusal_of(after) == (400, "invalid_grant", 700082)


async def test_a_refresh_token_is_bound_to_its_client(entra):
    token = (await entra.signed_in())["refresh_token"]

    response = await entra.refreshed(token, **OTHER_CREDENTIALS)

    assert refusal_of(response) == (400, "invalid_grant", 9002313)


@pytest.mark.parametrize(
    ("scope", "told", "members"),
    [
        (None, "openid profile email", {"id_token", "refresh_token"}),
        (SCOPE, "openid profile email", {"id_token", "refresh_token"}),
        ("offline_access", "", {"refresh_token"}),
        ("openid email", "openid email", {"id_token"}),
    ],
)
async def test_a_refresh_may_ask_for_less(entra, scope, told, members):
    token = (await entra.signed_in())["refresh_token"]

    document = (await entra.refreshed(token, scope=scope)).json()

    assert document["scope"] == told
    assert set(document) & {"id_token", "refresh_token"} == members


async def test_a_refresh_may_not_ask_for_more(entra):
    token = (await entra.signed_in(scope="openid offline_access"))["refresh_token"]

    response = await entra.refreshed(token, scope="openid User.Read")

    assert refusal_of(response) == (400, "invalid_grant", 65001)
    assert response.json()["suberror"] == "consent_required"


async def test_a_disabled_user_gets_nothing_until_they_are_enabled(entra):
    token, code = (await entra.signed_in())["refresh_token"], await entra.authorized()

    entra.simulator.directory.disable_user("ann")
    refused = [await entra.refreshed(token), await entra.exchanged(code)]
    entra.simulator.directory.enable_user("ann")

    assert [refusal_of(response) for response in refused] == [(400, "invalid_grant", 50057)] * 2
    assert (await entra.refreshed(token)).status_code == 200


async def test_interaction_is_required_until_the_user_was_at_the_browser(entra):
    token = (await entra.signed_in())["refresh_token"]

    entra.simulator.directory.require_interaction("ann")
    refused = await entra.refreshed(token)
    await entra.authorized()
    allowed = await entra.refreshed(token)

    assert refusal_of(refused) == (400, "interaction_required", 50076)
    assert refused.json()["suberror"] == "basic_action"
    assert allowed.status_code == 200


async def test_revoking_a_user_ends_what_they_gave_but_not_what_they_give(entra):
    token, code = (await entra.signed_in())["refresh_token"], await entra.authorized()
    bobs = (await entra.signed_in("bob"))["refresh_token"]

    entra.simulator.directory.revoke_user("ann")
    refused = [await entra.refreshed(token), await entra.exchanged(code)]
    new = (await entra.signed_in())["refresh_token"]

    assert [refusal_of(response) for response in refused] == [(400, "invalid_grant", 50173)] * 2
    assert (await entra.refreshed(new)).status_code == 200
    assert (await entra.refreshed(bobs)).status_code == 200
