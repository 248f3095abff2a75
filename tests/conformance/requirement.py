"""What a requirement is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold, or, with `not_applicable`, why something else takes its place here."""

    id: str
    sentence: str
    not_applicable: str = ""
    decided: str = ""
    """Why the sentence differs from the requirement that it goes back to."""
