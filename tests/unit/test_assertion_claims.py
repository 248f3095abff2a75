"""What a client assertion must say (RFC 7523 §3), and that anything else is refused in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.refusals import inputs
from tests.conformance.requirements import requirement
from tests.fixtures.signed_assertions import (
    CLIENT,
    ED25519_KEY,
    ELSEWHERE,
    ISSUER,
    OTHER_CLIENT,
    TOKEN_ENDPOINT,
    servers,
    signed,
    signed_with_header,
)

NAMES = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "alg", "kid", "typ", "crit", "b64"]
TIMES = ["exp", "iat", "nbf"]

words = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.sampled_from(NAMES) | words, json_values, min_size=1, max_size=5)
texts = st.text() | st.from_regex(r"[\w=-]*\.[\w=-]*\.[\w=-]*", fullmatch=True)


@pytest.fixture
async def server(clock, tmp_path):
    async with servers(clock, tmp_path / "store.db") as make:
        yield make()


@pytest.mark.parametrize(
    "changed",
    [{"iss": OTHER_CLIENT}, {"sub": OTHER_CLIENT}, {"iss": None}, {"sub": None}, {"sub": [CLIENT]}],
)
async def test_issuer_and_subject_are_both_the_client(server, changed):
    assert not await server.accepts(signed(server.claims(**changed)))


async def test_one_client_cannot_log_in_as_another(server):
    claims = server.claims(iss=OTHER_CLIENT, sub=OTHER_CLIENT)

    assert not await server.accepts(signed(claims))
    assert await server.accepts(signed(claims), OTHER_CLIENT)


@requirement("B30")
@pytest.mark.parametrize("audience", [ISSUER, TOKEN_ENDPOINT, [ISSUER], [TOKEN_ENDPOINT]])
async def test_the_audience_is_the_issuer_or_the_token_endpoint(server, audience):
    assert await server.accepts(signed(server.claims(aud=audience)))


@requirement("B30")
@pytest.mark.parametrize(
    "audience",
    [None, ELSEWHERE, f"{ISSUER}/", [ISSUER, ELSEWHERE], [ISSUER, ISSUER], [], [[ISSUER]], 7, {}],
)
async def test_an_assertion_that_is_not_for_us_alone_is_refused(server, audience):
    assert not await server.accepts(signed(server.claims(aud=audience)))


@requirement("B30")
@pytest.mark.parametrize(
    ("since_start", "lifetime"),
    [(0, 1), (0, 300), (300, 300), (329, 300), (89.9, 60), (-30, 300), (0, 60.5)],
)
async def test_an_assertion_of_at_most_five_minutes_is_good_while_it_lives(
    server, since_start, lifetime
):
    claims = server.claims(exp=server.now + lifetime)
    server.clock.advance(seconds=since_start)

    assert await server.accepts(signed(claims))


@requirement("B30")
@pytest.mark.parametrize(
    ("since_start", "lifetime"),
    [(90, 60), (3600, 300), (0, 301), (200, 301), (0, 10**9), (0, -60)],
)
async def test_an_assertion_that_expired_or_lives_too_long_is_refused(
    server, since_start, lifetime
):
    claims = server.claims(exp=server.now + lifetime)
    server.clock.advance(seconds=since_start)

    assert not await server.accepts(signed(claims))


async def test_an_assertion_without_iat_expires_within_five_minutes_of_now(server):
    assert await server.accepts(signed(server.claims(iat=None, exp=server.now + 330)))
    assert not await server.accepts(signed(server.claims(iat=None, exp=server.now + 331)))


async def test_an_assertion_without_exp_is_refused(server):
    assert not await server.accepts(signed(server.claims(exp=None)))


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_an_assertion_from_the_future_is_refused(server, name):
    assert await server.accepts(signed(server.claims(**{name: server.now + 30})))
    assert not await server.accepts(signed(server.claims(**{name: server.now + 31})))


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["1", True, False, [], {}, -1, 10**30, -1e300, 253402300799, ""])
async def test_a_time_that_is_none_is_refused(server, name, value):
    assert not await server.accepts(signed(server.claims(**{name: value})))


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "null", "9" * 5000])
async def test_a_number_that_is_none_is_refused(server, name, number):
    claims = json.dumps(server.claims(**{name: "here"})).replace('"here"', number)

    assert not await server.accepts(signed(claims.encode()))


@pytest.mark.parametrize("jti", [None, "", "j" * 257, 7, ["one"], {}])
async def test_an_assertion_without_a_jti_is_refused(server, jti):
    assert not await server.accepts(signed(server.claims(jti=jti)))


@pytest.mark.parametrize("jti", ["j" * 256, "ä/🚀\n", "\ud800", "\0"])
async def test_any_text_is_a_jti_and_good_once(server, jti):
    assertion = signed(server.claims(jti=jti))

    assert await server.accepts(assertion)
    assert not await server.accepts(assertion)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b", "a.b.c", "e30.e30.", "ä.ö.ü", "\ud800.a.b", "x" * 9000],
)
async def test_what_is_no_jwt_is_refused(server, text):
    assert not await server.accepts(text)


async def test_an_assertion_of_more_than_eight_kilobytes_is_refused(server):
    assert await server.accepts(signed(server.claims(padding="p" * 5000)))
    assert not await server.accepts(signed(server.claims(padding="p" * 8000)))


@pytest.mark.parametrize("payload", [b"[]", b"7", b"{", b"\xff", b"[" * 5000, b'{"a":NaN}', b""])
async def test_signed_bytes_that_are_no_claims_are_refused(server, payload):
    assert not await server.accepts(signed(payload))


async def test_claims_that_are_not_quite_json_are_refused(server):
    assert not await server.accepts(signed(server.claims(note=float("nan"))))


@inputs(100)
@given(text=texts)
async def test_any_text_is_refused_in_plain_words(server, text):
    assert not await server.accepts(text)


@inputs(200)
@given(changed=json_objects)
async def test_any_claims_are_accepted_or_refused_in_plain_words(server, changed):
    claims = json.dumps(server.claims() | changed).encode()

    accepted = await server.accepts(signed(claims, key=ED25519_KEY, algorithm="EdDSA"))

    assert accepted or not set(NAMES).isdisjoint(changed) or b"NaN" in claims or b"Inf" in claims


@inputs(200)
@given(header=json_objects)
async def test_any_header_is_accepted_or_refused_in_plain_words(server, header):
    assertion = signed_with_header({"alg": "EdDSA"} | header, server.claims())

    accepted = await server.accepts(assertion)

    assert accepted or not set(NAMES).isdisjoint(header)
