"""The settings of `rally-mcp stdio`: what has a value of this machine's, and what is refused."""

from pathlib import Path

import pytest

from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.rally import RallySettings
from rally_mcp.local.configuration import load
from tests.fixtures.local_process import SETTINGS

FOLDER = Path("/home/ann/.local/share/rally-mcp")


def test_only_what_concerns_the_upstream_has_to_be_set():
    settings = load(SETTINGS, FOLDER)

    assert settings.callback_url == "http://127.0.0.1:8765/callback"
    assert settings.auth_url == "http://127.0.0.1:8765"
    assert settings.storage == "sqlite"
    assert settings.sqlite_path == str(FOLDER / "rally-mcp.db")
    assert settings.sign_in_confirmation == "none"
    assert settings.of(RallySettings).client_id == SETTINGS["RALLY_CLIENT_ID"]


def test_what_a_deployment_has_in_its_environment_does_not_count_here():
    deployed = {
        "MCP_URL": "https://mcp.example.com/mcp",
        "AUTH_URL": "https://auth.example.com",
        "STORAGE": "firestore",
        "SIGN_IN_CONFIRMATION": "code",
    }

    assert load(SETTINGS | deployed, FOLDER) == load(SETTINGS, FOLDER)


def test_policy_and_the_database_can_be_set():
    chosen = {"READ_ONLY": "true", "TOOLSETS": "work_items", "SQLITE_PATH": "/data/rally.db"}

    settings = load(SETTINGS | chosen, FOLDER)

    assert settings.read_only
    assert settings.toolsets == ("work_items",)
    assert settings.sqlite_path == "/data/rally.db"


@pytest.mark.parametrize(
    ("callback_url", "origin"),
    [
        ("http://127.0.0.1:9000/oauth/callback", "http://127.0.0.1:9000"),
        ("http://localhost:9000/callback", "http://localhost:9000"),
        ("http://[::1]:9000/callback", "http://[::1]:9000"),
    ],
)
def test_the_callback_may_be_any_port_of_this_machine(callback_url, origin):
    settings = load(SETTINGS | {"CALLBACK_URL": callback_url}, FOLDER)

    assert settings.auth_url == origin
    assert settings.callback_url == callback_url


@pytest.mark.parametrize(
    "callback_url",
    [
        "https://callback.example.com/callback",
        "http://192.0.2.1:8765/callback",
        "https://127.0.0.1:8765/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://[::1/callback",
        "127.0.0.1:8765/callback",
        "http://127.0.0.1.example.com:8765/callback",
        "http://ann@127.0.0.1:8765/callback",
        "http://127.0.0.1:8765/",
    ],
)
def test_any_other_callback_is_refused_with_the_remedy(callback_url):
    with pytest.raises(ConfigurationError) as refused:
        load(SETTINGS | {"CALLBACK_URL": callback_url}, FOLDER)

    assert "CALLBACK_URL must " in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("missing", ["RALLY_CLIENT_ID", "RALLY_CLIENT_SECRET"])
def test_what_is_missing_is_named_without_a_function_that_nobody_runs(missing):
    given = {name: value for name, value in SETTINGS.items() if name != missing}

    with pytest.raises(ConfigurationError) as refused:
        load(given, FOLDER)

    assert refused.value.message.startswith(f"{missing} is missing; set it: ")
