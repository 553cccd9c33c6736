"""The status byte: every row of the transition table, bit by bit."""

from __future__ import annotations

import pytest

from simcore.diag.dtc_status import (
    BIT_NAMES,
    EFFECTS,
    INITIAL_STATUS,
    StatusEvent,
    bits_of,
    combined_status,
    end_of_cycle,
    next_status,
)

E = StatusEvent


def test_every_event_has_its_effect_and_none_sets_what_it_clears() -> None:
    assert set(EFFECTS) == set(StatusEvent)
    for to_set, to_clear in EFFECTS.values():
        assert to_set & to_clear == 0
        assert 0 <= to_set <= 0xFF and 0 <= to_clear <= 0xFF


@pytest.mark.parametrize(
    ("event", "of_all_clear", "of_all_set"),
    [
        # bit               76543210     76543210
        (E.CLEARED, 0b_0101_0000, 0b_0101_0000),
        (E.CYCLE_STARTED, 0b_0100_0000, 0b_1111_1100),
        (E.CYCLE_STARTED_KEEPING_FAILED, 0b_0100_0000, 0b_1111_1101),
        (E.FAILED, 0b_0010_0111, 0b_1010_1111),
        (E.PASSED, 0b_0000_0000, 0b_1010_1110),
        (E.CONFIRMED, 0b_0000_1000, 0b_1111_1111),
        (E.WARNED, 0b_1000_0000, 0b_1111_1111),
        (E.CYCLE_ENDED_PASSED, 0b_0000_0000, 0b_1111_1011),
        (E.CYCLE_ENDED_FAILED, 0b_0000_0000, 0b_1111_1111),
        (E.CYCLE_ENDED_UNTESTED, 0b_0000_0000, 0b_1111_1111),
        (E.HEALED, 0b_0000_0000, 0b_0111_1111),
        (E.AGED, 0b_0000_0000, 0b_1111_0111),
        (E.AGED_WHOLLY, 0b_0000_0000, 0b_1101_0111),
        (E.DISPLACED, 0b_0000_0000, 0b_1111_0011),
        (E.DISPLACED_WHOLLY, 0b_0000_0000, 0b_1101_0011),
    ],
)
def test_an_event_changes_these_bits_and_no_other(
    event: StatusEvent, of_all_clear: int, of_all_set: int
) -> None:
    for status in range(256):
        expected = (status & of_all_set) | (~status & of_all_clear & 0xFF)
        assert next_status(status, event) == expected


def test_a_code_that_was_never_tested_has_status_0x50() -> None:
    assert INITIAL_STATUS == 0x50
    assert bits_of(0x50) == (
        "testNotCompletedSinceLastClear",
        "testNotCompletedThisOperationCycle",
    )


def test_names_of_the_bits_are_those_of_udsoncan() -> None:
    uds = pytest.importorskip("udsoncan")
    for bit, name in BIT_NAMES.items():
        status = uds.Dtc.Status.from_byte(bit)
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        theirs = [key for key, value in vars(status).items() if value is True]
        assert theirs == [snake.removesuffix("_d_t_c")]


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (0x50, E.CYCLE_ENDED_UNTESTED),
        (0x10, E.CYCLE_ENDED_PASSED),
        (0x00, E.CYCLE_ENDED_PASSED),
        (0x02, E.CYCLE_ENDED_FAILED),
        (0x42, E.CYCLE_ENDED_FAILED),
    ],
)
def test_the_end_of_a_cycle_is_read_off_bits_1_and_6(status: int, end: StatusEvent) -> None:
    assert end_of_cycle(status) is end


def test_a_combined_code_has_the_bits_of_any_event_but_counts_as_tested_once_one_failed() -> None:
    assert combined_status([0x50, 0x50]) == 0x50
    assert combined_status([0x00, 0x50]) == 0x50
    assert combined_status([0x2F, 0x50]) == 0x2F  # b4 and b6 of the other do not show
    assert combined_status([0x20, 0x50]) == 0x60  # failed before, not in this cycle: b6 shows
    for a in range(256):
        for b in range(256):
            both = a | b
            hidden = (0x10 if both & 0x20 else 0) | (0x40 if both & 0x02 else 0)
            assert combined_status([a, b]) == both & ~hidden
