"""The keys that sign id_tokens, and the key set in which clients find them."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_SUBJECT = x509.Name(
    [x509.NameAttribute(x509.NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")]
)
_CERTIFICATE_TTL = timedelta(days=5 * 365)


def base64url(data: bytes) -> str:
    """Encode as JOSE does, without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with its self-signed certificate, after whose thumbprint it is called."""

    private_key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls, now: datetime) -> "SigningKey":
        """Make a key whose certificate is good for five years; this takes a tenth of a second."""
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = (
            x509.CertificateBuilder(_SUBJECT, _SUBJECT, private_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + _CERTIFICATE_TTL)
            .sign(private_key, hashes.SHA256())
        )
        return cls(private_key, certificate)

    @property
    def kid(self) -> str:
        """The key id, which at Microsoft is the certificate's SHA-1 thumbprint (RFC 7517 §4.8)."""
        return base64url(self.certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - no secret

    @property
    def public_pem(self) -> bytes:
        """The public half, in the form in which it would be mistaken for a shared secret."""
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        """Sign by RS256 (RFC 7518 §3.3)."""
        return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self, issuer: str) -> dict[str, object]:
        """Write the public half as Microsoft does: with an issuer, and without `alg`."""
        numbers = self.private_key.public_key().public_numbers()
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
            "e": base64url(numbers.e.to_bytes(3)),
            "x5c": [base64.b64encode(der).decode()],
            "cloud_instance_name": "microsoftonline.com",
            "issuer": issuer,
        }


class SigningKeys:
    """The key that signs now, and those before it, by which older id_tokens are still verified."""

    def __init__(self, clock: Callable[[], datetime], first: SigningKey | None = None) -> None:
        self._clock = clock
        self._keys = [first] if first else []

    @property
    def current(self) -> SigningKey:
        """The key that signs; where none was given, the first is made when it is asked for."""
        if not self._keys:
            self.rotate()
        return self._keys[-1]

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish it beside the others."""
        self._keys.append(SigningKey.generate(self._clock()))

    def document(self, issuer: str) -> dict[str, object]:
        """Write the key set (RFC 7517 §5)."""
        newest_first = self.current, *reversed(self._keys[:-1])
        return {"keys": [key.jwk(issuer) for key in newest_first]}
