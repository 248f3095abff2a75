"""Machine clients log in by the method that they were added with, for what they were given."""

from datetime import timedelta

import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.machine import ConfidentialClient, add_machine, administration, asserted, basic
from tests.fixtures.oauth_client import RESOURCE
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import error_of, is_kept_nowhere, is_taken

INVALID_CLIENT = (401, "invalid_client")
UNAUTHORIZED_CLIENT = (400, "unauthorized_client")

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
METHODS = (*SECRET_METHODS, "private_key_jwt")
EVERY_METHOD = (*METHODS, "none")

every_method = pytest.mark.parametrize("method", METHODS)
by_secret = pytest.mark.parametrize("method", SECRET_METHODS)


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine(deployment)


@every_method
@requirement("C2", "C7")
async def test_a_machine_logs_in_by_the_method_that_it_was_added_with(deployment, method):
    machine = await add_machine(deployment, method)

    answer = await machine.log_in()

    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json()["token_type"] == "Bearer"
    assert is_kept_nowhere(answer)
    assert await is_taken(machine.plain, answer.json()["access_token"])


@requirement("C2")
@pytest.mark.parametrize("other", EVERY_METHOD)
@every_method
async def test_every_other_method_is_refused_although_the_proof_is_right(deployment, method, other):
    machine = await add_machine(deployment, method)

    answer = await machine.by(other).log_in()

    expected = 200 if other == method else 401
    assert answer.status_code == expected, answer.text


@requirement("C2")
async def test_two_methods_at_once_are_refused_although_both_are_right(machine):
    header, post = machine.proof()[1], machine.by("client_secret_post").proof()[0]
    signed = asserted(machine.assertion())
    log_in = {"grant_type": "client_credentials"}

    answers = [
        await machine.post("/token", log_in, proof)
        for proof in ((post, header), (signed, header), (post | signed, {}))
    ]

    assert [error_of(answer) for answer in answers] == [(400, "invalid_request")] * 3


@requirement("C2")
async def test_a_client_may_repeat_its_id_beside_its_proof_and_no_other_id(machine):
    answer = await machine.log_in(client_id=machine.client_id)
    another = await machine.log_in(client_id="rmcp_mc_0123456789abcdef")

    assert answer.status_code == 200
    assert error_of(another) == (400, "invalid_request")


@by_secret
@requirement("C4", "B15")
async def test_a_wrong_secret_is_401_and_challenged_only_where_basic_was_used(deployment, method):
    machine = await add_machine(deployment, method)

    answers = [
        await machine.by(method, wrong).log_in()
        for wrong in ("x", machine.secret[:-1], machine.secret.swapcase(), f"{machine.secret}x")
    ]

    assert {error_of(answer) for answer in answers} == {INVALID_CLIENT}
    challenges = {answer.headers.get("www-authenticate") for answer in answers}
    assert challenges == (
        {'Basic realm="rally-mcp", charset="UTF-8"'} if "basic" in method else {None}
    )


@requirement("C4")
async def test_an_unknown_client_is_answered_in_the_same_words_as_a_wrong_secret(machine):
    wrong = await machine.by("client_secret_basic", "x").log_in()
    unknown = await machine.post(
        "/token",
        {"grant_type": "client_credentials"},
        ({}, {"Authorization": basic("rmcp_mc_0123456789abcdef", "x")}),
    )

    assert wrong.status_code == unknown.status_code
    assert wrong.json() == unknown.json()


@requirement("C11", "B30")
async def test_an_assertion_logs_in_once_on_all_instances(deployment):
    machine = await add_machine(deployment, "private_key_jwt")
    elsewhere = machine.on(deployment.scale_out())
    proof = asserted(machine.assertion()), {}

    answers = [
        await each.post("/token", {"grant_type": "client_credentials"}, proof)
        for each in (machine, machine, elsewhere)
    ]

    assert answers[0].status_code == 200
    assert [error_of(answer) for answer in answers[1:]] == [INVALID_CLIENT] * 2


@requirement("C2", "C11")
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"aud": AUTH_ORIGIN}, 200),
        ({"aud": f"{AUTH_ORIGIN}/token"}, 200),
        ({"aud": f"{AUTH_ORIGIN}/"}, 401),
        ({"aud": RESOURCE}, 401),
        ({"exp": 0}, 401),
        ({"jti": None}, 401),
        ({"sub": "rmcp_mc_0123456789abcdef"}, 401),
    ],
    ids=["issuer", "token endpoint", "slash", "resource", "expired", "no jti", "about another"],
)
async def test_an_assertion_is_for_this_server_and_about_its_signer(deployment, changed, status):
    machine = await add_machine(deployment, "private_key_jwt")
    proof = asserted(machine.assertion(**changed)), {}

    answer = await machine.post("/token", {"grant_type": "client_credentials"}, proof)

    assert answer.status_code == status, answer.text


