"""Verification of an exported audit log: intact, or what was done to it, by name.

The export is text, one JSON object a line:

    {"simcore-audit": 1, "ecu": name, "key": public key in hex, "fingerprint": ...}
    {"chain": hex, "entry": {"n", "t", "k", "x", "f"}}      one for each entry, see `audit_record`
    {"unreadable": [from, to]}                              damage that no entry names
    {"seal": {"n": entries, "t": time of export, "signature": hex}}

Whoever verifies needs the ECU's public key from elsewhere: the one in the file only says that the
file agrees with itself. An older export, whole and sealed, verifies as well; its time tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import IntEnum, unique
from typing import NamedTuple

from simcore.errors import InputError
from simcore.update.audit_record import (
    CHECKPOINT,
    AuditEntry,
    checkpoint_statement,
    entry_of,
    first_chain,
    next_chain,
    seal_statement,
)
from simcore.update.metadata_keys import fingerprint, is_signed

Json = dict[str, object]


@unique
class AuditFault(IntEnum):
    """What is wrong with a log."""

    WRONG_KEY = 1
    """It names another key than the one to verify with."""
    DELETED = 2
    """Entries are missing before the end."""
    REORDERED = 3
    EDITED = 4
    """An entry does not continue the chain."""
    TRUNCATED = 5
    """The end is missing."""
    APPENDED = 6
    """Something follows that the seal does not cover."""
    FORGED_CHECKPOINT = 7
    """A checkpoint is not signed by the ECU for the entries before it."""
    FORGED_SEAL = 8
    """The seal is not signed by the ECU for these entries."""
    DAMAGED = 9
    """A stretch of flash could not be read, and no entry of the ECU says so."""

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """The result: `fault` is `None` for a log that is intact."""

    ecu: str
    key: bytes
    """The public key that the file names."""
    entries: tuple[AuditEntry, ...]
    sealed_ns: int | None
    key_is_confirmed: bool
    """Whether `key` is the one that was given to verify with."""
    fault: AuditFault | None = None
    text: str = ""

    @property
    def accepted(self) -> bool:
        return self.fault is None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)

    def __str__(self) -> str:
        if self.fault is None:
            return f"intact: {len(self.entries)} entries of {self.ecu}"
        return f"{self.fault.title}: {self.text}"


class _Export(NamedTuple):
    """The lines of an export, read."""

    ecu: str
    key: bytes
    fingerprint: object
    entries: tuple[AuditEntry, ...]
    unreadable: tuple[str, ...]
    seal: Json | None
    line_fault: tuple[AuditFault, str] | None
    """What is wrong with the first line that is none of an export; reading stops there."""


_Fault = tuple[AuditFault, str] | None


def verify_log(data: bytes, public_key: bytes | None = None) -> AuditVerdict:
    """Verify an exported log, best against the ECU's public key.

    Raises `InputError` where `data` is no exported log at all.
    """
    export = _read(data)
    verdict = AuditVerdict(
        ecu=export.ecu,
        key=export.key,
        entries=export.entries,
        sealed_ns=_sealed_ns(export.seal),
        key_is_confirmed=public_key == export.key,
    )
    fault = (
        _check_key(export, public_key)
        or _check_unreadable(export)
        or _check_sequence(export)
        or _check_chain(export)
        or export.line_fault
        or _check_checkpoints(export)
        or _check_seal(export)
    )
    return verdict if fault is None else replace(verdict, fault=fault[0], text=fault[1])


# ---- reading ----


def _read(data: bytes) -> _Export:
    lines = data.split(b"\n")
    head = _object(lines[0])
    ecu, key = head.get("ecu"), head.get("key")
    if head.get("simcore-audit") != 1 or not isinstance(ecu, str) or not isinstance(key, str):
        first = lines[0][:60].decode("utf-8", "backslashreplace")
        raise InputError("audit log", expected="an export of format 1", got=repr(first))
    try:
        key_bytes = bytes.fromhex(key)
    except ValueError:
        raise InputError("audit log: key", expected="hex digits", got=repr(key)) from None
    entries: list[AuditEntry] = []
    unreadable: list[str] = []
    seal: Json | None = None
    fault: _Fault = None
    for number, line in enumerate(lines[1:], start=2):
        if not line and number == len(lines):
            break  # behind the last line break
        content = _object(line)
        entry = _entry(content)
        if seal is not None:
            fault = AuditFault.APPENDED, f"line {number} follows the seal"
        elif entry is not None:
            entries.append(entry)
        elif isinstance(content.get("seal"), dict):
            seal = _object(json.dumps(content["seal"]).encode())
        elif isinstance(content.get("unreadable"), list):
            unreadable.append(f"flash {content['unreadable']} before entry {len(entries)}")
        elif number == len(lines):
            fault = AuditFault.TRUNCATED, f"the file ends within line {number}"
        else:
            fault = AuditFault.EDITED, f"line {number} is no line of an export"
        if fault is not None:
            break
    shown = head.get("fingerprint")
    return _Export(ecu, key_bytes, shown, tuple(entries), tuple(unreadable), seal, fault)


def _object(line: bytes) -> Json:
    """The JSON object of a line; empty where it is none."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _entry(content: Json) -> AuditEntry | None:
    chain = content.get("chain")
    if "entry" not in content or not isinstance(chain, str):
        return None
    payload = json.dumps(content["entry"], sort_keys=True, separators=(",", ":")).encode()
    try:
        return entry_of(payload, bytes.fromhex(chain))
    except ValueError:
        return None


