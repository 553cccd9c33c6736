"""The trouble code memory as bytes for the non-volatile memory, and back.

One record: magic, layout of the table, the events' status and counters, the entries from the one
that failed longest ago to the latest, CRC-32. Written as a whole, so a reset at any time leaves the
old or the new one. What cannot be read says why; nothing of it is used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

from simcore.diag.dtc import Dtc, DtcSettings
from simcore.diag.dtc_entry import Entry, Event

KEY = "dtc"
"""Name of the record in the non-volatile memory."""

_MAGIC = b"DTC1"
_HEAD = struct.Struct(">4s4sBBB")  # magic, layout, cycle open, overflow, entries
_EVENT = struct.Struct(">BBB")  # status, failed cycles, healed cycles
_ENTRY = struct.Struct(">BBBBIIB")  # dtc, occurrences, aging, failed, first, latest, snapshots
_CRC = struct.Struct(">I")


class Record:
    """The part of a memory that lasts."""

    __slots__ = ("cycle_is_open", "entries", "has_overflowed")

    def __init__(self, entries: dict[int, Entry], cycle_is_open: bool, overflow: bool) -> None:
        self.entries = entries
        self.cycle_is_open = cycle_is_open
        self.has_overflowed = overflow


def encode(
    settings: DtcSettings,
    events: Iterable[Event],
    entries: Iterable[Entry],
    *,
    cycle_is_open: bool,
    has_overflowed: bool,
) -> bytes:
    """The record of a memory."""
    number_of = {dtc.code: number for number, dtc in enumerate(settings.dtcs)}
    parts = []
    for event in events:
        parts.append(_EVENT.pack(event.status, event.failed_cycles, event.healed_cycles))
    count = 0
    for entry in entries:
        count += 1
        parts.append(
            _ENTRY.pack(
                number_of[entry.dtc.code],
                entry.occurrence_counter,
                entry.aging_counter,
                entry.failed_cycles,
                entry.first_ms,
                entry.latest_ms,
                len(entry.snapshots),
            )
        )
        for number, data in entry.snapshots.items():
            parts.append(bytes((number,)) + data)
    head = _HEAD.pack(_MAGIC, settings.layout, cycle_is_open, has_overflowed, count)
    body = head + b"".join(parts)
    return body + _CRC.pack(zlib.crc32(body))


def decode(settings: DtcSettings, events: Sequence[Event], data: bytes) -> Record | str:
    """Put a record's content into `events` and return the rest; or why it cannot be used."""
    body, checksum = data[: -_CRC.size], data[-_CRC.size :]
    if len(data) < _HEAD.size + _CRC.size or _CRC.pack(zlib.crc32(body)) != checksum:
        return f"checksum wrong over {len(data)} bytes"
    magic, layout, is_open, overflow, count = _HEAD.unpack_from(body)
    if magic != _MAGIC or layout != settings.layout:
        return "made for another table of trouble codes"
    if count > settings.size:
        return f"{count} entries in a memory of {settings.size}"
    position = _HEAD.size
    for event in events:
        event.status, event.failed_cycles, event.healed_cycles = _EVENT.unpack_from(body, position)
        position += _EVENT.size
    entries: dict[int, Entry] = {}
    for _ in range(count):
        number, occurrences, aging, failed, first_ms, latest_ms, snapshots = _ENTRY.unpack_from(
            body, position
        )
        position += _ENTRY.size
        dtc = settings.dtcs[number]
        entry = entries[dtc.code] = Entry(dtc, first_ms)
        entry.latest_ms = latest_ms
        entry.occurrence_counter = occurrences
        entry.aging_counter = aging
        entry.failed_cycles = failed
        size = snapshot_size(dtc)
        for _ in range(snapshots):
            entry.snapshots[body[position]] = body[position + 1 : position + 1 + size]
            position += 1 + size
    return Record(entries, bool(is_open), bool(overflow))


def snapshot_size(dtc: Dtc) -> int:
    """Bytes of one snapshot of a code."""
    size = 0
    for item in dtc.snapshot:
        size += item.size
    return size


def size_max(settings: DtcSettings) -> int:
    """Bytes the record can take at most."""
    events = 0
    largest = 0
    for dtc in settings.dtcs:
        events += len(dtc.events)
        largest = max(largest, 1 + snapshot_size(dtc))
    entry = _ENTRY.size + len(settings.snapshot_records) * largest
    return _HEAD.size + _CRC.size + events * _EVENT.size + settings.size * entry
