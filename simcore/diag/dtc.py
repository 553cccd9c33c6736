"""Diagnostic trouble codes of one ECU as a table: what there is and how it is kept.

Everything here is immutable and shared by copies; the living part is `DtcMemory`. Codes are the
three bytes of ISO 14229-1: two of the code proper, one of the failure type (ISO 15031-6 annex).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from functools import cached_property
from hashlib import blake2b

from simcore.diag.dtc_debounce import NO_DEBOUNCE, Debounce
from simcore.errors import UsageError

ALL_GROUPS = 0xFFFFFF
"""groupOfDTC of every code."""
CHASSIS_GROUP = 0x400000
"""groupOfDTC of the C codes; the groups are the lowest code of their letter."""
NETWORK_GROUP = 0xC00000
"""groupOfDTC of the U codes."""

_LETTERS = "PCBU"
_HIGHEST_EVENT = 254


def _check(where: str, name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"{where}: {name}", expected=f"{low}..{high}", got=repr(value))


@unique
class SnapshotTrigger(IntEnum):
    """Which failure a snapshot record shows."""

    FIRST = 0
    """The one that opened the entry; kept."""
    LATEST = 1
    """The last one; overwritten by each."""
    CONFIRMED = 2
    """The one that confirmed the code; kept."""


@unique
class OffEffect(IntEnum):
    """What ControlDTCSetting off does to debouncing."""

    FREEZE = 0
    RESET = 1


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One record number of every code's snapshots, and when it is taken."""

    number: int
    trigger: SnapshotTrigger

    def __post_init__(self) -> None:
        _check(f"snapshot record 0x{self.number:02X}", "number", self.number, 1, 0xEF)


@dataclass(frozen=True, slots=True)
class SnapshotDid:
    """A data identifier in a snapshot, with the bytes it takes."""

    did: int
    name: str
    size: int

    def __post_init__(self) -> None:
        _check(f"snapshot of {self.name}", "did", self.did, 0, 0xFFFF)
        _check(f"snapshot of {self.name}", "size", self.size, 1, 255)


@dataclass(frozen=True, slots=True)
class Dtc:
    """One trouble code."""

    code: int
    """24 bits: code and failure type."""
    name: str
    """What people call it; also its event where `events` names none."""
    text: str = ""
    """What is wrong, for the documentation."""
    events: tuple[str, ...] = ()
    """The monitors behind it; more than one are combined."""
    debounce: Debounce = NO_DEBOUNCE
    priority: int = 2
    """1 is the highest; a higher one displaces a lower one."""
    confirmation_threshold: int = 1
    """Operation cycles with a failure until it is confirmed."""
    aging_cycles: int = 40
    """Operation cycles tested without failure after which it is forgotten."""
    indicator: str | None = None
    """Warning lamp; with one, bit 7 follows the confirmation."""
    healing_cycles: int = 3
    """Operation cycles tested without failure after which the lamp goes out."""
    severity: int = 0x40
    """DTCSeverityMask of ISO 14229-1: 0x20 maintenance, 0x40 check at next halt, 0x80 now."""
    snapshot: tuple[SnapshotDid, ...] = ()
    is_continuous: bool = True
    """Its monitors watch all the time: a cycle in which they report nothing is passed."""

    def __post_init__(self) -> None:
        where = f"DTC {self.name}"
        _check(where, "code", self.code, 1, 0xFFFFFE)
        _check(where, "priority", self.priority, 1, 255)
        _check(where, "confirmation_threshold", self.confirmation_threshold, 1, 255)
        _check(where, "aging_cycles", self.aging_cycles, 1, 255)
        _check(where, "healing_cycles", self.healing_cycles, 1, 255)
        _check(where, "severity", self.severity, 0, 255)
        if not self.events:
            object.__setattr__(self, "events", (self.name,))
        if not all(self.events) or len(set(self.events)) != len(self.events):
            raise UsageError(where, expected="events with different names", got=self.events)

    def __deepcopy__(self, memo: object) -> Dtc:
        return self

    def __copy__(self) -> Dtc:
        return self

    @property
    def title(self) -> str:
        """As workshops write it: `C1A10-29 EMB_FL silent`."""
        return f"{code_text(self.code)} {self.text or self.name}"


