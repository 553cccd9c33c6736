"""Certificates: every check by itself, chains, damage, and the same bytes from the same seed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.diag.certificate import Holder, check_certificate, indicator_of, is_signed_by
from simcore.diag.certificate_issuing import YEAR_S, Authority, KeyKind, SigningKey
from simcore.diag.codes import Nrc

EPOCH_S = 1_767_225_600
TIMES = {"not_before_s": EPOCH_S, "not_after_s": EPOCH_S + YEAR_S}
ROOT = Authority.root("root", b"root", **TIMES)
KEY = SigningKey(b"leaf")

Checks = Callable[..., Any]


def issued(issuer: Authority = ROOT, **changes: Any) -> bytes:
    fields: dict[str, Any] = {"roles": ("workshop",), "serial_number": 5, **TIMES, **changes}
    return issuer.issue("leaf", fields.pop("public_key", KEY.public_key), **fields)


def judged(record: bytes, **changes: Any) -> Holder | Nrc:
    fields: dict[str, Any] = {"now_s": EPOCH_S + 1, "node": "CDC", **changes}
    return check_certificate(record, fields.pop("roots", (ROOT.certificate,)), **fields)


def test_a_good_certificate_names_roles_key_and_number() -> None:
    certificate = issued(roles=("workshop", "factory"), scope=("CDC", "CDC2"))
    assert judged(certificate) == Holder(("workshop", "factory"), KEY.public_key, 5)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_chains_over_authorities_of_either_kind_hold(kind: KeyKind) -> None:
    root = Authority.root("root", b"r", kind=kind, **TIMES)
    middle = root.authority("middle", b"m", serial_number=2, **TIMES)
    lower = middle.authority("lower", b"l", serial_number=3, kind=kind, **TIMES)
    record = issued(lower) + lower.certificate + middle.certificate
    assert isinstance(judged(record, roots=(ROOT.certificate, root.certificate)), Holder)
    assert judged(issued(lower) + middle.certificate, roots=(root.certificate,)) == 0x52


OTHER = Authority.root("other", b"other", **TIMES)
FORGER = Authority("root", SigningKey(b"forger"), b"")
EXPIRED_ROOT = Authority.root("old", b"old", not_before_s=EPOCH_S - 9, not_after_s=EPOCH_S)
MIDDLE = ROOT.authority("middle", b"m", serial_number=2, **TIMES)
EXPIRED_MIDDLE = ROOT.authority(
    "middle", b"m", serial_number=2, not_before_s=EPOCH_S - 9, not_after_s=EPOCH_S
)
NO_AUTHORITY = Authority("leaf", KEY, issued())

REFUSED = [
    ("nothing", b"", {}, Nrc.CERTIFICATE_INVALID_FORMAT),
    ("no DER", b"\x00" * 40, {}, Nrc.CERTIFICATE_INVALID_FORMAT),
    ("cut off", issued()[:-1], {}, Nrc.CERTIFICATE_INVALID_FORMAT),
    ("with a tail", issued() + b"\x00", {}, Nrc.CERTIFICATE_INVALID_FORMAT),
    ("five of them", issued() * 5, {}, Nrc.CERTIFICATE_INVALID_FORMAT),
    ("of an unknown authority", issued(OTHER), {}, Nrc.CERTIFICATE_INVALID_CHAIN_OF_TRUST),
    (
        "with its own authority in tow",
        issued(OTHER) + OTHER.certificate,
        {},
        Nrc.CERTIFICATE_INVALID_CHAIN_OF_TRUST,
    ),
    (
        "issued by what is no authority",
        issued(NO_AUTHORITY) + NO_AUTHORITY.certificate,
        {},
        Nrc.CERTIFICATE_INVALID_CHAIN_OF_TRUST,
    ),
    ("forged in the root's name", issued(FORGER), {}, Nrc.CERTIFICATE_INVALID_SIGNATURE),
    (
        "forged in a middle name",
        issued(Authority("middle", SigningKey(b"x"), b"")) + MIDDLE.certificate,
        {},
        Nrc.CERTIFICATE_INVALID_SIGNATURE,
    ),
    (
        "forged and too old",
        issued(FORGER, not_before_s=1, not_after_s=2),
        {},
        Nrc.CERTIFICATE_INVALID_SIGNATURE,
    ),
    ("too early", issued(), {"now_s": EPOCH_S - 1}, Nrc.CERTIFICATE_INVALID_TIME_PERIOD),
    ("too late", issued(), {"now_s": EPOCH_S + YEAR_S + 1}, Nrc.CERTIFICATE_INVALID_TIME_PERIOD),
    (
        "under an expired authority",
        issued(EXPIRED_MIDDLE) + EXPIRED_MIDDLE.certificate,
        {},
        Nrc.CERTIFICATE_INVALID_TIME_PERIOD,
    ),
    (
        "under an expired root",
        issued(EXPIRED_ROOT),
        {"roots": (EXPIRED_ROOT.certificate,)},
        Nrc.CERTIFICATE_INVALID_TIME_PERIOD,
    ),
    ("an authority's own", MIDDLE.certificate, {}, Nrc.CERTIFICATE_INVALID_TYPE),
    ("the root itself", ROOT.certificate, {}, Nrc.CERTIFICATE_INVALID_TYPE),
    ("not for clients", issued(is_for_clients=False), {}, Nrc.CERTIFICATE_INVALID_TYPE),
    ("for another ECU", issued(scope=("CDC2", "EMB_FL")), {}, Nrc.CERTIFICATE_INVALID_SCOPE),
    ("for none", issued(scope=()), {}, Nrc.CERTIFICATE_INVALID_SCOPE),
    ("without a role", issued(roles=()), {}, Nrc.CERTIFICATE_INVALID_CONTENT),
    ("withdrawn", issued(), {"withdrawn": (4, 5)}, Nrc.CERTIFICATE_INVALID_CERTIFICATE),
    (
        "under a withdrawn authority",
        issued(MIDDLE) + MIDDLE.certificate,
        {"withdrawn": (2,)},
        Nrc.CERTIFICATE_INVALID_CERTIFICATE,
    ),
]


@pytest.mark.parametrize(
    ("record", "changes", "nrc"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_certificate_is_refused_by_the_check_it_fails(
    record: bytes, changes: dict[str, Any], nrc: Nrc
) -> None:
    assert judged(record, **changes) is nrc


def test_keys_of_other_kinds_are_refused_as_format() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, x448
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    for private in (
        ec.derive_private_key(7, ec.SECP384R1()),
        x448.X448PrivateKey.from_private_bytes(bytes(range(56))),
    ):
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert judged(issued(public_key=public)) is Nrc.CERTIFICATE_INVALID_FORMAT
        assert not is_signed_by(public, b"", b"")


@settings(max_examples=25)
@given(bit=st.integers(0, 8 * len(issued()) - 1))
def test_no_flipped_bit_gets_through(bit: int) -> None:
    damaged = bytearray(issued())
    damaged[bit // 8] ^= 1 << bit % 8
    assert isinstance(judged(bytes(damaged)), Nrc)


@settings(max_examples=25)
@given(record=st.binary(max_size=60))
def test_no_bytes_bring_the_check_down(record: bytes) -> None:
    assert isinstance(judged(b"\x30" + record), Nrc)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_keys_signatures_and_certificates_are_the_same_bytes_each_time(kind: KeyKind) -> None:
    root = Authority.root("root", b"seed", kind=kind, **TIMES)
    certificate = issued(root)
    assert certificate == issued(Authority.root("root", b"seed", kind=kind, **TIMES))
    expected = {
        KeyKind.ED25519: "8c26cda5cf0ee0fc",
        KeyKind.P256: "021268fd97816b2c",
    }[kind]
    assert blake2b(certificate + root.key.sign(b"data"), digest_size=8).hexdigest() == expected


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_signature_is_of_one_key_over_one_text(kind: KeyKind) -> None:
    key, other = SigningKey(b"a", kind), SigningKey(b"b", kind)
    signature = key.sign(b"text")
    assert is_signed_by(key.public_key, signature, b"text")
    assert not is_signed_by(key.public_key, signature, b"texts")
    assert not is_signed_by(other.public_key, signature, b"text")
    assert not is_signed_by(key.public_key, signature[:-1], b"text")
    assert indicator_of(key.public_key)[:2] in (b"\x06\x03", b"\x06\x08")


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_openssl_accepts_our_chains(tmp_path: Path, kind: KeyKind) -> None:
    root = Authority.root("root", b"root", kind=kind, **TIMES)
    leaf = issued(root)
    for name, certificate in (("root", root.certificate), ("leaf", leaf)):
        (tmp_path / f"{name}.der").write_bytes(certificate)
        command = ["openssl", "x509", "-inform", "DER", "-in", f"{name}.der", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=30)
    command = ["openssl", "verify", "-attime", str(EPOCH_S + 5), "-CAfile", "root.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.stdout == "leaf.pem: OK\n", done.stderr
