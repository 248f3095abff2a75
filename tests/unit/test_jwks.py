"""How often an OpenID provider is asked for its keys, and what of its answers is of use."""

import asyncio
import json
from functools import partial
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from rally_mcp.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from tests.conformance.refusals import inputs
from tests.fixtures.log_lines import written_log
from tests.fixtures.openid_provider import (
    CONFIGURATION,
    DISCOVERY_URL,
    ISSUER,
    JWKS_URI,
    KID,
    ORIGIN,
    relying_party,
    sign,
)
from tests.fixtures.signed_assertions import EC_KEY, ED25519_KEY, jwk, public_jwk, rsa_key
from tests.fixtures.skipped_time import SkippingLoop
from tests.unit.test_assertion_claims import json_values

NEW_KEY = ec.generate_private_key(ec.SECP256R1())
NEW = public_jwk(NEW_KEY, kid="2026-12", use="sig")
OLD = public_jwk(rsa_key(), kid=KID, use="sig")
CALLERS = 20

USELESS = {
    "no JSON": b"<html>",
    "no object": [],
    "too deep": b"[" * 100_000,
    "nothing": b"",
    "an error": {"error": "invalid_tenant"},
}


@pytest.fixture
def anyio_backend(clock) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": partial(SkippingLoop, clock)}


@pytest.fixture
async def party(clock):
    async with relying_party(clock) as party:
        yield party


async def test_keys_are_fetched_once_in_an_hour(party, clock):
    assert await party.knows(KID)
    clock.advance(minutes=59)
    assert await party.knows(KID)
    assert party.provider.fetches == [JWKS_URI]

    clock.advance(minutes=1)
    assert await party.knows(KID)
    assert party.provider.fetches == [JWKS_URI] * 2


async def test_a_key_that_was_withdrawn_is_good_for_an_hour_at_most(party, clock):
    assert await party.knows(KID)
    party.provider.publish(NEW)

    clock.advance(hours=1)
    assert not await party.knows(KID)


async def test_a_new_key_is_found_as_soon_as_something_is_signed_with_it(party, clock):
    assert await party.verified(party.id_token())
    clock.advance(minutes=1)
    party.provider.publish(OLD, NEW)

    assert await party.verified(sign(party.claims(), key=NEW_KEY, algorithm="ES256", kid="2026-12"))
    assert await party.verified(party.id_token())
    assert len(party.provider.fetches) == 2


async def test_unknown_keys_have_the_set_fetched_once_a_minute(party, clock):
    assert await party.knows(KID)
    clock.advance(minutes=1)
    for number in range(CALLERS):
        assert not await party.knows(f"made up {number}")
    assert len(party.provider.fetches) == 2

    clock.advance(minutes=1)
    assert not await party.knows("made up")
    assert await party.knows(KID)
    assert len(party.provider.fetches) == 3


async def test_a_key_that_is_unknown_at_the_first_fetch_is_not_asked_for_again(party):
    assert not await party.knows("made up")
    assert len(party.provider.fetches) == 1


async def test_callers_at_once_share_one_fetch(party):
    party.provider.is_open = anyio.Event()
    callers = [asyncio.create_task(party.knows(kid)) for kid in [KID, "made up"] * CALLERS]
    await anyio.wait_all_tasks_blocked()
    party.provider.is_open.set()

    with anyio.fail_after(5):
        assert await asyncio.gather(*callers) == [True, False] * CALLERS
    assert len(party.provider.fetches) == 1


async def test_a_caller_who_gives_up_takes_nothing_from_the_others(party):
    party.provider.is_open = anyio.Event()
    first, second = (asyncio.create_task(party.knows(KID)) for _ in range(2))
    await anyio.wait_all_tasks_blocked()
    first.cancel()
    await asyncio.wait([first])
    party.provider.is_open.set()

    assert await second
    assert first.cancelled()
    assert len(party.provider.fetches) == 1


async def test_key_sets_at_two_addresses_are_two(party):
    elsewhere = f"{ORIGIN}/elsewhere/keys"
    party.provider.documents[elsewhere] = {"keys": [NEW]}

    assert await party.knows(KID)
    assert await party.knows("2026-12", elsewhere)
    assert not await party.knows("2026-12")


async def test_a_provider_that_is_silent_is_given_up_after_five_seconds(party, clock):
    party.provider.is_open = anyio.Event()
    started = clock()

    with pytest.raises(UpstreamTimeout):
        await party.verified(party.id_token())
    assert (clock() - started).total_seconds() == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_provider_that_is_down_is_asked_again_by_the_next_caller(party, status):
    party.provider.status = status
    with pytest.raises(UpstreamUnavailable):
        await party.verified(party.id_token())
    party.provider.status = 200

    assert await party.verified(party.id_token())


