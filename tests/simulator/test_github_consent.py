"""GitHub's authorization endpoint: who may be asked, who decides, and where the browser goes."""

import re

import pytest

from tests.simulator.github_clients import CALLBACK, REQUEST, answer_of, connected

S256 = {"code_challenge": "c" * 43, "code_challenge_method": "S256"}
ERRORS_PAGE = (
    "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/"
)


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


async def asked(github, **changes):
    return await github.browser.get("/login/oauth/authorize", params={**REQUEST, **changes})


async def decided(github, **changes):
    form = {**REQUEST, "user": "ann", "decision": "allow", **changes}
    return await github.browser.post("/login/oauth/authorize", data=form)


def hidden_fields(page):
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))


async def test_the_page_is_a_form_that_carries_the_request(github):
    response = await asked(github, **S256)

    assert response.status_code == 200
    assert hidden_fields(response.text) == {**REQUEST, **S256}
    assert '<form method="post" action="/login/oauth/authorize">' in response.text
    assert re.findall(r'<option value="(\w+)">', response.text) == ["ann", "bob"]
    assert re.findall(r'name="decision" value="(\w+)"', response.text) == ["allow", "deny"]


async def test_the_page_escapes_what_it_repeats(github):
    response = await asked(github, state='"><script>', scope="<script>")

    assert "<script>" not in response.text


async def test_consent_brings_a_code_and_the_state(github):
    target, answer = answer_of(await decided(github, user="bob"))

    assert target == CALLBACK
    assert set(answer) == {"code", "state"}
    assert answer["state"] == "state-1"
    assert github.simulator.stats.authorizations == 1


async def test_denial_says_why_and_where_to_read_more(github):
    response = await decided(github, decision="deny")

    assert answer_of(response) == (
        CALLBACK,
        {
            "error": "access_denied",
            "error_description": "The user has denied your application access.",
            "error_uri": f"{ERRORS_PAGE}#access-denied",
            "state": "state-1",
        },
    )
    assert github.simulator.stats.authorizations == 0


async def test_a_decision_of_nobody_is_an_error_page(github):
    response = await decided(github, user="mallory")

    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("client_id", ["app-3", ""])
async def test_an_unknown_app_is_a_page_that_was_not_found(github, client_id):
    response = await asked(github, client_id=client_id)

    assert response.status_code == 404
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://elsewhere.example.com/callback",
        "https://tools.example.com.evil.example/callback",
        "https://tools.example.com:8443/callback",
        "https://tools.example.com/",
        "https://tools.example.com/callbacks",
        "https://tools.example.com/callback/../secret",
        "https://tools.example.com/callback#fragment",
        "http://tools.example.com/callback",
        "https://tools.example.com:port/callback",
    ],
)
async def test_another_redirect_uri_is_reported_to_the_registered_one(github, redirect_uri):
    target, answer = answer_of(await asked(github, redirect_uri=redirect_uri))

    assert target == CALLBACK
    assert answer["error"] == "redirect_uri_mismatch"
    assert answer["error_uri"] == f"{ERRORS_PAGE}#redirect-uri-mismatch"
    assert answer["state"] == "state-1"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://tools.example.com/callback/github",
        "https://staging.tools.example.com/callback",
        "http://127.0.0.1:51234/loop",
    ],
)
async def test_subdirectories_subdomains_and_loopback_ports_are_registered_too(
    github, redirect_uri
):
    response = await decided(github, redirect_uri=redirect_uri)

    assert answer_of(response)[0] == redirect_uri


async def test_without_a_redirect_uri_the_registered_one_is_used(github):
    response = await decided(github, redirect_uri="")

    assert answer_of(response)[0] == CALLBACK


async def test_a_redirect_uri_keeps_its_own_query(github):
    response = await decided(github, redirect_uri=f"{CALLBACK}?tenant=1")

    assert set(answer_of(response)[1]) == {"tenant", "code", "state"}


@pytest.mark.parametrize("changes", [{"code_challenge_method": "plain"}, {}])
async def test_a_challenge_by_another_method_than_s256_is_refused(github, changes):
    response = await asked(github, code_challenge="c" * 43, **changes)

    assert answer_of(response)[1]["error"] == "invalid_request"


async def test_a_user_who_always_allows_is_sent_back_at_once(clock):
    async with connected(clock=clock, auto_consent="bob") as github:
        response = await asked(github)

    assert set(answer_of(response)[1]) == {"code", "state"}


async def test_the_first_page_names_users_and_apps(github):
    response = await github.browser.get("/")

    assert "<li>ann</li>" in response.text
    assert f"app-2: {CALLBACK}" in response.text