@dataclass(frozen=True)
class DtcSettings:
    """The trouble codes of one ECU and how their memory works."""

    dtcs: tuple[Dtc, ...]
    size: int = 16
    """Entries the memory has room for; status bytes are kept of every code."""
    snapshot_records: tuple[SnapshotRecord, ...] = (
        SnapshotRecord(1, SnapshotTrigger.FIRST),
        SnapshotRecord(2, SnapshotTrigger.LATEST),
    )
    when_off: OffEffect = OffEffect.FREEZE
    keeps_test_failed: bool = False
    """Whether testFailed lasts over the operation cycle."""
    forgets_failure_since_clear: bool = False
    """Whether aging and displacement clear testFailedSinceLastClear too."""

    def __post_init__(self) -> None:
        where = "DtcSettings"
        _check(where, "size", self.size, 1, 255)
        for what, items in (
            ("codes", [code_text(dtc.code) for dtc in self.dtcs]),
            ("names", [dtc.name for dtc in self.dtcs]),
            ("events", [event for dtc in self.dtcs for event in dtc.events]),
            ("snapshot records", [str(record.number) for record in self.snapshot_records]),
        ):
            twice = sorted({item for item in items if items.count(item) > 1})
            if twice:
                raise UsageError(where, expected=f"different {what}", got=", ".join(twice))
        count = sum(len(dtc.events) for dtc in self.dtcs)
        if count > _HIGHEST_EVENT:
            raise UsageError(where, expected=f"at most {_HIGHEST_EVENT} events", got=count)

    def __deepcopy__(self, memo: object) -> DtcSettings:
        return self

    def __copy__(self) -> DtcSettings:
        return self

    @cached_property
    def by_code(self) -> dict[int, Dtc]:
        """Code -> DTC."""
        return {dtc.code: dtc for dtc in self.dtcs}

    @cached_property
    def layout(self) -> bytes:
        """Four bytes that change with whatever the meaning of a stored record depends on."""
        digest = blake2b(digest_size=4)
        for dtc in self.dtcs:
            digest.update(f"{dtc.code:06X} {dtc.events} ".encode())
            items = ",".join(f"{item.did:04X}:{item.size}" for item in dtc.snapshot)
            digest.update(items.encode())
        return digest.digest()

    @cached_property
    def by_name(self) -> dict[str, Dtc]:
        """Name -> DTC."""
        return {dtc.name: dtc for dtc in self.dtcs}

    @cached_property
    def status_availability_mask(self) -> int:
        """Bits of the status byte that are kept: bit 7 only where there is a lamp."""
        return 0xFF if any(dtc.indicator is not None for dtc in self.dtcs) else 0x7F

    def group(self, group: int) -> tuple[Dtc, ...]:
        """The codes of a groupOfDTC, or the one code it names; none for an unknown one."""
        if group == ALL_GROUPS:
            return self.dtcs
        if group & 0x3FFFFF == 0:
            return tuple(dtc for dtc in self.dtcs if dtc.code >> 22 == group >> 22)
        dtc = self.by_code.get(group)
        return () if dtc is None else (dtc,)


def code_text(code: int) -> str:
    """A code as people write it: `C1A10-29`."""
    return f"{_LETTERS[code >> 22]}{code >> 8 & 0x3FFF:04X}-{code & 0xFF:02X}"


def code_of(text: str) -> int:
    """The 24 bits of `C1A10-29`. Raises `UsageError` for anything else."""
    letter, number, failure = text[:1], text[1:5], text[6:]
    try:
        if len(text) != 8 or text[5] != "-" or letter not in _LETTERS:
            raise ValueError
        proper, kind = int(number, 16), int(failure, 16)
    except ValueError:
        proper = 0x4000
    if proper > 0x3FFF:
        raise UsageError("DTC", expected="a code such as C1A10-29", got=repr(text))
    return _LETTERS.index(letter) << 22 | proper << 8 | kind
