"""Which module is tested, and in whose place."""

import pytest
from brake.actuator import Brake


@pytest.fixture
def simcore_dut():
    return "EMB_FL", Brake
