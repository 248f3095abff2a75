"""Microsoft alone as the upstream: a certified OpenID provider in its place, and a real client."""

from collections.abc import Iterator

import anyio
import httpx
import pytest
from mcp.types import TextContent

from tests.clients.browser_walk import confirmation_code, walk
from tests.clients.entra_functions import EntraFunctions, running_with_entra
from tests.clients.python_sdk import REDIRECT_URI, Installation, connected
from tests.e2e.chat import Chat

GREETING = "You've successfully authenticated with Azure and accessed this MCP tool."


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntraFunctions]:
    with running_with_entra(tmp_path_factory.mktemp("entra")) as deployed:
        yield deployed


@pytest.fixture
def installation(deployed: EntraFunctions) -> Installation:
    """Just installed: it knows the URL alone."""
    return Installation(deployed.server)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_person_signs_in_with_microsoft_and_is_greeted(
    deployed: EntraFunctions, installation: Installation, mode: str
) -> None:
    async with connected(deployed.server, installation.provider(), mode) as client:
        tools = await client.list_tools()
        greeted = await client.call_tool("hello_world", {"name": "Ann"})
        informed = await client.call_tool("server_info", {})

    assert {"hello_world", "server_info"} <= {tool.name for tool in tools.tools}
    assert greeted.content == [TextContent(type="text", text=f"Hello, Ann! {GREETING}")]
    assert informed.structured_content["authentication"] == "Azure OAuth (Microsoft Entra ID)"
    assert installation.keychain.tokens.scope == "entra_id:read"


async def test_a_chat_with_a_session_id_signs_in_with_microsoft(deployed: EntraFunctions) -> None:
    chat = Chat(deployed.server.mcp_url)
    asked = await chat.call("hello_world")
    code = await confirmation_code(asked.json()["auth_url"])
    completed = await chat.call("complete_sign_in", code=code)
    greeted = await chat.call("hello_world")

    assert asked.status_code == 401
    assert "Ann Archer" in completed.text
    assert greeted.json()["result"] == f"Hello, World! {GREETING}"


async def test_the_connection_is_of_whoever_the_id_token_names(
    deployed: EntraFunctions, installation: Installation
) -> None:
    async with connected(deployed.server, installation.provider()) as client:
        status = await client.call_tool("auth_status", {})

    (connection,) = status.structured_content["connections"]
    assert connection["user"] == "Ann Archer"


async def test_the_provider_is_asked_as_openid_wants_it_and_not_for_our_resource(
    deployed: EntraFunctions, installation: Installation
) -> None:
    async with connected(deployed.server, installation.provider()):
        pass

    asked = deployed.asked_of_provider("authorize")[-1]
    assert asked["nonce"]
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile email offline_access"
    assert "resource" not in asked


async def test_the_sign_in_outlives_microsofts_access_token(
    deployed: EntraFunctions, installation: Installation
) -> None:
    async with connected(deployed.server, installation.provider()) as client:
        before = deployed.asked_of_provider("grant").count("refresh_token")
        with anyio.fail_after(10):
            while deployed.asked_of_provider("grant").count("refresh_token") == before:
                greeted = await client.call_tool("hello_world", {})
                assert not greeted.is_error, greeted.content

    assert len(installation.person.opened) == 1


async def test_a_person_who_cancels_at_microsoft_is_reported_to_the_client(
    deployed: EntraFunctions,
) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=15) as browser:
        link = await _authorization_link(browser, deployed)
        allowed = await walk(browser, link, stop_before=deployed.provider_url)
        at_microsoft = allowed.response.headers["location"]
        page = await walk(browser, at_microsoft, decision="deny", stop_before=REDIRECT_URI)

    told = httpx.URL(page.response.headers["location"]).params
    assert told["error"] == "access_denied"
    assert told["state"] == "a state"
    assert told["iss"] == deployed.server.auth_url


async def _authorization_link(http: httpx.AsyncClient, deployed: EntraFunctions) -> str:
    auth_url = deployed.server.auth_url
    metadata = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    registered = await http.post(f"{auth_url}/register", json=metadata)
    parameters = {
        "response_type": "code",
        "client_id": registered.raise_for_status().json()["client_id"],
        "redirect_uri": REDIRECT_URI,
        "state": "a state",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
        "resource": deployed.server.mcp_url,
    }
    return str(httpx.URL(f"{auth_url}/authorize", params=parameters))
