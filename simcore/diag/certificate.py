"""Certificates of testers: X.509 with Ed25519 or P-256 keys, checked against injected time.

A tester's certificate names its roles and the ECUs it is for in two private extensions, each a
UTF8String of names separated by commas; the scope `*` means every ECU. A certificate record is one
certificate or several in a row, the tester's own first, each issued by the next, the last by a
trusted root. Making certificates is in certificate_issuing.py.

Refusals, in the order of the checks: 0x54 format, 0x52 chain of trust, 0x51 signature, 0x50 time,
0x53 type, 0x56 scope, 0x55 content, 0x57 withdrawn (ISO 14229-1:2020, annex A.1; the order is not
the standard's, which names none).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simcore.diag.codes import Nrc

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ROLES_OID = "2.25.218264101493785209637440573290167428211"
SCOPE_OID = "2.25.218264101493785209637440573290167428212"
"""Private extensions, in the arc that needs no registration (ITU-T X.667)."""
EVERYWHERE = "*"
CHAIN_MAX = 4
"""Certificates in a record."""

ED25519_INDICATOR = bytes.fromhex("06032b6570").ljust(16, b"\x00")
P256_INDICATOR = bytes.fromhex("06082a8648ce3d040302").ljust(16, b"\x00")
"""algorithmIndicator: the BER-encoded object identifier, filled up with zeros (10.6.2)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a certificate that passed all checks speaks for."""

    roles: tuple[str, ...]
    public_key: bytes
    """SubjectPublicKeyInfo in DER."""
    serial_number: int


def check_certificate(
    record: bytes,
    roots: tuple[bytes, ...],
    *,
    now_s: int,
    node: str,
    withdrawn: tuple[int, ...] = (),
) -> Holder | Nrc:
    """The holder of a certificate record, or the first check that it fails.

    `now_s` counts seconds since 1970, `withdrawn` are serial numbers.
    """
    chain = _parsed(record)
    if chain is None:
        return Nrc.CERTIFICATE_INVALID_FORMAT
    refusal = _check_chain(chain, roots, now_s)
    if refusal is not None:
        return refusal
    leaf = chain[0]
    if _is_authority(leaf) or not _may_authenticate(leaf):
        return Nrc.CERTIFICATE_INVALID_TYPE
    scope, roles = _names(leaf, SCOPE_OID), _names(leaf, ROLES_OID)
    if EVERYWHERE not in scope and node not in scope:
        return Nrc.CERTIFICATE_INVALID_SCOPE
    if not roles:
        return Nrc.CERTIFICATE_INVALID_CONTENT
    if any(certificate.serial_number in withdrawn for certificate in chain):
        return Nrc.CERTIFICATE_INVALID_CERTIFICATE
    return Holder(roles, _public_der(leaf), leaf.serial_number)


def is_signed_by(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature over data was made with the private half of a key (DER)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(public_key)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def indicator_of(public_key: bytes) -> bytes:
    """The algorithmIndicator that goes with a public key (DER)."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(public_key)
    return ED25519_INDICATOR if isinstance(key, ed25519.Ed25519PublicKey) else P256_INDICATOR


def _parsed(record: bytes) -> list[Certificate] | None:
    """The certificates of a record; `None` where it is not made of such as we can use."""
    chain: list[Certificate] = []
    rest = record
    while rest:
        size = der_size(rest)
        if size is None or size > len(rest) or len(chain) == CHAIN_MAX:
            return None
        certificate = _loaded(rest[:size])
        if certificate is None:
            return None
        chain.append(certificate)
        rest = rest[size:]
    return chain or None


def _loaded(data: bytes) -> Certificate | None:
    """One certificate whose parts can all be read and whose key is of a kind we know."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the library tolerates for now
            certificate = x509.load_der_x509_certificate(data)
            key: Any = certificate.public_key()
            # Parsed on first use: broken parts are to show here and nowhere else.
            _ = (certificate.subject, certificate.issuer, certificate.extensions)
            _ = (certificate.serial_number, certificate.signature_algorithm_parameters)
            certificate.not_valid_before_utc.timestamp()
            certificate.not_valid_after_utc.timestamp()
    except Exception:  # the library has many words for broken bytes, all of them mean the same
        return None
    is_p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return certificate if is_p256 or isinstance(key, ed25519.Ed25519PublicKey) else None


def der_size(data: bytes) -> int | None:
    """Size of the DER sequence that the data begins with; `None` where it begins with none."""
    if len(data) < 2 or data[0] != 0x30:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    width = data[1] & 0x7F
    if not 1 <= width <= 3 or len(data) < 2 + width:
        return None
    return 2 + width + int.from_bytes(data[2 : 2 + width], "big")


def _check_chain(chain: list[Certificate], roots: tuple[bytes, ...], now_s: int) -> Nrc | None:
    """Issuers, then signatures, then times, from the tester's certificate up."""
    from cryptography import x509

    trusted = [x509.load_der_x509_certificate(root) for root in roots]
    issuers: list[list[Certificate]] = []
    for place, certificate in enumerate(chain):
        above = chain[place + 1 :][:1] or trusted
        found = [issuer for issuer in above if issuer.subject == certificate.issuer]
        if not found or not all(_is_authority(issuer) for issuer in found):
            return Nrc.CERTIFICATE_INVALID_CHAIN_OF_TRUST
        issuers.append(found)
    for certificate, found in zip(chain, issuers, strict=True):
        if not any(_is_issued_by(certificate, issuer) for issuer in found):
            return Nrc.CERTIFICATE_INVALID_SIGNATURE
    for certificate in (*chain, *issuers[-1]):
        not_before_s = int(certificate.not_valid_before_utc.timestamp())
        not_after_s = int(certificate.not_valid_after_utc.timestamp())
        if not not_before_s <= now_s <= not_after_s:
            return Nrc.CERTIFICATE_INVALID_TIME_PERIOD
    return None


def _is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_authority(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_authenticate(certificate: Certificate) -> bool:
    """Whether the certificate is meant for clients (extended key usage clientAuth)."""
    from cryptography import x509

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _names(certificate: Certificate, oid: str) -> tuple[str, ...]:
    """The names in one of our extensions; none where it is absent or no UTF8String."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid))
    except x509.ExtensionNotFound:
        return ()
    value = getattr(extension.value, "value", b"")
    if len(value) < 2 or value[0] != 0x0C or value[1] >= 0x80 or value[1] != len(value) - 2:
        return ()
    try:
        text = value[2:].decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return tuple(name for name in text.split(",") if name)


def _public_der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
