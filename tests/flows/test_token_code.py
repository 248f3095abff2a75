"""Redeeming an authorization code: once, by the client that it is for, within a minute."""

import asyncio
import hashlib
import json
import re

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import MCP_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.racing_store import racing
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import error_of, is_kept_nowhere, is_taken
from tests.fixtures.troubled_store import Trouble, TroubledStore

INVALID_GRANT = (400, "invalid_grant")


@pytest.fixture
async def client(deployment: Deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register()
    return client


@pytest.fixture
async def code(client: OAuthClient) -> str:
    return (await client.authorize())["code"]


@pytest.fixture
async def other(deployment: Deployment) -> OAuthClient:
    other = new_client(deployment)
    await other.register(client_name="Another client")
    return other


async def wrong_tries(client: OAuthClient, code: str, times: int) -> None:
    """Redeem a code so often with a verifier that is not its own."""
    for _ in range(times):
        assert error_of(await client.redeem(code, code_verifier="x" * 43)) == INVALID_GRANT


@requirement("B15")
async def test_a_token_answer_says_what_was_granted_and_is_kept_nowhere(client, code):
    answer = await client.redeem(code)

    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert is_kept_nowhere(answer)
    assert document.keys() == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token"),
    }
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 3600
    assert document["scope"] == "rally:read rally:write"


@requirement("B15")
async def test_a_code_that_is_none_is_400_and_a_client_that_is_none_401(client, code):
    refused_code = await client.redeem(f"{code}x")
    refused_client = await client.redeem(code, client_id="rmcp_pc_0123456789abcdef")

    assert error_of(refused_code) == INVALID_GRANT
    assert error_of(refused_client) == (401, "invalid_client")


@requirement("B31")
async def test_codes_and_tokens_are_256_random_bits_with_a_prefix(client, code):
    tokens = (await client.redeem(code)).json()

    secret = r"[0-9a-f]{32}\.[A-Za-z0-9_-]{43}"
    assert re.fullmatch(f"rmcp_ac_{secret}", code)
    assert re.fullmatch(f"rmcp_at_{secret}", tokens["access_token"])
    assert re.fullmatch(f"rmcp_rt_{secret}", tokens["refresh_token"])


@requirement("B16", "B31")
async def test_codes_and_tokens_are_stored_as_hashes(deployment, client, code):
    stored_code = json.dumps([row.document for row in await stored_rows(deployment)])
    tokens = (await client.redeem(code)).json()
    stored_tokens = json.dumps([row.document for row in await stored_rows(deployment)])

    assert hashlib.sha256(code.encode()).hexdigest() in stored_code
    assert code not in stored_code
    for name in ("access_token", "refresh_token"):
        assert hashlib.sha256(tokens[name].encode()).hexdigest() in stored_tokens
        assert tokens[name] not in stored_tokens


@requirement("B16")
@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400), (3600, 400)])
async def test_a_code_lives_60_seconds(client, code, clock, seconds, status):
    clock.advance(seconds=seconds)

    answer = await client.redeem(code)

    assert answer.status_code == status
    assert status == 200 or error_of(answer) == INVALID_GRANT


@requirement("B16")
@pytest.mark.parametrize(
    ("wrong", "refused"),
    [
        ({"code_verifier": "x" * 43}, INVALID_GRANT),
        ({"redirect_uri": "http://127.0.0.1:33418/callback/"}, INVALID_GRANT),
        ({"redirect_uri": "http://127.0.0.1:33419/callback"}, INVALID_GRANT),
        ({"resource": f"{MCP_ORIGIN}/"}, (400, "invalid_target")),
        ({"resource": MCP_ORIGIN}, (400, "invalid_target")),
    ],
    ids=["verifier", "redirect URI", "port", "resource", "origin for resource"],
)
async def test_what_does_not_go_with_a_code_is_refused_and_leaves_it_good(
    client, code, wrong, refused
):
    answer = await client.redeem(code, **wrong)
    after = await client.redeem(code)

    assert error_of(answer) == refused
    assert after.status_code == 200


@requirement("B16")
async def test_another_client_is_refused_and_leaves_a_code_good(client, code, other):
    answer = await client.redeem(code, client_id=other.client_id)
    after = await client.redeem(code)

    assert error_of(answer) == INVALID_GRANT
    assert after.status_code == 200


@requirement("B16")
async def test_four_wrong_tries_leave_a_code_good(client, code):
    await wrong_tries(client, code, 4)

    assert (await client.redeem(code)).status_code == 200


