"""oauth4webapi, a client that refuses what a standard does not allow, in every grant there is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.clients.browser_walk import walk
from tests.clients.dev_server import DevServer
from tests.clients.machine_client import Administrator, SigningKey
from tests.clients.node import NODE_MODULES, is_missing, node_22
from tests.clients.simulated_rally import story_in_rally

SCRIPT = Path(__file__).with_name("oauth4webapi_client.mjs")
REDIRECT_URI = "http://127.0.0.1:33418/callback"
RUN_SECONDS = 120
LONGEST_LINE = 65_536

Changed = Callable[[httpx.URL], httpx.URL]


async def test_a_person_signs_in_and_the_client_refreshes_and_revokes(
    dev_server: DevServer,
) -> None:
    outcome = await _sign_in(dev_server)

    found = outcome["done"]
    story = await story_in_rally(dev_server.rally_url, found["created"]["story"]["formatted_id"])
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert found["user"]["display_name"] == "Ann Archer"
    assert found["client"]["token_endpoint_auth_method"] == "none"
    assert found["redeemed"]["scope"] == found["refreshed"]["scope"] == "rally:read rally:write"
    assert found["redeemed"]["refresh_token"] != found["refreshed"]["refresh_token"]
    assert found["afterRevocation"]["error"] == "invalid_token"


async def test_a_person_who_does_not_allow_it_is_reported_to_the_client(
    dev_server: DevServer,
) -> None:
    outcome = await _sign_in(dev_server, decision="deny")

    assert outcome["refused"] == "OAUTH_AUTHORIZATION_RESPONSE_ERROR"
    assert outcome["error"] == "access_denied"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (lambda url: url.copy_set_param("state", "another"), 'unexpected "state"'),
        (lambda url: url.copy_remove_param("state"), '"state" missing'),
        (lambda url: url.copy_set_param("iss", "http://127.0.0.1:1"), 'unexpected "iss"'),
        (lambda url: url.copy_remove_param("iss"), '"iss" (issuer) missing'),
    ],
    ids=["another state", "no state", "another issuer", "no issuer"],
)
async def test_the_client_notices_a_response_to_somebody_elses_request(
    dev_server: DevServer, changed: Changed, complaint: str
) -> None:
    outcome = await _sign_in(dev_server, changed=changed)

    assert outcome["refused"] == "OAUTH_INVALID_RESPONSE"
    assert complaint in outcome["message"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_machine_logs_in_with_its_secret(administrator: Administrator, method: str) -> None:
    machine = await administrator.add_machine("--auth-method", method)

    outcome = await _log_in(
        administrator.server,
        {"clientId": machine.client_id, "method": method, "secret": machine.client_secret},
    )

    await _check_log_in(outcome, administrator.server)


async def test_a_machine_logs_in_with_an_assertion_that_it_signs(
    administrator: Administrator, tmp_path: Path
) -> None:
    key = SigningKey.new(tmp_path)
    machine = await administrator.add_machine(
        "--auth-method", "private_key_jwt", "--jwks", str(key.jwks)
    )

    outcome = await _log_in(
        administrator.server,
        {"clientId": machine.client_id, "method": "private_key_jwt", "pem": key.pem},
    )

    await _check_log_in(outcome, administrator.server)


async def _check_log_in(outcome: dict[str, Any], server: DevServer) -> None:
    found = outcome["done"]
    story = await story_in_rally(server.rally_url, found["created"]["story"]["formatted_id"])
    assert story["CreatedBy"]["_refObjectName"] == "Ann Archer"
    assert "refresh_token" not in found["granted"]


async def _log_in(server: DevServer, machine: dict[str, str]) -> dict[str, Any]:
    asked = {"resource": server.mcp_url, "machine": {**machine, "scope": "rally:read rally:write"}}
    with anyio.fail_after(RUN_SECONDS):
        done = await anyio.run_process(_command(asked))
    return json.loads(done.stdout)


async def _sign_in(
    server: DevServer, *, decision: str = "allow", changed: Changed = lambda url: url
) -> dict[str, Any]:
    """Let the client sign Ann in; `changed` is what becomes of the address she comes back to."""
    command = _command({"resource": server.mcp_url, "redirectUri": REDIRECT_URI})
    with anyio.fail_after(RUN_SECONDS):
        async with await anyio.open_process(command, stderr=None) as client:
            printed = BufferedByteReceiveStream(client.stdout)
            first = json.loads(await printed.receive_until(b"\n", LONGEST_LINE))
            assert "open" in first, first
            address = changed(await _redirected(first["open"], decision))
            await client.stdin.send(f"{address}\n".encode())
            await client.stdin.aclose()
            return json.loads(await printed.receive_until(b"\n", LONGEST_LINE))


async def _redirected(link: str, decision: str) -> httpx.URL:
    """Return where the browser is sent in the end."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await walk(browser, link, decision=decision, stop_before=REDIRECT_URI)
    return httpx.URL(page.response.headers["location"])


def _command(asked: dict[str, object]) -> tuple[str, ...]:
    if not (NODE_MODULES / "oauth4webapi").is_dir():
        is_missing("oauth4webapi is not installed: `make clients`")
    return (node_22(), str(SCRIPT), json.dumps(asked))
