"""Reads functions/requirements.txt: what the cloud installs, and from what files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2]
REQUIREMENTS = PROJECT / "functions" / "requirements.txt"

CLOUD = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
"""What the markers see in a function."""

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement with the files that may be installed for it."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """The package."""
        return self.requirement.name

    @property
    def version(self) -> str:
        """The one version, without the operator."""
        return str(self.requirement.specifier).removeprefix("==")

    @property
    def is_for_the_cloud(self) -> bool:
        """Whether a function installs it, where others are for Windows or an older Python."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(CLOUD)


def statements() -> Sequence[str]:
    """Return what the file says, without comments, continued lines joined."""
    text = REQUIREMENTS.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def pins() -> Sequence[Pin]:
    """Return every requirement."""
    return [
        Pin(Requirement(line.partition("--hash")[0].strip()), frozenset(_HASH.findall(line)))
        for line in statements()
    ]
