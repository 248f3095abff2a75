"""What tells an operator that something is wrong, after one run of infra/gcloud-deploy.sh."""

from typing import Any

import pytest
import yaml

from tests.google_cloud.resources import Json
from tests.google_cloud.script import PROJECT, Run, leaves

ROOT = "projects/acme-rally-mcp"
INFRA = PROJECT / "infra"
METRICS = sorted(path.stem for path in (INFRA / "metrics").glob("*.yaml"))
ALERTS = sorted(path.stem for path in (INFRA / "alerts").glob("*.yaml"))


def defined(kind: str, name: str) -> Json:
    """Return what a file defines for the prefix dev-."""
    text = (INFRA / kind / f"{name}.yaml").read_text()
    return yaml.safe_load(text.replace("{prefix}", "dev-").replace("{metric_prefix}", "dev_"))


def values(definition: Json) -> set[tuple[str, Any]]:
    return set(leaves(definition))


def alerts(run: Run) -> dict[str, Json]:
    policies = run.resources.under(f"{ROOT}/alertPolicies")
    return {policy["userLabels"]["alert"]: policy for policy in policies}


def test_every_file_became_a_metric_and_an_alert_once(first_run):
    metrics = first_run.resources.under(f"{ROOT}/metrics")
    policies = first_run.resources.under(f"{ROOT}/alertPolicies")

    assert len(metrics) == len(METRICS) > 0
    assert len(policies) == len(ALERTS) > 0
    assert sorted(alerts(first_run)) == ALERTS


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_what_its_file_says(first_run, name):
    wanted = defined("metrics", name)
    metric = first_run.resources.kept[f"{ROOT}/metrics/{wanted.pop('name')}"]

    assert values(wanted) <= values(metric)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_what_its_file_says(first_run, name):
    assert values(defined("alerts", name)) <= values(alerts(first_run)[name])


def test_alerts_are_sent_to_every_address(first_run):
    channels = first_run.resources.under(f"{ROOT}/notificationChannels")
    sent_to = {
        tuple(sorted(policy["notificationChannels"])) for policy in alerts(first_run).values()
    }

    assert [(channel["type"], channel["labels"]) for channel in channels] == [
        ("email", {"email_address": "platform@example.com"}),
        ("email", {"email_address": "oncall@example.com"}),
    ]
    assert sent_to == {tuple(channel["name"] for channel in channels)}


def test_the_health_of_each_function_is_asked_for(first_run):
    checks = first_run.resources.under(f"{ROOT}/uptimeCheckConfigs")

    assert {
        check["displayName"]: check["monitoredResource"]["labels"]["host"] for check in checks
    } == {
        f"dev-rally-mcp-{name}": f"dev-{name}-123456789012.europe-west1.run.app"
        for name in ("auth-redirect", "mcp-endpoint", "oauth-callback")
    }
    for check in checks:
        assert check["httpCheck"]["path"] == "/health"
        assert (check["httpCheck"]["useSsl"], check["httpCheck"]["validateSsl"]) == (True, True)
        assert (check["period"], check["timeout"]) == ("300s", "30s")
        assert check["contentMatchers"][0]["content"] == '"status":"ok"'


def test_addresses_of_a_sign_in_are_kept_out_of_the_request_log(first_run):
    exclusions = first_run.resources.kept[f"{ROOT}/sinks/_Default"]["exclusions"]

    assert [exclusion["name"] for exclusion in exclusions] == ["dev-rally-mcp-sign-in-addresses"]
    assert exclusions[0]["filter"].endswith(
        'httpRequest.requestUrl=~"/(auth|authorize|authorize/complete|callback)[?]"'
    )
    assert '"dev-oauth-callback"' in exclusions[0]["filter"]
