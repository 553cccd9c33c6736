"""Trouble codes of the domain controller: names of the events, the table, what a snapshot shows.

Every detection of the controller has its code (DIA-002). The names are what the places of detection
report; those of the control task and its monitor also serve the secondary controller, which runs
the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simcore.diag.dtc import Dtc, DtcSettings, SnapshotDid, code_of
from simcore.diag.dtc_memory import Reader
from simcore.ecu.cdc.communication import CORNERS, supply_reader
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
    from simcore.ecu.cdc.application import Application
    from simcore.ecu.runtime.ecu import Ecu

# -- names of the events ---------------------------------------------------------------------------

SILENT, LATE, FAILED, ENABLE_OFF, FORCE_LOW, FORCE_HIGH = (
    "silent",
    "late",
    "failed by itself",
    "enable line off",
    "force below command",
    "force above command",
)
ACTUATOR_KINDS = (SILENT, LATE, FAILED, ENABLE_OFF, FORCE_LOW, FORCE_HIGH)
_KIND_OF = {
    "silent": SILENT,
    "late": LATE,
    "reports itself failed": FAILED,
    "enable line off": ENABLE_OFF,
    "force does not follow": FORCE_LOW,
    "force stays below command": FORCE_LOW,
    "force far below command": FORCE_LOW,
    "force stays above command": FORCE_HIGH,
    "force far above command": FORCE_HIGH,
    "clamp force beyond what is permitted": FORCE_HIGH,
}
"""Reason for which an actuator is lost -> kind of trouble."""


def actuator_event(corner: str, kind: str) -> str:
    """Event: an actuator is not to be counted on."""
    return f"EMB_{corner} {kind}"


def actuator_event_of(corner: str, reason: str) -> str:
    """The event for the reason that an actuator was lost for."""
    return actuator_event(corner, _KIND_OF[reason])


PEDAL_CHANNEL_WRONG = ("pedal channel 1 wrong", "pedal channel 2 wrong")
PEDAL_CHANNEL_INVALID = ("pedal channel 1 not valid", "pedal channel 2 not valid")
PEDAL_DISAGREES = "pedal channels disagree"
PEDAL_FORCE_WRONG = "pedal force does not fit the travel"
PEDAL_FORCE_INVALID = "pedal force not valid"
PEDAL_LATE = "pedal late"
PEDAL_SILENT = "pedal silent"
SUPPLY_LOST = ("", "supply A lost", "supply B lost")
"""By `SupplyInput.lost`."""
WHEEL_INVALID = tuple(f"wheel speed {corner} not valid" for corner in CORNERS)
WHEEL_WRONG = tuple(f"wheel speed {corner} wrong" for corner in CORNERS)
ACCELERATION_INVALID = "acceleration not valid"
ACCELERATION_WRONG = "acceleration wrong"
YAW_INVALID = "yaw rate not valid"
YAW_WRONG = "yaw rate wrong"
COMMAND_EXCESS = "command beyond what is permitted"
COMMAND_CUT = "requests withdrawn by the monitor"
CLOCK_SUSPECT = "own clock suspect"
PARK_NOT_APPLIED = "parking brake not applied"
PARK_NOT_RELEASED = "parking brake not released"

# -- the table -------------------------------------------------------------------------------------

COMMANDED = SnapshotDid(0x4015, "clamp forces asked for", 8)
MEASURED = SnapshotDid(0x4016, "clamp forces measured", 8)
SNAPSHOT = (VEHICLE_SPEED, SUPPLY, STATE, TIME, COMMANDED, MEASURED)
MESSAGES = (
    *(f"EMB_{corner}_St1" for corner in CORNERS),
    "BPS_Pedal",
    "IMU_Data",
    "VCU_Torque",
    "ADAS_LongReq",
    "PDM_Supply",
)
"""Received by both controllers."""
MESSAGES_PRIMARY = ("CDC2_EmbCmd", "VEH_Mode")
"""By the primary alone."""

_FAILURE_TYPE = {
    SILENT: 0x87,
    LATE: 0x82,
    FAILED: 0x96,
    ENABLE_OFF: 0x47,
    FORCE_LOW: 0x77,
    FORCE_HIGH: 0x73,
}


def _row(code: str, name: str, lamp: str | None, *, continuous: bool, priority: int = 1) -> Dtc:
    return Dtc(
        code_of(code),
        name,
        priority=priority,
        indicator=lamp,
        severity=0x80 if lamp == "brake" else 0x40,
        snapshot=SNAPSHOT,
        is_continuous=continuous,
    )


def control_dtcs(*, continuous: bool) -> tuple[Dtc, ...]:
    """Codes of the control task and its monitor; `continuous` where they always run."""
    rows: list[tuple[str, str, str | None]] = []
    for number, corner in enumerate(CORNERS):
        for kind in ACTUATOR_KINDS:
            name = actuator_event(corner, kind)
            rows.append((f"C1A1{number}-{_FAILURE_TYPE[kind]:02X}", name, "brake"))
    rows += [
        ("C1B11-64", PEDAL_CHANNEL_WRONG[0], "brake"),
        ("C1B12-64", PEDAL_CHANNEL_WRONG[1], "brake"),
        ("C1B11-29", PEDAL_CHANNEL_INVALID[0], "brake"),
        ("C1B12-29", PEDAL_CHANNEL_INVALID[1], "brake"),
        ("C1B10-62", PEDAL_DISAGREES, "brake"),
        ("C1B13-64", PEDAL_FORCE_WRONG, "brake"),
        ("C1B13-29", PEDAL_FORCE_INVALID, "brake"),
        ("C1B10-82", PEDAL_LATE, "brake"),
        ("C1B10-87", PEDAL_SILENT, "brake"),
        ("C1C10-16", SUPPLY_LOST[1], "brake"),
        ("C1C20-16", SUPPLY_LOST[2], "brake"),
        *((f"C1D1{i}-29", WHEEL_INVALID[i], "abs") for i in range(4)),
        *((f"C1D1{i}-64", WHEEL_WRONG[i], "abs") for i in range(4)),
        ("C1E10-29", ACCELERATION_INVALID, "esc"),
        ("C1E10-64", ACCELERATION_WRONG, "esc"),
        ("C1E20-29", YAW_INVALID, "esc"),
        ("C1E20-64", YAW_WRONG, "esc"),
        ("C1F10-61", COMMAND_EXCESS, "brake"),
        ("C1F11-94", COMMAND_CUT, "brake"),
    ]
    return (
        *(
            _row(code, name, lamp, continuous=continuous, priority=1 if lamp == "brake" else 2)
            for code, name, lamp in rows
        ),
        _row("C1A50-77", PARK_NOT_APPLIED, "park", continuous=False, priority=2),
        _row("C1A50-73", PARK_NOT_RELEASED, "park", continuous=False, priority=2),
    )


SETTINGS = DtcSettings(
    (
        *control_dtcs(continuous=True),
        _row("C1F20-49", CLOCK_SUSPECT, "brake", continuous=True),
        *runtime_dtcs(SNAPSHOT),
        *message_dtcs((*MESSAGES, *MESSAGES_PRIMARY), SNAPSHOT),
    ),
    size=24,
)
"""Of the primary controller."""


# -- snapshots -------------------------------------------------------------------------------------


class Snapshot:
    """Reads what a snapshot of a controller shows."""

    __slots__ = ("_ecu", "_read_supply", "control")

    def __init__(self, ecu: Ecu, control_of: Callable[[], Application | None]) -> None:
        self._ecu = ecu
        self.control = control_of
        """The control task; `None` where none runs."""
        self._read_supply = supply_reader(ecu.database)

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

    def state(self, now_ns: int) -> bytes:
        """Level of degradation."""
        control = self.control()
        return bytes((0xFF if control is None else control.degradation,))

    def speed(self, now_ns: int) -> bytes:
        """Reference speed."""
        control = self.control()
        return centi(None if control is None else control.slip.reference_speed_mps * KMH_PER_MPS)

    def supply(self, now_ns: int) -> bytes:
        """The lower one of the two supplies."""
        reception = self._ecu.reception("PDM_Supply")
        if not reception.usable(now_ns):
            return centi(None)
        a_v, b_v, *_ = self._read_supply.read(reception.data)
        return centi(min(a_v, b_v))

    def commanded(self, now_ns: int) -> bytes:
        """What the actuators are asked for, FL FR RL RR."""
        control = self.control()
        return _forces([0.0] * 4 if control is None else control.force_request_n)

    def measured(self, now_ns: int) -> bytes:
        """What they report, FL FR RL RR."""
        control = self.control()
        if control is None:
            return _forces([0.0] * 4)
        return _forces([corner.clamp_force_n for corner in control.actuators.corners])


def _forces(forces_n: Sequence[float]) -> bytes:
    return b"".join(force(each) for each in forces_n)
