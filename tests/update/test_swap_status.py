"""The status area: the last valid record counts, whatever a cut left behind it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simcore.errors import UsageError
from simcore.update.flash import CutKind, Flash, PowerCut, PowerLost
from simcore.update.layout import Extent, FlashLayout
from simcore.update.security_counter import SecurityCounter
from simcore.update.swap_status import StatusLog, SwapStatus
from simcore.update.trailer import SwapType

LAYOUT = FlashLayout.plan(1024, sector_size=256, audit_size=256, metadata_size=256)
START = SwapStatus(swap_type=SwapType.TEST, sectors=3)
PER_BANK = 256 // 16


def a_flash(*, unstable: bool = False, program_size: int = 8) -> tuple[Flash, FlashLayout]:
    layout = FlashLayout.plan(
        1024, sector_size=256, program_size=program_size, audit_size=256, metadata_size=256
    )
    return Flash(layout.geometry(), unstable=unstable), layout


def test_every_field_survives() -> None:
    flash, layout = a_flash()
    log = StatusLog(flash, layout)
    assert log.read() is None
    full = SwapStatus(
        swap_type=SwapType.REVERT,
        sectors=0x7FFF,
        steps=0xFFFE,
        complete=True,
        tries=15,
        is_open=True,
        reverting=True,
        confirmed=True,
    )
    for status in (START, full, START.after(is_open=True), START.after(confirmed=True, tries=1)):
        log.write(status)
        assert log.read() == status
        assert StatusLog(flash, layout).read() == status


@pytest.mark.parametrize("program_size", [1, 8, 32])
def test_the_banks_take_turns_and_the_full_one_is_erased(program_size: int) -> None:
    flash, layout = a_flash(program_size=program_size)
    log = StatusLog(flash, layout)
    for number in range(100):
        log.write(START.after(steps=number))
        assert log.read() == START.after(steps=number)
    first, second = (flash.wear(sector) for sector in range(2))
    per_bank = 256 // max(16, program_size)
    assert abs(first - second) <= 2
    assert 100 // per_bank <= first + second <= 2 * 100 // (per_bank - 1) + 2


@pytest.mark.parametrize("unstable", [False, True])
def test_a_cut_at_any_operation_leaves_the_record_before_or_the_one_written(unstable: bool) -> None:
    for kind in CutKind:
        for cut in range(2 * PER_BANK + 10):
            for seed in range(3 if kind is CutKind.TORN else 1):
                flash, layout = a_flash(unstable=unstable)
                flash.cut = PowerCut(cut, kind, seed)
                written = 0
                try:
                    for number in range(1, 2 * PER_BANK + 3):
                        StatusLog(flash, layout).write(START.after(steps=number))
                        written = number
                except PowerLost:
                    pass
                flash.cut = None
                log = StatusLog(flash, layout)
                log.settle()
                found = log.read()
                steps = 0 if found is None else found.steps
                assert steps in (written, written + 1)
                # What this boot believes the next ones believe too.
                for _ in range(8):
                    assert StatusLog(flash, layout).read() == found


def test_settling_repeats_an_unsettled_record_and_leaves_a_settled_one_alone() -> None:
    flash, layout = a_flash()
    log = StatusLog(flash, layout)
    assert log.settle() is False
    log.write(START)
    assert log.settle() is True
    assert log.settle() is True  # a swap under way is made sure of in every boot
    assert log.read() == START
    done = START.after(complete=True)
    log.write(done)
    assert log.settle() is True
    assert log.settle() is False
    assert log.read() == done


def test_settling_erases_what_should_be_blank() -> None:
    flash, layout = a_flash()
    flash.program(layout.status.start + 256, bytes(8))
    log = StatusLog(flash, layout)
    assert log.settle() is True
    assert flash.is_erased(layout.status.start, 512)
    assert log.settle() is False


# ---- the security counter ----


def test_the_counter_goes_up_and_never_down() -> None:
    flash, layout = a_flash()
    counter = SecurityCounter(flash, layout)
    assert counter.value == 0
    counter.raise_to(5)
    operations = flash.operations
    for value in (5, 3, 0):
        counter.raise_to(value)
        assert not counter.lags(value)
    assert (counter.value, flash.operations) == (5, operations)
    assert counter.lags(6)
    assert SecurityCounter(flash, layout).value == 5


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_counter_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(UsageError, match=r"security counter: expected 0\.\.4294967295"):
        SecurityCounter(*a_flash()).raise_to(value)


@pytest.mark.parametrize("unstable", [False, True])
def test_a_cut_at_any_operation_of_the_counter_never_lowers_it(unstable: bool) -> None:
    for kind in CutKind:
        for cut in range(4 * PER_BANK + 2):
            flash, layout = a_flash(unstable=unstable)
            flash.cut = PowerCut(cut, kind, cut)
            safe = reached = 0
            try:
                for reached in range(1, 2 * PER_BANK + 2):
                    SecurityCounter(flash, layout).raise_to(reached)
                    safe = reached
            except PowerLost:
                pass
            counter = SecurityCounter(flash, layout)
            assert counter.value in (safe, reached)
            counter.raise_to(reached)
            assert {counter.value for _ in range(8)} == {reached}
            assert unstable or not counter.lags(reached)


def test_a_full_copy_is_erased_only_while_the_other_holds_the_value() -> None:
    flash, layout = a_flash()
    counter = SecurityCounter(flash, layout)
    for value in range(1, PER_BANK):
        counter.raise_to(value)
    for value in (PER_BANK, PER_BANK + 1):  # fills one copy and leaves the other behind
        flash.cut = PowerCut(flash.operations, CutKind.AFTER)
        with pytest.raises(PowerLost, match="power lost"):
            counter.raise_to(value)
        assert counter.value >= PER_BANK


def test_a_record_of_the_counter_with_a_wrong_checksum_does_not_count() -> None:
    flash, layout = a_flash()
    record = bytes.fromhex("07000000 f8ffffff 00000000 ffffffff")
    flash.program(layout.counter.start, record)
    assert SecurityCounter(flash, layout).value == 0


def test_the_counter_survives_the_loss_of_either_copy() -> None:
    for copy in range(2):
        flash, layout = a_flash()
        counter = SecurityCounter(flash, layout)
        counter.raise_to(9)
        flash.erase(layout.counter.start + 256 * copy, 256)
        assert counter.value == 9
        assert counter.lags(9)
        counter.raise_to(9)
        assert not counter.lags(9)


# ---- the layout ----


def test_the_layout_has_every_region_in_whole_sectors_behind_one_another() -> None:
    extents = LAYOUT.extents
    assert [each.name for each in extents] == [
        "status", "counter", "primary", "secondary", "download", "records", "audit", "metadata",
    ]  # fmt: skip
    for one, other in pairwise(extents):
        assert one.end == other.start
    assert LAYOUT.size == extents[-1].end
    assert LAYOUT.image_size == 1024 == LAYOUT.candidate.size == LAYOUT.backup.size
    assert LAYOUT.candidate.start == LAYOUT.backup.start + 256 == LAYOUT.secondary.start + 256
    assert LAYOUT.primary_trailer.end == LAYOUT.primary.end
    assert LAYOUT.candidate.end == LAYOUT.secondary_trailer.start


def test_a_layout_that_cannot_work_is_refused() -> None:
    with pytest.raises(UsageError, match=r"FlashLayout.plan: expected an image of at least 1 byte"):
        FlashLayout.plan(0)
    with pytest.raises(UsageError, match=r"FlashLayout.plan: expected at most 32767 sectors"):
        FlashLayout.plan(1 << 24, sector_size=256)
    fields = {each.name: each for each in LAYOUT.extents}
    sizes = {"sector_size": 256, "program_size": 8}
    short = Extent("secondary", LAYOUT.secondary.start, LAYOUT.primary.size)
    with pytest.raises(UsageError, match="secondary: expected one sector more than the primary"):
        FlashLayout(**{**fields, "secondary": short}, **sizes)
    with pytest.raises(UsageError, match="FlashLayout, counter: expected a start from 0x200 on"):
        FlashLayout(**{**fields, "counter": Extent("counter", 0, 512)}, **sizes)
    odd = Extent("status", 0, 100)
    with pytest.raises(UsageError, match="FlashLayout, status: expected whole sectors of 256"):
        FlashLayout(**{**fields, "status": odd}, **sizes)
