"""A demo module for the place EPS: torque on request, bounded by what was measured of late.

The requested steering torque (`CDC_SteerReq`) is let through only between the least and the
greatest of the last six measured yaw rates (`IMU_Data`), as torque, with a margin on both sides;
and it changes by at most a step per request. What is applied goes out at once as `EPS_DrvTq` of
`SAS_Angle`. Such a window is what steering interfaces of driver assistance are guarded with.

    simcore run my_scenario.py --dut scenarios/modules/limiter.py --as EPS
"""

from __future__ import annotations

from collections import deque

from simcore import Frame
from simcore.ecu import Port
from simcore.network import Database
from simcore.protection import USABLE, e2e_receiver, e2e_sender

SAMPLES = 6
TORQUE_PER_YAW = 0.05
"""Nm per deg/s."""
MARGIN_NM = 0.5
STEP_NM = 2.0
CYCLE_NS = 10_000_000


class Limiter:
    """The module. `window` holds the last measured values, the newest last."""

    def __init__(self, name: str, database: Database) -> None:
        self._request = database.message("CDC_SteerReq")
        self._inertia = database.message("IMU_Data")
        self._status = database.message("SAS_Angle")

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.window: deque[float] = deque(maxlen=SAMPLES)
        self.torque_nm = 0.0
        self._due_ns = now_ns
        self._checks = {
            each.arbitration_id: (each, e2e_receiver(each.e2e, each.length))
            for each in (self._request, self._inertia)
        }
        self._seal = e2e_sender(self._status.e2e, self._status.length)
        self._frame = Frame(
            self._status.arbitration_id,
            bytes(self._status.length),
            is_fd=True,
            bitrate_switch=True,
        )

    def receive(self, frame: Frame, now_ns: int) -> None:
        message, check = self._checks.get(frame.arbitration_id, (None, None))
        if message is None or len(frame.data) != message.length:
            return
        if check.check(frame.data) not in USABLE:
            return
        if message is self._inertia:
            (yaw_rate_degps,) = message.codec.reader("IMU_YawRate").read(frame.data)
            self.measured(yaw_rate_degps)
        else:
            (wanted_nm,) = message.codec.reader("CDC_SteTqOffs").read(frame.data)
            self.torque_nm = self.limited(wanted_nm)
            self._send()

    def measured(self, yaw_rate_degps: float) -> None:
        """Take a sample."""
        self.window.append(yaw_rate_degps * TORQUE_PER_YAW)

    def limited(self, wanted_nm: float) -> float:
        """The request within window, margin and step."""
        low_nm, high_nm = self.bounds_nm()
        low_nm = max(low_nm, min(self.torque_nm - STEP_NM, high_nm))
        high_nm = min(high_nm, max(self.torque_nm + STEP_NM, low_nm))
        return min(max(wanted_nm, low_nm), high_nm)

    def bounds_nm(self) -> tuple[float, float]:
        """What the window permits; around zero before anything was measured."""
        return min(self.window, default=0.0) - MARGIN_NM, max(self.window, default=0.0) + MARGIN_NM

    def on_timer(self, now_ns: int) -> None:
        self._due_ns = now_ns + CYCLE_NS
        self._send()

    def next_deadline_ns(self) -> int:
        return self._due_ns

    def _send(self) -> None:
        writer = self._status.codec.writer("EPS_DrvTq", "EPS_State")
        data = writer.write(round(self.torque_nm, 2), "Active")
        self.port.send(self._frame.with_data(self._seal.protect(data)))
