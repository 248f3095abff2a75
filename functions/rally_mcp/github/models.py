"""GitHub's objects as this product reads them, and where an issue or pull request is.

Pull requests are numbered among the issues, and read as issues too; their page tells which it is.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Kind = Literal["issue", "pull_request"]

REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*"
"""A repository's full name, owner/name. A name of dots alone would be a way up in a URL's path."""

_PAGE = re.compile(rf"/({REPOSITORY})/(issues|pull)/([1-9][0-9]{{0,11}})", re.ASCII)


def _named_by(member: str) -> BeforeValidator:
    """Read an object by the one member that people know it by; null is empty."""

    def name(value: object) -> object:
        return (value.get(member) if isinstance(value, dict) else value) or ""

    return BeforeValidator(name)


_Login = Annotated[str, _named_by("login")]
_Label = Annotated[str, _named_by("name")]
_Milestone = Annotated[str, _named_by("title")]


class _FromGitHub(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object, info: ValidationInfo) -> object:
        """Read GitHub's nulls as the field's own emptiness."""
        field = cls.model_fields[info.field_name or ""]
        if value is None and not field.is_required():
            return field.get_default(call_default_factory=True)
        return value


class User(_FromGitHub):
    """A GitHub user. The mail address is the public one, if there is any."""

    id: int
    login: str
    name: str = ""
    email: str = ""


class Repository(_FromGitHub):
    """A repository, by the name that it has now."""

    full_name: str = Field(pattern=rf"^{REPOSITORY}$")


class Issue(_FromGitHub):
    """An issue or pull request; `body` is Markdown, as its author wrote it."""

    id: int
    number: int
    html_url: str
    title: str = ""
    body: str = ""
    state: str = ""
    author: _Login = Field("", alias="user")
    labels: list[_Label] = Field(default_factory=list)
    assignees: list[_Login] = Field(default_factory=list)
    milestone: _Milestone = ""
    comments: int = 0
    draft: bool = False
    created_at: str = ""
    updated_at: str = ""
    closed_at: str = ""


class Branch(_FromGitHub):
    """One end of a pull request: `ref` is its name, `label` says its owner too."""

    label: str = ""
    ref: str = ""


class PullRequest(_FromGitHub):
    """What a pull request has beyond an issue."""

    id: int
    head: Branch
    base: Branch
    merged: bool = False


class Found(_FromGitHub):
    """One page of a search."""

    total_count: int
    incomplete_results: bool = False
    items: list[Issue]


class Comment(_FromGitHub):
    """A comment on an issue or pull request."""

    id: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class IssueAddress:
    """Where an issue or pull request is; `url` is its page."""

    repository: str
    number: int
    kind: Kind
    url: str

    @classmethod
    def find(cls, html_url: str, github_url: str) -> "IssueAddress | None":
        """Read the address of a page; None for anything else, or outside this GitHub."""
        match = _PAGE.fullmatch(html_url.removeprefix(github_url))
        if match is None or not html_url.startswith(github_url):
            return None
        kind: Kind = "issue" if match[2] == "issues" else "pull_request"
        return cls(match[1], int(match[3]), kind, html_url)

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"
