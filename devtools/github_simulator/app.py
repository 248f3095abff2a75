"""The simulator as an ASGI application: GitHub's routes, and those that control the simulator."""

import secrets
from contextlib import AbstractContextManager, nullcontext

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devtools.github_simulator.applications import Applications
from devtools.github_simulator.control import control_of
from devtools.github_simulator.errors import ApiError
from devtools.github_simulator.faults import UNSPOKEN, Fault, faulty_answer
from devtools.github_simulator.rest import RestApi
from devtools.github_simulator.simulator import GitHubSimulator, SignedIn
from devtools.simulation.faulty_endpoints import Endpoint, with_planned_faults

API = "/api/v3"


def create_app(simulator: GitHubSimulator) -> Starlette:
    """Serve a simulator. URLs in answers are built from the scheme and host of each request."""
    github, rest = _GitHub(simulator), RestApi(simulator)
    applications = Applications(simulator.tokens, simulator.stats, simulator.clients)
    issues = "/repos/{owner}/{repo}/issues"
    return Starlette(
        routes=[
            *control_of(simulator).routes(),
            github.route("/login/oauth/authorize", simulator.oauth.authorize, "GET", "POST"),
            github.route("/login/oauth/access_token", simulator.oauth.token, "POST"),
            github.api("/applications/{client_id}/{kind}", applications.revoke, "DELETE"),
            github.api("/user", rest.user, "GET"),
            github.api("/search/issues", rest.search, "GET"),
            github.api(issues, rest.issues, "POST"),
            github.api(f"{issues}/{{number:int}}", rest.issue, "GET", "PATCH"),
            github.api(f"{issues}/{{number:int}}/comments", rest.comments, "GET", "POST"),
            github.api("/repos/{owner}/{repo}/pulls/{number:int}", rest.pull, "GET"),
            github.api("/{path:path}", rest.unknown, "GET", "POST", "PUT", "PATCH", "DELETE"),
        ]
    )


class _GitHub:
    """GitHub's own endpoints, with faults, latency, statistics and headers around them."""

    def __init__(self, simulator: GitHubSimulator) -> None:
        self._simulator = simulator

    def route(self, path: str, endpoint: Endpoint, *methods: str, counted_as: str = "") -> Route:
        """Route to an endpoint, wrapped in what every request to GitHub goes through."""
        answered = with_planned_faults(
            _refusing(endpoint), self._simulator, self._faulty_answer, UNSPOKEN
        )

        async def served(request: Request) -> Response:
            self._record(request, counted_as)
            caller = self._caller(request)
            with self._in_flight(caller):
                response = await answered(request)
            for name, value in self._headers(request, caller).items():
                response.headers.setdefault(name, value)
            return response

        return Route(path, served, methods=list(methods))

    def api(self, path: str, endpoint: Endpoint, *methods: str) -> Route:
        """Route to an endpoint of the REST API, whose requests are counted by this path."""
        counted_as = path.replace(":int}", "}").replace(":path}", "}")
        return self.route(f"{API}{path}", endpoint, *methods, counted_as=counted_as)

    def _record(self, request: Request, counted_as: str) -> None:
        stats = self._simulator.stats
        stats.record(request)
        if counted_as:
            stats.api_requests[f"{request.method} {counted_as}"] += 1

    def _caller(self, request: Request) -> SignedIn | None:
        """Return who calls the REST API, or None."""
        try:
            is_api = request.url.path.startswith(API)
            return self._simulator.authenticate(request) if is_api else None
        except ApiError:
            return None

    def _in_flight(self, caller: SignedIn | None) -> AbstractContextManager[None]:
        stats = self._simulator.stats
        return stats.in_flight(caller.account.login) if caller else nullcontext()

    def _faulty_answer(self, _request: Request, fault: Fault, original: bytes) -> Response:
        return faulty_answer(fault, original, self._simulator.clock())

    def _headers(self, request: Request, caller: SignedIn | None) -> dict[str, str]:
        """Return the headers that GitHub adds to an answer unless it has them already."""
        headers = {"X-GitHub-Request-Id": _request_id()}
        if not request.url.path.startswith(API):
            return headers
        headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        if caller is None:
            return headers
        is_search = request.url.path.startswith(f"{API}/search/")
        accepted = "repo" if request.url.path.startswith(f"{API}/repos/") else ""
        return headers | {
            "X-OAuth-Scopes": ", ".join(caller.grant.scopes),
            "X-Accepted-OAuth-Scopes": accepted,
            "X-OAuth-Client-Id": caller.grant.client_id,
            **self._simulator.rate_limits.headers(
                caller.account.login, "search" if is_search else "core"
            ),
        }


def _refusing(endpoint: Endpoint) -> Endpoint:
    async def carried_out(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as refused:
            return refused.response()

    return carried_out


def _request_id() -> str:
    return ":".join(secrets.token_hex(size).upper() for size in (2, 2, 3, 3, 4))
