"""Secrets: making them, naming records after them, and sealing what the store must not know.

Everything secret is sealed with HPKE (RFC 9180, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
AES-256-GCM, base mode) to a public key. The private half comes from a secret that only the
caller holds: the Session-ID for a person's tokens, `state` for a code_verifier. A grant's private
half is random and stored sealed in turn: under the consent cookie, then the authorization code,
then the access and refresh tokens. So whoever has the store, its backups and the logs, but none
of those secrets, opens nothing.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Sealed = NewType("Sealed", str)
"""base64url of the HPKE encapsulated key and ciphertext; opens only where it was sealed for."""

RecordKey = NewType("RecordKey", str)
"""SHA-256 of a secret, in hex: the name of the record that belongs to it."""

_WRAPPING = "sealed under a secret"

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Location:
    """The place a ciphertext belongs to. Moved to any other place, it does not open."""

    collection: str
    document: str
    field: str

    @property
    def info(self) -> bytes:
        """The HPKE `info`: unambiguous, whatever the parts contain."""
        return json.dumps(["rally-mcp/1", self.collection, self.document, self.field]).encode()


class NotOpened(Exception):
    """The ciphertext is not for this key, or not from this place, or was altered."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What tokens are sealed to. Its text form is stored in the principal's record."""

    text: str

    def seal(self, plaintext: str, location: Location) -> Sealed:
        """Seal `plaintext` so that only the private key opens it, and only at `location`."""
        key = X25519PublicKey.from_public_bytes(_unbase64url(self.text))
        return Sealed(_base64url(_SUITE.encrypt(plaintext.encode(), key, location.info)))


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """Opens what was sealed to its public half. Never stored; derived anew for each request."""

    key: X25519PrivateKey

    @classmethod
    def derive(cls, secret: str, purpose: str) -> "PrivateKey":
        """Derive the key that belongs to a high-entropy secret (RFC 5869), one per purpose."""
        hkdf = HKDF(SHA256(), length=32, salt=b"rally-mcp/1", info=purpose.encode())
        return cls(X25519PrivateKey.from_private_bytes(hkdf.derive(secret.encode())))

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Make a key that comes from no secret; it is kept wrapped under secrets, see `wrap`."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def unwrap(cls, wrapped: Sealed, secret: str, location: Location) -> "PrivateKey":
        """Return the key that `wrap` wrapped under `secret` for `location`. Raises NotOpened."""
        text = open_under(secret, wrapped, location)
        return cls(X25519PrivateKey.from_private_bytes(_unbase64url(text)))

    def wrap(self, secret: str, location: Location) -> Sealed:
        """Seal this key so that only the bearer of a high-entropy secret gets it."""
        return seal_under(secret, _base64url(self.key.private_bytes_raw()), location)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return PublicKey(_base64url(self.key.public_key().public_bytes_raw()))

    def open(self, sealed: Sealed, location: Location) -> str:
        """Open what was sealed for this key at `location`. Raises NotOpened."""
        try:
            ciphertext = _unbase64url(sealed)
            return _SUITE.decrypt(ciphertext, self.key, location.info).decode()
        except (InvalidTag, ValueError) as error:
            raise NotOpened from error


def seal_under(secret: str, plaintext: str, location: Location) -> Sealed:
    """Seal so that only the bearer of a high-entropy secret can open it, by `open_under`."""
    return PrivateKey.derive(secret, _WRAPPING).public_key.seal(plaintext, location)


def open_under(secret: str, sealed: Sealed, location: Location) -> str:
    """Open what `seal_under` sealed. Raises NotOpened."""
    return PrivateKey.derive(secret, _WRAPPING).open(sealed, location)


def random_secret(bits: int) -> str:
    """Return `bits` of randomness (a multiple of 8) as base64url without padding."""
    return secrets.token_urlsafe(bits // 8)


def record_key(secret: str) -> RecordKey:
    """Name the record that belongs to a secret of at least 122 bits; no salt is needed there."""
    return RecordKey(hashlib.sha256(secret.encode()).hexdigest())


def s256_challenge(code_verifier: str) -> str:
    """Return the S256 code_challenge of a code_verifier (RFC 7636 §4.2)."""
    return _base64url(hashlib.sha256(code_verifier.encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
