"""A deployment, known by its MCP URL alone: which checks there are, and what each waits for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from devtools.doctor import callback, discovery, endpoint, google_cloud, sign_in
from devtools.doctor.checks import Check
from devtools.doctor.discovery import ResourceMetadata, ServerMetadata
from devtools.doctor.endpoint import Description
from devtools.doctor.functions import (
    FunctionChecks,
    Health,
    Outside,
    check_clocks,
    check_versions,
    function_checks,
)
from devtools.doctor.google_cloud import Database, Google
from devtools.doctor.requests import origin_of
from devtools.doctor.sign_in import Upstream
from rally_mcp.settings import Function


@dataclass(frozen=True, slots=True)
class DeploymentChecks:
    """The checks of a deployment in order, and those whose findings head the report."""

    all: Sequence[Check[Any]]
    health: Check[Health]
    redirect_uri: Check[str]


def deployment_checks(
    mcp_url: str, outside: Outside, google: Google, database: Database | None
) -> DeploymentChecks:
    """Return the checks of the deployment at `mcp_url`; `database` where Google is asked too."""
    mcp = _mcp_endpoint(mcp_url, outside)
    auth = _auth_redirect(mcp, outside)
    signing_in = _sign_in(mcp_url, mcp, auth, outside)
    oauth_callback = function_checks(
        outside,
        Function.OAUTH_CALLBACK,
        lambda: f"{origin_of(signing_in.redirect_uri.value)}/callback/health",
        (signing_in.redirect_uri,),
    )
    functions = (mcp.function, auth.function, oauth_callback)
    answers = [each.answers for each in functions]
    together = (
        Check("one version everywhere", lambda: check_versions(functions), once_ended=answers),
        Check("clock", lambda: check_clocks(functions), once_ended=answers),
    )
    of_google = _google(database, auth.server, google) if database else ()
    return DeploymentChecks(
        (
            *(*mcp.all, *auth.all, *signing_in.all, *oauth_callback.all),
            _end_of_sign_in(signing_in, oauth_callback, outside),
            *together,
            *of_google,
        ),
        mcp.function.answers,
        signing_in.redirect_uri,
    )


@dataclass(frozen=True, slots=True)
class _McpEndpoint:
    function: FunctionChecks
    resource: Check[ResourceMetadata]
    description: Check[Description]
    all: Sequence[Check[Any]]


def _mcp_endpoint(mcp_url: str, outside: Outside) -> _McpEndpoint:
    requests = outside.requests
    function = function_checks(outside, Function.MCP_ENDPOINT, lambda: f"{mcp_url}/health")

    def check(
        name: str,
        look: Callable[[Any, str], Any],
        after: Sequence[Check[Any]] = (function.answers,),
    ) -> Check[Any]:
        return Check(name, lambda: look(requests, mcp_url), after)

    resource = check("protected resource metadata", discovery.resource)
    description = check("/openapi.json", endpoint.description)
    checks = (
        *function.all,
        resource,
        check("protected resource metadata at the origin", discovery.resource_at_root, (resource,)),
        check("401 without a credential", endpoint.challenge),
        check("405 for GET /mcp", endpoint.no_stream),
        check("403 for a foreign Origin", endpoint.foreign_origin),
        description,
    )
    return _McpEndpoint(function, resource, description, checks)


@dataclass(frozen=True, slots=True)
class _AuthRedirect:
    function: FunctionChecks
    server: Check[ServerMetadata]
    all: Sequence[Check[Any]]


def _auth_redirect(mcp: _McpEndpoint, outside: Outside) -> _AuthRedirect:
    resource, requests = mcp.resource, outside.requests
    function = function_checks(
        outside,
        Function.AUTH_REDIRECT,
        lambda: f"{resource.value.issuer}/auth/health",
        (resource,),
    )
    server = Check(
        "authorization server metadata",
        lambda: discovery.server(requests, resource.value.issuer),
        (function.answers,),
    )
    openid = Check(
        "openid-configuration",
        lambda: discovery.openid_configuration(requests, resource.value.issuer),
        (server,),
    )
    return _AuthRedirect(function, server, (*function.all, server, openid))


@dataclass(frozen=True, slots=True)
class _SignIn:
    request: Check[httpx.URL]
    parameters: Check[None]
    redirect_uri: Check[str]
    all: Sequence[Check[Any]]


def _sign_in(mcp_url: str, mcp: _McpEndpoint, auth: _AuthRedirect, outside: Outside) -> _SignIn:
    requests, resource, description = outside.requests, mcp.resource, mcp.description

    def upstream() -> Upstream:
        return sign_in.upstream_of(resource.value.scopes_supported, description.value.tools)

    async def make_link() -> str:
        return await sign_in.link(requests, mcp_url, resource.value.issuer, upstream().tool)

    async def follow_link() -> httpx.URL:
        return await sign_in.followed(requests, link.value)

    async def check_request() -> None:
        sign_in.check_request(link.value, upstream(), request.value)

    async def find_redirect_uri() -> str:
        return sign_in.redirect_uri(request.value)

    async def ask_upstream() -> None:
        await sign_in.upstream_accepts(requests, upstream().title, request.value)

    link = Check("tool call without a sign-in", make_link, (resource, description))
    request = Check("sign-in link", follow_link, (link, auth.function.answers))
    parameters = Check("authorization request", check_request, (request,))
    redirect_uri = Check(
        "redirect_uri",
        find_redirect_uri,
        (request,),
        lambda uri: f"register this redirect_uri at {upstream().title}: {uri}",
    )
    door = Check("upstream's authorization endpoint", ask_upstream, (parameters, redirect_uri))
    all_checks = (link, request, parameters, redirect_uri, door)
    return _SignIn(request, parameters, redirect_uri, all_checks)


def _end_of_sign_in(
    signing_in: _SignIn, oauth_callback: FunctionChecks, outside: Outside
) -> Check[None]:
    async def decline() -> None:
        state = signing_in.request.value.params["state"]
        await callback.declines(outside.requests, signing_in.redirect_uri.value, state)

    return Check(
        "callback",
        decline,
        (signing_in.parameters, signing_in.redirect_uri, oauth_callback.answers),
        # Afterwards nothing waits for the state any more.
        once_ended=signing_in.all,
    )


def _google(
    database: Database, server: Check[ServerMetadata], google: Google
) -> Sequence[Check[Any]]:
    credentials = google_cloud.credentials_check(google)

    async def read_secrets() -> Sequence[str]:
        return await google_cloud.client_secrets(google, database, server.value.upstreams)

    return (
        credentials,
        *google_cloud.database_checks(google, database, credentials, is_required=False),
        Check("client secrets", read_secrets, (credentials, server), ", ".join),
    )
