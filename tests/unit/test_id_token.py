"""What an id_token must say, and that one which says anything else proves nothing."""

import json
import uuid
from dataclasses import replace

import pytest
from hypothesis import given

from rally_mcp.identity_providers.id_token import CHECKED, READ, UNUSED
from tests.conformance.refusals import inputs
from tests.fixtures.log_lines import written_log
from tests.fixtures.openid_provider import (
    CLIENT_ID,
    ISSUER,
    KID,
    NONCE,
    RULES,
    TENANT,
    relying_party,
    sign,
)
from tests.fixtures.signed_assertions import EC_KEY, public_jwk
from tests.unit.test_assertion_claims import json_objects

OTHER_CLIENT = "00000000-6f0b-4a52-9a3c-0d8f2f6f0f77"
OTHER_TENANT = "00000000-2b63-4d4f-9a41-8c9d4b4c6a11"
TIMES = ["exp", "iat", "nbf"]

DOCUMENTED = (
    "aud iss iat idp nbf exp c_hash at_hash aio preferred_username email name nonce oid roles rh",
    "sub tid sid uti ver hasgroups groups:src1 groups _claim_names _claim_sources acct acrs",
    "auth_time ctry fwd login_hint tenant_ctry tenant_region_scope upn verified_primary_email",
    "verified_secondary_email vnet xms_cc xms_edov xms_pdl xms_pl xms_tpl ztdid ipaddr onprem_sid",
    "pwd_exp pwd_url in_corp family_name given_name",
)
"""Microsoft's references of id_token claims and of optional claims, as far as v2 id_tokens go."""


@pytest.fixture
async def party(clock):
    async with relying_party(clock) as party:
        yield party


async def test_a_good_id_token_gives_its_claims(party):
    found = await party.verified(party.id_token())

    assert found == party.claims()


@pytest.mark.parametrize(
    "issuer",
    [None, "", f"{ISSUER}/", ISSUER.upper(), ISSUER.replace(TENANT, OTHER_TENANT), [ISSUER], 7],
)
async def test_another_issuer_is_refused(party, issuer):
    assert await party.refuses(party.id_token(iss=issuer))


@pytest.mark.parametrize(
    "audience",
    [None, "", OTHER_CLIENT, CLIENT_ID.upper(), [], [OTHER_CLIENT], [[CLIENT_ID]], {}, 7],
)
async def test_a_token_for_somebody_else_is_refused(party, audience):
    assert await party.verified(party.id_token(aud=[CLIENT_ID]))
    assert await party.refuses(party.id_token(aud=audience))


async def test_a_token_for_several_must_have_been_issued_to_us(party):
    several = [CLIENT_ID, OTHER_CLIENT]

    assert await party.verified(party.id_token(aud=several, azp=CLIENT_ID))
    assert await party.refuses(party.id_token(aud=several))
    assert await party.refuses(party.id_token(aud=several, azp=OTHER_CLIENT))
    assert await party.refuses(party.id_token(aud=[OTHER_CLIENT, "x"], azp=CLIENT_ID))


async def test_a_token_that_was_issued_to_somebody_else_is_refused(party):
    assert await party.refuses(party.id_token(azp=OTHER_CLIENT))


@pytest.mark.parametrize("nonce", [None, "", NONCE[:-1], f"{NONCE}x", NONCE.swapcase(), "ä", [], 7])
async def test_an_answer_to_another_request_is_refused(party, nonce):
    assert await party.refuses(party.id_token(nonce=nonce))


async def test_no_nonce_is_no_proof_even_where_none_was_sent(party):
    without = replace(RULES, nonce="")

    assert await party.refuses(party.id_token(nonce=""), without)
    assert await party.refuses(party.id_token(nonce=None), without)


@pytest.mark.parametrize("tenant", [None, "", OTHER_TENANT, [TENANT], 7])
async def test_somebody_of_another_tenant_is_refused(party, tenant):
    assert await party.refuses(party.id_token(tid=tenant))


async def test_the_tenant_is_told_by_the_issuer_alone_where_no_id_is_given(party):
    assert await party.verified(party.id_token(tid=None), replace(RULES, tenant_id=None))


async def test_an_administrator_may_write_the_tenant_in_capitals(party):
    assert await party.verified(party.id_token(), replace(RULES, tenant_id=TENANT.upper()))


async def test_a_token_lives_until_its_expiry_and_a_minute(party, clock):
    id_token = party.id_token(exp=party.now + 600)
    clock.advance(seconds=659)

    assert await party.verified(id_token)
    clock.advance(seconds=1)
    assert await party.refuses(id_token)


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_a_token_from_the_future_is_refused(party, name):
    assert await party.verified(party.id_token(**{name: party.now + 60}))
    assert await party.refuses(party.id_token(**{name: party.now + 61}))


async def test_a_token_must_have_its_times_but_for_nbf(party):
    assert await party.verified(party.id_token(nbf=None))
    assert await party.refuses(party.id_token(exp=None))
    assert await party.refuses(party.id_token(iat=None))


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["1", True, False, [], {}, -1, 10**30, -1e300, 253402300799, ""])
async def test_a_time_that_is_none_is_refused(party, name, value):
    assert await party.refuses(party.id_token(**{name: value}))


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "null", "9" * 5000])
async def test_a_number_that_is_none_is_refused(party, name, number):
    claims = json.dumps(party.claims(**{name: "here"})).replace('"here"', number)

    assert await party.refuses(sign(claims.encode()))


@inputs(200)
@given(changed=json_objects)
async def test_any_claims_are_accepted_or_refused_in_plain_words(party, changed):
    party.provider.publish(public_jwk(EC_KEY, kid=KID))
    claims = json.dumps(party.claims() | changed).encode()
    id_token = sign(claims, key=EC_KEY, algorithm="ES256")

    assert not await party.refuses(id_token) or not CHECKED.isdisjoint(changed)


def test_every_claim_that_microsoft_documents_is_accounted_for_once():
    assert {*" ".join(DOCUMENTED).split()} <= CHECKED | READ | UNUSED
    assert len(CHECKED) + len(READ) + len(UNUSED) == len(CHECKED | READ | UNUSED)


async def test_a_new_claim_is_reported_once_and_by_its_name_alone(party):
    name = f"new_{uuid.uuid4().hex}"
    id_token = party.id_token(**{name: "what it says", "extn.badge": "7", "upn": "ann@example.com"})

    with written_log() as log:
        await party.verified(id_token)
        await party.verified(id_token)

    (line,) = log.lines
    assert (line["severity"], line["claim"]) == ("WARNING", name)
    assert "what it says" not in log.text
