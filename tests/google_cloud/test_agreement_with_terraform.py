"""infra/gcloud-deploy.sh and the Terraform files beside it lead to the same deployment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.google_cloud.conftest import SETTINGS
from tests.google_cloud.resources import Json
from tests.google_cloud.script import Run, leaves
from tests.infra.terraform import Plan, copied, running_stand_in, stand_in

ROOT = "projects/acme-rally-mcp"
LOCATION = f"{ROOT}/locations/europe-west1"
BUCKET = "buckets/acme-rally-mcp-dev-rally-mcp-source"
FUNCTIONS = ("auth_redirect", "mcp_endpoint", "oauth_callback")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[Plan]:
    """What Terraform would make of the same variables."""
    with running_stand_in(stand_in(), tmp_path_factory.mktemp("provider")) as terraform:
        yield terraform.plan(
            copied(tmp_path_factory.mktemp("plan")),
            region="europe-west1",
            name_prefix="dev-",
            upstreams=["rally", "github", "entra_id", "yata"],
            settings=yaml.safe_load(SETTINGS),
            alert_emails=["platform@example.com", "oncall@example.com"],
            source_archive=str(archive),
        )


def named(run: Run, collection: str) -> Mapping[str, Json]:
    """Return what lies in a collection by its last name."""
    return {
        resource["name"].rpartition("/")[2]: resource
        for resource in run.resources.under(f"{ROOT}/{collection}")
    }


def without_googles_own(environment: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in environment.items() if name != "LOG_EXECUTION_ID"}


@pytest.mark.parametrize("key", FUNCTIONS)
def test_the_functions_agree(first_run, plan, key):
    function = first_run.resources.kept[f"{LOCATION}/functions/dev-{key.replace('_', '-')}"]
    planned = plan.resources("google_cloudfunctions2_function")[key]
    build, service = planned["build_config"][0], planned["service_config"][0]

    assert function["name"].rpartition("/")[2] == planned["name"]
    assert function["buildConfig"]["runtime"] == build["runtime"]
    assert function["buildConfig"]["entryPoint"] == build["entry_point"]
    assert function["buildConfig"]["environmentVariables"] == build["environment_variables"]
    assert without_googles_own(function["serviceConfig"]["environmentVariables"]) == (
        without_googles_own(service["environment_variables"])
    )


@pytest.mark.parametrize("key", FUNCTIONS)
def test_the_functions_scale_alike(first_run, plan, key):
    function = first_run.resources.kept[f"{LOCATION}/functions/dev-{key.replace('_', '-')}"]
    planned = plan.resources("google_cloudfunctions2_function")[key]["service_config"][0]
    scale = {
        "availableCpu": "available_cpu",
        "availableMemory": "available_memory",
        "maxInstanceRequestConcurrency": "max_instance_request_concurrency",
        "minInstanceCount": "min_instance_count",
        "maxInstanceCount": "max_instance_count",
        "timeoutSeconds": "timeout_seconds",
        "ingressSettings": "ingress_settings",
        "allTrafficOnLatestRevision": "all_traffic_on_latest_revision",
    }
    service = {"minInstanceCount": 0} | function["serviceConfig"]

    assert {name: service[name] for name in scale} == {
        name: planned[terraform] for name, terraform in scale.items()
    }


def test_the_accounts_and_roles_agree(first_run, plan):
    roles = named(first_run, "roles")
    planned = plan.resources("google_project_iam_custom_role").values()

    assert {
        (
            account["email"].partition("@")[0],
            account["displayName"],
            account.get("description"),
        )
        for account in named(first_run, "serviceAccounts").values()
    } == {
        (account["account_id"], account["display_name"], account.get("description"))
        for account in plan.resources("google_service_account").values()
    }
    assert {
        (name, role["title"], role["description"], *sorted(role["includedPermissions"]))
        for name, role in roles.items()
    } == {
        (role["role_id"], role["title"], role["description"], *sorted(role["permissions"]))
        for role in planned
    }


def test_the_conditions_of_roles_agree(first_run, plan):
    conditions = [
        tuple(sorted(binding["condition"].items()))
        for binding in first_run.resources.policies[ROOT]["bindings"]
        if "condition" in binding
    ]
    planned = [
        tuple(sorted(condition.items()))
        for member in plan.resources("google_project_iam_member").values()
        for condition in member["condition"]
    ]

    assert sorted(conditions) == sorted(planned)


def test_the_secrets_and_their_readers_agree(first_run, plan):
    accounts = {f"dev-{key.replace('_', '-')}": key for key in FUNCTIONS}
    readers = {
        f"{name}/{accounts[member.partition(':')[2].partition('@')[0]]}"
        for name, secret in named(first_run, "secrets").items()
        for binding in first_run.resources.policies[secret["name"]]["bindings"]
        for member in binding["members"]
    }

    assert set(named(first_run, "secrets")) == set(plan.resources("google_secret_manager_secret"))
    assert readers == set(plan.resources("google_secret_manager_secret_iam_member"))


def test_the_database_and_what_expires_in_it_agree(first_run, plan):
    (name, database), *others = named(first_run, "databases").items()
    (planned,) = plan.resources("google_firestore_database").values()
    expiring = {
        resource.split("/")[5]
        for resource, configuration in first_run.resources.kept.items()
        if "ttlConfig" in configuration and "indexConfig" in configuration
    }

    [schedule] = first_run.resources.under(f"{database['name']}/backupSchedules")
    (backups,) = plan.resources("google_firestore_backup_schedule").values()

    assert not others
    assert schedule["retention"] == backups["retention"]
    assert (name, database["locationId"], database["type"], database["deleteProtectionState"]) == (
        planned["name"],
        planned["location_id"],
        planned["type"],
        planned["delete_protection_state"],
    )
    assert expiring == set(plan.resources("google_firestore_field"))


def test_the_services_agree(first_run, plan):
    assert set(named(first_run, "services")) == set(plan.resources("google_project_service"))


def test_the_same_zip_lies_in_the_same_bucket(first_run, plan):
    (upload,) = first_run.resources.under(f"{BUCKET}/o")
    (bucket,) = plan.resources("google_storage_bucket").values()
    (planned,) = plan.resources("google_storage_bucket_object").values()

    assert (upload["object"]["bucket"], upload["object"]["name"]) == (
        bucket["name"],
        planned["name"],
    )


def test_the_image_repositories_agree(first_run, plan):
    (name, repository), *_ = named(first_run, "locations/europe-west1/repositories").items()
    (planned,) = plan.resources("google_artifact_registry_repository").values()

    assert (name, repository["format"], repository["description"], repository["labels"]) == (
        planned["repository_id"],
        planned["format"],
        planned["description"],
        {"app": "rally-mcp"},
    )
    assert set(repository["cleanupPolicies"]) == {it["id"] for it in planned["cleanup_policies"]}


def test_the_public_may_call_the_same(first_run, plan):
    public = {
        name.rpartition("/")[2].removeprefix("dev-").replace("-", "_")
        for name, policy in first_run.resources.policies.items()
        if {"role": "roles/run.invoker", "members": ["allUsers"]} in policy["bindings"]
    }

    assert public == set(plan.resources("google_cloud_run_service_iam_member"))


def test_the_metrics_agree(first_run, plan):
    planned = plan.resources("google_logging_metric").values()

    assert {
        (name, metric["filter"], metric["metricDescriptor"]["displayName"])
        for name, metric in named(first_run, "metrics").items()
    } == {
        (metric["name"], metric["filter"], metric["metric_descriptor"][0]["display_name"])
        for metric in planned
    }


def rules(conditions: Any) -> list[str]:
    """The filters and numbers of an alert's conditions, whatever they are called around them."""
    wanted = ("filter", "thresholdvalue", "alignmentperiod", "duration")
    found = (
        leaf
        for path, leaf in leaves(conditions)
        if path.lower().replace("_", "").endswith(wanted) and leaf is not None
    )
    return sorted(str(leaf if isinstance(leaf, str) else float(leaf)) for leaf in found)


