"""Over real TLS: the connection is to the checked address, the certificate is for the name."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rally_mcp import http_client
from rally_mcp.authorization_server.document_fetch import DocumentFetch, HostUnreachable
from tests.conformance.requirements import requirement
from tests.fixtures.internet import ADDRESS, HOST, URL, Internet

OTHER_HOST = "other.example.com"
OTHER_URL = f"https://{OTHER_HOST}/oauth/metadata.json"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Network(httpcore.AnyIOBackend):
    """Every address leads to a port of this machine; `connected` has those that were meant."""

    port: int
    connected: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def connect_tcp(
        self, host: str, port: int, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        return await super().connect_tcp("127.0.0.1", self.port, **options)


@dataclass
class Server:
    """A server with one certificate; `names` has those that it was greeted by (SNI)."""

    context: ssl.SSLContext
    names: list[str | None] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Network]:
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self.context)
        async with server:
            yield Network(server.sockets[0].getsockname()[1])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        # It is the client who hangs up.
        await reader.read()
        writer.close()


def certificate_for(folder: Path, *names: x509.GeneralName) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for these names; return it, and the context of a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer, issuer, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


@pytest.fixture
def internet() -> Internet:
    return Internet(names={HOST: [[ADDRESS]], OTHER_HOST: [[ADDRESS]]})


@pytest.fixture
def certificate(tmp_path):
    return partial(certificate_for, tmp_path)


def fetch(internet: Internet, network: Network, trusted: Path) -> DocumentFetch:
    """Return a fetch with production's client, on this network, that trusts one certificate."""

    def new_client() -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport()
        transport._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=trusted), network_backend=network
        )
        return http_client.new_client(mounts={"all://": transport})

    return DocumentFetch(internet.resolve, new_client)


@requirement("B29")
async def test_the_checked_address_is_connected_to_and_greeted_by_the_name(internet, certificate):
    trusted, context = certificate(x509.DNSName(HOST))
    server = Server(context)

    async with server.listening() as network:
        answer = await fetch(internet, network, trusted).get(URL)
    assert answer.body == b"{}"
    assert network.connected == [(ADDRESS, 443)]
    assert server.names == [HOST]
    assert b"GET /oauth/metadata.json HTTP/1.1\r\nHost: client.example.com" in server.requests[0]


@requirement("B29")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x509.DNSName("elsewhere.example.com"), id="another name"),
        pytest.param(x509.IPAddress(ip_address(ADDRESS)), id="the address"),
    ],
)
async def test_a_certificate_that_is_not_for_the_name_is_refused(internet, certificate, name):
    trusted, context = certificate(name)
    server = Server(context)

    async with server.listening() as network:
        with pytest.raises(HostUnreachable):
            await fetch(internet, network, trusted).get(URL)
    assert server.requests == []


@requirement("B29")
async def test_a_connection_that_was_made_for_one_name_serves_no_other(internet, certificate):
    trusted, context = certificate(x509.DNSName(HOST))
    server = Server(context)

    async with server.listening() as network:
        documents = fetch(internet, network, trusted)
        await documents.get(URL)
        with pytest.raises(HostUnreachable):
            await documents.get(OTHER_URL)
    assert network.connected == [(ADDRESS, 443)] * 2
    assert server.names == [HOST, OTHER_HOST]
