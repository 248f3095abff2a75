"""An MCP client's grant stands on one upstream, and its person signs in to the others by link."""

from dataclasses import dataclass
from typing import Any

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.clients.browser_walk import walk
from tests.fixtures.connections import ALL, PROBES, statuses
from tests.fixtures.deployment import Deployment
from tests.fixtures.machine import ConfidentialClient, add_machine
from tests.fixtures.mcp_call import text_of
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.raw_mcp import LEGACY, MODERN
from tests.fixtures.signed_in import WITHOUT_CODE
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import INTERFACES, call_over, is_invalid_token
from tests.fixtures.upstream_contract import PROVIDERS, declared

LINKED = [name for name in PROVIDERS if name != "rally"]
EACH_LINKED = pytest.mark.parametrize("upstream", LINKED)
ALL_SCOPES = "rally:read rally:write github:read github:write entra_id:read yata:read yata:write"


@dataclass
class Granted:
    """A client and the access token of its grant."""

    client: OAuthClient
    access_token: str

    async def call(self, tool: str, **arguments: object) -> Any:
        """Call a tool over REST."""
        return await self.client.call(self.access_token, tool, **arguments)

    async def over(self, interface: str, tool: str) -> Any:
        """Call a tool without arguments over one interface."""
        return await call_over(interface, self.client, self.access_token, tool)

    async def sign_in(self, upstream: str, user: str = "ann") -> None:
        """Sign in to another upstream by its link and the code that its page shows."""
        link = (await self.call(PROBES[upstream])).json()["auth_url"]
        page = await walk(self.client.instance.browser(), link, user=user)
        answer = await self.call("complete_sign_in", code=page.code)
        assert answer.status_code == 200, answer.text

    async def connections(self) -> dict[str, str]:
        """Return where the grant's person stands with each upstream."""
        return statuses(await self.call("auth_status"))


async def granted(deployment: Deployment, scope: str | None = None) -> Granted:
    client = new_client(deployment, scope=scope)
    return Granted(client, (await client.sign_in())["access_token"])


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with(ALL)


@pytest.fixture
async def grant(deployment) -> Granted:
    return await granted(deployment)


async def test_a_client_may_be_allowed_everything_that_is_offered(deployment):
    client = new_client(deployment, scope=None)
    tokens = await client.sign_in()

    listed = await client.mcp(tokens["access_token"], "tools/list")

    names = {tool["name"] for tool in listed.json()["result"]["tools"]}
    assert tokens["scope"] == ALL_SCOPES
    assert set(PROBES.values()) | {"create_todo", "link_rally_to_github", "sign_out"} <= names


async def test_the_consent_page_says_what_each_scope_allows_and_where_to_sign_in(deployment):
    client = new_client(deployment, scope="github:read yata:write")
    await client.register()

    page = await client.consent_page(client.instance.browser())

    assert "Read what you can read on GitHub" in page.response.text
    assert "Create, change and delete shared todos in YATA" in page.response.text
    assert "Create and change work in Rally" not in page.response.text


async def test_the_sign_in_of_the_grant_goes_through_the_first_upstream(deploy_with):
    client = new_client(deploy_with("yata,github,rally"), scope=None)
    await client.register()

    address = await client.to_rally(client.instance.browser())

    assert address.startswith(f"{declared('github').authorization_endpoint}?")


@EACH_LINKED
@pytest.mark.parametrize("interface", INTERFACES)
async def test_another_upstream_is_asked_for_by_its_link_and_not_by_a_challenge(
    grant, upstream, interface
):
    answer = await grant.over(interface, PROBES[upstream])

    document = answer.json()
    members = document if interface == "REST" else document["result"]["structuredContent"]
    browser = grant.client.instance.browser()
    at = (await browser.get(members["auth_url"])).headers["location"]
    assert not answer.headers.get("www-authenticate", "").startswith("Bearer")
    assert answer.status_code == (401 if interface == "REST" else 200)
    assert declared(upstream).title in members["error_description"]
    assert at.startswith(f"{declared(upstream).authorization_endpoint}?")


@EACH_LINKED
@pytest.mark.parametrize("interface", INTERFACES)
async def test_a_person_finishes_there_with_complete_sign_in(grant, upstream, interface):
    await grant.sign_in(upstream)

    answer = await grant.over(interface, PROBES[upstream])

    assert answer.status_code == 200
    assert interface == "REST" or answer.json()["result"]["isError"] is False
    assert await grant.connections() == {
        "rally": "signed_in",
        **dict.fromkeys(LINKED, "signed_out"),
        upstream: "signed_in",
        "yata": "shared",
    }


