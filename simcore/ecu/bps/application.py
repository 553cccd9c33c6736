"""The pedal sensor's task: sample travel twice and force, judge them, filter the rate."""

from __future__ import annotations

from simcore.ecu.bps.communication import (
    SWITCH_APPLIED,
    SWITCH_IMPLAUSIBLE,
    SWITCH_NOT_APPLIED,
)
from simcore.ecu.bps.parameters import BpsParameters
from simcore.ecu.quality import MonitoredSensor
from simcore.ecu.seam import Port


class Application:
    """Runs every 5 ms. Publishes `travel_1, travel_2, force` and the derived values."""

    __slots__ = (
        "_parameters",
        "_period_s",
        "_port",
        "_started_ns",
        "_travel_mm",
        "force",
        "rate_mmps",
        "travel_1",
        "travel_2",
    )

    def __init__(
        self, port: Port, parameters: BpsParameters, *, period_s: float, now_ns: int
    ) -> None:
        p = parameters
        self._port = port
        self._parameters = p
        self._period_s = period_s
        self._started_ns = now_ns
        self._travel_mm = 0.0
        self.travel_1 = MonitoredSensor(p.travel_min_mm, p.travel_max_mm)
        self.travel_2 = MonitoredSensor(p.travel_min_mm, p.travel_max_mm)
        self.force = MonitoredSensor(p.force_min_n, p.force_max_n)
        self.rate_mmps = 0.0

    def step(self, now_ns: int) -> None:
        """One sample."""
        p = self._parameters
        pins = self._port.inputs
        starting = now_ns - self._started_ns < p.init_ns
        self.travel_1.sample(pins["pedal_travel_1_mm"], starting=starting)
        self.travel_2.sample(pins["pedal_travel_2_mm"], starting=starting)
        self.force.sample(pins["pedal_force_n"], starting=starting)
        travel_mm = 0.5 * (self.travel_1.value_ratio + self.travel_2.value_ratio)
        raw_mmps = (travel_mm - self._travel_mm) / self._period_s
        self._travel_mm = travel_mm
        self.rate_mmps += p.rate_filter_ratio * (raw_mmps - self.rate_mmps)

    @property
    def switch(self) -> int:
        """As `BPS_SwState`."""
        p = self._parameters
        first_mm, second_mm = self.travel_1.value_ratio, self.travel_2.value_ratio
        if abs(first_mm - second_mm) > p.disagreement_mm:
            return SWITCH_IMPLAUSIBLE
        applied = first_mm > p.applied_above_mm and second_mm > p.applied_above_mm
        return SWITCH_APPLIED if applied else SWITCH_NOT_APPLIED