def _sealed_ns(seal: Json | None) -> int | None:
    time_ns = None if seal is None else seal.get("t")
    return time_ns if type(time_ns) is int else None


# ---- checks, in order ----


def _check_key(export: _Export, public_key: bytes | None) -> _Fault:
    if export.fingerprint != fingerprint(export.key):
        return AuditFault.WRONG_KEY, f"{export.fingerprint} is not the fingerprint of its key"
    if public_key is None or public_key == export.key:
        return None
    text = f"the log names key {fingerprint(export.key)}, expected {fingerprint(public_key)}"
    return AuditFault.WRONG_KEY, text


def _check_sequence(export: _Export) -> _Fault:
    """Missing and exchanged entries, seen from their numbers."""
    numbers = [entry.sequence for entry in export.entries]
    if numbers == list(range(len(numbers))):
        return None
    place = next(index for index, number in enumerate(numbers) if number != index)
    if _has_broken_link_only_at(export, place):
        return AuditFault.EDITED, f"entry {place} carries number {numbers[place]}"
    if sorted(numbers) == list(range(len(numbers))):
        return AuditFault.REORDERED, f"entry {numbers[place]} stands where {place} belongs"
    missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
    if missing:
        return AuditFault.DELETED, f"entry {_ranges(missing)} is missing"
    return AuditFault.REORDERED, f"entry {numbers[place]} stands there more than once"


def _has_broken_link_only_at(export: _Export, place: int) -> bool:
    """Whether the chain breaks at one entry, whose neighbours' numbers are right."""
    entries = export.entries
    numbers = [entry.sequence for entry in entries]
    numbers[place] = place
    return numbers == list(range(len(numbers))) and _broken_links(export) == [place]


def _check_chain(export: _Export) -> _Fault:
    broken = _broken_links(export)
    if not broken:
        return None
    entry = export.entries[broken[0]]
    return AuditFault.EDITED, f"entry {entry.sequence} ({entry.kind}) does not continue the chain"


def _broken_links(export: _Export) -> list[int]:
    chain = first_chain(export.ecu)
    broken = []
    for index, entry in enumerate(export.entries):
        if next_chain(chain, entry.payload()) != entry.chain:
            broken.append(index)
        chain = entry.chain
    return broken


def _check_checkpoints(export: _Export) -> _Fault:
    chain = first_chain(export.ecu)
    for entry in export.entries:
        if entry.kind == CHECKPOINT:
            statement = checkpoint_statement(export.ecu, entry.sequence, entry.time_ns, chain)
            if not is_signed(export.key, _signature(dict(entry.fields)), statement):
                text = f"entry {entry.sequence} does not sign the entries before it"
                return AuditFault.FORGED_CHECKPOINT, text
        chain = entry.chain
    return None


def _check_seal(export: _Export) -> _Fault:
    count = len(export.entries)
    if export.seal is None:
        place = f"behind entry {count - 1}" if count else "and no entry"
        return AuditFault.TRUNCATED, f"no seal {place}"
    sealed, time_ns = export.seal.get("n"), _sealed_ns(export.seal)
    if type(sealed) is not int or time_ns is None:
        return AuditFault.FORGED_SEAL, "it names no number of entries or no time"
    if sealed > count:
        return AuditFault.TRUNCATED, f"{count} of {sealed} sealed entries"
    if sealed < count:
        return AuditFault.APPENDED, f"{count} entries, {sealed} were sealed"
    chain = export.entries[-1].chain if export.entries else first_chain(export.ecu)
    statement = seal_statement(export.ecu, sealed, time_ns, chain)
    if not is_signed(export.key, _signature(export.seal), statement):
        return AuditFault.FORGED_SEAL, "it does not sign these entries"
    return None


def _check_unreadable(export: _Export) -> _Fault:
    if export.unreadable:
        return AuditFault.DAMAGED, "; ".join(export.unreadable)
    return None


def _signature(fields: Json) -> bytes:
    try:
        return bytes.fromhex(str(fields.get("signature", "")))
    except ValueError:
        return b""


def _ranges(numbers: list[int]) -> str:
    """`3`, `3..5` or `3, 7..8`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in runs)
