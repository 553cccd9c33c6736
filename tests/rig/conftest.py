"""Rigs that are warmed up once; every test gets a fork of one."""

from __future__ import annotations

import pytest

from simcore.rig import Rig
from simcore.units import ms


@pytest.fixture(scope="session")
def warm_standing() -> Rig:
    """300 ms after power on, at rest. Never run: fork it."""
    rig = Rig(seed=7)
    rig.run_for(ms(300))
    return rig


@pytest.fixture(scope="session")
def warm_rolling(warm_standing: Rig) -> Rig:
    """At 100 km/h on dry asphalt, 400 ms after power on. Never run: fork it."""
    rig = warm_standing.fork()
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(100))
    return rig


@pytest.fixture
def standing(warm_standing: Rig) -> Rig:
    return warm_standing.fork()


@pytest.fixture
def rolling(warm_rolling: Rig) -> Rig:
    return warm_rolling.fork()
