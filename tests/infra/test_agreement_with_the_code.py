"""What Terraform writes down about the product is what the product's code says."""

import json

import pytest

from devtools import client_config
from devtools.doctor.google_cloud import COLLECTIONS, Database, secret_name
from rally_mcp.bootstrap.configuration import load
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.settings import Function, Settings
from tests.fixtures import url_map as url_map_rules
from tests.infra.terraform import INFRA, NEEDED, Plan

GIVEN_BY_TERRAFORM = {
    "MCP_URL",
    "AUTH_URL",
    "CALLBACK_URL",
    "STORAGE",
    "FIRESTORE_DATABASE",
    "GOOGLE_CLOUD_PROJECT",
    "SQLITE_PATH",
    "UPSTREAMS",
    "TRUSTED_PROXY_HOPS",
    "RALLY_CLIENT_ID",
}


@pytest.mark.parametrize("function", Function)
def test_each_function_starts_with_the_environment_of_either_layout(
    function: Function, plan: Plan, domain_plan: Plan
) -> None:
    own_origins = load(function, plan.environment(function))
    one_domain = load(function, domain_plan.environment(function))

    assert own_origins.mcp_url == plan.outputs["mcp_url"]
    assert own_origins.callback_url == plan.outputs["redirect_uri"]
    assert one_domain.auth_url == "https://rally-mcp.example.com"
    assert one_domain.upstreams == ("rally", "github", "entra_id", "yata")


def test_every_setting_can_be_given_and_no_secret(plan: Plan) -> None:
    upstreams = [upstream.settings for upstream in UPSTREAMS.values()]
    variables = {name.upper() for name in Settings.model_fields} | {
        kind.variable(name) for kind in upstreams for name in kind.model_fields
    }
    secrets = {name for name in variables if name.endswith("_CLIENT_SECRET")}
    text = (INFRA / "settings.tf").read_text()
    known = text.partition("sort([")[2].partition("])")[0]

    assert set(json.loads(f"[{known.strip().rstrip(',')}]")) == (
        variables - secrets - GIVEN_BY_TERRAFORM
    )


@pytest.mark.parametrize("function", Function)
def test_a_function_is_told_of_the_secrets_that_it_needs_and_of_no_other(
    function: Function, domain_plan: Plan
) -> None:
    needed = {
        upstream.settings.variable(name)
        for upstream in UPSTREAMS.values()
        for name in upstream.settings.NEEDED.get(function, ())
        if name == "client_secret"
    }
    told = {name for name in domain_plan.environment(function) if name.endswith("_SECRET")}

    assert told == needed


def test_what_doctor_looks_for_is_what_is_made(plan: Plan, domain_plan: Plan) -> None:
    [made] = plan.resources("google_firestore_database").values()
    database = Database(NEEDED["project_id"], made["name"])
    secrets = {secret_name(database, upstream) for upstream in UPSTREAMS}

    assert set(plan.resources("google_firestore_field")) == set(COLLECTIONS)
    assert set(domain_plan.resources("google_secret_manager_secret")) == secrets


def test_clients_are_configured_as_by_the_config_command(plan: Plan) -> None:
    url = plan.outputs["mcp_url"]
    people = set(client_config.CLIENTS) - {client_config.CLOUD_AGENT}
    told = {client: json.loads(text) for client, text in plan.outputs["mcp_json"].items()}

    assert told == {
        client: json.loads(
            client_config.document(client, "rally", client_config.remote_entry(client, url))
        )
        for client in people
    }


def test_the_load_balancer_leads_every_path_where_the_tests_think(domain_plan: Plan) -> None:
    [url_map] = domain_plan.resources("google_compute_url_map").values()
    [matcher] = url_map["path_matcher"]
    planned = {frozenset(rule["paths"]) for rule in matcher["path_rule"]}

    assert planned == {frozenset(paths) for paths in url_map_rules.PATHS.values()}


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/mcp", Function.MCP_ENDPOINT),
        ("/", Function.MCP_ENDPOINT),
        ("/tools/create_rally_story", Function.MCP_ENDPOINT),
        ("/.well-known/oauth-protected-resource/mcp", Function.MCP_ENDPOINT),
        ("/mcp/health", Function.MCP_ENDPOINT),
        ("/auth", Function.AUTH_REDIRECT),
        ("/auth/health", Function.AUTH_REDIRECT),
        ("/authorize/complete", Function.AUTH_REDIRECT),
        ("/.well-known/oauth-authorization-server", Function.AUTH_REDIRECT),
        ("/auth/callback", Function.OAUTH_CALLBACK),
        ("/oauth/callback", Function.OAUTH_CALLBACK),
        ("/callback", Function.OAUTH_CALLBACK),
        ("/callback/health", Function.OAUTH_CALLBACK),
        ("/nothing/here", Function.MCP_ENDPOINT),
    ],
)
def test_a_path_leads_to_the_function_that_answers_it(path: str, function: Function) -> None:
    assert url_map_rules.function_for(path) == function
