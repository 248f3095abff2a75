"""Client ids that nobody registered, that were altered, or that an administrator refuses."""

import base64
import json
from typing import Any

import httpx
import pytest

from rally_mcp.authorization_server.client_administration import ClientAdministration
from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS, ClientRecord
from rally_mcp.storage.collection import Collection
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.oauth_client import REDIRECT_URI, OAuthClient, new_client
from tests.fixtures.stored import stored_rows


def written(members: object, *, padding: str = "", **style: Any) -> str:
    """Return a client id as somebody might write it by hand, in another style of JSON perhaps."""
    text = json.dumps(members, **{"separators": (",", ":"), **style})
    encoded = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"rmcp_cl_{encoded}{padding}"


GOOD = ["Test Client", "http://127.0.0.1/callback"]
ALTERED = {
    "another case": written(GOOD).swapcase(),
    "a character less": written(GOOD)[:-1],
    "a character more": written(GOOD) + "A",
    "padding": written(["Test", "https://client.example/callback"], padding="="),
    "a line break": written(GOOD) + "\n",
    "no metadata": "rmcp_cl_",
    "no base64": "rmcp_cl_!!!!",
    "no JSON": "rmcp_cl_" + base64.urlsafe_b64encode(b"no JSON").rstrip(b"=").decode(),
    "nested": "rmcp_cl_" + base64.urlsafe_b64encode(b"[" * 1500).rstrip(b"=").decode(),
}
HAND_MADE = {
    "an object": written({"redirect_uris": ["http://127.0.0.1/callback"]}),
    "a number": written(7),
    "nothing": written([]),
    "no redirect URI": written(["Test Client"]),
    "a redirect URI that is a number": written(["Test Client", 7]),
    "spaces between": written(GOOD, separators=(", ", ": ")),
    "a port that registration leaves out": written(["Test", "http://127.0.0.1:33418/callback"]),
    "a redirect URI that registration leaves out": written(["Test", *["https://a.example/"] * 2]),
    "a name that registration would clean": written(["Te\u202est", "http://127.0.0.1/callback"]),
    "a name that is not escaped": written(
        ["Tést", "http://127.0.0.1/callback"], ensure_ascii=False
    ),
    "a redirect URI of another scheme": written(["Test", "javascript:alert(1)"]),
    "a redirect URI with a user": written(["Test", "https://ann@client.example/"]),
    "a redirect URI too many": written(["Test", *(f"https://a.example/{n}" for n in range(21))]),
    "more than registration gives": written(
        ["Test", *(f"https://a.example/{n * 400}" for n in "abcd")]
    ),
}
NEVER_ADDED = {
    "a word": "vscode",
    "empty": "",
    "a machine": "rmcp_mc_0123456789abcdef",
    "a client of the administrator": "rmcp_pc_0123456789abcdef",
    "the hash of a denied one": "0" * 64,
    "letters of another alphabet": "rmcp_cl_ÄÖÜ",
    "five thousand characters": "rmcp_cl_" + "A" * 5000,
    "markup": "<script>alert(1)</script>",
}
UNKNOWN = ALTERED | HAND_MADE | NEVER_ADDED

every_unknown_id = pytest.mark.parametrize("client_id", UNKNOWN.values(), ids=UNKNOWN)


def administration(deployment: Deployment) -> ClientAdministration:
    """Return what an administrator's commands work with."""
    records = Collection(deployment.instances[0].store, OAUTH_CLIENTS, ClientRecord)
    return ClientAdministration(records, deployment.clock)


async def at_authorize(client: OAuthClient, **changed: str | None) -> httpx.Response:
    return (await client.consent_page(client.instance.browser(), **changed)).response


@requirement("B5", "B26")
async def test_an_id_in_the_form_that_registration_gives_is_known(deployment):
    client = new_client(deployment)
    registered = await client.register()

    assert registered.json()["client_id"] == written(GOOD)
    assert (await at_authorize(client)).status_code == 200


@every_unknown_id
@requirement("B5", "B26")
async def test_an_unknown_client_gets_a_page_that_tells_the_person_what_to_do(
    deployment, client_id
):
    answer = await at_authorize(new_client(deployment, client_id=client_id))

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert "connect again" in answer.text.lower()
    assert "<script>" not in answer.text
    assert await stored_rows(deployment) == []


@every_unknown_id
@requirement("B26")
@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token"])
async def test_an_unknown_client_is_told_so_at_the_token_endpoint(
    deployment, client_id, grant_type
):
    client = new_client(deployment, client_id=client_id)

    answer = await client.token(
        grant_type=grant_type,
        code="rmcp_ac_x",
        refresh_token="rmcp_rt_x",
        code_verifier=client.code_verifier,
    )

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["cache-control"] == "no-store"


@requirement("B26")
async def test_an_unknown_client_is_told_so_at_the_revocation_endpoint(deployment):
    client = new_client(deployment, client_id=written(["Test"]))

    answer = await client.revoke("rmcp_rt_x")

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


@requirement("B5")
async def test_a_program_that_asks_for_authorization_is_told_in_json(deployment):
    client = new_client(deployment, client_id="vscode")

    answer = await client.instance.programs.get(f"{AUTH_ORIGIN}/authorize", params=client.request())

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("This client is not known here.")


@requirement("B26")
async def test_a_client_that_is_refused_gets_a_page_and_no_tokens(deployment):
    client = new_client(deployment)
    code = (await client.authorize())["code"]
    await administration(deployment).set_disabled(client.client_id, disabled=True)

    page = await at_authorize(client)
    token = await client.redeem(code)

    assert page.status_code == 400
    assert "does not admit this client" in page.text
    assert token.status_code == 401
    assert token.json()["error"] == "invalid_client"


@requirement("B6", "B26")
async def test_a_refused_client_cannot_come_back_with_another_port(deployment):
    client = new_client(deployment)
    await client.register()
    await administration(deployment).set_disabled(client.client_id, disabled=True)

    again = new_client(deployment, redirect_uri=REDIRECT_URI.replace("33418", "51234"))
    await again.register()

    assert (await at_authorize(again)).status_code == 400


@requirement("B26")
async def test_a_refused_client_may_be_admitted_again(deployment):
    client = new_client(deployment)
    await client.register()
    await administration(deployment).set_disabled(client.client_id, disabled=True)
    await administration(deployment).set_disabled(client.client_id, disabled=False)

    assert (await client.sign_in())["access_token"]


@requirement("B26")
async def test_refusing_one_client_leaves_others_alone(deployment):
    client, other = new_client(deployment), new_client(deployment)
    await client.register()
    await other.register(client_name="Another Client")
    await administration(deployment).set_disabled(client.client_id, disabled=True)

    assert (await other.sign_in())["access_token"]


@requirement("B5")
async def test_a_machine_has_no_consent_page(deployment):
    record = ClientRecord(
        kind="machine",
        name="Nightly",
        created_at=deployment.clock(),
        redirect_uris=(REDIRECT_URI,),
        expire_at=deployment.clock.now.replace(year=9999),
    )
    client_id = "rmcp_mc_0123456789abcdef"
    records = Collection(deployment.instances[0].store, OAUTH_CLIENTS, ClientRecord)
    await records.create(client_id, record)

    answer = await at_authorize(new_client(deployment, client_id=client_id))

    assert answer.status_code == 400
    assert "A machine client has no sign-in in a browser." in answer.text
    assert "location" not in answer.headers
