"""The static address for Rally's IP allow-list: a root of its own, and how it meets the functions'.

egress-schema.json has the names and types of five resources that the stand-in does not know. Which
optional attributes Google fills in is told there only of those that are read here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform import INFRA, Plan, Terraform, copied, running_stand_in, stand_in

PROJECT_ID = {"project_id": "acme-rally-mcp"}
PORTS_OF_AN_ADDRESS = 64512
NEVER_GIVEN_OUT = 4
"""Addresses of a subnetwork that Google keeps for itself."""


@pytest.fixture(scope="session")
def egress_terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform with a stand-in that knows networks."""
    folder = tmp_path_factory.mktemp("egress-provider")
    schema = Path(__file__).with_name("egress-schema.json")
    with running_stand_in(stand_in(), folder, schema) as terraform:
        yield terraform


@pytest.fixture(scope="session")
def egress(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/egress to plan in."""
    return copied(tmp_path_factory.mktemp("egress")) / "egress"


@pytest.fixture(scope="session")
def egress_plan(egress_terraform: Terraform, egress: Path) -> Plan:
    """What is made of the one variable without a default."""
    return egress_terraform.plan(egress, PROJECT_ID)


@pytest.fixture(scope="session")
def abroad(
    egress_terraform: Terraform, egress: Path, terraform: Terraform, infra: Path
) -> tuple[Plan, Plan]:
    """A second deployment in another region: its egress, and its functions that use it."""
    same = {"region": "europe-west1", "name_prefix": "dev-"}
    made = egress_terraform.plan(egress, PROJECT_ID, **same)
    return made, terraform.plan(infra, egress_subnetwork=made.outputs["subnetwork"], **same)


def only(plan: Plan, kind: str) -> dict[str, Any]:
    """Return the one resource of a type."""
    [found] = plan.resources(kind).values()
    return found


def refers_to(plan: Plan, kind: str, *path: str | int) -> set[str]:
    """Return the resources that an argument is made of: their ids are not known before an apply."""
    resources = plan.document["configuration"]["root_module"]["resources"]
    [expression] = [each["expressions"] for each in resources if each["type"] == kind]
    for step in path:
        expression = expression[step]
    return {".".join(reference.split(".")[:2]) for reference in expression["references"]}


def callers(functions: Plan) -> dict[str, dict[str, Any]]:
    """Return the service configuration of the functions that call out through a subnetwork."""
    deployed = functions.resources("google_cloudfunctions2_function")
    services = {key: function["service_config"][0] for key, function in deployed.items()}
    return {
        key: service
        for key, service in services.items()
        if service.get("direct_vpc_egress") == "VPC_EGRESS_ALL_TRAFFIC"
    }


def addresses_of(plan: Plan) -> int:
    """Return how many addresses the subnetwork has to give."""
    subnetwork = only(plan, "google_compute_subnetwork")
    return ip_network(subnetwork["ip_cidr_range"]).num_addresses - NEVER_GIVEN_OUT


def blocks(path: Path, kind: str) -> dict[str, str]:
    """Return the blocks of a type in a file by name."""
    pattern = rf'^{kind} (?:"(\w+)" )?(\{{.*?^\}})'
    return dict(re.findall(pattern, path.read_text(), re.MULTILINE | re.DOTALL))


def test_it_is_well_formed_and_valid(egress_terraform: Terraform, egress: Path) -> None:
    egress_terraform.run(egress, "fmt", "-check", "-recursive")
    egress_terraform.run(egress, "init", "-backend=false", "-input=false")
    answer = json.loads(egress_terraform.run(egress, "validate", "-json"))

    assert (answer["valid"], answer["warning_count"]) == (True, 0)


def test_it_makes_one_address_and_lets_nothing_in(egress_plan: Plan) -> None:
    resources = egress_plan.document["planned_values"]["root_module"]["resources"]

    assert Counter(each["type"] for each in resources) == {
        "google_project_service": 1,
        "google_compute_network": 1,
        "google_compute_subnetwork": 1,
        "google_compute_address": 1,
        "google_compute_router": 1,
        "google_compute_router_nat": 1,
    }
    assert only(egress_plan, "google_compute_address")["address_type"] == "EXTERNAL"
    assert only(egress_plan, "google_compute_network")["auto_create_subnetworks"] is False


def test_the_service_stays_on_for_others_in_the_project(egress_plan: Plan) -> None:
    service = only(egress_plan, "google_project_service")

    assert service["service"] == "compute.googleapis.com"
    assert service["disable_on_destroy"] is False


def test_the_nat_uses_that_address_alone(egress_plan: Plan) -> None:
    nat = only(egress_plan, "google_compute_router_nat")

    assert nat["nat_ip_allocate_option"] == "MANUAL_ONLY"
    assert refers_to(egress_plan, "google_compute_router_nat", "nat_ips") == {
        "google_compute_address.this"
    }
    assert not nat.get("initial_nat_ips")
    assert not nat.get("drain_nat_ips")


def test_the_nat_serves_that_subnetwork_alone(egress_plan: Plan) -> None:
    kind = "google_compute_router_nat"
    nat = only(egress_plan, kind)

    assert nat["source_subnetwork_ip_ranges_to_nat"] == "LIST_OF_SUBNETWORKS"
    assert [each["source_ip_ranges_to_nat"] for each in nat["subnetwork"]] == [["PRIMARY_IP_RANGE"]]
    assert refers_to(egress_plan, kind, "subnetwork", 0, "name") == {
        "google_compute_subnetwork.this"
    }
    assert refers_to(egress_plan, kind, "router") == {"google_compute_router.this"}


def test_the_nat_logs_calls_that_fail_and_no_other(egress_plan: Plan) -> None:
    assert only(egress_plan, "google_compute_router_nat")["log_config"] == [
        {"enable": True, "filter": "ERRORS_ONLY"}
    ]


def test_firestore_and_secret_manager_are_reached_without_the_nat(egress_plan: Plan) -> None:
    assert only(egress_plan, "google_compute_subnetwork")["private_ip_google_access"] is True
    # Such traffic leaves by the default route.
    network = only(egress_plan, "google_compute_network")
    assert not network["delete_default_routes_on_create"]


def test_both_functions_have_addresses_while_a_release_replaces_them(
    abroad: tuple[Plan, Plan],
) -> None:
    made, functions = abroad
    instances = sum(service["max_instance_count"] for service in callers(functions).values())
    per_instance, revisions = 2, 2

    assert ip_network(only(made, "google_compute_subnetwork")["ip_cidr_range"]).prefixlen <= 26
    assert addresses_of(made) >= instances * per_instance * revisions


def test_every_instance_has_ports_for_all_that_it_serves_at_once(
    abroad: tuple[Plan, Plan],
) -> None:
    made, functions = abroad
    nat = only(made, "google_compute_router_nat")
    services = callers(functions).values()
    busy = sum(service["max_instance_count"] for service in services)

    assert addresses_of(made) * nat["min_ports_per_vm"] <= PORTS_OF_AN_ADDRESS
    assert busy * nat["max_ports_per_vm"] <= PORTS_OF_AN_ADDRESS
    assert all(
        nat["min_ports_per_vm"] > service["max_instance_request_concurrency"]
        for service in services
    )


def test_the_functions_that_call_rally_go_out_through_it(abroad: tuple[Plan, Plan]) -> None:
    made, functions = abroad
    subnetwork = "projects/acme-rally-mcp/regions/europe-west1/subnetworks/dev-rally-mcp-egress"
    interfaces = {
        key: [each["subnetwork"] for each in service["direct_vpc_network_interface"]]
        for key, service in callers(functions).items()
    }

    assert made.outputs["subnetwork"] == subnetwork
    assert interfaces == {"mcp_endpoint": [subnetwork], "oauth_callback": [subnetwork]}


def test_all_of_it_is_in_the_functions_region_and_has_their_prefix(
    abroad: tuple[Plan, Plan],
) -> None:
    made, _ = abroad
    resources = made.document["planned_values"]["root_module"]["resources"]
    named = [each["values"] for each in resources if each["type"] != "google_project_service"]

    assert {each["name"] for each in named} == {"dev-rally-mcp-egress"}
    assert {each["region"] for each in named if "region" in each} == {"europe-west1"}


def test_it_takes_what_the_functions_root_takes() -> None:
    ours = blocks(INFRA / "egress" / "variables.tf", "variable")
    theirs = blocks(INFRA / "variables.tf", "variable")

    assert ours == {name: theirs[name] for name in ("project_id", "name_prefix", "region")}
    assert (INFRA / "egress" / "versions.tf").read_text() == (INFRA / "versions.tf").read_text()


def test_it_refuses_a_zone(egress_terraform: Terraform, egress: Path) -> None:
    with pytest.raises(AssertionError, match="region must be a region"):
        egress_terraform.plan(egress, PROJECT_ID, region="europe-west1-b")
