"""infra/gcloud-deploy.sh run again: nothing is made twice, and what drifted is mended.

A run that was interrupted is finished by the next.
"""

import copy
from collections.abc import Callable
from pathlib import Path

from tests.google_cloud.resources import GoogleError, Json, Resources
from tests.google_cloud.script import Run, empty_project, state
from tests.google_cloud.stand_in import Break, GoogleCloud

PROJECT = "projects/acme-rally-mcp"
LOCATION = f"{PROJECT}/locations/europe-west1"
REFUSED = GoogleError(403, "PERMISSION_DENIED", "The caller does not have permission")
UNKNOWN_ACCOUNT = GoogleError(400, "INVALID_ARGUMENT", "Service account of-now does not exist.")
UNKNOWN_API = GoogleError(
    403, "PERMISSION_DENIED", "Secret Manager API has not been used in project 1 before"
)


def left_by(run: Run) -> Resources:
    return copy.deepcopy(run.resources)


def test_a_second_run_makes_nothing_and_leaves_everything_as_it_was(
    first_run, redeploy, archive: Path
):
    with GoogleCloud(left_by(first_run)) as cloud:
        # The zip of the same files is the same source.
        second = redeploy(cloud, f"--source={archive}")
    updated = {request.path.split("/")[3] for request in second.changes}

    assert second.code == 0, second.messages
    assert [request for request in second.requests if request.creates] == []
    # What the files in infra/ define is said again.
    assert updated == {"metrics", "alertPolicies"}
    assert state(second.resources) == state(first_run.resources)


def drift(resources: Resources) -> None:
    """Change by hand what somebody might change in the console."""
    kept = resources.kept
    service = kept[f"{LOCATION}/functions/dev-mcp-endpoint"]["serviceConfig"]
    service["environmentVariables"] |= {"READ_ONLY": "false", "RATE_LIMITS": "off"}
    kept[f"{LOCATION}/functions/dev-auth-redirect"]["serviceConfig"][
        "maxInstanceRequestConcurrency"
    ] = 1
    role: Json = kept[f"{PROJECT}/roles/dev_rally_mcp_oauth_callback"]
    role["includedPermissions"] = ["datastore.entities.list"]
    kept[f"{PROJECT}/roles/dev_rally_mcp_mcp_endpoint"]["deleted"] = True
    database = f"{PROJECT}/databases/dev-rally-mcp"
    kept[database]["deleteProtectionState"] = "DELETE_PROTECTION_DISABLED"
    del kept[f"{database}/collectionGroups/attempts/fields/expire_at"]
    kept["buckets/acme-rally-mcp-dev-rally-mcp-source"]["bucket"]["versioning"] = {"enabled": False}
    kept[f"{PROJECT}/metrics/dev_rally_mcp_wrong_codes"]["filter"] = "severity=DEBUG"
    kept[f"{PROJECT}/alertPolicies/0001"]["combiner"] = "OR"
    kept[f"{PROJECT}/uptimeCheckConfigs/dev-rally-mcp-mcp-endpoint"]["period"] = "900s"
    kept[f"{PROJECT}/sinks/_Default"]["exclusions"][0]["disabled"] = True
    resources.policies[f"{LOCATION}/services/dev-oauth-callback"]["bindings"] = []
    resources.policies[f"{PROJECT}/secrets/dev-yata-client-secret"]["bindings"] = []
    resources.policies[PROJECT]["bindings"].pop(0)


def test_what_drifted_is_mended_and_told(first_run, redeploy: Callable[..., Run]):
    drifted = left_by(first_run)
    drift(drifted)
    with GoogleCloud(drifted) as cloud:
        mending = redeploy(cloud)
    deployed = [request.path for request in mending.changes if request.api == "cloudfunctions"]

    assert mending.code == 0, mending.messages
    assert state(mending.resources) == state(first_run.resources)
    # No other function is built anew.
    assert deployed == [
        f"v2/{LOCATION}/functions/dev-auth-redirect",
        f"v2/{LOCATION}/functions/dev-mcp-endpoint",
    ]
    assert "environmentVariables.READ_ONLY: false" in mending.messages


def test_a_run_that_was_interrupted_is_finished_by_the_next(
    first_run, redeploy: Callable[..., Run]
):
    stretch = len(first_run.changes) // 4
    with GoogleCloud(empty_project()) as cloud:
        # In turn: the change was not made, and it was made but its answer was lost.
        interrupted = []
        for is_done in (False, True, False):
            cloud.break_requests(Break(stretch, REFUSED, is_done=is_done))
            interrupted.append(redeploy(cloud))
        cloud.break_requests(Break(4, UNKNOWN_API, of_looks=True), Break(0, UNKNOWN_ACCOUNT))
        last = redeploy(cloud)

    assert [run.code for run in interrupted] == [1, 1, 1]
    assert all("The caller does not have permission" in run.messages for run in interrupted)
    assert last.code == 0, last.messages
    assert last.messages.count("Google is not ready for it; trying again in 1 s") == 2
    assert state(last.resources) == state(first_run.resources)
