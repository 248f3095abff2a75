"""Client authentication by a signed assertion: private_key_jwt (RFC 7521 §4.2, RFC 7523 §3).

A client signs a JWT that is good for one login within minutes. Here are its public keys and
nothing secret. What an assertion says is believed only after its signature was verified with a
key that this product has for the client; keys and addresses inside an assertion are not looked at.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NewType, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rally_mcp.authorization_server.replay_marks import ReplayMarks

SIGNING_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA", "Ed25519")
"""What clients may sign with (RFC 7518 §3.1, RFC 8037; RFC 9864 calls EdDSA Ed25519).

All are asymmetric, so that no public key is ever taken for a shared secret.
"""

MOST_KEYS = 20
"""In a client's set. Without a kid each fitting one is tried."""

_LIFETIME = timedelta(minutes=5)

_LEEWAY = timedelta(seconds=30)
"""How far a client's clock may be off."""

_MARK_MARGIN = timedelta(minutes=1)
"""A mark outlives its assertion by more than a slow request needs from check to mark."""

_LONGEST_ASSERTION = 8192
_LONGEST_CLIENT_ID = 4096
_LONGEST_ID = 256
"""Characters, as all lengths of text here: of a jti or kid."""

_TYPES = ("jwt", "client-authentication+jwt")
"""Of explicitly typed JWTs (RFC 8725 §3.11) only those that are meant for this."""

_NUMERIC_DATE_END = 253402300799
"""The last second of year 9999, where a datetime ends."""

_RSA_BITS = range(2048, 8192 + 1)
_RSA_EXPONENT_BITS = 32
"""Bounds for what a stranger's key can make a verification cost."""

_P256_COORDINATE_BYTES = 32

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})

Claims = NewType("Claims", Mapping[str, Any])
"""What a client signed, or so its bearer says until the signature is verified."""

_Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class AssertionRefused(Exception):
    """The assertion authenticates nobody. The words are our own, and meant for the audit log."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key of a client. `algorithms` is empty for a key that is not meant to sign."""

    kid: str | None
    algorithms: tuple[str, ...]
    key: _Key


def claimed_client_id(assertion: str) -> str | None:
    """Return the client id that an assertion gives as `iss` and `sub`, without believing it.

    It tells whose keys to check the assertion with. None if there is no such id; never raises.
    """
    if len(assertion) > _LONGEST_ASSERTION or assertion.count(".") != 2:  # noqa: PLR2004 compact form
        return None
    try:
        claims = _claims(_decoded(assertion.split(".")[1]))
    except (AssertionRefused, ValueError):
        return None
    match claims:
        case {"iss": str(issuer), "sub": str(subject)} if issuer == subject and issuer.isascii():
            return issuer if 0 < len(issuer) <= _LONGEST_CLIENT_ID else None
    return None


def public_keys(jwks: Mapping[str, Any]) -> tuple[ClientKey, ...]:
    """Return the keys of a JWK set (RFC 7517 §5).

    Raises ValueError with a sentence for whoever wrote the set, unless it has 1 to MOST_KEYS
    public keys, all of a kind that is served here, no two with one kid, and one to sign with.
    """
    match jwks:
        case {"keys": [*members]} if 1 <= len(members) <= MOST_KEYS:
            keys = tuple(_client_key(number, jwk) for number, jwk in enumerate(members, start=1))
        case _:
            raise ValueError(f'A JWK set is {{"keys": […]}} with 1 to {MOST_KEYS} keys.')
    kids = [key.kid for key in keys if key.kid is not None]
    if len(set(kids)) < len(kids):
        raise ValueError("Two keys of the set have the same kid; give each a kid of its own.")
    if not any(key.algorithms for key in keys):
        raise ValueError("The set has no key for signatures (use sig, key_ops verify).")
    return keys


