"""Entra's id_tokens, the keys that sign them, and those that a client must refuse."""

import base64
import hashlib
import hmac
from datetime import timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from devtools.entra_simulator import DOMAIN, OTHER_TENANT, TENANT
from tests.fixtures.simulated_entra import (
    CLIENT_ID,
    CONFIGURATION,
    ISSUER,
    KEYS,
    NONCE,
    OTHER_CLIENT_ID,
    OTHER_CREDENTIALS,
    read_jwt,
    simulated_entra,
)


@pytest.fixture
async def entra(clock):
    async with simulated_entra(clock) as entra:
        yield entra


async def id_token_of(entra, user="ann", **changes):
    return (await entra.signed_in(user, **changes))["id_token"]


async def claims_of(entra, user="ann", **changes):
    return read_jwt(await id_token_of(entra, user, **changes))[1]


async def test_an_id_token_has_the_claims_of_microsofts_version_two(entra, clock):
    token = await id_token_of(entra)

    header, claims = read_jwt(token)
    opaque = {name: claims.pop(name) for name in ("aio", "rh", "sub", "uti")}
    assert header == {"typ": "JWT", "alg": "RS256", "kid": next(iter(await entra.keys()))}
    assert all(isinstance(value, str) and len(value) > 20 for value in opaque.values())
    assert claims == {
        "aud": CLIENT_ID,
        "iss": ISSUER,
        "iat": int((clock() - timedelta(minutes=5)).timestamp()),
        "nbf": int((clock() - timedelta(minutes=5)).timestamp()),
        "exp": int((clock() + timedelta(hours=1)).timestamp()),
        "name": "Ann Archer",
        "preferred_username": "ann@example.com",
        "oid": "0f6b1d7c-5b0a-4c7e-8d21-6a4e3f9b1a01",
        "email": "ann@example.com",
        "nonce": NONCE,
        "tid": TENANT,
        "ver": "2.0",
    }


async def test_an_id_token_passes_every_check(entra):
    assert await entra.problems(await id_token_of(entra)) == set()


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("openid", {"name", "preferred_username", "oid", "email"}),
        ("openid profile", {"email"}),
        ("openid email", {"name", "preferred_username", "oid"}),
    ],
)
async def test_what_an_id_token_tells_of_the_user_follows_from_the_scopes(entra, scope, missing):
    claims = await claims_of(entra, scope=scope)

    assert {"name", "preferred_username", "oid", "email"} - set(claims) == missing


async def test_a_sign_in_without_nonce_has_none_in_its_id_token(entra):
    claims = await claims_of(entra, nonce=None)

    assert "nonce" not in claims


async def test_the_id_token_of_a_refresh_has_no_nonce(entra):
    refresh_token = (await entra.signed_in())["refresh_token"]

    token = (await entra.refreshed(refresh_token)).json()["id_token"]

    assert "nonce" not in read_jwt(token)[1]
    assert await entra.problems(token, nonce=None) == set()


async def test_a_subject_is_the_same_each_time_and_another_for_each_client_and_user(entra):
    code = await entra.authorized(client_id=OTHER_CLIENT_ID)
    elsewhere = (await entra.exchanged(code, **OTHER_CREDENTIALS)).json()["id_token"]

    first, second, bob = [await claims_of(entra, user) for user in ("ann", "ann", "bob")]
    other = read_jwt(elsewhere)[1]

    assert first["sub"] == second["sub"]
    assert len({first["sub"], bob["sub"], other["sub"]}) == 3
    assert first["oid"] == other["oid"]
    assert first["uti"] != second["uti"]


async def test_eve_is_of_another_tenant_and_nothing_else_is_wrong_with_her(entra):
    token = await id_token_of(entra, "eve")

    claims = read_jwt(token)[1]
    assert await entra.problems(token) == {"iss", "tid"}
    assert claims["tid"] == OTHER_TENANT
    assert claims["iss"] == f"http://entra.test/{OTHER_TENANT}/v2.0"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("wrong_issuer", "iss"),
        ("wrong_tenant", "tid"),
        ("wrong_audience", "aud"),
        ("wrong_nonce", "nonce"),
        ("missing_nonce", "nonce"),
        ("expired", "exp"),
        ("not_yet_valid", "nbf"),
        ("unsigned", "alg"),
        ("hs256_with_public_key", "alg"),
        ("unknown_kid", "kid"),
        ("wrong_signature", "signature"),
    ],
)
async def test_a_false_id_token_is_false_in_one_thing_alone(entra, fault, problem):
    entra.simulator.id_token_faults.add(fault)

    false, good = await id_token_of(entra), await id_token_of(entra)

    assert await entra.problems(false) == {problem}
    assert await entra.problems(good) == set()


