"""Trouble codes of a brake actuator: names of the events, the table, what a snapshot shows.

Every detection of the actuator has its code (DIA-002); the names are what the places of detection
report. All four actuators have the same table: the node's name tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.diag.dtc import Dtc, DtcSettings, SnapshotDid, code_of
from simcore.diag.dtc_memory import Reader
from simcore.ecu.runtime.trouble_code_rows import (
    STATE,
    SUPPLY,
    TIME,
    VEHICLE_SPEED,
    centi,
    force,
    message_dtcs,
    runtime_dtcs,
    time,
)
from simcore.units import KMH_PER_MPS

if TYPE_CHECKING:
    from simcore.ecu.emb.node import Emb

FORCE_RANGE = "force sensor out of range"
FORCE_WRONG = "force sensor does not fit the travel"
MOTION_RANGE = "motion sensor out of range"
MOTION_WRONG = "motion sensor wrong"
SUPPLY_LOST = "supply lost"
SUPPLY_LOW = "supply low"
MOTOR_HOT = "motor hot"
MOTOR_TOO_HOT = "motor too hot"
SELF_TEST_FAILED = "self-test failed"
ACTUATOR_FREE = "motor turns freely"
ACTUATOR_JAMMED = "actuator jammed"
ACTUATOR_SLOW = "motor slow"
LOCK_OPEN = "park lock open"
LOCK_FAULT = "park lock not trusted"
FORCE_EXCESS = "force or motion without a request"
FUNCTION_CUT = "power stage cut"
REQUEST_LIMITED = "request not plausible"
COMMAND_REJECTED = "command beyond its range"
COMMAND_LATE = "primary command late"
COMMAND_LOST = "no valid command"
WHEEL_SPEED_RANGE = "wheel speed out of range"

COMMANDED = SnapshotDid(0x4005, "clamp force asked for", 2)
MEASURED = SnapshotDid(0x4006, "clamp force measured", 2)
SNAPSHOT = (VEHICLE_SPEED, SUPPLY, STATE, TIME, COMMANDED, MEASURED)
MESSAGES = ("CDC_EmbCmd", "CDC2_EmbCmd", "BPS_Pedal", "CDC_VehDyn")

_ROWS = (
    # code, event, lamp, priority, whether it is watched all the time
    ("C1410-1C", FORCE_RANGE, "brake", 1, True),
    ("C1410-64", FORCE_WRONG, "brake", 1, True),
    ("C1420-1C", MOTION_RANGE, "brake", 1, True),
    ("C1420-64", MOTION_WRONG, "brake", 1, True),
    ("C1430-13", SUPPLY_LOST, "brake", 1, True),
    ("C1430-16", SUPPLY_LOW, "brake", 2, True),
    ("C1440-4B", MOTOR_HOT, None, 2, True),
    ("C1441-98", MOTOR_TOO_HOT, "brake", 1, True),
    ("C1445-96", SELF_TEST_FAILED, "brake", 1, True),
    ("C1450-72", ACTUATOR_FREE, "brake", 1, True),
    ("C1450-71", ACTUATOR_JAMMED, "brake", 1, True),
    ("C1450-92", ACTUATOR_SLOW, "brake", 1, True),
    ("C1460-77", LOCK_OPEN, "park", 2, False),
    ("C1460-71", LOCK_FAULT, "park", 2, False),
    ("C1470-94", FORCE_EXCESS, "brake", 1, True),
    ("C1471-94", FUNCTION_CUT, "brake", 1, True),
    ("C1480-64", REQUEST_LIMITED, "brake", 2, True),
    ("C1481-85", COMMAND_REJECTED, "brake", 2, True),
    ("C1482-82", COMMAND_LATE, "brake", 2, True),
    ("C1483-87", COMMAND_LOST, "brake", 1, True),
    ("C1490-1C", WHEEL_SPEED_RANGE, "abs", 2, True),
)

SETTINGS = DtcSettings(
    (
        *(
            Dtc(
                code_of(code),
                name,
                priority=priority,
                indicator=lamp,
                severity=0x80 if priority == 1 else 0x40,
                snapshot=SNAPSHOT,
                is_continuous=continuous,
            )
            for code, name, lamp, priority, continuous in _ROWS
        ),
        *runtime_dtcs(SNAPSHOT),
        *message_dtcs(MESSAGES, SNAPSHOT),
    ),
    size=16,
)


class Snapshot:
    """Reads what a snapshot of an actuator shows."""

    __slots__ = ("_emb",)

    def __init__(self, emb: Emb) -> None:
        self._emb = emb

    def readers(self) -> dict[int, Reader]:
        """By data identifier."""
        return {
            VEHICLE_SPEED.did: self.speed,
            SUPPLY.did: self.supply,
            STATE.did: self.state,
            TIME.did: time,
            COMMANDED.did: self.commanded,
            MEASURED.did: self.measured,
        }

    def speed(self, now_ns: int) -> bytes:
        """Speed of the own wheel: known whatever the network does."""
        radps = self._emb.port.inputs["wheel_speed_radps"]
        return centi(abs(radps) * self._emb.parameters.wheel_radius_m * KMH_PER_MPS)

    def supply(self, now_ns: int) -> bytes:
        """Supply voltage."""
        return centi(self._emb.port.inputs["supply_v"])

    def state(self, now_ns: int) -> bytes:
        """State as in `EMB_xx_St1`."""
        return bytes((self._emb.application.state,))

    def commanded(self, now_ns: int) -> bytes:
        """Force of the command that is obeyed."""
        return force(self._emb.selection.command.force_n)

    def measured(self, now_ns: int) -> bytes:
        """Clamp force as it is taken."""
        return force(self._emb.application.clamp_force_n)
