"""Virtual time by the names of the module `time`."""

from __future__ import annotations

import pytest

from simcore.attach import BareBus, publish
from simcore.errors import UsageError


def test_sleeping_lets_exactly_that_much_virtual_time_pass() -> None:
    with publish(BareBus()) as session:
        clock = session.clock
        clock.sleep(0)
        clock.sleep(0.1)
        clock.sleep(0.2)
        assert clock.time() == clock.monotonic() == clock.perf_counter() == 0.3
        assert clock.time_ns() == clock.monotonic_ns() == clock.perf_counter_ns() == 300_000_000


@pytest.mark.parametrize("duration_s", [-1.0, float("inf"), float("nan")])
def test_a_sleep_that_is_no_time_is_refused(duration_s: float) -> None:
    expected = "sleep: expected a time >= 0 s, got"
    with publish(BareBus()) as session, pytest.raises(UsageError, match=expected):
        session.clock.sleep(duration_s)


def test_after_the_end_no_time_passes() -> None:
    with publish(BareBus()) as session:
        pass
    with pytest.raises(UsageError, match="simulation in virtual time: got it was stopped"):
        session.clock.sleep(1.0)
