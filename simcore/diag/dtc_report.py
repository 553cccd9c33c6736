"""Answers of ReadDTCInformation as bytes: pure functions of a `DtcMemory`.

ISO 14229-1:2020, clause 12.3. Each function gives what follows the echoed sub-function. Codes come
in the order of the table. `None` says that a code or record number is out of range (0x31).
"""

from __future__ import annotations

import struct

from simcore.diag.dtc import Dtc
from simcore.diag.dtc_entry import Entry
from simcore.diag.dtc_memory import DtcMemory

DTC_FORMAT_ISO_14229_1 = 0x01
RECORD_ALL = 0xFF

EXTENDED_COUNTERS = 0x01
"""Occurrences, aging, failed cycles, fault detection counter: one byte each."""
EXTENDED_FIRST = 0x02
"""When it failed first: ms, four bytes."""
EXTENDED_LATEST = 0x03
"""When it last failed: ms, four bytes."""
EXTENDED_RECORDS = (EXTENDED_COUNTERS, EXTENDED_FIRST, EXTENDED_LATEST)
EXTENDED_SIZE = 4
"""Bytes of every extended data record."""


def _code(code: int) -> bytes:
    return code.to_bytes(3, "big")


def _code_and_status(memory: DtcMemory, dtc: Dtc) -> bytes:
    status = memory.status(dtc.code) & memory.settings.status_availability_mask
    return _code(dtc.code) + bytes((status,))


def _matching(memory: DtcMemory, mask: int) -> list[Dtc]:
    mask &= memory.settings.status_availability_mask
    return [dtc for dtc in memory.settings.dtcs if memory.status(dtc.code) & mask]


def number_by_status_mask(memory: DtcMemory, mask: int) -> bytes:
    """0x01 reportNumberOfDTCByStatusMask."""
    availability = memory.settings.status_availability_mask
    count = len(_matching(memory, mask))
    return struct.pack(">BBH", availability, DTC_FORMAT_ISO_14229_1, count)


def by_status_mask(memory: DtcMemory, mask: int) -> bytes:
    """0x02 reportDTCByStatusMask."""
    found = [_code_and_status(memory, dtc) for dtc in _matching(memory, mask)]
    return bytes((memory.settings.status_availability_mask,)) + b"".join(found)


def supported(memory: DtcMemory) -> bytes:
    """0x0A reportSupportedDTC."""
    found = [_code_and_status(memory, dtc) for dtc in memory.settings.dtcs]
    return bytes((memory.settings.status_availability_mask,)) + b"".join(found)


def snapshot_identification(memory: DtcMemory) -> bytes:
    """0x03 reportDTCSnapshotIdentification: every stored record with its number."""
    parts = []
    for dtc in memory.settings.dtcs:
        entry = memory.entry(dtc.code)
        if entry is not None:
            parts += [_code(dtc.code) + bytes((number,)) for number in sorted(entry.snapshots)]
    return b"".join(parts)


def snapshot_by_code(memory: DtcMemory, code: int, record: int) -> bytes | None:
    """0x04 reportDTCSnapshotRecordByDTCNumber; record 0xFF for all there are."""
    dtc = memory.settings.by_code.get(code)
    numbers = [item.number for item in memory.settings.snapshot_records]
    if dtc is None or record not in (*numbers, RECORD_ALL):
        return None
    answer = _code_and_status(memory, dtc)
    entry = memory.entry(code)
    if entry is not None:
        for number in sorted(entry.snapshots):
            if record in (number, RECORD_ALL):
                answer += bytes((number,)) + _snapshot(dtc, entry.snapshots[number])
    return answer


def _snapshot(dtc: Dtc, data: bytes) -> bytes:
    parts = [bytes((len(dtc.snapshot),))]
    position = 0
    for item in dtc.snapshot:
        parts.append(item.did.to_bytes(2, "big") + data[position : position + item.size])
        position += item.size
    return b"".join(parts)


def extended_by_code(memory: DtcMemory, code: int, record: int, now_ns: int) -> bytes | None:
    """0x06 reportDTCExtDataRecordByDTCNumber; record 0xFF for all."""
    dtc = memory.settings.by_code.get(code)
    if dtc is None or record not in (*EXTENDED_RECORDS, RECORD_ALL):
        return None
    answer = _code_and_status(memory, dtc)
    entry = memory.entry(code)
    if entry is not None:
        counter = memory.fault_detection_counter(code, now_ns)
        for number in EXTENDED_RECORDS:
            if record in (number, RECORD_ALL):
                answer += bytes((number,)) + _extended(entry, number, counter)
    return answer


def _extended(entry: Entry, number: int, fault_detection_counter: int) -> bytes:
    if number == EXTENDED_FIRST:
        return entry.first_ms.to_bytes(EXTENDED_SIZE, "big")
    if number == EXTENDED_LATEST:
        return entry.latest_ms.to_bytes(EXTENDED_SIZE, "big")
    counters = (entry.occurrence_counter, entry.aging_counter, entry.failed_cycles)
    return bytes((*counters, fault_detection_counter & 0xFF))


def fault_detection_counters(memory: DtcMemory, now_ns: int) -> bytes:
    """0x14 reportDTCFaultDetectionCounter: codes on their way to failing, 0 < counter < 127."""
    parts = []
    for dtc in memory.settings.dtcs:
        counter = memory.fault_detection_counter(dtc.code, now_ns)
        if 0 < counter < 0x7F:
            parts.append(_code(dtc.code) + bytes((counter,)))
    return b"".join(parts)
