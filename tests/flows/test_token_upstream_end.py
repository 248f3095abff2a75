"""What becomes of a grant when Rally ends, refuses or cannot serve the sign-in behind it."""

import asyncio

import pytest

from devtools.rally_simulator import Fault, RallySimulator
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import CALLBACK_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.observed_deployment import observed
from tests.fixtures.rally_wire import TOKEN, WSAPI, wired
from tests.fixtures.raw_mcp import LEGACY, MODERN
from tests.fixtures.token_answers import (
    INTERFACES,
    call_over,
    error_of,
    is_invalid_token,
    is_taken,
)

INVALID_GRANT = (400, "invalid_grant")

over_each = pytest.mark.parametrize("interface", INTERFACES)

Tokens = dict[str, str]


@pytest.fixture
def client(deployment: Deployment) -> OAuthClient:
    return new_client(deployment)


@pytest.fixture
async def tokens(client: OAuthClient) -> Tokens:
    return await client.sign_in()


async def a_day_later(client: OAuthClient, tokens: Tokens) -> Tokens:
    """Let Rally's access token end; return access and refresh tokens that have not."""
    client.deployment.clock.advance(days=1)
    answer = await client.refresh(tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    renewed: Tokens = answer.json()
    return renewed


@requirement("B22")
@over_each
@pytest.mark.parametrize("is_expired", [False, True], ids=["living", "expired"])
async def test_the_call_that_finds_the_sign_in_revoked_is_401_and_so_is_the_next(
    deployment, client, tokens, rally, interface, is_expired
):
    if is_expired:
        tokens = await a_day_later(client, tokens)
    rally.revoke_user("ann")

    found_out = await call_over(interface, client, tokens["access_token"])
    again = await call_over(interface, client, tokens["access_token"])
    elsewhere = client.on(deployment.scale_out())

    assert is_invalid_token(found_out)
    assert is_invalid_token(again)
    assert not await is_taken(elsewhere, tokens["access_token"])
    assert error_of(await elsewhere.refresh(tokens["refresh_token"])) == INVALID_GRANT


@requirement("B22")
@over_each
@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_token_that_rally_refuses_too_ends_the_grant(
    client, tokens, rally, interface, status
):
    rally.faults.add(Fault(path_prefix=WSAPI, status=status, count=4))

    answer = await call_over(interface, client, tokens["access_token"])

    assert is_invalid_token(answer)
    assert error_of(await client.refresh(tokens["refresh_token"])) == INVALID_GRANT


@requirement("B22")
async def test_a_refresh_asks_no_upstream_and_the_call_after_it_finds_out(client, tokens, rally):
    rally.revoke_user("ann")
    rally.stats.clear()

    renewed = await client.refresh(tokens["refresh_token"])
    asked = list(rally.stats.requests)
    answer = await client.call(renewed.json()["access_token"], "get_rally_user")

    assert renewed.status_code == 200
    assert asked == []
    assert is_invalid_token(answer)


@requirement("B22")
@over_each
async def test_the_401_offers_no_link_of_a_chat(client, tokens, rally, interface):
    rally.revoke_user("ann")

    answer = await call_over(interface, client, tokens["access_token"])

    assert "auth_url" not in answer.text
    assert "error" in answer.json()
    assert ("jsonrpc" in answer.json()) == (interface != "REST")


@requirement("B22")
@over_each
async def test_calls_that_find_out_at_once_are_all_401_and_rally_is_asked_once(
    deployment, client, tokens, rally, interface
):
    watched = wired(deployment)
    on_each = [client.on(watched.scale_out()), client.on(watched.scale_out())]
    released = asyncio.Event()
    rally.revoke_user("ann")
    rally.faults.add(Fault(path_prefix=WSAPI, status=401, count=10, hold=released))

    with written_log() as log:
        calls = [
            asyncio.create_task(call_over(interface, each, tokens["access_token"]))
            for each in on_each * 5
        ]
        await watched.wire.arrived(10, "GET", WSAPI)
        released.set()
        answers = await asyncio.gather(*calls)

    assert all(is_invalid_token(answer) for answer in answers)
    assert rally.stats.refused_token_requests == 1
    assert len(log.audit("grant.ended")) == 1


@requirement("B22")
async def test_the_client_signs_in_again_and_works_on(client, tokens, rally):
    rally.revoke_user("ann")
    await client.call(tokens["access_token"], "get_rally_user")

    fresh = await client.sign_in()
    answer = await client.call(fresh["access_token"], "get_rally_user")

    assert answer.status_code == 200


@requirement("B22")
async def test_one_persons_end_is_nobody_elses(deployment, client, tokens, rally):
    bystander = new_client(deployment)
    theirs = await bystander.sign_in("bob")
    rally.revoke_user("ann")

    await client.call(tokens["access_token"], "get_rally_user")
    answer = await bystander.call(theirs["access_token"], "get_rally_user")

    assert answer.status_code == 200


@requirement("B23")
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_refresh_that_rally_cannot_serve_is_503_and_keeps_the_sign_in(
    client, tokens, rally, status
):
    tokens = await a_day_later(client, tokens)
    rally.faults.add(Fault(path_prefix=TOKEN, status=status))

    refused = await client.call(tokens["access_token"], "get_rally_user")
    answer = await client.call(tokens["access_token"], "get_rally_user")

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "www-authenticate" not in refused.headers
    assert answer.status_code == 200


@requirement("B23")
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_over_mcp_an_upstream_that_is_down_is_a_tool_error(client, tokens, rally, era):
    tokens = await a_day_later(client, tokens)
    rally.faults.add(Fault(path_prefix=TOKEN, status=503))

    refused = await call_over(era, client, tokens["access_token"])
    answer = await call_over(era, client, tokens["access_token"])

    assert refused.status_code == 200
    assert refused.json()["result"]["isError"]
    assert not answer.json()["result"].get("isError")


@requirement("B23")
async def test_while_rally_is_down_calls_are_503_and_refreshing_goes_on(client, tokens, rally):
    rally.faults.add(Fault(path_prefix="/", status=503, retry_after=30, count=None))

    refused = await client.call(tokens["access_token"], "get_rally_user")
    renewed = await client.refresh(tokens["refresh_token"])
    rally.faults.clear()
    answer = await client.call(renewed.json()["access_token"], "get_rally_user")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    assert renewed.status_code == 200
    assert answer.status_code == 200


@requirement("B24")
async def test_upstream_tokens_never_leave_and_the_clients_never_go_upstream(
    deployment: Deployment, rally: RallySimulator
):
    watched = observed(deployment)
    client = new_client(watched)
    tokens = await client.sign_in()
    for interface in INTERFACES:
        await call_over(interface, client, tokens["access_token"])
    tokens = await a_day_later(client, tokens)
    await client.call(tokens["access_token"], "create_rally_story", title="x")
    rally.revoke_user("ann")
    await client.call(tokens["access_token"], "get_rally_user")

    granted = {each[name] for each in watched.granted for name in ("access_token", "refresh_token")}
    answered = [f"{answer.headers} {answer.text}" for answer in watched.answers]
    sent = [f"{each.url} {each.headers} {each.content!r}" for each in watched.wire.requests]
    # Rally itself sends its code to the callback, by the browser; nothing else of it passes there.
    assert any(str(answer.url).startswith(CALLBACK_ORIGIN) for answer in watched.answers)
    assert len(granted) == 3
    assert not [text for text in answered if any(each in text for each in granted)]
    assert not [text for text in sent if "rmcp_" in text]
    assert {each.headers["zsessionid"] for each in watched.wire.sent("GET", WSAPI)} <= granted
