"""A healthy car on every road: neither domain controller ever finds anything wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings

from simcore import Rig, ms
from simcore.units import NS_PER_MS

FRICTION = (0.05, 0.1, 0.2, 0.3, 0.8, 1.05)
SPEEDS_KMH = (30.0, 80.0, 120.0)
PEDALS_PCT = (100.0, 25.0)
IS_NIGHTLY = settings.get_current_profile_name() == "nightly"
STOPS = [
    (mu, kmh, pedal_pct)
    for (one, mu), (other, kmh), pedal_pct in itertools.product(
        enumerate(FRICTION), enumerate(SPEEDS_KMH), PEDALS_PCT
    )
    if IS_NIGHTLY or pedal_pct == PEDALS_PCT[0] or (one + other) % len(SPEEDS_KMH) == 0
]
"""All of them at night; by day the light ones at one speed on each road."""


@pytest.fixture(scope="module")
def awake() -> Rig:
    rig = Rig(seed=1)
    rig.run_for(ms(250))
    return rig


def rolling(awake: Rig, mu: float, kmh: float) -> Rig:
    rig = awake.fork()
    rig.vehicle.set_friction(mu)
    rig.vehicle.set_speed(kmh=kmh)
    rig.run_for(ms(150))
    return rig


def found(rig: Rig) -> list[str]:
    return [
        f"{event.time_ns / NS_PER_MS:.0f} ms {event.source}: {event.text}"
        for event in rig.log.events
        if event.kind == "detection" and event.source in ("CDC", "CDC2")
    ]


@pytest.mark.parametrize(("mu", "kmh", "pedal_pct"), STOPS)
def test_braking_and_letting_go(awake: Rig, mu: float, kmh: float, pedal_pct: float) -> None:
    rig = rolling(awake, mu, kmh)
    rig.press_pedal(pedal_pct)
    rig.run_for(ms(700))
    rig.release_pedal()
    rig.run_for(ms(600))
    assert found(rig) == []


@pytest.mark.parametrize("pedal_pct", [80.0, 30.0])
@pytest.mark.parametrize(("first", "then"), [(1.05, 0.1), (0.8, 0.05), (0.1, 1.05), (0.05, 0.8)])
def test_a_road_that_changes(awake: Rig, first: float, then: float, pedal_pct: float) -> None:
    rig = rolling(awake, first, 60.0)
    rig.press_pedal(pedal_pct)
    rig.run_for(ms(400))
    for mu in (then, first):
        rig.vehicle.set_friction(mu)
        rig.run_for(ms(400))
    rig.release_pedal()
    rig.run_for(ms(400))
    assert found(rig) == []


@pytest.mark.parametrize(
    "request_", [{"ADAS_AebActv": 2, "ADAS_AebDecel": -9}, {"ADAS_AccActv": 1, "ADAS_AccAccel": -5}]
)
@pytest.mark.parametrize("mu", FRICTION)
def test_assistance_that_brakes_and_lets_go(
    awake: Rig, mu: float, request_: dict[str, float]
) -> None:
    rig = rolling(awake, mu, 80.0)
    rig.restbus("ADAS").set("ADAS_LongReq", **request_)
    rig.run_for(ms(700))
    rig.restbus("ADAS").set("ADAS_LongReq", ADAS_AebActv=0, ADAS_AccActv=0)
    rig.run_for(ms(700))
    assert found(rig) == []
