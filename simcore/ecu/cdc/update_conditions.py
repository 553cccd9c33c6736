"""What the domain controller knows of the vehicle when its software is to change (OTA-003).

Standstill has two sources that share no sensor and no supply: the wheels FL and RR on supply A,
the wheels FR and RL on supply B. Parked means commanded by this controller and confirmed by both
locks.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.ecu.cdc.actuators import Actuator
from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.communication import MODE_PARK_APPLY, supply_reader
from simcore.ecu.cdc.park_brake import LockState
from simcore.ecu.cdc.supply import NONE_LOST
from simcore.ecu.runtime import Reception
from simcore.network import Database
from simcore.units import KMH_PER_MPS, NS_PER_S
from simcore.update.guards import Conditions, Standstill

PARKED_MODES = (2, 4, 5)
"""`VEH_PwrMode` Ready, Afterrun, Park: the drive is off."""
_STILL_KMH = 0.1
_MOST_CYCLES = 1 << 30
"""The update client knows how many are left."""
_LASTS_NS = 3600 * NS_PER_S
"""A supply in order lasts longer than any update."""
_MOVING = (LockState.APPLYING, LockState.RELEASING)


class UpdateConditions:
    """The source of `Conditions` for the update client of CDC and CDC2."""

    __slots__ = ("_application", "_faulty", "_read_supply", "_still", "_supply")

    def __init__(
        self,
        application: Application,
        database: Database,
        supply: Reception,
        *,
        faulty: Callable[[], bool],
    ) -> None:
        self._application = application
        self._supply = supply
        self._read_supply = supply_reader(database)
        self._faulty = faulty
        self._still = Standstill()

    def conditions(self, now_ns: int) -> Conditions:
        """The conditions at `now_ns`; ask every 100 ms at least, or standstill begins anew."""
        application = self._application
        fl, fr, rl, rr = application.actuators.corners
        speed_a, valid_a = _pair_mps(fl, rr)
        speed_b, valid_b = _pair_mps(fr, rl)
        park = application.park_brake
        supply_v = 0.0
        if now_ns <= self._supply.valid_until_ns:
            a_v, b_v, _, _ = self._read_supply.read(self._supply.data)
            supply_v = min(a_v, b_v)
        whole = application.supply.lost == NONE_LOST
        return Conditions(
            speed_1_mps=speed_a,
            speed_1_valid=valid_a,
            speed_2_mps=speed_b,
            speed_2_valid=valid_b,
            standstill_ns=self._still.update(speed_a, valid_a, speed_b, valid_b, now_ns),
            parked_commanded=park.switch_up and park.mode == MODE_PARK_APPLY,
            parked_confirmed=park.applied,
            abs_active=any(application.slip.active),
            epb_moving=any(lock in _MOVING for lock in park.locks),
            ignition_allowed=application.power_mode in PARKED_MODES,
            supply_v=supply_v,
            supply_margin_ns=_LASTS_NS if whole else 0,
            safety_dtc=self._faulty(),
            erase_cycles_left=_MOST_CYCLES,
        )


def _pair_mps(first: Actuator, second: Actuator) -> tuple[float, bool]:
    """The faster of two wheels, still where it creeps less than can be measured."""
    fastest_kmh = max(first.wheel_speed_kmh, second.wheel_speed_kmh)
    speed_mps = 0.0 if fastest_kmh < _STILL_KMH else fastest_kmh / KMH_PER_MPS
    return speed_mps, first.wheel_valid and second.wheel_valid
