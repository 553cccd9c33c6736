"""Four sound actuators in a whole car find nothing, whatever is asked of them.

Friction x speed x who brakes x when it ends: what one actuator on a bench is never asked for. The
request of slip control goes up and down while the caliper follows, and ends in any phase of it.
"""

from __future__ import annotations

import copy
import itertools

import pytest
from hypothesis import settings

from simcore import Rig
from simcore.faults import UnintendedClamp
from simcore.units import ms

FRICTION_RATIO = (0.05, 0.1, 0.2, 0.3, 0.8, 1.05)
SPEED_KMH = (30, 80, 120)
ALL_ROADS = list(itertools.product(FRICTION_RATIO, SPEED_KMH))
IS_NIGHTLY = settings.get_current_profile_name() == "nightly"
ROADS = [road for place, road in enumerate(ALL_ROADS) if IS_NIGHTLY or (place + place // 3) % 3]
"""By day two speeds on each road."""


@pytest.fixture(scope="module")
def ready() -> Rig:
    """All ECUs up, at rest."""
    rig = Rig(seed=1)
    rig.run_for(ms(300))
    return rig


def driving(ready: Rig, friction_ratio: float, kmh: float) -> Rig:
    rig = copy.deepcopy(ready)
    rig.vehicle.set_friction(friction_ratio)
    rig.vehicle.set_speed(kmh=kmh)
    rig.run_for(ms(50))
    return rig


def detections(rig: Rig) -> list[str]:
    """What any actuator has found."""
    return [
        str(event)
        for event in rig.log.events
        if event.kind == "detection" and event.source.startswith("EMB")
    ]


def ask(rig: Rig, **values: float) -> None:
    rig.restbus("ADAS").set("ADAS_LongReq", **values)


def test_a_detection_of_an_actuator_would_be_seen(ready: Rig) -> None:
    rig = driving(ready, 1.05, 80)
    assert detections(rig) == []
    rig.inject(UnintendedClamp(corner="FL"))
    rig.run_for(ms(20))
    assert len(detections(rig)) == 1


@pytest.mark.parametrize(
    ("pedal_pct", "friction_ratio", "kmh"),
    [(100, *road) for road in ROADS] + [(35, friction, 80) for friction in FRICTION_RATIO],
)
def test_braking_and_letting_go_at_several_moments(
    ready: Rig, pedal_pct: float, friction_ratio: float, kmh: float
) -> None:
    rig = driving(ready, friction_ratio, kmh)
    rig.press_pedal(pedal_pct)
    for after_ms in (41, 190, 217):
        rig.run_for(ms(after_ms))
        letting_go = copy.deepcopy(rig)
        letting_go.release_pedal()
        letting_go.run_for(ms(50))
        assert detections(letting_go) == []


def test_letting_go_of_the_pedal_late_in_a_stop_on_snow(ready: Rig) -> None:
    rig = driving(ready, 0.3, 80)
    rig.press_pedal(100)
    rig.run_for(ms(1_700))
    for _ in range(8):
        rig.run_for(ms(17))
        letting_go = copy.deepcopy(rig)
        letting_go.release_pedal()
        letting_go.run_for(ms(60))
        assert detections(letting_go) == []


@pytest.mark.parametrize(("friction_ratio", "kmh"), ROADS)
def test_emergency_braking_that_begins_and_ends(
    ready: Rig, friction_ratio: float, kmh: float
) -> None:
    rig = driving(ready, friction_ratio, kmh)
    ask(rig, ADAS_AebActv=2, ADAS_AebDecel=-9)
    rig.run_for(ms(330))
    ask(rig, ADAS_AebActv=0)
    rig.run_for(ms(70))
    assert detections(rig) == []


@pytest.mark.parametrize(("friction_ratio", "kmh"), ROADS)
def test_cruise_control_down_to_5_mps2(ready: Rig, friction_ratio: float, kmh: float) -> None:
    rig = driving(ready, friction_ratio, kmh)
    ask(rig, ADAS_AccActv=1, ADAS_AccAccel=-3.0)
    rig.run_for(ms(100))
    ask(rig, ADAS_AccAccel=0.0)
    rig.run_for(ms(100))
    ask(rig, ADAS_AccAccel=-5.0)
    rig.run_for(ms(200))
    ask(rig, ADAS_AccActv=0)
    rig.run_for(ms(60))
    assert detections(rig) == []


@pytest.mark.parametrize(("before_ratio", "after_ratio"), [(1.05, 0.1), (0.1, 1.05), (0.8, 0.3)])
def test_a_friction_that_jumps_and_back(
    ready: Rig, before_ratio: float, after_ratio: float
) -> None:
    rig = driving(ready, before_ratio, 90)
    rig.press_pedal(80)
    rig.run_for(ms(350))
    rig.vehicle.set_friction(after_ratio)
    rig.run_for(ms(350))
    rig.vehicle.set_friction(before_ratio)
    rig.run_for(ms(217))
    rig.release_pedal()
    rig.run_for(ms(70))
    assert detections(rig) == []


@pytest.mark.parametrize("friction_ratio", [0.2, 1.05])
@pytest.mark.parametrize(("on_ms", "off_ms", "ramp_ms"), [(120, 120, 40), (60, 60, 5)])
def test_pumping(ready: Rig, friction_ratio: float, on_ms: int, off_ms: int, ramp_ms: int) -> None:
    rig = driving(ready, friction_ratio, 100)
    for _ in range(5):
        rig.press_pedal(90, ramp_ns=ms(ramp_ms))
        rig.run_for(ms(on_ms))
        rig.release_pedal()
        rig.run_for(ms(off_ms))
    assert detections(rig) == []
