"""Sealing agrees with RFC 9180, opens nowhere but in its place, and PKCE with RFC 7636."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_mcp.crypto import (
    Location,
    NotOpened,
    PrivateKey,
    Sealed,
    random_secret,
    record_key,
    s256_challenge,
)

PLACE = Location("principals", "0123", "rally.active.access_token")
KEM = b"KEM" + (32).to_bytes(2, "big")
SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (32, 1, 2))

names = st.text(max_size=12)
locations = st.builds(Location, names, names, names)
secrets_given = st.binary(min_size=16, max_size=16).map(bytes.hex)

quickly = settings(max_examples=30, deadline=None)


def opened_by_rfc_9180(
    key: X25519PrivateKey, enc: bytes, ciphertext: bytes, info: bytes, aad: bytes = b""
) -> bytes:
    """Open in base mode, written from RFC 9180 §4.1 and §5.1 alone, for our suite."""
    recipient = key.public_key().public_bytes_raw()
    exchanged = key.exchange(X25519PublicKey.from_public_bytes(enc))
    eae_prk = _extract(KEM, b"", b"eae_prk", exchanged)
    shared_secret = _expand(KEM, eae_prk, b"shared_secret", enc + recipient, 32)
    psk_id_hash = _extract(SUITE, b"", b"psk_id_hash", b"")
    context = b"\x00" + psk_id_hash + _extract(SUITE, b"", b"info_hash", info)
    secret = _extract(SUITE, shared_secret, b"secret", b"")
    nonce = _expand(SUITE, secret, b"base_nonce", context, 12)
    return AESGCM(_expand(SUITE, secret, b"key", context, 32)).decrypt(nonce, ciphertext, aad)


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """One block is enough: nothing here is longer than a SHA-256."""
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, labeled + b"\x01", "sha256")[:length]


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(data: bytes) -> Sealed:
    return Sealed(base64.urlsafe_b64encode(data).rstrip(b"=").decode())


def test_the_published_vector_of_the_suite_opens():
    # CFRG's test-vectors.json of RFC 9180: mode 0, kem 32, kdf 1, aead 2, the first encryption.
    key = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"
    enc = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256"
    ciphertext = (
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"
    )

    opened = opened_by_rfc_9180(
        X25519PrivateKey.from_private_bytes(bytes.fromhex(key)),
        bytes.fromhex(enc),
        bytes.fromhex(ciphertext),
        info=b"Ode on a Grecian Urn",
        aad=b"Count-0",
    )

    assert opened == b"Beauty is truth, truth beauty"


@given(plaintext=st.text(max_size=200), secret=secrets_given, place=locations)
@quickly
def test_what_is_sealed_here_opens_by_the_letter_of_the_rfc(plaintext, secret, place):
    key = PrivateKey.derive(secret, "test")

    sealed = unbase64url(key.public_key.seal(plaintext, place))

    opened = opened_by_rfc_9180(key.key, sealed[:32], sealed[32:], place.info)
    assert opened.decode() == plaintext


@given(plaintext=st.text(max_size=200), secret=secrets_given, place=locations)
@quickly
def test_what_is_sealed_opens_with_its_key_at_its_place(plaintext, secret, place):
    sealed = PrivateKey.derive(secret, "test").public_key.seal(plaintext, place)

    assert PrivateKey.derive(secret, "test").open(sealed, place) == plaintext


@given(place=locations, other=locations)
@quickly
def test_what_is_sealed_opens_at_no_other_place(place, other):
    key = PrivateKey.derive("0123456789abcdef", "test")
    elsewhere = other if other != place else replace(other, field=f"{other.field}.")

    with pytest.raises(NotOpened):
        key.open(key.public_key.seal("token", place), elsewhere)


def test_a_place_is_no_other_however_its_parts_are_cut():
    places = [
        Location("a", "b", "c"),
        Location("ab", "", "c"),
        Location("a", "bc", ""),
        Location('a", "b', "c", ""),
        Location("a,b", "c", ""),
    ]

    assert len({place.info for place in places}) == len(places)


@given(secret=secrets_given, other=secrets_given)
@quickly
def test_what_is_sealed_opens_with_no_other_key(secret, other):
    key = PrivateKey.derive(secret, "test")
    stranger = PrivateKey.derive(other, "test" if other != secret else "other purpose")

    with pytest.raises(NotOpened):
        stranger.open(key.public_key.seal("token", PLACE), PLACE)


def test_one_secret_gives_another_key_for_each_purpose():
    purposes = ("session principal", "oauth state", "")

    keys = {PrivateKey.derive("0123456789abcdef", each).public_key.text for each in purposes}

    assert len(keys) == len(purposes)


def test_any_flipped_bit_keeps_it_shut():
    key = PrivateKey.derive("0123456789abcdef", "test")
    sealed = unbase64url(key.public_key.seal("token", PLACE))

    opened = []
    for position in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[position // 8] ^= 1 << position % 8
        try:
            opened.append((position, key.open(base64url(bytes(altered)), PLACE)))
        except NotOpened:
            continue

    assert opened == []


@pytest.mark.parametrize("length", [0, 1, 31, 32, 47, 48, 52])
def test_a_part_of_it_does_not_open(length):
    key = PrivateKey.derive("0123456789abcdef", "test")
    sealed = unbase64url(key.public_key.seal("token", PLACE))

    with pytest.raises(NotOpened):
        key.open(base64url(sealed[:length]), PLACE)


@pytest.mark.parametrize("text", ["", "x", "!!!!", "\u00e9", "a" * 63, "A" * 120])
def test_what_was_never_sealed_does_not_open(text):
    with pytest.raises(NotOpened):
        PrivateKey.derive("0123456789abcdef", "test").open(Sealed(text), PLACE)


def test_sealing_the_same_twice_gives_different_ciphertexts():
    key = PrivateKey.derive("0123456789abcdef", "test").public_key

    assert key.seal("token", PLACE) != key.seal("token", PLACE)


def test_a_private_key_does_not_print_itself():
    key = PrivateKey.derive("0123456789abcdef", "test")

    assert key.key.private_bytes_raw().hex() not in repr(key)
    assert "0123456789abcdef" not in repr(key)


def test_the_challenge_is_that_of_rfc_7636_appendix_b():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_record_is_named_after_the_hash_of_its_secret():
    assert record_key("secret") == hashlib.sha256(b"secret").hexdigest()


@pytest.mark.parametrize(("bits", "characters"), [(128, 22), (144, 24), (384, 64)])
def test_a_random_secret_is_base64url_of_its_bits_and_never_the_same(bits, characters):
    made = {random_secret(bits) for _ in range(100)}

    assert len(made) == 100
    assert {len(each) for each in made} == {characters}
    assert all(len(unbase64url(each)) * 8 == bits for each in made)
