"""The three functions in front of one upstream, Microsoft Entra ID, which oidc-provider plays."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.clients.dev_server import PROJECT, DevServer
from tests.clients.node import NODE_MODULES, is_missing, node_22
from tests.e2e.function_process import CONNECTION_TRIES, function, running_process

SCRIPT = Path(__file__).with_name("entra_oidc_provider.mjs")
FUNCTIONS = ("mcp_endpoint", "auth_redirect", "oauth_callback")
TENANT_ID = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
CLIENT_ID = "5d0a1b0c-7c0e-4c0b-9d9b-1f6f2f0d3a77"
CLIENT_SECRET = "correct horse"
ACCESS_TOKEN_SECONDS = 1
"""So that a test sees one end."""

ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class EntraFunctions:
    """Where the functions answer, and what the provider was asked for."""

    server: DevServer
    provider_url: str
    provider_log: Path

    def asked_of_provider(self, what: str) -> list[Any]:
        """Return what every request had, of those to `authorize` or those for a `grant`."""
        lines = map(json.loads, self.provider_log.read_text().splitlines())
        return [line[what] for line in lines if what in line]


@contextmanager
def running_with_entra(data: Path) -> Iterator[EntraFunctions]:
    """Run all four processes, which keep their data and logs in a folder, until the block ends."""
    *ports, entra_port = _free_ports(4)
    mcp, auth, callback = (f"http://127.0.0.1:{port}" for port in ports)
    entra = f"http://127.0.0.1:{entra_port}"
    server = DevServer(f"{mcp}/mcp", auth, f"{callback}/callback", rally_url="")
    settings = _settings(server, entra, data)
    provider_log = data / "provider"
    with ExitStack() as running:
        out, log = (running.enter_context(path.open("ab")) for path in (provider_log, data / "log"))
        provider = _provider(entra_port, server.callback_url)
        running.enter_context(running_process(provider, {}, stdout=out, stderr=log))
        for name, port in zip(FUNCTIONS, ports, strict=True):
            command = function(PROJECT / "functions" / f"{name}.py", name, port)
            running.enter_context(running_process(command, settings, stdout=log, stderr=log))
        configuration = f"{entra}/{TENANT_ID}/v2.0/.well-known/openid-configuration"
        _wait_for(configuration, *(f"{origin}/health" for origin in (mcp, auth, callback)))
        yield EntraFunctions(server, entra, provider_log)


def _settings(server: DevServer, entra: str, data: Path) -> dict[str, str]:
    return {
        "MCP_URL": server.mcp_url,
        "AUTH_URL": server.auth_url,
        "CALLBACK_URL": server.callback_url,
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(data / "rally-mcp.db"),
        "UPSTREAMS": "entra_id",
        "ENTRA_URL": entra,
        "ENTRA_TENANT_ID": TENANT_ID,
        "ENTRA_CLIENT_ID": CLIENT_ID,
        "ENTRA_CLIENT_SECRET": "env:ENTRA_TEST_SECRET",
        "ENTRA_TEST_SECRET": CLIENT_SECRET,
    }


def _provider(port: int, redirect_uri: str) -> tuple[str, ...]:
    if not (NODE_MODULES / "oidc-provider").is_dir():
        is_missing("oidc-provider is not installed: `make clients`")
    asked = {
        "port": port,
        "tenant": TENANT_ID,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "redirectUri": redirect_uri,
        "accessTokenSeconds": ACCESS_TOKEN_SECONDS,
    }
    return (node_22(), str(SCRIPT), json.dumps(asked))


def _wait_for(*urls: str) -> None:
    with httpx.Client(
        transport=httpx.HTTPTransport(retries=CONNECTION_TRIES), timeout=ANSWER_SECONDS
    ) as http:
        for url in urls:
            http.get(url).raise_for_status()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
