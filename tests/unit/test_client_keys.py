"""The public keys that a client registers, and whose keys an assertion asks to be checked with."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from hypothesis import given
from hypothesis import strategies as st

from rally_mcp.authorization_server.client_assertions import (
    MOST_KEYS,
    claimed_client_id,
    public_keys,
)
from tests.conformance.refusals import inputs
from tests.fixtures.signed_assertions import (
    CLIENT,
    EC_KEY,
    ED25519_KEY,
    STRANGERS_KEY,
    base64url,
    jwk,
    public_jwk,
    rsa_key,
    signed,
)

EC, ED25519 = public_jwk(EC_KEY), public_jwk(ED25519_KEY)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def rsa_jwk(bits):
    """Return an RSA key of this size. Making a real one would take seconds for the largest."""
    modulus = (2**bits - 1).to_bytes((bits + 7) // 8, "big")
    return public_jwk(rsa_key()) | {"n": base64url(modulus)}


def test_public_keys_of_each_kind_make_a_set():
    keys = public_keys({"keys": [EC, ED25519, public_jwk(rsa_key())]})

    algorithms = [key.algorithms for key in keys]
    assert algorithms == [("ES256",), ("EdDSA", "Ed25519"), ("RS256", "PS256")]


def test_members_that_mean_nothing_here_are_passed_over():
    [key] = public_keys({"keys": [EC | {"x5c": ["certificate"], "ext": True}], "more": 1})

    assert key.algorithms == ("ES256",)


def test_a_key_verifies_only_what_it_is_meant_for():
    rsa_public = public_jwk(rsa_key())
    for_encryption = [rsa_public | {"use": "enc", "alg": "RSA-OAEP"}]

    [_, alone] = public_keys({"keys": [EC, rsa_public | {"alg": "PS256", "use": "sig"}]})
    [_, encryption] = public_keys({"keys": [EC, *for_encryption]})

    assert alone.algorithms == ("PS256",)
    assert encryption.algorithms == ()
    with pytest.raises(ValueError, match="no key for signatures"):
        public_keys({"keys": for_encryption})


@pytest.mark.parametrize("key", [EC_KEY, ED25519_KEY, rsa_key()])
def test_a_private_key_is_refused_without_being_repeated(key):
    with pytest.raises(ValueError, match="private") as refused:
        public_keys({"keys": [EC, jwk(key)]})

    assert "Key 2 " in str(refused.value)
    assert jwk(key)["d"] not in str(refused.value)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
def test_any_private_member_is_refused_even_without_a_value(member):
    with pytest.raises(ValueError, match="private"):
        public_keys({"keys": [EC | {member: None}]})


def test_a_shared_secret_is_refused():
    with pytest.raises(ValueError, match="shared"):
        public_keys({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})


@pytest.mark.parametrize("bits", [1024, 2047, 8193, 16384])
def test_an_rsa_key_that_is_too_weak_or_too_large_is_refused(bits):
    with pytest.raises(ValueError, match="2048 to 8192 bits"):
        public_keys({"keys": [rsa_jwk(bits)]})


@pytest.mark.parametrize("bits", [2048, 4096, 8192])
def test_an_rsa_key_of_a_usual_size_is_taken(bits):
    assert public_keys({"keys": [rsa_jwk(bits)]})


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536, 2**33 + 1])
def test_an_rsa_key_with_an_odd_exponent_is_refused(exponent):
    e = base64url(exponent.to_bytes(8, "big"))

    with pytest.raises(ValueError, match="RSA"):
        public_keys({"keys": [public_jwk(rsa_key()) | {"e": e}]})


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()])
def test_a_curve_that_is_not_served_is_refused(curve):
    with pytest.raises(ValueError, match="P-256"):
        public_keys({"keys": [public_jwk(ec.generate_private_key(curve))]})


def test_another_edwards_curve_is_refused():
    with pytest.raises(ValueError, match="Ed25519"):
        public_keys({"keys": [public_jwk(ed448.Ed448PrivateKey.generate())]})


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"kty": "PGP"},
        {"kty": ["EC"]},
        EC | {"crv": "P-384"},
        EC | {"x": EC["y"]},
        EC | {"x": "AAAA" + EC["x"]},
        EC | {"x": EC["x"][:-1]},
        EC | {"x": "!!!!" + EC["x"]},
        EC | {"x": "ä" * 43},
        EC | {"x": 7},
        ED25519 | {"x": ""},
        ED25519 | {"crv": "X25519"},
        public_jwk(rsa_key()) | {"n": ""},
        "key",
        None,
        [EC],
    ],
)
def test_a_key_that_is_broken_or_of_no_known_kind_is_refused(broken):
    with pytest.raises(ValueError, match=r"^Key 2 is not an RSA key"):
        public_keys({"keys": [EC, broken]})


@pytest.mark.parametrize("alg", ["HS256", "none", "RS256", "ES384", 7, ["ES256"]])
def test_a_key_with_an_algorithm_that_does_not_fit_is_refused(alg):
    with pytest.raises(ValueError, match="alg other than ES256"):
        public_keys({"keys": [EC | {"alg": alg}]})


@pytest.mark.parametrize("kid", ["", 7, ["kid"], "k" * 257])
def test_a_kid_that_is_none_is_refused(kid):
    with pytest.raises(ValueError, match="kid"):
        public_keys({"keys": [EC | {"kid": kid}]})


def test_two_keys_with_one_kid_are_refused():
    with pytest.raises(ValueError, match="same kid"):
        public_keys({"keys": [EC | {"kid": "one"}, ED25519 | {"kid": "one"}]})


def test_a_set_has_up_to_twenty_keys():
    assert len(public_keys({"keys": [EC] * MOST_KEYS})) == 20
    with pytest.raises(ValueError, match="1 to 20 keys"):
        public_keys({"keys": [EC] * 21})


@pytest.mark.parametrize("no_set", [{}, {"keys": []}, {"keys": EC}, {"keys": "all"}, EC, [EC], 7])
def test_what_is_no_set_is_refused(no_set):
    with pytest.raises(ValueError, match="1 to 20 keys"):
        public_keys(no_set)


@inputs(200)
@given(keys=st.lists(json_values | st.builds(EC.__or__, st.dictionaries(st.text(), json_values))))
def test_any_set_is_taken_or_refused_in_a_sentence(keys):
    try:
        taken = public_keys({"keys": keys})
    except ValueError as refused:
        said = str(refused)
    else:
        said = f"{len(taken)} keys."

    assert said.endswith((".", ")."))
    assert len(said) < 200


def test_whose_assertion_it_is_can_be_read_before_it_is_believed():
    forged = signed({"iss": CLIENT, "sub": CLIENT}, key=STRANGERS_KEY)

    assert claimed_client_id(forged) == CLIENT


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"iss": CLIENT},
        {"sub": CLIENT},
        {"iss": CLIENT, "sub": "another"},
        {"iss": "", "sub": ""},
        {"iss": [CLIENT], "sub": [CLIENT]},
        {"iss": 7, "sub": 7},
        {"iss": "clïent", "sub": "clïent"},
        {"iss": "\ud800", "sub": "\ud800"},
        {"iss": "c" * 4097, "sub": "c" * 4097},
        {"iss": CLIENT, "sub": CLIENT, "padding": "p" * 8192},
        [CLIENT],
        CLIENT,
        None,
    ],
)
def test_an_assertion_of_nobody_in_particular_names_no_client(claims):
    assert claimed_client_id(signed(claims)) is None


@inputs(200)
@given(
    text=st.text() | st.from_regex(r"[\w=-]*\.[\w=-]*\.[\w=-]*", fullmatch=True),
    claims=json_values,
    payload=st.binary(),
)
def test_any_text_names_a_client_or_none(text, claims, payload):
    for assertion in (
        text,
        f"a.{base64url(json.dumps(claims).encode())}.b",
        f"a.{base64url(payload)}.b",
    ):
        assert claimed_client_id(assertion) is None
