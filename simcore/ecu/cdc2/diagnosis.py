"""What diagnostics can do in CDC2: the table of the domain controllers, read from this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.diag import DiagnosticTable
from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.diagnosis import ControllerDiagnosis, reference_speed_kmh
from simcore.units import KMH_PER_MPS

if TYPE_CHECKING:
    from simcore.ecu.cdc2.node import Cdc2

PART_NUMBER = b"CDC2-4701"
SOFTWARE_VERSION = b"CDC2 1.0.0"


class Cdc2Diagnosis:
    """Where the table finds what it reads."""

    __slots__ = ("_cdc2",)

    def __init__(self, cdc2: Cdc2) -> None:
        self._cdc2 = cdc2

    def table(self) -> DiagnosticTable:
        """The controller's table."""
        cdc2 = self._cdc2
        return ControllerDiagnosis(
            cdc2,
            cdc2.parameters.control,
            control=self.control,
            speed_kmh=self.speed_kmh,
            part_number=PART_NUMBER,
            software_version=SOFTWARE_VERSION,
        ).table()

    def control(self) -> Application | None:
        """The braking control while this controller commands."""
        return self._cdc2.application.control

    def speed_kmh(self, now_ns: int) -> float | None:
        """Its own estimate while it commands, the primary's in standby."""
        application = self._cdc2.application
        control = application.control
        if control is not None:
            return reference_speed_kmh(control)
        speed_mps = application.primary_speed_mps(now_ns)
        return None if speed_mps is None else speed_mps * KMH_PER_MPS