async def test_a_provider_that_cannot_be_reached_is_unavailable(party):
    with pytest.raises(UpstreamUnavailable):
        await party.knows(KID, "http://127.0.0.1:1/keys")


@pytest.mark.parametrize("status", [204, 302, 400, 404])
async def test_an_answer_that_is_not_200_is_of_no_use(party, status):
    party.provider.status = status
    party.provider.headers = {"location": ISSUER}

    with pytest.raises(UpstreamRejected):
        await party.verified(party.id_token())
    assert len(party.provider.fetches) == 1


async def test_a_compressed_answer_is_not_unpacked(party):
    party.provider.headers = {"content-encoding": "gzip"}

    with pytest.raises(UpstreamRejected):
        await party.verified(party.id_token())


@pytest.mark.parametrize("answer", USELESS.values(), ids=USELESS)
async def test_keys_that_cannot_be_read_are_of_no_use_and_the_log_says_why(party, answer):
    party.provider.documents[JWKS_URI] = answer

    with written_log() as log, pytest.raises(UpstreamRejected):
        await party.knows(KID)
    (line,) = log.lines
    assert line["problem"]


@pytest.mark.parametrize("answer", USELESS.values(), ids=USELESS)
async def test_a_description_that_cannot_be_read_is_of_no_use_and_the_log_says_why(party, answer):
    party.provider.documents[DISCOVERY_URL] = answer

    with written_log() as log, pytest.raises(UpstreamRejected):
        await party.description()
    (line,) = log.lines
    assert line["problem"]


async def test_an_answer_of_more_than_128_kilobytes_is_not_read(party):
    good = json.dumps(party.provider.documents[JWKS_URI]).encode()
    party.provider.documents[JWKS_URI] = good.ljust(128 * 1024 + 1)
    with pytest.raises(UpstreamRejected):
        await party.knows(KID)
    party.provider.documents[JWKS_URI] = good.ljust(128 * 1024)

    assert await party.knows(KID)


UNUSABLE_KEYS = {
    "no kid": jwk(rsa_key().public_key(), use="sig"),
    "an empty kid": public_jwk(rsa_key(), kid=""),
    "a kid that is a number": public_jwk(rsa_key(), kid=7),
    "for encryption": public_jwk(rsa_key(), kid="k", use="enc"),
    "for an encryption algorithm": public_jwk(rsa_key(), kid="k", alg="RSA-OAEP"),
    "for signing alone": public_jwk(rsa_key(), kid="k", key_ops=["sign"]),
    "too small": public_jwk(rsa_key(1024), kid="k"),
    "private": jwk(rsa_key(), kid="k"),
    "of another kind": public_jwk(ED25519_KEY, kid="k"),
    "on another curve": public_jwk(ec.generate_private_key(ec.SECP384R1()), kid="k"),
    "shared": {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
    "without its numbers": {"kty": "RSA", "kid": "k"},
    "off its curve": {**public_jwk(EC_KEY, kid="k"), "x": public_jwk(NEW_KEY)["x"]},
    "a text": "key",
    "nothing": None,
}


@pytest.mark.parametrize("member", UNUSABLE_KEYS.values(), ids=UNUSABLE_KEYS)
async def test_a_key_of_no_use_is_left_out_and_the_others_stand(party, member):
    party.provider.publish(member, OLD)

    assert await party.verified(party.id_token())
    assert await party.refuses(sign(party.claims(), kid="k"))


@inputs(200)
@given(changed=st.dictionaries(st.sampled_from([*OLD, "alg", "key_ops"]), json_values))
async def test_any_key_beside_a_good_one_is_used_or_left_out(party, changed):
    good = public_jwk(EC_KEY, kid="good")
    party.provider.publish(OLD | changed, good)
    party.clock.advance(hours=1)

    assert await party.knows("good")


async def test_a_provider_describes_itself_once_a_day(party, clock):
    assert await party.description() == (ISSUER, JWKS_URI)
    clock.advance(hours=23, minutes=59)
    await party.description()
    assert party.provider.fetches == [DISCOVERY_URL]

    clock.advance(minutes=1)
    await party.description()
    assert party.provider.fetches == [DISCOVERY_URL] * 2


@pytest.mark.parametrize("member", ["issuer", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/keys",
        "http://login.example.com/keys",
        "https://login.example.com:8443/keys",
        "https://login.example.com@elsewhere.example/keys",
        "https://login.example.com.elsewhere.example/keys",
        "https://login.example.com:port/keys",
        "/keys",
        "",
        None,
        7,
    ],
)
async def test_a_provider_speaks_for_its_own_origin_alone(party, member, url):
    party.provider.documents[DISCOVERY_URL] = CONFIGURATION | {member: url}

    with pytest.raises(UpstreamRejected):
        await party.description()
