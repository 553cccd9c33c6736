"""The audit log of an ECU: append-only, hash-chained, signed at checkpoints, in flash (R156).

One entry is one program call. Whatever is cut off by a loss of power is either complete, or never
begun, or torn: then the next entry says so (`damage`), and everything before it is still there. An
entry that was torn may also read as complete now and not later: so `settle` comes first after every
start and writes the last entry once more, where its cells were never touched. The log never erases:
a full one refuses and its last entries say that it is full. Without the key nobody can forge a
checkpoint; entries behind the last one are protected once `export` has sealed them. Somebody who
can write the flash can still cut off what no export has carried away.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from simcore.errors import UsageError
from simcore.update.audit_record import (
    CHAIN_SIZE,
    CHECKPOINT,
    DAMAGE,
    FULL,
    NO_FIELDS,
    OWN_KINDS,
    PAYLOAD_MAX_SIZE,
    AuditEntry,
    Fields,
    chained,
    checkpoint_statement,
    encode_record,
    record_size,
    seal_statement,
)
from simcore.update.audit_scan import Gap, scan_region
from simcore.update.flash import FlashRegion
from simcore.update.metadata_keys import fingerprint, public_key, sign

FORMAT = 1
CHECKPOINT_EVERY = 32
"""Entries after which the log signs by itself."""

DAMAGE_TEXT = "entry torn or unreadable"
_OWN_PAYLOAD_SIZE = 260
"""The longest payload of an entry of the log's own, rounded up."""
_RETRIES = 3
_COPIES = 3
"""So often a last entry stands there before a start believes it: each copy may be torn itself."""
_READ_BACKS = 8
"""After the first entry of a start: cells that were torn and read as blank do not read alike."""


class LogRefusal(NamedTuple):
    """Why an entry was not written."""

    reason: str


