"""Keys that sign images: bytes that copy and pickle; the cryptography comes in when they are used.

Both kinds of MCUboot that are widespread today: Ed25519 over the SHA-256 of the image, and ECDSA
on P-256. ECDSA signs with the deterministic nonce of RFC 6979, so an image is the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any

from simcore.errors import UsageError

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@unique
class KeyKind(IntEnum):
    """Signature algorithms; the value is the TLV tag of the signature."""

    ECDSA_P256 = 0x22
    ED25519 = 0x24


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key: DER of its SubjectPublicKeyInfo."""

    kind: KeyKind
    der: bytes

    @property
    def key_hash(self) -> bytes:
        """What an image names its key by."""
        return sha256(self.der).digest()

    def verifies(self, signature: bytes, covered: bytes) -> bool:
        """Whether `signature` is of this key over `covered`."""
        return _verifies(self, signature, covered)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key: 32 bytes, the Ed25519 seed or the P-256 scalar."""

    kind: KeyKind
    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise UsageError("SigningKey, secret", expected="32 bytes", got=len(self.secret))
        if self.kind is KeyKind.ECDSA_P256 and not (
            0 < int.from_bytes(self.secret, "big") < _P256_ORDER
        ):
            raise UsageError("SigningKey, secret", expected="a scalar of P-256")

    @classmethod
    def of(cls, seed: int, name: str, kind: KeyKind = KeyKind.ED25519) -> SigningKey:
        """The key `name` of a seed: always the same one."""
        secret = blake2b(f"{seed}\x00{name}".encode(), digest_size=32).digest()
        if kind is KeyKind.ECDSA_P256:
            number = int.from_bytes(secret, "big") % (_P256_ORDER - 1) + 1
            secret = number.to_bytes(32, "big")
        return cls(kind, secret)

    @property
    def public(self) -> VerifyKey:
        """The key that verifies."""
        return VerifyKey(self.kind, _public_der(self))

    def sign(self, covered: bytes) -> bytes:
        """The signature over `covered`, as the image format wants it."""
        if self.kind is KeyKind.ED25519:
            signed: bytes = _private(self).sign(sha256(covered).digest())
            return signed
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256

        algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)
        signed = _private(self).sign(covered, algorithm)
        return signed

    def pem(self) -> bytes:
        """The key for foreign tools."""
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        text: bytes = _private(self).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        return text


# Key objects are kept out of what is copied: looked up by the frozen keys instead.


@lru_cache(maxsize=64)
def _private(key: SigningKey) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if key.kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(key.secret)
    return ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())


@lru_cache(maxsize=64)
def _public_der(key: SigningKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der: bytes = (
        _private(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return der


@lru_cache(maxsize=64)
def _public(key: VerifyKey) -> Any:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return load_der_public_key(key.der)


def _verifies(key: VerifyKey, signature: bytes, covered: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        if key.kind is KeyKind.ED25519:
            _public(key).verify(signature, sha256(covered).digest())
        else:
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.hashes import SHA256

            _public(key).verify(signature, covered, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
