"""Road descriptions answer per wheel and position, and refuse what is no road."""

from math import inf

import pytest

from simcore.errors import UsageError
from simcore.plant.environment import Segment, Surface


def test_a_uniform_surface_is_the_same_everywhere() -> None:
    surface = Surface.uniform(0.8)
    assert {surface.friction_ratio(i, x) for i in range(4) for x in (-9e9, 0.0, 9e9)} == {0.8}


def test_a_split_surface_tells_left_from_right() -> None:
    surface = Surface.split(0.8, 0.25)
    assert [surface.friction_ratio(i, 0.0) for i in range(4)] == [0.8, 0.25, 0.8, 0.25]


def test_a_jump_begins_exactly_at_its_position() -> None:
    surface = Surface.jump(0.9, 0.25, at_x_m=15.0)
    assert surface.friction_ratio(0, 14.999) == 0.9
    assert surface.friction_ratio(0, 15.0) == 0.25


@pytest.mark.parametrize("friction_ratio", [0.0, -0.1, 2.1])
def test_impossible_friction_is_refused(friction_ratio: float) -> None:
    with pytest.raises(UsageError, match=r"^Segment\.left_ratio: expected friction 0 < ratio <= 2"):
        Surface.uniform(friction_ratio)


def test_a_road_must_begin_at_minus_infinity() -> None:
    with pytest.raises(UsageError, match=r"^Surface\.segments: expected a first segment from -inf"):
        Surface(segments=(Segment(from_x_m=0.0, left_ratio=1.0, right_ratio=1.0),))
    with pytest.raises(UsageError, match="first segment from -inf, got no segment"):
        Surface(segments=())


def test_segments_must_rise() -> None:
    start = Segment(from_x_m=-inf, left_ratio=1.0, right_ratio=1.0)
    late = Segment(from_x_m=5.0, left_ratio=1.0, right_ratio=1.0)
    with pytest.raises(UsageError, match=r"^Surface\.segments: expected rising from_x_m, got"):
        Surface(segments=(start, late, late))


def test_a_wall_is_no_grade() -> None:
    with pytest.raises(
        UsageError, match=r"^Surface\.grade_ratio: expected a ratio -1\.\.1, got 1\.5"
    ):
        Surface.uniform(1.0, grade_ratio=1.5)


def test_there_is_no_fifth_wheel() -> None:
    with pytest.raises(UsageError, match=r"corner: expected 0\.\.3, got 4"):
        Surface.uniform(1.0).friction_ratio(4, 0.0)
