"""A client logs in by an assertion that it signed with a key of its own, and once by each."""

import hmac
import json
import sqlite3
from asyncio import Barrier
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from mcp.client.auth.extensions.client_credentials import SignedJWTParameters

from rally_mcp.authorization_server.client_assertions import SIGNING_ALGORITHMS
from rally_mcp.errors import UpstreamUnavailable
from rally_mcp.storage.sqlite import SqliteStore
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Clock
from tests.fixtures.signed_assertions import (
    CLIENT,
    EC_KEY,
    ED25519_KEY,
    ELSEWHERE,
    ISSUER,
    KEYS,
    OTHER_CLIENT,
    STRANGERS_KEY,
    TOKEN_ENDPOINT,
    base64url,
    jwk,
    public_jwk,
    rsa_key,
    servers,
    signed,
    signed_with_header,
)


@pytest.fixture
async def new_server(clock, tmp_path):
    async with servers(clock, tmp_path / "store.db") as make:
        yield make


@pytest.fixture
def server(new_server):
    return new_server()


@requirement("B30")
async def test_an_assertion_of_each_served_algorithm_is_accepted(server):
    signers = {"ES256": EC_KEY, "RS256": rsa_key(), "PS256": rsa_key()}
    signers |= {"EdDSA": ED25519_KEY, "Ed25519": ED25519_KEY}
    keys = {"keys": [*KEYS["keys"], public_jwk(rsa_key(), kid="rsa")]}

    accepted = {
        algorithm: await server.accepts(
            signed(server.claims(), key=key, algorithm=algorithm), keys=keys
        )
        for algorithm, key in signers.items()
    }

    assert accepted == dict.fromkeys(SIGNING_ALGORITHMS, True)


async def test_what_the_mcp_sdk_signs_is_accepted(server):
    pem = EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    sdk = SignedJWTParameters(
        issuer=CLIENT, subject=CLIENT, signing_key=pem, signing_algorithm="ES256"
    )
    server.clock.now = datetime.now(UTC)

    assert await server.accepts(await sdk.create_assertion_provider()(ISSUER))


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", None])
async def test_a_jwt_of_no_type_or_the_right_one_is_accepted(server, typ):
    assert await server.accepts(signed(server.claims(), typ=typ))


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "application/logout+jwt", 7, ["JWT"]])
async def test_a_jwt_that_was_made_for_something_else_is_refused(server, typ):
    assert not await server.accepts(signed(server.claims(), typ=typ))


async def test_an_unsigned_assertion_is_refused(server):
    header = base64url(b'{"alg":"none"}')

    assertion = f"{header}.{base64url(json.dumps(server.claims()).encode())}."

    assert not await server.accepts(assertion)


@pytest.mark.parametrize("form", ["PEM", "JWK"])
async def test_a_public_key_is_not_taken_for_a_shared_secret(server, form):
    known = {
        "PEM": EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "JWK": json.dumps(KEYS["keys"][0]).encode(),
    }
    header = base64url(b'{"alg":"HS256","kid":"ec"}')
    text = f"{header}.{base64url(json.dumps(server.claims()).encode())}"

    assertion = f"{text}.{base64url(hmac.digest(known[form], text.encode(), 'sha256'))}"

    assert not await server.accepts(assertion)


async def test_an_algorithm_that_is_not_served_is_refused(server):
    assertion = signed(server.claims(), key=rsa_key(), algorithm="RS512")

    assert not await server.accepts(assertion, keys={"keys": [public_jwk(rsa_key())]})


@requirement("B30")
async def test_a_strangers_signature_is_refused_whatever_key_comes_with_it(server):
    own = public_jwk(STRANGERS_KEY, kid="ec")

    assert not await server.accepts(signed(server.claims(), key=STRANGERS_KEY))
    assert not await server.accepts(signed(server.claims(), key=STRANGERS_KEY, jwk=own, kid="ec"))
    assert not await server.accepts(
        signed(server.claims(), key=STRANGERS_KEY, jku=f"{ELSEWHERE}/keys", x5u=ELSEWHERE)
    )


async def test_keys_and_addresses_inside_a_good_assertion_change_nothing(server):
    own = public_jwk(STRANGERS_KEY)

    assert await server.accepts(signed(server.claims(), jwk=own, jku=ELSEWHERE, x5u=ELSEWHERE))


async def test_a_signature_is_good_for_no_other_claims(server):
    header, _, signature = signed(server.claims()).split(".")

    payload = base64url(json.dumps(server.claims(iss=OTHER_CLIENT, sub=OTHER_CLIENT)).encode())

    assert not await server.accepts(f"{header}.{payload}.{signature}", OTHER_CLIENT)


