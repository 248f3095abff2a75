"""Refreshing: each refresh token once, its answer again for a minute, and the end for any other."""

import asyncio
import secrets

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import MCP_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client, unknown_secret
from tests.fixtures.racing_store import racing
from tests.fixtures.token_answers import error_of, is_kept_nowhere, is_taken
from tests.fixtures.troubled_store import Trouble, TroubledStore

INVALID_GRANT = (400, "invalid_grant")

Tokens = dict[str, str]


@pytest.fixture
def client(deployment: Deployment) -> OAuthClient:
    return new_client(deployment)


@pytest.fixture
async def tokens(client: OAuthClient) -> Tokens:
    return await client.sign_in()


@pytest.fixture
async def other(deployment: Deployment) -> OAuthClient:
    other = new_client(deployment)
    await other.register(client_name="Another client")
    return other


async def refreshed(client: OAuthClient, tokens: Tokens, **changed: str) -> Tokens:
    """Refresh, which must work; return the answer."""
    answer = await client.refresh(tokens["refresh_token"], **changed)
    assert answer.status_code == 200, answer.text
    document: Tokens = answer.json()
    return document


def secrets_of(tokens: Tokens) -> tuple[str, str]:
    """Return both tokens of an answer."""
    return tokens["access_token"], tokens["refresh_token"]


def made_up(tokens: Tokens) -> str:
    """Return a refresh token of the same grant that was never given out."""
    return f"{tokens['refresh_token'].partition('.')[0]}.{secrets.token_urlsafe(32)}"


async def is_revoked(client: OAuthClient, *answers: Tokens) -> bool:
    """Tell whether none of these is worth anything."""
    taken = [await is_taken(client, each["access_token"]) for each in answers]
    refused = [error_of(await client.refresh(each["refresh_token"])) for each in answers]
    return not any(taken) and set(refused) == {INVALID_GRANT}


@requirement("B15")
async def test_a_refresh_gives_both_tokens_anew_and_is_kept_nowhere(client, tokens):
    answer = await client.refresh(tokens["refresh_token"])

    document = answer.json()
    assert is_kept_nowhere(answer)
    assert document.keys() == tokens.keys()
    assert not set(secrets_of(document)) & set(secrets_of(tokens))
    assert await is_taken(client, document["access_token"])


async def test_an_access_token_lives_its_hour_whatever_is_refreshed(client, tokens, clock):
    clock.advance(seconds=3599)
    await refreshed(client, tokens)
    was_taken = await is_taken(client, tokens["access_token"])
    clock.advance(seconds=1)

    assert was_taken
    assert not await is_taken(client, tokens["access_token"])


async def test_of_more_than_eight_access_tokens_the_oldest_are_dropped(client, tokens):
    issued = [tokens]
    for _ in range(9):
        issued.append(await refreshed(client, issued[-1]))

    taken = [await is_taken(client, each["access_token"]) for each in issued]

    assert taken == [False] * 2 + [True] * 8


@requirement("B19")
async def test_the_refresh_token_before_gets_the_same_answer_for_60_seconds(client, tokens, clock):
    first = await refreshed(client, tokens)
    clock.advance(seconds=59)

    again = await refreshed(client, tokens)

    assert secrets_of(again) == secrets_of(first)
    assert (first["expires_in"], again["expires_in"]) == (3600, 3541)
    assert again["scope"] == first["scope"]
    assert await is_taken(client, again["access_token"])


@requirement("B19")
async def test_the_refresh_token_before_revokes_the_grant_after_60_seconds(client, tokens, clock):
    first = await refreshed(client, tokens)
    clock.advance(seconds=60)

    answer = await client.refresh(tokens["refresh_token"])

    assert error_of(answer) == INVALID_GRANT
    assert await is_revoked(client, tokens, first)


@requirement("B19")
async def test_the_refresh_token_before_revokes_the_grant_once_its_successor_was_used(
    deployment, client, tokens
):
    first = await refreshed(client, tokens)
    second = await refreshed(client, first)

    answer = await client.on(deployment.scale_out()).refresh(tokens["refresh_token"])

    assert error_of(answer) == INVALID_GRANT
    assert await is_revoked(client, tokens, first, second)


@requirement("B19")
async def test_a_refresh_token_that_was_never_given_out_revokes_the_grant(client, tokens):
    answer = await client.refresh(made_up(tokens))

    assert error_of(answer) == INVALID_GRANT
    assert await is_revoked(client, tokens)


@requirement("B19")
async def test_an_old_refresh_token_with_another_client_is_reuse_too(client, tokens, other, clock):
    current = await refreshed(client, tokens)
    clock.advance(seconds=60)

    answer = await other.refresh(tokens["refresh_token"])

    assert error_of(answer) == INVALID_GRANT
    assert await is_revoked(client, current)


