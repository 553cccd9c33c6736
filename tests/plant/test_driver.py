"""The steering driver: still on a straight road, late, limited, and back to the lane."""

from dataclasses import replace

import pytest

from simcore.errors import UsageError
from simcore.plant.driver import DEFAULT_DRIVER, LaneKeepingDriver
from simcore.plant.vehicle import Vehicle

DT_S = 0.001
NOTHING = (0.0, 0.0, 0.0, 0.0)


def test_on_the_line_the_driver_does_not_steer() -> None:
    driver = LaneKeepingDriver()
    for _ in range(1000):
        driver.step(DT_S, y_m=0.0, yaw_rad=0.0, yaw_rate_radps=0.0, speed_mps=30.0)
    assert driver.steer_rad == 0.0


def test_the_driver_reacts_late_and_towards_the_lane() -> None:
    driver = LaneKeepingDriver()
    steer_rad = [
        driver.step(DT_S, y_m=0.5, yaw_rad=0.0, yaw_rate_radps=0.0, speed_mps=20.0)
        for _ in range(400)
    ]
    first = next(k for k, angle in enumerate(steer_rad) if angle != 0.0)
    assert first * DT_S == pytest.approx(DEFAULT_DRIVER.delay_s, abs=0.02)
    assert steer_rad[-1] < 0.0


def test_angle_and_rate_stay_within_a_human_limit() -> None:
    driver = LaneKeepingDriver()
    before_rad = 0.0
    for _ in range(2000):
        driver.step(DT_S, y_m=50.0, yaw_rad=1.0, yaw_rate_radps=1.0, speed_mps=30.0)
        step_rad = abs(driver.steer_rad - before_rad)
        assert step_rad <= DEFAULT_DRIVER.steer_rate_max_radps * DT_S + 1e-12
        before_rad = driver.steer_rad
    assert driver.steer_rad == -DEFAULT_DRIVER.steer_max_rad


@pytest.mark.parametrize("kmh", [30.0, 100.0])
def test_a_car_beside_its_lane_comes_back_and_stays(kmh: float) -> None:
    vehicle, driver = Vehicle(), LaneKeepingDriver()
    vehicle.set_speed(kmh / 3.6)
    vehicle.y_m = 0.5
    for _ in range(8000):
        steer_rad = driver.step(
            DT_S,
            y_m=vehicle.y_m,
            yaw_rad=vehicle.yaw_rad,
            yaw_rate_radps=vehicle.yaw_rate_radps,
            speed_mps=vehicle.speed_mps,
        )
        vehicle.step(DT_S, NOTHING, NOTHING, steer_rad)
    assert abs(vehicle.y_m) < 0.1
    assert abs(vehicle.yaw_rad) < 0.01


def test_a_driver_without_a_steering_limit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^DriverParameters\.steer_max_rad: expected > 0, got 0"):
        replace(DEFAULT_DRIVER, steer_max_rad=0.0)
