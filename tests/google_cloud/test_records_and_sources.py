"""Where records and sources are kept after one run of infra/gcloud-deploy.sh."""

import re
from pathlib import Path

from tests.google_cloud.script import Run

PROJECT = "projects/acme-rally-mcp"
DATABASE = f"{PROJECT}/databases/dev-rally-mcp"
STORED = {"oauth_states", "principals", "oauth_clients", "replay_marks", "attempts"}


def fields_with(run: Run, configuration: str) -> set[str]:
    return {
        name
        for name, resource in run.resources.kept.items()
        if name.startswith(f"{DATABASE}/collectionGroups/") and configuration in resource
    }


def test_the_database_is_native_in_the_region_and_protected_from_deletion(first_run):
    database = first_run.resources.kept[DATABASE]

    assert database["type"] == "FIRESTORE_NATIVE"
    assert database["locationId"] == "europe-west1"
    assert database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"


def test_the_database_is_backed_up_each_day_and_backups_kept_for_a_week(first_run):
    [schedule] = first_run.resources.under(f"{DATABASE}/backupSchedules")

    assert schedule["retention"] == "604800s"
    assert schedule["dailyRecurrence"] == {}


def test_records_of_every_collection_expire_and_their_times_have_no_index(first_run):
    names = {f"{DATABASE}/collectionGroups/{name}/fields/expire_at" for name in STORED}
    indexes = [first_run.resources.kept[name]["indexConfig"] for name in names]

    assert fields_with(first_run, "ttlConfig") == names
    assert fields_with(first_run, "indexConfig") == names
    assert indexes == [{}] * 5


def test_the_services_are_enabled_before_anything_is_made(first_run):
    first, *others = first_run.changes

    assert first.path == f"v1/{PROJECT}/services:batchEnable"
    assert {"run", "firestore", "cloudbuild"} <= {
        service.partition(".")[0] for service in first.body["serviceIds"]
    }
    assert not [request for request in others if request.api == "serviceusage"]


def test_the_source_bucket_is_private_and_keeps_versions(first_run):
    bucket = first_run.resources.kept["buckets/acme-rally-mcp-dev-rally-mcp-source"]["bucket"]

    assert bucket["iamConfiguration"] == {
        "publicAccessPrevention": "enforced",
        "uniformBucketLevelAccess": {"enabled": True},
    }
    assert bucket["location"] == "europe-west1"
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["lifecycle"]["rule"] == [
        {"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}}
    ]


def test_the_sources_name_is_their_hash(first_run):
    uploads = first_run.resources.under("buckets/acme-rally-mcp-dev-rally-mcp-source/o")
    names = [upload["object"]["name"] for upload in uploads]

    assert len(names) == 1
    assert re.fullmatch(r"functions-[0-9a-f]{64}\.zip", names[0])


def test_old_images_are_deleted_by_and_by(first_run):
    name = f"{PROJECT}/locations/europe-west1/repositories/dev-rally-mcp"
    policies = first_run.resources.kept[name]["cleanupPolicies"]

    assert policies["keep-recent"]["mostRecentVersions"] == {"keepCount": 10}
    assert policies["delete-old"]["condition"] == {"olderThan": "2592000.0s"}


def test_the_script_needs_no_folder_but_the_checkout_and_leaves_nothing_there(
    first_run, checkout: Path
):
    assert not list(checkout.rglob("*.zip"))
