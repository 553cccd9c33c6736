"""Request arbitration: which deceleration is executed, and whose it is.

The largest valid request wins: driver, emergency braking, cruise control; standstill hold joins at
rest. A request whose message is lost leaves: emergency braking at once, cruise control with a
ramp, so that a lost message does not jerk the car.
"""

from __future__ import annotations

from typing import NamedTuple

from simcore.ecu.cdc.communication import (
    AEB_FULL,
    AEB_PARTIAL,
    HOLD_RELEASE,
    HOLD_REQUEST,
    QUALITY_VALID,
    adas_reader,
    pedal_reader,
)
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import RequestSource
from simcore.ecu.runtime import Reception
from simcore.network import Database

# Plain members: an attribute of an IntEnum class costs a dictionary look-up, 200 times a second.
_NONE, _DRIVER = RequestSource.NONE, RequestSource.DRIVER


class PedalInput:
    """The driver's request from two travel channels."""

    __slots__ = (
        "_data",
        "_p",
        "_read",
        "_reception",
        "_travel_max_mm",
        "_travel_mm",
        "available",
        "degraded",
    )

    def __init__(self, database: Database, reception: Reception, parameters: CdcParameters) -> None:
        self._reception = reception
        self._read = pedal_reader(database)
        self._p = parameters
        self._data: bytes | None = None
        self._travel_mm = 0.0
        maximum = database.message("BPS_Pedal").signal("BPS_Trvl1").maximum
        self._travel_max_mm = float("inf") if maximum is None else float(maximum)
        self.available = False
        """Whether at least one channel says what the driver wants."""
        self.degraded = False

    def decel_mps2(self, now_ns: int, *, starting: bool) -> float:
        """Deceleration the driver asks for.

        One valid channel is enough. Where two valid channels disagree the smaller one counts and
        the pedal is degraded; without any the request is 0.
        """
        reception = self._reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if not reception.usable(now_ns):
            self.degraded = not starting
            self.available = False
            self._data = None
            self._travel_mm = 0.0
            return 0.0
        if reception.data is not self._data:
            self._data = reception.data
            self._judge(*self._read.read(reception.data))
        if starting:
            self.degraded = False
        p = self._p
        share_ratio = (self._travel_mm - p.pedal_dead_mm) / (p.pedal_full_mm - p.pedal_dead_mm)
        return min(1.0, max(0.0, share_ratio)) * p.decel_full_mps2

    def _judge(
        self, first_mm: float, second_mm: float, first_quality: int, second_quality: int
    ) -> None:
        # Beyond the range of the signal a travel is reserved, whatever its quality says.
        first = first_quality == QUALITY_VALID and first_mm <= self._travel_max_mm
        second = second_quality == QUALITY_VALID and second_mm <= self._travel_max_mm
        self.available = first or second
        self.degraded = not (first and second)
        if first and second:
            if abs(first_mm - second_mm) <= self._p.pedal_disagreement_mm:
                self._travel_mm = 0.5 * (first_mm + second_mm)
            else:
                self.degraded = True
                self._travel_mm = min(first_mm, second_mm)
        elif first or second:
            self._travel_mm = first_mm if first else second_mm
        else:
            self._travel_mm = 0.0


class AssistanceRequest(NamedTuple):
    """What `ADAS_LongReq` asks for."""

    emergency_active: int = 0
    emergency_mps2: float = 0.0
    cruise_active: int = 0
    cruise_mps2: float = 0.0
    hold: int = 0


_NO_REQUEST = AssistanceRequest()


class AssistanceInput:
    """Requests of the driver assistance."""

    __slots__ = ("_acc_mps2", "_data", "_p", "_period_s", "_read", "_reception", "_request")

    def __init__(
        self,
        database: Database,
        reception: Reception,
        parameters: CdcParameters,
        *,
        period_s: float,
    ) -> None:
        self._reception = reception
        self._read = adas_reader(database)
        self._p = parameters
        self._period_s = period_s
        self._data: bytes | None = None
        self._request = _NO_REQUEST
        self._acc_mps2 = 0.0

    def update(self, now_ns: int) -> None:
        """Take the last usable message, or let its requests leave."""
        reception = self._reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if reception.usable(now_ns):
            if reception.data is not self._data:
                self._data = reception.data
                self._request = AssistanceRequest._make(self._read.read(reception.data))
            request = self._request
            self._acc_mps2 = max(0.0, -request.cruise_mps2) if request.cruise_active else 0.0
        else:
            self._data = None
            self._request = _NO_REQUEST
            step_mps2 = self._p.acc_ramp_out_mps3 * self._period_s
            self._acc_mps2 = max(0.0, self._acc_mps2 - step_mps2)

    @property
    def emergency_mps2(self) -> float:
        """Deceleration of the emergency braking, 0 while inactive."""
        request = self._request
        if request.emergency_active in (AEB_PARTIAL, AEB_FULL):
            return max(0.0, -request.emergency_mps2)
        return 0.0

    @property
    def cruise_mps2(self) -> float:
        """Deceleration of the cruise control, 0 while it does not brake."""
        return self._acc_mps2

    @property
    def requests_hold(self) -> bool:
        return self._request.hold == HOLD_REQUEST

    @property
    def releases_hold(self) -> bool:
        return self._request.hold == HOLD_RELEASE


def arbitrate(
    *, driver_mps2: float, emergency_mps2: float, cruise_mps2: float, hold_mps2: float
) -> tuple[float, RequestSource]:
    """The executed deceleration and its source; the earlier argument wins a tie."""
    best_mps2, source = driver_mps2, _DRIVER
    if emergency_mps2 > best_mps2:
        best_mps2, source = emergency_mps2, RequestSource.AEB
    if cruise_mps2 > best_mps2:
        best_mps2, source = cruise_mps2, RequestSource.ACC
    if hold_mps2 > best_mps2:
        best_mps2, source = hold_mps2, RequestSource.HOLD
    return (best_mps2, source) if best_mps2 > 0.0 else (0.0, _NONE)
