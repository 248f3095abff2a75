"""The REST API below /api/v3: who is signed in, issues, pull requests, comments and searches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devtools.github_simulator import search, writes
from devtools.github_simulator.accounts import user_document
from devtools.github_simulator.errors import JSON_TYPE, ApiError, not_found
from devtools.github_simulator.rendering import Renderer
from devtools.github_simulator.repositories import Issue, Repository
from devtools.github_simulator.simulator import GitHubSimulator, SignedIn

MOST_RESULTS = 1000
MOST_PER_PAGE = 100

ISSUE_PAGE = "rest/issues/issues#get-an-issue"
PULL_PAGE = "rest/pulls/pulls#get-a-pull-request"
COMMENTS_PAGE = "rest/issues/comments#list-issue-comments"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class RestApi:
    """The endpoints. Each raises ApiError for what GitHub refuses."""

    simulator: GitHubSimulator

    async def user(self, request: Request) -> Response:
        """`GET /user`: the private part takes `read:user`."""
        caller = self.simulator.authenticate(request)
        is_private = caller.grant.permits("read:user")
        return _json(user_document(caller.account, _web(request), private=is_private))

    async def issue(self, request: Request) -> Response:
        """`GET` and `PATCH /repos/{owner}/{repo}/issues/{number}`."""
        caller = self.simulator.authenticate(request)
        if request.method == "PATCH":
            issue = self._issue(request, caller, writes.UPDATE_PAGE, to_write=True)
            wanted = writes.read(writes.IssueChanges, await request.body(), writes.UPDATE_PAGE)
            writes.change(self.simulator.repositories, issue, caller.account, wanted)
        else:
            issue = self._issue(request, caller, ISSUE_PAGE)
        return _json(_renderer(request).issue(issue))

    async def issues(self, request: Request) -> Response:
        """`POST /repos/{owner}/{repo}/issues`."""
        caller = self.simulator.authenticate(request)
        repository = self._repository(request, caller, writes.CREATE_PAGE, to_write=True)
        wanted = writes.read(writes.NewIssue, await request.body(), writes.CREATE_PAGE)
        issue = writes.create(self.simulator.repositories, repository, caller.account, wanted)
        document = _renderer(request).issue(issue)
        return _json(document, 201, {"Location": str(document["url"])})

    async def pull(self, request: Request) -> Response:
        """`GET /repos/{owner}/{repo}/pulls/{number}`; an issue's number is not found here."""
        caller = self.simulator.authenticate(request)
        repository = self._repository(request, caller, PULL_PAGE)
        issue = repository.issues.get(request.path_params["number"])
        if issue is None or issue.pull is None:
            raise not_found(PULL_PAGE)
        return _json(_renderer(request).pull_request(issue, issue.pull))

    async def comments(self, request: Request) -> Response:
        """`GET` and `POST /repos/{owner}/{repo}/issues/{number}/comments`."""
        caller, renderer = self.simulator.authenticate(request), _renderer(request)
        if request.method == "POST":
            issue = self._issue(request, caller, writes.COMMENT_PAGE, to_write=True)
            wanted = writes.read(writes.NewComment, await request.body(), writes.COMMENT_PAGE)
            added = writes.comment(self.simulator.repositories, issue, caller.account, wanted)
            document = renderer.comment(issue, added)
            return _json(document, 201, {"Location": str(document["url"])})
        issue = self._issue(request, caller, COMMENTS_PAGE)
        page = _Page.of(request)
        shown = [renderer.comment(issue, comment) for comment in page.items(issue.comments)]
        return _json(shown, headers=page.links(request, len(issue.comments)))

    async def search(self, request: Request) -> Response:
        """`GET /search/issues`."""
        caller, page = self.simulator.authenticate(request), _Page.of(request)
        parameters = request.query_params
        terms = search.parse(parameters.get("q", ""), caller.account.login)
        if page.number * page.size > MOST_RESULTS:
            raise ApiError(
                422, f"Only the first {MOST_RESULTS} search results are available", search.PAGE
            )
        found = search.Search(self.simulator.repositories, caller.grant, terms).found(
            sort=parameters.get("sort", ""), order=parameters.get("order", "desc")
        )
        items = [_renderer(request).found_issue(issue) for issue in page.items(found)]
        document = {
            "total_count": len(found),
            "incomplete_results": False,
            "items": [item | {"score": 1.0} for item in items],
        }
        return _json(document, headers=page.links(request, len(found)))

    async def unknown(self, request: Request) -> Response:
        """Answer every other path and method."""
        self.simulator.authenticate(request)
        raise not_found()

    def _repository(
        self, request: Request, caller: SignedIn, page: str, *, to_write: bool = False
    ) -> Repository:
        full_name = "{owner}/{repo}".format_map(request.path_params)
        repository = self.simulator.repositories.find(full_name, caller.grant)
        if repository is None or (to_write and not repository.is_open_to(caller.grant)):
            raise not_found(page)
        return repository

    def _issue(
        self, request: Request, caller: SignedIn, page: str, *, to_write: bool = False
    ) -> Issue:
        repository = self._repository(request, caller, page, to_write=to_write)
        issue = repository.issues.get(request.path_params["number"])
        if issue is not None:
            return issue
        raise not_found(page) if repository.has_issues else writes.issues_disabled()


@dataclass(frozen=True, slots=True)
class _Page:
    """Which part of a list is wanted; the first page is 1."""

    number: int
    size: int

    @classmethod
    def of(cls, request: Request) -> "_Page":
        """Read `page` and `per_page`; what is no number counts as not given."""
        number = _positive(request.query_params.get("page", ""), 1)
        return cls(
            number, min(_positive(request.query_params.get("per_page", ""), 30), MOST_PER_PAGE)
        )

    def items(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the part of a list."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def links(self, request: Request, count: int) -> dict[str, str]:
        """Return the header that names the other pages, if there are any."""
        last = max((count + self.size - 1) // self.size, 1)
        pages = {"prev": self.number - 1, "next": self.number + 1, "last": last, "first": 1}
        if self.number >= last:
            del pages["next"], pages["last"]
        if self.number == 1:
            del pages["prev"], pages["first"]
        links = [
            f'<{request.url.include_query_params(page=page)}>; rel="{relation}"'
            for relation, page in pages.items()
        ]
        return {"Link": ", ".join(links)} if links else {}


def _positive(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and int(text) > 0 else default


def _web(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _renderer(request: Request) -> Renderer:
    return Renderer(_web(request))


def _json(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse(document, status, headers, JSON_TYPE)