class AuditLog:
    """The log in one flash region. Opening it reads the region; a fork copies it with the flash."""

    __slots__ = (
        "ecu",
        "checkpoint_every",
        "_region",
        "_key",
        "_entries",
        "_end",
        "_chain",
        "_pending",
        "_copies",
        "_is_settled",
        "_is_on_fresh_cells",
        "_broken",
        "_unsigned_count",
        "_is_closed",
    )

    def __init__(
        self,
        region: FlashRegion,
        *,
        ecu: str,
        key: bytes,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        least = 4 * record_size(PAYLOAD_MAX_SIZE, region.program_size)
        if region.size < least:
            raise UsageError(
                f"audit log of {ecu}", expected=f"at least {least} bytes", got=region.size
            )
        if checkpoint_every < 1:
            raise UsageError(
                f"audit log of {ecu}: checkpoint_every", expected="at least 1", got=checkpoint_every
            )
        found = scan_region(region, ecu)
        self.ecu = ecu
        self.checkpoint_every = checkpoint_every
        self._region = region
        self._key = key
        self._entries = list(found.entries)
        self._end = found.end
        self._chain = found.chain
        self._pending = found.pending
        self._copies = found.copies
        self._is_settled = False
        self._is_on_fresh_cells = False
        self._broken = list(found.broken)
        kinds = [entry.kind for entry in reversed(found.entries)]
        self._unsigned_count = kinds.index(CHECKPOINT) if CHECKPOINT in kinds else len(kinds)
        self._is_closed = FULL in kinds

    # ---- reading ----

    @property
    def public_key(self) -> bytes:
        """What its checkpoints are verified with."""
        return public_key(self._key)

    @property
    def pending_damage(self) -> Gap | None:
        """Damage found on opening that the next entry will record."""
        return self._pending

    def entries(self) -> tuple[AuditEntry, ...]:
        """All entries, the oldest first."""
        return tuple(self._entries)

    def room(self) -> int:
        """How many entries of the greatest length still fit, beside the log's own."""
        free = self._region.size - self._end - self._reserve()
        return max(0, free // record_size(PAYLOAD_MAX_SIZE, self._region.program_size))

    @property
    def is_full(self) -> bool:
        """Whether an entry of the greatest length may be refused: a guard of an update."""
        return self._is_closed or self.room() == 0

    # ---- writing ----

    def settle(self, now_ns: int) -> None:
        """Make sure of what was found on opening: whoever opens the log later finds the same."""
        if self._is_settled:
            return
        # What follows may be a torn unit that reads as blank just now.
        unit = self._region.program_size
        if self._end:
            self._end = min(self._end + unit, self._region.size)
        if self._entries and self._copies < _COPIES and not self._is_closed:
            self._repeat(self._entries[-1])
        self._record_damage(now_ns)
        self._is_settled = True

    def append(
        self, kind: str, text: str, now_ns: int, fields: Fields = NO_FIELDS
    ) -> AuditEntry | LogRefusal:
        """Write an entry; a full log refuses it and says so in its last entry."""
        if kind in OWN_KINDS:
            raise UsageError("audit entry", expected=f"none of {', '.join(OWN_KINDS)}", got=kind)
        self.settle(now_ns)
        draft = chained(AuditEntry(len(self._entries), now_ns, kind, text, fields), self._chain)
        size = record_size(len(draft.payload()), self._region.program_size)
        if self._is_closed or self._end + size + self._reserve() > self._region.size:
            return self._refuse(now_ns)
        written = self._write(kind, text, now_ns, fields)
        if isinstance(written, AuditEntry) and self._unsigned_count >= self.checkpoint_every:
            self._sign(now_ns)
        return written

    def checkpoint(self, now_ns: int) -> AuditEntry | LogRefusal:
        """Sign all entries so far."""
        self.settle(now_ns)
        if self._is_closed or self._end + self._reserve() > self._region.size:
            return self._refuse(now_ns)
        return self._sign(now_ns)

    def export(self, now_ns: int) -> bytes:
        """The whole log as lines of JSON, sealed: see `audit_verify` for the format."""
        self.settle(now_ns)
        key = self.public_key
        head = {"simcore-audit": FORMAT, "ecu": self.ecu, "key": key.hex()}
        lines: list[dict[str, object]] = [head | {"fingerprint": fingerprint(key)}]
        gaps = dict(self._broken)
        for index, entry in enumerate(self._entries):
            if index in gaps:
                lines.append({"unreadable": list(gaps[index])})
            lines.append({"entry": json.loads(entry.payload()), "chain": entry.chain.hex()})
        count = len(self._entries)
        if self._pending is not None:  # no room was left to record it
            lines.append({"unreadable": list(self._pending)})
        statement = seal_statement(self.ecu, count, now_ns, self._chain)
        seal = {"n": count, "t": now_ns, "signature": sign(self._key, statement).hex()}
        lines.append({"seal": seal})
        return b"".join(_line(each) for each in lines)

    # ---- inside ----

    def _reserve(self) -> int:
        """What is kept free for the log's own last words: damage, full, two checkpoints."""
        return 4 * record_size(_OWN_PAYLOAD_SIZE, self._region.program_size)

    def _repeat(self, entry: AuditEntry) -> None:
        """Write an entry once more as it is, where there is room: the later one counts."""
        region = self._region
        record = encode_record(entry, region.program_size, region.erased)
        for _ in range(_RETRIES):
            if self._end + len(record) + self._reserve() > region.size:
                return
            if self._program(record):
                return

    def _record_damage(self, now_ns: int) -> None:
        """Write down damage that no entry names yet."""
        if self._pending is not None:
            gap = self._pending
            written = self._write(DAMAGE, DAMAGE_TEXT, now_ns, {"from": gap.start})
            is_recorded = isinstance(written, AuditEntry)
            self._pending = None if is_recorded else Gap(gap.start, self._end)

    def _refuse(self, now_ns: int) -> LogRefusal:
        if not self._is_closed:
            self._is_closed = True
            self._write(FULL, "no further entries", now_ns, NO_FIELDS)
            self._sign(now_ns)
        used = f"{self._end} of {self._region.size} bytes used"
        return LogRefusal(f"audit log of {self.ecu} is full: {used}")

    def _sign(self, now_ns: int) -> AuditEntry | LogRefusal:
        return self._write(CHECKPOINT, "", now_ns, NO_FIELDS)

    def _own_fields(self, kind: str, now_ns: int) -> dict[str, str | int]:
        """What an entry of the log's own says of the place at which it stands."""
        if kind == DAMAGE:
            return {"to": self._end if self._pending is None else self._pending.end}
        if kind == CHECKPOINT:
            statement = checkpoint_statement(self.ecu, len(self._entries), now_ns, self._chain)
            return {"signature": sign(self._key, statement).hex()}
        return {}

    def _write(self, kind: str, text: str, now_ns: int, fields: Fields) -> AuditEntry | LogRefusal:
        """Program one entry and read it back; where flash does not keep it, try further on."""
        region = self._region
        for _ in range(_RETRIES):
            content = dict(fields) | self._own_fields(kind, now_ns)
            draft = AuditEntry(len(self._entries), now_ns, kind, text, content)
            entry = chained(draft, self._chain)
            record = encode_record(entry, region.program_size, region.erased)
            if self._end + len(record) > region.size:
                return LogRefusal(f"audit log of {self.ecu} is full: no room for {kind}")
            start = self._end
            if self._program(record):
                self._entries.append(entry)
                self._chain = entry.chain
                self._unsigned_count = 0 if kind == CHECKPOINT else self._unsigned_count + 1
                return entry
            self._pending = Gap(start, self._end)
            if kind != DAMAGE:
                self._record_damage(now_ns)
        return LogRefusal(f"audit log of {self.ecu}: flash does not keep what is written")

    def _program(self, record: bytes) -> bool:
        """Program a record at the end; whether it is kept."""
        start, self._end = self._end, self._end + len(record)
        self._region.program(start, record)
        times = 1 if self._is_on_fresh_cells else _READ_BACKS
        self._is_on_fresh_cells = True
        return all(self._region.read(start, len(record)) == record for _ in range(times))


def _line(content: dict[str, object]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


__all__ = ["CHAIN_SIZE", "AuditEntry", "AuditLog", "LogRefusal"]
