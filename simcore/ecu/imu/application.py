"""The inertial measurement unit's task: sample and judge."""

from __future__ import annotations

from simcore.ecu.imu.parameters import ImuParameters
from simcore.ecu.quality import MonitoredSensor
from simcore.ecu.seam import Port


class Application:
    """Runs every 5 ms. Accelerations are specific forces: on a slope they contain gravity."""

    __slots__ = ("_parameters", "_port", "_started_ns", "ax", "ay", "roll_rate", "yaw_rate")

    def __init__(self, port: Port, parameters: ImuParameters, *, now_ns: int) -> None:
        p = parameters
        self._port = port
        self._parameters = p
        self._started_ns = now_ns
        self.yaw_rate = MonitoredSensor(-p.rate_max_radps, p.rate_max_radps)
        self.roll_rate = MonitoredSensor(-p.rate_max_radps, p.rate_max_radps)
        self.ax = MonitoredSensor(-p.acceleration_max_mps2, p.acceleration_max_mps2)
        self.ay = MonitoredSensor(-p.acceleration_max_mps2, p.acceleration_max_mps2)

    def step(self, now_ns: int) -> None:
        """One sample."""
        pins = self._port.inputs
        starting = now_ns - self._started_ns < self._parameters.init_ns
        self.yaw_rate.sample(pins["yaw_rate_radps"], starting=starting)
        self.roll_rate.sample(pins["roll_rate_radps"], starting=starting)
        self.ax.sample(pins["ax_mps2"], starting=starting)
        self.ay.sample(pins["ay_mps2"], starting=starting)
