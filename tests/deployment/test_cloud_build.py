"""cloudbuild.yaml is valid, gives nothing away, and its steps do what a developer's commands do."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.clients.dev_server import PROJECT
from tests.containers.dockerfile import stages
from tests.deployment.cloud_build import (
    ALWAYS_SET,
    CONFIG,
    SET_BY_TRIGGERS,
    build,
    variables_named,
)
from tests.infra.terraform import copied, running_stand_in, stand_in

MAKE_STEPS = [step for step in build().steps.values() if step.words]
SDK = "platform/bundledpythonunix/bin/python3"
PARSE = """
import sys
sys.path[:0] = sys.argv[1:3]
from googlecloudsdk.api_lib.cloudbuild import cloudbuild_util, config
build = config.LoadCloudbuildConfigFromPath(sys.argv[3], cloudbuild_util.GetMessagesModule())
print([step.id for step in build.steps])
"""


@pytest.fixture
def gcloud() -> Path:
    """The folder in which gcloud is installed."""
    program = shutil.which("gcloud")
    root = Path(program).resolve().parents[1] if program else Path("/nowhere")
    if not (root / SDK).exists():
        pytest.skip("gcloud with a Python of its own is not installed")
    return root


def test_the_schema_has_no_objection() -> None:
    schema = ("--builtin-schema", "vendor.cloudbuild")
    command = (sys.executable, "-m", "check_jsonschema", *schema, str(CONFIG))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_gcloud_reads_every_step(gcloud: Path) -> None:
    libraries = (gcloud / "lib", gcloud / "lib/third_party")
    command = (gcloud / SDK, "-c", PARSE, *libraries, CONFIG)
    parsed = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (parsed.returncode, parsed.stderr) == (0, "")
    assert parsed.stdout.strip() == str(list(build().steps))


def test_each_variable_is_declared_and_used() -> None:
    members = yaml.safe_load(CONFIG.read_text())
    for step in members["steps"]:
        step.pop("script", None)
    declared = set(members["substitutions"])

    used = variables_named(yaml.safe_dump(members))

    assert declared <= used
    assert used <= declared | set(ALWAYS_SET) | set(SET_BY_TRIGGERS)


def test_a_script_reads_what_it_is_given_and_no_variable_of_cloud_build() -> None:
    for step in build().steps.values():
        set_there = set(re.findall(r"^\s*(\w+)=", step.script, re.MULTILINE))
        read = set(re.findall(r"\$\{?(\w+)", step.script))

        assert read <= set_there | set(step.environment), step.name


def test_every_image_is_of_a_fixed_version() -> None:
    python = re.match(r"python:3\.\d+", stages()["python"].base)[0]
    runtime = re.search(
        r'runtime\s*= "python(\d)(\d+)"', (PROJECT / "infra/functions.tf").read_text()
    )
    images = {step.image for step in build().steps.values()}

    assert {image.split("-")[0] for image in images if image.startswith("python")} == {python}
    assert python == f"python:{runtime[1]}.{runtime[2]}"
    assert not [image for image in images if not re.search(r":\d+\.\d+", image)]


def test_steps_that_use_the_same_virtual_environment_run_in_the_same_image() -> None:
    apply = build().steps["apply"]

    assert len({step.image for step in (*MAKE_STEPS, apply)}) == 1


def test_no_secret_is_read_or_named() -> None:
    members = build().members
    steps = build().steps.values()

    assert not {"availableSecrets", "secrets"} & set(members)
    assert not [step for step in members["steps"] if "secretEnv" in step]
    assert not [name for step in steps for name in step.environment if "SECRET" in name]


def test_it_logs_to_cloud_logging_alone_which_its_own_account_may() -> None:
    started = build(_NAME_PREFIX="dev-").members

    assert started["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    assert started["serviceAccount"] == (
        "projects/acme-rally-mcp/serviceAccounts/"
        "dev-pipeline@acme-rally-mcp.iam.gserviceaccount.com"
    )


def test_the_account_and_the_bucket_are_those_that_terraform_makes(tmp_path: Path) -> None:
    started = build(_NAME_PREFIX="dev-").members
    with running_stand_in(stand_in(), tmp_path) as terraform:
        plan = terraform.plan(copied(tmp_path), name_prefix="dev-", pipeline=True)

    accounts = plan.resources("google_service_account").values()
    buckets = plan.resources("google_storage_bucket").values()
    account = re.search(r"/([a-z-]+)@", started["serviceAccount"])[1]
    bucket = started["artifacts"]["objects"]["location"].split("/")[2]
    assert account in [made["account_id"] for made in accounts]
    assert bucket in [made["name"] for made in buckets]
