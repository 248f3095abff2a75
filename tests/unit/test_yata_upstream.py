"""What is YATA's own: where its two halves are, and who may use the deployment's account there."""

import pytest

from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.identity_providers.yata import YataSettings
from rally_mcp.settings import Function
from tests.fixtures.upstream_contract import GENERAL, declared
from tests.fixtures.upstreams import SETTINGS

BASE = "https://todos.example.com/yata"
PUBLIC = "https://mcp.example.com/mcp"


def is_for_anyone(upstreams: str, mcp_url: str, callers: str) -> bool:
    """Whether callers need not be signed in to anything."""
    environment = {
        **GENERAL,
        **SETTINGS,
        "UPSTREAMS": upstreams,
        "MCP_URL": mcp_url,
        "YATA_CALLERS": callers,
    }
    settings = load(Function.MCP_ENDPOINT, environment)
    return UPSTREAMS["yata"].declared(settings).for_anyone


@pytest.mark.parametrize(
    ("given", "token_endpoint", "api"),
    [
        ({"YATA_URL": BASE}, f"{BASE}/oauth/token", f"{BASE}/api/v1"),
        (
            {"YATA_URL": BASE, "YATA_TOKEN_URL": "https://login.example.com/token"},
            "https://login.example.com/token",
            f"{BASE}/api/v1",
        ),
        (
            {"YATA_URL": BASE, "YATA_API_URL": "https://api.example.com"},
            f"{BASE}/oauth/token",
            "https://api.example.com",
        ),
    ],
    ids=["base", "token endpoint elsewhere", "API elsewhere"],
)
def test_token_endpoint_and_api_follow_from_the_base_or_stand_elsewhere(given, token_endpoint, api):
    environment = {**GENERAL, **SETTINGS, "UPSTREAMS": "yata", **given}

    assert declared("yata", **given).token_endpoint == token_endpoint
    assert load(Function.MCP_ENDPOINT, environment).of(YataSettings).api == api


@pytest.mark.parametrize("variable", ["YATA_URL", "YATA_TOKEN_URL", "YATA_API_URL"])
@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (f"{BASE}/", "no trailing slash"),
        ("http://todos.example.com", "must be https"),
        ("todos.example.com", "absolute https URL"),
        (f"{BASE}?a=b", "no user, query or fragment"),
    ],
)
def test_a_wrong_address_is_refused_with_the_remedy(variable, value, remedy):
    with pytest.raises(ConfigurationError, match=remedy) as refused:
        declared("yata", **{variable: value})

    assert variable in refused.value.message


@pytest.mark.parametrize(
    ("expected", "upstreams", "mcp_url", "callers"),
    [
        (False, "rally,yata", GENERAL["MCP_URL"], "signed_in"),
        (False, "rally,yata", PUBLIC, "signed_in"),
        (False, "yata", PUBLIC, "signed_in"),
        (True, "yata", GENERAL["MCP_URL"], "signed_in"),
        (True, "yata", PUBLIC, "anyone"),
        (True, "rally,yata", PUBLIC, "anyone"),
    ],
)
def test_the_shared_account_is_for_anyone_where_that_is_said_or_only_this_machine_can_call(
    expected, upstreams, mcp_url, callers
):
    assert is_for_anyone(upstreams, mcp_url, callers) is expected
