"""The keys that an OpenID provider signs with, and where it publishes them.

    discovery URL ─ OpenID Connect Discovery 1.0 §4 ─> issuer, jwks_uri     remembered for a day
    jwks_uri      ─ RFC 7517 §5 ────────────────────> keys by kid           remembered for an hour

A provider may rotate its keys at any time: a kid that is not known has the keys fetched again,
once a minute at most, so that made-up kids are no way to have the provider asked over and over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rally_mcp.identity_providers.published_documents import PublishedDocuments

CONFIGURATION_MEMORY = timedelta(days=1)
KEYS_MEMORY = timedelta(hours=1)
UNKNOWN_KEY_INTERVAL = timedelta(minutes=1)
"""Between two fetches of a key set for the sake of keys that are not in it."""

SMALLEST_RSA_KEY = 2048
"""Bits (RFC 7518 §3.3)."""

_RSA_ALGORITHMS = ("RS256", "PS256")
_P256_ALGORITHMS = ("ES256",)

SIGNING_ALGORITHMS = (*_RSA_ALGORITHMS, *_P256_ALGORITHMS)
"""All are asymmetric, so that no public key is ever taken for a shared secret."""

_Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class UnknownKey(Exception):
    """The provider publishes no key of that kid which could have signed anything."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and what it may have signed.

    `issuer` is the one issuer whose tokens the key is for, where its publisher says so; Microsoft
    writes `{tenantid}` for any tenant.
    """

    key: _Key
    algorithms: tuple[str, ...]
    issuer: str | None


class KeySets:
    """What OpenID providers publish of themselves; one object for a process.

    `title` is what people call the provider. Both verbs raise UpstreamUnavailable or
    UpstreamTimeout where nothing can be had, UpstreamRejected where what is had is of no use.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._configurations = PublishedDocuments(title, _issuer_and_keys)
        self._key_sets = PublishedDocuments(title, _signing_keys)

    async def issuer_and_keys(
        self, http: httpx.AsyncClient, discovery_url: str, now: datetime
    ) -> tuple[str, str]:
        """Return `issuer` and `jwks_uri` of the provider that describes itself at a URL.

        Both have the URL's origin, or the description is rejected. That the issuer is the rest of
        the URL too (Discovery §4.3) is not asked: Microsoft's has the tenant's id for its name.
        """
        return await self._configurations.get(
            http, discovery_url, now=now, max_age=CONFIGURATION_MEMORY
        )

    async def key(
        self, http: httpx.AsyncClient, jwks_uri: str, kid: str, now: datetime
    ) -> SigningKey:
        """Return the key of that id. Raises UnknownKey besides."""
        for max_age in (KEYS_MEMORY, UNKNOWN_KEY_INTERVAL):
            keys = await self._key_sets.get(http, jwks_uri, now=now, max_age=max_age)
            if kid in keys:
                return keys[kid]
        raise UnknownKey


def _issuer_and_keys(discovery_url: str, body: bytes) -> tuple[str, str]:
    match _object(body):
        case {"issuer": str(issuer), "jwks_uri": str(jwks_uri)}:
            origin = _origin(discovery_url)
            if not _origin(issuer) == _origin(jwks_uri) == origin:
                raise ValueError("The issuer or its jwks_uri is not at the origin it is told at")
            return issuer, jwks_uri
    raise ValueError("The description has no issuer or no jwks_uri")


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("The issuer or its jwks_uri is not a URL") from None
    return parsed.scheme, parsed.host, parsed.port


def _signing_keys(_: str, body: bytes) -> Mapping[str, SigningKey]:
    """Return the keys of a set by their kid; any that are not understood are left out."""
    match _object(body):
        case {"keys": [*members]}:
            found = [(jwk["kid"], _signing_key(jwk)) for jwk in members if _may_sign(jwk)]
            return {kid: key for kid, key in found if key}
    raise ValueError("There is no JWK set")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        match json.loads(body):
            case dict(answer):
                return answer
    except RecursionError:
        pass
    raise ValueError("The answer is not a JSON object")


def _may_sign(jwk: Any) -> bool:
    """Tell whether a key has an id and is meant for signatures (RFC 7517 §4.2, §4.3)."""
    match jwk:
        case {"kty": "RSA" | "EC", "kid": str(kid)}:
            operations = jwk.get("key_ops", ["verify"])
            is_for_verifying = isinstance(operations, list) and "verify" in operations
            return bool(kid) and jwk.get("use", "sig") == "sig" and is_for_verifying
    return False


def _signing_key(jwk: Mapping[str, Any]) -> SigningKey | None:
    algorithm = "RS256" if jwk["kty"] == "RSA" else "ES256"
    try:
        key = jwt.PyJWK.from_dict(dict(jwk), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, LookupError):
        return None
    match key:
        case rsa.RSAPublicKey() if key.key_size >= SMALLEST_RSA_KEY:
            algorithms: tuple[str, ...] = _RSA_ALGORITHMS
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            algorithms = _P256_ALGORITHMS
        case _:
            return None
    meant = tuple(name for name in algorithms if jwk.get("alg", name) == name)
    issuer = jwk.get("issuer")
    return SigningKey(key, meant, issuer if isinstance(issuer, str) else None)
