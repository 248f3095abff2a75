"""New issues, changes and comments: what a body has to be, and who may set what."""

import json
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from devtools.github_simulator.accounts import Account
from devtools.github_simulator.errors import ApiError, validation_failed
from devtools.github_simulator.repositories import Comment, Issue, Repository, RepositoryStore

CREATE_PAGE = "rest/issues/issues#create-an-issue"
UPDATE_PAGE = "rest/issues/issues#update-an-issue"
COMMENT_PAGE = "rest/issues/comments#create-an-issue-comment"

LONGEST_TITLE = 256
LONGEST_BODY = 65536

_TYPE_NAMES = {"string_type": "a string", "list_type": "an array"}


class NewIssue(BaseModel):
    """The body of `POST /repos/{owner}/{repo}/issues`; unknown members are ignored."""

    model_config = ConfigDict(strict=True)

    title: str | None = None
    body: str | None = None
    labels: list[str] = []
    assignees: list[str] = []


class IssueChanges(BaseModel):
    """The body of `PATCH /repos/{owner}/{repo}/issues/{number}`; what is not set stays."""

    model_config = ConfigDict(strict=True)

    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    state_reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None
    labels: list[str] = []
    assignees: list[str] = []


class NewComment(BaseModel):
    """The body of `POST /repos/{owner}/{repo}/issues/{number}/comments`."""

    model_config = ConfigDict(strict=True)

    body: str


Document = TypeVar("Document", NewIssue, IssueChanges, NewComment)


def read(model: type[Document], body: bytes, page: str) -> Document:
    """Read a request's body. Raises ApiError 400 for what is no JSON object, else 422."""
    try:
        document = json.loads(body)
    except ValueError as broken:
        raise ApiError(400, "Problems parsing JSON", page) from broken
    if not isinstance(document, dict):
        raise ApiError(400, "Body should be a JSON object", page)
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        message = f"Invalid request.\n\n{_complaint(invalid.errors()[0])}"
        raise ApiError(422, message, page) from invalid


def create(
    store: RepositoryStore, repository: Repository, author: Account, wanted: NewIssue
) -> Issue:
    """Open an issue. Raises ApiError 410 if the repository has none, 422 for a bad value."""
    check_writable(repository, CREATE_PAGE)
    if not repository.has_issues:
        raise issues_disabled()
    title = wanted.title or ""
    _check_texts(title, wanted.body, CREATE_PAGE)
    may_push = author.login in repository.writers
    assignees = _assignees(store, repository, wanted.assignees, CREATE_PAGE) if may_push else []
    issue = store.add_issue(repository, author, title, wanted.body)
    issue.assignees = assignees
    # Without push access, labels and assignees are dropped and nothing tells.
    issue.labels = [store.label(repository, name) for name in wanted.labels if may_push]
    return issue


def change(store: RepositoryStore, issue: Issue, editor: Account, wanted: IssueChanges) -> None:
    """Change an issue or pull request. Raises ApiError 403 unless the editor may."""
    repository, given = issue.repository, wanted.model_fields_set
    check_writable(repository, UPDATE_PAGE)
    may_push = editor.login in repository.writers
    if not may_push and editor is not issue.author:
        raise ApiError(403, "Must have admin rights to Repository.", UPDATE_PAGE)
    title = issue.title if wanted.title is None else wanted.title
    body = wanted.body if "body" in given else issue.body
    _check_texts(title, body, UPDATE_PAGE)
    if may_push and "assignees" in given:
        issue.assignees = _assignees(store, repository, wanted.assignees, UPDATE_PAGE)
    if may_push and "labels" in given:
        issue.labels = [store.label(repository, name) for name in wanted.labels]
    issue.title, issue.body, issue.updated_at = title, body, store.clock()
    _change_state(issue, editor, wanted)


def comment(store: RepositoryStore, issue: Issue, author: Account, wanted: NewComment) -> Comment:
    """Comment on an issue or pull request. Raises ApiError 403 or 422."""
    check_writable(issue.repository, COMMENT_PAGE)
    problem = "Body cannot be blank" if not wanted.body.strip() else ""
    if len(wanted.body) > LONGEST_BODY:
        problem = f"Body is too long (maximum is {LONGEST_BODY} characters)"
    if problem:
        raise validation_failed(
            COMMENT_PAGE,
            resource="IssueComment",
            code="unprocessable",
            field="data",
            message=problem,
        )
    return store.add_comment(issue, author, wanted.body)


def check_writable(repository: Repository, page: str) -> None:
    """Raise ApiError 403 for an archived repository."""
    if repository.is_archived:
        raise ApiError(403, "Repository was archived so is read-only.", page)


def issues_disabled() -> ApiError:
    """Return the answer of a repository without issues."""
    return ApiError(410, "Issues are disabled for this repo", "v3/issues/")


def _change_state(issue: Issue, editor: Account, wanted: IssueChanges) -> None:
    if wanted.state in {None, issue.state}:
        return
    if wanted.state == "closed":
        reason = wanted.state_reason or "completed"
        issue.closed_at, issue.closed_by = issue.updated_at, editor
    else:
        reason = "reopened"
        issue.closed_at = issue.closed_by = None
    issue.state = wanted.state or issue.state
    issue.state_reason = None if issue.pull else reason


def _check_texts(title: str, body: str | None, page: str) -> None:
    if not title.strip():
        raise validation_failed(page, resource="Issue", code="missing_field", field="title")
    for name, text, limit in (("title", title, LONGEST_TITLE), ("body", body, LONGEST_BODY)):
        if len(text or "") > limit:
            message = f"{name} is too long (maximum is {limit} characters)"
            raise validation_failed(
                page, resource="Issue", code="custom", field=name, message=message
            )


def _assignees(
    store: RepositoryStore, repository: Repository, logins: list[str], page: str
) -> list[Account]:
    """Return the accounts, all of which have to be members of the repository."""
    accounts = []
    for login in logins:
        account = store.account(login)
        if account is None or account.login not in repository.members:
            raise validation_failed(
                page, value=login, resource="Issue", field="assignees", code="invalid"
            )
        accounts.append(account)
    return accounts


def _complaint(error: ErrorDetails) -> str:
    name = "/".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f'"{name}" wasn\'t supplied.'
    expected = _TYPE_NAMES.get(error["type"], "one of the allowed values")
    return f"For 'properties/{name}', {json.dumps(error['input'])} is not {expected}."
