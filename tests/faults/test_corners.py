"""Corners, actuators and supplies by name."""

from __future__ import annotations

from simcore.faults.corners import CORNERS, SUPPLIED_CORNERS, actuator_of, corner_of
from simcore.rig import reference


def test_the_names_are_those_of_the_reference_vehicle() -> None:
    assert CORNERS == reference.CORNERS
    assert tuple(actuator_of(corner) for corner in range(4)) == reference.EMB_NODES


def test_every_actuator_has_its_corner_and_no_other_node_has_one() -> None:
    assert [corner_of(name) for name in reference.EMB_NODES] == [0, 1, 2, 3]
    assert corner_of("CDC") is None and corner_of("EMB_XX") is None


def test_each_supply_feeds_a_diagonal_and_both_feed_all() -> None:
    a, b = SUPPLIED_CORNERS["A"], SUPPLIED_CORNERS["B"]
    assert sorted(a + b) == [0, 1, 2, 3]
    for first, second in (a, b):
        assert first < 2 <= second  # one in front, one behind
        assert first % 2 != second % 2  # one left, one right
