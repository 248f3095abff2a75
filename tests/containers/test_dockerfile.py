"""The image is what docs/containers.md says, as far as that shows without an engine.

Its commands run here as they would in a container, from the folder that is copied into it.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rally_mcp import __version__
from rally_mcp.settings import Function
from tests.containers.dockerfile import DOCKERFILE, PROJECT, Stage, stages
from tests.containers.host_process import (
    PROGRAMS,
    STOP_SECONDS,
    free_port,
    get,
    on_this_machine,
    started,
)

FUNCTIONS = PROJECT / "functions"


@pytest.fixture
def release() -> Stage:
    """What a build makes that names no target."""
    return list(stages().values())[-1]


@pytest.fixture
def environment(release: Stage, tmp_path: Path) -> Mapping[str, str]:
    """The image's environment with the settings of a deployment on one machine."""
    return {
        **release.pairs("ENV"),
        "PORT": str(free_port()),
        "MCP_URL": "http://127.0.0.1:1/mcp",
        "AUTH_URL": "http://127.0.0.1:2",
        "CALLBACK_URL": "http://127.0.0.1:3/callback",
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(tmp_path / "rally-mcp.db"),
        "RALLY_CLIENT_ID": "rally-mcp-test",
        "RALLY_CLIENT_SECRET": "env:RALLY_TEST_SECRET",
        "RALLY_TEST_SECRET": "correct horse",
    }


def run(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        executable=PROGRAMS / command[0],
        env=on_this_machine(environment),
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        timeout=STOP_SECONDS,
        check=False,
    )


def test_the_linter_has_nothing_to_say() -> None:
    command = ("hadolint", "--failure-threshold", "style", str(DOCKERFILE))
    linted = subprocess.run(
        command, executable=PROGRAMS / "hadolint", capture_output=True, text=True, check=False
    )

    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("function", Function)
def test_a_container_is_the_function_that_its_target_names(
    function: Function, release: Stage, environment: Mapping[str, str]
) -> None:
    chosen = {**environment, "FUNCTION_TARGET": function.value}

    with started(release.command(), chosen, FUNCTIONS) as process:
        answer = get(f"http://127.0.0.1:{chosen['PORT']}/health")
        checked = run(release.health_check(), chosen)
        process.terminate()
        ended = process.wait(STOP_SECONDS)

    assert (answer.status_code, answer.json()["function"]) == (200, function)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert ended == 0


def test_the_health_check_fails_where_nothing_listens(
    release: Stage, environment: Mapping[str, str]
) -> None:
    assert run(release.health_check(), environment).returncode == 1


def test_a_container_without_a_target_says_what_to_set(
    release: Stage, environment: Mapping[str, str]
) -> None:
    ended = run(release.command(), environment)

    assert ended.returncode == 1
    assert ended.stderr.startswith("Set FUNCTION_TARGET")
    assert not [function for function in Function if function.value not in ended.stderr]


def test_a_container_listens_beyond_its_own_loopback_interface(release: Stage) -> None:
    environment = release.pairs("ENV")

    assert (environment["HOST"], environment["PORT"]) == ("0.0.0.0", "8080")
    assert release.last("EXPOSE") == "8080"


def test_a_container_is_a_numbered_user_who_is_not_root_and_owns_no_file(release: Stage) -> None:
    owners = [option for copy in release.copies() for option in copy.options if "chown" in option]

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", release.last("USER"))
    assert not owners


def test_the_user_can_write_to_a_volume_at_data(release: Stage) -> None:
    user, _, group = release.last("USER").partition(":")
    (made,) = [text for text in release.all("RUN") if "useradd" in text]

    assert f"--owner={user} --group={group} --mode=700 /data" in made


def test_the_image_has_the_functions_alone(release: Stage) -> None:
    build = stages()["build"]
    from_context = [source for copy in build.copies() for source in copy.sources]

    assert {copy.from_stage for copy in release.copies()} == {"build"}
    assert from_context == ["functions/requirements.txt", "functions/"]
    assert release.last("WORKDIR") == next(
        copy.target.rstrip("/") for copy in build.copies() if copy.sources == ["functions/"]
    )


def test_every_package_is_pinned_by_hash() -> None:
    (install,) = [text for text in stages()["build"].all("RUN") if "pip" in text]
    requirements = (FUNCTIONS / "requirements.txt").read_text()
    blocks = re.findall(r"^[a-z].*(?:\n    .*)*", requirements, re.MULTILINE)

    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install.split())
    assert blocks
    assert not [block for block in blocks if "--hash=sha256:" not in block]


def test_no_layer_is_given_a_secret() -> None:
    named = {name for stage in stages().values() for name in stage.pairs("ENV")}

    assert not [text for stage in stages().values() for text in stage.all("ARG")]
    assert not [name for name in named if re.search("SECRET|PASSWORD|CREDENTIAL|KEY", name)]


def test_the_labels_tell_the_release_and_the_base_image(release: Stage) -> None:
    labels = release.pairs("LABEL")
    base = stages()["python"].base

    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.base.name"] == f"docker.io/library/{base}"


def test_the_simulators_are_in_the_development_image_alone(release: Stage) -> None:
    dev = stages()["dev"]

    assert "devtools/" in [source for copy in dev.copies() for source in copy.sources]
    assert dev.health_check() is None
    assert release.name == "release"
