"""`VehicleControl`: what a script says to and asks of the physical vehicle."""

from __future__ import annotations

from simcore.errors import UsageError
from simcore.plant.chassis import ChassisPlant
from simcore.plant.environment import Surface
from simcore.rig.arguments import require_number
from simcore.rig.events import EventLog
from simcore.units import KMH_PER_MPS


class VehicleControl:
    """`rig.vehicle`: set the scene, read the truth."""

    __slots__ = ("_log", "plant")

    def __init__(self, plant: ChassisPlant, log: EventLog) -> None:
        self.plant = plant
        self._log = log

    def set_speed(self, *, kmh: float) -> None:
        """Put the vehicle into steady rolling at a speed, 0..300 km/h."""
        require_number("vehicle.set_speed, kmh", kmh)
        if not 0.0 <= kmh <= 300.0:
            raise UsageError("vehicle.set_speed", expected="0..300 km/h", got=f"{kmh} km/h")
        self.plant.vehicle.set_speed(kmh / KMH_PER_MPS)
        self._log.add("vehicle", "vehicle", f"rolling at {kmh:g} km/h")

    def set_surface(self, surface: Surface) -> None:
        """Put a road under the vehicle."""
        self.plant.set_surface(surface)
        self._log.add("vehicle", "vehicle", f"road {_described(surface)}")

    def set_friction(
        self,
        friction_ratio: float | None = None,
        *,
        left_ratio: float | None = None,
        right_ratio: float | None = None,
    ) -> None:
        """The same friction under all wheels, or one left and one right; keeps the slope."""
        for value in (friction_ratio, left_ratio, right_ratio):
            if value is not None:
                require_number("vehicle.set_friction", value)
        grade_ratio = self.plant.surface.grade_ratio
        if friction_ratio is not None and left_ratio is None and right_ratio is None:
            surface = Surface.uniform(friction_ratio, grade_ratio=grade_ratio)
        elif friction_ratio is None and left_ratio is not None and right_ratio is not None:
            surface = Surface.split(left_ratio, right_ratio, grade_ratio=grade_ratio)
        else:
            raise UsageError(
                "vehicle.set_friction", expected="one friction, or left_ratio and right_ratio"
            )
        self.set_surface(surface)

    def set_slope(self, *, pct: float) -> None:
        """Slope of the road, positive uphill; keeps the friction."""
        require_number("vehicle.set_slope, pct", pct)
        surface = Surface(segments=self.plant.surface.segments, grade_ratio=pct / 100.0)
        self.set_surface(surface)

    def set_mass(self, *, kg: float) -> None:
        """Load the vehicle."""
        require_number("vehicle.set_mass, kg", kg)
        self.plant.vehicle.set_mass(kg)
        self._log.add("vehicle", "vehicle", f"mass {kg:g} kg")

    @property
    def speed_kmh(self) -> float:
        return self.plant.vehicle.speed_mps * KMH_PER_MPS

    @property
    def speed_mps(self) -> float:
        return self.plant.vehicle.speed_mps

    @property
    def distance_m(self) -> float:
        """Way travelled so far."""
        return self.plant.vehicle.distance_m

    @property
    def x_m(self) -> float:
        """Position along the road; falls when the vehicle rolls back."""
        return self.plant.vehicle.x_m

    @property
    def lateral_offset_m(self) -> float:
        """Offset from the lane's centre, left positive."""
        return self.plant.vehicle.y_m

    @property
    def clamp_force_n(self) -> tuple[float, float, float, float]:
        """True clamp forces FL FR RL RR."""
        fl, fr, rl, rr = self.plant.calipers
        return fl.clamp_force_n, fr.clamp_force_n, rl.clamp_force_n, rr.clamp_force_n


def _described(surface: Surface) -> str:
    first = surface.segments[0]
    left, right = first.left_ratio, first.right_ratio
    text = f"mu {left:g}" if left == right else f"mu {left:g} left, {right:g} right"
    if len(surface.segments) > 1:
        text += f", {len(surface.segments)} segments"
    if surface.grade_ratio:
        text += f", slope {100 * surface.grade_ratio:g} %"
    return text
