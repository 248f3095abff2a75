"""A checkout, a Google without anything in it, and the programs that a deployment runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.infra.deploy.cloud_storage import Bucket
from tests.infra.deploy.command import (
    NUMBER,
    PROJECT,
    STATE_BUCKET,
    Checkout,
    new_checkout,
    running_programs,
)
from tests.infra.deploy.google_services import GoogleServices, running_google
from tests.infra.terraform import Terraform


@pytest.fixture(scope="session")
def programs(
    terraform: Terraform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """The environment in which gcloud and Terraform work."""
    with running_programs(terraform, tmp_path_factory.mktemp("programs")) as environment:
        yield environment


@pytest.fixture
def google() -> Iterator[GoogleServices]:
    """A project in which nothing was made."""
    with running_google(PROJECT, NUMBER) as google:
        yield google


@pytest.fixture
def state(google: GoogleServices) -> Bucket:
    """The bucket for state, as an earlier deployment made it."""
    properties = {"name": STATE_BUCKET, "versioning": {"enabled": True}}
    return google.storage.buckets.setdefault(STATE_BUCKET, Bucket(properties, PROJECT))


@pytest.fixture
def checkout(tmp_path: Path, google: GoogleServices, programs: Mapping[str, str]) -> Checkout:
    """A checkout with its archive, for two environments that are called one and two."""
    made = new_checkout(tmp_path, google, programs)
    made.write_environment("one")
    made.write_environment("two")
    assert made.make("archive").code == 0
    return made
