"""The reaction-time table: what a row and a cell are.

A row is one fault with its requirement, hazard, budget and evidence; it names the places (wheels,
nodes, messages) and the operating points where it is measured. A cell is a row at one place and
one operating point. Every cell is measured several times, with the fault at another phase of the
controllers' cycles each time. The rows themselves are in `ftti_rows_*`, all together in
`ftti_table`; `ftti_run` measures them, and what comes of it is an `ftti_result`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from simcore.errors import UsageError
from simcore.faults.fault import FaultSequence, TimedFault
from simcore.rig.evidence import Observation
from simcore.rig.injection import AnyFault
from simcore.rig.reaction import SETTLE_NS
from simcore.units import NS_PER_MS

Broken: TypeAlias = Callable[[str], AnyFault | TimedFault | FaultSequence]
"""The fault of a place."""
Sought: TypeAlias = Callable[[str], Observation]
"""What to look for at a place."""


NO_REQUIREMENT = "none"
"""Of a row that no requirement covers: it is measured and reported, and judges nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Where the vehicle is and what the driver does when the fault strikes."""

    id: str
    text: str
    speed_kmh: float = 0.0
    pedal_pct: float = 0.0
    friction_ratio: float = 1.05
    silent: tuple[str, ...] = ()
    """Nodes without supply, since half a second before the fault."""
    is_parked: bool = False
    """All four park latches are locked."""


BRAKING = OperatingPoint(
    id="braking", text="braking at 100 km/h, 35 % pedal", speed_kmh=100.0, pedal_pct=35.0
)
LIGHT = OperatingPoint(
    id="light", text="light braking at 100 km/h, 10 % pedal", speed_kmh=100.0, pedal_pct=10.0
)
CRUISE = OperatingPoint(id="cruise", text="100 km/h, no request", speed_kmh=100.0)
STANDSTILL = OperatingPoint(id="standstill", text="held by the pedal, 35 %", pedal_pct=35.0)
LOW_FRICTION = OperatingPoint(
    id="low_friction",
    text="full pedal at 80 km/h on mu 0.3, slip control at work",
    speed_kmh=80.0,
    pedal_pct=100.0,
    friction_ratio=0.3,
)
SECONDARY = OperatingPoint(
    id="secondary",
    text="braking at 100 km/h, 35 % pedal, CDC lost: CDC2 commands",
    speed_kmh=100.0,
    pedal_pct=35.0,
    silent=("CDC",),
)
PARKED = OperatingPoint(
    id="parked", text="parked: all four latches locked, CDC without supply", is_parked=True
)
OPERATING_POINTS = (BRAKING, LIGHT, CRUISE, STANDSTILL, LOW_FRICTION, SECONDARY, PARKED)
STEADY = (BRAKING, LIGHT, STANDSTILL)
"""Where clamp forces stand still: slip control is not at work."""
EVERYWHERE = (BRAKING, LIGHT, CRUISE, STANDSTILL, LOW_FRICTION)
"""With both controllers."""
POINT_OF = {point.id: point for point in OPERATING_POINTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault of the table."""

    id: str
    requirement: str
    broken: str
    """What is broken, with `{}` for the place."""
    hazard: str
    """What comes of it if nothing reacts."""
    places: tuple[str, ...]
    points: tuple[OperatingPoint, ...]
    fault: Broken
    detection: Sought
    """Names the cause: any event that fits counts."""
    safe_state: Sought
    """A level: it has to hold to the end of the observation."""
    ftti_ns: int
    """Fault tolerant time interval."""
    fdti_max_ns: int | None = None
    """The requirement's own limit of the detection."""
    fhti_max_ns: int | None = None
    """The requirement's own limit of detection and reaction; the FTTI where it names none."""
    hazardous: Sought | None = None
    """The hazardous event itself, where the recorded truth can show it."""
    hazard_within_ns: int | None = None
    """How long it must stay away; the FTTI by default. So long is observed in any case."""
    on_slip_safe: Sought | None = None
    on_slip_hazardous: Sought | None = None
    """Instead of `safe_state` and `hazardous` where slip control is at work and no force stands."""
    counted_from: str = ""
    """Message whose third missed frame begins the budget; empty: the fault does."""
    stop_min_mps2: Callable[[str], float] | None = None
    """MFDD that a full stop after the fault has to reach; `None`: none is made."""
    undetected_because: str = ""
    """Why nothing is to be detected; empty where it must be."""
    settle_ns: int = SETTLE_NS
    timeout_ns: int | None = None
    """How long an undetected fault is watched; 100 ms more than the FTTI by default."""

    def __post_init__(self) -> None:
        for name in ("places", "points"):
            if not getattr(self, name):
                raise UsageError(f"row {self.id}, {name}", expected="at least one", got="none")
        if self.budget_ns > self.ftti_ns:
            raise UsageError(
                f"row {self.id}, fhti_max_ns",
                expected=f"at most the FTTI, {self.ftti_ns} ns",
                got=f"{self.budget_ns} ns",
            )

    @property
    def budget_ns(self) -> int:
        """What the FHTI is held against."""
        return self.ftti_ns if self.fhti_max_ns is None else self.fhti_max_ns

    @property
    def observed_ns(self) -> int:
        """How long after the fault is looked, at most."""
        shortest_ns = max(self.ftti_ns, self.hazard_within_ns or 0) + 100 * NS_PER_MS
        return shortest_ns if self.timeout_ns is None else self.timeout_ns

    @property
    def cells(self) -> tuple[Cell, ...]:
        """This row at every place and operating point."""
        return tuple(
            Cell(row=self, place=place, point=point)
            for place in self.places
            for point in self.points
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A row at one place and one operating point."""

    row: Row
    place: str
    point: OperatingPoint

    @property
    def id(self) -> str:
        """`silent_actuator.FL.braking`"""
        return f"{self.row.id}.{self.place}.{self.point.id}"

    @property
    def sentence(self) -> str:
        """What is broken, where."""
        return self.row.broken.format(self.place)

    @property
    def safe_state(self) -> Observation:
        """What is safe here."""
        on_slip = self.row.on_slip_safe if self.point is LOW_FRICTION else None
        return (on_slip or self.row.safe_state)(self.place)

    @property
    def hazardous(self) -> Observation | None:
        """What must not happen here."""
        on_slip = self.row.on_slip_hazardous if self.point is LOW_FRICTION else None
        sought = on_slip or self.row.hazardous
        return None if sought is None else sought(self.place)
