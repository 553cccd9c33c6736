"""Whatever arrives, in any order: no crash, and nothing that the interface forbids is sent."""

import pytest
from brake.actuator import Brake
from hypothesis import given, settings
from simcore import Database
from simcore.testing import play, sequences

DATABASE = Database.reference()


@pytest.mark.requirement("ROB-001")
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(steps=sequences(DATABASE, "EMB_FL"))
def test_any_sequence_is_survived(steps):
    play(steps, node="EMB_FL", module=Brake)
