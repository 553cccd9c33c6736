"""What diagnostics can do in the domain controllers: live data and calibration.

CDC and CDC2 have the same table: in standby CDC2 has no control of its own, and what it would read
there is not available.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simcore.diag import DiagnosticTable
from simcore.diag.operation import Answer
from simcore.diag.rows import Did
from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.trouble_codes import SNAPSHOT, Snapshot
from simcore.ecu.runtime.diagnostics_rows import (
    NO_NUMBER,
    Calibration,
    StandardRows,
    number,
    snapshot_rows,
)
from simcore.units import KMH_PER_MPS

if TYPE_CHECKING:
    from simcore.ecu.cdc.node import Cdc
    from simcore.ecu.runtime import Ecu

CALIBRATIONS = (
    Calibration(
        did=0x0301,
        name="vehicle mass, 1 kg",
        parameter="mass_kg",
        scale_ratio=1.0,
        minimum=1500,
        maximum=2700,
    ),
)
NOT_AVAILABLE = 0xFF
STILL_KMH = 0.5
_MILLI, _TENTH, _HUNDREDTH = 1e3, 10.0, 100.0
_NAN = float("nan")
Control = Callable[[], Application | None]
"""The control task that is at work, if one is."""
SpeedKmh = Callable[[int], float | None]
"""`speed_kmh(now_ns)`: of the vehicle, as far as the controller knows."""


class ControllerDiagnosis:
    """Handlers of one controller's table; reads the application as it is."""

    __slots__ = (
        "_control",
        "_ecu",
        "_parameters",
        "_part_number",
        "_software_version",
        "_speed_kmh",
    )

    def __init__(
        self,
        ecu: Ecu,
        parameters: CdcParameters,
        *,
        control: Control,
        speed_kmh: SpeedKmh,
        part_number: bytes,
        software_version: bytes,
    ) -> None:
        self._ecu = ecu
        self._parameters = parameters
        self._control = control
        self._speed_kmh = speed_kmh
        self._part_number = part_number
        self._software_version = software_version

    def table(self) -> DiagnosticTable:
        """The controller's table."""
        rows = StandardRows(
            self._ecu,
            part_number=self._part_number,
            software_version=self._software_version,
            is_still=self.is_still,
            may_be_deaf=False,
        )
        calibrations = (each.row(self._ecu, self._parameters) for each in CALIBRATIONS)
        snapshot = snapshot_rows(SNAPSHOT, Snapshot(self._ecu, self._control).readers())
        return rows.table(dids=(*self._live(), *calibrations, *snapshot))

    def is_still(self, now_ns: int) -> bool:
        """Whether the vehicle is known to stand."""
        speed_kmh = self._speed_kmh(now_ns)
        return speed_kmh is not None and speed_kmh <= STILL_KMH

    def _live(self) -> tuple[Did, ...]:
        return (
            Did(0x0201, "vehicle speed, 0.01 km/h", 4, read=self._speed),
            Did(0x0202, "force requests FL FR RL RR, 0.1 N", 16, read=self._requests),
            Did(0x0203, "degradation, request source, hold state", 3, read=self._state),
            Did(0x0204, "wheel speeds FL FR RL RR, 0.01 km/h", 16, read=self._wheels),
            Did(0x0205, "clamp forces FL FR RL RR, 0.1 N", 16, read=self._forces),
            Did(0x0206, "deceleration asked for, 0.001 m/s2", 4, read=self._deceleration),
            Did(0x0207, "acceleration, 0.001 m/s2", 4, read=self._acceleration),
            Did(0x0208, "supply lost: 0 none, 1 A, 2 B", 1, read=self._supply),
        )

    def _speed(self, now_ns: int) -> Answer:
        speed_kmh = self._speed_kmh(now_ns)
        return NO_NUMBER if speed_kmh is None else number(speed_kmh * _HUNDREDTH)

    def _requests(self, now_ns: int) -> Answer:
        control = self._control()
        values = [_NAN] * 4 if control is None else control.force_request_n
        return b"".join(number(force_n * _TENTH) for force_n in values)

    def _state(self, now_ns: int) -> Answer:
        control = self._control()
        if control is None:
            return bytes((NOT_AVAILABLE,)) * 3
        return bytes((control.degradation, control.source, control.hold.state))

    def _wheels(self, now_ns: int) -> Answer:
        control = self._control()
        if control is None:
            return number(_NAN) * 4
        return b"".join(
            number(each.wheel_speed_kmh * _HUNDREDTH if each.wheel_valid else _NAN)
            for each in control.actuators.corners
        )

    def _forces(self, now_ns: int) -> Answer:
        control = self._control()
        if control is None:
            return number(_NAN) * 4
        return b"".join(
            number(_NAN if each.lost else each.clamp_force_n * _TENTH)
            for each in control.actuators.corners
        )

    def _deceleration(self, now_ns: int) -> Answer:
        control = self._control()
        return number(_NAN if control is None else control.decel_mps2 * _MILLI)

    def _acceleration(self, now_ns: int) -> Answer:
        control = self._control()
        known = control is not None and control.ax_valid
        return number(control.ax_mps2 * _MILLI if known and control is not None else _NAN)

    def _supply(self, now_ns: int) -> Answer:
        control = self._control()
        return bytes((NOT_AVAILABLE if control is None else control.supply.lost,))


def reference_speed_kmh(application: Application) -> float | None:
    """The vehicle speed that the control works with; `None` without a single valid wheel."""
    if not any(corner.wheel_valid for corner in application.actuators.corners):
        return None
    return application.slip.reference_speed_mps * KMH_PER_MPS


PART_NUMBER = b"CDC-4700"
SOFTWARE_VERSION = b"CDC 1.0.0"


class CdcDiagnosis:
    """Where the table of CDC finds what it reads."""

    __slots__ = ("_cdc",)

    def __init__(self, cdc: Cdc) -> None:
        self._cdc = cdc

    def table(self) -> DiagnosticTable:
        """The controller's table."""
        cdc = self._cdc
        return ControllerDiagnosis(
            cdc,
            cdc.parameters,
            control=self.control,
            speed_kmh=self.speed_kmh,
            part_number=PART_NUMBER,
            software_version=SOFTWARE_VERSION,
        ).table()

    def control(self) -> Application | None:
        """The control task."""
        return self._cdc.application

    def speed_kmh(self, now_ns: int) -> float | None:
        """The estimate that the control works with."""
        return reference_speed_kmh(self._cdc.application)