@requirement("C3")
async def test_a_secret_has_256_bits_and_stands_nowhere(deployment, machine):
    another = await add_machine(deployment)

    stored = "".join(str(row) for row in await stored_rows(deployment, OAUTH_CLIENTS))
    assert len(machine.secret) == len(another.secret) == 43
    assert machine.secret != another.secret
    assert machine.client_id in stored
    assert machine.secret not in stored


@requirement("C3")
async def test_during_a_rotation_two_secrets_are_good_and_then_the_new_one(deployment, machine):
    fresh = await administration(deployment).rotate(machine.client_id, timedelta(hours=24))
    rotated = machine.by(machine.method, fresh)

    deployment.clock.advance(hours=23, minutes=59)
    during = [(await each.log_in()).status_code for each in (machine, rotated)]
    deployment.clock.advance(minutes=1)
    after = [(await each.log_in()).status_code for each in (machine, rotated)]

    assert during == [200, 200]
    assert after == [401, 200]


@requirement("C3")
async def test_a_rotation_without_overlap_ends_the_secret_before_at_once(deployment, machine):
    fresh = await administration(deployment).rotate(machine.client_id, timedelta())

    assert error_of(await machine.log_in()) == INVALID_CLIENT
    assert (await machine.by(machine.method, fresh).log_in()).status_code == 200


@requirement("C3")
async def test_never_more_than_two_secrets_are_good(deployment, machine):
    secrets = [machine.secret] + [
        await administration(deployment).rotate(machine.client_id, timedelta(hours=24))
        for _ in range(3)
    ]

    good = [(await machine.by(machine.method, each).log_in()).is_success for each in secrets]

    assert good == [False, False, True, True]


@requirement("C3")
async def test_rotating_again_does_not_lengthen_the_life_of_a_secret_that_ends(deployment, machine):
    first = await administration(deployment).rotate(machine.client_id, timedelta(hours=1))
    await administration(deployment).rotate(machine.client_id, timedelta(hours=24))

    deployment.clock.advance(hours=24)

    assert error_of(await machine.log_in()) == INVALID_CLIENT
    assert error_of(await machine.by(machine.method, first).log_in()) == INVALID_CLIENT


@requirement("C5")
@pytest.mark.parametrize(
    ("given", "asked", "got"),
    [
        (("rally:read", "rally:write"), {}, "rally:read"),
        (("rally:read", "rally:write"), {"scope": "rally:write rally:read"}, None),
        (("rally:read", "rally:write"), {"scope": "rally:write"}, "rally:write"),
        (("rally:read", "rally:write"), {"scope": " rally:read  rally:read"}, "rally:read"),
        (("rally:write",), {}, "rally:write"),
        (("rally:read",), {"scope": ""}, "rally:read"),
    ],
    ids=["none named", "both", "one", "twice", "none named by a writer", "empty"],
)
async def test_a_machine_gets_the_scopes_it_names_and_without_any_the_least(
    deployment, given, asked, got
):
    machine = await add_machine(deployment, scopes=given)

    answer = await machine.log_in(**asked)

    assert answer.json()["scope"] == (got or "rally:read rally:write")


@requirement("C5")
@pytest.mark.parametrize(
    "scope", ["rally:write", "rally:read rally:write", "rally", "offline_access", "RALLY:READ"]
)
async def test_a_scope_that_the_machine_was_not_given_is_refused(deployment, scope):
    machine = await add_machine(deployment, scopes=("rally:read",))

    assert error_of(await machine.log_in(scope=scope)) == (400, "invalid_scope")


@requirement("C6")
@pytest.mark.parametrize(
    "resource", [f"{RESOURCE}/", AUTH_ORIGIN, "https://mcp.elsewhere.example/mcp", "mcp"]
)
async def test_another_resource_is_refused(machine, resource):
    assert (await machine.log_in(resource=RESOURCE)).status_code == 200
    assert error_of(await machine.log_in(resource=resource)) == (400, "invalid_target")


@requirement("C7")
@pytest.mark.parametrize("grant_type", ["refresh_token", "authorization_code"])
async def test_a_machine_has_no_other_grant(machine, grant_type):
    fields = {"refresh_token": "rmcp_rt_x", "code": "rmcp_ac_x", "code_verifier": "x" * 43}

    answer = await machine.log_in(grant_type=grant_type, **fields)

    assert error_of(answer) == UNAUTHORIZED_CLIENT
