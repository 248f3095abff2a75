"""Sign-ins to Microsoft Entra ID: an id_token is the proof, and with anything wrong it is none."""

from datetime import timedelta
from typing import get_args

import pytest

from devtools.entra_simulator import Fault
from devtools.entra_simulator.id_tokens import IdTokenFault
from rally_mcp.sign_in.records import PRINCIPALS
from tests.clients.browser_walk import walk
from tests.fixtures.connections import connection, connections
from tests.fixtures.deployment import CALLBACK_URL, Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import new_client
from tests.fixtures.rally_wire import wired
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.stored import stored_rows
from tests.fixtures.upstreams import switched

INFO = "server_info"
ENDED = "The upstream ended the last sign-in."
FAILED = "The last sign-in did not succeed."

short_lived = switched("entra_id", access_token_ttl=timedelta(hours=1))


@pytest.fixture
def deployment(deploy_with) -> Deployment:
    return deploy_with("entra_id", **WITHOUT_CODE)


@pytest.fixture
async def chat(deployment) -> Caller:
    chat = deployment.caller()
    await sign_in(chat, tool=INFO)
    return chat


def asks_to_sign_in(answer, notice: str) -> bool:
    """Whether an answer offers a link and tells why one is needed."""
    return answer.status_code == 401 and answer.json()["error_description"].startswith(notice)


async def tokens_in_store(deployment: Deployment) -> set[str]:
    """Return the parts of a sign-in that hold tokens."""
    return {
        part
        for row in await stored_rows(deployment, PRINCIPALS)
        for part in ("parked", "active")
        for sign_in in row.document["upstreams"].values()
        if sign_in[part]
    }


@pytest.mark.parametrize("fault", get_args(IdTokenFault))
async def test_an_id_token_that_is_wrong_in_any_one_thing_stores_nothing(
    deployment, entra_id, fault
):
    chat = deployment.caller()
    entra_id.id_token_faults.add(fault)

    with written_log() as log:
        page = await chat.visit(await chat.auth_url(INFO))
    stored = await tokens_in_store(deployment)
    again = await chat.call(INFO)
    await sign_in(chat, tool=INFO)

    assert page.response.status_code == 502
    assert "Ann" not in page.response.text
    assert stored == set()
    assert entra_id.stats.code_exchanges == 2
    assert [line["message"] for line in log.lines].count("id_token refused") == 1
    assert "eyJ" not in log.text
    assert asks_to_sign_in(again, FAILED)
    assert (await chat.call(INFO)).status_code == 200


async def test_with_a_code_a_wrong_id_token_gives_none(deploy_with, entra_id):
    deployment = deploy_with("entra_id")
    chat = deployment.caller()
    entra_id.id_token_faults.add("wrong_nonce")

    page = await chat.visit(await chat.auth_url(INFO))

    assert (page.response.status_code, page.code) == (502, "")
    assert await tokens_in_store(deployment) == set()


async def test_a_client_is_told_that_the_sign_in_failed_and_gets_no_code(deployment, entra_id):
    entra_id.id_token_faults.add("wrong_signature")

    told = await new_client(deployment, scope=None).authorize()

    assert told["error"] == "server_error"
    assert "code" not in told


async def test_the_id_token_of_another_sign_in_proves_nothing_in_this_one(deployment, entra_id):
    """Its nonce follows from the state alone, so a code that is carried over is of no use."""
    mallory, ann = deployment.caller(), deployment.caller()
    stolen = await walk(ann.instance.browser(), await ann.auth_url(INFO), stop_before=CALLBACK_URL)
    own = await walk(
        mallory.instance.browser(), await mallory.auth_url(INFO), stop_before=CALLBACK_URL
    )
    code = stolen.response.headers["location"].partition("code=")[2].partition("&")[0]
    state = own.response.headers["location"].rpartition("state=")[2]

    page = await mallory.instance.browser().get(f"{CALLBACK_URL}?code={code}&state={state}")

    assert page.status_code == 502
    assert await connections(mallory) == {"entra_id": "signed_out"}


async def test_somebody_of_another_tenant_is_refused(deployment, entra_id):
    chat = deployment.caller()

    page = await chat.visit(await chat.auth_url(INFO), "eve")

    assert page.response.status_code == 502
    assert entra_id.stats.code_exchanges == 1
    assert await tokens_in_store(deployment) == set()


@pytest.mark.parametrize(
    ("expected", "scope"),
    [
        ("Ann Archer", "openid profile"),
        ("Ann Archer", "openid profile email offline_access"),
        ("ann@example.com", "openid email"),
    ],
)
async def test_the_person_has_the_best_name_that_the_scopes_give(deploy_with, expected, scope):
    chat = deploy_with("entra_id", ENTRA_SCOPE=scope, **WITHOUT_CODE).caller()
    await sign_in(chat, tool=INFO)

    assert (await connection(chat, "entra_id"))["user"] == expected