@dataclass(frozen=True, slots=True)
class ClientAssertions:
    """Decides whether an assertion is from the client. Each is good for one login.

    `audiences` are the strings that mean this authorization server: the issuer, which clients
    should use, and the token endpoint.
    """

    replay_marks: ReplayMarks
    audiences: tuple[str, ...]
    clock: Callable[[], datetime]

    async def check(self, assertion: str, client_id: str, jwks: Mapping[str, Any]) -> None:
        """Return if `client_id` made this assertion for us, just now, and it was not used yet.

        Raises AssertionRefused; UpstreamUnavailable where it cannot be known whether it was used.
        """
        claims = _verified_claims(assertion, jwks)
        if not claims.get("iss") == claims.get("sub") == client_id:
            raise AssertionRefused("The assertion is not from and about the client")
        if _sole_audience(claims) not in self.audiences:
            raise AssertionRefused("The assertion is not for this server alone")
        expires_at = self._expiry(claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 1 <= len(jti) <= _LONGEST_ID:
            raise AssertionRefused(f"The assertion has no jti of 1 to {_LONGEST_ID} characters")
        # Last, so that nobody but the client can use a jti up.
        until = expires_at + _LEEWAY + _MARK_MARGIN
        if not await self.replay_marks.first_use(f"client_assertion {client_id}", jti, until):
            raise AssertionRefused("The assertion was used before")

    def _expiry(self, claims: Claims) -> datetime:
        now = self.clock()
        expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
        if expires_at is None:
            raise AssertionRefused("The assertion has no exp")
        if expires_at <= now - _LEEWAY:
            raise AssertionRefused("The assertion has expired")
        for began_at in (issued_at, _moment(claims, "nbf")):
            if began_at is not None and began_at > now + _LEEWAY:
                raise AssertionRefused("The assertion is from the future")
        # No iat, no clock of the client's to count from: it may be as fast as is tolerated.
        if expires_at > (issued_at or now + _LEEWAY) + _LIFETIME:
            raise AssertionRefused("The assertion lives longer than 5 minutes")
        return expires_at


def _verified_claims(assertion: str, jwks: Mapping[str, Any]) -> Claims:
    import jwt
    from jwt.algorithms import OKPAlgorithm

    algorithm, keys = _fitting_keys(_header(assertion), jwks)
    jws = jwt.PyJWS(algorithms=SIGNING_ALGORITHMS)
    jws.register_algorithm("Ed25519", OKPAlgorithm())
    for key in keys:
        try:
            return _claims(jws.decode(assertion, key.key, [algorithm]))
        except jwt.PyJWTError:
            continue
    raise AssertionRefused("No key of the client made the signature")


def _header(assertion: str) -> Mapping[str, Any]:
    import jwt

    if len(assertion) > _LONGEST_ASSERTION or not assertion.isascii():
        raise AssertionRefused("The assertion is not ASCII, or too long")
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError:
        raise AssertionRefused("The assertion is not a JWT that can be read") from None
    if "crit" in header:
        raise AssertionRefused("The assertion needs an extension, crit")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        raise AssertionRefused("The assertion is a JWT of another type, typ")
    return header


def _fitting_keys(
    header: Mapping[str, Any], jwks: Mapping[str, Any]
) -> tuple[str, tuple[ClientKey, ...]]:
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in SIGNING_ALGORITHMS:
        raise AssertionRefused("The assertion's alg is not one that is served")
    try:
        keys = public_keys(jwks)
    except ValueError:
        raise AssertionRefused("The client's key set cannot be used") from None
    fitting = tuple(key for key in keys if algorithm in key.algorithms and kid in (None, key.kid))
    if not fitting:
        raise AssertionRefused("No key of the client fits the assertion's alg and kid")
    return algorithm, fitting


def _claims(payload: bytes) -> Claims:
    """Return a JWT's claims. Raises AssertionRefused unless they are a plain JSON object."""
    try:
        claims = json.loads(payload.decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise AssertionRefused("The assertion's claims are not a JSON object")
    return Claims(claims)


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _sole_audience(claims: Claims) -> str | None:
    """Return `aud`. With a second one, another server could replay at ours what it was sent."""
    match claims.get("aud"):
        case str(audience) | [str(audience)]:
            return audience
    return None


def _moment(claims: Claims, name: str) -> datetime | None:
    if name not in claims:
        return None
    seconds = claims[name]
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds < _NUMERIC_DATE_END:
        raise AssertionRefused(f"The assertion's {name} is not a time")
    return datetime.fromtimestamp(seconds, UTC)


def _client_key(number: int, jwk: Any) -> ClientKey:
    members = jwk if isinstance(jwk, Mapping) else {}
    if not _PRIVATE_MEMBERS.isdisjoint(members):
        raise ValueError(f"Key {number} is private or shared; give the public half alone.")
    kid = members.get("kid")
    if kid is not None and not (isinstance(kid, str) and 1 <= len(kid) <= _LONGEST_ID):
        raise ValueError(f"Key {number} has a kid that is not 1 to {_LONGEST_ID} characters.")
    try:
        algorithms, key = _key_of(members)
    except ValueError:
        raise ValueError(
            f"Key {number} is not an RSA key of {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits, "
            "an EC key on P-256 or an OKP key on Ed25519."
        ) from None
    return ClientKey(kid, _usable(number, members, algorithms), key)


def _usable(number: int, jwk: Mapping[str, Any], algorithms: tuple[str, ...]) -> tuple[str, ...]:
    """Narrow a key's algorithms to what the set's author means it for (RFC 7517 §4.2 to §4.4)."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not (
        isinstance(operations, list) and "verify" in operations
    ):
        return ()
    algorithm = jwk.get("alg")
    if algorithm is None:
        return algorithms
    if algorithm not in algorithms:
        raise ValueError(f"Key {number} has an alg other than {' or '.join(algorithms)}.")
    return (algorithm,)


def _key_of(jwk: Mapping[str, Any]) -> tuple[tuple[str, ...], _Key]:
    match jwk:
        case {"kty": "RSA", "n": str(n), "e": str(e)}:
            return ("RS256", "PS256"), _rsa_key(_decoded(n), _decoded(e))
        case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
            return ("ES256",), _p256_key(_decoded(x), _decoded(y))
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            return ("EdDSA", "Ed25519"), ed25519.Ed25519PublicKey.from_public_bytes(_decoded(x))
    raise ValueError("The kind of key is not served")


def _rsa_key(modulus: bytes, exponent: bytes) -> rsa.RSAPublicKey:
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if n.bit_length() not in _RSA_BITS or e.bit_length() > _RSA_EXPONENT_BITS:
        raise ValueError("The key is too weak or too expensive")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _p256_key(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    if not len(x) == len(y) == _P256_COORDINATE_BYTES:
        raise ValueError("The point has coordinates of another length")
    point = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    return ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()


def _decoded(text: str) -> bytes:
    """Return what base64url without padding means (RFC 7515 §2). Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
