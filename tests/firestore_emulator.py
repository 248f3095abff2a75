"""Finds a Firestore emulator for the tests, or starts one: in Docker, with Java, or by gcloud."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TextIO

import pytest

IMAGE = "gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators"
JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
READY_LINE = "Dev App Server is now running"
START_SECONDS = 20
"""A warm machine needs less than one second, a cold one that runs three test sessions more."""

INSTALL_FOLDERS = (
    "~/google-cloud-sdk",
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
)
HOW_TO_GET_IT = (
    "no Firestore emulator: `gcloud components install cloud-firestore-emulator` (needs Java), "
    "or start Docker, or set FIRESTORE_EMULATOR_HOST"
)


@pytest.fixture(scope="session")
def firestore_emulator_host() -> Iterator[str]:
    """The host:port of an emulator; without one the test is skipped, in CI it fails.

    Tests share it, other test sessions may too: each uses a project id of its own.
    """
    with ExitStack() as until_the_end:
        host = find_emulator(until_the_end)
        if host is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
        yield host


@pytest.fixture
def firestore_emulator(firestore_emulator_host: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The host:port of an emulator, to which Google's client library is directed for one test."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator_host)
    return firestore_emulator_host


def find_emulator(until_the_end: ExitStack) -> str | None:
    """Return the host:port of a running emulator; one that is started here ends with the stack."""
    return (
        os.environ.get("FIRESTORE_EMULATOR_HOST")
        or _start_in_docker(until_the_end)
        or _start_with_java(until_the_end)
        or _start_with_gcloud(until_the_end)
    )


def _start_in_docker(until_the_end: ExitStack) -> str | None:
    if not _output_of("docker", "version", "--format={{.Server.Version}}"):
        return None
    from docker.errors import DockerException
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    container = (
        DockerContainer(IMAGE)
        .with_exposed_ports(8080)
        .with_command("gcloud emulators firestore start --host-port=0.0.0.0:8080")
        .waiting_for(HttpWaitStrategy(8080).for_status_code(200))
    )
    try:
        until_the_end.enter_context(container)
    except DockerException:  # the image cannot be had here, something else may do
        return None
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(8080)}"


def _start_with_java(until_the_end: ExitStack) -> str | None:
    jar = next((root / JAR for root in _sdk_roots() if (root / JAR).is_file()), None)
    if jar is None or not shutil.which("java"):
        return None
    port = _free_port()
    quick_start = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
    java = ("java", "-Duser.language=en", *quick_start, "-cp", str(jar), MAIN_CLASS)
    started = _start(until_the_end, *java, "--host=127.0.0.1", f"--port={port}")
    return f"127.0.0.1:{port}" if started else None


def _start_with_gcloud(until_the_end: ExitStack) -> str | None:
    if not shutil.which("gcloud"):
        return None
    host = f"127.0.0.1:{_free_port()}"
    command = ("gcloud", "emulators", "firestore", "start", f"--host-port={host}")
    return host if _start(until_the_end, *command) else None


def _sdk_roots() -> Iterator[Path]:
    if root := os.environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root)
    if gcloud := shutil.which("gcloud"):
        yield Path(gcloud).resolve().parent.parent
    for folder in INSTALL_FOLDERS:
        yield Path(folder).expanduser()
    # Last, because it takes a second.
    if root := _output_of("gcloud", "info", "--format=value(installation.sdk_root)"):
        yield Path(root)


def _start(until_the_end: ExitStack, *command: str) -> bool:
    """Start an emulator and wait until it listens; tell whether it does."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # gcloud must not offer to install anything
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    listening = SimpleQueue()
    watcher = threading.Thread(target=_watch, args=(process.stdout, listening), daemon=True)
    watcher.start()
    until_the_end.callback(_stop, process, watcher)
    try:
        return listening.get(timeout=START_SECONDS)
    except Empty:
        return False


def _watch(output: TextIO, listening: "SimpleQueue[bool]") -> None:
    """Read all that the emulator prints, so that it never has to wait for a reader."""
    for line in output:
        if READY_LINE in line:
            listening.put(True)
    listening.put(False)


def _stop(process: subprocess.Popen[str], watcher: threading.Thread) -> None:
    """End the whole process group: gcloud starts a shell that starts Java."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
    watcher.join(5)
    process.stdout.close()


def _output_of(*command: str) -> str:
    """What a command prints, or nothing where it is missing, fails or is too slow."""
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
