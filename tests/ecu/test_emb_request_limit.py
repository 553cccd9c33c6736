"""Commands that nothing explains are limited by the actuator itself: SAF-004."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.network import Database

Make = Callable[..., Any]
CYCLE_MS = 5


def cruising(make_brake: Make, **rest: Any) -> Any:
    """An open brake, the pedal untouched, known to the actuator."""
    brake = make_brake(**rest)
    brake.pedal(0.0)
    brake.run(100)
    return brake


def corrupted(brake: Any, frames: int, force_n: float = 40_000.0, **rest: Any) -> list[float]:
    """So many valid commands of a force in a row, then what was asked before; the true forces."""
    brake.run(1)  # right behind a command
    values, due_ns = brake.bench._cyclic["CDC_EmbCmd"]
    brake.command(force_n, **rest)
    forces_n = brake.run(CYCLE_MS * frames)
    brake.bench._cyclic["CDC_EmbCmd"] = (values, brake.bench._cyclic["CDC_EmbCmd"][1])
    assert due_ns % 1_000_000 == 0
    return forces_n + brake.run(300)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_up_to_three_corrupted_commands_of_40_kn_at_cruise_clamp_below_500_n(
    make_brake: Make, frames: int
) -> None:
    brake = cruising(make_brake)
    assert max(corrupted(brake, frames)) < 500.0
    assert brake.events("detection") == [
        "request of 40000 N, 0 N before: neither pedal nor emergency braking explains it"
    ]
    assert brake.events("reaction") == ["request limited to 500 N"]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_so_do_those_with_the_emergency_flag_set(make_brake: Make, frames: int) -> None:
    """The flag comes with the command it would explain: alone it explains nothing yet."""
    brake = cruising(make_brake)
    assert max(corrupted(brake, frames, CDC_EmgcyBrk=1)) < 500.0
    assert brake.events("detection") == ["request of 40000 N withdrawn, nothing has explained it"]
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_MonSt"] == "Ok"


def test_an_emergency_flag_in_every_other_command_explains_nothing(make_brake: Make) -> None:
    brake = cruising(make_brake)
    forces_n = []
    for _ in range(10):
        forces_n += corrupted(brake, 1, CDC_EmgcyBrk=1)[:CYCLE_MS]
        forces_n += brake.run(CYCLE_MS)
    assert max(forces_n) < 500.0


def test_an_emergency_braking_that_goes_into_slip_control_at_once_is_no_detection(
    make_brake: Make,
) -> None:
    brake = cruising(make_brake)
    for force_n in (29_000.0, 700.0, 400.0, 900.0):
        brake.command(force_n, CDC_EmgcyBrk=1)
        brake.run(CYCLE_MS)
    assert brake.events("detection") == []


@pytest.mark.parametrize("force_n", [12_000.0, 20_000.0])
def test_corrupted_commands_that_acc_might_send_clamp_no_more(
    make_brake: Make, force_n: float
) -> None:
    assert max(corrupted(cruising(make_brake), 3, force_n)) < 500.0


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RL"])
def test_cruise_control_with_5_mps2_is_followed_as_if_nothing_were_limited(
    make_brake: Make, name: str
) -> None:
    """All of it is asked for at once; while the clearance closes a small request does."""
    force_n = {"EMB_FL": 10_250.0, "EMB_RL": 6_950.0}[name]
    reached_ms = []
    for without in ([], ["monitor"]):
        brake = make_brake(name, without=without)
        brake.pedal(0.0)
        brake.run(100)
        brake.command(force_n)
        forces_n = brake.run(200)
        reached_ms.append(next(i for i, n in enumerate(forces_n) if n >= 0.95 * force_n))
        assert brake.events("detection") == brake.events("reaction") == []
    assert reached_ms[0] <= reached_ms[1] + 4


@pytest.mark.parametrize("frames", [1, 3])
def test_without_the_limit_three_of_them_clamp(make_brake: Make, frames: int) -> None:
    """What the limit is worth; the gradient of 1 kN/ms alone is not enough."""
    brake = cruising(make_brake, without=["monitor"])
    assert (max(corrupted(brake, frames)) > 500.0) is (frames == 3)


def test_the_request_rises_by_500_n_per_command_to_half_of_the_largest_force(
    make_brake: Make,
) -> None:
    """A controller that commands nonsense for good gets what ACC and hold may need."""
    brake = cruising(make_brake)
    brake.command(40_000.0)
    brake.run(20)
    assert brake.bench.node.selection.command.force_n <= 2_500.0
    brake.run(1_000)
    assert brake.bench.node.selection.command.force_n == 20_000.0
    assert brake.caliper.clamp_force_n == pytest.approx(20_000.0, rel=0.03)
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_MonSt"] == "Limiting"
    brake.command(0.0)
    brake.run(20)
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_MonSt"] == "Ok"


@pytest.mark.parametrize("force_n", [2_000.0, 6_000.0])
def test_acc_and_hold_get_what_they_ask_for_without_a_detection(
    make_brake: Make, force_n: float
) -> None:
    brake = cruising(make_brake)
    brake.command(force_n)
    brake.run(200)
    assert brake.caliper.clamp_force_n == pytest.approx(force_n, rel=0.05)
    assert brake.events("detection") == []


def set_point_after(brake: Any, count_ms: int, force_n: float, **rest: Any) -> float:
    brake.command(force_n, **rest)
    brake.run(count_ms)
    return float(brake.application.force_ref_n)


def test_a_panic_stop_is_as_fast_as_ever(make_brake: Make) -> None:
    """BRK-002: the pedal explains it."""
    limited, free = cruising(make_brake), cruising(make_brake, without=["monitor"])
    for brake in (limited, free):
        brake.pedal(60.0)
        brake.run(10)
    assert set_point_after(limited, 30, 29_000.0) == set_point_after(free, 30, 29_000.0) > 25_000.0
    assert limited.events("detection") == []


def test_an_emergency_braking_is_as_good_as_fast(make_brake: Make) -> None:
    """The fourth command with the flag confirms it, about when the clearance is closed."""
    reached_ms = []
    for without in ([], ["monitor"]):
        brake = cruising(make_brake, without=without)
        brake.command(20_000.0, CDC_EmgcyBrk=1)
        forces_n = brake.run(150)
        reached_ms.append(next(i for i, n in enumerate(forces_n) if n >= 19_000.0))
        assert brake.events("detection") == []
    assert reached_ms[0] <= reached_ms[1] + 4


def test_a_pedal_pressed_a_little_explains_a_little(make_brake: Make) -> None:
    """10 % of the travel explain 6.2 kN; the rest comes slowly."""
    brake = cruising(make_brake)
    brake.pedal(7.8)
    brake.run(10)
    brake.command(30_000.0)
    brake.run(6)
    assert brake.bench.node.selection.command.force_n == pytest.approx(6_710.0, abs=600.0)


def test_without_a_pedal_three_commands_explain_nothing_and_the_fourth_everything(
    make_brake: Make,
) -> None:
    brake = make_brake()  # never heard a pedal
    assert max(corrupted(brake, 3)) < 500.0
    assert set_point_after(brake, 50, 29_000.0) > 25_000.0
    assert brake.events("detection") == []


def test_a_pedal_of_bad_quality_is_none(make_brake: Make) -> None:
    brake = cruising(make_brake)
    brake.bench.repeat("BPS_Pedal", BPS_Trvl1=0.0, BPS_Trvl2=0.0, BPS_Qf1=1, BPS_Qf2=1)
    brake.run(20)
    assert max(corrupted(brake, 3)) < 500.0
    assert set_point_after(brake, 50, 29_000.0) > 25_000.0


def test_a_pedal_that_is_lost_counts_for_another_deadline(make_brake: Make) -> None:
    brake = cruising(make_brake)
    brake.pedal(60.0)
    brake.run(20)
    brake.bench.stop("BPS_Pedal")
    brake.run(20)
    assert not brake.bench.node.selection._pedal.usable(brake.bench.now_ns)
    assert set_point_after(brake, 20, 29_000.0) > 12_000.0


def test_letting_go_of_the_pedal_in_slip_control_is_no_detection(make_brake: Make) -> None:
    brake = cruising(make_brake)
    brake.pedal(60.0)
    brake.run(10)
    for force_n in (20_000.0, 8_000.0, 18_000.0, 6_000.0, 16_000.0):
        brake.command(force_n)
        brake.run(40)
    brake.pedal(0.0)
    brake.command(4_000.0)
    brake.run(5)
    brake.command(9_000.0)  # the last one that answers the pedal of before
    brake.run(5)
    brake.command(0.0)
    brake.run(300)
    assert brake.events("detection") == []


def test_both_lanes_have_an_emergency_flag() -> None:
    database = Database.reference()
    for lane in ("CDC", "CDC2"):
        assert database.message(f"{lane}_EmbCmd").signal(f"{lane}_EmgcyBrk").choices[1] == "Active"
