"""Standstill hold: keep the car where the driver stopped it (BRK-008).

Enabled by the auto-hold switch or a hold request of the driver assistance. The force comes from
the slope the accelerometer shows at rest, for the heaviest load, with margin.
"""

from __future__ import annotations

from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import TRANSITIONS, HoldEvent, HoldState
from simcore.ecu.seam import Port
from simcore.units import KMH_PER_MPS

_BLEND_OUT_MPS3 = 15.0
# Plain members: an attribute of an IntEnum class costs a dictionary look-up, 200 times a second.
_UNAVAIL = HoldState.UNAVAIL
_BLEND_IN = HoldState.BLEND_IN
_HOLDING = HoldState.HOLDING
_BLEND_OUT = HoldState.BLEND_OUT


class StandstillHold:
    """The hold function, called every control period."""

    __slots__ = (
        "_decel_mps2",
        "_limit_mps",
        "_p",
        "_period_s",
        "_port",
        "_still_since_ns",
        "state",
    )

    def __init__(self, port: Port, parameters: CdcParameters, *, period_s: float) -> None:
        self._port = port
        self._p = parameters
        self._period_s = period_s
        self._limit_mps = parameters.standstill_kmh / KMH_PER_MPS
        self._still_since_ns: int | None = None
        self._decel_mps2 = 0.0
        self.state = HoldState.INIT

    def resume(self, now_ns: int) -> None:
        """Go on holding what another controller held."""
        self.state = HoldState.HOLDING
        self._still_since_ns = now_ns - self._p.standstill_for_ns

    def standstill(self, now_ns: int) -> bool:
        """Whether all wheels have been still for long enough."""
        since_ns = self._still_since_ns
        return since_ns is not None and now_ns - since_ns >= self._p.standstill_for_ns

    def watch_wheels(
        self, now_ns: int, wheel_speed_mps: list[float], wheel_valid: list[bool]
    ) -> None:
        """How long all wheels that say anything have been still; part of `step`."""
        limit_mps = self._limit_mps
        if all(wheel_valid):
            still = max(wheel_speed_mps) <= limit_mps
        else:
            still = any(wheel_valid)
            for speed_mps, valid in zip(wheel_speed_mps, wheel_valid, strict=True):
                if valid and speed_mps > limit_mps:
                    still = False
        if not still:
            self._still_since_ns = None
        elif self._still_since_ns is None:
            self._still_since_ns = now_ns

    def step(
        self,
        now_ns: int,
        *,
        wheel_speed_mps: list[float],
        wheel_valid: list[bool],
        enabled: bool,
        drive_off: bool,
        requested_mps2: float,
        slope_mps2: float,
        all_lost: bool,
    ) -> float:
        """Deceleration equivalent of the hold force, 0 where it does not hold.

        `slope_mps2` is the accelerometer's reading: at rest it is gravity along the slope.
        """
        p = self._p
        self.watch_wheels(now_ns, wheel_speed_mps, wheel_valid)
        if not enabled and self.state is _UNAVAIL:
            return 0.0  # switched off and staying so
        self._happens(HoldEvent.AVAILABLE if enabled else HoldEvent.SWITCHED_OFF)
        if all_lost:
            self._happens(HoldEvent.ACTUATORS_LOST)
        if drive_off:
            self._happens(HoldEvent.DRIVE_OFF)
        still = self.standstill(now_ns)
        if still and requested_mps2 > 0.0 and not drive_off:
            self._happens(HoldEvent.STANDSTILL_BRAKED)
        if self.state is _BLEND_IN or self.state is _HOLDING:
            needed_mps2 = abs(slope_mps2) * p.hold_margin_ratio * p.mass_max_kg / p.mass_kg
            needed_mps2 = max(needed_mps2, p.hold_min_decel_mps2)
            self._decel_mps2 = max(self._decel_mps2, needed_mps2)
            self._happens(HoldEvent.FORCE_REACHED)
        elif self.state is _BLEND_OUT:
            self._decel_mps2 -= _BLEND_OUT_MPS3 * self._period_s
            if self._decel_mps2 <= 0.0:
                self._happens(HoldEvent.RELEASED)
        if self.state not in (_BLEND_IN, _HOLDING, _BLEND_OUT):
            self._decel_mps2 = 0.0
        return self._decel_mps2

    def _happens(self, event: HoldEvent) -> None:
        after = TRANSITIONS.get((self.state, event))
        if after is not None:
            if self.state is not HoldState.INIT and after is not HoldState.UNAVAIL:
                self._port.log("state", f"hold {self.state.name} -> {after.name} ({event.name})")
            self.state = after
