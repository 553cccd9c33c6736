"""Deadline supervision: bounds, missing stops, and what people read."""

from __future__ import annotations

import pytest

from simcore.units import ms, us
from simcore.watchdog.deadline import NEVER_NS, DeadlineMonitor, in_ms
from simcore.watchdog.settings import DeadlineSupervision


def running_since(start_ns: int) -> DeadlineMonitor:
    monitor = DeadlineMonitor("control", DeadlineSupervision("start", "end", us(100), ms(2)))
    monitor.due_ns = start_ns + monitor.max_ns
    return monitor


def test_a_late_stop_is_described_with_its_bounds() -> None:
    assert (
        running_since(ms(10)).stop_out_of_bounds(ms(16.2))
        == "deadline control.start..control.end 6.2 ms, allowed 0.1..2.0 ms"
    )


def test_a_stop_ends_the_measurement() -> None:
    monitor = running_since(ms(10))
    monitor.stop_out_of_bounds(ms(16))
    assert monitor.due_ns == NEVER_NS
    assert monitor.stop_out_of_bounds(ms(17)) == ""


def test_a_stop_without_a_start_is_no_finding() -> None:
    monitor = DeadlineMonitor("control", DeadlineSupervision("start", "end", 0, ms(2)))
    assert monitor.stop_out_of_bounds(ms(5)) == ""


def test_a_missing_stop_is_described_and_told_once() -> None:
    monitor = running_since(0)
    assert (
        monitor.overdue(ms(5))
        == "deadline control.start..control.end not over after 5.0 ms, allowed 0.1..2.0 ms"
    )
    assert monitor.due_ns == NEVER_NS


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(0, "0.0 ms"), (ms(2), "2.0 ms"), (us(100), "0.1 ms"), (1_234_567, "1.234567 ms")],
)
def test_times_have_at_least_one_decimal(time_ns: int, text: str) -> None:
    assert in_ms(time_ns) == text
