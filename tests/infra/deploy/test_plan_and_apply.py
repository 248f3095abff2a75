"""`make plan` and `make apply`: what was shown is what is applied, and states keep apart."""

import json
import signal

import pytest

from tests.infra.deploy.cloud_storage import Bucket
from tests.infra.deploy.command import NUMBER, SMALL, STATE_BUCKET, Checkout, Ended
from tests.infra.deploy.google_services import GoogleServices

ONE = {"ENVIRONMENT": "one", "PROJECT_NUMBER": NUMBER}
TWO = {"ENVIRONMENT": "two", "PROJECT_NUMBER": NUMBER}


@pytest.fixture
def planned(checkout: Checkout, state: Bucket) -> Checkout:
    """A checkout with a plan of the environment one."""
    made = checkout.make("plan", **ONE)
    assert made.code == 0, made.stderr
    return checkout


def resources(state: Bucket, environment: str) -> dict[str, list[dict[str, object]]]:
    """Return what the state of an environment has, by type."""
    document = json.loads(state.objects[f"{environment}/default.tfstate"].content)
    return {
        resource["type"]: [instance["attributes"] for instance in resource["instances"]]
        for resource in document["resources"]
    }


def refused(ended: Ended, message: str) -> bool:
    """Tell whether a command of make ended with one line."""
    return ended.code == 2 and ended.complaint[:-1] == [message]


def test_apply_applies_the_plan_that_was_shown_whatever_has_changed_since(
    planned: Checkout, state: Bucket
) -> None:
    planned.write_environment("one", f"{SMALL}max_instances = 99\n")

    applied = planned.make("apply", **ONE)

    functions = resources(state, "one")["google_cloudfunctions2_function"]
    assert applied.code == 0
    assert {each["service_config"][0]["max_instance_count"] for each in functions} == {10}
    assert list(state.objects) == ["one/default.tfstate"]
    assert not planned.plan_file.exists()


def test_each_environment_has_a_state_of_its_own(planned: Checkout, state: Bucket) -> None:
    planned.make("apply", **ONE)
    of_one = state.objects["one/default.tfstate"]

    planned.make("plan", **TWO)
    planned.make("apply", **TWO)

    assert state.objects["one/default.tfstate"] == of_one
    for environment in ("one", "two"):
        secrets = resources(state, environment)["google_secret_manager_secret"]
        assert [each["secret_id"] for each in secrets] == [f"{environment}-rally-client-secret"]


def test_without_an_environment_there_is_a_state_too(checkout: Checkout, state: Bucket) -> None:
    planned = checkout.deploy("plan", PROJECT_NUMBER=NUMBER, TF_VAR_rally_client_id="rally-client")

    assert planned.code == 0
    assert "rally-client-secret" in planned.stdout
    assert list(state.objects) == ["default/default.tfstate"]


def test_apply_without_a_plan_says_so(checkout: Checkout, google: GoogleServices) -> None:
    ended = checkout.make("apply", **ONE)

    assert refused(ended, "There is no plan to apply. Run: make plan")
    assert google.calls == []


def test_apply_refuses_the_plan_of_another_environment_project_or_archive(
    planned: Checkout, google: GoogleServices
) -> None:
    message = "The plan is of another PROJECT, ENVIRONMENT or build/functions.zip. Run: make plan"
    calls = list(google.calls)

    other_environment = planned.make("apply", **TWO)
    other_project = planned.make("apply", **ONE, PROJECT="acme-other")
    (planned.root / "functions/mcp_endpoint.py").write_text("def mcp_endpoint(request): ...\n")
    planned.make("archive")
    other_archive = planned.make("apply", **ONE)

    assert refused(other_environment, message)
    assert refused(other_project, message)
    assert refused(other_archive, message)
    assert google.calls == calls


def test_a_plan_that_somebody_has_overtaken_is_refused(
    planned: Checkout, google: GoogleServices, state: Bucket
) -> None:
    name = "one/default.tfstate"
    document = json.loads(state.objects[name].content)
    document["serial"] += 1
    theirs = google.storage.put(STATE_BUCKET, name, json.dumps(document).encode())

    ended = planned.deploy("apply", **ONE)

    assert ended.code == 1
    assert "Saved plan is stale" in ended.stderr
    assert state.objects == {name: theirs}


def test_an_apply_that_was_killed_leaves_a_lock_whose_id_the_next_plan_tells(
    planned: Checkout, state: Bucket
) -> None:
    planned.end_at("Creating...", signal.SIGKILL, "apply", **ONE)
    left = dict(state.objects)

    ended = planned.deploy("plan", **ONE)

    lock_id = str(left["one/default.tflock"].generation)
    assert ended.code == 1
    assert "Error acquiring the state lock" in ended.stderr
    assert lock_id in ended.stderr
    assert state.objects == left
    assert planned.terraform("force-unlock", "-force", lock_id).code == 0
    assert planned.deploy("plan", **ONE).code == 0


def test_a_plan_that_failed_leaves_none_to_apply(planned: Checkout) -> None:
    planned.write_environment("one", f'{SMALL}region = "nowhere"\n')

    failed = planned.deploy("plan", **ONE)

    assert failed.code == 1
    assert not planned.plan_file.exists()


def test_a_plan_needs_the_bucket_that_the_first_deployment_makes(
    checkout: Checkout, google: GoogleServices
) -> None:
    ended = checkout.deploy("plan", **ONE)

    assert ended.code == 2
    assert ended.complaint[-1] == (
        "Terraform cannot work with the state in the bucket acme-rally-mcp-rally-mcp-state. "
        "Where there is none: make deploy"
    )
    assert google.storage.buckets == {}
