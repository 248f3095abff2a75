"""GitHub's revocation API: an app ends one token, or all that a user has with it."""

import pytest

from tests.simulator.github_clients import OTHER_CREDENTIALS, connected

APP = ("app-1", "secret-1")


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


async def revoked(github, kind, access_token, *, auth=APP, client_id="app-1"):
    return await github.browser.request(
        "DELETE",
        f"/api/v3/applications/{client_id}/{kind}",
        auth=auth,
        json={"access_token": access_token},
    )


async def test_a_token_ends_and_the_others_of_its_user_stay(github):
    token, other = await github.signed_in(), await github.signed_in()

    response = await revoked(github, "token", token["access_token"])

    assert (response.status_code, response.content) == (204, b"")
    assert await github.status_of(token["access_token"]) == 401
    assert await github.status_of(other["access_token"]) == 200
    assert github.simulator.stats.revocations == 1


async def test_a_grant_ends_with_all_tokens_of_its_user_and_app(github):
    token, other, bob = [await github.signed_in(user) for user in ("ann", "ann", "bob")]
    code = await github.authorized(client_id="app-2")
    at_another_app = await github.exchanged(code, **OTHER_CREDENTIALS)

    response = await revoked(github, "grant", token["access_token"])

    assert response.status_code == 204
    tokens = (token, other, bob, at_another_app)
    statuses = [await github.status_of(each["access_token"]) for each in tokens]
    assert statuses == [401, 401, 200, 200]


async def test_a_revoked_token_takes_its_refresh_token_along(clock):
    async with connected(clock=clock, expiring_tokens=True) as github:
        token = await github.signed_in()

        await revoked(github, "token", token["access_token"])

        assert (await github.refreshed(token["refresh_token"]))["error"] == "bad_refresh_token"


async def test_a_token_that_is_no_more_is_not_found(github):
    token = await github.signed_in()
    await revoked(github, "token", token["access_token"])

    response = await revoked(github, "token", token["access_token"])

    assert response.status_code == 404
    assert response.json()["message"] == "Not Found"


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": ("app-1", "wrong")},
        {"auth": ("app-3", "")},
        {"auth": tuple(OTHER_CREDENTIALS.values())},
        {"auth": tuple(OTHER_CREDENTIALS.values()), "client_id": "app-2"},
        {"auth": None},
        {"kind": "secret"},
    ],
)
async def test_nobody_but_the_app_ends_its_tokens(github, changes):
    token = (await github.signed_in())["access_token"]

    response = await revoked(github, **{"kind": "token", "access_token": token, **changes})

    assert response.status_code == 404
    assert await github.status_of(token) == 200


@pytest.mark.parametrize("authorization", ["Basic ?", "Basic /w==", "Bearer app-1"])
async def test_credentials_that_are_no_basic_ones_are_not_found(github, authorization):
    response = await github.browser.request(
        "DELETE",
        "/api/v3/applications/app-1/token",
        headers={"Authorization": authorization},
    )

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 422), (b"{}", 422), (b"[]", 422), (b"{", 400)]
)
async def test_the_body_has_to_name_a_token(github, content, status):
    response = await github.browser.request(
        "DELETE", "/api/v3/applications/app-1/token", auth=APP, content=content
    )

    assert response.status_code == status
