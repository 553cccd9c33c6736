"""Watching downloads: what is enough, and what the rest is called."""

from __future__ import annotations

from copy import deepcopy

import pytest

from simcore.errors import UsageError
from simcore.update.verification_transfer import TransferLimits, TransferWatch
from simcore.update.verification_verdict import Check

LIMITS = TransferLimits(window_ns=1000, window_size=100)


def watch(size: int = 1000) -> TransferWatch:
    return TransferWatch("image", size, 0, LIMITS)


@pytest.mark.parametrize(
    ("first", "second", "check"),
    [
        (0, 0, Check.NO_ANSWER),
        (99, 0, Check.TOO_SLOW),
        (100, 0, Check.STALLED),
        (100, 1, Check.TOO_SLOW),
        (100, 99, Check.TOO_SLOW),
        (100, 100, None),
        (950, 49, Check.TOO_SLOW),
        (950, 50, None),
    ],
)
def test_a_window_needs_its_bytes(first: int, second: int, check: Check | None) -> None:
    transfer = watch()
    verdict = None
    for number, size in enumerate((first, second)):
        assert transfer.next_deadline_ns() == 1000 * (number + 1)
        if size:
            assert transfer.received(size, 1000 * number + 5) is None
        deadline_ns = transfer.next_deadline_ns()
        if deadline_ns is not None:
            verdict = verdict or transfer.on_timer(deadline_ns)
    assert (verdict and verdict.check) is check


def test_nothing_is_said_before_the_end_of_a_window() -> None:
    transfer = watch()
    assert transfer.on_timer(999) is None
    assert transfer.next_deadline_ns() == 1000


def test_a_complete_transfer_is_watched_no_longer() -> None:
    transfer = watch(50)
    assert transfer.received(50, 10) is None
    assert transfer.next_deadline_ns() is None
    assert transfer.on_timer(10_000) is None


def test_one_byte_too_many_is_endless_data_at_once() -> None:
    transfer = watch(50)
    assert transfer.received(50, 10) is None
    verdict = transfer.received(1, 11)
    assert verdict is not None and verdict.check is Check.TOO_LONG
    assert str(verdict) == "refused: endless data: image: 51 bytes, announced are 50"


def test_while_suspended_time_does_not_count() -> None:
    transfer = watch()
    transfer.received(60, 100)
    transfer.suspend(400)
    assert transfer.next_deadline_ns() is None
    assert transfer.on_timer(5000) is None
    transfer.resume(9000)
    assert transfer.next_deadline_ns() == 9600
    transfer.received(40, 9500)
    assert transfer.on_timer(9600) is None
    transfer.resume(9700)  # was not suspended
    assert transfer.next_deadline_ns() == 10_600


def test_a_copy_goes_its_own_way() -> None:
    transfer = watch()
    twin = deepcopy(transfer)
    twin.received(1000, 5)
    assert twin.next_deadline_ns() is None
    assert transfer.next_deadline_ns() == 1000


@pytest.mark.parametrize("numbers", [{"window_ns": 0}, {"window_size": -1}])
def test_limits_are_positive(numbers: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="TransferLimits: expected positive numbers"):
        TransferLimits(**numbers)
