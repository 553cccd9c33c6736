"""Rows of trouble codes that every ECU has: buses, supervision, received messages; and their names.

The names are the events that the runtime reports; an ECU's own table adds its own. Codes are of the
manufacturer's ranges C1 and U1, failure types of ISO 15031-6 (0x87 missing message, 0x81 invalid
data received, 0x47 watchdog, 0x48 supervision software).
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.diag.dtc import Dtc, SnapshotDid, code_of
from simcore.diag.dtc_debounce import CounterDebounce

BUS_LOST = ("CHASSIS_A lost", "CHASSIS_B lost")
"""By lane."""
SENDER_SILENT = ("sender silent on CHASSIS_A", "sender silent on CHASSIS_B")
SUPERVISION_FAILED = "supervision failed"
SUPERVISION_EXPIRED = "supervision expired"
EXPIRED_BEFORE = "supervision expired before the reset"
ENABLE_LOST = "enable line lost"
RUNTIME_NAMES = (
    *BUS_LOST,
    *SENDER_SILENT,
    SUPERVISION_FAILED,
    SUPERVISION_EXPIRED,
    EXPIRED_BEFORE,
    ENABLE_LOST,
)

VEHICLE_SPEED = SnapshotDid(0x4001, "vehicle speed", 2)
"""0.01 km/h, 0xFFFF not known."""
SUPPLY = SnapshotDid(0x4002, "supply voltage", 2)
"""0.01 V, 0xFFFF not known."""
STATE = SnapshotDid(0x4003, "state", 1)
TIME = SnapshotDid(0x4004, "time", 4)
"""ms."""
NOT_KNOWN = 0xFFFF

MESSAGE_DEBOUNCE = CounterDebounce(
    increment=64, decrement=32, failed_threshold=127, passed_threshold=-128, jump_up=0, jump_down=0
)
"""Two bad looks of 100 ms in a row fail, four good ones pass."""


def missing(message: str) -> str:
    """Event: nothing usable of a message comes."""
    return f"{message} missing"


def invalid(message: str) -> str:
    """Event: frames of a message are rejected, by E2E, SecOC or length."""
    return f"{message} invalid"


def runtime_dtcs(snapshot: tuple[SnapshotDid, ...]) -> tuple[Dtc, ...]:
    """Buses, supervision and enable line of an ECU."""
    rows = (
        ("U1001-88", BUS_LOST[0], 1),
        ("U1002-88", BUS_LOST[1], 1),
        ("U1001-87", SENDER_SILENT[0], 2),
        ("U1002-87", SENDER_SILENT[1], 2),
        ("C1010-48", SUPERVISION_FAILED, 2),
        ("C1011-48", SUPERVISION_EXPIRED, 1),
        ("C1012-48", EXPIRED_BEFORE, 2),
        ("C1013-47", ENABLE_LOST, 1),
    )
    return tuple(
        Dtc(
            code_of(code),
            name,
            priority=priority,
            indicator="brake" if priority == 1 else None,
            severity=0x80 if priority == 1 else 0x40,
            snapshot=snapshot,
        )
        for code, name, priority in rows
    )


def message_dtcs(messages: Sequence[str], snapshot: tuple[SnapshotDid, ...]) -> tuple[Dtc, ...]:
    """Two codes for each received message: it is missing, or what comes is not valid."""
    rows = []
    for number, message in enumerate(messages, start=0x1A00):
        for failure, name in ((0x87, missing(message)), (0x81, invalid(message))):
            rows.append(
                Dtc(
                    0xC00000 | number << 8 | failure,
                    name,
                    debounce=MESSAGE_DEBOUNCE,
                    priority=3,
                    confirmation_threshold=2,
                    severity=0x20,
                    snapshot=snapshot,
                )
            )
    return tuple(rows)


def centi(value: float | None) -> bytes:
    """A speed or voltage for a snapshot: hundredths, 0xFFFF for not known."""
    if value is None or not 0.0 <= value < 655.35:
        return NOT_KNOWN.to_bytes(2, "big")
    return int(value * 100.0 + 0.5).to_bytes(2, "big")


def force(value_n: float) -> bytes:
    """A clamp force for a snapshot: 2 N, signed."""
    return int(min(65534.0, max(-65536.0, value_n)) / 2.0).to_bytes(2, "big", signed=True)


def time(now_ns: int) -> bytes:
    """The time for a snapshot: ms."""
    return (now_ns // 1_000_000 & 0xFFFFFFFF).to_bytes(4, "big")
