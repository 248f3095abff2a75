"""What the protected resource answers to requests without a credential, or with one that is bad."""

import base64
import uuid

import httpx
import pytest

from rally_mcp.web.request_limits import REFUSED_CREDENTIALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, MCP_ORIGIN, Deployment
from tests.fixtures.oauth_client import new_client, unknown_secret
from tests.fixtures.raw_mcp import LEGACY, MODERN, message_of
from tests.fixtures.stored import stored_rows

METADATA = f'resource_metadata="{MCP_ORIGIN}/.well-known/oauth-protected-resource/mcp"'
BARE = f'Bearer {METADATA}, scope="rally:read rally:write"'
INVALID = (
    'Bearer error="invalid_token", error_description="The access token is unknown, expired or '
    f'revoked; authorize again.", {METADATA}, scope="rally:read rally:write"'
)

TOOL = "/tools/get_rally_user"
PATHS = ("/mcp", "/", TOOL)

every_path = pytest.mark.parametrize("path", PATHS)


async def ask(
    deployment: Deployment,
    path: str,
    *headers: tuple[str, str],
    era: str = LEGACY,
    instance: int = -1,
) -> httpx.Response:
    """Call a tool over MCP or REST with these headers."""
    name = {"name": "get_rally_user"}
    message = {} if TOOL in path else message_of(era, "tools/call", name)
    about = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_rally_user",
    }
    return await deployment.instances[instance].mcp.post(
        path, json=message, headers=[*about.items(), *headers]
    )


