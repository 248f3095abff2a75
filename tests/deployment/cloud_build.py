"""Reads cloudbuild.yaml as Cloud Build does, and runs its steps on this machine."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.clients.dev_server import PROJECT

CONFIG = PROJECT / "cloudbuild.yaml"
WORKSPACE = "/workspace"

ALWAYS_SET = {"PROJECT_ID": "acme-rally-mcp", "PROJECT_NUMBER": "123456789012", "BUILD_ID": "b-1"}
SET_BY_TRIGGERS = {"BRANCH_NAME": "", "TRIGGER_NAME": ""}
"""Cloud Build's own; these are empty where a person submits a build."""

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>[A-Z_][A-Z0-9_]*)|{(?P<braced>[A-Z0-9_]+)})")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: an image, and in it either a program with arguments or a script."""

    name: str
    image: str
    words: Sequence[str]
    script: str
    environment: Mapping[str, str]

    @property
    def targets(self) -> Sequence[str]:
        """The targets of make that it brings up to date."""
        return [word for word in self.words[1:] if "=" not in word]

    def run(
        self, folder: Path, environment: Mapping[str, str], *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it in a folder that stands for the workspace; `options` are further arguments."""
        own = {
            name: value.replace(WORKSPACE, str(folder)) for name, value in self.environment.items()
        }
        return subprocess.run(
            self._script_in(folder) if self.script else (*self.words, *options),
            cwd=folder,
            env={**environment, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _script_in(self, folder: Path) -> Sequence[str]:
        program = folder.with_name(f"{folder.name}.{self.name}")
        program.write_text(self.script)
        program.chmod(0o700)
        return [str(program)]


@dataclass(frozen=True, slots=True)
class Build:
    """A build whose variables have values."""

    members: Mapping[str, Any]
    steps: Mapping[str, Step]


def build(**variables: str) -> Build:
    """Return the build that is started with these values beside those of the file.

    Raises LookupError for a variable that is neither Cloud Build's nor the file's.
    """
    config = yaml.safe_load(CONFIG.read_text())
    values = ALWAYS_SET | SET_BY_TRIGGERS | config["substitutions"] | variables
    # One may be made of others, though not of itself.
    values = {name: expanded(value, values) for name, value in values.items()}
    members = {
        name: _expanded_below(value, values)
        for name, value in config.items()
        if name != "substitutions"
    }
    everywhere = members["options"]["env"]
    return Build(members, {step["id"]: _step(step, everywhere) for step in members["steps"]})


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Replace $NAME and ${NAME} by their values, and $$ by the dollar that a shell is to see."""

    def value(found: re.Match[str]) -> str:
        return "$" if found["dollar"] else values[found["name"] or found["braced"]]

    return _VARIABLE.sub(value, text)


def variables_named(text: str) -> set[str]:
    """Return the names of the variables in a text."""
    found = _VARIABLE.finditer(text)
    return {match["name"] or match["braced"] for match in found if not match["dollar"]}


def _expanded_below(member: Any, values: Mapping[str, str]) -> Any:
    if isinstance(member, dict):
        # A script is the shell's: what it needs of the variables it is given as its environment.
        return {
            name: value if name == "script" else _expanded_below(value, values)
            for name, value in member.items()
        }
    if isinstance(member, list):
        return [_expanded_below(value, values) for value in member]
    return expanded(member, values) if isinstance(member, str) else member


def _step(members: Mapping[str, Any], everywhere: Sequence[str]) -> Step:
    entrypoint = [members["entrypoint"]] if "entrypoint" in members else []
    environment = dict(pair.split("=", 1) for pair in (*everywhere, *members.get("env", ())))
    return Step(
        name=members["id"],
        image=members["name"],
        words=[*entrypoint, *members.get("args", ())],
        script=members.get("script", ""),
        environment=environment,
    )
