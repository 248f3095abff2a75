"""What every upstream of the registry declares: its settings, its scopes, and what needs which."""

import re
from urllib.parse import urlsplit

import pytest

from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.identity_providers.registry import PERMISSIONS, UPSTREAMS
from rally_mcp.settings import REQUIRED, Function, Settings
from tests.fixtures.upstream_contract import ACCOUNTS, GENERAL, PROVIDERS, declared
from tests.fixtures.upstreams import SIMULATORS

EACH_UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS)
EACH_FUNCTION = pytest.mark.parametrize("function", Function)

NEEDED = [
    (upstream, function, field)
    for upstream, entry in UPSTREAMS.items()
    for function, fields in entry.settings.NEEDED.items()
    for field in fields
]
"""What each function cannot start without where an upstream is chosen."""

SECRETS = [
    (upstream, field)
    for upstream, entry in UPSTREAMS.items()
    for field in entry.settings.model_fields
    if "secret" in field
]


def bare_minimum(upstream: str, function: Function) -> dict[str, str]:
    """Return the environment that holds what a function needs for an upstream, and no more."""
    general = {name.upper() for name in REQUIRED[function]} | {"GOOGLE_CLOUD_PROJECT"}
    settings = UPSTREAMS[upstream].settings
    own = {settings.variable(field) for field in settings.NEEDED.get(function, ())}
    given = {**GENERAL, **SIMULATORS[upstream].settings}
    return {"UPSTREAMS": upstream, **{name: given[name] for name in general | own}}


def refusal(function: Function, environment: dict[str, str]) -> str:
    """Return the line in which a function refuses to start."""
    with pytest.raises(ConfigurationError) as refused:
        load(function, environment)
    return refused.value.message


def test_every_upstream_has_a_simulator():
    assert set(SIMULATORS) == set(UPSTREAMS)
    assert len({simulated.origin for simulated in SIMULATORS.values()}) == len(SIMULATORS)


def test_every_upstream_is_one_that_people_or_the_deployment_sign_in_to():
    assert sorted(PROVIDERS + ACCOUNTS) == sorted(UPSTREAMS)


@EACH_UPSTREAM
def test_an_upstream_is_called_the_same_everywhere_and_has_a_title_for_people(upstream):
    each = declared(upstream)

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", upstream)
    assert each.name == UPSTREAMS[upstream].name == upstream
    assert each.title.strip()


@EACH_UPSTREAM
def test_every_setting_says_what_it_means_and_no_secret_has_a_default(upstream):
    for name, field in UPSTREAMS[upstream].settings.model_fields.items():
        assert re.fullmatch(r"[A-Z*].*\.|`.*\.", field.description or "", re.DOTALL), name
        assert "\n" not in (field.description or "")
        assert "secret" not in name or field.default is None


def test_no_two_settings_share_a_variable():
    variables = [name.upper() for name in Settings.model_fields]
    for upstream in UPSTREAMS.values():
        assert re.fullmatch(r"[A-Z]+_", upstream.settings.PREFIX)
        variables += [upstream.settings.variable(name) for name in upstream.settings.model_fields]

    assert len(set(variables)) == len(variables)


@EACH_UPSTREAM
def test_only_settings_that_there_are_can_be_needed_and_a_redirect_needs_no_secret(upstream):
    settings = UPSTREAMS[upstream].settings
    needed = {field for fields in settings.NEEDED.values() for field in fields}

    assert needed <= set(settings.model_fields)
    assert not any("secret" in field for field in settings.NEEDED.get(Function.AUTH_REDIRECT, ()))


@EACH_UPSTREAM
@EACH_FUNCTION
def test_a_function_declares_an_upstream_with_what_it_needs_alone(upstream, function):
    settings = load(function, bare_minimum(upstream, function))

    each = UPSTREAMS[upstream].declared(settings)

    assert each.name == upstream


@pytest.mark.parametrize(("upstream", "function", "field"), NEEDED)
@pytest.mark.parametrize("value", ["", None], ids=["empty", "absent"])
def test_what_is_missing_is_named_with_its_meaning(upstream, function, field, value):
    settings = UPSTREAMS[upstream].settings
    variable = settings.variable(field)
    environment = bare_minimum(upstream, function)
    del environment[variable]
    environment |= {} if value is None else {variable: value}

    told = refusal(function, environment)

    meaning = str(settings.model_fields[field].description).rstrip(".")
    assert told == f"{function}: {variable} is missing; set it: {meaning}"


@pytest.mark.parametrize(("upstream", "function", "field"), NEEDED)
def test_what_only_another_upstream_needs_is_not_missed(upstream, function, field):
    others = [name for name in UPSTREAMS if name != upstream]
    variable = UPSTREAMS[upstream].settings.variable(field)

    for other in others:
        environment = bare_minimum(other, function)

        assert variable not in environment
        assert load(function, environment).upstreams == (other,)


@EACH_FUNCTION
@pytest.mark.parametrize(("upstream", "field"), SECRETS)
def test_a_secret_in_place_of_its_reference_is_refused_and_not_repeated(upstream, field, function):
    variable = UPSTREAMS[upstream].settings.variable(field)
    complete = {**GENERAL, "UPSTREAMS": upstream, **SIMULATORS[upstream].settings}

    told = refusal(function, complete | {variable: "hunter2hunter2"})

    assert f"{variable} must be a reference, never the secret itself" in told
    assert "hunter2" not in told


@EACH_UPSTREAM
def test_a_scope_is_named_after_its_upstream_and_says_what_it_allows(upstream):
    permissions = UPSTREAMS[upstream].permissions

    assert permissions
    for scope, meaning in permissions.items():
        assert scope in {f"{upstream}:read", f"{upstream}:write"}
        assert PERMISSIONS[scope] == meaning
        assert re.fullmatch(r"[A-Z][^.\n]+", meaning)


@EACH_UPSTREAM
def test_every_endpoint_is_where_the_settings_say(upstream):
    origin = SIMULATORS[upstream].origin
    each = declared(upstream)
    endpoints = [each.token_endpoint]
    if isinstance(each, IdentityProvider):
        endpoints.append(each.authorization_endpoint)

    for endpoint in endpoints:
        url = urlsplit(endpoint)
        assert f"{url.scheme}://{url.netloc}" == origin
        assert url.path.startswith("/")
        assert not url.query
