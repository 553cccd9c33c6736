"""Pacing against a fake clock on the wall: how long it waits, and what it counts as late."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import UsageError
from simcore.kernel import FreeRunning, RealTime, pacing
from simcore.units import ms, s


class FakeClock:
    """Stands in for the module `time`: sleeping moves the clock, nothing else does."""

    def __init__(self) -> None:
        self.now_ns = 123_456_789_000
        self.slept_ns: list[int] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, duration_s: float) -> None:
        assert duration_s > 0.0
        self.slept_ns.append(round(duration_s * 1e9))
        self.now_ns += self.slept_ns[-1]

    def work(self, duration_ns: int) -> None:
        self.now_ns += duration_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(pacing, "time", fake)
    return fake


def test_free_running_neither_slices_nor_waits(clock: FakeClock) -> None:
    free = FreeRunning()
    assert free.slice_ns() is None
    free.wait_until(0)
    free.wait_until(s(100))
    assert clock.slept_ns == []


def test_real_time_waits_for_what_the_work_left_over(clock: FakeClock) -> None:
    real = RealTime()
    assert real.slice_ns() == ms(5)
    real.wait_until(0)
    clock.work(ms(1))
    real.wait_until(ms(5))
    clock.work(ms(4))
    real.wait_until(ms(10))
    assert clock.slept_ns == [ms(4), ms(1)]
    assert (real.late_slices, real.worst_lateness_ns) == (0, 0)


def test_the_first_look_anchors_virtual_time_wherever_it_stands(clock: FakeClock) -> None:
    real = RealTime()
    real.wait_until(s(7))
    assert clock.slept_ns == []
    real.wait_until(s(7) + ms(3))
    assert clock.slept_ns == [ms(3)]


@pytest.mark.parametrize(("speed_ratio", "waited_ns"), [(2.0, ms(5)), (0.5, ms(20)), (4, ms(2.5))])
def test_the_speed_ratio_stretches_or_shrinks_the_wait(
    clock: FakeClock, speed_ratio: float, waited_ns: int
) -> None:
    real = RealTime(speed_ratio=speed_ratio)
    real.wait_until(0)
    real.wait_until(ms(10))
    assert clock.slept_ns == [waited_ns]


def test_lateness_does_not_add_up_because_every_wait_counts_from_the_anchor(
    clock: FakeClock,
) -> None:
    real = RealTime()
    real.wait_until(0)
    clock.work(ms(12))  # 7 ms late
    real.wait_until(ms(5))
    assert (real.late_slices, real.worst_lateness_ns) == (1, ms(7))
    clock.work(ms(1))
    real.wait_until(ms(10))  # 3 ms late: less than a slice is not counted
    assert (real.late_slices, real.worst_lateness_ns) == (1, ms(7))
    clock.work(ms(1))
    real.wait_until(ms(15))  # caught up
    assert clock.slept_ns == [ms(1)]
    clock.work(ms(20))
    real.wait_until(ms(16))
    assert (real.late_slices, real.worst_lateness_ns) == (2, ms(19))
    real.wait_until(ms(25))  # 10 ms late: counted, but not the worst
    assert (real.late_slices, real.worst_lateness_ns) == (3, ms(19))


def test_late_by_exactly_one_slice_is_not_late(clock: FakeClock) -> None:
    real = RealTime(slice_ns=ms(2))
    assert real.slice_ns() == ms(2)
    real.wait_until(0)
    clock.work(ms(4))
    real.wait_until(ms(2))
    assert real.late_slices == 0
    clock.work(1)
    real.wait_until(ms(2))
    assert (real.late_slices, real.worst_lateness_ns) == (1, ms(2) + 1)


def test_virtual_time_that_went_back_anchors_anew(clock: FakeClock) -> None:
    real = RealTime()
    real.wait_until(s(10))
    clock.work(s(3))
    real.wait_until(s(1))
    assert (clock.slept_ns, real.late_slices) == ([], 0)
    real.wait_until(s(1) + ms(5))
    assert clock.slept_ns == [ms(5)]


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
def test_a_copy_keeps_its_settings_and_counts_and_anchors_anew(clock: FakeClock, how: str) -> None:
    real = RealTime(speed_ratio=2.0, slice_ns=ms(2))
    real.wait_until(0)
    clock.work(ms(10))
    real.wait_until(ms(2))
    twin = copy.deepcopy(real) if how == "deep copy" else pickle.loads(pickle.dumps(real))
    assert (twin.late_slices, twin.worst_lateness_ns, twin.slice_ns()) == (1, ms(9), ms(2))
    clock.work(s(100))  # as long as it lay on a disk
    twin.wait_until(ms(4))
    assert twin.late_slices == 1
    twin.wait_until(ms(6))
    assert clock.slept_ns == [ms(1)]


@pytest.mark.parametrize("speed_ratio", [0, -1.0, float("nan")])
def test_a_speed_that_is_not_positive_is_refused(speed_ratio: float) -> None:
    with pytest.raises(UsageError, match=r"^speed_ratio: expected more than 0, got "):
        RealTime(speed_ratio=speed_ratio)


@pytest.mark.parametrize("slice_ns", [0, -1])
def test_a_slice_that_would_never_advance_time_is_refused(slice_ns: int) -> None:
    with pytest.raises(UsageError, match=rf"^slice_ns: expected more than 0 ns, got {slice_ns}$"):
        RealTime(slice_ns=slice_ns)
