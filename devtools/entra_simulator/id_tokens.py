"""id_tokens as Entra's v2.0 endpoint issues them, and those that a client must refuse."""

import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from devtools.entra_simulator.directory import OTHER_TENANT, User
from devtools.entra_simulator.discovery import issuer_of
from devtools.entra_simulator.scopes import EMAIL, PROFILE
from devtools.entra_simulator.signing_keys import SigningKey, SigningKeys, base64url

IdTokenFault = Literal[
    "missing",
    "wrong_issuer",
    "wrong_tenant",
    "wrong_audience",
    "wrong_nonce",
    "missing_nonce",
    "expired",
    "not_yet_valid",
    "unsigned",
    "hs256_with_public_key",
    "unknown_kid",
    "wrong_signature",
]
"""What is wrong with an id_token; all else about it is right, so that only one check can tell."""

Claims = dict[str, object]

_BACKDATED = timedelta(minutes=5)
"""Entra issues tokens in the past, for clients whose clocks are slow."""

_LIFETIME = timedelta(minutes=65)
_FAR = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class IdTokenSubject:
    """Whom an id_token is about and for. `nonce` is empty where none was sent, and in a refresh."""

    user: User
    client_id: str
    scopes: tuple[str, ...]
    nonce: str


@dataclass(frozen=True, slots=True)
class IdTokenIssuer:
    """Issues id_tokens of one tenant under the origin at which it was asked."""

    keys: SigningKeys
    origin: str
    tenant: str

    def issue(self, subject: IdTokenSubject, now: datetime, fault: IdTokenFault | None) -> str:
        """Return a signed id_token, or one with a fault."""
        claims = self._claims(subject, now)
        claims |= _false_claims(fault, claims, now)
        if fault == "missing_nonce":
            claims.pop("nonce", None)
        return self._encode(claims, now, fault)

    def _claims(self, subject: IdTokenSubject, now: datetime) -> Claims:
        user = subject.user
        tenant = user.tenant or self.tenant
        issued_at = _seconds(now - _BACKDATED)
        claims: Claims = {
            "aud": subject.client_id,
            "iss": issuer_of(self.origin, tenant),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": _seconds(now - _BACKDATED + _LIFETIME),
            "aio": secrets.token_urlsafe(48),
            "rh": f"1.{secrets.token_urlsafe(40)}.",
            "sub": user.subject(subject.client_id),
            "tid": tenant,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }
        if PROFILE in subject.scopes:
            claims |= {"name": user.name, "preferred_username": user.email, "oid": user.oid}
        if EMAIL in subject.scopes:
            claims["email"] = user.email
        if subject.nonce:
            claims["nonce"] = subject.nonce
        return claims

    def _encode(self, claims: Claims, now: datetime, fault: IdTokenFault | None) -> str:
        current = self.keys.current
        if fault == "unsigned":
            return _jws("none", current.kid, claims, lambda _: b"")
        if fault == "hs256_with_public_key":
            secret = current.public_pem
            return _jws("HS256", current.kid, claims, lambda data: _hs256(secret, data))
        is_by_a_stranger = fault in {"unknown_kid", "wrong_signature"}
        signer = SigningKey.generate(now) if is_by_a_stranger else current
        kid = signer.kid if fault == "unknown_kid" else current.kid
        return _jws("RS256", kid, claims, signer.sign)


def _false_claims(fault: IdTokenFault | None, claims: Claims, now: datetime) -> Claims:
    match fault:
        case "wrong_issuer":
            return {"iss": f"https://login.example.com/{claims['tid']}/v2.0"}
        case "wrong_tenant":
            return {"tid": OTHER_TENANT}
        case "wrong_audience":
            return {"aud": str(uuid.uuid4())}
        case "wrong_nonce":
            return {"nonce": secrets.token_urlsafe(16)}
        case "expired":
            issued_at = _seconds(now - _FAR)
            return {"iat": issued_at, "nbf": issued_at, "exp": _seconds(now - _FAR / 2)}
        case "not_yet_valid":
            return {"nbf": _seconds(now + _FAR), "exp": _seconds(now + 2 * _FAR)}
    return {}


def _jws(algorithm: str, kid: str, claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """Serialize by hand (RFC 7515 §7.1), because libraries refuse to write what is false."""
    header = {"typ": "JWT", "alg": algorithm, "kid": kid}
    signed = f"{_json(header)}.{_json(claims)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


def _json(members: Mapping[str, object]) -> str:
    return base64url(json.dumps(members, separators=(",", ":")).encode())


def _hs256(secret: bytes, data: bytes) -> bytes:
    return hmac.digest(secret, data, "sha256")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
