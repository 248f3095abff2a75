"""Whose signature an id_token must have, by which algorithm, and that no other proves anything."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given

from tests.conformance.refusals import inputs
from tests.fixtures.openid_provider import ISSUER, KID, TENANT, relying_party, sign
from tests.fixtures.signed_assertions import (
    EC_KEY,
    ED25519_KEY,
    STRANGERS_KEY,
    base64url,
    public_jwk,
    rsa_key,
)
from tests.unit.test_assertion_claims import texts

OTHER_TENANT = "00000000-2b63-4d4f-9a41-8c9d4b4c6a11"
P384_KEY = ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
async def party(clock):
    async with relying_party(clock) as party:
        yield party


@pytest.mark.parametrize(
    ("key", "algorithm"), [(rsa_key(), "RS256"), (rsa_key(), "PS256"), (EC_KEY, "ES256")]
)
async def test_three_algorithms_are_served(party, key, algorithm):
    party.provider.publish(public_jwk(key, kid=KID))

    assert await party.verified(sign(party.claims(), key=key, algorithm=algorithm))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa_key(), "RS384"),
        (rsa_key(), "PS512"),
        (P384_KEY, "ES384"),
        (ED25519_KEY, "EdDSA"),
    ],
)
async def test_no_other_algorithm_or_curve_is_served(party, key, algorithm):
    party.provider.publish(public_jwk(key, kid=KID))

    assert await party.refuses(sign(party.claims(), key=key, algorithm=algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256", ""])
async def test_a_token_that_nobody_signed_is_refused(party, algorithm):
    header = base64url(json.dumps({"alg": algorithm, "kid": KID}).encode())
    payload = base64url(json.dumps(party.claims()).encode())

    assert await party.refuses(f"{header}.{payload}.")
    assert party.provider.fetches == []


@pytest.mark.parametrize("encoding", [serialization.Encoding.DER, serialization.Encoding.PEM])
async def test_a_public_key_is_no_shared_secret(party, encoding):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = rsa_key().public_key().public_bytes(encoding, form)
    parts = ({"alg": "HS256", "kid": KID}, party.claims())
    text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    signature = base64url(hmac.digest(secret, text.encode(), "sha256"))

    assert await party.refuses(f"{text}.{signature}")


async def test_a_shared_secret_that_is_published_signs_nothing(party):
    secret = b"sixty-four bytes of a secret, told to everybody who asks for it."
    party.provider.publish({"kty": "oct", "k": base64url(secret), "kid": KID})

    assert await party.refuses(sign(party.claims(), key=secret, algorithm="HS256"))


async def test_an_algorithm_that_the_key_is_not_for_is_refused(party):
    party.provider.publish(public_jwk(rsa_key(), kid=KID, alg="RS256"))

    assert await party.verified(sign(party.claims(), algorithm="RS256"))
    assert await party.refuses(sign(party.claims(), algorithm="PS256"))
    assert await party.refuses(sign(party.claims(), key=EC_KEY, algorithm="ES256"))


async def test_a_signature_of_somebody_elses_key_is_refused(party):
    party.provider.publish(public_jwk(EC_KEY, kid=KID))
    by_stranger = sign(party.claims(), key=STRANGERS_KEY, algorithm="ES256")
    beside_it = sign(
        party.claims(),
        key=STRANGERS_KEY,
        algorithm="ES256",
        jwk=public_jwk(STRANGERS_KEY, kid=KID),
        jku="https://elsewhere.example/keys",
    )

    assert await party.refuses(by_stranger)
    assert await party.refuses(beside_it)


async def test_claims_that_were_changed_after_signing_are_refused(party):
    header, _, signature = party.id_token().split(".")
    changed = base64url(json.dumps(party.claims(oid="somebody else")).encode())

    assert await party.refuses(f"{header}.{changed}.{signature}")


@pytest.mark.parametrize("kid", [None, "", 7, ["2026-11"], "2026-10", "\ud800"])
async def test_a_token_without_the_id_of_a_published_key_is_refused(party, kid):
    id_token = party.id_token()
    header = base64url(json.dumps({"alg": "RS256", "kid": kid}).encode())

    assert await party.refuses(f"{header}.{id_token.partition('.')[2]}")


async def test_an_empty_id_is_none(party):
    party.provider.publish(public_jwk(rsa_key(), kid=""))

    assert await party.refuses(sign(party.claims(), kid=""))


@pytest.mark.parametrize("typ", ["JWT", "jwt", None])
async def test_a_plain_jwt_is_accepted(party, typ):
    assert await party.verified(sign(party.claims(), typ=typ))


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "logout+jwt"}, {"crit": ["x"]}])
async def test_a_jwt_of_another_kind_is_refused(party, header):
    assert await party.refuses(sign(party.claims(), **header))


async def test_a_token_of_more_than_sixteen_kilobytes_is_refused(party):
    assert await party.verified(party.id_token(groups="g" * 11_000))
    assert await party.refuses(party.id_token(groups="g" * 12_000))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "e30.e30.", "ä.ö.ü", "\ud800", "[]"])
async def test_what_is_no_jwt_is_refused(party, text):
    assert await party.refuses(text)


async def test_a_header_without_end_is_refused(party):
    header = base64url(b'{"alg":' + b"[" * 8000)

    assert await party.refuses(f"{header}.e30.e30")


@pytest.mark.parametrize("payload", [b"[]", b"7", b"{", b"\xff", b"[" * 5000, b""])
async def test_signed_bytes_that_are_no_claims_are_refused(party, payload):
    assert await party.refuses(sign(payload))


@pytest.mark.parametrize("published_for", [ISSUER, ISSUER.replace(TENANT, "{tenantid}"), None])
async def test_a_key_signs_for_the_issuer_that_it_is_published_for(party, published_for):
    party.provider.publish(public_jwk(rsa_key(), kid=KID, issuer=published_for))

    assert await party.verified(party.id_token())


async def test_a_key_that_is_published_for_another_issuer_is_refused(party):
    elsewhere = ISSUER.replace(TENANT, OTHER_TENANT)
    party.provider.publish(public_jwk(rsa_key(), kid=KID, issuer=elsewhere))

    assert await party.refuses(party.id_token())


@inputs(100)
@given(text=texts)
async def test_any_text_is_refused_in_plain_words(party, text):
    assert await party.refuses(text)
