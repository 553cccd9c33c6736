"""Manoeuvre measurements against hand-computed and constructed cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.rig import Rig
from simcore.rig.measure import (
    Stop,
    _longest_run,
    longest_lock_ms,
    mfdd_mps2,
)
from simcore.rig.recorder import CORNERS
from simcore.units import ms, s

# -- MFDD ----------------------------------------------------------------------------------------


def test_mfdd_of_a_case_computed_by_hand() -> None:
    """30 m/s; 24 m/s (80 %) at 20 m, 3 m/s (10 %) at 65 m: (576 - 9) / (2 * 45) = 6.3."""
    speed = np.array([30.0, 24.0, 12.0, 3.0, 0.0])
    way = np.array([0.0, 20.0, 50.0, 65.0, 66.0])
    assert mfdd_mps2(speed, way, 30.0) == pytest.approx(6.3)


def test_mfdd_interpolates_between_two_samples() -> None:
    """80 % lies in the middle of the first pair, 10 % in the middle of the last."""
    speed = np.array([11.0, 5.0, 2.0, 0.0])
    way = np.array([0.0, 10.0, 14.0, 15.0])
    # v0 = 10: 8 m/s at 5 m, 1 m/s at 14.5 m
    assert mfdd_mps2(speed, way, 10.0) == pytest.approx((64 - 1) / (2 * 9.5))


@given(decel_mps2=st.floats(1.0, 12.0), initial_mps=st.floats(5.0, 60.0))
def test_mfdd_of_a_constant_deceleration_is_that_deceleration(
    decel_mps2: float, initial_mps: float
) -> None:
    time_s = np.arange(0.0, initial_mps / decel_mps2, 0.001)
    speed = initial_mps - decel_mps2 * time_s
    way = initial_mps * time_s - 0.5 * decel_mps2 * time_s**2
    assert mfdd_mps2(speed, way, initial_mps) == pytest.approx(decel_mps2, rel=0.01)


@pytest.mark.parametrize(
    "speed",
    [[30.0, 29.0, 28.0], [30.0, 20.0, 10.0], [2.0, 1.0, 0.5]],
    ids=["never at 80 %", "never at 10 %", "already below both"],
)
def test_mfdd_is_0_where_there_is_no_stretch_from_80_to_10_percent(speed: list[float]) -> None:
    assert mfdd_mps2(np.array(speed), np.array([0.0, 1.0, 2.0]), 30.0) == 0.0


# -- locked wheels -------------------------------------------------------------------------------


@given(flags=st.lists(st.booleans(), max_size=40))
def test_the_longest_run_is_that_of_a_loop(flags: list[bool]) -> None:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    assert _longest_run(np.array(flags, dtype=bool)) == longest


def appended(rig: Rig, count: int, **values: float) -> None:
    """Record rows as the plant step would, with these values."""
    row = [values.get(name.replace(".", "_"), 0.0) for name in rig.recorder.columns]
    for _ in range(count):
        rig.recorder.append(row)


def rolling_wheels(speed_mps: float) -> dict[str, float]:
    return {f"wheel_speed_radps_{corner}": speed_mps / 0.345 for corner in CORNERS}


def test_a_lock_counts_above_15_kmh_and_below_a_tenth_of_the_speed_only() -> None:
    rig = Rig()
    for speed_mps, wheel_mps, count in (
        (10.0, 10.0, 5),
        (10.0, 0.9, 7),  # locked
        (10.0, 1.1, 5),
        (10.0, 0.0, 3),  # locked, shorter
        (15.0 / 3.6, 0.0, 50),  # not faster than 15 km/h
    ):
        wheels = rolling_wheels(speed_mps) | {"wheel_speed_radps_RL": wheel_mps / 0.345}
        appended(rig, count, speed_mps=speed_mps, **wheels)
    assert longest_lock_ms(rig, 0) == 7.0
    assert longest_lock_ms(rig, 12) == 3.0


# -- manoeuvres ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stopped(warm_rolling: Rig) -> tuple[Rig, Stop]:
    rig = warm_rolling.fork()
    return rig, rig.measure_stop(pedal_pct=100, timeout=s(8))


def test_a_stop_is_measured_from_the_first_movement_of_the_pedal(stopped: Any) -> None:
    rig, stop = stopped
    assert stop.stopped
    assert stop.initial_speed_kmh == pytest.approx(100.0, abs=0.5)
    assert 35.0 < stop.distance_m < 50.0
    assert 8.0 < stop.mfdd_mps2 < 10.4
    assert 60.0 < stop.response_ms < 200.0
    assert stop.duration_s == pytest.approx((rig.now_ns - ms(400)) / 1e9, abs=0.0011)
    assert abs(rig.vehicle.speed_mps) <= 0.05
    assert rig.driver.pedal_pct == 100.0
    assert stop.utilisation == stop.mfdd_mps2 / 9.81


def test_its_figures_are_those_of_the_recorded_columns(stopped: Any) -> None:
    rig, stop = stopped
    speed = rig.recorder.column("speed_mps", first_row=400)
    way = rig.recorder.column("distance_m", first_row=400)
    begin = rig.recorder.column("distance_m")[399]
    assert stop.distance_m == way[-1] - begin
    first = next(i for i, v in enumerate(speed) if v <= 0.8 * stop.initial_speed_kmh / 3.6)
    last = next(i for i, v in enumerate(speed) if v <= 0.1 * stop.initial_speed_kmh / 3.6)
    rough = (speed[first] ** 2 - speed[last] ** 2) / (2 * (way[last] - way[first]))
    assert stop.mfdd_mps2 == pytest.approx(rough, rel=0.005)
    slowest = 0
    for corner, force_n in zip(CORNERS, (13_800, 13_800, 8_300, 8_300), strict=True):
        force = rig.recorder.column(f"clamp_force_n.{corner}", first_row=400)
        slowest = max(slowest, next(i for i, n in enumerate(force) if n >= force_n) + 1)
    assert stop.response_ms == slowest


def test_a_stop_that_does_not_end_in_time_says_so(rolling: Rig) -> None:
    stop = rolling.measure_stop(pedal_pct=100, timeout=ms(500))
    assert not stop.stopped
    assert rolling.now_ns == ms(900)
    assert stop.mfdd_mps2 == 0.0
    assert stop.duration_s == 0.5


def test_a_response_that_never_comes_is_infinite(rolling: Rig) -> None:
    rolling.inject(EcuSilent(node="EMB_RR"))
    assert rolling.measure_stop(pedal_pct=100, timeout=ms(300)).response_ms == float("inf")


def test_a_standing_vehicle_cannot_stop(standing: Rig) -> None:
    with pytest.raises(
        UsageError, match=r"^measure_stop: expected a moving vehicle, got 0\.000 m/s$"
    ):
        standing.measure_stop(pedal_pct=100, timeout=s(1))
    assert not standing.driver.pressed


def test_a_stop_needs_a_millisecond(rolling: Rig) -> None:
    with pytest.raises(
        UsageError, match=r"^measure_stop, timeout: expected >= 1 ms, got 999999 ns$"
    ):
        rolling.measure_stop(pedal_pct=100, timeout=999_999)


def test_a_release_is_measured_to_the_last_force_below_500_n(stopped: Any) -> None:
    rig = stopped[0].fork()
    release = rig.measure_release(timeout=ms(500))
    assert release.released
    assert 20.0 < release.duration_ms <= 150.0
    assert max(rig.vehicle.clamp_force_n) < 500.0
    forces = [rig.recorder.column(f"clamp_force_n.{corner}")[-2] for corner in CORNERS]
    assert max(forces) >= 500.0


def test_a_release_that_does_not_come_is_not_released(stopped: Any) -> None:
    rig = stopped[0].fork()
    release = rig.measure_release(timeout=ms(5))
    assert (release.released, release.duration_ms) == (False, 5.0)


def test_force_accuracy_compares_the_bus_with_the_truth(stopped: Any) -> None:
    rig = stopped[0].fork()
    rig.run_for(ms(300))
    accuracy = rig.measure_force_accuracy(duration=ms(100))
    commands = [rig.signal("CDC_EmbCmd", f"CDC_{corner}_FReq") for corner in CORNERS]
    assert accuracy.smallest_command_n == min(commands)  # type: ignore[type-var]
    worst = max(
        abs(force - command)
        for command, corner in zip(commands, CORNERS, strict=True)
        for force in rig.recorder.column(f"clamp_force_n.{corner}")[-100:]
    )
    assert accuracy.worst_deviation_n == pytest.approx(worst)
    assert accuracy.worst_excess_n <= 0.0
    assert accuracy.worst_excess_n >= worst - max(0.03 * max(commands), 300.0) - 1e-6  # type: ignore[type-var,operator]


def test_force_accuracy_without_commands_is_refused(standing: Rig) -> None:
    standing.inject(EcuSilent(node="CDC"))
    standing.run_for(ms(1))  # a frame on the wire is finished
    with pytest.raises(
        UsageError,
        match=r"^measure_force_accuracy: expected CDC_EmbCmd on the bus, got no such frame$",
    ):
        standing.measure_force_accuracy(duration=ms(50))
