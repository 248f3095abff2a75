"""GitHub's token endpoint for OAuth apps: what it takes, and errors with status 200."""

import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from tests.simulator.github_clients import (
    CALLBACK,
    CREDENTIALS,
    OTHER_CREDENTIALS,
    connected,
)

VERIFIER = "v" * 43
CHALLENGE = {
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    .rstrip(b"=")
    .decode(),
    "code_challenge_method": "S256",
}


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


async def test_a_code_brings_a_token_without_an_end(github, clock):
    token = await github.signed_in()
    clock.advance(timedelta(days=1000))

    assert set(token) == {"access_token", "scope", "token_type"}
    assert token["access_token"].startswith("gho_")
    assert (token["scope"], token["token_type"]) == ("read:user,repo", "bearer")
    assert await github.status_of(token["access_token"]) == 200


async def test_the_answer_is_a_form_unless_json_is_asked_for(github):
    form = {**CREDENTIALS, "code": await github.authorized()}

    response = await github.browser.post("/login/oauth/access_token", data=form)

    assert response.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert dict(parse_qsl(response.text))["scope"] == "read:user,repo"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "0" * 20}, "bad_verification_code"),
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"client_id": "app-3"}, "incorrect_client_credentials"),
        (OTHER_CREDENTIALS, "bad_verification_code"),
        ({"redirect_uri": f"{CALLBACK}/other"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "https://elsewhere.example.com"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "ghr_0"}, "bad_refresh_token"),
        ({"grant_type": "refresh_token"}, "bad_refresh_token"),
    ],
)
async def test_an_error_comes_with_status_200(github, changes, error):
    code = await github.authorized()

    answer = await github.asked(**{"code": code, **changes})

    assert set(answer) == {"error", "error_description", "error_uri"}
    assert answer["error"] == error
    assert answer["error_uri"].startswith("https://docs.github.com/apps/managing-oauth-apps/")
    assert github.simulator.stats.refused_token_requests == 1


async def test_an_error_is_a_form_too(github):
    response = await github.browser.post("/login/oauth/access_token", data=CREDENTIALS)

    assert response.status_code == 200
    assert dict(parse_qsl(response.text))["error"] == "bad_verification_code"


async def test_a_code_is_good_once(github):
    code = await github.authorized()
    await github.exchanged(code)

    assert (await github.exchanged(code))["error"] == "bad_verification_code"


async def test_a_code_lives_for_ten_minutes(github, clock):
    late, in_time = await github.authorized(), await github.authorized()
    clock.advance(timedelta(minutes=10, seconds=-1))
    exchanged_in_time = await github.exchanged(in_time)
    clock.advance(timedelta(seconds=1))
    exchanged_late = await github.exchanged(late)

    assert "access_token" in exchanged_in_time
    assert exchanged_late["error"] == "bad_verification_code"


@pytest.mark.parametrize("verifier", [{}, {"code_verifier": "w" * 43}])
async def test_a_challenge_has_to_be_met(github, verifier):
    answer = await github.exchanged(await github.authorized(**CHALLENGE), **verifier)

    assert answer["error"] == "bad_verification_code"


async def test_the_verifier_of_the_challenge_brings_a_token(github):
    code = await github.authorized(**CHALLENGE)

    assert "access_token" in await github.exchanged(code, code_verifier=VERIFIER)


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        ("user gist user:email", "gist,user"),
        ("repo,public_repo", "repo"),
        ("alm", ""),
        ("", ""),
    ],
)
async def test_scopes_are_brought_into_their_shortest_form(github, requested, granted):
    assert (await github.signed_in(scope=requested))["scope"] == granted


@pytest.mark.parametrize("sent_as", ["params", "json"])
async def test_parameters_may_come_in_the_query_or_as_json(github, sent_as):
    parameters = {**CREDENTIALS, "code": await github.authorized()}

    response = await github.browser.post(
        "/login/oauth/access_token",
        headers={"Accept": "application/json"},
        **{sent_as: parameters},
    )

    assert "access_token" in response.json()


async def test_a_body_that_is_no_json_counts_as_empty(github):
    response = await github.browser.post(
        "/login/oauth/access_token",
        content=b"{",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
    )

    assert response.json()["error"] == "incorrect_client_credentials"


async def test_the_eleventh_token_of_a_user_app_and_scope_ends_the_first(github):
    narrow = await github.signed_in(scope="repo")
    tokens = [await github.signed_in() for _ in range(11)]

    statuses = [await github.status_of(token["access_token"]) for token in tokens]
    assert statuses == [401] + [200] * 10
    assert await github.status_of(narrow["access_token"]) == 200
