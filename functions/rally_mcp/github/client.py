"""GitHub for one caller: who am I, read, search and create issues, read and write comments.

401             renew the token once, then give the sign-in up
no connection   try again once: nothing was sent
no answer       a write may have happened: say so
moved           a read follows on GitHub's own API; a write tells the new name
an answer       `github.answers` tells what it means
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import anyio
import httpx
from pydantic import TypeAdapter

from rally_mcp.access_tokens import AccessToken, AccessTokens, authorized
from rally_mcp.errors import Conflict, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from rally_mcp.github.answers import AnswerT, GitHubRequest, check_status, read_answer
from rally_mcp.github.models import (
    Comment,
    Found,
    Issue,
    IssueAddress,
    PullRequest,
    Repository,
    User,
)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds between two bytes. GitHub ends a request itself after ten."""

LONGEST = 45.0
"""Seconds for a whole request: inside the 60 that Cloud Functions give an answer by default."""

_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "rally-mcp",
}

_MOST_HOPS = 2
"""A transferred issue in a renamed repository."""

_COMMENTS_A_PAGE = 100
_MOST_COMMENT_PAGES = 5

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_USER = TypeAdapter(User)
_REPOSITORY = TypeAdapter(Repository)
_ISSUE = TypeAdapter(Issue)
_PULL_REQUEST = TypeAdapter(PullRequest)
_FOUND = TypeAdapter(Found)
_COMMENTS = TypeAdapter(list[Comment])


