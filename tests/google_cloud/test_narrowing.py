"""infra/gcloud-deploy.sh run again with less: rights and alerts that were taken out are gone."""

import copy

import pytest

from tests.google_cloud.resources import Resources
from tests.google_cloud.script import Gcloud, Run, once, state
from tests.google_cloud.stand_in import GoogleCloud

PROJECT = "projects/acme-rally-mcp"
LOCATION = f"{PROJECT}/locations/europe-west1"
SERVICES = [
    f"{LOCATION}/services/dev-{name}"
    for name in ("auth-redirect", "mcp-endpoint", "oauth-callback")
]
BY_HAND = f"{PROJECT}/notificationChannels/9999"
PLATFORM = f"{PROJECT}/notificationChannels/0001"
COLLEAGUE = {"role": "roles/secretmanager.secretAccessor", "members": ["user:ann@example.com"]}
PARTNER = {"role": "roles/run.invoker", "members": ["user:ann@example.com"]}


def changed_by_hand(resources: Resources) -> Resources:
    """Add to what a run left what somebody else is responsible for."""
    resources = copy.deepcopy(resources)
    resources.create(BY_HAND, {"type": "pagerduty", "displayName": "dev-rally-mcp pager"})
    resources.kept[f"{PROJECT}/alertPolicies/0001"]["notificationChannels"].append(BY_HAND)
    resources.policies[f"{PROJECT}/secrets/dev-github-client-secret"]["bindings"].append(COLLEAGUE)
    resources.policies[SERVICES[0]]["bindings"].append(PARTNER)
    return resources


@pytest.fixture(scope="session")
def narrowed(
    tmp_path_factory: pytest.TempPathFactory, gcloud: Gcloud, first_run: Run, options: list[str]
) -> Run:
    """A run without one upstream, one address and the public."""
    kept = [option for option in options if option != "--alert-email=oncall@example.com"]
    narrower = ("--upstreams=rally, entra_id, yata", "--no-public-invoker")

    def deploy() -> Run:
        with GoogleCloud(changed_by_hand(first_run.resources)) as cloud:
            return gcloud.deploy(cloud, "--project=acme-rally-mcp", *kept, *narrower)

    run = once(tmp_path_factory, "narrowed", deploy)
    assert run.code == 0, run.messages
    return run


def members(run: Run, resource: str) -> list[str]:
    return sorted(
        member
        for binding in run.resources.policy(resource).get("bindings", [])
        for member in binding["members"]
    )


def test_without_the_public_invoker_the_public_may_no_longer_call(narrowed):
    assert [members(narrowed, service) for service in SERVICES] == [PARTNER["members"], [], []]
    assert "no longer letting everybody call dev-mcp-endpoint" in narrowed.messages
    assert "gcloud run services update dev-mcp-endpoint" in narrowed.output
    assert narrowed.output.count("--no-invoker-iam-check") == 3


def test_the_functions_may_no_longer_read_the_secret_of_an_upstream_that_was_taken_out(narrowed):
    secret = f"{PROJECT}/secrets/dev-github-client-secret"
    withdrawn = [request.path for request in narrowed.changes].index(f"v1/{secret}:setIamPolicy")
    deployed = [n for n, it in enumerate(narrowed.changes) if it.api == "cloudfunctions"]

    assert members(narrowed, secret) == COLLEAGUE["members"]
    assert secret in narrowed.resources.kept
    # Until then the old revisions read it.
    assert max(deployed) < withdrawn


def test_the_secrets_of_the_other_upstreams_are_read_as_before(narrowed, first_run):
    for upstream in ("rally", "entra", "yata"):
        secret = f"{PROJECT}/secrets/dev-{upstream}-client-secret"

        assert members(narrowed, secret) == members(first_run, secret)


def test_the_functions_are_told_the_upstreams_without_blanks(narrowed):
    for function in narrowed.resources.under(f"{LOCATION}/functions"):
        environment = function["serviceConfig"]["environmentVariables"]

        assert environment["UPSTREAMS"] == "rally,entra_id,yata"
        assert "GITHUB_CLIENT_SECRET" not in environment


def test_alerts_go_to_no_address_that_was_taken_out_and_to_channels_added_by_hand(narrowed):
    first, *others = narrowed.resources.under(f"{PROJECT}/alertPolicies")

    assert sorted(first["notificationChannels"]) == [PLATFORM, BY_HAND]
    assert narrowed.messages.count("no longer writing to oncall@example.com") == 1
    assert [policy["notificationChannels"] for policy in others] == [[PLATFORM]] * len(others)


def test_settings_are_not_lost_because_their_file_was_forgotten(
    gcloud, options, first_run, archive
):
    without_file = [option for option in options if not option.startswith("--settings")]
    further = ("--upstreams=rally", f"--source={archive}")
    with GoogleCloud(copy.deepcopy(first_run.resources)) as cloud:
        run = gcloud.deploy(cloud, "--project=acme-rally-mcp", *without_file, *further)

    assert run.code == 2
    assert run.messages == (
        "gcloud-deploy.sh: without --settings the functions would lose ENTRA_CLIENT_ID, "
        "ENTRA_TENANT_ID, GITHUB_CLIENT_ID, READ_ONLY, SERVER_NAME, YATA_CLIENT_ID, YATA_URL; "
        "give the file with them, or an empty one to remove them\n"
    )
    assert run.changes == []
    assert state(run.resources) == state(first_run.resources)
