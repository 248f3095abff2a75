"""The functions that one run of infra/gcloud-deploy.sh leaves behind, and who may call them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.google_cloud.resources import Json
from tests.google_cloud.script import Run

LOCATION = "projects/acme-rally-mcp/locations/europe-west1"
FUNCTIONS = ("auth_redirect", "mcp_endpoint", "oauth_callback")
ENVIRONMENT = {
    "STORAGE": "firestore",
    "FIRESTORE_DATABASE": "dev-rally-mcp",
    "GOOGLE_CLOUD_PROJECT": "acme-rally-mcp",
    "MCP_URL": "https://dev-mcp-endpoint-123456789012.europe-west1.run.app/mcp",
    "AUTH_URL": "https://dev-auth-redirect-123456789012.europe-west1.run.app",
    "CALLBACK_URL": "https://dev-oauth-callback-123456789012.europe-west1.run.app/callback",
    "UPSTREAMS": "rally,github,entra_id,yata",
    "RALLY_CLIENT_ID": "rally-client",
    "TRUSTED_PROXY_HOPS": "1",
    "GITHUB_CLIENT_ID": "Iv1.0",
    "ENTRA_TENANT_ID": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "ENTRA_CLIENT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "YATA_URL": "https://todos.example.com",
    "YATA_CLIENT_ID": "todo-client",
    "READ_ONLY": "true",
    # A word that echo would take for an option of its own.
    "SERVER_NAME": "-n",
}
SECRETS = "projects/acme-rally-mcp/secrets"
READ_AT_SIGN_IN = {
    "RALLY_CLIENT_SECRET": f"{SECRETS}/dev-rally-client-secret/versions/latest",
    "GITHUB_CLIENT_SECRET": f"{SECRETS}/dev-github-client-secret/versions/latest",
    "ENTRA_CLIENT_SECRET": f"{SECRETS}/dev-entra-client-secret/versions/latest",
}
YATA_SECRET = {"YATA_CLIENT_SECRET": f"{SECRETS}/dev-yata-client-secret/versions/latest"}


@pytest.fixture
def functions(first_run: Run) -> Mapping[str, Json]:
    return {
        function["buildConfig"]["entryPoint"]: function
        for function in first_run.resources.under(f"{LOCATION}/functions")
    }


def test_there_are_three_functions_by_the_names_of_their_addresses(functions):
    names = {key: function["name"] for key, function in functions.items()}

    assert names == {key: f"{LOCATION}/functions/dev-{key.replace('_', '-')}" for key in FUNCTIONS}


@pytest.mark.parametrize("key", FUNCTIONS)
def test_a_function_is_built_of_its_own_entry_file_by_the_build_account(functions, key):
    build = functions[key]["buildConfig"]

    assert build["runtime"] == "python313"
    assert build["environmentVariables"] == {"GOOGLE_FUNCTION_SOURCE": f"{key}.py"}
    assert build["serviceAccount"] == (
        "projects/acme-rally-mcp/serviceAccounts/"
        "dev-function-build@acme-rally-mcp.iam.gserviceaccount.com"
    )
    assert build["dockerRepository"] == f"{LOCATION}/repositories/dev-rally-mcp"


@pytest.mark.parametrize("key", FUNCTIONS)
def test_a_function_runs_as_its_own_account_and_scales_as_designed(functions, key):
    service = functions[key]["serviceConfig"]
    scale = {
        name: service[name]
        for name in (
            "availableCpu",
            "availableMemory",
            "maxInstanceCount",
            "maxInstanceRequestConcurrency",
            "timeoutSeconds",
            "ingressSettings",
            "allTrafficOnLatestRevision",
        )
    }

    assert service["serviceAccountEmail"] == (
        f"dev-{key.replace('_', '-')}@acme-rally-mcp.iam.gserviceaccount.com"
    )
    assert scale == {
        "availableCpu": "1",
        "availableMemory": "512Mi",
        "maxInstanceCount": 10,
        "maxInstanceRequestConcurrency": 80,
        "timeoutSeconds": 120,
        "ingressSettings": "ALLOW_ALL",
        "allTrafficOnLatestRevision": True,
    }


@pytest.mark.parametrize(
    ("key", "references"),
    [
        ("mcp_endpoint", READ_AT_SIGN_IN | YATA_SECRET),
        ("auth_redirect", {}),
        ("oauth_callback", READ_AT_SIGN_IN),
    ],
)
def test_a_function_is_told_its_settings_and_of_no_secret_that_it_may_not_read(
    functions, key, references
):
    environment = dict(functions[key]["serviceConfig"]["environmentVariables"])
    # Google's own.
    environment.pop("LOG_EXECUTION_ID")

    assert environment == ENVIRONMENT | references


def test_no_function_waits_for_a_version_of_a_secret_to_start(functions):
    service_configs = [function["serviceConfig"] for function in functions.values()]

    assert not any("secretEnvironmentVariables" in config for config in service_configs)
    assert not any("secretVolumes" in config for config in service_configs)


def test_all_functions_are_built_from_the_zip_that_make_archive_makes(
    functions, first_run, checkout: Path
):
    uploads = first_run.resources.under("buckets/acme-rally-mcp-dev-rally-mcp-source/o")
    sources = {path.name: path.read_text() for path in (checkout / "functions").iterdir()}

    assert [upload["files"] for upload in uploads] == [sources]
    assert [function["built_from"] for function in functions.values()] == [sources] * 3


def test_everybody_may_call_the_cloud_run_services_and_nothing_else_is_public(first_run):
    public = {
        (name, binding["role"])
        for name, policy in first_run.resources.policies.items()
        for binding in policy["bindings"]
        if {"allUsers", "allAuthenticatedUsers"} & set(binding["members"])
    }

    assert public == {
        (f"{LOCATION}/services/dev-{key.replace('_', '-')}", "roles/run.invoker")
        for key in FUNCTIONS
    }
