"""A client and a browser that sign in by the MCP authorization specification, without a person.

Nothing here knows whose authorization server it is: endpoints are discovered, clients registered,
and of each page's buttons the one that allows is pressed.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

REDIRECT_URI = "http://127.0.0.1:33418/"
"""Where a client would listen; the browser stops before it."""

MOST_STEPS = 20
"""Redirects and forms of one sign-in; it takes about six."""


async def sign_in(mcp_url: str) -> Mapping[str, str]:
    """Discover, register, authorize; return the header that calls then carry.

    Raises RuntimeError or httpx.HTTPError where a step is not answered as the specification says.
    """
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        server, scope = await _discover(client, mcp_url)
        client_id = await _register(client, server)
        verifier = secrets.token_urlsafe(48)
        asked = {"client_id": client_id, "resource": mcp_url, "scope": scope}
        code = await _authorize(server["authorization_endpoint"], asked, verifier)
        exchange = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "client_id": client_id,
            "code_verifier": verifier,
            "resource": mcp_url,
        }
        granted = await client.post(server["token_endpoint"], data=exchange)
    return {"Authorization": f"Bearer {granted.raise_for_status().json()['access_token']}"}


async def _register(client: httpx.AsyncClient, server: Mapping[str, str]) -> str:
    """Register as a public client (RFC 7591); return its client_id."""
    metadata = {
        "client_name": "Benchmark",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    registered = await client.post(server["registration_endpoint"], json=metadata)
    return str(registered.raise_for_status().json()["client_id"])


async def _authorize(endpoint: str, asked: Mapping[str, str], verifier: str) -> str:
    """Return an authorization code that a person allowed (RFC 6749 §4.1, RFC 7636)."""
    state = secrets.token_urlsafe(16)
    digest = hashlib.sha256(verifier.encode()).digest()
    request = {
        **asked,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    answer = await _allow(f"{endpoint}?{urlencode(request)}")
    if answer.get("state") != state or "code" not in answer:
        raise RuntimeError(f"no authorization code: {answer}")
    return answer["code"]


async def _discover(client: httpx.AsyncClient, mcp_url: str) -> tuple[Mapping[str, str], str]:
    """Return the authorization server's metadata and the scope to ask for (RFC 9728, RFC 8414)."""
    challenge = await client.post(mcp_url, json={})
    said = challenge.headers.get("www-authenticate", "")
    metadata = re.search(r'resource_metadata="([^"]+)"', said)
    if metadata is None:
        raise RuntimeError(f"{mcp_url} asks for no sign-in: {challenge.status_code}")
    resource = (await client.get(metadata[1])).raise_for_status().json()
    issuer = resource["authorization_servers"][0].rstrip("/")
    server = await client.get(f"{issuer}/.well-known/oauth-authorization-server")
    return server.raise_for_status().json(), " ".join(resource["scopes_supported"])


async def _allow(url: str) -> Mapping[str, str]:
    """Say yes on every page, as a person in a new browser; return what the client is told."""
    async with httpx.AsyncClient(
        headers={"Accept": "text/html"}, timeout=30, trust_env=False
    ) as browser:
        page = await browser.get(url)
        for _ in range(MOST_STEPS):
            location = page.headers.get("location")
            if location is None:
                page = await _press_yes(browser, page)
            elif location.startswith(REDIRECT_URI):
                return dict(parse_qsl(urlsplit(location).query))
            else:
                page = await browser.get(page.url.join(location))
    raise RuntimeError(f"still on its way at {page.url.copy_with(query=None)}")


async def _press_yes(browser: httpx.AsyncClient, page: httpx.Response) -> httpx.Response:
    form = _Form()
    form.feed(page.text)
    if form.action is None:
        raise RuntimeError(f"{page.status_code} at {page.url.copy_with(query=None)}: {page.text}")
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    sent = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    return await browser.post(page.url.join(form.action), data=form.fields, headers=sent)


class _Form(HTMLParser):
    """A page's form, filled in by somebody who allows what it asks."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        is_yes = tag == "button" and value in {"allow", "approve"}
        if tag == "form":
            self.action = attributes.get("action", "")
        elif tag == "select":
            self._select = name
        elif tag == "option":
            self.fields.setdefault(self._select, value)
        elif name and (tag == "input" or is_yes):
            self.fields[name] = value
