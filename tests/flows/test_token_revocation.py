"""Revoking (RFC 7009): at once, on every instance, by the client that the token belongs to."""

import asyncio
import json
import secrets

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client, unknown_secret
from tests.fixtures.racing_store import racing
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import (
    INTERFACES,
    call_over,
    error_of,
    is_invalid_token,
    is_kept_nowhere,
    is_taken,
)

INVALID_GRANT = (400, "invalid_grant")

Tokens = dict[str, str]


@pytest.fixture
def client(deployment: Deployment) -> OAuthClient:
    return new_client(deployment)


@pytest.fixture
async def tokens(client: OAuthClient) -> Tokens:
    return await client.sign_in()


@pytest.fixture
async def stranger(deployment: Deployment) -> OAuthClient:
    stranger = new_client(deployment)
    await stranger.register(client_name="A stranger's client")
    return stranger


@requirement("B25")
@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("revoked", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_the_grant_at_once_on_every_instance(
    deployment, client, tokens, revoked, interface
):
    elsewhere = client.on(deployment.scale_out())
    before = await call_over(interface, elsewhere, tokens["access_token"])

    answer = await client.revoke(tokens[revoked])

    assert before.status_code == 200
    assert answer.status_code == 200
    assert is_kept_nowhere(answer)
    for each in (client, elsewhere):
        assert is_invalid_token(await call_over(interface, each, tokens["access_token"]))
        assert error_of(await each.refresh(tokens["refresh_token"])) == INVALID_GRANT


@requirement("B25")
@pytest.mark.parametrize("revoked", ["access_token", "refresh_token"])
async def test_revoking_what_a_refresh_replaced_ends_the_grant_too(client, tokens, revoked):
    current = (await client.refresh(tokens["refresh_token"])).json()

    await client.revoke(tokens[revoked])

    assert not await is_taken(client, current["access_token"])
    assert error_of(await client.refresh(current["refresh_token"])) == INVALID_GRANT


@requirement("B25")
async def test_revoking_deletes_the_upstream_tokens(deployment, client, tokens):
    before = json.dumps([row.document for row in await stored_rows(deployment, PRINCIPALS)])

    await client.revoke(tokens["refresh_token"])

    [row] = await stored_rows(deployment, PRINCIPALS)
    assert "refresh_token" in before
    assert row.document["upstreams"] == {}
    assert row.document["grant"] is None
    assert row.expire_at <= deployment.clock()


async def test_neither_revoking_nor_refreshing_asks_rally_anything(client, tokens, rally):
    rally.stats.clear()

    await client.refresh(tokens["refresh_token"])
    await client.revoke(tokens["refresh_token"])

    assert rally.stats.requests == []


@requirement("B25")
@pytest.mark.parametrize(
    "unknown",
    [
        unknown_secret("rmcp_at_"),
        unknown_secret("rmcp_rt_"),
        f"rmcp_at_rmcp_mc_0123456789abcdef.{'x' * 43}",
        "rmcp_at_",
        "eyJhbGciOiJub25lIn0.e30.",
        "token with spaces",
        "ungültig",
        "x" * 60_000,
    ],
    ids=["access", "refresh", "machine", "prefix", "JWT", "spaces", "umlaut", "long"],
)
async def test_an_unknown_token_is_as_good_as_revoked(client, tokens, unknown):
    answer = await client.revoke(unknown)

    assert answer.status_code == 200
    assert await is_taken(client, tokens["access_token"])


@requirement("B25")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_made_up_token_of_a_known_grant_revokes_nothing(client, tokens, kind):
    made_up = f"{tokens[kind].partition('.')[0]}.{secrets.token_urlsafe(32)}"

    answer = await client.revoke(made_up)

    assert answer.status_code == 200
    assert await is_taken(client, tokens["access_token"])


@requirement("B25")
async def test_a_token_is_revoked_once_and_the_second_time_is_fine(client, tokens):
    with written_log() as log:
        answers = [await client.revoke(tokens["refresh_token"]) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(log.audit("grant.revoked")) == 1


@requirement("B25")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_another_clients_token_is_refused_and_stays(client, tokens, stranger, kind):
    answer = await stranger.revoke(tokens[kind])

    assert error_of(answer) == INVALID_GRANT
    assert await is_taken(client, tokens["access_token"])
    assert (await client.refresh(tokens["refresh_token"])).is_success


@requirement("B25")
async def test_an_unknown_client_revokes_nothing(client, tokens):
    answer = await client.revoke(tokens["refresh_token"], client_id="rmcp_pc_0123456789abcdef")

    assert error_of(answer) == (401, "invalid_client")
    assert await is_taken(client, tokens["access_token"])


@requirement("B25")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense"])
async def test_a_hint_about_the_kind_of_token_may_be_wrong(client, tokens, hint):
    answer = await client.revoke(tokens["refresh_token"], token_type_hint=hint)

    assert answer.status_code == 200
    assert not await is_taken(client, tokens["access_token"])


async def test_a_request_without_a_token_is_told_so(client, tokens):
    answer = await client.instance.programs.post(
        f"{AUTH_ORIGIN}/revoke", data={"client_id": client.client_id}
    )

    assert error_of(answer) == (400, "invalid_request")
    assert await is_taken(client, tokens["access_token"])


@requirement("B25")
async def test_revoking_one_of_two_grants_of_a_person_leaves_the_other(client, tokens, deployment):
    second = new_client(deployment)
    theirs = await second.sign_in()

    await client.revoke(tokens["refresh_token"])

    assert (await second.call(theirs["access_token"], "get_rally_user")).status_code == 200


@requirement("B25")
@pytest.mark.parametrize("revoked", ["access_token", "refresh_token"])
async def test_a_revocation_that_meets_a_refresh_leaves_nothing(
    deployment, client, tokens, revoked
):
    one, another = racing(deployment, PRINCIPALS, 2)

    refreshed, answer = await asyncio.gather(
        client.on(one).refresh(tokens["refresh_token"]), client.on(another).revoke(tokens[revoked])
    )

    issued = [tokens] + ([refreshed.json()] if refreshed.is_success else [])
    assert answer.status_code == 200
    for each in issued:
        assert not await is_taken(client, each["access_token"])
        assert error_of(await client.refresh(each["refresh_token"])) == INVALID_GRANT


async def test_a_person_who_signs_out_ends_the_grant_too(deployment, client, tokens):
    elsewhere = client.on(deployment.scale_out())

    await client.call(tokens["access_token"], "sign_out")

    assert not await is_taken(elsewhere, tokens["access_token"])
    assert error_of(await elsewhere.refresh(tokens["refresh_token"])) == INVALID_GRANT
