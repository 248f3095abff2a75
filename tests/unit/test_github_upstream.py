"""What is GitHub's own about signing in to it: three kinds of GitHub, names, ends, revocation."""

import base64
import json
from datetime import timedelta

import httpx
import pytest

from rally_mcp.errors import UpstreamRejected
from rally_mcp.identity_providers.declaration import Evidence, TokenResponse
from rally_mcp.identity_providers.github import GitHubSettings
from tests.fixtures.deployment import CLIENT_ID
from tests.fixtures.upstream_contract import answering, declared, token_endpoint


@pytest.mark.parametrize(
    ("url", "api_url", "expected"),
    [
        ("", "", "https://api.github.com"),
        ("https://acme.ghe.com", "", "https://api.acme.ghe.com"),
        ("https://github.example.com", "", "https://github.example.com/api/v3"),
        ("https://notgithub.com", "", "https://notgithub.com/api/v3"),
        ("https://ghe.com.example.com", "", "https://ghe.com.example.com/api/v3"),
        ("http://127.0.0.1:8091", "", "http://127.0.0.1:8091/api/v3"),
        ("https://github.example.com", "https://api.example.com/v3", "https://api.example.com/v3"),
    ],
)
def test_each_kind_of_github_has_its_api_where_github_documents_it(url, api_url, expected):
    given = {"url": url, "api_url": api_url}

    settings = GitHubSettings.model_validate({name: text for name, text in given.items() if text})

    assert settings.api == expected


@pytest.mark.parametrize(
    ("expected", "user"),
    [
        ("Ann Archer (ann)", {"name": "Ann Archer"}),
        ("ann", {"name": "ann"}),
        ("ann", {"name": ""}),
        ("ann", {"name": None}),
        ("ann", {}),
    ],
)
async def test_a_user_is_known_by_id_and_shown_by_name_and_login(expected, user, clock):
    granted = TokenResponse("the token", None, clock())
    answer = httpx.Response(200, json={"id": 7, "login": "ann", **user})

    async with answering(answer) as http:
        found = await declared("github").find_user(http, Evidence(granted, "", clock))

    assert (found.id, found.name, found.tenant) == ("7", expected, "")


@pytest.mark.parametrize(
    "user",
    [{"login": "ann"}, {"id": "7", "login": "ann"}, {"id": 7}, {"id": 7, "login": ""}],
    ids=str,
)
async def test_an_answer_that_names_no_user_proves_nothing(user, clock):
    granted = TokenResponse("the token", None, clock())

    async with answering(httpx.Response(200, json=user)) as http:
        with pytest.raises(UpstreamRejected):
            await declared("github").find_user(http, Evidence(granted, "", clock))


@pytest.mark.parametrize(
    ("expected", "members"),
    [(timedelta(days=30), {}), (timedelta(hours=8), {"expires_in": 28800})],
    ids=["OAuth app", "GitHub App"],
)
async def test_a_token_without_an_end_lasts_as_long_as_a_record(expected, members, clock):
    answer = httpx.Response(200, json={"access_token": "gho_1", **members})

    async with answering(answer) as http:
        granted = await token_endpoint(http, clock).exchange_code(declared("github"), "c", "v")

    assert granted.expires_at == clock() + expected


async def test_a_token_is_revoked_as_the_app_that_it_was_given_to():
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    github = declared("github", GITHUB_URL="https://github.com")
    async with answering(answer) as http:
        await github.revoke(http, "the secret", "gho_1")

    [request] = requests
    basic = base64.b64encode(f"{CLIENT_ID}:the secret".encode()).decode()
    assert request.method == "DELETE"
    assert str(request.url) == f"https://api.github.com/applications/{CLIENT_ID}/token"
    assert request.headers["authorization"] == f"Basic {basic}"
    assert json.loads(request.content) == {"access_token": "gho_1"}


@pytest.mark.parametrize("status", [404, 422])
async def test_a_token_that_github_does_not_know_any_more_counts_as_revoked(status):
    async with answering(httpx.Response(status)) as http:
        await declared("github").revoke(http, "the secret", "gho_1")


@pytest.mark.parametrize("status", [200, 302, 401, 403, 500])
async def test_another_answer_to_a_revocation_is_a_failure(status):
    async with answering(httpx.Response(status)) as http:
        with pytest.raises(UpstreamRejected):
            await declared("github").revoke(http, "the secret", "gho_1")
