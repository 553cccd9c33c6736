"""Faults of the two supplies: one is lost, or too low.

Supply A feeds EMB_FL and EMB_RR, supply B feeds EMB_FR and EMB_RL; every other node hangs on both.
Where the restbus plays the power distribution its message shows the supply's voltage and state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simcore.ecu.restbus import RestbusNode
from simcore.errors import UsageError
from simcore.faults.corners import SUPPLIED_CORNERS, actuator_of, require_between
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed, require_count
from simcore.faults.site import NodeControl, Site
from simcore.kernel import Priority
from simcore.kernel.scheduler import Timer
from simcore.plant.held import Holding
from simcore.units import NS_PER_MS, format_ns

HOLD_UP_NS = 10 * NS_PER_MS
"""How long an ECU lives on after its supply, from its capacitors."""
_START_NS = NS_PER_MS
"""From the return of a supply to the start of its ECUs, which find it at their pins then."""
_VOLTAGE_MAX_V = 60.0
_STATES = ((6.0, "Fault"), (24.0, "Critical"), (36.0, "Low"))
"""Below which voltage the power distribution reports what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyFault(SiteFault):
    """Base of both: which supply."""

    supply: str
    """`A` or `B`."""

    layer: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        if self.supply not in SUPPLIED_CORNERS:
            where = f"{type(self).__name__}.supply"
            raise UsageError(where, expected="A or B", got=repr(self.supply))

    def check(self, site: Site) -> None:
        """Refuse a rig without a vehicle."""
        _ = site.plant

    @property
    def _actuators(self) -> str:
        return " and ".join(actuator_of(corner) for corner in SUPPLIED_CORNERS[self.supply])


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyLost(SupplyFault):
    """A supply is gone: its inverters have 0 V at once, its ECUs are off after `hold_up_ns`.

    When it comes back the ECUs start up, a millisecond later.
    """

    hold_up_ns: int = HOLD_UP_NS
    """How long the ECUs live on from their capacitors."""

    def __post_init__(self) -> None:
        SupplyFault.__post_init__(self)
        require_count("SupplyLost.hold_up_ns", self.hold_up_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        hold_up = format_ns(self.hold_up_ns)
        return f"supply {self.supply} lost: {self._actuators} without power, ECUs {hold_up} later"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        outage = _Outage(site, self.supply)
        outage.begin(0.0)
        outage.switch_off_in(self.hold_up_ns)
        return Installed(outage.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyLow(SupplyFault):
    """A supply has too low a voltage; its ECUs run on."""

    voltage_v: float
    """0 excluded; nominal is 48 V."""

    def __post_init__(self) -> None:
        SupplyFault.__post_init__(self)
        require_between(self, "voltage_v", 0.0, _VOLTAGE_MAX_V, above=True)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"supply {self.supply} at {self.voltage_v:g} V: {self._actuators}"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        outage = _Outage(site, self.supply)
        outage.begin(float(self.voltage_v))
        return Installed(outage.end)


class _Outage:
    """A supply that is not as it should be."""

    __slots__ = ("_holdings", "_site", "_supply", "_taken", "_timer")

    def __init__(self, site: Site, supply: str) -> None:
        self._site = site
        self._supply = supply
        self._holdings: list[tuple[int, Holding[float]]] = []
        self._timer: Timer | None = None
        self._taken: list[tuple[NodeControl, object]] = []

    def begin(self, supply_v: float) -> None:
        plant = self._site.plant
        for corner in SUPPLIED_CORNERS[self._supply]:
            self._holdings.append((corner, plant.hold_supply(corner, supply_v)))
        self._show()

    def switch_off_in(self, hold_up_ns: int) -> None:
        """Take the ECUs away once their capacitors are empty."""
        scheduler = self._site.scheduler
        due_ns = scheduler.now_ns + hold_up_ns
        self._timer = scheduler.timer(due_ns, Priority.ECU, self._switch_off)

    def _switch_off(self) -> None:
        for corner in SUPPLIED_CORNERS[self._supply]:
            node = self._site.node(actuator_of(corner))
            self._taken.append((node, node.halt()))

    def end(self) -> None:
        """The supply is as before."""
        for corner, holding in self._holdings:
            self._site.plant.release_supply(corner, holding)
        self._show()
        if self._taken:
            scheduler = self._site.scheduler
            scheduler.timer(scheduler.now_ns + _START_NS, Priority.ECU, self._start)
        elif self._timer is not None:
            self._timer.cancel()

    def _start(self) -> None:
        for node, taken in self._taken:
            node.start(taken)

    def _show(self) -> None:
        """What the restbus says of the supply; another module in its place sees for itself."""
        try:
            node = self._site.node("PDM").node
        except UsageError:
            return  # a network without one
        if not isinstance(node, RestbusNode) or "PDM_Supply" not in node.payloads:
            return
        voltage_v = self._site.plant.supply_v[SUPPLIED_CORNERS[self._supply][0]]
        state = next((name for below_v, name in _STATES if voltage_v < below_v), "OK")
        values: dict[str, float | str] = {
            f"PDM_U{self._supply}": voltage_v,
            f"PDM_St{self._supply}": state,
        }
        node.set("PDM_Supply", **values)
