"""A sign-in as far as it goes without a person: its link, where that leads, and who answers there.

A tool call that needs a sign-in makes mcp_endpoint write to the store; following the link makes
auth_redirect read it. The Session-ID is random, told to nobody else, and of no use to anybody.
"""

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from devtools.doctor.checks import Failed, NotChecked
from devtools.doctor.discovery import upstreams_of
from devtools.doctor.requests import (
    NO_URL,
    SERVER_ERROR,
    Requests,
    quoted,
    read,
    remedy_for,
    remedy_for_location,
)
from rally_mcp.crypto import s256_challenge
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.setting_types import CallbackUrl
from rally_mcp.settings import Function, Settings
from rally_mcp.tools.catalogue import ALL_TOOLS

_PROTOCOL_VERSION = "2025-11-25"
"""The last version of MCP in which one message is a whole exchange without `_meta`."""

_STORE = (
    "check that the service account of {function} may read and write the Firestore database that "
    "GOOGLE_CLOUD_PROJECT and FIRESTORE_DATABASE name; its log says more"
)
SAME_EVERYWHERE = (
    "set STORAGE, GOOGLE_CLOUD_PROJECT, FIRESTORE_DATABASE (or SQLITE_PATH) and UPSTREAMS to the "
    "same on all three functions"
)
"""What to do about a function that does not know of a sign-in that another one began."""

_CLIENT_ERRORS = range(400, 500)
_UNKNOWN_CLIENT, _LOGIN_PAGE = {400, 401, 404}, 401
"""What upstreams answer where the client or its redirect_uri is not registered; some show their
login page with 401."""

_CALLBACK: TypeAdapter[str] = TypeAdapter(CallbackUrl)


class _StructuredContent(BaseModel):
    auth_url: str = ""
    message: str = ""


class _Result(BaseModel):
    structuredContent: _StructuredContent = _StructuredContent()  # noqa: N815 the name on the wire


class _Answer(BaseModel):
    """The JSON-RPC answer to a tool call, as far as doctor needs it."""

    result: _Result


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that people sign in to, and a tool that needs nothing but that."""

    name: str
    title: str
    tool: str

    @property
    def prefix(self) -> str:
        """What the variables of its settings begin with."""
        prefix: str = UPSTREAMS[self.name].settings.PREFIX
        return prefix


def upstream_of(scopes: Sequence[str], offered: Collection[str]) -> Upstream:
    """Return the first upstream that people sign in to, for some tool that is offered."""
    for name in upstreams_of(scopes):
        for tool in ALL_TOOLS:
            is_simple = tool.read_only and not tool.input_schema.get("required")
            if is_simple and tool.upstreams == (name,) and tool.name in offered:
                declared = UPSTREAMS[name].declare(Settings(), UPSTREAMS[name].settings())
                if isinstance(declared, IdentityProvider):
                    return Upstream(name, declared.title, tool.name)
    raise NotChecked("people sign in to nothing here: no tool asks for it")


async def link(requests: Requests, mcp_url: str, issuer: str, tool: str) -> str:
    """Call a tool as a chat that never signed in, and return the sign-in link of the answer."""
    remedy = _STORE.format(function=Function.MCP_ENDPOINT)
    response = await requests.expect(
        "POST", mcp_url, 200, remedy, json=_call(tool), headers=_headers()
    )
    found = read(_Answer, response, remedy).result.structuredContent
    if not found.auth_url:
        said = f"the answer is {quoted(found.message)}" if found.message else "the answer has none"
        raise Failed(f"{said}, expected a sign-in link", remedy)
    if not found.auth_url.startswith(f"{issuer}/auth?"):
        leads_to = quoted(found.auth_url.partition("?")[0])
        raise Failed(
            f"the sign-in link leads to {leads_to}, expected {issuer}/auth",
            "set AUTH_URL to the same on all three functions",
        )
    return found.auth_url


def _call(tool: str) -> dict[str, Any]:
    params = {"name": tool, "arguments": {}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _headers() -> dict[str, str]:
    return {
        "Session-ID": str(uuid.uuid4()),
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": _PROTOCOL_VERSION,
    }


async def followed(requests: Requests, link: str) -> httpx.URL:
    """Open a sign-in link and return the upstream's address that it redirects to."""
    function = Function.AUTH_REDIRECT
    response = await requests.send("GET", link, remedy_for(function))
    location = response.headers.get("location", "")
    if response.status_code == 302 and location:  # noqa: PLR2004 RFC 9110 §15.4.3
        return _url(location)
    if response.status_code in _CLIENT_ERRORS:
        raise Failed(
            f"HTTP {response.status_code} for a link that was just made, expected 302",
            f"{SAME_EVERYWHERE}, and route /auth to {function}",
        )
    raise Failed(f"HTTP {response.status_code}, expected 302", _STORE.format(function=function))


