"""Arguments that several tools share, with the bounds that Rally sets."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST_NAME = 256
"""Characters that Rally keeps of a Name."""

LONGEST_MARKDOWN = 30_000
"""Characters of a description; Rally keeps 32,768 with the markup that it becomes."""


def _check_line(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("must be one line, without control characters")
    return text


Line = Annotated[str, AfterValidator(_check_line)]
"""Text for a field that Rally shows on one line."""

Title = Annotated[
    Line,
    Field(min_length=1, max_length=LONGEST_NAME, description="The name, one line of plain text."),
]
Description = Annotated[
    str, Field(max_length=LONGEST_MARKDOWN, description="The description, in Markdown.")
]
Project = Annotated[
    Line | None,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="Name of the Rally project to create it in; the user's default one if absent.",
    ),
]
Points = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
    ),
]
POINTS = "Plan estimate in points."
"""What `points` is, for a field that may also be absent."""
