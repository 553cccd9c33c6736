"""The slip controller's law on its own; on the vehicle see tests/plant/test_braking.py."""

import copy
import pickle
from dataclasses import replace

import pytest

from simcore.ecu.cdc.slip_control import DEFAULT, SlipController, SlipPhase
from simcore.errors import UsageError

VALID = (True,) * 4
DEMAND_N = (20e3, 20e3, 9e3, 9e3)


def make_controller(speed_mps: float = 25.0, *, rear_select_low: bool = True) -> SlipController:
    controller = SlipController(rear_select_low=rear_select_low)
    controller.start_at(speed_mps)
    return controller


def drive(
    controller: SlipController,
    wheel_mps: tuple[float, ...],
    steps: int,
    *,
    demand_n: tuple[float, ...] = DEMAND_N,
    valid: tuple[bool, ...] = VALID,
    ax_mps2: float = 0.0,
) -> list[list[float]]:
    return [controller.step(demand_n, wheel_mps, ax_mps2, valid, demand_n) for _ in range(steps)]


def test_rolling_wheels_get_the_whole_demand() -> None:
    controller = make_controller()
    forces = drive(controller, (25.0,) * 4, 100)
    assert all(force == list(DEMAND_N) for force in forces)
    assert controller.active == [False] * 4
    assert controller.reference_speed_mps == pytest.approx(25.0, rel=0.01)


def test_no_force_ever_exceeds_the_demand() -> None:
    controller = make_controller()
    for k in range(400):
        wheels = tuple(25.0 - ((7 * k + 3 * i) % 11) for i in range(4))
        forces = controller.step(DEMAND_N, wheels, -8.0, VALID, DEMAND_N)
        assert all(0.0 <= f <= d for f, d in zip(forces, DEMAND_N, strict=True))


def test_a_wheel_that_runs_into_slip_is_relieved_then_held_then_loaded_again() -> None:
    controller = make_controller(rear_select_low=False)
    phases = []
    for wheel_mps in [25.0] * 5 + [23.0, 21.0, 19.0, 17.0] + [21.0, 24.9] + [24.9] * 20:
        controller.step(DEMAND_N, (wheel_mps, 25.0, 25.0, 25.0), 0.0, VALID, DEMAND_N)
        if not phases or phases[-1] != controller.phases[0]:
            phases.append(controller.phases[0])
    assert phases == [
        SlipPhase.IDLE,
        SlipPhase.RELIEVE,
        SlipPhase.HOLD,
        SlipPhase.REAPPLY,
    ]
    assert controller.active == [True, False, False, False]


def test_a_locked_wheel_loses_all_its_force_within_150_ms() -> None:
    controller = make_controller()
    forces = drive(controller, (0.0, 25.0, 25.0, 25.0), 30)
    assert forces[-1][0] == 0.0


def test_force_comes_back_up_to_the_demand_when_the_road_is_good_again() -> None:
    controller = make_controller()
    drive(controller, (15.0, 25.0, 25.0, 25.0), 10)
    forces = drive(controller, (25.0,) * 4, 200)
    assert forces[0][0] < DEMAND_N[0]
    assert forces[-1] == list(DEMAND_N)
    assert controller.phases == [SlipPhase.IDLE] * 4


def test_below_its_speed_the_control_lets_wheels_lock() -> None:
    controller = make_controller(speed_mps=1.0)
    assert drive(controller, (0.0, 1.0, 1.0, 1.0), 5)[-1] == list(DEMAND_N)


def test_rear_wheels_share_the_lower_force() -> None:
    controller = make_controller()
    forces = drive(controller, (25.0, 25.0, 18.0, 25.0), 10)[-1]
    assert forces[2] == forces[3] < DEMAND_N[3]


def test_select_low_can_be_switched_off() -> None:
    controller = make_controller(rear_select_low=False)
    forces = drive(controller, (25.0, 25.0, 18.0, 25.0), 10)[-1]
    assert forces[2] < forces[3] == DEMAND_N[3]


def test_a_failed_rear_brake_does_not_take_the_other_with_it() -> None:
    controller = make_controller()
    demand_n = (20e3, 20e3, 0.0, 9e3)
    assert drive(controller, (25.0,) * 4, 10, demand_n=demand_n)[-1] == list(demand_n)


def test_on_a_split_road_the_gripping_front_wheel_builds_up_slowly() -> None:
    controller = make_controller()
    clamp_n = (5e3, 5e3, 3e3, 3e3)
    for _ in range(10):
        forces = controller.step(DEMAND_N, (18.0, 25.0, 25.0, 25.0), 0.0, VALID, clamp_n)
    early_n = forces[1]
    assert 5e3 < early_n < 12e3
    for _ in range(60):
        forces = controller.step(DEMAND_N, (18.0, 25.0, 25.0, 25.0), 0.0, VALID, clamp_n)
    assert early_n + 3e3 < forces[1] < DEMAND_N[1]


def test_a_wheel_without_a_valid_speed_follows_its_partner() -> None:
    controller = make_controller()
    valid = (True, False, True, True)
    forces = drive(controller, (18.0, 0.0, 25.0, 25.0), 10, valid=valid)[-1]
    assert forces[0] == forces[1] < DEMAND_N[1]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("force_demand_n", ((1.0,) * 3, (1.0,) * 4, 0.0, VALID, (0.0,) * 4)),
        ("wheel_speed_mps", ((1.0,) * 4, (1.0,) * 5, 0.0, VALID, (0.0,) * 4)),
        ("wheel_valid", ((1.0,) * 4, (1.0,) * 4, 0.0, (True,), (0.0,) * 4)),
        ("clamp_force_n", ((1.0,) * 4, (1.0,) * 4, 0.0, VALID, ())),
    ],
)
def test_a_list_of_another_length_than_four_is_refused(name: str, arguments: tuple) -> None:
    with pytest.raises(
        UsageError, match=rf"^SlipController\.step, {name}: expected 4 values, got \d"
    ):
        SlipController().step(*arguments)


def test_a_parameter_that_is_not_positive_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^SlipControlParameters\.target_slip_ratio: expected > 0, got 0"
    ):
        replace(DEFAULT, target_slip_ratio=0.0)


def test_a_copy_and_a_pickle_go_on_the_same() -> None:
    controller = make_controller()
    drive(controller, (18.0, 25.0, 25.0, 25.0), 5)
    twins = [copy.deepcopy(controller), pickle.loads(pickle.dumps(controller))]
    expected = drive(controller, (21.0, 25.0, 24.0, 25.0), 20)
    for twin in twins:
        assert drive(twin, (21.0, 25.0, 24.0, 25.0), 20) == expected


def test_a_controller_that_resumes_goes_on_from_the_forces_it_is_given() -> None:
    controller = SlipController()
    held_n = [6e3, 6e3, 3e3, 3e3]
    controller.resume(25.0, (23.0,) * 4, held_n, (True,) * 4)
    assert controller.reference_speed_mps == 25.0
    first = controller.step(DEMAND_N, (23.0,) * 4, -3.0, VALID, held_n)
    for force_n, before_n in zip(first, held_n, strict=True):
        assert 0.9 * before_n < force_n < 1.1 * before_n
    assert controller.active == [True] * 4


def test_a_wheel_that_was_not_held_back_gets_its_demand_when_a_controller_resumes() -> None:
    controller = SlipController()
    controller.resume(25.0, (25.0,) * 4, DEMAND_N, (False,) * 4)
    assert controller.step(DEMAND_N, (25.0,) * 4, -3.0, VALID, DEMAND_N) == list(DEMAND_N)