def test_the_alerts_agree(first_run, plan):
    alerts = named(first_run, "alertPolicies").values()
    planned = plan.resources("google_monitoring_alert_policy")

    assert {
        alert["userLabels"]["alert"]: (
            alert["displayName"],
            alert["severity"],
            alert["combiner"],
            rules(alert["conditions"]),
        )
        for alert in alerts
    } == {
        name: (
            alert["display_name"],
            alert["severity"],
            alert["combiner"],
            rules(alert["conditions"]),
        )
        for name, alert in planned.items()
    }


def test_the_channels_agree(first_run, plan):
    planned = plan.resources("google_monitoring_notification_channel").values()

    assert {
        (channel["displayName"], channel["type"], channel["labels"]["email_address"])
        for channel in named(first_run, "notificationChannels").values()
    } == {
        (channel["display_name"], channel["type"], channel["labels"]["email_address"])
        for channel in planned
    }


def test_the_uptime_checks_agree(first_run, plan):
    planned = plan.resources("google_monitoring_uptime_check_config").values()

    assert {
        (
            check["displayName"],
            check["monitoredResource"]["labels"]["host"],
            check["httpCheck"]["path"],
            check["period"],
            check["timeout"],
            check["contentMatchers"][0]["content"],
        )
        for check in named(first_run, "uptimeCheckConfigs").values()
    } == {
        (
            check["display_name"],
            check["monitored_resource"][0]["labels"]["host"],
            check["http_check"][0]["path"],
            check["period"],
            check["timeout"],
            check["content_matchers"][0]["content"],
        )
        for check in planned
    }


def test_the_same_lines_are_kept_out_of_the_log(first_run, plan):
    (exclusion,) = named(first_run, "sinks")["_Default"]["exclusions"]
    (planned,) = plan.resources("google_logging_project_exclusion").values()

    assert {key: exclusion[key] for key in ("name", "description", "filter")} == {
        key: planned[key] for key in ("name", "description", "filter")
    }


def test_the_addresses_agree(first_run, plan):
    told = dict(line.split(maxsplit=1) for line in first_run.output.splitlines()[1:4])

    assert told == {name: plan.outputs[name] for name in ("mcp_url", "auth_url", "redirect_uri")}
