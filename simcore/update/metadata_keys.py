"""Ed25519 keys as bytes: derived from a seed, never drawn; signing and verifying (RFC 8032).

Keys are kept as their 32 bytes everywhere, because the objects of the crypto library can be
neither copied nor pickled. Ed25519 signatures are deterministic: same key, same data, same bytes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any

from simcore.errors import InputError

KEY_SIZE = 32
SIGNATURE_SIZE = 64


def derive_key(seed: int | bytes, *names: str) -> bytes:
    """The private key `names` of a seed: 32 bytes, the same on every machine."""
    origin = seed if isinstance(seed, bytes) else str(seed).encode()
    parts = (origin, *(name.encode() for name in names))
    return blake2b(b"\0".join(parts), digest_size=KEY_SIZE).digest()


@lru_cache(maxsize=1024)
def public_key(private: bytes) -> bytes:
    """The public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@lru_cache(maxsize=4096)
def sign(private: bytes, data: bytes) -> bytes:
    """The 64 bytes of the signature of `data`. A pure function, so results are kept."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).sign(data)


@lru_cache(maxsize=4096)
def is_signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` is that of the key. A pure function, so results are kept."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def canonical_json(value: Any) -> bytes:
    """The form over which signatures run: OLPC canonical JSON.

    Raises `InputError` for what has none, a fraction for instance.
    """
    from securesystemslib.exceptions import FormatError
    from securesystemslib.formats import encode_canonical

    try:
        text = encode_canonical(value)
        assert text is not None, "without an output function it returns the text"
        return text.encode()
    except (FormatError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InputError("canonical JSON", expected="whole numbers, texts", got=error) from None


def fingerprint(public: bytes) -> str:
    """How people compare a public key: 16 hex digits of its SHA-256, in groups of four."""
    digits = sha256(public).hexdigest()[:16]
    return " ".join(digits[start : start + 4] for start in range(0, 16, 4))
