"""The challenge of the FS65: published pairs, the formula, the period of the LFSR."""

from __future__ import annotations

import pytest

from simcore.watchdog.challenge import (
    ANSWERS,
    FOLLOWING,
    SEED,
    TAPS,
    answer_to,
    following,
    release_code,
)


def test_the_published_sequence_begins_at_the_seed() -> None:
    assert SEED == 0xB2
    lfsr, sequence = SEED, []
    for _ in range(4):
        sequence.append(lfsr)
        lfsr = following(lfsr)
    assert sequence == [0xB2, 0x64, 0xC8, 0x91]


@pytest.mark.parametrize(
    ("lfsr", "answer"), [(0xB2, 0x4D), (0x64, 0x9B), (0xC8, 0x37), (0x91, 0x6E)]
)
def test_the_published_pairs_are_answered(lfsr: int, answer: int) -> None:
    assert answer_to(lfsr) == ANSWERS[lfsr] == answer


def test_the_formula_of_the_data_sheet_is_the_bitwise_not() -> None:
    assert [answer_to(lfsr) for lfsr in range(256)] == [lfsr ^ 0xFF for lfsr in range(256)]
    assert tuple(answer_to(lfsr) for lfsr in range(256)) == ANSWERS


def test_every_value_but_zero_comes_once_in_255() -> None:
    lfsr, seen = SEED, set()
    while lfsr not in seen:
        seen.add(lfsr)
        lfsr = FOLLOWING[lfsr]
    assert lfsr == SEED
    assert seen == set(range(1, 256))


def test_no_other_taps_give_the_published_sequence_and_the_full_period() -> None:
    def step(lfsr: int, taps: int) -> int:
        return (lfsr << 1 & 0xFF) | (bin(lfsr & taps).count("1") & 1)

    fitting = []
    for taps in range(256):
        if [step(0xB2, taps), step(0x64, taps), step(0xC8, taps)] != [0x64, 0xC8, 0x91]:
            continue
        lfsr, period = step(SEED, taps), 1
        while lfsr != SEED and period < 256:
            lfsr, period = step(lfsr, taps), period + 1
        if period == 255:
            fitting.append(taps)
    assert fitting == [TAPS]


def test_the_release_code_is_the_lfsr_reversed_and_inverted() -> None:
    for lfsr in range(256):
        reverse = int(f"{lfsr:08b}"[::-1], 2)
        assert release_code(lfsr) == reverse ^ 0xFF
    assert release_code(0xB2) == 0xB2  # 1011_0010 -> 0100_1101 -> 1011_0010
    assert release_code(0x01) == 0x7F
