"""Refresh tokens: rotation, reuse, revocation."""

import pytest

OTHER_CREDENTIALS = {"client_id": "client-2", "client_secret": "secret-2"}


async def test_a_refresh_token_stays_without_rotation(rally):
    simulator, client = rally()
    first = await client.signed_in()

    second = (await client.refreshed(first["refresh_token"])).json()
    third = (await client.refreshed(first["refresh_token"])).json()

    assert first["refresh_token"] == second["refresh_token"] == third["refresh_token"]
    assert len({token["access_token"] for token in (first, second, third)}) == 3
    assert simulator.stats.refreshes == 2


async def test_rotation_gives_a_new_refresh_token_each_time(rally):
    _, client = rally(rotate_refresh_tokens=True)
    first = await client.signed_in()

    second = (await client.refreshed(first["refresh_token"])).json()
    third = (await client.refreshed(second["refresh_token"])).json()

    assert len({token["refresh_token"] for token in (first, second, third)}) == 3


@pytest.mark.parametrize(("revoke", "status"), [(True, 401), (False, 200)])
async def test_an_old_refresh_token_ends_the_family_if_reuse_is_watched(rally, revoke, status):
    _, client = rally(rotate_refresh_tokens=True, revoke_on_refresh_reuse=revoke)
    first = await client.signed_in()
    second = (await client.refreshed(first["refresh_token"])).json()

    reuse = await client.refreshed(first["refresh_token"])
    successor = await client.refreshed(second["refresh_token"])

    assert reuse.json()["error"] == "invalid_grant"
    assert await client.status_of(second["access_token"]) == status
    assert successor.status_code == (400 if revoke else 200)


async def test_reuse_leaves_the_other_sign_ins_of_the_user_alone(rally):
    _, client = rally(rotate_refresh_tokens=True)
    first, other = await client.signed_in(), await client.signed_in()
    await client.refreshed(first["refresh_token"])

    await client.refreshed(first["refresh_token"])

    assert await client.status_of(other["access_token"]) == 200


async def test_a_refresh_token_is_bound_to_its_client(rally):
    _, client = rally()
    token = (await client.signed_in())["refresh_token"]

    response = await client.refreshed(token, **OTHER_CREDENTIALS)

    assert response.json()["error"] == "invalid_grant"


async def test_an_unknown_refresh_token_is_refused(rally):
    _, client = rally()

    response = await client.refreshed("0" * 29)

    assert response.json()["error"] == "invalid_grant"


async def test_there_may_be_no_refresh_tokens(rally):
    _, client = rally(issue_refresh_tokens=False)

    assert "refresh_token" not in await client.signed_in()


async def test_revoking_a_user_ends_tokens_and_codes_but_no_api_key(rally):
    simulator, client = rally(expired_status=403)
    tokens = await client.signed_in()
    code = await client.authorized()

    simulator.revoke_user("ann")

    assert await client.status_of(tokens["access_token"]) == 403
    assert (await client.refreshed(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await client.exchanged(code)).json()["error"] == "invalid_grant"
    assert await client.status_of("_devann") == 200


async def test_revoking_a_user_leaves_everybody_else_alone(rally):
    simulator, client = rally()
    tokens = await client.signed_in()

    simulator.revoke_user("bob")

    assert await client.status_of(tokens["access_token"]) == 200


async def test_a_user_can_sign_in_again_after_a_revocation(rally):
    simulator, client = rally()
    simulator.revoke_user("ann")

    tokens = await client.signed_in()

    assert await client.status_of(tokens["access_token"]) == 200
