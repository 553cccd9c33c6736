"""Virtual time along a clock that the test turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from simcore.attach import pace as pace_module
from simcore.attach.pace import Lateness, Pace
from simcore.errors import UsageError
from simcore.kernel import Scheduler
from simcore.units import ms, s


class Clock:
    """A clock on the wall that stands still unless told."""

    def __init__(self) -> None:
        self.now_ns = s(1000)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def time_ns(self) -> int:
        return self.now_ns + s(1_700_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(
        pace_module, "time", SimpleNamespace(monotonic_ns=made.monotonic_ns, time_ns=made.time_ns)
    )
    return made


def test_virtual_time_stands_where_the_clock_is(clock: Clock) -> None:
    scheduler = Scheduler()
    pace = Pace(scheduler)
    clock.now_ns += ms(7) + 5
    assert pace.wait_s() == 0.0
    pace.advance()
    assert scheduler.now_ns == ms(7) + 5
    assert pace.wait_s() == pytest.approx((ms(1) - 5) / 1e9)


def test_twice_the_speed_is_twice_the_time(clock: Clock) -> None:
    scheduler = Scheduler()
    pace = Pace(scheduler, speed_ratio=2.0)
    clock.now_ns += ms(5)
    pace.advance()
    assert scheduler.now_ns == ms(10)
    assert pace.wait_s() == pytest.approx(0.0005)


def test_a_late_start_shows_in_the_first_slices(clock: Clock) -> None:
    told: list[int] = []
    pace = Pace(Scheduler(), late_ns=ms(20), on_late=told.append)
    clock.now_ns += ms(50)
    pace.advance()
    # Slices end every millisecond; the one due at 1 ms is 49 ms late, the last one in time.
    assert pace.lateness.slice_count == 50
    assert pace.lateness.worst_ns == ms(49)
    assert pace.lateness.late_count == 29
    assert pace.lateness.mean_ns == ms(24.5)
    assert told == [ms(49)]  # once per second is enough


def test_a_lasting_overload_is_told_every_second(clock: Clock) -> None:
    told: list[int] = []
    pace = Pace(Scheduler(), late_ns=ms(20), on_late=told.append)
    for _ in range(30):
        clock.now_ns += ms(100)
        pace.advance()
    assert told == [ms(99)] * 3


def test_time_before_the_start_is_no_lateness(clock: Clock) -> None:
    scheduler = Scheduler()
    pace = Pace(scheduler)
    clock.now_ns += s(5)
    pace.start()
    pace.advance()
    assert scheduler.now_ns == 0
    assert pace.epoch_ns == clock.time_ns()
    assert pace.lateness == Lateness(limit_ns=ms(20))
    assert pace.lateness.mean_ns == 0.0


@pytest.mark.parametrize("speed_ratio", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed_ratio: float) -> None:
    with pytest.raises(UsageError, match="speed_ratio: expected more than 0, got"):
        Pace(Scheduler(), speed_ratio=speed_ratio)


def test_a_slice_of_no_time_is_refused() -> None:
    with pytest.raises(UsageError, match="slice_ns: expected more than 0 ns, got 0"):
        Pace(Scheduler(), slice_ns=0)