async def test_an_id_token_can_be_missing_from_the_answer(entra):
    entra.simulator.id_token_faults.add("missing")

    document = await entra.signed_in()

    assert "id_token" not in document
    assert "refresh_token" in document


async def test_an_unsigned_id_token_ends_in_an_empty_signature(entra):
    entra.simulator.id_token_faults.add("unsigned")

    token = await id_token_of(entra)

    assert read_jwt(token)[0]["alg"] == "none"
    assert token.endswith(".")


async def test_the_public_key_as_a_shared_secret_gives_the_signature_of_the_hs256_token(entra):
    entra.simulator.id_token_faults.add("hs256_with_public_key")

    token = await id_token_of(entra)

    header, _ = read_jwt(token)
    published = jwt.PyJWK.from_dict((await entra.keys())[header["kid"]]).key
    secret = published.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed, _, signature = token.rpartition(".")
    digest = hmac.digest(secret, signed.encode(), "sha256")
    assert header["alg"] == "HS256"
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == signature


async def test_faults_of_id_tokens_come_in_turn_and_as_often_as_planned(entra):
    entra.simulator.id_token_faults.add("wrong_audience", count=2)
    entra.simulator.id_token_faults.add("expired", count=None)

    problems = [await entra.problems(await id_token_of(entra)) for _ in range(4)]
    entra.simulator.id_token_faults.clear()

    assert problems == [{"aud"}, {"aud"}, {"exp"}, {"exp"}]
    assert await entra.problems(await id_token_of(entra)) == set()


async def test_a_published_key_has_the_members_of_microsofts_and_a_certificate(entra):
    response = await entra.http.get(KEYS)

    (key,) = response.json()["keys"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    thumbprint = hashlib.sha1(certificate.public_bytes(serialization.Encoding.DER)).digest()
    assert set(key) == {
        "kty",
        "use",
        "kid",
        "x5t",
        "n",
        "e",
        "x5c",
        "cloud_instance_name",
        "issuer",
    }
    assert key["kid"] == key["x5t"] == base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    assert (key["kty"], key["use"], key["e"], key["issuer"]) == ("RSA", "sig", "AQAB", ISSUER)
    assert certificate.public_key() == jwt.PyJWK.from_dict(key).key
    assert "max-age" in response.headers["cache-control"]


async def test_after_a_rotation_a_new_key_signs_and_the_old_one_still_verifies(entra):
    before = await id_token_of(entra)

    entra.simulator.keys.rotate()
    after = await id_token_of(entra)

    kids = [read_jwt(token)[0]["kid"] for token in (after, before)]
    assert list(await entra.keys()) == kids
    assert kids[0] != kids[1]
    assert await entra.problems(before) == await entra.problems(after) == set()


async def test_the_first_key_is_made_where_none_is_given(clock):
    async with simulated_entra(clock, signing_key=None) as one, simulated_entra(clock) as other:
        own, shared = await one.keys(), await other.keys()
        problems = await one.problems(await id_token_of(one))

    assert problems == set()
    assert len(own) == len(shared) == 1
    assert set(own).isdisjoint(shared)


async def test_the_configuration_names_what_is_served(entra):
    response = await entra.http.get(CONFIGURATION)

    document = response.json()
    base = f"http://entra.test/{TENANT}"
    assert document["issuer"] == ISSUER
    assert document["authorization_endpoint"] == f"{base}/oauth2/v2.0/authorize"
    assert document["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert document["jwks_uri"] == f"{base}/discovery/v2.0/keys"
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["subject_types_supported"] == ["pairwise"]
    assert {"client_secret_post", "client_secret_basic"} <= set(
        document["token_endpoint_auth_methods_supported"]
    )
    assert "code_challenge_methods_supported" not in document
    assert "max-age" in response.headers["cache-control"]


async def test_a_domain_of_the_tenant_leads_to_the_same_issuer(entra):
    by_domain = await entra.http.get(CONFIGURATION.replace(TENANT, DOMAIN))
    by_guid = await entra.http.get(CONFIGURATION)

    assert by_domain.json() == by_guid.json()


async def test_every_url_follows_from_the_host_that_was_asked(entra):
    response = await entra.http.get(CONFIGURATION, headers={"Host": "login.example.com:8443"})

    assert response.json()["issuer"] == f"http://login.example.com:8443/{TENANT}/v2.0"


@pytest.mark.parametrize("path", [KEYS, CONFIGURATION])
async def test_another_tenant_publishes_nothing(entra, path):
    response = await entra.http.get(path.replace(TENANT, OTHER_TENANT))

    assert response.status_code == 400
    assert response.json()["error"] == "invalid_tenant"
