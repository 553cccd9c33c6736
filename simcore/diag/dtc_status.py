"""The status byte of a trouble code: its bits and what each event does to them.

ISO 14229-1:2020, annex D.2 (DTCStatusMask), with the transitions of AUTOSAR's Dem. The whole
behaviour is the literal table `EFFECTS`; counters, memory and debouncing live beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, unique

TEST_FAILED = 0x01
TEST_FAILED_THIS_OPERATION_CYCLE = 0x02
PENDING_DTC = 0x04
CONFIRMED_DTC = 0x08
TEST_NOT_COMPLETED_SINCE_LAST_CLEAR = 0x10
TEST_FAILED_SINCE_LAST_CLEAR = 0x20
TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE = 0x40
WARNING_INDICATOR_REQUESTED = 0x80

BIT_NAMES = {
    TEST_FAILED: "testFailed",
    TEST_FAILED_THIS_OPERATION_CYCLE: "testFailedThisOperationCycle",
    PENDING_DTC: "pendingDTC",
    CONFIRMED_DTC: "confirmedDTC",
    TEST_NOT_COMPLETED_SINCE_LAST_CLEAR: "testNotCompletedSinceLastClear",
    TEST_FAILED_SINCE_LAST_CLEAR: "testFailedSinceLastClear",
    TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE: "testNotCompletedThisOperationCycle",
    WARNING_INDICATOR_REQUESTED: "warningIndicatorRequested",
}
"""Bit and its name in ISO 14229-1."""

INITIAL_STATUS = 0x50
"""Of a code that was never tested: neither since the last clear nor in this operation cycle."""


@unique
class EventStatus(IntEnum):
    """What a monitor reports of its test (AUTOSAR `Dem_EventStatusType`)."""

    PASSED = 0
    FAILED = 1
    PREPASSED = 2
    PREFAILED = 3


@unique
class StatusEvent(IntEnum):
    """What changes a status byte."""

    CLEARED = 0
    CYCLE_STARTED = 1
    CYCLE_STARTED_KEEPING_FAILED = 2
    """The same where testFailed is stored over the end of the cycle."""
    FAILED = 3
    PASSED = 4
    CONFIRMED = 5
    """The confirmation threshold is reached."""
    WARNED = 6
    """Confirmed, and a warning indicator is assigned."""
    CYCLE_ENDED_PASSED = 7
    """The test was completed in the cycle and did not fail."""
    CYCLE_ENDED_FAILED = 8
    CYCLE_ENDED_UNTESTED = 9
    HEALED = 10
    """Enough cycles without failure for the warning indicator."""
    AGED = 11
    """Enough cycles without failure to be forgotten."""
    AGED_WHOLLY = 12
    """The same where testFailedSinceLastClear is forgotten with it."""
    DISPLACED = 13
    """Another code took its place in the memory, or there was none."""
    DISPLACED_WHOLLY = 14


EFFECTS: dict[StatusEvent, tuple[int, int]] = {
    # event: bits set, bits cleared
    StatusEvent.CLEARED: (INITIAL_STATUS, 0xAF),
    StatusEvent.CYCLE_STARTED: (
        TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE,  # SWS_Dem_00394
        TEST_FAILED | TEST_FAILED_THIS_OPERATION_CYCLE,  # 00388, 00389
    ),
    StatusEvent.CYCLE_STARTED_KEEPING_FAILED: (
        TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE,
        TEST_FAILED_THIS_OPERATION_CYCLE,  # 00525
    ),
    StatusEvent.FAILED: (
        TEST_FAILED | TEST_FAILED_THIS_OPERATION_CYCLE | PENDING_DTC | TEST_FAILED_SINCE_LAST_CLEAR,
        TEST_NOT_COMPLETED_SINCE_LAST_CLEAR | TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE,
    ),
    StatusEvent.PASSED: (
        0,
        TEST_FAILED | TEST_NOT_COMPLETED_SINCE_LAST_CLEAR | TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE,
    ),
    StatusEvent.CONFIRMED: (CONFIRMED_DTC, 0),
    StatusEvent.WARNED: (WARNING_INDICATOR_REQUESTED, 0),
    StatusEvent.CYCLE_ENDED_PASSED: (0, PENDING_DTC),  # 00390
    StatusEvent.CYCLE_ENDED_FAILED: (0, 0),
    StatusEvent.CYCLE_ENDED_UNTESTED: (0, 0),
    StatusEvent.HEALED: (0, WARNING_INDICATOR_REQUESTED),
    StatusEvent.AGED: (0, CONFIRMED_DTC),  # 00498
    StatusEvent.AGED_WHOLLY: (0, CONFIRMED_DTC | TEST_FAILED_SINCE_LAST_CLEAR),  # 01054
    StatusEvent.DISPLACED: (0, PENDING_DTC | CONFIRMED_DTC),
    StatusEvent.DISPLACED_WHOLLY: (
        0,
        PENDING_DTC | CONFIRMED_DTC | TEST_FAILED_SINCE_LAST_CLEAR,
    ),
}
"""What each event sets and clears; every other bit stays."""


def next_status(status: int, event: StatusEvent) -> int:
    """The status byte after an event."""
    to_set, to_clear = EFFECTS[event]
    return (status | to_set) & ~to_clear


def end_of_cycle(status: int) -> StatusEvent:
    """Which end of the operation cycle a status byte stands for."""
    if status & TEST_FAILED_THIS_OPERATION_CYCLE:
        return StatusEvent.CYCLE_ENDED_FAILED
    if status & TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE:
        return StatusEvent.CYCLE_ENDED_UNTESTED
    return StatusEvent.CYCLE_ENDED_PASSED


def combined_status(statuses: Iterable[int]) -> int:
    """Status of a code of several events: each bit of any of them.

    But a code that failed since the last clear (in this cycle) counts as tested since then (in
    this cycle), whatever its other events still lack.
    """
    status = 0
    for one in statuses:
        status |= one
    if status & TEST_FAILED_SINCE_LAST_CLEAR:
        status &= ~TEST_NOT_COMPLETED_SINCE_LAST_CLEAR
    if status & TEST_FAILED_THIS_OPERATION_CYCLE:
        status &= ~TEST_NOT_COMPLETED_THIS_OPERATION_CYCLE
    return status


def bits_of(status: int) -> tuple[str, ...]:
    """Names of the bits that are set, for people."""
    return tuple(name for bit, name in BIT_NAMES.items() if status & bit)
