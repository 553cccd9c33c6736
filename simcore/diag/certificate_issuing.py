"""Keys and certificates for simulated testers, the same bytes from the same seed everywhere.

Never for anything real: the private keys follow from seeds that stand in scripts. What an ECU
checks is in certificate.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from enum import IntEnum, unique
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from simcore.diag.certificate import EVERYWHERE, ROLES_OID, SCOPE_OID
from simcore.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
YEAR_S = 365 * 86_400


@unique
class KeyKind(IntEnum):
    """The kinds of key that certificates may have."""

    ED25519 = 0
    P256 = 1


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that follows from a seed."""

    seed: bytes
    kind: KeyKind = KeyKind.ED25519

    def sign(self, data: bytes) -> bytes:
        """The signature over data; the same one each time."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if self.kind is KeyKind.ED25519:
            return self._ed25519().sign(data)
        return self._p256().sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo in DER."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self.private().public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def private(self) -> Ed25519PrivateKey | EllipticCurvePrivateKey:
        """The key as `cryptography` has it."""
        return self._ed25519() if self.kind is KeyKind.ED25519 else self._p256()

    def _ed25519(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(blake2b(self.seed, digest_size=32).digest())

    def _p256(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec

        number = int.from_bytes(blake2b(self.seed, digest_size=48).digest(), "big")
        return ec.derive_private_key(1 + number % (_P256_ORDER - 1), ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates; its own is the root that an ECU trusts, or was issued by another."""

    name: str
    key: SigningKey
    certificate: bytes
    """In DER."""

    @classmethod
    def root(
        cls,
        name: str,
        seed: bytes,
        *,
        not_before_s: int,
        not_after_s: int,
        kind: KeyKind = KeyKind.ED25519,
    ) -> Authority:
        """An authority that vouches for itself."""
        key = SigningKey(seed, kind)
        certificate = _issue(
            name, key.public_key, name, key, 1, not_before_s, not_after_s, is_authority=True
        )
        return cls(name, key, certificate)

    def authority(
        self,
        name: str,
        seed: bytes,
        *,
        serial_number: int,
        not_before_s: int,
        not_after_s: int,
        kind: KeyKind = KeyKind.ED25519,
    ) -> Authority:
        """An authority below this one."""
        key = SigningKey(seed, kind)
        certificate = _issue(
            name,
            key.public_key,
            self.name,
            self.key,
            serial_number,
            not_before_s,
            not_after_s,
            is_authority=True,
        )
        return Authority(name, key, certificate)

    def issue(
        self,
        name: str,
        public_key: bytes,
        *,
        roles: tuple[str, ...],
        scope: tuple[str, ...] = (EVERYWHERE,),
        serial_number: int,
        not_before_s: int,
        not_after_s: int,
        is_for_clients: bool = True,
    ) -> bytes:
        """A tester's certificate in DER. Times in seconds since 1970."""
        return _issue(
            name,
            public_key,
            self.name,
            self.key,
            serial_number,
            not_before_s,
            not_after_s,
            roles=roles,
            scope=scope,
            is_for_clients=is_for_clients,
        )


def _issue(
    name: str,
    public_key: bytes,
    issuer: str,
    key: SigningKey,
    serial_number: int,
    not_before_s: int,
    not_after_s: int,
    *,
    roles: tuple[str, ...] = (),
    scope: tuple[str, ...] = (),
    is_authority: bool = False,
    is_for_clients: bool = False,
) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

    subject: Any = load_der_public_key(public_key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(subject)
        .serial_number(serial_number)
        # The calendar's own types are what the library wants; the text only carries the number.
        .not_valid_before(parsedate_to_datetime(formatdate(not_before_s, usegmt=True)))
        .not_valid_after(parsedate_to_datetime(formatdate(not_after_s, usegmt=True)))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if is_for_clients:
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    for oid, names in ((ROLES_OID, roles), (SCOPE_OID, scope)):
        if names:
            value = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), _utf8_string(names))
            builder = builder.add_extension(value, critical=False)
    if key.kind is KeyKind.ED25519:
        return builder.sign(key.private(), None).public_bytes(Encoding.DER)
    signed = builder.sign(key.private(), hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def _named(name: str) -> Any:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])


def _utf8_string(names: tuple[str, ...]) -> bytes:
    text = ",".join(names).encode("utf-8")
    if any("," in name or not name for name in names) or len(text) > 0x7F:
        raise UsageError(
            "names in a certificate", expected="without commas, 127 bytes at most", got=repr(names)
        )
    return bytes((0x0C, len(text))) + text