async def test_without_codes_the_page_is_the_end_of_it(deploy_with):
    grant = await granted(deploy_with(ALL, **WITHOUT_CODE))
    link = (await grant.call("get_github_user")).json()["auth_url"]

    page = await walk(grant.client.instance.browser(), link)
    answer = await grant.call("get_github_user")

    assert page.response.status_code == answer.status_code == 200


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_the_text_of_the_link_tells_what_to_do_with_the_code(grant, era):
    answer = await grant.over(era, "get_github_user")

    assert "call complete_sign_in with it" in text_of(answer.json()["result"])


@EACH_LINKED
async def test_another_person_may_be_signed_in_there(grant, upstream):
    await grant.sign_in(upstream, "bob")

    answer = await grant.call("auth_status")

    users = {each["upstream"]: each["user"] for each in answer.json()["connections"]}
    assert users["rally"] == "Ann Archer"
    assert "Bob Baker" in users[upstream]


async def test_signing_out_of_another_upstream_leaves_the_grant(grant, github):
    await grant.sign_in("github")

    answer = await grant.call("sign_out", upstream="github")

    assert answer.json()["message"] == (
        "Signed out of GitHub. Tokens are deleted. They are revoked at GitHub too."
    )
    assert github.stats.revocations == 1
    assert (await grant.call("get_rally_user")).status_code == 200
    assert (await grant.connections())["github"] == "signed_out"


@pytest.mark.parametrize("arguments", [{}, {"upstream": "rally"}], ids=["all", "rally"])
async def test_signing_out_of_the_upstream_that_it_stands_on_ends_the_grant(
    deployment, grant, github, arguments
):
    await grant.sign_in("github")

    answer = await grant.call("sign_out", **arguments)

    assert answer.json()["message"] == (
        "Signed out of Rally and GitHub. Tokens are deleted. They are revoked at GitHub too."
    )
    assert github.stats.revocations == 1
    assert is_invalid_token(await grant.call("auth_status"))
    assert await stored_rows(deployment, PRINCIPALS) == []


async def test_a_sign_in_that_github_ended_is_asked_for_anew_and_the_grant_lives(grant, github):
    await grant.sign_in("github")
    github.revoke_user("ann")

    answer = await grant.call("get_github_user")

    assert answer.json()["error_description"].startswith("The upstream ended the last sign-in.")
    assert "auth_url" in answer.json()
    assert (await grant.call("get_rally_user")).status_code == 200


async def test_a_sign_in_that_rally_ended_is_the_end_of_the_grant_and_of_all_in_it(
    deployment, grant, rally
):
    await grant.sign_in("github")
    rally.revoke_user("ann")

    ended = await grant.call("get_rally_user")

    assert is_invalid_token(ended)
    assert is_invalid_token(await grant.call("get_github_user"))
    for row in await stored_rows(deployment, PRINCIPALS):
        assert row.document["upstreams"] == {}


async def test_a_refreshed_access_token_has_the_same_connections(deployment):
    client = new_client(deployment, scope=None)
    tokens = await client.sign_in()
    grant = Granted(client, tokens["access_token"])
    await grant.sign_in("github")

    renewed = (await client.refresh(tokens["refresh_token"])).json()["access_token"]

    assert (await client.call(renewed, "get_github_user")).status_code == 200


async def test_two_grants_of_one_person_have_connections_of_their_own(deployment, grant):
    other = await granted(deployment)
    await grant.sign_in("github")

    assert (await grant.call("get_github_user")).status_code == 200
    assert (await other.call("get_github_user")).status_code == 401


async def test_a_tool_of_another_upstream_needs_that_upstreams_scope(deployment):
    grant = await granted(deployment, "rally:read github:read")

    answer = await grant.call("link_rally_to_github", formatted_id="US1", number=1)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].endswith(
        'scope="rally:read rally:write github:read github:write"'
    )
    assert (await grant.call("create_todo", title="Milk")).status_code == 403


@pytest.fixture
async def machine(deployment) -> ConfidentialClient:
    return await add_machine(deployment, scopes=tuple(ALL_SCOPES.split()))


@EACH_LINKED
async def test_a_machine_has_no_sign_in_anywhere(machine, upstream):
    access_token = await machine.access_token(ALL_SCOPES)

    answer = await machine.plain.call(access_token, PROBES[upstream])
    listed = await machine.plain.mcp(access_token, "tools/list")

    names = {tool["name"] for tool in listed.json()["result"]["tools"]}
    assert answer.status_code == 403
    assert "has no sign-in to " in answer.json()["message"]
    assert "auth_url" not in answer.text
    assert names.isdisjoint({*(PROBES[name] for name in LINKED), "link_rally_to_github"})
    assert {"get_rally_user", "list_todos"} <= names


@pytest.mark.parametrize("tool", ["auth_status", "complete_sign_in", "sign_out"])
async def test_a_machine_has_nothing_to_complete_or_to_end(machine, tool):
    access_token = await machine.access_token(ALL_SCOPES)
    arguments = {"code": "K7QF-2M9X"} if tool == "complete_sign_in" else {}

    answer = await machine.plain.call(access_token, tool, **arguments)

    assert answer.status_code == 403
