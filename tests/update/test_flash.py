"""The flash model: what it does, what it refuses, and what a power cut leaves."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.update.flash import (
    WINDOW_OPERATIONS,
    CutKind,
    Flash,
    FlashGeometry,
    FlashMisuse,
    FlashRegion,
    PowerCut,
    PowerLost,
)

SECTOR = 64
UNIT = 8
SIZE = 4 * SECTOR
ZEROS = bytes(UNIT)


def new_flash(*, erased: int = 0xFF, endurance: int = 100, unstable: bool = False) -> Flash:
    geometry = FlashGeometry(
        size=SIZE,
        sector_size=SECTOR,
        program_size=UNIT,
        erased=erased,
        endurance=endurance,
        erase_ns=10_000,
        program_ns=100,
    )
    return Flash(geometry, unstable=unstable)


def is_between(found: bytes, one: bytes, other: bytes) -> bool:
    """Whether every bit of `found` is that of one of both."""
    return all((f ^ a) & (f ^ b) == 0 for f, a, b in zip(found, one, other, strict=True))


# ---- what it does ----


def test_a_new_flash_reads_erased_and_keeps_what_is_programmed() -> None:
    flash = new_flash()
    assert flash.is_erased(0, SIZE)
    flash.program(UNIT, b"ABCDEFGH")
    assert flash.read(0, 3 * UNIT) == b"\xff" * UNIT + b"ABCDEFGH" + b"\xff" * UNIT
    assert not flash.is_erased(0, SIZE)
    flash.erase(0, SECTOR)
    assert flash.is_erased(0, SIZE)


def test_a_program_call_may_span_sectors_and_counts_once_for_each() -> None:
    flash = new_flash()
    data = bytes(range(3 * SECTOR))
    flash.program(SECTOR - UNIT, data)
    assert flash.read(SECTOR - UNIT, len(data)) == data
    assert flash.operations == 4
    flash.erase(0, SIZE)
    assert flash.operations == 8
    assert [flash.wear(sector) for sector in range(4)] == [1, 1, 1, 1]


def test_a_flash_whose_erased_level_is_zero() -> None:
    flash = new_flash(erased=0x00)
    assert flash.read(0, 4) == bytes(4)
    flash.program(0, b"\xff" * UNIT)
    flash.erase(0, SECTOR)
    assert flash.is_erased(0, SECTOR)


def test_busy_time_adds_up_and_is_taken_once() -> None:
    flash = new_flash()
    flash.erase(0, 2 * SECTOR)
    flash.program(0, bytes(3 * UNIT))
    assert flash.take_busy_ns() == 2 * 10_000 + 3 * 100
    assert flash.take_busy_ns() == 0
    flash.program(SECTOR, ZEROS)
    assert flash.take_busy_ns() == 100


def test_busy_time_is_complete_beyond_the_window_of_a_cut_by_time() -> None:
    flash = new_flash(endurance=1000)
    for _ in range(WINDOW_OPERATIONS + 10):
        flash.erase(0, SECTOR)
    assert flash.take_busy_ns() == (WINDOW_OPERATIONS + 10) * 10_000
    with pytest.raises(UsageError, match=r"power lost after 5 ns: expected take_busy_ns\(\) at le"):
        flash.power_lost(5)


# ---- what it refuses ----


def test_programming_what_is_not_erased_is_refused_at_the_byte() -> None:
    flash = new_flash()
    flash.program(UNIT, b"\xff\xff\xfeAAAAA")
    with pytest.raises(
        FlashMisuse, match=r"program at 0xa: expected an erased byte \(0xff\), got 0xfe"
    ):
        flash.program(UNIT, ZEROS)
    assert flash.read(UNIT, UNIT) == b"\xff\xff\xfeAAAAA"


@pytest.mark.parametrize(("address", "size"), [(1, UNIT), (0, UNIT - 1), (4, 4)])
def test_programming_off_the_unit_is_refused(address: int, size: int) -> None:
    with pytest.raises(FlashMisuse, match=r"program of \d bytes at 0x\d: expected whole units"):
        new_flash().program(address, bytes(size))


@pytest.mark.parametrize(("address", "size"), [(UNIT, SECTOR), (0, SECTOR + 8), (0, 32)])
def test_erasing_off_the_sector_is_refused(address: int, size: int) -> None:
    with pytest.raises(FlashMisuse, match=r"erase of \d+ bytes at 0x\d: expected whole sectors"):
        new_flash().erase(address, size)


def test_an_erase_beyond_the_endurance_is_refused_and_names_the_sector() -> None:
    flash = new_flash(endurance=2)
    flash.erase(SECTOR, SECTOR)
    flash.erase(SECTOR, SECTOR)
    with pytest.raises(
        FlashMisuse, match=r"erase of sector 1 at 0x40: expected at most 2 cycles, got 3"
    ):
        flash.erase(SECTOR, SECTOR)
    flash.erase(0, SECTOR)


@pytest.mark.parametrize("operation", ["read", "program", "erase"])
@pytest.mark.parametrize("address", [-SECTOR, SIZE])
def test_out_of_range_is_refused(operation: str, address: int) -> None:
    flash = new_flash()
    argument = bytes(SECTOR) if operation == "program" else SECTOR
    with pytest.raises(FlashMisuse, match=rf"flash, {operation} of 64 bytes at -?0x.*below 0x100"):
        getattr(flash, operation)(address, argument)
    assert flash.operations == 0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"size": 0}, "FlashGeometry, size: expected a whole number of at least 1"),
        ({"size": 100}, "FlashGeometry, size: expected a multiple of sector_size 64, got 100"),
        ({"program_size": 7}, "FlashGeometry, sector_size: expected a multiple of program_size 7"),
        ({"erased": 1}, "FlashGeometry, erased: expected 0x00 or 0xFF, got 1"),
        ({"erase_ns": -1}, "FlashGeometry, erase_ns: expected a whole number of at least 0"),
        ({"endurance": True}, "FlashGeometry, endurance: expected a whole number .* got True"),
    ],
)
def test_an_impossible_geometry_is_refused(fields: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        FlashGeometry(**{"size": SIZE, "sector_size": SECTOR, **fields})


# ---- regions ----


def test_a_region_has_addresses_of_its_own_and_keeps_to_itself() -> None:
    flash = new_flash()
    region = FlashRegion(flash, SECTOR, 2 * SECTOR, "records")
    region.program(0, b"ABCDEFGH")
    assert flash.read(SECTOR, UNIT) == b"ABCDEFGH" == region.read(0, UNIT)
    assert (region.sectors, region.sector_size, region.program_size) == (2, SECTOR, UNIT)
    with pytest.raises(FlashMisuse, match="region records, erase of 64 bytes at 0x80: expected ad"):
        region.erase(2 * SECTOR, SECTOR)
    with pytest.raises(FlashMisuse, match="region records, read of 8 bytes at -0x8"):
        region.read(-8, 8)


@pytest.mark.parametrize(
    ("start", "size", "text"),
    [(8, SECTOR, "whole sectors of 64 bytes"), (3 * SECTOR, 2 * SECTOR, "addresses below 0x100")],
)
def test_a_region_off_the_sectors_or_the_flash_is_refused(start: int, size: int, text: str) -> None:
    with pytest.raises(UsageError, match=f"flash region log.*expected {text}"):
        FlashRegion(new_flash(), start, size, "log")


# ---- power cuts by number ----


def cut_at(flash: Flash, operation: int, kind: CutKind, seed: int = 0) -> None:
    flash.cut = PowerCut(operation, kind, seed)


@pytest.mark.parametrize("kind", CutKind)
def test_a_cut_comes_at_its_operation_once(kind: CutKind) -> None:
    flash = new_flash()
    flash.erase(0, SECTOR)
    cut_at(flash, 1, kind)
    with pytest.raises(PowerLost, match="power lost at flash operation 1") as lost:
        flash.program(0, ZEROS)
    assert lost.value.operation == 1
    assert flash.cut is None
    flash.program(SECTOR, ZEROS)
    assert flash.operations == 3


def test_before_leaves_all_as_it_was_and_after_leaves_it_done() -> None:
    flash = new_flash()
    cut_at(flash, 0, CutKind.BEFORE)
    with pytest.raises(PowerLost, match="operation 0"):
        flash.program(0, ZEROS)
    assert flash.is_erased(0, SIZE)
    cut_at(flash, 1, CutKind.AFTER)
    with pytest.raises(PowerLost, match="operation 1"):
        flash.program(0, ZEROS)
    assert flash.read(0, UNIT) == ZEROS


@pytest.mark.parametrize("erased", [0xFF, 0x00])
def test_a_torn_program_changes_some_bits_of_one_unit_and_none_behind_it(erased: int) -> None:
    data = bytes((erased ^ 0xFF,)) * (4 * UNIT)
    blank = bytes((erased,)) * (4 * UNIT)
    seen = set()
    for seed in range(60):
        flash = new_flash(erased=erased)
        cut_at(flash, 0, CutKind.TORN, seed)
        with pytest.raises(PowerLost, match="operation 0"):
            flash.program(0, data)
        found = flash.read(0, 4 * UNIT)
        assert is_between(found, data, blank)
        units = [found[i : i + UNIT] for i in range(0, 4 * UNIT, UNIT)]
        whole = 0
        while whole < 4 and units[whole] == data[:UNIT]:
            whole += 1
        assert all(unit == blank[:UNIT] for unit in units[whole + 1 :])
        seen.add(found)
    assert len(seen) > 20
    assert blank in seen


def test_a_torn_erase_may_leave_anything_from_the_old_content_to_as_good_as_erased() -> None:
    old = bytes(range(SECTOR))
    seen = set()
    for seed in range(80):
        flash = new_flash()
        flash.program(0, old)
        cut_at(flash, 1, CutKind.TORN, seed)
        with pytest.raises(PowerLost, match="operation 1"):
            flash.erase(0, 2 * SECTOR)
        seen.add(flash.read(0, SECTOR))
        assert flash.wear(0) == 1
        assert flash.wear(1) == 0
    assert {old, bytes(SECTOR), b"\xff" * SECTOR} < seen
    assert len(seen) > 30


def test_the_same_seed_tears_the_same_bits() -> None:
    contents = []
    for _ in range(2):
        flash = new_flash()
        flash.program(0, bytes(range(SECTOR)))
        cut_at(flash, 1, CutKind.TORN, 5)
        with pytest.raises(PowerLost, match="operation 1"):
            flash.erase(0, SECTOR)
        contents.append(flash.read(0, SECTOR))
        assert flash.read(0, SECTOR) == contents[-1]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("seed", range(4))
def test_doubtful_cells_read_differently_until_they_are_erased(seed: int) -> None:
    flash = new_flash(unstable=True)
    cut_at(flash, 0, CutKind.TORN, seed)
    with pytest.raises(PowerLost, match="operation 0"):
        flash.program(0, ZEROS)
    reads = {flash.read(0, UNIT) for _ in range(30)}
    assert {ZEROS, b"\xff" * UNIT} < reads  # written, or not, whichever bits were reached
    assert len(reads) > 5
    assert flash.read(UNIT, SECTOR - UNIT) == b"\xff" * (SECTOR - UNIT)
    flash.program(0, ZEROS)  # what software may take for erased can be written
    assert {flash.read(0, UNIT) for _ in range(20)} == {ZEROS}
    flash.erase(0, SECTOR)
    assert {flash.read(0, SECTOR) for _ in range(20)} == {b"\xff" * SECTOR}


def test_bits_left_at_the_erased_level_stay_doubtful_when_written_over() -> None:
    flash = new_flash(unstable=True)
    cut_at(flash, 0, CutKind.TORN, 3)
    with pytest.raises(PowerLost, match="operation 0"):
        flash.program(0, ZEROS)
    flash.program(0, b"\xf0" * UNIT)
    reads = {flash.read(0, UNIT) for _ in range(20)}
    assert len(reads) > 5
    assert all(byte & 0x0F == 0 for read in reads for byte in read)


# ---- power cuts by time ----


def test_power_lost_in_the_middle_of_a_program_tears_the_unit_of_that_time() -> None:
    flash = new_flash()
    flash.program(0, bytes(4 * UNIT))
    assert flash.take_busy_ns() == 400
    flash.power_lost(250, seed=1)
    assert flash.read(0, 2 * UNIT) == bytes(2 * UNIT)
    assert flash.is_erased(3 * UNIT, SECTOR - 3 * UNIT)


def test_power_lost_undoes_what_had_not_begun_and_keeps_what_was_done() -> None:
    flash = new_flash()
    flash.program(0, ZEROS)
    flash.take_busy_ns()
    flash.program(UNIT, ZEROS)
    flash.erase(SECTOR, SECTOR)
    flash.program(SECTOR, ZEROS)
    assert flash.take_busy_ns() == 100 + 10_000 + 100
    early = copy.deepcopy(flash)
    flash.power_lost(100)
    assert flash.read(0, 2 * UNIT) == bytes(2 * UNIT)
    assert flash.is_erased(SECTOR, SECTOR)
    assert flash.wear(1) == 0
    early.power_lost(0)
    assert early.read(0, UNIT) == ZEROS
    assert early.is_erased(UNIT, SIZE - UNIT)


def test_several_operations_on_one_sector_are_undone_back_to_front() -> None:
    flash = new_flash()
    flash.program(0, b"original")
    flash.take_busy_ns()
    flash.erase(0, SECTOR)
    flash.program(0, b"second..")
    flash.program(UNIT, b"third...")
    flash.take_busy_ns()
    flash.power_lost(0)
    assert flash.read(0, SECTOR) == b"original" + b"\xff" * (SECTOR - UNIT)
    assert flash.wear(0) == 0


def test_power_lost_during_an_erase_tears_it_and_it_counts() -> None:
    flash = new_flash()
    flash.program(0, bytes(range(SECTOR)))
    flash.take_busy_ns()
    flash.erase(0, SECTOR)
    flash.program(0, ZEROS)
    flash.take_busy_ns()
    flash.power_lost(5_000, seed=4)
    assert flash.wear(0) == 1
    assert flash.read(0, SECTOR) not in (bytes(range(SECTOR)), b"\xff" * SECTOR)


def test_power_lost_when_nothing_is_busy_changes_nothing() -> None:
    flash = new_flash()
    flash.program(0, ZEROS)
    busy_ns = flash.take_busy_ns()
    flash.power_lost(busy_ns)
    assert flash.read(0, UNIT) == ZEROS
    flash.power_lost(0)
    assert flash.read(0, UNIT) == ZEROS


# ---- copies ----


def test_a_copy_goes_its_own_way_and_shares_its_sectors() -> None:
    flash = new_flash()
    flash.program(0, ZEROS)
    for twin in (copy.deepcopy(flash), copy.copy(flash), pickle.loads(pickle.dumps(flash))):
        twin.erase(0, SECTOR)
        assert twin.is_erased(0, SIZE)
        assert flash.read(0, UNIT) == ZEROS
        assert (twin.operations, flash.operations) == (2, 1)
        assert twin.geometry == flash.geometry
    assert copy.deepcopy(flash)._contents[1] is flash._contents[1]
    assert copy.deepcopy(flash.geometry) is flash.geometry is copy.copy(flash.geometry)


def test_power_lost_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(PowerLost(7))).operation == 7


# ---- against a model of plain bytes ----

ADDRESSES = st.integers(0, SIZE // UNIT - 1).map(lambda unit: unit * UNIT)
ORDERS = st.one_of(
    st.tuples(st.just("erase"), st.integers(0, 3)),
    st.tuples(st.just("program"), ADDRESSES, st.integers(1, 12), st.binary(min_size=1, max_size=4)),
)


@settings(max_examples=25)
@given(st.lists(ORDERS, max_size=30), st.integers(0, 29), st.sampled_from(CutKind), st.integers())
def test_any_sequence_does_what_plain_bytes_do(
    orders: list[tuple], cut: int, kind: CutKind, seed: int
) -> None:
    flash = new_flash()
    model = bytearray(b"\xff" * SIZE)
    flash.cut = PowerCut(cut, kind, seed)
    for order in orders:
        before = bytes(model)
        number = flash.operations
        try:
            if order[0] == "erase":
                start = order[1] * SECTOR
                flash.erase(start, SECTOR)
                model[start : start + SECTOR] = b"\xff" * SECTOR
            else:
                _, address, units, pattern = order
                data = (pattern * (units * UNIT))[: units * UNIT]
                flash.program(address, data)
                model[address : address + len(data)] = data
        except FlashMisuse:
            if flash.operations == number:
                assert flash.read(0, SIZE) == before
            return
        except PowerLost:
            if kind is CutKind.BEFORE and flash.operations == number + 1:
                assert flash.read(0, SIZE) == before
            return
        assert flash.read(0, SIZE) == bytes(model)
