"""Settings: what each function needs, and the one line that a missing or wrong one is told in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.entra_id import EntraSettings
from rally_mcp.identity_providers.rally import RallySettings
from rally_mcp.settings import Function, Settings

FUNCTIONS = Path(__file__).parents[2] / "functions"
COMPLETE = {
    "MCP_URL": "https://mcp.example.com/mcp",
    "AUTH_URL": "https://auth.example.com",
    "CALLBACK_URL": "https://callback.example.com/callback",
    "GOOGLE_CLOUD_PROJECT": "acme-rally",
    "RALLY_CLIENT_ID": "0123abcd",
    "RALLY_CLIENT_SECRET": "projects/acme-rally/secrets/rally/versions/3",
}
NEEDED = {
    Function.MCP_ENDPOINT: {"MCP_URL", "AUTH_URL", "RALLY_CLIENT_ID", "RALLY_CLIENT_SECRET"},
    Function.AUTH_REDIRECT: {"MCP_URL", "AUTH_URL", "CALLBACK_URL", "RALLY_CLIENT_ID"},
    Function.OAUTH_CALLBACK: {
        "AUTH_URL",
        "CALLBACK_URL",
        "RALLY_CLIENT_ID",
        "RALLY_CLIENT_SECRET",
    },
}
FIELDS = {name.upper(): field for name, field in Settings.model_fields.items()} | {
    RallySettings.variable(name): field for name, field in RallySettings.model_fields.items()
}
"""What each variable of a deployment before Rally means, among the rest."""

EACH_FUNCTION = pytest.mark.parametrize("function", Function)


def refusal(function: Function, **changed: str) -> str:
    """Return the line in which a function refuses to start."""
    with pytest.raises(ConfigurationError) as refused:
        load(function, COMPLETE | changed)
    message = refused.value.message
    assert "\n" not in message
    assert message.startswith(f"{function}: ")
    return message


@EACH_FUNCTION
def test_a_function_starts_with_what_it_needs_alone(function):
    needed = NEEDED[function] | {"GOOGLE_CLOUD_PROJECT"}

    settings = load(function, {name: COMPLETE[name] for name in needed})

    assert settings.storage == "firestore"
    assert settings.upstreams == ("rally",)
    assert settings.of(RallySettings).scope == "alm"


@pytest.mark.parametrize(
    ("function", "variable"),
    [(function, name) for function, names in NEEDED.items() for name in sorted(names)],
)
@pytest.mark.parametrize("value", ["", None], ids=["empty", "absent"])
def test_what_is_missing_is_named_with_its_meaning(function, variable, value):
    given = {name: text for name, text in COMPLETE.items() if name != variable}
    given |= {} if value is None else {variable: value}

    with pytest.raises(ConfigurationError) as refused:
        load(function, given)

    meaning = str(FIELDS[variable].description).rstrip(".")
    assert refused.value.message == f"{function}: {variable} is missing; set it: {meaning}"


@EACH_FUNCTION
@pytest.mark.parametrize(
    ("storage", "variable"), [("firestore", "GOOGLE_CLOUD_PROJECT"), ("sqlite", "SQLITE_PATH")]
)
def test_each_storage_needs_its_own_setting(function, storage, variable):
    given = COMPLETE | {"STORAGE": storage, "SQLITE_PATH": "/data/store.db", variable: ""}

    message = refusal(function, **given)

    assert f"{variable} is missing" in message


def test_everything_that_is_missing_is_told_at_once():
    with pytest.raises(ConfigurationError) as refused:
        load(Function.OAUTH_CALLBACK, {})

    for name in NEEDED[Function.OAUTH_CALLBACK] | {"GOOGLE_CLOUD_PROJECT"}:
        assert f"{name} is missing" in refused.value.message


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("MCP_URL", "mcp.example.com/mcp", "absolute https URL"),
        ("MCP_URL", "ftp://mcp.example.com/mcp", "absolute https URL"),
        ("MCP_URL", "http://mcp.example.com/mcp", "must be https"),
        ("MCP_URL", "https://mcp.example.com/mcp/", "must end in /mcp"),
        ("MCP_URL", "https://mcp.example.com", "must end in /mcp"),
        ("MCP_URL", "https://a:b@mcp.example.com/mcp", "no user, query or fragment"),
        ("MCP_URL", "https://mcp.example.com/mcp?", "no user, query or fragment"),
        ("MCP_URL", "https://mcp.example.com:port/mcp", "MCP_URL"),
        ("MCP_URL", "https://[mcp/mcp", "MCP_URL"),
        ("MCP_URL", "https://mcp.example.com/mcp\n", "MCP_URL"),
        ("MCP_URL", " https://mcp.example.com/mcp", "MCP_URL"),
        ("AUTH_URL", "https://auth.exam ple.com", "AUTH_URL"),
        ("AUTH_URL", "https://auth.example.com/", "without path or trailing slash"),
        ("AUTH_URL", "https://auth.example.com/auth", "without path or trailing slash"),
        ("AUTH_URL", "https://auth.example.com#", "no user, query or fragment"),
        ("AUTH_URL", "http://10.0.0.1", "must be https"),
        ("CALLBACK_URL", "https://callback.example.com/back", "must end in /callback"),
        ("CALLBACK_URL", "https://callback.example.com/callback?a=b", "no user, query"),
        ("RALLY_URL", "https://rally1.rallydev.com/slm", "without path or trailing slash"),
        ("RALLY_URL", "http://rally1.rallydev.com", "must be https"),
        ("SERVER_NAME", "x" * 65, "at most 64 characters"),
        ("STORAGE", "mysql", "'firestore' or 'sqlite'"),
        ("RALLY_TOKEN_HEADER", "zsessionid", "'ZSESSIONID' or 'Authorization'"),
        ("SIGN_IN_CONFIRMATION", "off", "'code' or 'none'"),
        ("RATE_LIMITS", "true", "'on' or 'off'"),
        ("TRUSTED_PROXY_HOPS", "-1", "greater than or equal to 0"),
        ("TRUSTED_PROXY_HOPS", "eleven", "must be a valid integer"),
        ("READ_ONLY", "perhaps", "must be a valid boolean"),
        ("UPSTREAMS", "rally,jira", "known upstreams: rally, github, entra_id, yata"),
        ("UPSTREAMS", ",", "UPSTREAMS"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_remedy(variable, value, remedy):
    message = refusal(Function.MCP_ENDPOINT, **{variable: value})

    assert variable in message
    assert remedy in message
    assert "Value error" not in message


@pytest.mark.parametrize(
    "value",
    [
        "0123456789abcdef",
        "projects/acme/secrets/rally",
        "projects/acme/secrets/rally/versions/newest",
        "env:",
        "env:MY-SECRET",
        "file:",
        "vault:secret",
    ],
)
@EACH_FUNCTION
def test_a_secret_in_place_of_its_reference_is_refused_and_not_repeated(function, value):
    message = refusal(function, RALLY_CLIENT_SECRET=value)

    assert "RALLY_CLIENT_SECRET must be a reference, never the secret itself" in message
    assert value not in message.replace("env:NAME", "").replace("file:PATH", "")


@pytest.mark.parametrize(
    "value",
    [
        "projects/acme/secrets/rally/versions/latest",
        "projects/acme/secrets/rally/versions/12",
        "env:RALLY_SECRET",
        "file:/run/secrets/rally",
    ],
)
def test_each_form_of_a_reference_is_accepted(value):
    settings = load(Function.MCP_ENDPOINT, COMPLETE | {"RALLY_CLIENT_SECRET": value})

    assert str(settings.of(RallySettings).client_secret) == value


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_plain_http_is_accepted_for_loopback(host):
    changed = {"MCP_URL": f"http://{host}/mcp", "RALLY_URL": f"http://{host}"}

    settings = load(Function.MCP_ENDPOINT, COMPLETE | changed)

    assert settings.mcp_url == f"http://{host}/mcp"


def test_comma_lists_lose_their_blanks():
    lists = {"RALLY_PROJECTS": " Website , Mobile App,,", "TOOLSETS": "account"}

    settings = load(Function.MCP_ENDPOINT, COMPLETE | lists)

    assert settings.of(RallySettings).projects == ("Website", "Mobile App")
    assert settings.toolsets == ("account",)
    assert settings.of(RallySettings).subscriptions == ()


def test_settings_cannot_be_changed_after_the_start():
    settings = load(Function.MCP_ENDPOINT, COMPLETE)

    with pytest.raises(ValueError, match="frozen"):
        settings.read_only = True
    with pytest.raises(ValueError, match="frozen"):
        settings.of(RallySettings).scope = "openid"


@pytest.mark.parametrize(
    ("expected", "changed"),
    [
        ("Rally MCP", {}),
        ("Rally MCP", {"SERVER_NAME": ""}),
        ("Acme planning", {"SERVER_NAME": "Acme planning"}),
        ("Rally MCP", {"server_name": "Lower case", "Server_Name": "Mixed case"}),
    ],
    ids=["absent", "empty", "given", "not in capitals"],
)
def test_a_variable_is_read_by_its_name_in_capitals_alone(expected, changed):
    assert load(Function.MCP_ENDPOINT, COMPLETE | changed).server_name == expected


def test_settings_of_an_upstream_that_is_not_chosen_are_not_read():
    settings = load(Function.MCP_ENDPOINT, COMPLETE | {"ENTRA_TENANT_ID": "common"})

    with pytest.raises(KeyError):
        settings.of(EntraSettings)


def test_every_mistake_of_every_chosen_upstream_is_told_at_once():
    message = refusal(
        Function.MCP_ENDPOINT,
        UPSTREAMS="rally,entra_id,yata",
        RALLY_URL="rally",
        ENTRA_TENANT_ID="common",
    )

    assert "RALLY_URL must be an absolute https URL" in message
    assert "ENTRA_TENANT_ID must name your own tenant" in message
    assert "YATA_URL is missing" in message


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"AUTH_URL": ""}, "AUTH_URL is missing"),
        ({"RALLY_CLIENT_SECRET": "hunter2hunter2"}, "RALLY_CLIENT_SECRET must be a reference"),
    ],
    ids=["missing", "wrong"],
)
def test_a_process_with_a_wrong_setting_ends_with_that_line(changed, told, tmp_path):
    entry = FUNCTIONS / "mcp_endpoint.py"
    program = Path(sys.executable).with_name("functions-framework")
    home = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}

    ended = subprocess.run(
        [program, "--source", entry, "--target", "mcp_endpoint", "--port", "0"],
        env=home | COMPLETE | changed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    [line] = ended.stderr.splitlines()
    assert ended.returncode != 0
    assert line.startswith("mcp_endpoint: ")
    assert told in line
    assert "hunter2" not in ended.stdout + ended.stderr
