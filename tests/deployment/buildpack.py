"""What Google's buildpack does with an archive: unpack, install, byte-compile, start a function."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers.host_process import free_port, started
from tests.deployment.uv import package_sources, uv

_INSTALL = ("pip", "install", "--quiet", "--compile-bytecode")
_PINNED_WHEELS = ("--require-hashes", "--only-binary", ":all:")


@dataclass(frozen=True, slots=True)
class RunningFunction:
    """One function that answers, and its process."""

    origin: str
    process: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Image:
    """An archive's files in `root`, and an environment with its requirements alone."""

    root: Path
    environment: Path
    home: Path

    @property
    def modules(self) -> Sequence[Path]:
        """The source files."""
        return sorted(self.root.rglob("*.py"))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python in the root."""
        return subprocess.run(
            (self.environment / "bin/python", *arguments),
            cwd=self.root,
            env={"HOME": str(self.home), "PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def serving(
        self, function: str, port: int, settings: Mapping[str, str]
    ) -> Iterator[RunningFunction]:
        """Run a function with its settings alone; it answers before long."""
        framework = str(self.environment / "bin/functions-framework")
        # What the buildpack makes of the entry point and of GOOGLE_FUNCTION_SOURCE.
        chosen = {
            "FUNCTION_TARGET": function,
            "FUNCTION_SOURCE": f"{function}.py",
            "FUNCTION_SIGNATURE_TYPE": "http",
        }
        place = {"HOME": str(self.home), "PORT": str(port)}
        with started([framework], {**settings, **chosen, **place}, self.root) as process:
            yield RunningFunction(f"http://127.0.0.1:{port}", process)


def build_image(archive: Path, folder: Path) -> Image:
    """Unpack an archive into an empty folder, install its requirements, and byte-compile it."""
    image = Image(folder / "workspace", folder / "environment", folder / "home")
    image.home.mkdir()
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(image.root)
    _uv(image, "venv", "--quiet", "--python", sys.executable, str(image.environment))
    requirements = str(image.root / "requirements.txt")
    there = ("--python", str(image.environment))
    _uv(image, *_INSTALL, *_PINNED_WHEELS, *there, "--requirement", requirements)
    compiled = image.python("-m", "compileall", "-f", "-q", ".")
    assert compiled.returncode == 0, compiled.stdout
    return image


def free_ports(count: int) -> Sequence[int]:
    """Return ports that nobody listens on."""
    ports: dict[int, None] = {}
    while len(ports) < count:
        ports[free_port()] = None
    return list(ports)


def _uv(image: Image, *arguments: str) -> None:
    environment = {**package_sources(), "HOME": str(image.home), "PATH": os.defpath}
    # What the project configures for its own uv does not count here.
    subprocess.run((uv(), "--no-config", *arguments), cwd=image.home, env=environment, check=True)
