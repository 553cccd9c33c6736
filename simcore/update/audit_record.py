"""How one entry of the audit log lies in flash, and how entries are chained.

    "AL" | length u16 | payload (JSON) | chain (32 bytes) | filled up to whole program units

The payload is JSON with sorted keys and no blanks: `n` sequence number, `t` simulated time in ns,
`k` kind, `x` text, `f` further fields. chain = BLAKE2b-256(chain before, payload); the first one
starts from the name of the ECU, so that entries of one ECU prove nothing for another.

Three kinds are the log's own: `checkpoint` (its `f` holds an Ed25519 signature over all before),
`damage` (a stretch of flash that cannot be read: an entry torn by a loss of power) and `full`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeAlias

from simcore.errors import UsageError

CHECKPOINT = "checkpoint"
DAMAGE = "damage"
FULL = "full"
OWN_KINDS = (CHECKPOINT, DAMAGE, FULL)

Fields: TypeAlias = Mapping[str, str | int]
NO_FIELDS: Fields = {}

MAGIC = b"AL"
HEAD_SIZE = 4
CHAIN_SIZE = 32
PAYLOAD_MAX_SIZE = 480
"""An entry is a line, not a document."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the log."""

    sequence: int
    time_ns: int
    kind: str
    text: str
    fields: Fields = field(default_factory=dict)
    chain: bytes = b""
    """Chain value up to and with this entry, as stored."""

    def payload(self) -> bytes:
        """What is hashed."""
        content: dict[str, object] = {"n": self.sequence, "t": self.time_ns, "k": self.kind}
        if self.text:
            content["x"] = self.text
        if self.fields:
            content["f"] = dict(self.fields)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return text.encode()

    def __copy__(self) -> AuditEntry:
        return self

    def __deepcopy__(self, memo: object) -> AuditEntry:
        return self


def first_chain(ecu: str) -> bytes:
    """The chain value before the first entry of an ECU's log."""
    return blake2b(ecu.encode(), digest_size=CHAIN_SIZE, person=b"simcore-audit").digest()


def next_chain(chain: bytes, payload: bytes) -> bytes:
    """The chain value after an entry."""
    return blake2b(chain + payload, digest_size=CHAIN_SIZE, person=b"simcore-audit").digest()


def chained(entry: AuditEntry, chain: bytes) -> AuditEntry:
    """The entry as it follows on `chain`. Raises `UsageError` where it is too long."""
    if not _is_well_formed(entry):
        expected = "texts and whole numbers, a time in ns"
        raise UsageError(f"audit entry {entry.kind}", expected=expected, got=repr(entry))
    payload = entry.payload()
    if len(payload) > PAYLOAD_MAX_SIZE:
        raise UsageError(
            f"audit entry {entry.kind}",
            expected=f"at most {PAYLOAD_MAX_SIZE} bytes",
            got=f"{len(payload)} bytes",
        )
    return AuditEntry(
        entry.sequence,
        entry.time_ns,
        entry.kind,
        entry.text,
        entry.fields,
        next_chain(chain, payload),
    )


def encode_record(entry: AuditEntry, program_size: int, erased: int) -> bytes:
    """A chained entry as it is programmed."""
    payload = entry.payload()
    record = MAGIC + len(payload).to_bytes(2, "big") + payload + entry.chain
    return record + bytes((erased,)) * (-len(record) % program_size)


def record_size(payload_size: int, program_size: int) -> int:
    """Bytes of flash that an entry takes."""
    size = HEAD_SIZE + payload_size + CHAIN_SIZE
    return size + -size % program_size


def decode_record(data: bytes, start: int, program_size: int) -> tuple[AuditEntry, int] | None:
    """The entry at `start` and the place behind it; `None` where nothing like one is there.

    Whether it follows on the entry before is for the reader to see.
    """
    if data[start : start + len(MAGIC)] != MAGIC:
        return None
    payload_size = int.from_bytes(data[start + 2 : start + HEAD_SIZE], "big")
    end = start + record_size(payload_size, program_size)
    if payload_size > PAYLOAD_MAX_SIZE or end > len(data):
        return None
    payload = data[start + HEAD_SIZE : start + HEAD_SIZE + payload_size]
    entry = entry_of(payload, data[start + HEAD_SIZE + payload_size :][:CHAIN_SIZE])
    return None if entry is None else (entry, end)


def entry_of(payload: bytes, chain: bytes) -> AuditEntry | None:
    """The entry that a payload says; `None` where it is none in its one canonical form."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not {"n", "t", "k"} <= set(content):
        return None
    entry = AuditEntry(
        content["n"],
        content["t"],
        content["k"],
        content.get("x", ""),
        content.get("f", NO_FIELDS),
        chain,
    )
    return entry if _is_well_formed(entry) and entry.payload() == payload else None


def _is_well_formed(entry: AuditEntry) -> bool:
    return (
        type(entry.sequence) is int
        and type(entry.time_ns) is int
        and isinstance(entry.kind, str)
        and isinstance(entry.text, str)
        and isinstance(entry.fields, dict)
        and all(type(value) in (int, str) for value in entry.fields.values())
    )


def checkpoint_statement(ecu: str, sequence: int, time_ns: int, chain: bytes) -> bytes:
    """What a checkpoint signs: this log, up to the entry before it."""
    return f"simcore audit checkpoint\0{ecu}\0{sequence}\0{time_ns}\0".encode() + chain


def seal_statement(ecu: str, count: int, time_ns: int, chain: bytes) -> bytes:
    """What the seal of an export signs: so many entries, and no more."""
    return f"simcore audit export\0{ecu}\0{count}\0{time_ns}\0".encode() + chain
