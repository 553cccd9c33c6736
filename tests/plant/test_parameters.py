"""Parameter sets refuse what is no hardware, and are shared by every copy."""

import copy
import math
import pickle
from dataclasses import replace

import pytest

from simcore.errors import UsageError
from simcore.plant.parameters import (
    FRONT_CALIPER,
    FRONT_TYRE,
    REAR_CALIPER,
    REFERENCE_VEHICLE,
)


@pytest.mark.parametrize("preset", [FRONT_CALIPER, REAR_CALIPER, FRONT_TYRE, REFERENCE_VEHICLE])
def test_copies_share_the_parameters(preset: object) -> None:
    assert copy.copy(preset) is preset
    assert copy.deepcopy(preset) is preset
    assert pickle.loads(pickle.dumps(preset)) == preset


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_parameter_that_must_be_positive_is_refused(value: float) -> None:
    with pytest.raises(
        UsageError, match=r"^CaliperParameters\.motor_inertia_kgm2: expected a finite number > 0"
    ):
        replace(FRONT_CALIPER, motor_inertia_kgm2=value)


def test_a_parameter_that_may_be_zero_is_refused_below() -> None:
    assert replace(FRONT_CALIPER, clearance_m=0.0).clearance_m == 0.0
    with pytest.raises(
        UsageError, match=r"^CaliperParameters\.clearance_m: expected a finite number >= 0, got -1"
    ):
        replace(FRONT_CALIPER, clearance_m=-1.0)


@pytest.mark.parametrize("shape_ratio", [1.0, 2.0])
def test_a_tyre_curve_without_a_peak_is_refused(shape_ratio: float) -> None:
    with pytest.raises(UsageError, match=r"^TyreParameters\.shape_ratio: expected above 1 and"):
        replace(FRONT_TYRE, shape_ratio=shape_ratio)


def test_a_roll_share_above_one_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^VehicleParameters\.front_roll_share_ratio: expected 0\.\.1, got 1\.5"
    ):
        replace(REFERENCE_VEHICLE, front_roll_share_ratio=1.5)
