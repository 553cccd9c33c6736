"""What the diagnostic tables of all ECUs have alike: sessions, security, identification, resets.

An ECU's own table (its `diagnosis` module) adds what it measures and does. Whatever comes on top,
as an update client does, registers `DiagnosticExtras`; their rows stand in place of rows with the
same identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING, Any, Self, TypeVar

from simcore.diag import DiagnosticTable
from simcore.diag.access import Access
from simcore.diag.authentication import EPOCH_S, AuthenticationRule
from simcore.diag.codes import Nrc, ResetKind, Session, Sid
from simcore.diag.dtc import SnapshotDid
from simcore.diag.operation import Answer
from simcore.diag.rows import (
    Did,
    IoControl,
    MemoryArea,
    ResetRule,
    Routine,
    SecurityLevel,
    ServiceRule,
    SessionRule,
)
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu

VIN = b"W0SMCRE00CHA00001"
SUPPLIER = b"SIMCORE"
EXTENDED_LEVEL = 0x01
"""SecurityAccess for calibration, routines and controls."""
PROGRAMMING_LEVEL = 0x11
"""SecurityAccess for writing software."""
WORKSHOP, PROGRAMMER = "workshop", "programmer"
"""Roles of testers that authenticate by certificate."""
IN_WORKSHOP = Access(sessions=(Session.EXTENDED,), level=EXTENDED_LEVEL, role=WORKSHOP, either=True)
"""Extended session, and unlocked or authenticated."""
IN_PROGRAMMING = Access(
    sessions=(Session.PROGRAMMING,), level=PROGRAMMING_LEVEL, role=PROGRAMMER, either=True
)
_NOT_DEFAULT = (Session.EXTENDED, Session.PROGRAMMING)
_WRITABLE = (
    (0xF198, "repairShopCodeOrTesterSerialNumber", 10),
    (0xF199, "programmingDate", 4),
    (0xF15A, "fingerprint", 9),
)
"""What whoever programs the ECU leaves behind."""
NO_NUMBER = b"\x7f\xff\xff\xff"
_MOST = (1 << 31) - 2
_TEN_YEARS_S = 315_360_000


class SecurityKey:
    """Key from seed with a test secret: anybody can compute it, it protects nothing real."""

    __slots__ = ("_secret",)

    def __init__(self, node: str, level: int) -> None:
        text = f"simcore security access test secret {node} {level:#04x}"
        self._secret = blake2b(text.encode(), digest_size=16).digest()

    def key(self, seed: bytes) -> bytes:
        """The only right answer."""
        return blake2b(seed, key=self._secret, digest_size=8).digest()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def security_key(node: str, level: int, seed: bytes) -> bytes:
    """What a tester answers to a seed of this ECU and level."""
    return SecurityKey(node, level).key(seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticExtras:
    """Rows that something beside the ECU's own functions adds."""

    dids: tuple[Did, ...] = ()
    routines: tuple[Routine, ...] = ()
    areas: tuple[MemoryArea, ...] = ()
    io_controls: tuple[IoControl, ...] = ()
    services: tuple[ServiceRule, ...] = ()
    resets: tuple[ResetRule, ...] = ()


