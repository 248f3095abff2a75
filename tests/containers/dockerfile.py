"""Reads the Dockerfile: its stages, and what each of them makes of an image."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCKERFILE = PROJECT / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY: from the build context, or from another stage."""

    sources: Sequence[str]
    target: str
    options: Sequence[str]

    @property
    def from_stage(self) -> str | None:
        """The stage it copies from; None means the build context."""
        named = [option for option in self.options if option.startswith("--from=")]
        return named[0].partition("=")[2] if named else None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage; each lookup also sees what the stages below it say."""

    name: str
    base: str
    below: "Stage | None"
    instructions: Sequence[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        """Return the operands of every such instruction, the oldest first."""
        inherited = self.below.all(instruction) if self.below else []
        return inherited + [text for name, text in self.instructions if name == instruction]

    def last(self, instruction: str) -> str:
        """Return the operand that counts."""
        return self.all(instruction)[-1]

    def pairs(self, instruction: str) -> Mapping[str, str]:
        """Return what ENV or LABEL set."""
        words = [word for text in self.all(instruction) for word in shlex.split(text)]
        return dict(word.split("=", 1) for word in words)

    def command(self) -> list[str]:
        """Return the CMD, which has to be in exec form."""
        return json.loads(self.last("CMD"))

    def health_check(self) -> list[str] | None:
        """Return the command of the HEALTHCHECK; None where there is none."""
        text = self.last("HEALTHCHECK")
        return None if text == "NONE" else json.loads(text.partition(" CMD ")[2])

    def copies(self) -> Iterator[Copy]:
        """Return what it copies."""
        for text in self.all("COPY"):
            words = shlex.split(text)
            options = [word for word in words if word.startswith("--")]
            *sources, target = words[len(options) :]
            yield Copy(sources, target, options)


def stages() -> dict[str, Stage]:
    """Return the stages by name, in the order in which they stand."""
    found: dict[str, Stage] = {}
    for part in re.split(r"^(?=FROM )", _logical_lines(DOCKERFILE.read_text()), flags=re.MULTILINE):
        lines = [line for line in part.splitlines() if line]
        if lines:
            base, _, name = lines[0].removeprefix("FROM ").partition(" AS ")
            pairs = [(word, text) for word, _, text in (line.partition(" ") for line in lines[1:])]
            found[name] = Stage(name, base, found.get(base), pairs)
    return found


def _logical_lines(text: str) -> str:
    """Drop comments and empty lines, and join what a backslash continues."""
    without_comments = re.sub(r"^\s*(#.*)?\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\s*\\\n\s*", " ", without_comments)