def bearer(access_token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {access_token}")


@requirement("B4", "A2")
@pytest.mark.parametrize("path", ["/mcp", "/"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_without_a_credential_mcp_answers_a_bare_challenge(deployment, path, era):
    answer = await ask(deployment, path, era=era)

    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [BARE]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"]["message"].startswith("Unauthorized: Sign in")
    assert await stored_rows(deployment) == []


@requirement("A2")
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_without_a_credential_rest_asks_for_a_session_id(deployment, method):
    path = TOOL if method == "POST" else "/tools"

    answer = await deployment.instances[0].mcp.request(method, path)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Missing Session-ID header"
    assert "www-authenticate" not in answer.headers


@every_path
@requirement("B4")
@pytest.mark.parametrize(
    "authorization",
    ["Basic " + base64.b64encode(b"ann:secret").decode(), "Bearer", "Bearer  ", "Bearer a b", ""],
    ids=["basic", "no token", "spaces", "two tokens", "empty"],
)
async def test_what_is_no_bearer_credential_gets_the_bare_challenge(
    deployment, path, authorization
):
    answer = await ask(deployment, path, ("Authorization", authorization))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == BARE


@every_path
@requirement("B4")
@pytest.mark.parametrize(
    "access_token",
    [
        "made-up",
        unknown_secret("rmcp_at_"),
        unknown_secret("rmcp_ac_"),
        unknown_secret("rmcp_mc_"),
        "rmcp_at_" + "0" * 8000,
        "rmcp_at_../../etc/passwd",
    ],
    ids=["words", "unknown", "a code", "a machine's", "too long", "a path"],
)
async def test_an_access_token_that_was_never_given_out_is_invalid(deployment, path, access_token):
    answer = await ask(deployment, path, bearer(access_token))

    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [INVALID]
    assert access_token not in answer.text
    assert await stored_rows(deployment) == []


@every_path
@requirement("B4")
async def test_an_access_token_that_has_expired_is_invalid(deployment, path):
    access_token = (await new_client(deployment).sign_in())["access_token"]
    good = await ask(deployment, path, bearer(access_token))
    deployment.clock.advance(hours=1)

    answer = await ask(deployment, path, bearer(access_token))

    assert good.status_code == 200
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == INVALID


@every_path
@requirement("B4")
@pytest.mark.parametrize("kind", ["refresh_token", "code"])
async def test_no_other_secret_of_a_grant_is_an_access_token(deployment, path, kind):
    client = new_client(deployment)
    code = (await client.authorize())["code"]
    secret = code if kind == "code" else (await client.redeem(code)).json()[kind]

    answer = await ask(deployment, path, bearer(secret))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == INVALID


@every_path
@requirement("B4", "C15")
async def test_an_access_token_for_another_resource_is_invalid(deployment, path):
    access_token = (await new_client(deployment).sign_in())["access_token"]
    deployment.settings["MCP_URL"] = f"{MCP_ORIGIN}/elsewhere/mcp"
    deployment.scale_out()

    there = await ask(deployment, path, bearer(access_token))
    here = await ask(deployment, path, bearer(access_token), instance=0)

    assert there.status_code == 401
    assert 'error="invalid_token"' in there.headers["www-authenticate"]
    assert here.status_code == 200


@every_path
@requirement("B4", "A1")
@pytest.mark.parametrize("second", ["Session-ID", "Authorization"])
async def test_two_credentials_are_refused_although_each_is_good(deployment, path, second):
    access_token = (await new_client(deployment).sign_in())["access_token"]
    other = str(uuid.uuid4()) if second == "Session-ID" else f"Bearer {access_token}"

    answer = await ask(deployment, path, bearer(access_token), (second, other))

    assert answer.status_code == 400
    assert "More than one credential" in answer.text
    assert "www-authenticate" not in answer.headers


@every_path
@requirement("B4")
@pytest.mark.parametrize("name", ["access_token", "Access-Token", "ACCESS_TOKEN"])
@pytest.mark.parametrize("also_in_its_header", [True, False])
async def test_an_access_token_in_the_url_is_refused(deployment, path, name, also_in_its_header):
    access_token = (await new_client(deployment).sign_in())["access_token"]
    headers = [bearer(access_token)] if also_in_its_header else []

    answer = await ask(deployment, f"{path}?{name}={access_token}", *headers)

    assert answer.status_code == 400
    assert "Access token in the URL" in answer.text
    assert access_token not in answer.text


@requirement("B4")
async def test_the_scheme_bearer_may_be_written_in_any_case(deployment):
    access_token = (await new_client(deployment).sign_in())["access_token"]

    answer = await ask(deployment, TOOL, ("Authorization", f"bEaReR {access_token}"))

    assert answer.status_code == 200, answer.text


@requirement("B1", "B4")
async def test_a_deployment_that_only_reads_asks_for_the_scope_to_read(deploy):
    reading = deploy(READ_ONLY="true")

    document = await reading.instances[0].mcp.get("/.well-known/oauth-protected-resource/mcp")
    answer = await ask(reading, "/mcp")

    assert document.json()["scopes_supported"] == ["rally:read"]
    assert document.json()["authorization_servers"] == [AUTH_ORIGIN]
    assert answer.headers["www-authenticate"] == f'Bearer {METADATA}, scope="rally:read"'


@requirement("B4")
async def test_a_client_that_follows_the_challenge_of_such_a_deployment_can_read(deploy):
    reading = deploy(READ_ONLY="true")
    client = new_client(reading, scope="rally:read")

    tokens = await client.sign_in()
    answer = await client.call(tokens["access_token"], "get_rally_user")

    assert tokens["scope"] == "rally:read"
    assert answer.status_code == 200, answer.text


@requirement("C10")
async def test_a_broken_client_is_told_to_wait_and_its_neighbours_are_served(deployment):
    client = new_client(deployment)
    good = (await client.sign_in())["access_token"]
    bad = unknown_secret("rmcp_at_")

    statuses = [
        (await ask(deployment, "/mcp", bearer(bad))).status_code
        for _ in range(REFUSED_CREDENTIALS.burst)
    ]
    refused = await ask(deployment, "/mcp", bearer(bad))
    served = await client.mcp(good, "tools/list")

    assert set(statuses) == {401}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert served.status_code == 200
