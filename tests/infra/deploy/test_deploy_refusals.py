"""What stops a deployment before anything is made: one line of advice, and exit code 2."""

from pathlib import Path

import pytest

from tests.infra.deploy.cloud_storage import Bucket
from tests.infra.deploy.command import NUMBER, PROJECT, SMALL, STATE_BUCKET, Checkout, only
from tests.infra.deploy.google_services import GoogleServices

VERBS = ("plan", "apply", "deploy")
CHECK_IT = "Check its name, and: gcloud auth login"
SHELL = ("bash", "dirname", "cp", "rm", "sha256sum")


def test_there_are_three_verbs(checkout: Checkout) -> None:
    for verb in ("", "destroy"):
        ended = checkout.deploy(verb)

        assert ended.code == 2
        assert ended.complaint == ["usage: deploy.sh plan | apply | deploy"]


def test_the_project_has_to_be_told(checkout: Checkout) -> None:
    for verb in VERBS:
        ended = checkout.deploy(verb, PROJECT="")

        assert ended.code == 2
        assert ended.complaint == [
            "PROJECT is missing. Say: make deploy PROJECT=my-project REGION=us-central1"
        ]


def test_an_unknown_environment_is_answered_with_those_there_are(checkout: Checkout) -> None:
    for verb in VERBS:
        ended = checkout.deploy(verb, ENVIRONMENT="production")

        assert ended.code == 2
        assert "\n".join(ended.complaint) == (
            "infra/environments/production.tfvars does not exist. "
            "There are: dev.tfvars one.tfvars prod.tfvars two.tfvars"
        )


def test_an_archive_has_to_be_there(checkout: Checkout) -> None:
    (checkout.root / "build/functions.zip").unlink()
    for verb in VERBS:
        ended = checkout.deploy(verb)

        assert ended.code == 2
        assert ended.complaint == ["build/functions.zip does not exist. Run: make archive"]


def test_terraform_has_to_be_there(checkout: Checkout, tmp_path: Path) -> None:
    path = only(tmp_path / "path", "gcloud", *SHELL)
    for verb in VERBS:
        ended = checkout.deploy(verb, PATH=path)

        assert ended.code == 2
        assert ended.complaint == ["terraform is not on the PATH: install 1.11 or newer"]


def test_a_terraform_in_the_checkout_will_do(checkout: Checkout, tmp_path: Path) -> None:
    path = only(tmp_path / "path", *SHELL)
    only(checkout.root / ".tools", "terraform")

    ended = checkout.deploy("apply", PATH=path)

    assert ended.complaint == ["There is no plan to apply. Run: make plan"]


def test_gcloud_has_to_be_there_to_deploy(checkout: Checkout, tmp_path: Path) -> None:
    path = only(tmp_path / "path", "terraform", *SHELL)

    ended = checkout.deploy("deploy", PATH=path, PROJECT_NUMBER=NUMBER)

    assert ended.code == 2
    assert ended.complaint == ["gcloud is not on the PATH: install it"]


def test_a_plan_needs_gcloud_for_the_project_number_alone(
    checkout: Checkout, tmp_path: Path, state: Bucket
) -> None:
    checkout.write_environment("one", f'{SMALL}region = "nowhere"\n')
    without_gcloud = {"PATH": only(tmp_path / "path", "terraform", *SHELL), "ENVIRONMENT": "one"}

    ended = checkout.deploy("plan", **without_gcloud)
    with_number = checkout.deploy("plan", **without_gcloud, PROJECT_NUMBER=NUMBER)

    assert ended.code == 2
    assert "\n".join(ended.complaint) == (
        "gcloud is not on the PATH to ask for the project number: "
        "install it, or give PROJECT_NUMBER"
    )
    assert "region must be a region" in with_number.stderr


def test_a_project_that_gcloud_does_not_know_is_named(
    checkout: Checkout, google: GoogleServices
) -> None:
    ended = checkout.deploy("plan", PROJECT="acme-other")

    assert ended.code == 2
    assert ended.complaint[-1] == f"gcloud does not know the project acme-other. {CHECK_IT}"
    assert google.calls == []


def test_a_bucket_for_state_that_a_stranger_has_is_not_used(
    checkout: Checkout, google: GoogleServices
) -> None:
    google.storage.buckets[STATE_BUCKET] = Bucket({"name": STATE_BUCKET}, "a-stranger")

    ended = checkout.deploy("deploy", "yes\n", ENVIRONMENT="one")

    assert ended.code == 2
    assert ended.complaint[-1] == f"gcloud cannot make the bucket {STATE_BUCKET}."
    assert [call for call in google.calls if not call.is_about_buckets] == []


@pytest.mark.parametrize(
    ("method", "complaint"),
    [
        ("GET", f"gcloud cannot list the buckets of {PROJECT}. {CHECK_IT}"),
        ("POST", f"gcloud cannot make the bucket {STATE_BUCKET}."),
        ("PATCH", f"gcloud cannot turn on versioning in the bucket {STATE_BUCKET}."),
    ],
)
def test_where_gcloud_fails_nothing_more_is_tried(
    method: str, complaint: str, checkout: Checkout, google: GoogleServices
) -> None:
    google.forbidden.add(method)

    ended = checkout.deploy("deploy", "yes\n", ENVIRONMENT="one")

    assert ended.code == 2
    assert ended.complaint[-1] == complaint
    assert google.calls[-1].method == method
    assert not checkout.plan_file.exists()
