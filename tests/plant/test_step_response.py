"""Caliper under its force controller: the step responses the reference actuator must show.

The expected values come from a reference computation of the same equations; tolerances are stated
per quantity in `check`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, pi, sin

import pytest

from simcore.ecu.emb.force_control import FRONT, REAR, ForceController, ForceControlParameters
from simcore.plant.caliper import Caliper
from simcore.plant.parameters import FRONT_CALIPER, REAR_CALIPER, CaliperParameters


@dataclass
class Step:
    contact_ms: float
    t10_ms: float
    t90_ms: float
    overshoot_pct: float
    steady_error_n: float
    peak_a: float
    hold_a: float
    peak_w: float
    release_ms: float
    clearance_ms: float


def apply_and_release(
    caliper: Caliper,
    controller: ForceController,
    force_n: float,
    *,
    supply_v: float = 48.0,
    sub_steps: int = 1,
) -> Step:
    """600 ms of `force_n`, then released for 200 ms."""
    dt_ms = 1.0 / sub_steps
    now_ms, peak_n, peak_a, peak_w = 0.0, 0.0, 0.0, 0.0
    first_ms: dict[str, float] = {}

    def advance(request_n: float, marks: dict[str, Callable[[], bool]]) -> None:
        nonlocal now_ms, peak_n, peak_a, peak_w
        current_a = controller.step(
            request_n,
            caliper.clamp_force_n,
            caliper.screw_travel_m,
            caliper.motor_speed_radps,
            supply_v,
        )
        for _ in range(sub_steps):
            caliper.step(dt_ms / 1000.0, current_a, supply_v, 0.0, 0.0)
            now_ms += dt_ms
            peak_n = max(peak_n, caliper.clamp_force_n)
            peak_a = max(peak_a, abs(caliper.phase_current_a))
            peak_w = max(peak_w, supply_v * caliper.battery_current_a)
            for name, reached in marks.items():
                if name not in first_ms and reached():
                    first_ms[name] = now_ms

    up = {
        "contact": lambda: caliper.clamp_force_n > 0.0,
        "t10": lambda: caliper.clamp_force_n >= 0.1 * force_n,
        "t90": lambda: caliper.clamp_force_n >= 0.9 * force_n,
    }
    for _ in range(600):
        advance(force_n, up)
    applied_w = peak_w
    error_n, hold_a = caliper.clamp_force_n - force_n, caliper.phase_current_a
    now_ms = 0.0
    open_m = -0.9 * caliper.parameters.clearance_m
    down = {
        "release": lambda: caliper.clamp_force_n <= 0.1 * force_n,
        "clearance": lambda: caliper.screw_travel_m <= open_m,
    }
    for _ in range(200):
        advance(0.0, down)
    return Step(
        contact_ms=first_ms.get("contact", inf),
        t10_ms=first_ms.get("t10", inf),
        t90_ms=first_ms.get("t90", inf),
        overshoot_pct=100.0 * (peak_n / force_n - 1.0),
        steady_error_n=error_n,
        peak_a=peak_a,
        hold_a=hold_a,
        peak_w=applied_w,
        release_ms=first_ms.get("release", inf),
        clearance_ms=first_ms.get("clearance", inf),
    )


@pytest.mark.parametrize(
    ("hardware", "software", "force_n", "expected"),
    [
        (FRONT_CALIPER, FRONT, 5e3, Step(19, 20, 37, 2.7, 1, 40, 1.6, 1865, 19, 34)),
        (FRONT_CALIPER, FRONT, 15e3, Step(19, 24, 52, 1.5, 4, 40, 5.5, 1872, 30, 48)),
        (FRONT_CALIPER, FRONT, 30e3, Step(19, 28, 67, 1.1, 10, 40, 11.3, 1872, 38, 60)),
        (FRONT_CALIPER, FRONT, 40e3, Step(19, 31, 76, 1.0, 16, 40, 15.2, 1872, 40, 64)),
        (REAR_CALIPER, REAR, 27e3, Step(20, 28, 63, 0.9, 10, 32, 12.2, 1474, 35, 60)),
    ],
    ids=["front 5 kN", "front 15 kN", "front 30 kN", "front 40 kN", "rear 27 kN"],
)
def test_step_response_matches_the_reference_actuator(
    hardware: CaliperParameters,
    software: ForceControlParameters,
    force_n: float,
    expected: Step,
) -> None:
    """Times +-1 ms (clearance 4 ms), overshoot <= expected + 0.2 %, error <= 20 N, power +-2 %."""
    step = apply_and_release(Caliper(hardware), ForceController(software), force_n)
    assert step.contact_ms == pytest.approx(expected.contact_ms, abs=1.0)
    assert step.t10_ms == pytest.approx(expected.t10_ms, abs=1.0)
    assert step.t90_ms == pytest.approx(expected.t90_ms, abs=1.0)
    assert 0.0 < step.overshoot_pct <= expected.overshoot_pct + 0.2
    assert abs(step.steady_error_n) <= 20.0
    assert step.peak_a == pytest.approx(expected.peak_a, abs=0.1)
    assert step.hold_a == pytest.approx(expected.hold_a, abs=0.1)
    assert step.peak_w == pytest.approx(expected.peak_w, rel=0.02)
    assert step.release_ms == pytest.approx(expected.release_ms, abs=1.0)
    assert step.clearance_ms == pytest.approx(expected.clearance_ms, abs=4.0)


@pytest.mark.parametrize(("supply_v", "t90_ms"), [(48.0, 76.0), (36.0, 95.0), (28.0, 120.0)])
def test_a_lower_supply_builds_force_up_more_slowly(supply_v: float, t90_ms: float) -> None:
    """Tolerance +-2 ms."""
    step = apply_and_release(
        Caliper(FRONT_CALIPER), ForceController(FRONT), 40e3, supply_v=supply_v
    )
    assert step.t90_ms == pytest.approx(t90_ms, abs=2.0)


@pytest.mark.parametrize(("supply_v", "t90_ms"), [(13.5, 79.0), (10.0, 97.0)])
def test_a_winding_for_12_v_does_the_same(supply_v: float, t90_ms: float) -> None:
    """Tolerance +-4 ms."""
    hardware = replace(
        FRONT_CALIPER,
        motor_constant_nm_per_a=0.030,
        winding_resistance_ohm=0.010,
        current_max_a=110.0,
    )
    software = replace(FRONT, motor_constant_nm_per_a=0.030, current_max_a=110.0)
    step = apply_and_release(Caliper(hardware), ForceController(software), 40e3, supply_v=supply_v)
    assert step.t90_ms == pytest.approx(t90_ms, abs=4.0)


def test_a_ten_times_finer_plant_step_changes_nothing_that_matters() -> None:
    """t90 within 0.5 ms, overshoot within 0.5 %, hold current within 0.05 A."""
    coarse = apply_and_release(Caliper(FRONT_CALIPER), ForceController(FRONT), 40e3)
    fine = apply_and_release(Caliper(FRONT_CALIPER), ForceController(FRONT), 40e3, sub_steps=10)
    assert fine.t90_ms == pytest.approx(coarse.t90_ms, abs=0.5)
    assert fine.overshoot_pct == pytest.approx(coarse.overshoot_pct, abs=0.5)
    assert fine.hold_a == pytest.approx(coarse.hold_a, abs=0.05)


@pytest.mark.parametrize("stiffness_ratio", [0.85, 1.15])
def test_a_stiffness_the_software_does_not_know_is_trimmed_away(stiffness_ratio: float) -> None:
    """BRK-005: steady within max(3 %, 300 N) although the caliper is 15 % off nominal."""
    hardware = replace(
        FRONT_CALIPER, stiffness_n_per_m=stiffness_ratio * FRONT_CALIPER.stiffness_n_per_m
    )
    caliper, controller = Caliper(hardware), ForceController(FRONT)
    for force_n in (2e3, 5e3, 20e3):
        step = apply_and_release(caliper, controller, force_n)
        assert abs(step.steady_error_n) <= max(0.03 * force_n, 300.0)


def test_worn_pads_are_learnt_from_release_to_release() -> None:
    """100 um of wear: after ten applications the clearance is nominal within 20 um again."""
    caliper, controller = Caliper(FRONT_CALIPER), ForceController(FRONT)
    caliper.pad_wear_m = 100e-6
    for _ in range(10):
        apply_and_release(caliper, controller, 10e3)
    assert controller.contact_m == pytest.approx(100e-6, abs=20e-6)
    assert caliper.screw_travel_m - caliper.pad_wear_m == pytest.approx(-0.25e-3, abs=30e-6)


def test_a_small_sine_is_followed_with_the_bandwidth_of_the_reference() -> None:
    """+-1.5 kN around 15 kN at 20 Hz: amplitude above -1 dB, at 40 Hz below -2 dB."""

    def amplitude_ratio(frequency_hz: float) -> float:
        caliper, controller = Caliper(FRONT_CALIPER), ForceController(FRONT)
        caliper.place_at(15e3)
        highest_n, lowest_n = 0.0, 1e9
        for k in range(1500):
            request_n = 15e3 + 1.5e3 * sin(2.0 * pi * frequency_hz * k / 1000.0)
            current_a = controller.step(
                request_n,
                caliper.clamp_force_n,
                caliper.screw_travel_m,
                caliper.motor_speed_radps,
                48.0,
            )
            caliper.step(0.001, current_a, 48.0, 0.0, 0.0)
            if k >= 1000:
                highest_n = max(highest_n, caliper.clamp_force_n)
                lowest_n = min(lowest_n, caliper.clamp_force_n)
        return (highest_n - lowest_n) / 3e3

    assert amplitude_ratio(20.0) > 0.89
    assert amplitude_ratio(40.0) < 0.79
