"""What Terraform plans to watch a deployment with, and what it keeps out of the log."""

from pathlib import Path

import httpx
import pytest

from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_ORIGIN, Deployment
from tests.fixtures.oauth_client import new_client
from tests.infra.cloud_log import balancer_entry, request_entry
from tests.infra.logging_query import Query, parse
from tests.infra.monitoring_files import AlertPolicy, LogMetric, alerts, metrics
from tests.infra.planned_blocks import in_api_form
from tests.infra.terraform import Plan, Terraform

HOSTS = {
    "mcp_endpoint": "mcp-endpoint-123456789012.us-central1.run.app",
    "auth_redirect": "auth-redirect-123456789012.us-central1.run.app",
    "oauth_callback": "oauth-callback-123456789012.us-central1.run.app",
}


@pytest.fixture(scope="session")
def second_plan(terraform: Terraform, infra: Path) -> Plan:
    """A second deployment in the project, whose alerts write to two people."""
    return terraform.plan(
        infra,
        name_prefix="dev-",
        alert_emails=["ann@example.com", "bob@example.com"],
        alert_thresholds={"latency": 15000},
    )


def content_of(file: AlertPolicy | LogMetric) -> dict[str, object]:
    """Return what a file says, without what it leaves out."""
    return file.model_dump(by_alias=True, exclude_unset=True)


def exclusion(plan: Plan) -> Query:
    """Return what the planned exclusion keeps out of the log."""
    [planned] = plan.resources("google_logging_project_exclusion").values()
    return parse(planned["filter"])


async def sign_in_addresses(deployment: Deployment) -> list[str]:
    """Return an address of each kind that a sign-in leads a browser to."""
    chat, client = deployment.caller(), new_client(deployment)
    await client.register()
    browser = client.instance.browser()
    at_rally = await client.to_rally(browser)
    complete = f"{AUTH_ORIGIN}/authorize/complete"
    back = await client.through_rally(browser, at_rally, stop_before=complete)
    return [
        await chat.auth_url(),
        await chat.back_from_rally(),
        str(httpx.URL(f"{AUTH_ORIGIN}/authorize", params=client.request())),
        back.headers["location"],
    ]


def test_each_metric_is_planned_as_its_file_has_it(plan: Plan, second_plan: Plan) -> None:
    for planned, files in ((plan, metrics()), (second_plan, metrics("dev-"))):
        found = planned.resources("google_logging_metric")

        assert found.keys() == files.keys()
        for name, file in files.items():
            assert content_of(file).items() <= in_api_form(found[name]).items()


def test_each_alert_is_planned_as_its_file_has_it(plan: Plan) -> None:
    found = plan.resources("google_monitoring_alert_policy")

    assert found.keys() == alerts().keys()
    for name, file in alerts().items():
        assert content_of(file).items() <= in_api_form(found[name]).items()


def test_a_threshold_can_be_another_one_and_all_else_stays(second_plan: Plan) -> None:
    found = second_plan.resources("google_monitoring_alert_policy")
    thresholds = {
        name: [each["condition_threshold"][0]["threshold_value"] for each in policy["conditions"]]
        for name, policy in found.items()
    }
    in_files = {
        name: [each.condition_threshold.threshold_value for each in policy.conditions]
        for name, policy in alerts("dev-").items()
    }

    assert thresholds == in_files | {"latency": [15000, *in_files["latency"][1:]]}


def test_a_threshold_of_an_alert_that_there_is_not_is_refused(
    terraform: Terraform, infra: Path
) -> None:
    with pytest.raises(AssertionError, match="alert_thresholds knows error-rate, latency,"):
        terraform.plan(infra, alert_thresholds={"lateness": 1})


def test_alerts_write_to_whoever_is_named_and_to_nobody_else(plan: Plan, second_plan: Plan) -> None:
    kind = "google_monitoring_notification_channel"
    channels = second_plan.resources(kind).values()

    assert plan.resources(kind) == {}
    assert {each["type"] for each in channels} == {"email"}
    assert [each["labels"]["email_address"] for each in channels] == [
        "ann@example.com",
        "bob@example.com",
    ]


async def test_uptime_checks_ask_where_the_functions_tell_their_health(
    deployment: Deployment, plan: Plan, domain_plan: Plan
) -> None:
    instance = deployment.instances[0]
    ask = {
        "mcp_endpoint": instance.mcp.get,
        "auth_redirect": lambda path: instance.programs.get(f"{AUTH_ORIGIN}{path}"),
        "oauth_callback": lambda path: instance.browser().get(f"{CALLBACK_ORIGIN}{path}"),
    }
    for planned in (plan, domain_plan):
        checks = planned.resources("google_monitoring_uptime_check_config")

        assert checks.keys() == ask.keys()
        for function, check in checks.items():
            [request], [matcher] = check["http_check"], check["content_matchers"]
            answer = await ask[function](request["path"])
            host = check["monitored_resource"][0]["labels"]["host"]

            assert answer.status_code == 200
            assert answer.json()["function"] == function
            assert matcher["content"] in answer.text
            assert planned.outputs["health_urls"][function] == f"https://{host}{request['path']}"
            assert (request["use_ssl"], request["validate_ssl"], request["port"]) == (
                True,
                True,
                443,
            )


def test_uptime_checks_reach_each_function_by_its_own_name_or_by_its_path(
    plan: Plan, domain_plan: Plan
) -> None:
    assert plan.outputs["health_urls"] == {
        function: f"https://{host}/health" for function, host in HOSTS.items()
    }
    assert domain_plan.outputs["health_urls"] == {
        "mcp_endpoint": "https://rally-mcp.example.com/mcp/health",
        "auth_redirect": "https://rally-mcp.example.com/auth/health",
        "oauth_callback": "https://rally-mcp.example.com/callback/health",
    }


def test_the_alert_on_health_hears_the_deployments_own_checks_alone(second_plan: Plan) -> None:
    checks = second_plan.resources("google_monitoring_uptime_check_config").values()
    begins = 'metric.labels.check_id = starts_with("dev-rally-mcp-")'
    [condition] = alerts("dev-")["unreachable"].conditions

    assert begins in condition.condition_threshold.filter
    assert all(check["display_name"].startswith("dev-rally-mcp-") for check in checks)


async def test_no_address_of_a_sign_in_gets_into_the_log(
    deployment: Deployment, plan: Plan, domain_plan: Plan
) -> None:
    addresses = await sign_in_addresses(deployment)
    services = ["mcp-endpoint", "auth-redirect", "oauth-callback"]

    for address in addresses:
        assert all(exclusion(plan)(request_entry(address, service)) for service in services)
        assert exclusion(domain_plan)(balancer_entry(address))


@pytest.mark.parametrize(
    "path", ["/mcp", "/token", "/health", "/auth/health", "/callback/health", "/tools/create_story"]
)
def test_all_other_requests_stay_in_the_log(plan: Plan, path: str) -> None:
    address = f"https://rally-mcp.example.com{path}"

    assert not exclusion(plan)(request_entry(address))
    assert not exclusion(plan)(balancer_entry(address))


def test_what_other_programs_in_the_project_are_asked_stays_in_the_log(
    plan: Plan, second_plan: Plan
) -> None:
    address = "https://shop.example.com/auth?state=x"

    assert not exclusion(plan)(request_entry(address, "shop"))
    assert not exclusion(plan)(balancer_entry(address, "shop"))
    assert not exclusion(second_plan)(request_entry(address, "auth-redirect"))
    assert exclusion(second_plan)(request_entry(address, "dev-auth-redirect"))
