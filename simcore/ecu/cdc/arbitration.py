"""Request arbitration: which deceleration is executed, and whose it is.

The largest valid request wins: driver, emergency braking, cruise control; standstill hold joins at
rest. A request whose message is lost leaves: emergency braking at once, cruise control with a
ramp, so that a lost message does not jerk the car. How the pedal is read is in `pedal`.
"""

from __future__ import annotations

from simcore.ecu.cdc.communication import (
    AEB_FULL,
    AEB_PARTIAL,
    HOLD_RELEASE,
    HOLD_REQUEST,
    adas_reader,
)
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import RequestSource
from simcore.ecu.runtime import Reception
from simcore.network import Database

# Plain members: an attribute of an IntEnum class costs a dictionary look-up, 200 times a second.
_NONE, _DRIVER, _CRUISE, _EMERGENCY, _HOLD = RequestSource


class AssistanceInput:
    """Requests of the driver assistance."""

    __slots__ = (
        "_data",
        "_p",
        "_period_s",
        "_read",
        "_reception",
        "cruise_mps2",
        "emergency_mps2",
        "releases_hold",
        "requests_hold",
    )

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
        self.emergency_mps2 = 0.0
        """Deceleration of the emergency braking, 0 while inactive."""
        self.cruise_mps2 = 0.0
        """Deceleration of the cruise control, 0 while it does not brake."""
        self.requests_hold = False
        self.releases_hold = False

    def update(self, now_ns: int) -> None:
        """Take the last usable message, or let its requests leave."""
        reception = self._reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if now_ns > reception.valid_until_ns:
            self._leave()
        elif reception.data is not self._data:
            self._data = reception.data
            self._take(reception.data)

    def _take(self, data: bytes) -> None:
        emergency, emergency_mps2, cruise, cruise_mps2, hold = self._read.read(data)
        braking = emergency in (AEB_PARTIAL, AEB_FULL)
        self.emergency_mps2 = max(0.0, -emergency_mps2) if braking else 0.0
        self.cruise_mps2 = max(0.0, -cruise_mps2) if cruise else 0.0
        self.requests_hold = hold == HOLD_REQUEST
        self.releases_hold = hold == HOLD_RELEASE

    def _leave(self) -> None:
        self._data = None
        self.emergency_mps2 = 0.0
        self.requests_hold = self.releases_hold = False
        step_mps2 = self._p.acc_ramp_out_mps3 * self._period_s
        self.cruise_mps2 = max(0.0, self.cruise_mps2 - step_mps2)


def arbitrate(
    *, driver_mps2: float, emergency_mps2: float, cruise_mps2: float, hold_mps2: float
) -> tuple[float, RequestSource]:
    """The executed deceleration and its source; the earlier argument wins a tie."""
    best_mps2, source = driver_mps2, _DRIVER
    if emergency_mps2 > best_mps2:
        best_mps2, source = emergency_mps2, _EMERGENCY
    if cruise_mps2 > best_mps2:
        best_mps2, source = cruise_mps2, _CRUISE
    if hold_mps2 > best_mps2:
        best_mps2, source = hold_mps2, _HOLD
    return (best_mps2, source) if best_mps2 > 0.0 else (0.0, _NONE)
