"""`make deploy`: it shows a plan, asks, applies that plan, and tells what remains to be done."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.fixtures.secret_search import kinds_in
from tests.infra.deploy.cloud_storage import Bucket, Call
from tests.infra.deploy.command import (
    NUMBER,
    PROJECT,
    STATE_BUCKET,
    Checkout,
    Ended,
    new_checkout,
)
from tests.infra.deploy.google_services import GoogleServices, running_google

QUESTION = "Apply this plan? Only yes does:"
SECRET = "correct-horse-battery-staple"
REFUSED_SECRET = "wrong-horse-battery-staple"
BOTH = {"client secrets": {SECRET, REFUSED_SECRET}}
TRIAL = """\
name_prefix     = "dev-"
rally_client_id = "rally-client"
upstreams       = ["rally", "github", "yata"]
settings = {
  GITHUB_CLIENT_ID = "Iv1.0"
  YATA_URL         = "https://todos.example.com"
  YATA_CLIENT_ID   = "todo-client"
}
# No name server knows it, whoever runs this.
domain = "rally-mcp.invalid"
"""
RALLY_SECRET = f"projects/{PROJECT}/secrets/dev-rally-client-secret"
GITHUB_SECRET = f"projects/{PROJECT}/secrets/dev-github-client-secret"
YATA_SECRET = f"projects/{PROJECT}/secrets/dev-yata-client-secret"

STATE = json.dumps(
    {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 7,
        "lineage": "5f6c2d0a-7a0e-4d5e-9a43-0c8f1c3b9e55",
        "outputs": {},
        "resources": [],
        "check_results": None,
    }
).encode()


@dataclass(frozen=True, slots=True)
class Deployed:
    """A first deployment that somebody made in a terminal, and a second of the same archive."""

    first: Ended
    second: Ended
    bucket: Bucket
    calls: list[Call]
    calls_of_second: list[Call]
    secrets: Mapping[str, list[tuple[str, str]]]
    left_on_disk: str


@pytest.fixture(scope="module")
def deployed(programs: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    folder = tmp_path_factory.mktemp("deployed")
    with running_google(PROJECT, NUMBER) as google:
        checkout = new_checkout(folder, google, programs)
        checkout.write_environment("trial", TRIAL)
        google.secrets.closed.add(GITHUB_SECRET)
        first = checkout.make_in_terminal(
            "deploy",
            [
                (QUESTION, "yes"),
                ("Value of the secret dev-rally-client-secret", SECRET),
                ("Value of the secret dev-github-client-secret", REFUSED_SECRET),
                ("Value of the secret dev-yata-client-secret", ""),
            ],
            ENVIRONMENT="trial",
            REGION="europe-west1",
        )
        calls = list(google.calls)
        google.secrets.of[YATA_SECRET] = [("ENABLED", "first"), ("DISABLED", "second")]
        second = checkout.deploy("deploy", "yes\n", ENVIRONMENT="trial", REGION="europe-west1")
        written = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return Deployed(
            first,
            second,
            google.storage.buckets[STATE_BUCKET],
            calls,
            google.calls[len(calls) :],
            google.secrets.of,
            "".join(path.read_bytes().decode("latin-1") for path in written),
        )


def test_the_first_deployment_makes_a_versioned_bucket_for_state_that_is_not_public(
    deployed: Deployed,
) -> None:
    properties = deployed.bucket.properties

    assert properties["location"] == "europe-west1"
    assert properties["versioning"] == {"enabled": True}
    assert properties["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert properties["iamConfiguration"]["uniformBucketLevelAccess"] == {"enabled": True}


def test_state_lies_in_that_bucket_below_the_environment_and_no_lock_is_left(
    deployed: Deployed,
) -> None:
    state = json.loads(deployed.bucket.objects["trial/default.tfstate"].content)

    assert list(deployed.bucket.objects) == ["trial/default.tfstate"]
    assert state["outputs"]["mcp_url"]["value"] == "https://rally-mcp.invalid/mcp"
    assert len(state["resources"]) > 20


def test_it_prints_the_redirect_uri_to_register(deployed: Deployed) -> None:
    line = "The redirect_uri to register at Rally: https://rally-mcp.invalid/callback\n"

    assert line in deployed.first.stdout
    assert line in deployed.second.stdout


def test_doctor_looks_at_the_new_deployment_and_at_its_own_database(deployed: Deployed) -> None:
    lines = deployed.second.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAIL  DNS of mcp_endpoint")]

    assert "rally-mcp.invalid has no address" in failed[0]
    assert [line for line in lines if line.startswith("--    Firestore database dev-rally-mcp:")]
    assert "FAIL  DNS of mcp_endpoint" in deployed.first.stdout


def test_its_exit_code_is_that_of_doctor(deployed: Deployed) -> None:
    assert deployed.second.code == 1
    assert "deploy] Error 1" in deployed.first.stdout


def test_a_second_deployment_finds_nothing_to_change(deployed: Deployed) -> None:
    changed = [call for call in deployed.calls_of_second if call.method == "PATCH"]
    made = [call for call in deployed.calls_of_second if call.path == "storage/v1/b"]

    assert "No changes." in deployed.second.stdout
    assert "0 added, 0 changed, 0 destroyed" in deployed.second.stdout
    assert changed == []
    assert {call.method for call in made} == {"GET"}


def how_to_add(secret: str) -> str:
    return (
        f"The secret {secret} has no value yet: "
        f"gcloud secrets versions add {secret} --project={PROJECT} --data-file=-\n"
    )


def test_a_secret_without_a_value_is_told_with_the_command_that_adds_one(
    deployed: Deployed,
) -> None:
    assert how_to_add("dev-yata-client-secret") in deployed.first.stdout
    assert how_to_add("dev-github-client-secret") in deployed.second.stdout


def test_so_is_a_secret_whose_newest_version_is_disabled(deployed: Deployed) -> None:
    assert [state for state, _ in deployed.secrets[YATA_SECRET]] == ["ENABLED", "DISABLED"]
    assert how_to_add("dev-yata-client-secret") in deployed.second.stdout


def test_where_secret_manager_refuses_a_value_the_deployment_goes_on(deployed: Deployed) -> None:
    assert GITHUB_SECRET not in deployed.secrets
    assert how_to_add("dev-github-client-secret") in deployed.first.stdout


def test_a_secret_that_was_typed_is_added_as_it_was_typed_and_asked_for_once(
    deployed: Deployed,
) -> None:
    assert deployed.secrets[RALLY_SECRET] == [("ENABLED", SECRET)]
    assert "dev-rally-client-secret has no value" not in deployed.second.stdout


def test_a_secret_travels_to_secret_manager_and_is_in_nothing_else(deployed: Deployed) -> None:
    told = [
        call.path
        for call in deployed.calls + deployed.calls_of_second
        if kinds_in(f"{call.path} {call.query} {call.body.decode('latin-1')}", BOTH)
    ]

    assert told == [
        f"secretmanager/v1/{RALLY_SECRET}:addVersion",
        f"secretmanager/v1/{GITHUB_SECRET}:addVersion",
    ]
    # Programs' arguments and environments, gcloud's logs, Terraform's files.
    assert "gcloud secrets versions add dev-rally-client-secret" in deployed.left_on_disk
    assert "Running [gcloud.secrets.versions.add]" in deployed.left_on_disk
    assert kinds_in(deployed.left_on_disk, BOTH) == set()
    assert kinds_in(deployed.first.stdout, BOTH) == set()


def test_state_holds_the_names_of_secrets_and_no_value(deployed: Deployed) -> None:
    state = json.loads(deployed.bucket.objects["trial/default.tfstate"].content)
    kinds = {resource["type"] for resource in state["resources"]}
    written = json.dumps(state)

    assert "dev-rally-client-secret" in written
    assert kinds_in(written, BOTH) == set()
    assert not {kind for kind in kinds if "secret" in kind and "version" in kind}


@pytest.mark.parametrize("answer", ["no\n", "YES\n", ""])
def test_whatever_is_not_yes_applies_nothing_and_leaves_no_plan(
    answer: str, checkout: Checkout, google: GoogleServices, state: Bucket
) -> None:
    before = google.storage.put(STATE_BUCKET, "one/default.tfstate", STATE)

    ended = checkout.deploy("deploy", answer, ENVIRONMENT="one")

    assert (ended.code, ended.stdout.splitlines()[-1]) == (1, "Nothing was applied.")
    assert state.objects == {"one/default.tfstate": before}
    assert not checkout.plan_file.exists()


def test_control_c_at_the_question_leaves_no_plan(checkout: Checkout, state: Bucket) -> None:
    ended = checkout.end_at(QUESTION, signal.SIGINT, "deploy", ENVIRONMENT="one")

    assert ended.code != 0
    assert json.loads(state.objects["one/default.tfstate"].content)["resources"] == []
    assert not checkout.plan_file.exists()


def test_an_answer_to_the_question_is_not_taken_for_a_variable(checkout: Checkout) -> None:
    checkout.write_environment("one", "")

    ended = checkout.deploy("deploy", "yes\nyes\n", ENVIRONMENT="one")

    assert ended.code == 1
    assert "rally_client_id" in ended.stderr
    assert "Apply complete" not in ended.stdout


def test_a_bucket_that_was_left_without_versioning_gets_it(
    checkout: Checkout, state: Bucket
) -> None:
    del state.properties["versioning"]

    checkout.deploy("deploy", "no\n", ENVIRONMENT="one")

    assert state.properties["versioning"] == {"enabled": True}
