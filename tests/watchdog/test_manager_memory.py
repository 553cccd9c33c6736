"""The first expired entity is kept over a reset; what does not match its inverse is refused."""

from __future__ import annotations

import pytest

from simcore.units import ms
from simcore.watchdog import (
    AliveSupervision,
    EntityMode,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
    WatchdogManager,
)
from simcore.watchdog.manager_memory import FIRST_EXPIRED, FIRST_EXPIRED_INVERSE

NAMES = ("sense", "control", "comm")
SETTINGS = SupervisionSettings(
    ms(5),
    tuple(SupervisedEntity(name, ("start",)) for name in NAMES),
    (
        SupervisionMode(
            "run",
            tuple(EntityMode(name, (AliveSupervision("start", 1),)) for name in NAMES),
            expired_tolerance=9,
        ),
    ),
)


def run(memory: dict[str, bytes] | None, *cycles: str) -> WatchdogManager:
    """A start, then one supervision cycle for each text: the entities that are alive in it."""
    manager = WatchdogManager(SETTINGS, memory)
    manager.start(0)
    manager.main_function(0)
    for number, alive in enumerate(cycles, start=1):
        for name in alive.split():
            manager.reached(manager.checkpoint(f"{name}.start"), number * ms(5) - 1)
        manager.main_function(number * ms(5))
    return manager


def test_the_first_entity_that_expires_is_kept_and_its_inverse_with_it() -> None:
    memory: dict[str, bytes] = {}
    run(memory, "sense control comm", "sense comm", "comm")
    assert memory == {FIRST_EXPIRED: b"\x00\x02", FIRST_EXPIRED_INVERSE: b"\xff\xfd"}


def test_nothing_is_written_while_nothing_expires() -> None:
    memory: dict[str, bytes] = {}
    assert run(memory, "sense control comm").first_expired is None
    assert memory == {}


def test_it_is_read_back_after_a_reset() -> None:
    memory: dict[str, bytes] = {}
    run(memory, "sense comm")
    after = run(memory, "sense control comm")
    assert after.first_expired == "control"
    assert not after.memory_refused


def test_the_first_expiry_of_the_next_run_takes_its_place() -> None:
    memory: dict[str, bytes] = {}
    run(memory, "sense comm")
    assert run(memory, "sense control").first_expired == "comm"
    assert run(memory).first_expired == "comm"


@pytest.mark.parametrize("bit", range(16))
@pytest.mark.parametrize("cell", [FIRST_EXPIRED, FIRST_EXPIRED_INVERSE])
def test_every_flipped_bit_in_either_cell_is_refused(cell: str, bit: int) -> None:
    memory: dict[str, bytes] = {}
    run(memory, "sense comm")
    memory[cell] = (int.from_bytes(memory[cell], "big") ^ 1 << bit).to_bytes(2, "big")
    after = run(memory)
    assert after.memory_refused
    assert after.first_expired is None


@pytest.mark.parametrize(
    "cells",
    [
        {FIRST_EXPIRED: b"\x00\x02"},
        {FIRST_EXPIRED_INVERSE: b"\xff\xfd"},
        {FIRST_EXPIRED: b"\x02", FIRST_EXPIRED_INVERSE: b"\xfd"},
        {FIRST_EXPIRED: b"\x00\x00", FIRST_EXPIRED_INVERSE: b"\xff\xff"},
        {FIRST_EXPIRED: b"\x00\x04", FIRST_EXPIRED_INVERSE: b"\xff\xfb"},
    ],
    ids=["no inverse", "no value", "wrong length", "entity 0", "entity beyond the last"],
)
def test_cells_that_cannot_be_are_refused(cells: dict[str, bytes]) -> None:
    after = run(cells)
    assert after.memory_refused
    assert after.first_expired is None


def test_refused_cells_are_replaced_by_the_next_expiry() -> None:
    memory = {FIRST_EXPIRED: b"\x00\x02", FIRST_EXPIRED_INVERSE: b"\x00\x00"}
    run(memory, "sense control")
    assert run(memory).first_expired == "comm"


def test_without_a_memory_nothing_outlives_the_manager() -> None:
    manager = run(None, "sense comm")
    assert manager.first_expired == "control"
    assert run(None).first_expired is None
