"""Settings of several upstreams at once: how they are chosen, and what is refused in one line."""

import httpx
import pytest

from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.http_client import new_client
from rally_mcp.identity_providers.github import GitHubSettings
from rally_mcp.settings import Function
from rally_mcp.tools.catalogue import offered
from tests.fixtures.upstreams import SETTINGS

COMPLETE = {
    "MCP_URL": "https://mcp.example.com/mcp",
    "AUTH_URL": "https://auth.example.com",
    "CALLBACK_URL": "https://callback.example.com/callback",
    "GOOGLE_CLOUD_PROJECT": "acme-rally",
    **SETTINGS,
}


def loaded(**changed: str):
    return load(Function.MCP_ENDPOINT, COMPLETE | changed)


def refusal(**changed: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        loaded(**changed)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_an_upstream_that_is_named_twice_counts_once():
    assert loaded(UPSTREAMS="yata, rally,,yata").upstreams == ("yata", "rally")


def test_what_is_missing_of_each_chosen_upstream_is_told_at_once():
    message = refusal(UPSTREAMS="rally,github,entra_id,yata", ENTRA_TENANT_ID="", YATA_URL="")

    assert "ENTRA_TENANT_ID is missing" in message
    assert "YATA_URL is missing" in message


def test_what_is_wrong_of_an_upstream_that_is_not_chosen_does_not_matter():
    assert loaded(UPSTREAMS="rally", GITHUB_URL="not a url", YATA_URL="").upstreams == ("rally",)


@pytest.mark.parametrize(
    "tenant",
    ["common", "Organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad", "a/b", "a b"],
)
def test_a_tenant_that_is_everybodys_or_none_is_refused(tenant):
    assert "ENTRA_TENANT_ID must" in refusal(UPSTREAMS="entra_id", ENTRA_TENANT_ID=tenant)


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com:443", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://github.example.com", "https://github.example.com/api/v3"),
        ("https://github.example.com:8443", "https://github.example.com:8443/api/v3"),
    ],
)
def test_each_kind_of_github_has_its_api_elsewhere(url, api):
    settings = loaded(UPSTREAMS="github", GITHUB_URL=url).of(GitHubSettings)

    assert settings.api == api


def test_a_toolset_whose_upstreams_are_not_chosen_stops_the_start():
    with pytest.raises(ConfigurationError, match="TOOLSETS names github, whose tools need"):
        offered(("github",), ("rally",), read_only=False)


@pytest.mark.parametrize("location", ["javascript:1", "http://[", "mailto:a@example.com", "\x00"])
async def test_a_redirect_that_leads_nowhere_is_an_answer_like_any_other(location):
    redirect = httpx.Response(302, headers=[(b"location", location.encode())])
    transport = httpx.MockTransport(lambda _: redirect)
    async with new_client(mounts={"all://": transport}) as http:
        answer = await http.get("https://upstream.example.com/")

    assert answer.status_code == 302