@requirement("B16")
async def test_after_five_wrong_tries_a_code_is_worth_nothing(client, code, other):
    await wrong_tries(client, code, 2)
    await client.redeem(code, client_id=other.client_id)
    await client.redeem(code, resource=MCP_ORIGIN)
    await client.redeem(code, redirect_uri="http://127.0.0.1:1/callback")

    assert error_of(await client.redeem(code)) == INVALID_GRANT


@requirement("B16")
async def test_tries_that_met_on_two_instances_are_all_counted(deployment, client, code):
    instances = racing(deployment, PRINCIPALS, 6)

    await asyncio.gather(
        *(client.on(each).redeem(code, code_verifier="x" * 43) for each in instances * 3)
    )

    assert error_of(await client.redeem(code)) == INVALID_GRANT


async def test_a_request_that_lacks_its_form_is_no_try(client, code):
    for code_verifier in (None, "x" * 42, "x" * 129, "x" * 42 + "=", "x" * 42 + "ß"):
        answer = await client.redeem(code, code_verifier=code_verifier)
        assert error_of(answer) == (400, "invalid_request")
    answer = await client.redeem(code)

    assert answer.status_code == 200


@pytest.mark.parametrize("left_out", ["redirect_uri", "resource"])
async def test_what_the_request_for_authorization_said_need_not_be_said_again(
    client, code, left_out
):
    answer = await client.redeem(code, **{left_out: None})

    assert answer.status_code == 200


@requirement("B17")
async def test_of_twenty_redemptions_that_all_found_the_code_unused_one_succeeds(
    deployment, client, code
):
    instances = racing(deployment, PRINCIPALS, 20)

    answers = await asyncio.gather(*(client.on(each).redeem(code) for each in instances * 10))

    refused = [answer for answer in answers if not answer.is_success]
    assert len(refused) == 19
    assert {error_of(answer) for answer in refused} == {INVALID_GRANT}


@requirement("B18")
async def test_redemptions_at_once_are_a_replay_so_that_the_winner_keeps_nothing(
    deployment, client, code
):
    instances = racing(deployment, PRINCIPALS, 2)

    answers = await asyncio.gather(*(client.on(each).redeem(code) for each in instances))

    [winner] = [answer.json() for answer in answers if answer.is_success]
    assert not await is_taken(client, winner["access_token"])
    assert error_of(await client.refresh(winner["refresh_token"])) == INVALID_GRANT


@requirement("B18")
@pytest.mark.parametrize("minutes", [0, 50])
@pytest.mark.parametrize("wrong", [{}, {"code_verifier": "x" * 43}], ids=["client", "thief"])
async def test_a_code_that_comes_again_revokes_every_token_on_every_instance(
    deployment, client, code, clock, minutes, wrong
):
    first = (await client.redeem(code)).json()
    second = (await client.refresh(first["refresh_token"])).json()
    clock.advance(minutes=minutes)
    elsewhere = client.on(deployment.scale_out())
    was_taken = await is_taken(elsewhere, second["access_token"])

    replay = await elsewhere.redeem(code, **wrong)

    assert was_taken
    assert error_of(replay) == INVALID_GRANT
    for tokens in (first, second):
        assert not await is_taken(client, tokens["access_token"])
        assert not await is_taken(elsewhere, tokens["access_token"])
        assert error_of(await client.refresh(tokens["refresh_token"])) == INVALID_GRANT


@requirement("B18")
async def test_a_replay_harms_nobody_else(deployment, client, code):
    bystander = new_client(deployment)
    tokens = await bystander.sign_in("bob")
    await client.redeem(code)

    await client.redeem(code)

    assert await is_taken(bystander, tokens["access_token"])


@requirement("B18")
async def test_a_replay_is_audited_without_the_grants_id(client, code):
    grant_id = code.removeprefix("rmcp_ac_").partition(".")[0]

    with written_log() as log:
        await client.redeem(code)
        await client.redeem(code)

    [issued] = log.audit("grant.tokens_issued")
    [reused] = log.audit("grant.reused")
    assert reused["severity"] == "WARNING"
    assert (reused["principal"], reused["client"]) == (issued["principal"], issued["client"])
    assert grant_id not in log.text


async def test_a_database_that_is_down_costs_nobody_the_code(deploy, clock, tmp_path):
    trouble = Trouble()
    client = new_client(deploy(lambda: TroubledStore(trouble, tmp_path / "t.db", clock=clock)))
    code = (await client.authorize())["code"]
    trouble.fates = ["fails"]

    refused = await client.redeem(code)
    answer = await client.redeem(code)

    assert error_of(refused) == (503, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert answer.status_code == 200
