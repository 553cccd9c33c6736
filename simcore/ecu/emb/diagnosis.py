"""What diagnostics can do in a brake actuator: live data, calibration, and what `service` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.diag import DiagnosticTable
from simcore.diag.operation import Answer
from simcore.diag.rows import Did, IoControl, Routine
from simcore.ecu.emb.service import ForceAdjustment, ParkLockRoutine, SelfTestRoutine
from simcore.ecu.emb.trouble_codes import SNAPSHOT, Snapshot
from simcore.ecu.runtime.diagnostics_rows import (
    IN_WORKSHOP,
    Calibration,
    StandardRows,
    number,
    snapshot_rows,
)

if TYPE_CHECKING:
    from simcore.ecu.emb.node import Emb

PART_NUMBER = b"EMB-4711"
SOFTWARE_VERSION = b"EMB 1.0.0"
CALIBRATIONS = (
    Calibration(
        did=0x0301,
        name="wheel radius, 1 mm",
        parameter="wheel_radius_m",
        scale_ratio=1000.0,
        minimum=250,
        maximum=450,
    ),
)
_STILL_RADPS = 0.3
"""Of the own wheel: 0.4 km/h."""
_STILL_KMH = 0.5
_MILLI, _TENTH, _MICRO = 1e3, 10.0, 1e6


class EmbDiagnosis:
    """Handlers of one actuator's table; reads the application as it is."""

    __slots__ = ("_emb",)

    def __init__(self, emb: Emb) -> None:
        self._emb = emb

    def table(self) -> DiagnosticTable:
        """The actuator's table."""
        emb = self._emb
        rows = StandardRows(
            emb,
            part_number=PART_NUMBER,
            software_version=SOFTWARE_VERSION,
            is_still=self.is_still,
        )
        force = ForceAdjustment(emb.application, emb.selection, self.is_still)
        test = SelfTestRoutine(emb, self.is_still)
        routines = [
            Routine(0x0301, "selfTest", start=test.start, results=test.results, access=IN_WORKSHOP)
        ]
        if emb.name.rpartition("_")[2].startswith("R"):  # the front brakes have no lock
            lock = ParkLockRoutine(emb.application, self.is_still)
            routines.append(
                Routine(
                    0x0302,
                    "parkLock: 1 apply, 0 release",
                    start=lock.start,
                    results=lock.results,
                    option_size=1,
                    access=IN_WORKSHOP,
                )
            )
        return rows.table(
            dids=(
                *self._live(),
                *(each.row(emb, emb.parameters) for each in CALIBRATIONS),
                *snapshot_rows(SNAPSHOT, Snapshot(emb).readers()),
            ),
            routines=routines,
            io_controls=(
                IoControl(
                    0x0401, "clamp force, 0.1 N", 4, control=force.control, access=IN_WORKSHOP
                ),
            ),
        )

    def is_still(self, now_ns: int) -> bool:
        """Whether the own wheel and the vehicle are known to stand."""
        emb = self._emb
        wheel_radps = emb.port.inputs["wheel_speed_radps"]
        if not -_STILL_RADPS <= wheel_radps <= _STILL_RADPS:
            return False
        speed_kmh = emb.selection.speed_kmh(now_ns)
        return speed_kmh is not None and speed_kmh <= _STILL_KMH

    def moves(self, now_ns: int) -> bool:
        """Whether the own wheel turns or the vehicle is known to move."""
        emb = self._emb
        wheel_radps = emb.port.inputs["wheel_speed_radps"]
        speed_kmh = emb.selection.speed_kmh(now_ns)
        return not -_STILL_RADPS <= wheel_radps <= _STILL_RADPS or (speed_kmh or 0.0) > _STILL_KMH

    def _live(self) -> tuple[Did, ...]:
        return (
            Did(0x0101, "clamp force, 0.1 N", 4, read=self._clamp_force),
            Did(0x0102, "motor current, 1 mA", 4, read=self._motor_current),
            Did(0x0103, "supply voltage, 1 mV", 4, read=self._supply),
            Did(0x0104, "wheel speed, 0.001 rad/s", 4, read=self._wheel_speed),
            Did(0x0105, "temperatures of disc and motor, 0.1 degC", 8, read=self._temperatures),
            Did(0x0106, "state, fault level, self-test", 3, read=self._state),
            Did(0x0108, "command: force 0.1 N, mode, bus", 6, read=self._command),
            Did(0x0109, "screw travel, 1 um", 4, read=self._travel),
        )

    def _pin(self, name: str, scale_ratio: float, default_ratio: float = 0.0) -> bytes:
        return number(self._emb.port.inputs.get(name, default_ratio) * scale_ratio)

    def _clamp_force(self, now_ns: int) -> Answer:
        return number(self._emb.application.clamp_force_n * _TENTH)

    def _motor_current(self, now_ns: int) -> Answer:
        return self._pin("phase_current_a", _MILLI)

    def _supply(self, now_ns: int) -> Answer:
        return self._pin("supply_v", _MILLI)

    def _wheel_speed(self, now_ns: int) -> Answer:
        return self._pin("wheel_speed_radps", _MILLI)

    def _temperatures(self, now_ns: int) -> Answer:
        disc = self._pin("disc_temperature_c", _TENTH)
        return disc + self._pin("motor_temperature_c", _TENTH, 20.0)

    def _state(self, now_ns: int) -> Answer:
        application = self._emb.application
        return bytes((application.state, application.fault_level, application.self_test))

    def _command(self, now_ns: int) -> Answer:
        selection = self._emb.selection
        force = number(selection.command.force_n * _TENTH)
        return force + bytes((int(selection.command.mode), int(selection.bus)))

    def _travel(self, now_ns: int) -> Answer:
        return self._pin("screw_travel_m", _MICRO)
