"""Standstill hold, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import HoldState

PERIOD_NS = 5_000_000


class Log:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def log(self, kind: str, text: str) -> None:
        assert kind == "state"
        self.texts.append(text)


class Car:
    """Calls the hold every 5 ms; attributes are what it sees."""

    def __init__(self) -> None:
        self.log = Log()
        self.hold = StandstillHold(self.log, CdcParameters(), period_s=0.005)  # type: ignore[arg-type]
        self.now_ns = 0
        self.seen: dict[str, Any] = {
            "wheel_speed_mps": [0.0] * 4,
            "wheel_valid": [True] * 4,
            "enabled": True,
            "drive_off": False,
            "requested_mps2": 0.0,
            "slope_mps2": 0.0,
            "all_lost": False,
        }

    def run(self, count: int, **changes: Any) -> float:
        self.seen.update(changes)
        decel_mps2 = 0.0
        for _ in range(count):
            decel_mps2 = self.hold.step(self.now_ns, **self.seen)
            self.now_ns += PERIOD_NS
        return decel_mps2

    @property
    def state(self) -> HoldState:
        return self.hold.state


def holding(**seen: Any) -> Car:
    car = Car()
    car.run(60, requested_mps2=3.0, **seen)
    assert car.state is HoldState.HOLDING
    return car


def test_switched_off_it_is_unavailable_and_holds_nothing() -> None:
    car = Car()
    assert car.run(100, enabled=False, requested_mps2=5.0) == 0.0
    assert car.state is HoldState.UNAVAIL


def test_it_waits_for_200_ms_of_standstill() -> None:
    car = Car()
    car.run(40, requested_mps2=3.0)
    assert car.state is HoldState.STANDBY
    car.run(1)
    assert car.state is HoldState.HOLDING
    assert car.hold.standstill(car.now_ns)


def test_a_turning_wheel_starts_the_wait_anew() -> None:
    car = Car()
    car.run(40, requested_mps2=3.0)
    car.run(1, wheel_speed_mps=[0.0, 0.0, 0.0, 0.15])
    assert not car.hold.standstill(car.now_ns)
    car.run(40, wheel_speed_mps=[0.0] * 4)
    assert car.state is HoldState.STANDBY
    car.run(1)
    assert car.state is HoldState.HOLDING


def test_standstill_is_half_a_kmh() -> None:
    for speed_mps, still in ((0.5 / 3.6, True), (0.51 / 3.6, False)):
        car = Car()
        car.run(60, wheel_speed_mps=[speed_mps] * 4)
        assert car.hold.standstill(car.now_ns) is still


def test_an_invalid_wheel_does_not_count_but_one_valid_wheel_is_needed() -> None:
    car = Car()
    car.run(60, wheel_speed_mps=[0.0, 0.0, 0.0, 9.0], wheel_valid=[True, True, True, False])
    assert car.hold.standstill(car.now_ns)
    car.run(60, wheel_valid=[False] * 4)
    assert not car.hold.standstill(car.now_ns)


def test_standstill_without_a_brake_request_is_not_held() -> None:
    car = Car()
    assert car.run(100) == 0.0
    assert car.state is HoldState.STANDBY


@pytest.mark.parametrize("slope_mps2", [1.9, -1.9])
def test_the_force_covers_the_slope_for_the_heaviest_load_with_margin(slope_mps2: float) -> None:
    car = holding(slope_mps2=slope_mps2)
    assert car.run(1) == pytest.approx(1.9 * 1.5 * 2700 / 2200)


def test_on_the_level_it_holds_the_minimum() -> None:
    assert holding().run(1) == 1.0


def test_a_growing_slope_reading_adds_force_and_a_falling_one_takes_none_away() -> None:
    car = holding(slope_mps2=1.0)
    before = car.run(1)
    more = car.run(1, slope_mps2=2.0)
    assert more > before
    assert car.run(10, slope_mps2=0.0) == more


def test_it_holds_after_the_driver_let_go_and_when_the_car_rolls() -> None:
    car = holding(slope_mps2=1.0)
    force = car.run(100, requested_mps2=0.0)
    assert force > 0.0
    assert car.run(50, wheel_speed_mps=[1.0] * 4) == force
    assert car.state is HoldState.HOLDING


@pytest.mark.parametrize("why", [{"drive_off": True}, {"enabled": False}])
def test_it_blends_out_at_15_mps3(why: dict[str, bool]) -> None:
    car = holding(slope_mps2=1.0)
    held = car.run(1, requested_mps2=0.0)
    assert car.run(1, **why) == pytest.approx(held - 15.0 * 0.005)
    assert car.state is HoldState.BLEND_OUT
    left = car.run(int(held / 0.075) + 1)
    assert left == 0.0
    assert car.state in (HoldState.STANDBY, HoldState.UNAVAIL)


def test_drive_off_with_the_brake_pressed_does_not_start_a_hold() -> None:
    car = Car()
    for _ in range(100):
        assert car.run(1, requested_mps2=3.0, drive_off=True) == 0.0
        assert car.state is HoldState.STANDBY


def test_without_any_actuator_it_is_faulty_until_switched_off_and_on() -> None:
    car = holding()
    assert car.run(1, all_lost=True) == 0.0
    assert car.state is HoldState.FAULT
    car.run(100, all_lost=False)
    assert car.state is HoldState.FAULT
    car.run(1, enabled=False)
    car.run(60, enabled=True)
    assert car.state is HoldState.HOLDING


def test_every_change_is_logged_but_being_switched_off() -> None:
    car = holding()
    car.run(100, requested_mps2=0.0, drive_off=True)
    car.run(1, enabled=False)
    assert car.log.texts == [
        "hold STANDBY -> BLEND_IN (STANDSTILL_BRAKED)",
        "hold BLEND_IN -> HOLDING (FORCE_REACHED)",
        "hold HOLDING -> BLEND_OUT (DRIVE_OFF)",
        "hold BLEND_OUT -> STANDBY (RELEASED)",
    ]
