"""What the tools about GitHub answer, made of what GitHub answered."""

from collections.abc import Iterable, Sequence

from rally_mcp.github.client import ReadIssue, SearchPage
from rally_mcp.github.models import Kind, User
from rally_mcp.tools.github_arguments import LONGEST_TITLE, CreateGitHubIssue
from rally_mcp.tools.sanitize import one_line
from rally_mcp.tools.toolset import Facts


class GitHubUser(Facts):
    """Facts of get_github_user."""

    id: str
    login: str
    name: str
    email: str


class GitHubIssue(Facts):
    """Facts of get_github_issue. Empty strings stand for what it does not have."""

    id: str
    repository: str
    number: int
    kind: Kind
    title: str
    state: str
    draft: bool
    merged: bool
    author: str
    labels: list[str]
    assignees: list[str]
    milestone: str
    head: str
    base: str
    comments: int
    created_at: str
    updated_at: str
    closed_at: str
    url: str


class FoundIssue(Facts):
    """One result of search_github_issues."""

    repository: str
    number: int
    kind: Kind
    title: str
    state: str
    author: str
    labels: list[str]
    comments: int
    updated_at: str
    url: str


class FoundIssues(Facts):
    """Facts of search_github_issues. `incomplete` where GitHub did not search everything."""

    total: int
    incomplete: bool
    items: list[FoundIssue]


class CreatedIssue(Facts):
    """A new issue."""

    id: str
    repository: str
    number: int
    title: str
    state: str
    url: str


class CreatedGitHubIssue(Facts):
    """Facts of create_github_issue."""

    success: bool
    message: str
    issue: CreatedIssue
    warnings: list[str]


def user_facts(user: User) -> GitHubUser:
    """Return who is signed in."""
    return GitHubUser(
        id=str(user.id),
        login=shown_line(user.login),
        name=shown_line(user.name),
        email=shown_line(user.email),
    )


def issue_facts(read: ReadIssue) -> GitHubIssue:
    """Return everything that was read but the body."""
    address, issue, pull_request = read.address, read.issue, read.pull_request
    return GitHubIssue(
        id=str(issue.id),
        repository=address.repository,
        number=address.number,
        kind=address.kind,
        title=shown_line(issue.title),
        state=shown_line(issue.state),
        draft=issue.draft,
        merged=bool(pull_request and pull_request.merged),
        author=shown_line(issue.author),
        labels=_shown_lines(issue.labels),
        assignees=_shown_lines(issue.assignees),
        milestone=shown_line(issue.milestone),
        head=shown_line(pull_request.head.label if pull_request else ""),
        base=shown_line(pull_request.base.ref if pull_request else ""),
        comments=issue.comments,
        created_at=shown_line(issue.created_at),
        updated_at=shown_line(issue.updated_at),
        closed_at=shown_line(issue.closed_at),
        url=address.url,
    )


def search_facts(found: SearchPage) -> FoundIssues:
    """Return one page of a search."""
    return FoundIssues(
        total=found.total,
        incomplete=found.incomplete,
        items=[_found(read) for read in found.issues],
    )


def creation_facts(created: ReadIssue, asked: CreateGitHubIssue) -> CreatedGitHubIssue:
    """Return what was created, and which of its labels and assignees GitHub left out."""
    address, issue = created.address, created.issue
    return CreatedGitHubIssue(
        success=True,
        message="GitHub issue created successfully",
        issue=CreatedIssue(
            id=str(issue.id),
            repository=address.repository,
            number=address.number,
            title=shown_line(issue.title),
            state=shown_line(issue.state),
            url=address.url,
        ),
        warnings=[
            *_left_out("labels", asked.labels, issue.labels),
            *_left_out("assignees", asked.assignees, issue.assignees),
        ],
    )


def shown_line(text: str) -> str:
    """Return what GitHub shows on one line."""
    return one_line(text, LONGEST_TITLE)


def _found(read: ReadIssue) -> FoundIssue:
    address, issue = read.address, read.issue
    return FoundIssue(
        repository=address.repository,
        number=address.number,
        kind=address.kind,
        title=shown_line(issue.title),
        state=shown_line(issue.state),
        author=shown_line(issue.author),
        labels=_shown_lines(issue.labels),
        comments=issue.comments,
        updated_at=shown_line(issue.updated_at),
        url=address.url,
    )


def _shown_lines(texts: Iterable[str]) -> list[str]:
    return [shown_line(text) for text in texts]


def _left_out(what: str, asked: Sequence[str], got: Iterable[str]) -> list[str]:
    """GitHub drops, without a word, what a person without push access may not set."""
    have = {name.casefold() for name in got}
    missing = [shown_line(name) for name in asked if name.casefold() not in have]
    return [f"GitHub left out these {what}: {', '.join(missing)}."] if missing else []