@requirement("B19")
async def test_reuse_is_audited_once_without_the_grants_id(client, tokens):
    grant_id = tokens["refresh_token"].removeprefix("rmcp_rt_").partition(".")[0]
    await refreshed(client, await refreshed(client, tokens))

    with written_log() as log:
        await client.refresh(tokens["refresh_token"])
        await client.refresh(tokens["refresh_token"])

    [line] = log.audit("grant.reused")
    assert line["severity"] == "WARNING"
    assert line["client"]
    assert grant_id not in log.text


async def test_reuse_harms_nobody_else(client, tokens, other):
    theirs = await other.sign_in("bob")

    await client.refresh(made_up(tokens))

    assert await is_taken(other, theirs["access_token"])
    assert await refreshed(other, theirs)


async def test_a_refresh_token_of_no_grant_is_refused_alike(client, tokens):
    answer = await client.refresh(unknown_secret("rmcp_rt_"))
    reuse = await client.refresh(made_up(tokens))

    assert error_of(answer) == INVALID_GRANT
    assert answer.json() == reuse.json()


@pytest.mark.parametrize("kind", ["access_token", "code"])
async def test_a_secret_of_another_kind_is_no_refresh_token_and_harms_nothing(client, kind):
    code = (await client.authorize())["code"]
    tokens = (await client.redeem(code)).json()

    answer = await client.refresh(code if kind == "code" else tokens["access_token"])

    assert error_of(answer) == INVALID_GRANT
    assert await is_taken(client, tokens["access_token"])


@requirement("B19")
async def test_twenty_refreshes_that_all_found_the_token_current_get_one_successor(
    deployment, client, tokens
):
    instances = racing(deployment, PRINCIPALS, 20)

    answers = await asyncio.gather(
        *(client.on(each).refresh(tokens["refresh_token"]) for each in instances * 10)
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len({secrets_of(answer.json()) for answer in answers}) == 1
    assert await refreshed(client, answers[0].json())


@requirement("B19")
async def test_a_refresh_whose_answer_got_lost_is_answered_again(deploy, clock, tmp_path):
    trouble = Trouble()
    client = new_client(deploy(lambda: TroubledStore(trouble, tmp_path / "t.db", clock=clock)))
    tokens = await client.sign_in()
    trouble.fates, trouble.written = ["loses the answer"], 0

    lost = await client.refresh(tokens["refresh_token"])
    written = trouble.written
    again = await refreshed(client, tokens)

    assert error_of(lost) == (503, "temporarily_unavailable")
    assert written == 1
    assert await refreshed(client, again)


@requirement("B21")
@pytest.mark.parametrize(
    ("scope", "granted", "may_write"),
    [
        ("rally:read", "rally:read", 403),
        ("rally:read  rally:read", "rally:read", 403),
        ("rally:write rally:read", "rally:read rally:write", 200),
        (None, "rally:read rally:write", 200),
    ],
)
async def test_a_refresh_narrows_the_scope_of_its_access_token(
    client, tokens, scope, granted, may_write
):
    narrowed = await refreshed(client, tokens, scope=scope)

    answer = await client.call(narrowed["access_token"], "create_rally_story", title="x")
    afterwards = await refreshed(client, narrowed)

    assert narrowed["scope"] == granted
    assert answer.status_code == may_write
    # RFC 6749 §6: a scope that is not named is the one that was granted.
    assert afterwards["scope"] == "rally:read rally:write"


@requirement("B21")
@pytest.mark.parametrize("scope", ["rally:read rally:write", "rally:write", "rally:read admin"])
async def test_a_refresh_never_widens_what_was_granted(deployment, scope):
    client = new_client(deployment, scope="rally:read")
    tokens = await client.sign_in()

    answer = await client.refresh(tokens["refresh_token"], scope=scope)
    after = await refreshed(client, tokens)

    assert error_of(answer) == (400, "invalid_scope")
    assert after["scope"] == "rally:read"


@requirement("B21")
async def test_a_refresh_token_is_good_for_its_client_alone(client, tokens, other):
    of_current = await other.refresh(tokens["refresh_token"])
    after = await refreshed(client, tokens)
    of_before = await other.refresh(tokens["refresh_token"])

    assert error_of(of_current) == error_of(of_before) == INVALID_GRANT
    assert await refreshed(client, after)


@pytest.mark.parametrize("resource", [MCP_ORIGIN, f"{MCP_ORIGIN}/mcp/", "https://example.com"])
async def test_another_resource_is_refused_and_leaves_the_refresh_token_good(
    client, tokens, resource
):
    answer = await client.refresh(tokens["refresh_token"], resource=resource)

    assert error_of(answer) == (400, "invalid_target")
    assert await refreshed(client, tokens)


@requirement("B21")
async def test_a_grant_ends_after_30_days_however_much_it_is_used(client, tokens, clock):
    statuses = []
    for _ in range(30):
        clock.advance(days=1)
        answer = await client.refresh(tokens["refresh_token"])
        tokens = answer.json() if answer.is_success else tokens
        called = await client.call(tokens["access_token"], "get_rally_user")
        statuses.append((answer.status_code, called.status_code))

    assert statuses == [(200, 200)] * 29 + [(400, 401)]
