"""`rally-mcp doctor`: is this deployment, or this machine's environment, set up right?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from rally_mcp.authorization_server import resource_metadata
from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.settings import Function

_TIMEOUT = 30.0
"""Seconds: a cold start fits."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `holds` returns a sentence when it does not."""

    name: str
    holds: Callable[[], str | None]


def run(url: str | None) -> int:
    """Run the checks and print a line each; return 0 when all hold."""
    if url is None:
        return _report(_environment_checks())
    with httpx.Client(timeout=_TIMEOUT) as http:
        return _report(_deployment_checks(http, url))


def _report(checks: Sequence[Check]) -> int:
    failures = 0
    for check in checks:
        problem = check.holds()
        failures += problem is not None
        print(f"FAIL  {check.name}: {problem}" if problem else f"ok    {check.name}")
    return 1 if failures else 0


def _environment_checks() -> list[Check]:
    def accepts(function: Function) -> Callable[[], str | None]:
        def holds() -> str | None:
            try:
                load(function)
            except ConfigurationError as error:
                return error.message.partition(": ")[2]
            return None

        return holds

    return [Check(f"settings of {function}", accepts(function)) for function in Function]


def _deployment_checks(http: httpx.Client, url: str) -> list[Check]:
    def expects(
        method: str, address: str, status: int, remedy: str, headers: dict[str, str] | None = None
    ) -> Callable[[], str | None]:
        def holds() -> str | None:
            try:
                answered = http.request(method, address, headers=headers).status_code
            except httpx.HTTPError as error:
                return f"no answer ({type(error).__name__}); {remedy}"
            return None if answered == status else f"HTTP {answered}, not {status}; {remedy}"

        return holds

    return [
        Check(
            "mcp_endpoint answers",
            expects("GET", f"{url}/health", 200, "is the function deployed and public?"),
        ),
        Check(
            "a request without a credential is refused",
            expects("POST", url, 401, "does MCP_URL equal this address?"),
        ),
        Check("clients can sign in by themselves", lambda: _discovery_problem(http, url)),
        Check(
            "no stream is held open",
            expects("GET", url, 405, "is something else answering at this address?"),
        ),
        Check(
            "a foreign web page is refused",
            expects(
                "POST", url, 403, "is a proxy dropping Origin?", {"Origin": "https://x.invalid"}
            ),
        ),
        Check(
            "the REST interface describes itself",
            expects("GET", urljoin(url, "/openapi.json"), 200, "is the whole domain routed here?"),
        ),
    ]


def _discovery_problem(http: httpx.Client, url: str) -> str | None:
    """Follow the metadata as a client does (RFC 9728, RFC 8414); say where that ends."""
    metadata_url = resource_metadata.url(url)
    try:
        resource = http.get(metadata_url).json()
        if resource["resource"] != url:
            return f"{metadata_url} is about {resource['resource']}; set MCP_URL to this address"
        issuer = resource["authorization_servers"][0]
        told = http.get(f"{issuer}/.well-known/oauth-authorization-server").json()["issuer"]
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__}); are both functions deployed and public?"
    except (ValueError, LookupError, TypeError):
        return f"{metadata_url} leads to no metadata; is the whole origin routed to the functions?"
    return None if told == issuer else f"the issuer is {issuer} here and {told} there: set AUTH_URL"
