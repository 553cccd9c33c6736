"""Rows of the reaction-time table: clocks, memory, and a world that changes.

No requirement names these faults: they are measured and reported, and a hazard is shown as one.
"""

from __future__ import annotations

from simcore.faults import BitFlip, BrakeFaded, ClockDrift, DiscHot, FrictionChanged, SlopeChanged
from simcore.rig.evidence import EventSeen
from simcore.rig.ftti import BRAKING, NO_REQUIREMENT, STANDSTILL, Broken, Row
from simcore.rig.ftti_sought import (
    WHEELS,
    all_brake,
    decelerates,
    left_lane,
    lost,
    lost_or_left_lane,
    out_of_time,
)
from simcore.units import ms, s

_DRIFTS = {"up_2": 0.02, "down_2": -0.02, "up_10": 0.1, "down_10": -0.1}
_MILD_RATIO = 0.05


def _drift(drift_ratio: float) -> Broken:
    return lambda node: ClockDrift(node=node, ppm=drift_ratio * 1e6)


CLOCK_ROWS = tuple(
    Row(
        id=f"clock_{name}",
        requirement=NO_REQUIREMENT,
        broken=f"{{}}: clock {100.0 * drift_ratio:+g} %",
        hazard="commands and deadlines of another time than everybody else's",
        places=("CDC", "CDC2", "EMB_FL", "BPS", "IMU"),
        points=(BRAKING,),
        fault=_drift(drift_ratio),
        detection=out_of_time,
        safe_state=all_brake,
        ftti_ns=s(2) if abs(drift_ratio) < _MILD_RATIO else s(1),
        hazardous=lost_or_left_lane,
    )
    for name, drift_ratio in _DRIFTS.items()
)

_ANEW = "the next cycle computes it anew, and the brakes have hardly moved by then"

MEMORY_ROWS = tuple(
    Row(
        id=f"bit_flip_{name}",
        requirement=NO_REQUIREMENT,
        broken=f"{{}}: {text}",
        hazard="software goes on with a value that it never computed",
        places=places,
        points=(BRAKING,),
        fault=fault,
        detection=lambda node: EventSeen("detection", node),
        safe_state=all_brake,
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        undetected_because=_ANEW,
    )
    for name, text, places, fault in (
        (
            "request",
            "a bit of the force asked of the rear left flips",
            ("CDC",),
            lambda node: BitFlip(node=node, variable="application.force_request_n.2", bit=53),
        ),
        (
            "set_point",
            "a bit of the force set point flips",
            tuple(f"EMB_{wheel}" for wheel in WHEELS),
            lambda node: BitFlip(node=node, variable="application.force_ref_n", bit=12),
        ),
        (
            "state",
            "a bit of the state flips: READY in place of FORCE_CTRL",
            tuple(f"EMB_{wheel}" for wheel in WHEELS),
            lambda node: BitFlip(node=node, variable="application.state", bit=0),
        ),
    )
)

_NO_TORQUE_SENSOR = "clamp forces are right, and no sensor measures the torque of a brake"
_NO_FAULT_OF_AN_ECU = "the road has changed and no part of the vehicle is broken"

WORLD_ROWS = (
    Row(
        id="brake_faded",
        requirement=NO_REQUIREMENT,
        broken="brake {} faded: 30 % of its friction left",
        hazard="braking torque missing on one wheel, yaw moment",
        places=WHEELS,
        points=(BRAKING,),
        fault=lambda wheel: BrakeFaded(ratio=0.3, corner=wheel),
        detection=lost,
        safe_state=lambda _wheel: decelerates(0.5),
        ftti_ns=ms(500),
        hazardous=left_lane,
        undetected_because=_NO_TORQUE_SENSOR,
    ),
    Row(
        id="disc_hot",
        requirement=NO_REQUIREMENT,
        broken="brake disc {} at 700 degC",
        hazard="braking torque missing on one wheel, yaw moment",
        places=WHEELS,
        points=(BRAKING,),
        fault=lambda wheel: DiscHot(corner=wheel, temperature_c=700.0),
        detection=lambda wheel: EventSeen("detection", f"EMB_{wheel}", "disc"),
        safe_state=lambda _wheel: decelerates(0.5),
        ftti_ns=ms(500),
        hazardous=left_lane,
        undetected_because=_NO_TORQUE_SENSOR,
    ),
    Row(
        id="friction_changed",
        requirement=NO_REQUIREMENT,
        broken="road: {}, 0.3 or 0.8 left and 0.25 right",
        hazard="wheels lock, the vehicle leaves its lane",
        places=("mu_low", "mu_split"),
        points=(BRAKING,),
        fault=lambda road: (
            FrictionChanged(ratio=0.3)
            if road == "mu_low"
            else FrictionChanged(left_ratio=0.8, right_ratio=0.25)
        ),
        detection=lambda _road: EventSeen("detection"),
        safe_state=lambda _road: decelerates(0.5),
        ftti_ns=ms(500),
        hazardous=left_lane,
        undetected_because=_NO_FAULT_OF_AN_ECU,
    ),
    Row(
        id="slope_changed",
        requirement=NO_REQUIREMENT,
        broken="road: {}, 20 %",
        hazard="the vehicle rolls away",
        places=("downhill",),
        points=(BRAKING, STANDSTILL),
        fault=lambda _slope: SlopeChanged(pct=-20.0),
        detection=lambda _slope: EventSeen("detection"),
        safe_state=all_brake,
        ftti_ns=ms(500),
        hazardous=lost_or_left_lane,
        undetected_because=_NO_FAULT_OF_AN_ECU,
    ),
)

ROWS = (*CLOCK_ROWS, *MEMORY_ROWS, *WORLD_ROWS)