@dataclass(frozen=True, slots=True)
class GitHubServer:
    """One GitHub and what all callers of this instance share. URLs end without a slash."""

    url: str
    api_url: str
    http: Callable[[], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class ReadIssue:
    """An issue or pull request and where it is; `pull_request` where that was read too."""

    address: IssueAddress
    issue: Issue
    pull_request: PullRequest | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search. `incomplete` where GitHub left out what it could not search."""

    total: int
    incomplete: bool
    issues: list[ReadIssue]


@dataclass(frozen=True, slots=True)
class GitHubClient:
    """GitHub as one caller sees it. A repository is named as owner/name, by the caller's check.

    Every method raises errors of `rally_mcp.errors` alone.
    """

    server: GitHubServer
    access_tokens: AccessTokens

    async def me(self) -> User:
        """Return the signed-in user."""
        return await self._read(_USER, self._to("GET", "user", "such user"))

    async def issue(self, repository: str, number: int) -> ReadIssue:
        """Read an issue or pull request; the latter takes two requests. Raises NotFound."""
        path = f"repos/{repository}/issues/{number}"
        request = self._to("GET", path, f"{repository}#{number}")
        read = self._placed(request, await self._read(_ISSUE, request))
        if read.address.kind == "issue":
            return read
        # What was moved has another repository and number by now.
        address = read.address
        path = f"repos/{address.repository}/pulls/{address.number}"
        pull_request = await self._read(_PULL_REQUEST, self._to("GET", path, f"{address}"))
        return ReadIssue(address, read.issue, pull_request)

    async def search(self, queries: Sequence[str], limit: int, page: int) -> SearchPage:
        """Search in GitHub's search syntax, and put together what each query finds on this page.

        Raises InvalidInput with GitHub's words.
        """
        pages = [await self._search(query, limit, page) for query in queries]
        return SearchPage(
            sum(found.total for found in pages),
            any(found.incomplete for found in pages),
            [read for found in pages for read in found.issues],
        )

    async def create_issue(self, repository: str, fields: Mapping[str, Any]) -> ReadIssue:
        """Create an issue, never twice. Raises InvalidInput with GitHub's words for a field."""
        request = self._to("POST", f"repos/{repository}/issues", repository, body=fields)
        return self._placed(request, await self._read(_ISSUE, request))

    async def has_comment(self, read: ReadIssue, said: Callable[[str], bool]) -> bool:
        """Tell whether the body or a comment meets `said`, among the last 500 or so comments."""
        if said(read.issue.body):
            return True
        last = ceil(read.issue.comments / _COMMENTS_A_PAGE)
        for page in range(last, max(0, last - _MOST_COMMENT_PAGES), -1):
            params = {"per_page": str(_COMMENTS_A_PAGE), "page": str(page)}
            request = self._to_comments("GET", read.address, params=params)
            if any(said(comment.body) for comment in await self._read(_COMMENTS, request)):
                return True
        return False

    async def comment(self, address: IssueAddress, body: str) -> None:
        """Write a comment, in Markdown."""
        await self._answer(self._to_comments("POST", address, body={"body": body}))

    def _to_comments(
        self, method: str, address: IssueAddress, **content: Mapping[str, str]
    ) -> GitHubRequest:
        path = f"repos/{address.repository}/issues/{address.number}/comments"
        return self._to(method, path, f"{address}", **content)

    async def _search(self, query: str, limit: int, page: int) -> SearchPage:
        # Older servers take parentheses and OR for words without this.
        params = {
            "q": query,
            "per_page": str(limit),
            "page": str(page),
            "advanced_search": "true",
        }
        request = self._to("GET", "search/issues", "such search", params=params)
        response = await self._answer(request)
        found = read_answer(_FOUND, request, response)
        # Organizations that want single sign-on are left out, and only this header tells.
        left_out = response.headers.get("X-GitHub-SSO", "").startswith("partial-results")
        return SearchPage(
            found.total_count,
            found.incomplete_results or left_out,
            [self._placed(request, issue) for issue in found.items],
        )

    def _to(
        self,
        method: str,
        path: str,
        subject: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> GitHubRequest:
        return GitHubRequest(method, f"{self.server.api_url}/{path}", subject, params, body)

    def _placed(self, request: GitHubRequest, issue: Issue) -> ReadIssue:
        address = IssueAddress.find(issue.html_url, self.server.url)
        if address is None:
            foreign = f"GitHub's answer has an address that is not its own. {request.doubt}"
            raise UpstreamRejected(foreign.strip())
        return ReadIssue(address, issue)

    async def _read(self, adapter: TypeAdapter[AnswerT], request: GitHubRequest) -> AnswerT:
        return read_answer(adapter, request, await self._answer(request))

    async def _answer(self, request: GitHubRequest) -> httpx.Response:
        """Return an answer that worked, from wherever GitHub has it by now."""
        for _ in range(_MOST_HOPS + 1):
            response = await authorized(
                self.access_tokens, partial(self._send, request), _is_unauthorized
            )
            if not response.has_redirect_location:
                check_status(request, response, self.server.url)
                return response
            if request.method != "GET":
                raise await self._renamed(request)
            request = request.at(self._own_address(response))
        raise UpstreamRejected("GitHub says that this has moved, but not where it is.")

    async def _renamed(self, write: GitHubRequest) -> Conflict:
        """Return what to tell of a write that was not done because its repository moved."""
        old = write.subject.partition("#")[0]
        new = await self._read(_REPOSITORY, self._to("GET", f"repos/{old}", old))
        return Conflict(f"GitHub calls {old} {new.full_name} now: repeat this with that name.")

    def _own_address(self, response: httpx.Response) -> str:
        """Return where a redirect leads. The access token goes to GitHub's own API alone."""
        address = str(response.next_request.url) if response.next_request else ""
        if not address.startswith(f"{self.server.api_url}/"):
            raise UpstreamRejected("GitHub's answer sends to an address that is not its own.")
        return address

    async def _send(self, request: GitHubRequest, access_token: AccessToken) -> httpx.Response:
        try:
            with anyio.fail_after(LONGEST):
                return await self._connected(request, access_token)
        except _NOT_SENT as error:
            raise UpstreamUnavailable("GitHub cannot be reached; try again later.") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            late = f"GitHub did not answer in time. {request.doubt}"
            raise UpstreamTimeout(late.strip()) from error
        except httpx.HTTPError as error:
            cut = f"GitHub broke the connection. {request.doubt}"
            raise UpstreamUnavailable(cut.strip()) from error

    async def _connected(self, request: GitHubRequest, access_token: AccessToken) -> httpx.Response:
        """Send, once more where no connection was made: then nothing was sent, a write neither."""
        try:
            return await self._sent(request, access_token)
        except _NOT_SENT:
            return await self._sent(request, access_token)

    async def _sent(self, request: GitHubRequest, access_token: AccessToken) -> httpx.Response:
        return await self.server.http().request(
            request.method,
            request.url,
            params=request.params,
            json=request.body,
            headers={**_HEADERS, "Authorization": f"Bearer {access_token.value}"},
            timeout=TIMEOUT,
        )


def _is_unauthorized(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.UNAUTHORIZED