class StandardRows:
    """The rows of one ECU that are the same everywhere; holds what their handlers need."""

    __slots__ = ("_ecu", "_is_still", "_may_be_deaf", "_part_number", "_software_version")

    def __init__(
        self,
        ecu: Ecu,
        *,
        part_number: bytes,
        software_version: bytes,
        is_still: Callable[[int], bool],
        may_be_deaf: bool = True,
    ) -> None:
        """`is_still(now_ns)` says whether the vehicle is known to stand.

        An ECU that may be deaf notices by sensors of its own when the vehicle moves.
        """
        self._may_be_deaf = may_be_deaf
        self._ecu = ecu
        self._part_number = part_number
        self._software_version = software_version
        self._is_still = is_still

    def table(
        self,
        *,
        dids: Iterable[Did] = (),
        routines: Iterable[Routine] = (),
        io_controls: Iterable[IoControl] = (),
    ) -> DiagnosticTable:
        """The whole table: these rows, the given ones, and what was registered with the ECU."""
        extras = [build() for build in self._ecu.diagnostic_extras]
        more = Access(sessions=_NOT_DEFAULT)
        return DiagnosticTable(
            node=self._ecu.name,
            sessions=self._sessions(),
            dids=merged((*self._dids(), *dids), [row for each in extras for row in each.dids]),
            routines=merged(routines, [row for each in extras for row in each.routines]),
            areas=tuple(row for each in extras for row in each.areas),
            io_controls=merged(io_controls, [row for each in extras for row in each.io_controls]),
            security=self._security(),
            authentication=authentication(),
            resets=merged(
                (ResetRule(kind, condition=self.standing) for kind in ResetKind),
                [row for each in extras for row in each.resets],
            ),
            services=merged(
                (
                    ServiceRule(
                        Sid.COMMUNICATION_CONTROL,
                        more,
                        condition=self.standing,
                        refused=() if self._may_be_deaf else (0x02, 0x03),
                    ),
                    ServiceRule(Sid.CONTROL_DTC_SETTING, more, condition=self.standing),
                ),
                [row for each in extras for row in each.services],
            ),
        )

    def standing(self, now_ns: int) -> Nrc | None:
        """The refusal while the vehicle moves."""
        return None if self._is_still(now_ns) else Nrc.VEHICLE_SPEED_TOO_HIGH

    def _sessions(self) -> tuple[SessionRule, ...]:
        return (
            SessionRule(Session.DEFAULT, "default"),
            SessionRule(
                Session.PROGRAMMING,
                "programming",
                reached_from=_NOT_DEFAULT,
                condition=self.standing,
            ),
            SessionRule(
                Session.EXTENDED, "extended", reached_from=(Session.DEFAULT, Session.EXTENDED)
            ),
        )

    def _security(self) -> tuple[SecurityLevel, ...]:
        return (
            SecurityLevel(
                EXTENDED_LEVEL,
                key=SecurityKey(self._ecu.name, EXTENDED_LEVEL).key,
                access=Access(sessions=(Session.EXTENDED,)),
            ),
            SecurityLevel(
                PROGRAMMING_LEVEL,
                key=SecurityKey(self._ecu.name, PROGRAMMING_LEVEL).key,
                access=Access(sessions=(Session.PROGRAMMING,)),
            ),
        )

    def _dids(self) -> tuple[Did, ...]:
        """Identification (ISO 14229-1:2020, annex C.1)."""
        name = self._ecu.name.encode()
        version = self._software_version
        serial = f"SN-{blake2b(name, digest_size=4).hexdigest().upper()}".encode()
        part = self._part_number
        constant = (
            (0xF187, "vehicleManufacturerSparePartNumber", part),
            (0xF188, "vehicleManufacturerECUSoftwareNumber", part + b"-SW"),
            (0xF189, "vehicleManufacturerECUSoftwareVersionNumber", version),
            (0xF18A, "systemSupplierIdentifier", SUPPLIER),
            (0xF18C, "ECUSerialNumber", serial),
            (0xF190, "VIN", VIN),
            (0xF191, "vehicleManufacturerECUHardwareNumber", part + b"-HW"),
            (0xF193, "systemSupplierECUHardwareVersionNumber", b"HW 1.0"),
            (0xF195, "systemSupplierECUSoftwareVersionNumber", version),
            (0xF197, "systemNameOrEngineType", name),
        )
        return (
            Did(0xF186, "activeDiagnosticSession", 1, read=self._session),
            *(Did(did, text, len(value), read=value) for did, text, value in constant),
            *(self._written(did, text, size) for did, text, size in _WRITABLE),
            Did(0x0107, "supervision status, error count, enable line", 3, read=self._watchdog),
            Did(0x010A, "time since start, 1 ms", 4, read=self._uptime),
        )

    def _watchdog(self, now_ns: int) -> Answer:
        ecu = self._ecu
        line = getattr(ecu.port, "watchdog", None)
        count = min(ecu.supervision.error_count, 0xFF)
        return bytes((ecu.supervision.global_status, count, line is None or line.enabled))

    def _uptime(self, now_ns: int) -> Answer:
        return ((now_ns - self._ecu.started_ns) // NS_PER_MS & 0xFFFFFFFF).to_bytes(4, "big")

    def _session(self, now_ns: int) -> Answer:
        diagnostics = self._ecu.diagnostics
        return bytes((Session.DEFAULT if diagnostics is None else diagnostics.server.session,))

    def _written(self, did: int, text: str, size: int) -> Did:
        record = Record(self._ecu, did, size)
        return Did(
            did, text, size, read=record.read, write=record.write, write_access=IN_PROGRAMMING
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A parameter that a tester may change; the next start takes it. Two bytes, unsigned."""

    did: int
    name: str
    parameter: str
    """The field of the ECU's parameters."""
    scale_ratio: float
    minimum: int
    maximum: int

    def key(self) -> str:
        """Of its entry in the non-volatile memory."""
        return f"calibration {self.did:04X}"

    def row(self, ecu: Ecu, parameters: Any) -> Did:
        """Its row in the table of an ECU that runs with these parameters."""
        handler = _CalibrationHandler(ecu, self, getattr(parameters, self.parameter))
        return Did(
            self.did, self.name, 2, read=handler.read, write=handler.write, write_access=IN_WORKSHOP
        )


class _CalibrationHandler:
    """Reads what is in force, writes what shall be after the next start."""

    __slots__ = ("_calibration", "_ecu", "_value_ratio")

    def __init__(self, ecu: Ecu, calibration: Calibration, value_ratio: float) -> None:
        self._ecu = ecu
        self._calibration = calibration
        self._value_ratio = value_ratio

    def read(self, now_ns: int) -> Answer:
        return round(self._value_ratio * self._calibration.scale_ratio).to_bytes(2, "big")

    def write(self, data: bytes, now_ns: int) -> Answer:
        calibration = self._calibration
        if not calibration.minimum <= int.from_bytes(data, "big") <= calibration.maximum:
            return Nrc.REQUEST_OUT_OF_RANGE
        self._ecu.port.memory[calibration.key()] = bytes(data)
        return b""


_ParametersT = TypeVar("_ParametersT")


def calibrated(
    parameters: _ParametersT, calibrations: Iterable[Calibration], memory: Mapping[str, bytes]
) -> _ParametersT:
    """The parameters with what testers have written; the same object where nobody has."""
    changed = {
        each.parameter: int.from_bytes(memory[each.key()], "big") / each.scale_ratio
        for each in calibrations
        if each.key() in memory
    }
    return replace(parameters, **changed) if changed else parameters  # type: ignore[type-var]


class Record:
    """A data record in the ECU's non-volatile memory; zeros before it is first written."""

    __slots__ = ("_did", "_ecu", "_size")

    def __init__(self, ecu: Ecu, did: int, size: int) -> None:
        self._ecu = ecu
        self._did = did
        self._size = size

    def read(self, now_ns: int) -> Answer:
        """The record."""
        return self._ecu.port.memory.get(f"did {self._did:04X}", bytes(self._size))

    def write(self, data: bytes, now_ns: int) -> Answer:
        """Keep another one."""
        self._ecu.port.memory[f"did {self._did:04X}"] = bytes(data)
        return b""


def snapshot_rows(
    snapshot: Iterable[SnapshotDid], readers: Mapping[int, Callable[[int], bytes]]
) -> tuple[Did, ...]:
    """What snapshots of trouble codes hold, to be read at any time."""
    return tuple(Did(each.did, each.name, each.size, read=readers[each.did]) for each in snapshot)


_RowT = TypeVar("_RowT")


def merged(rows: Iterable[_RowT], extras: Iterable[_RowT]) -> tuple[_RowT, ...]:
    """Rows with the extras in place of those with the same identifier."""
    found = {_key_of(row): row for row in rows}
    for row in extras:
        found[_key_of(row)] = row
    return tuple(found.values())


def _key_of(row: object) -> int:
    for name in ("did", "rid", "kind", "sid"):
        key = getattr(row, name, None)
        if key is not None:
            return int(key)
    raise AssertionError(row)


def number(value_ratio: float) -> bytes:
    """A measured value as four bytes, two's complement; 0x7FFFFFFF where there is none."""
    if not isfinite(value_ratio) or not -_MOST <= value_ratio <= _MOST:
        return NO_NUMBER
    return round(value_ratio).to_bytes(4, "big", signed=True)


@lru_cache(maxsize=1)
def authentication() -> AuthenticationRule:
    """Whom the ECUs believe: the test authority of `test_authority`."""
    return AuthenticationRule(
        roles=(WORKSHOP, PROGRAMMER),
        roots=(test_authority().certificate,),
        access=Access(sessions=_NOT_DEFAULT),
    )


@lru_cache(maxsize=1)
def test_authority() -> Any:
    """The authority that issues testers' certificates; its key follows from a known text."""
    from simcore.diag.certificate_issuing import Authority

    return Authority.root(
        "simcore test root",
        b"simcore diagnostics test root",
        not_before_s=EPOCH_S,
        not_after_s=EPOCH_S + _TEN_YEARS_S,
    )
