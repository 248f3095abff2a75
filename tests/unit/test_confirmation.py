"""The confirmation code: how it is made, read, written and compared."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_mcp.sign_in import confirmation

codes = st.text(confirmation.ALPHABET, min_size=8, max_size=8)


def test_a_code_has_eight_characters_of_crockfords_base32():
    made = {confirmation.new_code() for _ in range(200)}

    assert len(made) == 200
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{8}", code) for code in made)
    assert set("".join(made)) == set(confirmation.ALPHABET)


@given(codes)
def test_a_code_is_read_as_it_is_written(code):
    written = confirmation.written(code)

    assert re.fullmatch(r"\w{4}-\w{4}", written)
    assert confirmation.normalised(written) == code


@given(codes)
def test_case_dashes_spaces_and_characters_that_look_alike_do_not_matter(code):
    typed = f" {code[:3].lower()}- -{code[3:]} "
    lookalike = code.replace("0", "O").replace("1", "L")

    assert confirmation.normalised(typed) == code
    assert confirmation.normalised(lookalike) == code
    assert confirmation.normalised(lookalike.lower().replace("l", "i")) == code


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "K7QF2M9",
        "K7QF2M9XA",
        "K7QF-2M9U",
        "K7QF_2M9X",
        "K7QF\n2M9X",
        "\u0660" * 8,
        "\U0001d7d8" * 8,
    ],
)
def test_what_cannot_be_a_code_is_not_read_as_one(typed):
    assert confirmation.normalised(typed) is None


@given(st.text(max_size=20))
def test_whatever_is_typed_gives_a_code_or_nothing(typed):
    meant = confirmation.normalised(typed)

    assert meant is None or re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{8}", meant)


async def test_only_the_code_that_was_hashed_matches():
    salt = confirmation.new_salt()
    expected = await confirmation.code_hash("K7QF2M9X", salt)

    assert await confirmation.matches("K7QF2M9X", salt, expected)
    assert not await confirmation.matches("K7QF2M9Y", salt, expected)


async def test_the_same_code_has_another_hash_under_another_salt():
    hashes = [await confirmation.code_hash("K7QF2M9X", confirmation.new_salt()) for _ in range(2)]

    assert hashes[0] != hashes[1]


async def test_the_hash_is_scrypt_with_its_usual_cost():
    made = await confirmation.code_hash("K7QF2M9X", "00" * 16)

    # openssl kdf -keylen 32 -kdfopt n:16384 -kdfopt r:8 -kdfopt p:1 … SCRYPT
    assert made == "9b6f8a9df5d6af368cd46d94fd4b8707ca0bdeb09d4caa2f6e092d8938db5212"
