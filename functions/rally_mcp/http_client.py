"""The HTTP client for upstreams: it keeps no cookies, follows nothing, believes no environment."""

import ssl
from collections.abc import Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

_MOST_CONNECTIONS = 100
"""Per process: more than one instance's 80 concurrent requests need."""


@cache
def _tls_context() -> ssl.SSLContext:
    """Load the certificate authorities once in a process: it takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


async def _drop_unusable_location(response: httpx.Response) -> None:
    """Forget where a redirect leads that leads nowhere: httpx would stumble, and not by name."""
    try:
        scheme = httpx.URL(response.headers.get("location", "")).scheme
    except httpx.InvalidURL:
        scheme = "unusable"
    if scheme not in {"", "http", "https"}:
        del response.headers["location"]


def new_client(
    *, mounts: Mapping[str, httpx.AsyncBaseTransport] | None = None
) -> httpx.AsyncClient:
    """Return a client for requests to upstreams; `mounts` stand in for the network in tests.

    A cookie kept from one person's request would speak for that person in the next one's, and
    Rally refuses a token that comes with another user's cookie. A .netrc file or proxy variable
    must not add credentials or a listener either.
    """
    return httpx.AsyncClient(
        event_hooks={"response": [_drop_unusable_location]},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        verify=_tls_context(),
        mounts=mounts,
        limits=httpx.Limits(max_connections=_MOST_CONNECTIONS),
        headers={"User-Agent": "rally-mcp"},
    )
