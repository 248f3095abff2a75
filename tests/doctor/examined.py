"""A deployment as doctor sees it: through a wire on which a test may change answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from devtools.doctor import examination
from devtools.doctor.checks import Finding
from devtools.doctor.functions import Outside
from devtools.doctor.google_cloud import Database, Google
from devtools.doctor.report import Report
from devtools.doctor.requests import Requests
from tests.fixtures.deployment import (
    AUTH_ORIGIN,
    CALLBACK_ORIGIN,
    MCP_ORIGIN,
    RALLY_ORIGIN,
    TLS,
    Clock,
)

MCP_URL = f"{MCP_ORIGIN}/mcp"
HEALTH = {
    "mcp_endpoint": f"{MCP_URL}/health",
    "auth_redirect": f"{AUTH_ORIGIN}/auth/health",
    "oauth_callback": f"{CALLBACK_ORIGIN}/callback/health",
}
RESOURCE = f"{MCP_ORIGIN}/.well-known/oauth-protected-resource"
SERVER = f"{AUTH_ORIGIN}/.well-known/oauth-authorization-server"
OPENID = f"{AUTH_ORIGIN}/.well-known/openid-configuration"
LINK = f"{AUTH_ORIGIN}/auth"
DOOR = f"{RALLY_ORIGIN}/login/oauth2/auth"

Change = Callable[[httpx.Response], httpx.Response]
"""What becomes of an answer."""


def instead(status: int, content: str = "", **headers: str) -> Change:
    """Answer something else."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, text=content, headers=named)


def with_members(**members: Any) -> Change:
    """Change members of a JSON answer."""
    return lambda answer: httpx.Response(200, json={**answer.json(), **members})


def with_header(name: str, value: str) -> Change:
    """Change a header of the answer."""

    def change(answer: httpx.Response) -> httpx.Response:
        answer.headers[name] = value
        return answer

    return change


def no_connection(_: httpx.Response) -> httpx.Response:
    """Let nobody answer."""
    raise httpx.ConnectError("refused")


@dataclass
class _Wire(httpx.AsyncBaseTransport):
    """Carries requests to applications by their origins."""

    applications: Mapping[str, Any]
    changes: Mapping[str, Change]
    sent: list[httpx.Request]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        application = httpx.ASGITransport(self.applications[origin], raise_app_exceptions=False)
        answer = await application.handle_async_request(request)
        await answer.aread()
        address = str(request.url.copy_with(query=None))
        change = self.changes.get(f"{request.method} {address}") or self.changes.get(address)
        return change(answer) if change else answer


async def in_a_zone_file(host: str, port: int) -> Sequence[str]:
    """Look a name up where there is no DNS."""
    del host, port
    return ["203.0.113.7"]


@dataclass
class Examined:
    """Applications by origin, and what doctor finds out about them.

    `changes` has changes of answers by method and address, or by the address alone.
    """

    applications: Mapping[str, Any]
    clock: Clock
    changes: dict[str, Change] = field(default_factory=dict)
    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = in_a_zone_file
    proxy_of: Callable[[str], str | None] = lambda _: None
    sent: list[httpx.Request] = field(default_factory=list)
    seconds: float = 5.0

    async def report(self, mcp_url: str = MCP_URL) -> Report:
        """Examine it as a deployment."""
        async with self._client() as http:
            return await examination.of_deployment(mcp_url, self._outside(http), Google())

    async def report_with(self, google: Google, database: Database) -> Report:
        """Examine it as a deployment with parts at Google."""
        async with self._client() as http:
            return await examination.of_deployment(MCP_URL, self._outside(http), google, database)

    async def environment_report(
        self, variables: Mapping[str, str], google: Google | None = None
    ) -> Report:
        """Examine an environment whose upstreams are among the applications."""
        async with self._client() as http:
            outside = self._outside(http)
            return await examination.of_environment(variables, outside, google or Google())

    def date(self, **ahead: float) -> str:
        """Return a Date header of a clock that is so far ahead."""
        return format_datetime(self.clock() + timedelta(**ahead), usegmt=True)

    def _outside(self, http: httpx.AsyncClient) -> Outside:
        return Outside(Requests(http, self.clock, self.seconds, self.proxy_of), self.resolve)

    def _client(self) -> httpx.AsyncClient:
        wire = _Wire(self.applications, self.changes, self.sent)
        return httpx.AsyncClient(mounts={"all://": wire}, verify=TLS)


def failed(report: Report) -> dict[str, Finding]:
    """Return the findings that say FAIL, by their names."""
    return {each.name: each for each in report.findings if each.outcome == "fail"}


def outcomes(report: Report) -> dict[str, str]:
    """Return what became of each check."""
    return {each.name: each.outcome for each in report.findings}


def lines(report: Report) -> list[str]:
    """Return the lines for people."""
    return list(report.lines())