def _url(location: str) -> httpx.URL:
    try:
        # Stricter than httpx, which makes a name of an address with half its brackets.
        is_url = bool(urlsplit(location).hostname)
    except ValueError:
        is_url = False
    if not is_url:
        raise Failed(NO_URL, remedy_for_location(Function.AUTH_REDIRECT))
    return httpx.URL(location)


def check_request(link: str, upstream: Upstream, request: httpx.URL) -> None:
    """See that the authorization request is whole (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
    sent = request.params
    expected = {
        "response_type": "code",
        "code_challenge_method": "S256",
        "state": httpx.URL(link).params.get("state", ""),
    }
    wrong = [name for name, value in expected.items() if sent.get(name) != value]
    wrong += [
        name
        for name in ("client_id", "scope", "redirect_uri", "code_challenge")
        if not sent.get(name)
    ]
    if wrong:
        raise Failed(
            f"{', '.join(wrong)} missing or wrong in the request to {upstream.title}",
            f"set the variables {upstream.prefix}… of {Function.AUTH_REDIRECT} as docs/settings.md "
            "has them",
        )


def redirect_uri(request: httpx.URL) -> str:
    """Return the redirect_uri of an authorization request, held to what CALLBACK_URL must be."""
    given = request.params.get("redirect_uri", "")
    try:
        if given:
            return _CALLBACK.validate_python(given)
        problem = "there is none"
    except ValidationError as error:
        problem = f"{quoted(given)} {error.errors()[0]['msg'].removeprefix('Value error, ')}"
    raise Failed(
        problem,
        f"set CALLBACK_URL of {Function.AUTH_REDIRECT} to the callback of "
        f"{Function.OAUTH_CALLBACK}, as in https://HOST/callback",
    )


def new_request(provider: IdentityProvider) -> httpx.URL:
    """Return an authorization request that nobody waits for the end of."""
    verifier = secrets.token_urlsafe(32)
    return httpx.URL(
        provider.authorization_url(secrets.token_urlsafe(18), s256_challenge(verifier))
    )


async def upstream_accepts(requests: Requests, title: str, request: httpx.URL) -> None:
    """See that an upstream takes an authorization request: a login page, or a redirect to one."""
    unreachable = (
        f"{title} is out of reach from here: check its address in the settings, and this "
        "network's way there"
    )
    response = await requests.send_for_headers(
        "GET", str(request), unreachable, headers={"Accept": "text/html"}
    )
    status = response.status_code
    is_page = response.headers.get("content-type", "").startswith("text/html")
    registered = (
        f"register the client at {title} with this very redirect_uri, and set its client id"
    )
    if status >= SERVER_ERROR:
        raise Failed(f"HTTP {status} from {request.host}", f"try again when {title} is well")
    if status in _UNKNOWN_CLIENT and not (status == _LOGIN_PAGE and is_page):
        raise Failed(
            f"HTTP {status} from {request.host}, expected a login page: the client id or the "
            "redirect_uri is not registered there",
            registered,
        )
    if status in _CLIENT_ERRORS and status != _LOGIN_PAGE:
        raise Failed(
            f"HTTP {status} from {request.host}, expected a login page",
            f"{title} turns this machine away: check its IP allow-list and its limits",
        )
    error = _error_of(response, request)
    if error:
        raise Failed(
            f"{request.host} refuses the request: error {quoted(error)}",
            f"{registered}; invalid_scope is about the scope in the settings",
        )


def _error_of(response: httpx.Response, request: httpx.URL) -> str:
    """Return the error that an upstream sends the browser back to the client with, if it does."""
    location = response.headers.get("location", "")
    if not location.startswith(request.params.get("redirect_uri", "")):
        return ""
    error: str = httpx.URL(location).params.get("error", "")
    return error
