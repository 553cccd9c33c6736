"""The force controller's law on its own; with a caliper see tests/plant/test_step_response.py."""

import copy
import pickle
from dataclasses import replace

import pytest

from simcore.ecu.emb.force_control import FRONT, REAR, ForceController
from simcore.errors import UsageError


@pytest.mark.parametrize("parameters", [FRONT, REAR])
def test_at_rest_in_the_clearance_no_current_is_asked_for(parameters) -> None:
    controller = ForceController(parameters)
    assert controller.step(0.0, 0.0, -parameters.clearance_m, 0.0, 48.0) == 0.0


def test_a_request_up_to_50_n_opens_the_brake() -> None:
    controller = ForceController(FRONT)
    assert controller.step(50.0, 3000.0, 0.2e-3, 0.0, 48.0) == -FRONT.current_max_a
    assert controller.step(51.0, 0.0, -0.25e-3, 0.0, 48.0) > 0.0


def test_the_current_never_exceeds_the_limit() -> None:
    controller = ForceController(FRONT)
    for force_n in (0.0, 51.0, 40_000.0):
        for travel_m in (-3e-3, 0.0, 2e-3):
            for speed_radps in (-800.0, 0.0, 800.0):
                current_a = controller.step(force_n, 0.0, travel_m, speed_radps, 48.0)
                assert -FRONT.current_max_a <= current_a <= FRONT.current_max_a


def test_without_supply_no_current_is_asked_for() -> None:
    assert ForceController(FRONT).step(20e3, 0.0, 0.0, 0.0, 5.9) == 0.0


def test_the_trim_stays_within_its_limit() -> None:
    controller = ForceController(FRONT)
    for _ in range(20_000):
        target_m = controller.contact_m + 0.5e-3 + controller.trim_m
        controller.step(10_000.0, 5000.0, target_m, 0.0, 48.0)
    assert controller.trim_m == FRONT.trim_max_m


def test_the_trim_becomes_contact_knowledge_at_release() -> None:
    controller = ForceController(FRONT)
    controller.trim_m = 12e-6
    controller.step(0.0, 0.0, 0.0, 0.0, 48.0)
    assert (controller.contact_m, controller.trim_m) == (12e-6, 0.0)


@pytest.mark.parametrize("force_n", [-1.0, 40_001.0, float("nan")])
def test_a_request_beyond_the_hardware_is_refused(force_n: float) -> None:
    with pytest.raises(
        UsageError, match=r"^ForceController\.step, force_ref_n: expected 0\.\.40000 N, got .* N$"
    ):
        ForceController(FRONT).step(force_n, 0.0, 0.0, 0.0, 48.0)


def test_a_parameter_that_is_not_positive_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^ForceControlParameters\.speed_gain_per_s: expected > 0, got 0"
    ):
        replace(FRONT, speed_gain_per_s=0.0)


def test_a_copy_shares_parameters_and_goes_on_alone() -> None:
    controller = ForceController(FRONT)
    controller.trim_m = 1e-6
    for twin in (copy.deepcopy(controller), pickle.loads(pickle.dumps(controller))):
        assert twin.trim_m == 1e-6
        twin.trim_m = 0.0
    assert controller.trim_m == 1e-6
    assert copy.deepcopy(controller).parameters is FRONT
