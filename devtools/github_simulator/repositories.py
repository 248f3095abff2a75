"""Repositories with their issues and pull requests, and who may see and change them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from devtools.github_simulator.accounts import Account
from devtools.github_simulator.tokens import Grant

FIRST_ID = 3_000_000_001
"""Above 2^31, as today's ids of issues and comments are."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True, eq=False)
class Comment:
    """A comment of an issue or pull request."""

    id: int
    author: Account
    body: str
    created_at: datetime


@dataclass(slots=True)
class PullRequest:
    """What a pull request has beyond an issue. `head` is `owner:branch`."""

    head: str
    draft: bool = False
    merged_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Issue:
    """An issue, or with `pull` a pull request: both share their numbers, and most members."""

    id: int
    number: int
    repository: "Repository"
    author: Account
    title: str
    body: str | None
    created_at: datetime
    updated_at: datetime
    labels: list[Label] = field(default_factory=list)
    assignees: list[Account] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    pull: PullRequest | None = None
    comments: list[Comment] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Repository:
    """A repository. Its `members` see it if it is private, and issues can be assigned to them.

    Only `writers` may push, and so set labels and assignees.
    """

    id: int
    owner: Account
    name: str
    description: str
    is_private: bool
    members: frozenset[str]
    writers: frozenset[str]
    is_archived: bool = False
    has_issues: bool = True
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Owner and name, such as `acme/rockets`."""
        return f"{self.owner.login}/{self.name}"

    def is_visible_to(self, grant: Grant) -> bool:
        """Whether an access token may know of the repository: private ones take `repo`."""
        return not self.is_private or (grant.user in self.members and grant.permits("repo"))

    def is_open_to(self, grant: Grant) -> bool:
        """Whether an access token may write issues and comments, whoever its user is."""
        return grant.permits("repo") or (not self.is_private and grant.permits("public_repo"))


class RepositoryStore:
    """All repositories, and the accounts that stand in them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self._repositories: dict[str, Repository] = {}
        self._ids = itertools.count(FIRST_ID)

    def __iter__(self) -> Iterator[Repository]:
        return iter(self._repositories.values())

    def new_id(self) -> int:
        """Return an id that nothing has yet."""
        return next(self._ids)

    def add(self, repository: Repository) -> Repository:
        """Keep a repository and return it."""
        self._repositories[repository.full_name.lower()] = repository
        return repository

    def find(self, full_name: str, grant: Grant) -> Repository | None:
        """Return a repository, whatever the case of its name, or None unless it is visible."""
        repository = self._repositories.get(full_name.lower())
        return repository if repository and repository.is_visible_to(grant) else None

    def account(self, login: str) -> Account | None:
        """Return an account, whatever the case of its login, or None."""
        return self.accounts.get(login.lower())

    def label(self, repository: Repository, name: str) -> Label:
        """Return a label of a repository, made if need be."""
        return repository.labels.setdefault(name.lower(), Label(self.new_id(), name))

    def add_issue(
        self, repository: Repository, author: Account, title: str, body: str | None
    ) -> Issue:
        """Open an issue with the next number and return it."""
        now = self.clock()
        number = len(repository.issues) + 1
        issue = Issue(self.new_id(), number, repository, author, title, body, now, now)
        repository.issues[number] = issue
        return issue

    def add_comment(self, issue: Issue, author: Account, body: str) -> Comment:
        """Comment on an issue or pull request and return the comment."""
        comment = Comment(self.new_id(), author, body, self.clock())
        issue.comments.append(comment)
        issue.updated_at = comment.created_at
        return comment
