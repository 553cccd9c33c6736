"""The brake pedal sensor as a node."""

from __future__ import annotations

from simcore.ecu.bps.application import Application
from simcore.ecu.bps.communication import pedal_writer
from simcore.ecu.bps.parameters import BpsParameters
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.ecu.saturation import saturated
from simcore.network import Database
from simcore.units import NS_PER_MS, NS_PER_S


class Bps(Ecu):
    """Brake pedal sensor. Input pins: `pedal_travel_1_mm, pedal_travel_2_mm, pedal_force_n`."""

    __slots__ = ("_write", "application", "parameters")

    def __init__(
        self, name: str, database: Database, parameters: BpsParameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or BpsParameters()

    def configure(self, now_ns: int) -> None:
        message = self.database.message("BPS_Pedal")
        period_ns = message.cycle_time_ns or 5 * NS_PER_MS
        self._write = RepeatingWriter(pedal_writer(self.database))
        self.application = Application(
            self.port, self.parameters, period_s=period_ns / NS_PER_S, now_ns=now_ns
        )
        # Sampled right before it is sent: the values on the bus are as fresh as can be.
        self.runs(
            "sample",
            period_ns=period_ns,
            offset_ns=message.start_delay_ns,
            action=self.application.step,
        )
        self.sends("BPS_Pedal", self._pack)

    def _pack(self, now_ns: int) -> bytes:
        application = self.application
        return self._write.write(
            saturated(application.travel_1.value_ratio, 0.0, 200.0),
            saturated(application.travel_2.value_ratio, 0.0, 200.0),
            saturated(application.force.value_ratio, 0.0, 2000.0),
            saturated(application.rate_mmps, -512.0, 1530.0),
            application.travel_1.quality,
            application.travel_2.quality,
            application.force.quality,
            application.switch,
        )
