"""The bootloader's decision tables: literal, total, every row needed."""

from __future__ import annotations

from itertools import product

import pytest

from simcore.update.boot_table import (
    BOOT_ROWS,
    SWAP_ROWS,
    BootAction,
    Journal,
    Situation,
    Trial,
    Validity,
    next_action,
    swap_asked_for,
)
from simcore.update.trailer import Flag, Magic, SwapType, TrailerState

STATES = [TrailerState(*each) for each in product(Magic, Flag, Flag)]
ASKED = (SwapType.NONE, SwapType.TEST, SwapType.PERM, SwapType.REVERT)
GOOD, BAD = Validity.VALID, Validity.INVALID


def situation(
    journal: Journal = Journal.AT_REST,
    swap: SwapType = SwapType.NONE,
    trial: Trial = Trial.OVER,
    candidate: Validity = BAD,
    running: Validity = GOOD,
    backup: Validity = BAD,
) -> Situation:
    found = {"candidate": candidate, "running": running, "backup": backup}
    return Situation(journal, swap, trial, found.__getitem__)


EVERY = list(product(Journal, ASKED, Trial, Validity, Validity, Validity))


def test_every_pair_of_trailers_is_decided_and_every_row_decides_some() -> None:
    deciding = set()
    for primary, secondary in product(STATES, STATES):
        rows = [row for row in SWAP_ROWS if row.matches(primary, secondary)]
        assert swap_asked_for(primary, secondary) is rows[0].result
        deciding.add(SWAP_ROWS.index(rows[0]))
    assert deciding == set(range(len(SWAP_ROWS)))


@pytest.mark.parametrize(
    ("primary", "secondary", "expected"),
    [
        ("unset", "unset", SwapType.NONE),
        ("unset", "magic", SwapType.TEST),
        ("unset", "magic ok", SwapType.PERM),
        ("unset", "magic done", SwapType.REVERT),
        ("unset", "magic badok", SwapType.NONE),
        ("unset", "badmagic", SwapType.NONE),
        ("magic done", "unset", SwapType.REVERT),
        ("magic done ok", "unset", SwapType.NONE),
        ("magic done badok", "unset", SwapType.NONE),
        ("magic", "unset", SwapType.NONE),
        ("magic baddone", "unset", SwapType.NONE),
        ("badmagic done", "unset", SwapType.NONE),
        ("magic done", "magic", SwapType.TEST),
        ("magic done ok", "magic ok", SwapType.PERM),
    ],
)
def test_the_swap_asked_for(primary: str, secondary: str, expected: SwapType) -> None:
    assert swap_asked_for(_trailer(primary), _trailer(secondary)) is expected


def _trailer(words: str) -> TrailerState:
    have = set(words.split())
    return TrailerState(
        Magic.GOOD if "magic" in have else Magic.BAD if "badmagic" in have else Magic.UNSET,
        Flag.SET if "ok" in have else Flag.BAD if "badok" in have else Flag.UNSET,
        Flag.SET if "done" in have else Flag.BAD if "baddone" in have else Flag.UNSET,
    )


def test_every_situation_is_decided_and_every_row_decides_some() -> None:
    deciding = {BOOT_ROWS.index(next_action(situation(*each))) for each in EVERY}
    assert deciding == set(range(len(BOOT_ROWS)))
    assert {row.action for row in BOOT_ROWS} == set(BootAction)
    assert len({row.why for row in BOOT_ROWS}) == len(BOOT_ROWS)


def test_nothing_starts_that_was_judged_invalid() -> None:
    for journal, swap, trial, candidate, running, backup in EVERY:
        row = next_action(situation(journal, swap, trial, candidate, running, backup))
        if row.action in (BootAction.START, BootAction.TRY):
            assert running is GOOD
        if row.action is BootAction.SWAP:
            assert candidate is GOOD
        if row.action is BootAction.SWAP_BACK:
            assert backup is GOOD
        if journal is Journal.UNDER_WAY:
            assert row.action is BootAction.RESUME
        if row.action is BootAction.TRY:
            assert trial is Trial.OPEN


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({}, BootAction.START),
        ({"running": BAD}, BootAction.RECOVER),
        ({"running": BAD, "backup": GOOD}, BootAction.SWAP_BACK),
        ({"running": BAD, "candidate": GOOD}, BootAction.RECOVER),
        ({"swap": SwapType.TEST, "candidate": GOOD}, BootAction.SWAP),
        ({"swap": SwapType.PERM, "candidate": GOOD, "running": BAD}, BootAction.SWAP),
        ({"swap": SwapType.TEST}, BootAction.REFUSE),
        ({"swap": SwapType.REVERT, "trial": Trial.OPEN, "backup": GOOD}, BootAction.TRY),
        ({"swap": SwapType.REVERT, "backup": GOOD}, BootAction.SWAP_BACK),
        ({"swap": SwapType.REVERT}, BootAction.RECOVER),
        (
            {"swap": SwapType.REVERT, "trial": Trial.OPEN, "running": BAD, "backup": GOOD},
            BootAction.SWAP_BACK,
        ),
    ],
)
def test_what_the_bootloader_does(fields: dict, action: BootAction) -> None:
    assert next_action(situation(**fields)).action is action


def test_an_image_is_judged_only_when_a_row_asks_and_once() -> None:
    asked = []

    def judge(place: str) -> Validity:
        asked.append(place)
        return BAD

    next_action(Situation(Journal.UNDER_WAY, SwapType.TEST, Trial.OVER, judge))
    assert asked == []
    next_action(Situation(Journal.AT_REST, SwapType.TEST, Trial.OVER, judge))
    assert asked == ["candidate"]
    next_action(Situation(Journal.AT_REST, SwapType.NONE, Trial.OVER, judge))
    assert asked == ["candidate", "running", "backup"]
