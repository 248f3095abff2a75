"""Which Session-IDs count as secrets, and whom they stand for."""

import base64
import random
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_mcp.errors import InvalidInput
from rally_mcp.sign_in.principal import principal_of_session
from tests.conformance.requirements import requirement

seeds = st.integers(min_value=0, max_value=2**64).map(random.Random)
# The same ids in every run: the product may refuse one random id in a million.
thoroughly = settings(max_examples=300, deadline=None, derandomize=True)


def random_uuid(source: random.Random, version: int = 4) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=version))


@given(seeds)
@thoroughly
def test_every_random_uuid_is_taken(source):
    principal_of_session(random_uuid(source))


@given(seeds, st.integers(min_value=16, max_value=96))
@thoroughly
def test_every_random_secret_of_at_least_128_bits_is_taken(source, length):
    secret = base64.urlsafe_b64encode(source.randbytes(length)).rstrip(b"=").decode()

    principal_of_session(secret)


@given(seeds)
@thoroughly
def test_every_random_hexadecimal_secret_of_128_bits_is_taken(source):
    principal_of_session(source.randbytes(16).hex())


@requirement("A1")
@pytest.mark.parametrize("version", [1, 2, 3, 5])
@given(source=seeds)
@settings(max_examples=50, deadline=None)
def test_a_uuid_of_another_version_is_refused_however_random(version, source):
    with pytest.raises(InvalidInput):
        principal_of_session(random_uuid(source, version))


@requirement("A1")
@given(st.sampled_from("0123456789abcdef"), st.integers(min_value=1, max_value=8), seeds)
@settings(max_examples=100, deadline=None)
def test_a_repeated_pattern_is_refused(digit, length, source):
    pattern = digit + "".join(source.choices("0123456789abcdef", k=length - 1))
    digits = (pattern * 32)[:32]
    as_version_4 = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    with pytest.raises(InvalidInput):
        principal_of_session(as_version_4)


@requirement("A1")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 9, 11, 13, 15])
@pytest.mark.parametrize("first", [0, 1, 10])
def test_what_counts_up_or_down_is_refused(step, first):
    digits = "".join(f"{(first + step * position) % 16:x}" for position in range(32))
    as_version_4 = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    for counted in (as_version_4, digits):
        with pytest.raises(InvalidInput):
            principal_of_session(counted)


@requirement("A1")
@pytest.mark.parametrize("length", [0, 1, 21, 129, 10_000])
def test_an_id_of_another_length_is_refused(length):
    secret = base64.urlsafe_b64encode(random.Random(7).randbytes(10_000)).decode()

    with pytest.raises(InvalidInput):
        principal_of_session(secret[:length])


@requirement("A1")
@pytest.mark.parametrize(
    "character", [" ", "\n", "\u00e9", "\u0660", "+", "/", "=", ".", "\0", "'"]
)
@pytest.mark.parametrize("position", [0, 12, 24])
def test_an_id_with_any_other_character_is_refused(character, position):
    secret = "Zq3vX8mK1pR6tW9yB2nF5h7j"

    with pytest.raises(InvalidInput):
        principal_of_session(secret[:position] + character + secret[position:])


@requirement("A16")
@pytest.mark.parametrize(
    "refused", ["00000000-0000-4000-8000-000000000000", "$COPILOT_MCP_SESSION_ID", "short"]
)
def test_a_refusal_does_not_repeat_the_id(refused):
    with pytest.raises(InvalidInput) as raised:
        principal_of_session(refused)

    assert refused not in raised.value.message
    assert raised.value.__cause__ is None


def test_the_case_of_a_uuid_does_not_matter():
    session_id = "0e5c2f5b-7d3c-4a0f-9b1e-6f8f3a2d7c41"

    keys = {principal_of_session(each).key for each in (session_id, session_id.upper())}

    assert len(keys) == 1


def test_the_case_of_any_other_secret_does_matter():
    session_id = "Zq3vX8mK1pR6tW9yB2nF5h"

    keys = {principal_of_session(each).key for each in (session_id, session_id.swapcase())}

    assert len(keys) == 2


@requirement("A16")
def test_a_principal_prints_neither_its_session_id_nor_its_private_key():
    session_id = "0e5c2f5b-7d3c-4a0f-9b1e-6f8f3a2d7c41"
    principal = principal_of_session(session_id)

    assert session_id not in repr(principal)
    assert "private_key" not in repr(principal)
