"""`simcore audit`: logs verified and printed from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simcore.cli.audit import audit
from simcore.cli.main import cli
from simcore.update.audit import AuditLog
from simcore.update.flash import CutKind, Flash, FlashGeometry, FlashRegion, PowerCut, PowerLost
from simcore.update.metadata_keys import derive_key, fingerprint, public_key

Simcore = Callable[..., Any]

KEY = derive_key(7, "audit", "CDC")
PUBLIC = public_key(KEY)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is there whether or not the group lists it yet."""
    monkeypatch.setitem(cli.commands, "audit", audit)


@pytest.fixture
def log(folder: Path) -> Path:
    """An exported log with five entries, the third of which a loss of power tore."""
    region = FlashRegion(Flash(FlashGeometry(size=16_384)), 0, 16_384)
    audit_log = AuditLog(region, ecu="CDC", key=KEY, checkpoint_every=4)
    audit_log.append("state", "IDLE to CHECKING", 1_500_000, {"step": 1})
    audit_log.append("state", "CHECKING to FAILED", 2_000_000, {"step": 2, "cause": "rollback"})
    region.flash.cut = PowerCut(2, CutKind.TORN, 1)
    with pytest.raises(PowerLost):
        audit_log.append("state", "lost", 2_500_000)
    audit_log = AuditLog(region, ecu="CDC", key=KEY, checkpoint_every=4)
    audit_log.append("note", "after power on", 0)
    (folder / "cdc.log").write_bytes(audit_log.export(3_000_000))
    return Path("cdc.log")


def test_an_intact_log_is_printed_with_what_vouches_for_it(simcore: Simcore, log: Path) -> None:
    ended = simcore("audit", log, "--key", PUBLIC.hex())
    assert ended.code == 0
    assert ended.lines[:4] == [
        "    0             1.5 ms state        IDLE to CHECKING step=1",
        "    1               2 ms state        CHECKING to FAILED cause=rollback step=2",
        "    2               0 ms damage       entry torn or unreadable from=240 to=280",
        "    3               0 ms note         after power on",
    ]
    assert ended.lines[5:] == [
        "ecu      CDC",
        f"key      {fingerprint(PUBLIC)}, as given",
        "exported 3 ms",
        "lost     1 entry to losses of power, as the log itself says",
        "intact   5 entries",
    ]
    assert ended.lines[4].startswith("    4               0 ms checkpoint   signature=")
    assert ended.lines[4].endswith("...")


def test_without_a_key_the_fingerprint_is_to_be_compared(simcore: Simcore, log: Path) -> None:
    ended = simcore("audit", log)
    assert ended.code == 0
    note = "as the log itself says: compare, or give --key"
    assert f"key      {fingerprint(PUBLIC)}, {note}" in ended.lines


def test_an_edited_log_is_refused_by_name_and_still_printed(simcore: Simcore, log: Path) -> None:
    log.write_text(log.read_text().replace("CHECKING to FAILED", "CHECKING to IDLE"))
    ended = simcore("audit", log, "--key", PUBLIC.hex())
    assert ended.code == 1
    assert "CHECKING to IDLE" in ended.lines[1]
    assert ended.lines[-1] == "REFUSED  edited: entry 1 (state) does not continue the chain"


def test_another_key_is_refused(simcore: Simcore, log: Path) -> None:
    ended = simcore("audit", log, "--key", public_key(derive_key(8, "x")).hex())
    assert ended.code == 1
    assert ended.lines[-1].startswith("REFUSED  wrong key: the log names key ")


def test_json_says_the_same(simcore: Simcore, log: Path) -> None:
    ended = simcore("audit", log, "--key", PUBLIC.hex(), "--json")
    assert ended.code == 0
    content = json.loads(ended.out)
    assert content["intact"] is True and content["fault"] is None
    assert content["ecu"] == "CDC"
    assert content["key"] == PUBLIC.hex() and content["key_is_confirmed"] is True
    assert content["exported_ns"] == 3_000_000
    assert content["entries"][1] == {
        "sequence": 1,
        "time_ns": 2_000_000,
        "kind": "state",
        "text": "CHECKING to FAILED",
        "fields": {"cause": "rollback", "step": 2},
    }
    log.write_bytes(log.read_bytes()[:-300])
    ended = simcore("audit", log, "--json")
    assert ended.code == 1
    content = json.loads(ended.out)
    assert (content["intact"], content["fault"]) == (False, "truncated")


def key_files() -> dict[str, bytes]:
    key = Ed25519PublicKey.from_public_bytes(PUBLIC)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"hex": PUBLIC.hex().encode() + b"\n", "raw": PUBLIC, "pem": pem}


@pytest.mark.parametrize("kind", ["hex", "raw", "pem"])
def test_a_key_may_come_in_a_file(simcore: Simcore, log: Path, folder: Path, kind: str) -> None:
    (folder / "cdc.key").write_bytes(key_files()[kind])
    ended = simcore("audit", log, "--key", "cdc.key")
    assert ended.code == 0
    assert f"key      {fingerprint(PUBLIC)}, as given" in ended.lines


def other_pem() -> bytes:
    key = derive_private_key(5, SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"what is this", "cdc.key: public key: expected 64 hex digits, 32 bytes or PEM, got 12"),
        (b"-----BEGIN NOTHING", "cdc.key: public key: expected an Ed25519 public key"),
        (other_pem(), "cdc.key: public key: expected an Ed25519 public key, got other PEM"),
    ],
)
def test_a_bad_key_file_is_invalid_input(
    simcore: Simcore, log: Path, folder: Path, content: bytes, text: str
) -> None:
    (folder / "cdc.key").write_bytes(content)
    ended = simcore("audit", log, "--key", "cdc.key")
    assert ended.code == 3
    assert text in ended.err


def test_a_key_that_is_neither_digits_nor_a_file_is_usage(simcore: Simcore, log: Path) -> None:
    ended = simcore("audit", log, "--key", "nowhere.key")
    assert ended.code == 2
    assert (
        "--key: expected 64 hex digits, or a readable file, got nowhere.key: No such" in ended.err
    )


@pytest.mark.parametrize("content", [None, b"", b"not a log at all\n"])
def test_what_is_no_log_cannot_be_read(
    simcore: Simcore, folder: Path, content: bytes | None
) -> None:
    if content is not None:
        (folder / "some.log").write_bytes(content)
    ended = simcore("audit", "some.log")
    assert ended.code == 3
    assert "audit log: expected " in ended.err
    assert ended.out == ""


def test_help_names_the_exit_codes() -> None:
    text = click.Context(audit).get_help()
    assert "Exit codes: 0 intact, 1 damaged or forged" in text
