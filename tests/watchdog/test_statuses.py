"""Local and global status: raw values, total tables, every row of the facts."""

from __future__ import annotations

from enum import IntEnum

import pytest

from simcore.watchdog.statuses import (
    GLOBAL_IGNORED,
    GLOBAL_TRANSITIONS,
    LOCAL_IGNORED,
    LOCAL_TRANSITIONS,
    MAY_TRIGGER,
    GlobalEvent,
    GlobalStatus,
    LocalEvent,
    LocalStatus,
    StatusChange,
    next_global,
    next_local,
)


def test_local_status_has_the_values_of_the_standard() -> None:
    assert {each.name: int(each) for each in LocalStatus} == {
        "OK": 0,
        "FAILED": 1,
        "EXPIRED": 2,
        "DEACTIVATED": 4,
    }


def test_global_status_has_the_values_of_the_standard() -> None:
    assert {each.name: int(each) for each in GlobalStatus} == {
        "OK": 0,
        "FAILED": 1,
        "EXPIRED": 2,
        "STOPPED": 3,
        "DEACTIVATED": 4,
    }


@pytest.mark.parametrize(
    ("states", "events", "transitions", "ignored"),
    [
        (LocalStatus, LocalEvent, LOCAL_TRANSITIONS, LOCAL_IGNORED),
        (GlobalStatus, GlobalEvent, GLOBAL_TRANSITIONS, GLOBAL_IGNORED),
    ],
    ids=["local", "global"],
)
def test_table_is_total_and_without_overlap(
    states: type[IntEnum],
    events: type[IntEnum],
    transitions: dict[tuple[IntEnum, IntEnum], IntEnum],
    ignored: frozenset[tuple[IntEnum, IntEnum]],
) -> None:
    assert transitions.keys() | ignored == {(state, event) for state in states for event in events}
    assert not transitions.keys() & ignored


LOCAL_ROWS = [
    ("OK", "FLOW_INCORRECT", "EXPIRED"),
    ("OK", "ALIVE_INCORRECT_BEYOND", "EXPIRED"),
    ("OK", "ALIVE_INCORRECT_TOLERATED", "FAILED"),
    ("FAILED", "FLOW_INCORRECT", "EXPIRED"),
    ("FAILED", "ALIVE_INCORRECT_BEYOND", "EXPIRED"),
    ("FAILED", "ALIVE_INCORRECT_TOLERATED", "FAILED"),
    ("FAILED", "ALIVE_CORRECT_RECOVERING", "FAILED"),
    ("FAILED", "ALIVE_CORRECT_RECOVERED", "OK"),
    ("DEACTIVATED", "ACTIVATED", "OK"),
    ("OK", "REMOVED", "DEACTIVATED"),
    ("FAILED", "REMOVED", "DEACTIVATED"),
]


@pytest.mark.parametrize(("before", "event", "after"), LOCAL_ROWS)
def test_local_status_follows_the_standard(before: str, event: str, after: str) -> None:
    assert next_local(LocalStatus[before], LocalEvent[event]) is LocalStatus[after]


@pytest.mark.parametrize("event", LocalEvent)
def test_an_expired_entity_stays_expired_whatever_comes(event: LocalEvent) -> None:
    assert next_local(LocalStatus.EXPIRED, event) is LocalStatus.EXPIRED


@pytest.mark.parametrize("event", [event for event in LocalEvent if event.name != "ACTIVATED"])
def test_what_is_not_supervised_cannot_fail(event: LocalEvent) -> None:
    assert next_local(LocalStatus.DEACTIVATED, event) is LocalStatus.DEACTIVATED


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("DEACTIVATED", "STARTED", "OK"),
        ("OK", "SOME_FAILED", "FAILED"),
        ("OK", "EXPIRED_TOLERATED", "EXPIRED"),
        ("OK", "EXPIRED_BEYOND", "STOPPED"),
        ("FAILED", "ALL_OK", "OK"),
        ("FAILED", "SOME_FAILED", "FAILED"),
        ("FAILED", "EXPIRED_TOLERATED", "EXPIRED"),
        ("FAILED", "EXPIRED_BEYOND", "STOPPED"),
        ("EXPIRED", "EXPIRED_TOLERATED", "EXPIRED"),
        ("EXPIRED", "EXPIRED_BEYOND", "STOPPED"),
        ("EXPIRED", "STARTED", "OK"),
        ("STOPPED", "STARTED", "OK"),
    ],
)
def test_global_status_follows_the_standard(before: str, event: str, after: str) -> None:
    assert next_global(GlobalStatus[before], GlobalEvent[event]) is GlobalStatus[after]


@pytest.mark.parametrize("event", [event for event in GlobalEvent if event.name != "STARTED"])
@pytest.mark.parametrize("status", [GlobalStatus.STOPPED, GlobalStatus.DEACTIVATED])
def test_only_a_start_leads_out_of_stopped_and_deactivated(
    status: GlobalStatus, event: GlobalEvent
) -> None:
    assert next_global(status, event) is status


@pytest.mark.parametrize("event", [GlobalEvent.ALL_OK, GlobalEvent.SOME_FAILED])
def test_a_global_expiry_does_not_heal(event: GlobalEvent) -> None:
    assert next_global(GlobalStatus.EXPIRED, event) is GlobalStatus.EXPIRED


def test_the_watchdog_is_served_unless_stopped_or_not_started() -> None:
    assert [status.name for status in GlobalStatus if MAY_TRIGGER[status]] == [
        "OK",
        "FAILED",
        "EXPIRED",
    ]


def test_a_change_is_frozen_data() -> None:
    change = StatusChange(
        time_ns=1, entity="a", before=LocalStatus.OK, after=LocalStatus.FAILED, reason="r"
    )
    with pytest.raises(AttributeError):
        change.reason = "other"  # type: ignore[misc]
