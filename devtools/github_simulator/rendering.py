"""Repositories, issues, pull requests and comments as GitHub's REST API writes them."""

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from devtools.github_simulator.accounts import Account, JsonObject, account_document, wire_time
from devtools.github_simulator.repositories import (
    Comment,
    Issue,
    Label,
    PullRequest,
    Repository,
)

_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


@dataclass(frozen=True, slots=True)
class Renderer:
    """Writes everything with absolute URLs; `web` is GitHub's origin, without a slash."""

    web: str

    def repository(self, repository: Repository) -> JsonObject:
        """Write the members of a repository by which others point to it."""
        return {
            "id": repository.id,
            "node_id": f"R_kgDO{repository.id}",
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.is_private,
            "owner": self._account(repository.owner),
            "html_url": f"{self.web}/{repository.full_name}",
            "description": repository.description,
            "fork": False,
            "url": self._url(repository),
            "has_issues": repository.has_issues,
            "archived": repository.is_archived,
            "visibility": "private" if repository.is_private else "public",
            "default_branch": "main",
        }

    def issue(self, issue: Issue) -> JsonObject:
        """Write an issue, or a pull request as the issue that it also is."""
        return self.found_issue(issue) | {"closed_by": self._account(issue.closed_by)}

    def found_issue(self, issue: Issue) -> JsonObject:
        """Write an issue without `closed_by`, which searches leave out."""
        url = self._issue_url(issue)
        document = {
            "url": url,
            "repository_url": self._url(issue.repository),
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "node_id": f"{'PR' if issue.pull else 'I'}_kwDO{issue.id}",
            "reactions": _reactions(url),
            "performed_via_github_app": None,
            "state_reason": issue.state_reason,
            **self._shared(issue),
        }
        if issue.pull:
            return document | self._pull_members(issue, issue.pull)
        return document | {
            "type": None,
            "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
            "issue_dependencies_summary": dict.fromkeys(
                ("blocked_by", "total_blocked_by", "blocking", "total_blocking"), 0
            ),
        }

    def pull_request(self, issue: Issue, pull: PullRequest) -> JsonObject:
        """Write a pull request as one, with its branches."""
        url, page = self._pull_url(issue), self._page(issue)
        base = f"{issue.repository.owner.login}:main"
        return {
            "url": url,
            "node_id": f"PR_kwDO{issue.id}",
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": self._issue_url(issue),
            "commits_url": f"{url}/commits",
            "comments_url": f"{self._issue_url(issue)}/comments",
            **self._shared(issue),
            "draft": pull.draft,
            **self._outcome(issue, pull),
            "requested_reviewers": [],
            "requested_teams": [],
            "auto_merge": None,
            "head": self._branch(issue.repository, pull.head),
            "base": self._branch(issue.repository, base),
            "review_comments": 0,
            "commits": 1,
            "additions": 12,
            "deletions": 3,
            "changed_files": 2,
            "maintainer_can_modify": False,
            "_links": {"self": {"href": url}, "html": {"href": page}},
        }

    def comment(self, issue: Issue, comment: Comment) -> JsonObject:
        """Write a comment of an issue or pull request."""
        url = f"{self._url(issue.repository)}/issues/comments/{comment.id}"
        return {
            "url": url,
            "html_url": f"{self._page(issue)}#issuecomment-{comment.id}",
            "issue_url": self._issue_url(issue),
            "id": comment.id,
            "node_id": f"IC_kwDO{comment.id}",
            "user": self._account(comment.author),
            "created_at": wire_time(comment.created_at),
            "updated_at": wire_time(comment.created_at),
            "author_association": _association(issue.repository, comment.author),
            "body": comment.body,
            "reactions": _reactions(url),
            "performed_via_github_app": None,
        }

    def _shared(self, issue: Issue) -> JsonObject:
        """Write what issues and pull requests have alike."""
        assignees = [self._account(assignee) for assignee in issue.assignees]
        return {
            "id": issue.id,
            "number": issue.number,
            "html_url": self._page(issue),
            "title": issue.title,
            "user": self._account(issue.author),
            "labels": [self._label(issue.repository, label) for label in issue.labels],
            "state": issue.state,
            "locked": False,
            "active_lock_reason": None,
            "assignee": assignees[0] if assignees else None,
            "assignees": assignees,
            "milestone": None,
            "comments": len(issue.comments),
            "created_at": wire_time(issue.created_at),
            "updated_at": wire_time(issue.updated_at),
            "closed_at": wire_time(issue.closed_at),
            "author_association": _association(issue.repository, issue.author),
            "body": issue.body,
        }

    def _pull_members(self, issue: Issue, pull: PullRequest) -> JsonObject:
        """Write by what an issue shows that it is a pull request."""
        page = self._page(issue)
        return {
            "draft": pull.draft,
            "pull_request": {
                "url": self._pull_url(issue),
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": wire_time(pull.merged_at),
            },
        }

    def _outcome(self, issue: Issue, pull: PullRequest) -> JsonObject:
        """Write whether a pull request was merged, or could be."""
        if pull.merged_at is None:
            unmerged = {"merged_at": None, "merge_commit_sha": None, "merged_by": None}
            return {"merged": False, "mergeable": True, "mergeable_state": "clean", **unmerged}
        return {
            "merged": True,
            "mergeable": None,
            "mergeable_state": "unknown",
            "merged_at": wire_time(pull.merged_at),
            "merge_commit_sha": _commit(f"merge {issue.id}"),
            "merged_by": self._account(issue.closed_by),
        }

    def _branch(self, repository: Repository, label: str) -> JsonObject:
        return {
            "label": label,
            "ref": label.partition(":")[2],
            "sha": _commit(label),
            "user": self._account(repository.owner),
            "repo": self.repository(repository),
        }

    def _label(self, repository: Repository, label: Label) -> JsonObject:
        return {
            "id": label.id,
            "node_id": f"LA_kwDO{label.id}",
            "url": f"{self._url(repository)}/labels/{quote(label.name)}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description,
        }

    def _account(self, account: Account | None) -> JsonObject | None:
        return account_document(account, self.web) if account else None

    def _page(self, issue: Issue) -> str:
        kind = "pull" if issue.pull else "issues"
        return f"{self.web}/{issue.repository.full_name}/{kind}/{issue.number}"

    def _issue_url(self, issue: Issue) -> str:
        return f"{self._url(issue.repository)}/issues/{issue.number}"

    def _pull_url(self, issue: Issue) -> str:
        return f"{self._url(issue.repository)}/pulls/{issue.number}"

    def _url(self, repository: Repository) -> str:
        return f"{self.web}/api/v3/repos/{repository.full_name}"


def _reactions(url: str) -> JsonObject:
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(_REACTIONS, 0)}


def _association(repository: Repository, account: Account) -> str:
    return "MEMBER" if account.login in repository.members else "NONE"


def _commit(seed: str) -> str:
    return hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
