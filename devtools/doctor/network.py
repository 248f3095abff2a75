"""The way to a server: its name (DNS) and its certificate (TLS)."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import anyio
import httpx

from devtools.doctor.checks import Failed, NotChecked
from devtools.doctor.proxy import ProxyOf
from devtools.doctor.requests import Requests

LEAST_VALIDITY = timedelta(days=14)
"""Google renews its certificates a month before their end: later than this, something is wrong."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Look a name up: (host, port) -> addresses. Raises OSError where it has none."""

_PORTS = {"https": 443, "http": 80}
_EXPIRED, _FOR_ANOTHER_NAME = 10, {62, 64}
"""OpenSSL's numbers for what is wrong with a certificate, X509_V_ERR_ by name."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Look a name up as every program on this machine does."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def addresses(url: str, resolve: Resolve, proxy_of: ProxyOf) -> Sequence[str]:
    """Return the addresses of a URL's host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy := proxy_of(url):
        raise NotChecked(f"the proxy {proxy} looks names up")
    try:
        found = await resolve(host, parts.port or _PORTS[parts.scheme])
    except (OSError, UnicodeError) as error:
        raise Failed(f"{host} has no address ({error})", _dns_remedy(host)) from error
    if not found:
        raise Failed(f"{host} has no address", _dns_remedy(host))
    return found


def _dns_remedy(host: str) -> str:
    if host.endswith(".run.app"):
        return "check the address for a slip: name, project number and region make it up"
    return "add a DNS record with the address of the load balancer, or correct the address"


async def certificate_end(url: str, requests: Requests, remedy: str) -> datetime:
    """Return when the certificate ends that the server of an https URL shows."""
    if urlsplit(url).scheme != "https":
        raise NotChecked("the address is plain http, for this machine alone")
    try:
        response = await requests.send_for_headers("GET", url, remedy)
    except Failed as failed:
        raise _tls_failure(url, failed) or failed from failed.__cause__
    end = _end_of_certificate(response)
    left = end - requests.clock()
    if left < LEAST_VALIDITY:
        raise Failed(
            f"the certificate ends on {end:%Y-%m-%d}, expected at least {LEAST_VALIDITY.days} days "
            "from now",
            "renew it; Google renews a managed one while the domain's DNS record leads to the "
            "load balancer",
        )
    return end


def _end_of_certificate(response: httpx.Response) -> datetime:
    stream = response.extensions.get("network_stream")
    tls = stream and stream.get_extra_info("ssl_object")
    certificate = tls and tls.getpeercert()
    if not certificate:
        raise NotChecked("the connection shows no certificate")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _tls_failure(url: str, failed: Failed) -> Failed | None:
    """Say what is wrong with the TLS connection, where it was that that failed."""
    host = urlsplit(url).hostname
    error = next((each for each in _causes(failed) if isinstance(each, ssl.SSLError)), None)
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = f"the certificate is not accepted: {error.verify_message.rstrip('.')}"
        return Failed(problem, _certificate_remedy(error.verify_code, host))
    if error is not None:
        return Failed(
            f"no TLS connection ({error.reason})",
            f"check that what listens there speaks TLS, and that no proxy stands before {host}",
        )
    return None


def _certificate_remedy(code: int, host: str | None) -> str:
    if code == _EXPIRED:
        return "renew the certificate, and check this machine's date"
    if code in _FOR_ANOTHER_NAME:
        return f"give the server a certificate for {host}, or use a name that is in this one"
    return (
        "have a public certificate authority issue it; where your network puts a certificate of "
        "its own before every server, name its file in SSL_CERT_FILE"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
