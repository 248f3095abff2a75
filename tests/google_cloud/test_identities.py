"""Whom the functions run as, and what each may do: the least."""

from collections.abc import Iterator

import pytest

from tests.google_cloud.resources import Json
from tests.google_cloud.script import Run

PROJECT = "projects/acme-rally-mcp"
MCP, AUTH, CALLBACK, BUILD = (
    f"serviceAccount:dev-{name}@acme-rally-mcp.iam.gserviceaccount.com"
    for name in ("mcp-endpoint", "auth-redirect", "oauth-callback", "function-build")
)
ONE_DATABASE = 'resource.name == "projects/acme-rally-mcp/databases/dev-rally-mcp"'


def grants(run: Run, resource: str) -> Iterator[tuple[str, str, str]]:
    """Each role with its member and the expression of its condition."""
    for binding in run.resources.policy(resource)["bindings"]:
        for member in binding["members"]:
            yield binding["role"], member, binding.get("condition", {}).get("expression", "")


def test_each_function_has_an_account_of_its_own_and_so_has_the_build(first_run):
    accounts = first_run.resources.under(f"{PROJECT}/serviceAccounts")

    assert {f"serviceAccount:{account['email']}" for account in accounts} == {
        MCP,
        AUTH,
        CALLBACK,
        BUILD,
    }


def test_an_account_of_a_function_has_its_own_role_in_the_one_database_and_no_other(first_run):
    of_functions = {
        grant for grant in grants(first_run, PROJECT) if grant[1] in {MCP, AUTH, CALLBACK}
    }

    assert of_functions == {
        (f"{PROJECT}/roles/dev_rally_mcp_mcp_endpoint", MCP, ONE_DATABASE),
        (f"{PROJECT}/roles/dev_rally_mcp_auth_redirect", AUTH, ONE_DATABASE),
        (f"{PROJECT}/roles/dev_rally_mcp_oauth_callback", CALLBACK, ONE_DATABASE),
    }


@pytest.mark.parametrize("key", ["mcp_endpoint", "auth_redirect", "oauth_callback"])
def test_a_role_allows_single_records_and_no_lists(first_run, key):
    role: Json = first_run.resources.kept[f"{PROJECT}/roles/dev_rally_mcp_{key}"]
    single = {f"datastore.entities.{verb}" for verb in ("create", "delete", "get", "update")}

    assert "datastore.entities.get" in role["includedPermissions"]
    assert set(role["includedPermissions"]) <= single


def test_the_build_may_log_read_sources_and_store_images(first_run):
    in_project = {grant for grant in grants(first_run, PROJECT) if grant[1] == BUILD}
    repository = f"{PROJECT}/locations/europe-west1/repositories/dev-rally-mcp"
    conditions = {role: condition for role, _, condition in in_project}

    assert conditions.keys() == {"roles/logging.logWriter", "roles/storage.objectViewer"}
    assert (
        "buckets/acme-rally-mcp-dev-rally-mcp-source/" in conditions["roles/storage.objectViewer"]
    )
    assert "buckets/gcf-v2-sources-123456789012-" in conditions["roles/storage.objectViewer"]
    assert set(grants(first_run, repository)) == {("roles/artifactregistry.writer", BUILD, "")}


@pytest.mark.parametrize(
    ("secret", "readers"),
    [
        ("dev-rally-client-secret", {MCP, CALLBACK}),
        ("dev-github-client-secret", {MCP, CALLBACK}),
        ("dev-entra-client-secret", {MCP, CALLBACK}),
        ("dev-yata-client-secret", {MCP}),
    ],
)
def test_a_secret_is_read_by_who_needs_it(first_run, secret, readers):
    allowed = set(grants(first_run, f"{PROJECT}/secrets/{secret}"))

    assert allowed == {("roles/secretmanager.secretAccessor", reader, "") for reader in readers}


def test_nothing_is_granted_to_auth_redirect_but_its_role(first_run):
    granted = [
        (resource, grant[0])
        for resource in first_run.resources.policies
        for grant in grants(first_run, resource)
        if grant[1] == AUTH
    ]

    assert granted == [(PROJECT, f"{PROJECT}/roles/dev_rally_mcp_auth_redirect")]


def test_secrets_are_made_for_the_chosen_upstreams_without_a_value(first_run):
    secrets = {secret["name"] for secret in first_run.resources.under(f"{PROJECT}/secrets")}

    assert secrets == {
        f"{PROJECT}/secrets/dev-{name}-client-secret"
        for name in ("rally", "github", "entra", "yata")
    }
    assert not [request for request in first_run.requests if "ersion" in request.path]


def test_no_value_of_a_secret_travels_or_is_printed(first_run):
    # It stands in the environment of the run.
    assert "hunter2" not in first_run.as_text()