async def test_a_kid_chooses_the_key_and_without_one_each_that_fits_is_tried(server):
    keys = {"keys": [public_jwk(STRANGERS_KEY, kid="old"), public_jwk(EC_KEY, kid="new")]}

    assert await server.accepts(signed(server.claims(), kid="new"), keys=keys)
    assert await server.accepts(signed(server.claims()), keys=keys)
    assert not await server.accepts(signed(server.claims(), kid="old"), keys=keys)
    assert not await server.accepts(signed(server.claims(), kid="unheard of"), keys=keys)


@pytest.mark.parametrize(
    "meant", [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"alg": "PS256"}]
)
async def test_a_key_that_is_meant_for_something_else_verifies_nothing(server, meant):
    keys = {"keys": [*KEYS["keys"], public_jwk(rsa_key()) | meant]}

    assertion = signed(server.claims(), key=rsa_key(), algorithm="RS256")

    assert not await server.accepts(assertion, keys=keys)


async def test_a_key_set_that_breaks_the_rules_lets_nobody_in(server):
    assert not await server.accepts(signed(server.claims()), keys={"keys": [jwk(EC_KEY)]})


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": True}])
async def test_an_assertion_that_needs_an_extension_is_refused(server, extension):
    good = signed_with_header({"alg": "EdDSA"}, server.claims())

    needy = signed_with_header({"alg": "EdDSA"} | extension, server.claims())

    assert await server.accepts(good)
    assert not await server.accepts(needy)


@requirement("B30", "C11")
async def test_an_assertion_is_good_once_on_all_instances(new_server):
    here, there = new_server(), new_server()
    assertion = signed(here.claims())

    assert await here.accepts(assertion)
    assert not await here.accepts(assertion)
    assert not await there.accepts(assertion)


async def test_a_jti_is_good_once_in_whatever_assertion_it_comes(server):
    other = server.claims(jti="one", aud=TOKEN_ENDPOINT)

    assert await server.accepts(signed(server.claims(jti="one")))
    assert not await server.accepts(signed(other, key=ED25519_KEY, algorithm="EdDSA"))


async def test_two_clients_may_use_the_same_jti(server):
    theirs = signed(server.claims(jti="one", iss=OTHER_CLIENT, sub=OTHER_CLIENT))

    assert await server.accepts(signed(server.claims(jti="one")))
    assert await server.accepts(theirs, OTHER_CLIENT)


@requirement("B30", "C11")
async def test_an_assertion_is_refused_as_used_until_it_is_refused_as_expired(server):
    assertion = signed(server.claims(exp=server.now + 300))
    assert await server.accepts(assertion)

    for seconds in (299, 30.999, 0.001, 60, 3600):
        server.clock.advance(seconds=seconds)

        assert not await server.accepts(assertion)


async def test_an_assertion_that_expires_while_its_mark_is_written_is_not_good_twice(
    new_server, clock
):
    late = Clock()
    here, there = new_server(), new_server(clock=late)
    slow = replace(there, assertions=replace(there.assertions, clock=clock))
    assertion = signed(here.claims())
    assert await here.accepts(assertion)

    clock.advance(seconds=89)
    late.advance(seconds=100)

    assert not await slow.accepts(assertion)


class MeetingMarks(SqliteStore):
    """A store whose creators wait for each other, so that all of them race."""

    def __init__(self, *args, meeting, **options):
        super().__init__(*args, **options)
        self._meeting = meeting

    async def create(self, collection, key, stored):
        async with self._meeting:
            return await super().create(collection, key, stored)


@requirement("B30", "C11")
async def test_of_twenty_uses_at_once_on_two_instances_one_succeeds(new_server):
    meeting = Barrier(20)
    here, there = (new_server(MeetingMarks, meeting=meeting) for _ in range(2))
    assertion = signed(here.claims())
    accepted = []

    async def use(server):
        accepted.append(await server.accepts(assertion))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for server in [here, there] * 10:
                tasks.start_soon(use, server)

    assert sorted(accepted) == [False] * 19 + [True]


async def test_a_refused_assertion_does_not_use_its_jti_up(server):
    claims = server.claims(jti="precious")
    refused = [
        signed(claims, key=STRANGERS_KEY),
        signed(claims | {"aud": ELSEWHERE}),
        signed(claims | {"exp": claims["iat"] - 60}),
        signed(claims | {"sub": OTHER_CLIENT}),
    ]

    assert [await server.accepts(each) for each in refused] == [False] * 4
    assert await server.accepts(signed(claims))


async def test_nobody_logs_in_while_uses_cannot_be_noted(new_server, tmp_path):
    server = new_server(patience=timedelta(milliseconds=10))
    assert await server.accepts(signed(server.claims()))
    busy = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")

    with pytest.raises(UpstreamUnavailable):
        await server.accepts(signed(server.claims()))
    busy.close()
