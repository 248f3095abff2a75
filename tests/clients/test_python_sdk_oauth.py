"""The Python SDK's clients with the URL alone: a person's by the browser, and machines."""

from pathlib import Path

import pytest
from mcp import Client
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)

from tests.clients.dev_server import DevServer
from tests.clients.machine_client import Administrator, SigningKey
from tests.clients.python_sdk import Installation, Keychain, connected
from tests.clients.simulated_rally import story_in_rally

DOCUMENT_URL = "https://github.com/copilot/cli/client-metadata.json"
"""A client that the server knows without a network."""


@pytest.fixture
def installation(dev_server: DevServer) -> Installation:
    """Just installed: it knows the URL alone."""
    return Installation(dev_server)


async def is_created_by_ann(client: Client, server: DevServer) -> bool:
    """Create a story, and look in Rally whose it is."""
    created = await client.call_tool("create_rally_story", {"title": "Pay by card"})
    assert not created.is_error, created.content
    formatted_id = created.structured_content["story"]["formatted_id"]
    story = await story_in_rally(server.rally_url, formatted_id)
    return story["CreatedBy"]["_refObjectName"] == "Ann Archer"


ERAS = pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")], ids=lambda each: each
)


@ERAS
async def test_a_person_signs_in_with_a_client_that_registers_itself(
    installation: Installation, dev_server: DevServer, mode: str, version: str
) -> None:
    async with connected(dev_server, installation.provider(), mode) as client:
        assert version == client.protocol_version
        assert await is_created_by_ann(client, dev_server)

    (link,) = installation.person.opened
    assert installation.keychain.client.client_id == link.params["client_id"]
    assert dev_server.auth_url == installation.keychain.client.issuer
    assert dev_server.auth_url == installation.person.told["iss"]


async def test_a_person_signs_in_with_a_client_that_has_a_metadata_document(
    installation: Installation, dev_server: DevServer
) -> None:
    async with connected(dev_server, installation.provider(DOCUMENT_URL)) as client:
        assert await is_created_by_ann(client, dev_server)

    (link,) = installation.person.opened
    assert link.params["client_id"] == DOCUMENT_URL


async def test_a_new_process_uses_the_tokens_that_were_kept(
    installation: Installation, dev_server: DevServer
) -> None:
    async with connected(dev_server, installation.provider()):
        pass

    async with connected(dev_server, installation.provider()) as client:
        assert await is_created_by_ann(client, dev_server)

    assert len(installation.person.opened) == 1


async def test_an_expired_access_token_is_renewed_without_the_person(
    installation: Installation, dev_server: DevServer
) -> None:
    provider = installation.provider()
    async with connected(dev_server, provider) as client:
        first = installation.keychain.tokens
        provider.context.update_token_expiry(first.model_copy(update={"expires_in": -1}))
        assert await is_created_by_ann(client, dev_server)

    renewed = installation.keychain.tokens
    assert first.access_token != renewed.access_token
    assert first.refresh_token != renewed.refresh_token
    assert len(installation.person.opened) == 1


async def test_a_revoked_sign_in_is_followed_by_another(
    installation: Installation, dev_server: DevServer
) -> None:
    async with connected(dev_server, installation.provider()) as client:
        await installation.revoke()
        assert await is_created_by_ann(client, dev_server)

    assert len(installation.person.opened) == 2


async def test_a_token_that_may_only_read_is_stepped_up_as_a_call_needs_more(
    installation: Installation, dev_server: DevServer
) -> None:
    async with connected(dev_server, installation.provider()):
        installation.keychain.tokens = await installation.narrowed("rally:read")

    async with connected(dev_server, installation.provider()) as client:
        assert await is_created_by_ann(client, dev_server)

    _, step_up = installation.person.opened
    assert {"rally:read", "rally:write"} == set(step_up.params["scope"].split())


@ERAS
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_machine_logs_in_with_its_secret(
    administrator: Administrator, method: str, mode: str, version: str
) -> None:
    machine = await administrator.add_machine("--auth-method", method)
    provider = ClientCredentialsOAuthProvider(
        administrator.server.mcp_url,
        Keychain(),
        machine.client_id,
        machine.client_secret,
        method,
        issuer=administrator.server.auth_url,
    )

    async with connected(administrator.server, provider, mode) as client:
        assert version == client.protocol_version
        assert await is_created_by_ann(client, administrator.server)


@ERAS
async def test_a_machine_logs_in_with_assertions_that_it_signs(
    administrator: Administrator, tmp_path: Path, mode: str, version: str
) -> None:
    key = SigningKey.new(tmp_path)
    machine = await administrator.add_machine(
        "--auth-method", "private_key_jwt", "--jwks", str(key.jwks)
    )
    signed = SignedJWTParameters(
        issuer=machine.client_id,
        subject=machine.client_id,
        signing_key=key.pem,
        signing_algorithm="ES256",
    )
    provider = PrivateKeyJWTOAuthProvider(
        administrator.server.mcp_url,
        Keychain(),
        machine.client_id,
        signed.create_assertion_provider(),
        issuer=administrator.server.auth_url,
    )

    async with connected(administrator.server, provider, mode) as client:
        assert version == client.protocol_version
        assert await is_created_by_ann(client, administrator.server)