async def test_a_person_without_any_name_cannot_be_shown_and_is_refused(deploy_with):
    chat = deploy_with("entra_id", ENTRA_SCOPE="openid", **WITHOUT_CODE).caller()

    page = await chat.visit(await chat.auth_url(INFO))

    assert page.response.status_code == 502


async def test_the_tenant_may_be_written_in_capitals(deploy_with, entra_id):
    chat = deploy_with("entra_id", ENTRA_TENANT_ID=entra_id.tenant.upper(), **WITHOUT_CODE).caller()

    await sign_in(chat, tool=INFO)

    assert (await chat.call(INFO)).status_code == 200


async def test_keys_and_configuration_are_fetched_once_for_many_sign_ins(deployment, entra_id):
    for _ in range(3):
        await sign_in(deployment.caller(), tool=INFO)

    assert (entra_id.stats.configuration_requests, entra_id.stats.key_requests) == (1, 1)


async def test_a_key_that_was_rotated_is_found(deployment, entra_id, clock):
    await sign_in(deployment.caller(), tool=INFO)
    entra_id.keys.rotate()
    clock.advance(minutes=2)

    await sign_in(deployment.caller(), tool=INFO)

    assert entra_id.stats.key_requests == 2


@pytest.mark.parametrize("path", ["/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys"])
@pytest.mark.parametrize("fault", [{"status": 503}, {"body": "html"}, {"body": "truncated"}])
async def test_a_sign_in_that_cannot_be_checked_stores_nothing(deployment, entra_id, path, fault):
    chat = deployment.caller()
    entra_id.faults.add(Fault(path_prefix=f"/{entra_id.tenant}{path}", **fault))

    page = await chat.visit(await chat.auth_url(INFO))
    stored = await tokens_in_store(deployment)
    await sign_in(chat, tool=INFO)

    assert page.response.status_code == 502
    assert stored == set()


@short_lived
async def test_the_sign_in_is_refreshed_as_long_as_microsoft_lets_it(chat, clock, entra_id):
    statuses = []
    for _ in range(3):
        clock.advance(hours=1)
        statuses.append((await chat.call(INFO)).status_code)

    assert statuses == [200] * 3
    assert entra_id.stats.refreshes == 3
    assert (await connection(chat, "entra_id"))["user"] == "Ann Archer"


@short_lived
@pytest.mark.parametrize("change", ["disable_user", "revoke_user", "require_interaction"])
async def test_whoever_lost_the_access_there_is_asked_to_sign_in(chat, clock, entra_id, change):
    before = await chat.call(INFO)
    clock.advance(seconds=1)
    getattr(entra_id.directory, change)("ann")
    clock.advance(hours=1)

    answer = await chat.call(INFO)

    assert before.status_code == 200
    assert asks_to_sign_in(answer, ENDED)
    assert entra_id.stats.refused_token_requests == 1


async def test_a_disabled_user_cannot_sign_in(deployment, entra_id):
    chat = deployment.caller()
    entra_id.directory.disable_user("ann")

    page = await chat.visit(await chat.auth_url(INFO))

    assert page.response.status_code == 400
    assert await tokens_in_store(deployment) == set()


@short_lived
async def test_a_refresh_that_fails_by_itself_keeps_the_sign_in(chat, clock, entra_id):
    clock.advance(hours=1)
    entra_id.faults.add(Fault(path_prefix=f"/{entra_id.tenant}/oauth2", status=503))

    failed = await chat.call(INFO)
    after = await chat.call(INFO)

    assert (failed.status_code, after.status_code) == (503, 200)


@pytest.mark.parametrize("scope", ["openid profile email"])
async def test_without_offline_access_the_sign_in_lasts_as_long_as_its_token(
    deploy_with, clock, entra_id, scope
):
    chat = deploy_with("entra_id", ENTRA_SCOPE=scope, **WITHOUT_CODE).caller()
    await sign_in(chat, tool=INFO)
    before = await chat.call(INFO)
    clock.advance(hours=2)

    after = await chat.call(INFO)

    assert before.status_code == 200
    assert asks_to_sign_in(after, ENDED)
    assert entra_id.stats.refused_token_requests == 0


@short_lived
async def test_the_resource_that_clients_name_stays_here(deployment, clock, entra_id):
    watched = wired(deployment)
    client = new_client(watched, scope=None)
    tokens = await client.sign_in()
    clock.advance(hours=1)
    renewed = (await client.refresh(tokens["refresh_token"])).json()["access_token"]

    answer = await client.call(renewed, INFO)

    sent = [request.content.decode() for request in watched.wire.requests]
    seen_by_browsers = [str(request.query) for request in entra_id.stats.requests]
    assert answer.status_code == 200
    assert entra_id.stats.refreshes == 1
    assert len(sent) >= 2
    assert not any("resource" in text for text in [*sent, *seen_by_browsers])


async def test_a_person_who_declines_is_told_so(deployment, entra_id):
    chat = deployment.caller()

    await chat.visit(await chat.auth_url(INFO), decision="deny")

    assert asks_to_sign_in(await chat.call(INFO), "The last sign-in was declined in the browser.")
    assert entra_id.stats.authorizations == 0
