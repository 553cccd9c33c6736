"""Verification of exported audit logs: everything done to one is found, and called by its name."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from simcore.errors import InputError
from simcore.update.audit import AuditLog
from simcore.update.audit_record import entry_of, first_chain, next_chain, seal_statement
from simcore.update.audit_verify import AuditFault, verify_log
from simcore.update.flash import Flash, FlashGeometry, FlashRegion
from simcore.update.metadata_keys import derive_key, fingerprint, public_key, sign

KEY = derive_key(1, "audit", "EMB_FL")
THIEF = derive_key(2, "audit", "EMB_FL")
COUNT = 14  # 12 entries and 2 checkpoints: 5 and 11

Lines = list[dict[str, object]]


def make_log(ecu: str = "EMB_FL", key: bytes = KEY) -> AuditLog:
    region = FlashRegion(Flash(FlashGeometry(size=16_384, sector_size=1024)), 0, 16_384)
    log = AuditLog(region, ecu=ecu, key=key, checkpoint_every=5)
    for number in range(12):
        log.append("state", f"entry {number}", number * 1000, {"number": number})
    return log


@pytest.fixture(scope="module")
def exported() -> bytes:
    return make_log().export(20_000)


def lines_of(data: bytes) -> Lines:
    return [json.loads(line) for line in data.splitlines()]


def file_of(lines: Lines) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def entry(lines: Lines, index: int) -> dict[str, object]:
    """The entry with this number, to be edited."""
    found = lines[index + 1]["entry"]
    assert isinstance(found, dict)
    return found


def chain_again(lines: Lines, *, renumber: bool = True) -> None:
    """What an informed thief does: recompute everything that needs no key."""
    chain = first_chain("EMB_FL")
    entries = [line for line in lines if "entry" in line]
    for number, line in enumerate(entries):
        content = line["entry"]
        assert isinstance(content, dict)
        if renumber:
            content["n"] = number
        payload = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        chain = next_chain(chain, payload)
        line["chain"] = chain.hex()


def seal_again(lines: Lines, key: bytes) -> None:
    entries = [line for line in lines if "entry" in line]
    chain = bytes.fromhex(str(entries[-1]["chain"]))
    statement = seal_statement("EMB_FL", len(entries), 20_000, chain)
    seal = {"n": len(entries), "t": 20_000, "signature": sign(key, statement).hex()}
    lines[-1] = {"seal": seal}


def test_an_untouched_log_is_intact(exported: bytes) -> None:
    verdict = verify_log(exported, public_key(KEY))
    assert verdict.accepted and verdict.key_is_confirmed
    assert verdict.ecu == "EMB_FL"
    assert verdict.sealed_ns == 20_000
    assert verdict.entries == make_log().entries()
    assert len(verdict.entries) == COUNT
    assert verdict.fingerprint == fingerprint(public_key(KEY))
    assert str(verdict) == "intact: 14 entries of EMB_FL"


def test_without_a_key_the_file_only_agrees_with_itself(exported: bytes) -> None:
    verdict = verify_log(exported)
    assert verdict.accepted and not verdict.key_is_confirmed


def test_layout_and_order_of_json_do_not_matter(exported: bytes) -> None:
    assert verify_log(file_of(lines_of(exported)), public_key(KEY)).accepted


def test_an_empty_log_is_intact() -> None:
    region = FlashRegion(Flash(FlashGeometry(size=16_384)), 0, 8192)
    log = AuditLog(region, ecu="CDC", key=KEY)
    assert verify_log(log.export(0), log.public_key).accepted


def test_the_export_is_the_same_every_time() -> None:
    assert make_log().export(1) == make_log().export(1)


# ---- what is done to a log ----

Change = Callable[[Lines], None]


def delete_one(lines: Lines) -> None:
    del lines[4]


def delete_the_first(lines: Lines) -> None:
    del lines[1]


def delete_several(lines: Lines) -> None:
    del lines[3:6]
    del lines[7]


def exchange(lines: Lines) -> None:
    lines[4], lines[7] = lines[7], lines[4]


def exchange_neighbours(lines: Lines) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def insert_twice(lines: Lines) -> None:
    lines.insert(5, lines[4])


def edit_text(lines: Lines) -> None:
    entry(lines, 3)["x"] = "nothing happened"


def edit_time(lines: Lines) -> None:
    entry(lines, 3)["t"] = 3001


def edit_field(lines: Lines) -> None:
    entry(lines, 3)["f"] = {"number": 4}


def edit_kind(lines: Lines) -> None:
    entry(lines, 3)["k"] = "note"


def edit_number(lines: Lines) -> None:
    entry(lines, 3)["n"] = 300


def edit_chain(lines: Lines) -> None:
    lines[5]["chain"] = "00" * 32


def add_unknown_member(lines: Lines) -> None:
    entry(lines, 3)["y"] = 1


def spoil_a_line(lines: Lines) -> None:
    lines[5] = {"something": "else"}


def cut_off_the_end(lines: Lines) -> None:
    del lines[9:]


def cut_off_entries(lines: Lines) -> None:
    del lines[-4:-1]


def cut_off_the_seal(lines: Lines) -> None:
    del lines[-1]


def cut_off_everything(lines: Lines) -> None:
    del lines[1:]


def append_behind_the_seal(lines: Lines) -> None:
    lines.append(lines[3])


def append_before_the_seal(lines: Lines) -> None:
    more = json.loads(json.dumps(lines[-2]))
    more["entry"]["n"] = COUNT
    lines.insert(-1, more)
    chain_again(lines)


def rewrite_history(lines: Lines) -> None:
    edit_text(lines)
    chain_again(lines)


def rewrite_and_renumber(lines: Lines) -> None:
    del lines[3]
    chain_again(lines)


def rewrite_behind_the_last_checkpoint(lines: Lines) -> None:
    entry(lines, 13)["x"] = "nothing happened"
    chain_again(lines)


def truncate_and_seal(lines: Lines) -> None:
    cut_off_entries(lines)
    seal_again(lines, THIEF)


def forge_checkpoint(lines: Lines) -> None:
    fields = entry(lines, 5)["f"]
    assert isinstance(fields, dict)
    fields["signature"] = "ab" * 64
    chain_again(lines)


def unsign_checkpoint(lines: Lines) -> None:
    del entry(lines, 5)["f"]
    chain_again(lines)


def checkpoint_becomes_note(lines: Lines) -> None:
    entry(lines, 5)["k"] = "note"
    chain_again(lines)


def forge_time_of_export(lines: Lines) -> None:
    seal = lines[-1]["seal"]
    assert isinstance(seal, dict)
    seal["t"] = 30_000


def seal_without_time(lines: Lines) -> None:
    lines[-1] = {"seal": {"n": COUNT}}


def rename_the_ecu(lines: Lines) -> None:
    lines[0]["ecu"] = "EMB_FR"


def replace_the_key(lines: Lines) -> None:
    lines[0]["key"] = public_key(THIEF).hex()
    lines[0]["fingerprint"] = fingerprint(public_key(THIEF))


def replace_the_fingerprint(lines: Lines) -> None:
    lines[0]["fingerprint"] = fingerprint(public_key(THIEF))


def admit_damage(lines: Lines) -> None:
    del lines[4]
    lines.insert(4, {"unreadable": [80, 160]})


DONE_TO_A_LOG: list[tuple[Change, AuditFault, str]] = [
    (delete_one, AuditFault.DELETED, "entry 3 is missing"),
    (delete_the_first, AuditFault.DELETED, "entry 0 is missing"),
    (delete_several, AuditFault.DELETED, "entry 2..4, 9 is missing"),
    (exchange, AuditFault.REORDERED, "entry 6 stands where 3 belongs"),
    (exchange_neighbours, AuditFault.REORDERED, "entry 4 stands where 3 belongs"),
    (insert_twice, AuditFault.REORDERED, "entry 3 stands there more than once"),
    (edit_text, AuditFault.EDITED, "entry 3 (state) does not continue the chain"),
    (edit_time, AuditFault.EDITED, "entry 3 (state) does not continue the chain"),
    (edit_field, AuditFault.EDITED, "entry 3 (state) does not continue the chain"),
    (edit_kind, AuditFault.EDITED, "entry 3 (note) does not continue the chain"),
    (edit_number, AuditFault.EDITED, "entry 3 carries number 300"),
    (edit_chain, AuditFault.EDITED, "entry 4 (state) does not continue the chain"),
    (add_unknown_member, AuditFault.EDITED, "line 5 is no line of an export"),
    (spoil_a_line, AuditFault.EDITED, "line 6 is no line of an export"),
    (cut_off_the_end, AuditFault.TRUNCATED, "no seal behind entry 7"),
    (cut_off_entries, AuditFault.TRUNCATED, "11 of 14 sealed entries"),
    (cut_off_the_seal, AuditFault.TRUNCATED, "no seal behind entry 13"),
    (cut_off_everything, AuditFault.TRUNCATED, "no seal and no entry"),
    (append_behind_the_seal, AuditFault.APPENDED, "line 17 follows the seal"),
    (append_before_the_seal, AuditFault.APPENDED, "15 entries, 14 were sealed"),
    (rewrite_history, AuditFault.FORGED_CHECKPOINT, "entry 5 does not sign the entries before it"),
    (rewrite_and_renumber, AuditFault.FORGED_CHECKPOINT, "entry 4 does not sign"),
    (rewrite_behind_the_last_checkpoint, AuditFault.FORGED_SEAL, "does not sign these entries"),
    (truncate_and_seal, AuditFault.FORGED_SEAL, "it does not sign these entries"),
    (forge_checkpoint, AuditFault.FORGED_CHECKPOINT, "entry 5 does not sign"),
    (unsign_checkpoint, AuditFault.FORGED_CHECKPOINT, "entry 5 does not sign"),
    (checkpoint_becomes_note, AuditFault.FORGED_CHECKPOINT, "entry 11 does not sign"),
    (forge_time_of_export, AuditFault.FORGED_SEAL, "it does not sign these entries"),
    (seal_without_time, AuditFault.FORGED_SEAL, "it names no number of entries or no time"),
    (rename_the_ecu, AuditFault.EDITED, "entry 0 (state) does not continue the chain"),
    (replace_the_key, AuditFault.WRONG_KEY, "the log names key "),
    (replace_the_fingerprint, AuditFault.WRONG_KEY, "is not the fingerprint of its key"),
    (admit_damage, AuditFault.DAMAGED, "flash [80, 160] before entry 3"),
]


@pytest.mark.parametrize(
    ("change", "fault", "text"), [pytest.param(*row, id=row[0].__name__) for row in DONE_TO_A_LOG]
)
def test_what_was_done_to_a_log_is_named(
    change: Change, fault: AuditFault, text: str, exported: bytes
) -> None:
    lines = lines_of(exported)
    change(lines)
    verdict = verify_log(file_of(lines), public_key(KEY))
    assert verdict.fault is fault, verdict
    assert text in verdict.text
    assert str(verdict) == f"{fault.title}: {verdict.text}"


def test_every_name_is_given_to_something() -> None:
    assert {fault for _, fault, _ in DONE_TO_A_LOG} == set(AuditFault)


def test_a_log_forged_throughout_agrees_only_with_the_key_of_the_thief() -> None:
    forged = make_log(key=THIEF).export(20_000)
    assert verify_log(forged).accepted  # which is why a key belongs to a verification
    assert verify_log(forged, public_key(KEY)).fault is AuditFault.WRONG_KEY


@pytest.mark.parametrize("lost", [1, 2, 10, 100, 200])
def test_a_file_cut_anywhere_is_truncated(lost: int, exported: bytes) -> None:
    verdict = verify_log(exported[: -lost or None], public_key(KEY))
    if lost == 1:  # the last line break says nothing
        assert verdict.accepted
    else:
        assert verdict.fault is AuditFault.TRUNCATED, verdict


def test_every_changed_byte_is_found(exported: bytes) -> None:
    for place in range(0, len(exported) - 1, 5):
        changed = bytearray(exported)
        changed[place] ^= 0x01
        try:
            assert not verify_log(bytes(changed), public_key(KEY)).accepted, place
        except InputError:
            assert place < exported.index(b"\n")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "audit log: expected an export of format 1, got ''"),
        (b"\x00\xff\x80", "audit log: expected an export of format 1"),
        (b"[1, 2]\n", "audit log: expected an export of format 1"),
        (b'{"simcore-audit": 2, "ecu": "CDC", "key": ""}', "audit log: expected an export"),
        (b'{"simcore-audit": 1, "ecu": 5, "key": ""}', "audit log: expected an export"),
        (b'{"simcore-audit": 1, "ecu": "CDC", "key": "xy"}', "audit log: key: expected hex digits"),
        (b"[" * 100_000, "audit log: expected an export of format 1"),
    ],
)
def test_what_is_no_log_is_said_to_be_none(data: bytes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        verify_log(data)


def test_only_the_one_canonical_form_of_an_entry_is_read() -> None:
    payload = b'{"k":"state","n":1,"t":2}'
    assert entry_of(payload, b"") is not None
    for other in (
        b'{"k":"state","n":1, "t":2}',
        b'{"n":1,"k":"state","t":2}',
        b'{"k":"state","n":1,"t":2,"x":""}',
        b'{"k":"state","n":true,"t":2}',
        b'{"k":"state","n":1.0,"t":2}',
        b'{"f":{"a":[]},"k":"state","n":1,"t":2}',
        b'{"k":"state","n":1}',
        b"7",
    ):
        assert entry_of(other, b"") is None, other
