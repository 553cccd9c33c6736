"""The inertial measurement unit as a node."""

from __future__ import annotations

from simcore.ecu.imu.application import Application
from simcore.ecu.imu.communication import imu_writer
from simcore.ecu.imu.parameters import ImuParameters
from simcore.ecu.runtime import Ecu
from simcore.ecu.saturation import saturated
from simcore.network import Database
from simcore.units import DEG_PER_RAD, NS_PER_MS


class Imu(Ecu):
    """Inertial sensor. Input pins: `yaw_rate_radps, roll_rate_radps, ax_mps2, ay_mps2`."""

    __slots__ = ("_write", "application", "parameters")

    def __init__(
        self, name: str, database: Database, parameters: ImuParameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or ImuParameters()

    def configure(self, now_ns: int) -> None:
        message = self.database.message("IMU_Data")
        self._write = imu_writer(self.database)
        self.application = Application(self.port, self.parameters, now_ns=now_ns)
        self.runs(
            "sample",
            period_ns=message.cycle_time_ns or 5 * NS_PER_MS,
            offset_ns=message.start_delay_ns,
            action=self.application.step,
        )
        self.sends("IMU_Data", self._pack)

    def _pack(self, now_ns: int) -> bytes:
        application = self.application
        yaw_rate, ax, ay = application.yaw_rate, application.ax, application.ay
        return self._write.write(
            saturated(yaw_rate.value_ratio * DEG_PER_RAD, -163.84, 163.835),
            saturated(ax.value_ratio, -32.768, 32.767),
            saturated(ay.value_ratio, -32.768, 32.767),
            saturated(application.roll_rate.value_ratio * DEG_PER_RAD, -163.84, 163.835),
            yaw_rate.quality,
            ax.quality,
            ay.quality,
        )
