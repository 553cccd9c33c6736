"""Drives: what driver and road do over time."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.testing.strategies.arguments import require_number, require_whole
from simcore.units import NS_PER_MS

DRY_RATIO = 1.05
"""Friction of dry asphalt, where drives shrink to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a drive: what is set at its beginning, and how long it lasts."""

    duration_ns: int
    pedal_pct: float = 0.0
    """Brake pedal, pressed along a ramp; 0 releases it."""
    ramp_ns: int = 0
    cruise_kmh: float | None = None
    """Speed that the accelerator holds while the pedal is released; `None`: it rolls."""
    friction_ratio: float = DRY_RATIO
    right_ratio: float | None = None
    """Friction on the right side; `None`: as on the left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Where a drive begins, and its stretches."""

    speed_kmh: float
    stretches: tuple[Stretch, ...]

    @property
    def duration_ns(self) -> int:
        """From the first stretch to the end of the last."""
        return sum(each.duration_ns for each in self.stretches)

    def apply(self, rig: Rig) -> None:
        """Drive it on a rig: virtual time passes."""
        if not isinstance(rig, Rig):
            raise UsageError("Drive.apply", expected="a Rig, which has a vehicle", got=repr(rig))
        rig.vehicle.set_speed(kmh=self.speed_kmh)
        for each in self.stretches:
            if each.right_ratio is None:
                rig.vehicle.set_friction(each.friction_ratio)
            else:
                rig.vehicle.set_friction(
                    left_ratio=each.friction_ratio, right_ratio=each.right_ratio
                )
            rig.press_pedal(each.pedal_pct, ramp_ns=each.ramp_ns)
            if each.cruise_kmh is not None and each.pedal_pct == 0.0:
                rig.driver.hold_speed(each.cruise_kmh)
            rig.run_for(each.duration_ns)


def drives(
    *,
    min_size: int = 1,
    max_size: int = 4,
    min_speed_kmh: float = 0.0,
    max_speed_kmh: float = 150.0,
    max_pedal_pct: float = 100.0,
    min_friction_ratio: float = 0.1,
    max_friction_ratio: float = DRY_RATIO,
    split: bool = True,
    min_duration_ns: int = NS_PER_MS,
    max_duration_ns: int = 500 * NS_PER_MS,
) -> SearchStrategy[Drive]:
    """Drives of `min_size`..`max_size` stretches: `draw(drives()).apply(rig)`.

    Speed at the beginning and speeds to hold in km/h, pedal in %, friction as a ratio (with
    `split` also unlike on both sides), durations in ns, drawn in whole milliseconds. They shrink
    towards one short stretch at the least speed, pedal released, on the best road.
    """
    where = "drives"
    require_whole(where, 1, min_size=min_size, max_size=max_size)
    require_whole(where, 1, min_duration_ns=min_duration_ns, max_duration_ns=max_duration_ns)
    require_number(f"{where}, min_speed_kmh", min_speed_kmh, 0.0, 300.0)
    require_number(f"{where}, max_speed_kmh", max_speed_kmh, min_speed_kmh, 300.0)
    require_number(f"{where}, max_pedal_pct", max_pedal_pct, 0.0, 100.0)
    require_number(f"{where}, min_friction_ratio", min_friction_ratio, 0.01, 2.0)
    require_number(f"{where}, max_friction_ratio", max_friction_ratio, min_friction_ratio, 2.0)
    if not isinstance(split, bool):
        raise UsageError(f"{where}, split", expected="True or False", got=repr(split))
    speeds = _tenths(min_speed_kmh, max_speed_kmh)
    stretches = _stretches(
        speeds,
        _tenths(0.0, max_pedal_pct),
        _frictions(min_friction_ratio, max_friction_ratio),
        split,
        _durations(min_duration_ns, max_duration_ns),
    )
    return st.builds(
        Drive,
        speed_kmh=speeds,
        stretches=st.lists(stretches, min_size=min_size, max_size=max_size).map(tuple),
    )


@st.composite
def _stretches(
    draw: DrawFn,
    speeds: SearchStrategy[float],
    pedals: SearchStrategy[float],
    frictions: SearchStrategy[float],
    split: bool,
    durations: SearchStrategy[int],
) -> Stretch:
    pedal_pct = draw(pedals)
    return Stretch(
        duration_ns=draw(durations),
        pedal_pct=pedal_pct,
        ramp_ns=draw(st.sampled_from((0, 50, 120, 400))) * NS_PER_MS if pedal_pct else 0,
        cruise_kmh=None if pedal_pct else draw(st.none() | speeds),
        friction_ratio=draw(frictions),
        right_ratio=draw(st.none() | frictions) if split else None,
    )


def _tenths(low_ratio: float, high_ratio: float) -> SearchStrategy[float]:
    """Numbers with one digit behind the point, the limits exactly; towards the least."""
    inner = st.integers(round(low_ratio * 10), round(high_ratio * 10)).map(lambda n: n / 10)
    return inner.map(lambda n: min(max(n, low_ratio), high_ratio))


def _frictions(low_ratio: float, high_ratio: float) -> SearchStrategy[float]:
    """Two digits; towards the best road."""
    steps = round((high_ratio - low_ratio) * 100)
    return st.integers(0, steps).map(lambda n: max(round(high_ratio - n / 100, 4), low_ratio))


def _durations(min_ns: int, max_ns: int) -> SearchStrategy[int]:
    low, high = -(-min_ns // NS_PER_MS), max_ns // NS_PER_MS
    if low > high:
        return st.integers(min_ns, max_ns)
    return st.integers(low, high).map(lambda n: n * NS_PER_MS)
