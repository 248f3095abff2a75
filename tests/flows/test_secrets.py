"""A client secret that was changed at Rally: no restart, no lost sign-in, and it shows nowhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Caller, Deployment
from tests.fixtures.rally_wire import WSAPI, wired
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in, signed_in

VARIABLE = "RALLY_TEST_SECRET"
TOKEN_TTL = timedelta(minutes=2)
"""Shorter than a secret stays in memory, so that two refreshes use one reading of it."""


@pytest.fixture
def rally(clock) -> RallySimulator:
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(clock=clock, clients=[client], access_token_ttl=TOKEN_TTL)


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy(**WITHOUT_CODE)


@pytest.fixture
async def ann(deployment: Deployment, clock) -> Caller:
    """Ann's chat, whose instance has the secret in memory and a token that has just ended."""
    chat = await signed_in(deployment, "ann")
    clock.advance(minutes=2)
    assert (await chat.call("get_rally_user")).status_code == 200
    clock.advance(minutes=2)
    return chat


def change_at_rally(rally: RallySimulator, secret: str) -> None:
    rally.clients[CLIENT_ID] = RegisteredClient(CLIENT_ID, secret, (CALLBACK_URL,))


async def test_a_refresh_reads_a_rotated_secret_again_by_itself(deployment, rally, ann, clock):
    change_at_rally(rally, "battery staple")
    deployment.client_secret[VARIABLE] = "battery staple"

    answer = await ann.call("get_rally_user")
    refused = rally.stats.refused_token_requests
    clock.advance(minutes=2)
    later = await ann.call("get_rally_user")

    assert answer.status_code == later.status_code == 200
    assert refused == rally.stats.refused_token_requests == 1


async def test_a_sign_in_reads_a_rotated_secret_again_by_itself(deployment, rally, ann, clock):
    change_at_rally(rally, "battery staple")
    deployment.client_secret[VARIABLE] = "battery staple"

    bob = await signed_in(deployment, "bob")
    answer = await bob.call("get_rally_user")

    assert answer.status_code == 200
    assert rally.stats.refused_token_requests == 1


async def test_a_wrong_secret_is_a_502_and_keeps_the_sign_in(rally, ann, clock):
    change_at_rally(rally, "battery staple")

    refused = await ann.call("create_rally_story", title="Later")
    change_at_rally(rally, "correct horse")
    answer = await ann.call("create_rally_story", title="Now")

    assert refused.status_code == 502
    assert refused.json()["error"] == "Failed to create Rally story"
    assert "administrator" in refused.json()["message"]
    assert answer.status_code == 200
    assert rally.stats.authorizations == 1


async def test_a_secret_that_is_wrong_in_both_places_is_tried_twice_at_most(deployment, rally, ann):
    change_at_rally(rally, "battery staple")
    deployment.client_secret[VARIABLE] = "wrong again"

    refused = await ann.call("get_rally_user")

    assert refused.status_code == 502
    assert rally.stats.refused_token_requests == 2


async def test_a_secret_that_is_gone_is_a_503_and_keeps_the_sign_in(deployment, ann, clock, caplog):
    secret = deployment.client_secret.pop(VARIABLE)
    clock.advance(minutes=5)

    refused = await ann.call("get_rally_user")
    deployment.client_secret[VARIABLE] = secret
    answer = await ann.call("get_rally_user")

    assert refused.status_code == 503
    assert "administrator" in refused.json()["message"]
    assert VARIABLE not in refused.text
    assert any(VARIABLE in str(vars(record)) for record in caplog.records)
    assert answer.status_code == 200


async def test_a_sign_in_with_a_wrong_secret_fails_and_can_be_repeated(deployment, rally):
    change_at_rally(rally, "battery staple")
    chat = deployment.caller()
    url = await chat.auth_url()

    page = await chat.visit(url)
    deployment.client_secret[VARIABLE] = "battery staple"
    deployment.clock.advance(minutes=1)
    await sign_in(chat)
    answer = await chat.call("get_rally_user")

    assert page.response.status_code == 502
    assert page.code == ""
    assert answer.status_code == 200


async def test_neither_answers_nor_logs_show_a_secret(deploy, rally, clock, caplog):
    caplog.set_level("INFO")
    deployment = wired(deploy(**WITHOUT_CODE))
    ann = await signed_in(deployment, "ann")
    clock.advance(minutes=2)
    change_at_rally(rally, "battery staple")

    wrong = await ann.call("get_rally_user")
    change_at_rally(rally, "correct horse")
    right = await ann.call("get_rally_user")

    shown = " ".join([wrong.text, right.text, *(str(vars(record)) for record in caplog.records)])
    tokens = {request.headers["zsessionid"] for request in deployment.wire.sent("GET", WSAPI)}
    assert "tool.called" in shown
    assert len(tokens) == 2
    for secret in ("correct horse", "battery staple", ann.session_id, *tokens):
        assert secret not in shown
