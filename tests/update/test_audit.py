"""The audit log: what it keeps through any loss of power, and what it refuses when it is full."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.update.audit import AuditLog, LogRefusal
from simcore.update.audit_record import PAYLOAD_MAX_SIZE, AuditEntry
from simcore.update.audit_verify import AuditFault, verify_log
from simcore.update.flash import CutKind, Flash, FlashGeometry, FlashRegion, PowerCut, PowerLost
from simcore.update.metadata_keys import derive_key

KEY = derive_key(1, "audit", "EMB_FL")
ENTRIES = 20
TORN_SEEDS = 6


def make_region(size: int = 32_768, program_size: int = 8, *, erased: int = 0xFF) -> FlashRegion:
    """A region in the middle of a flash, entries of which cross its sectors."""
    geometry = FlashGeometry(
        size=size + 8192, sector_size=1024, program_size=program_size, erased=erased
    )
    return FlashRegion(Flash(geometry), 4096, size, "audit")


def open_log(region: FlashRegion, checkpoint_every: int = 8) -> AuditLog:
    return AuditLog(region, ecu="EMB_FL", key=KEY, checkpoint_every=checkpoint_every)


def write(log: AuditLog, first: int = 0, count: int = ENTRIES) -> None:
    for number in range(first, first + count):
        log.append("state", f"entry {number} " + "." * (number % 7), number, {"number": number})


def user_entries(log: AuditLog) -> list[int]:
    """The numbers of the entries that a user wrote."""
    return [int(e.fields["number"]) for e in log.entries() if e.kind == "state"]


def must_verify(log: AuditLog) -> None:
    verdict = verify_log(log.export(99), log.public_key)
    assert verdict.accepted, verdict
    assert verdict.entries == log.entries()


def cuts(operations: int) -> Iterator[PowerCut]:
    for operation in range(operations):
        yield PowerCut(operation, CutKind.BEFORE)
        yield PowerCut(operation, CutKind.AFTER)
        for seed in range(TORN_SEEDS):
            yield PowerCut(operation, CutKind.TORN, seed)


# ---- every day ----


def test_a_log_gives_back_what_was_written() -> None:
    log = open_log(make_region())
    entry = log.append("update", "installing", 1_500, {"sector": 3, "from": "IDLE"})
    assert isinstance(entry, AuditEntry)
    assert log.entries() == (entry,)
    assert (entry.sequence, entry.time_ns, entry.kind, entry.text) == (
        0,
        1_500,
        "update",
        "installing",
    )
    assert dict(entry.fields) == {"sector": 3, "from": "IDLE"}


def test_a_log_opened_again_goes_on() -> None:
    region = make_region()
    write(open_log(region), 0, 10)
    write(open_log(region), 10, 10)
    log = open_log(region)
    assert user_entries(log) == list(range(20))
    assert log.pending_damage is None
    must_verify(log)


def test_checkpoints_come_by_themselves_across_openings() -> None:
    region = make_region()
    for number in range(ENTRIES):
        write(open_log(region), number, 1)
    kinds = [entry.kind for entry in open_log(region).entries()]
    places = [index for index, kind in enumerate(kinds) if kind == "checkpoint"]
    assert places == [8, 17]


@pytest.mark.parametrize("erased", [0xFF, 0x00])
@pytest.mark.parametrize("program_size", [1, 8, 32])
def test_program_units_and_erased_values_make_no_difference(program_size: int, erased: int) -> None:
    region = make_region(program_size=program_size, erased=erased)
    write(open_log(region))
    assert user_entries(open_log(region)) == list(range(ENTRIES))


def test_logs_of_two_ecus_are_chained_differently() -> None:
    logs = [AuditLog(make_region(), ecu=ecu, key=KEY) for ecu in ("EMB_FL", "EMB_FR")]
    chains = set()
    for log in logs:
        entry = log.append("state", "same", 0)
        assert isinstance(entry, AuditEntry)
        chains.add(entry.chain)
    assert len(chains) == 2


def test_nothing_is_ever_erased() -> None:
    region = make_region(8192)
    log = open_log(region)
    while not isinstance(log.append("state", "x" * 200, 0), LogRefusal):
        pass
    log.export(0)
    assert region.flash.worst_wear == 0


def test_a_fork_goes_its_own_way() -> None:
    log = open_log(make_region())
    write(log, 0, 5)
    twin, other = deepcopy(log), pickle.loads(pickle.dumps(log))
    write(twin, 5, 3)
    write(other, 5, 1)
    assert user_entries(log) == list(range(5))
    assert user_entries(twin) == list(range(8))
    assert user_entries(other) == list(range(6))
    for each in (log, twin, other):
        must_verify(each)


# ---- loss of power ----


def test_power_cut_at_every_flash_operation_loses_at_most_the_torn_entry() -> None:
    blank = make_region()
    counting = deepcopy(blank)
    write(open_log(counting))
    operations = counting.flash.operations
    assert operations >= ENTRIES + 2
    outcomes = {"nothing": 0, "complete": 0, "damage": 0}
    for cut in cuts(operations):
        region = deepcopy(blank)
        log = open_log(region)
        region.flash.cut = cut
        with pytest.raises(PowerLost):
            write(log)
        before = log.entries()
        again = open_log(region)
        found = again.entries()
        assert found[: len(before)] == before, cut
        more = len(found) - len(before)
        is_torn = again.pending_damage is not None
        assert more in (0, 1) and not (more and is_torn), cut
        outcomes["damage" if is_torn else "complete" if more else "nothing"] += 1
        if cut.kind is CutKind.BEFORE and not is_torn:
            assert not more, cut  # never begun
        again.append("state", "after the cut", 77, {"number": 1000})
        kinds = [entry.kind for entry in again.entries()[len(found) :]]
        assert kinds[: 1 + is_torn] == ["damage"] * is_torn + ["state"], cut
        reopened = open_log(region)
        assert reopened.entries() == again.entries() and reopened.pending_damage is None, cut
        must_verify(reopened)
    assert all(outcomes.values()), outcomes


def test_a_second_cut_while_damage_is_recorded_loses_nothing_more() -> None:
    blank = make_region()
    first_cut = PowerCut(5, CutKind.TORN, 2)
    tried = 0
    for cut in cuts(3):
        region = deepcopy(blank)
        region.flash.cut = first_cut
        with pytest.raises(PowerLost):
            write(open_log(region))
        log = open_log(region)
        assert log.pending_damage is not None
        kept = log.entries()
        at = region.flash.operations + cut.operation
        region.flash.cut = PowerCut(at, cut.kind, cut.seed)
        try:
            write(log, 100, 2)
        except PowerLost:
            tried += 1
        region.flash.cut = None
        again = open_log(region)
        assert again.entries()[: len(kept)] == kept, cut
        again.append("state", "", 0, {"number": 1000})
        must_verify(open_log(region))
        damage = [entry for entry in open_log(region).entries() if entry.kind == "damage"]
        assert damage and damage[0].fields["from"] == log_end(kept, region), cut
    assert tried == 3 * (2 + TORN_SEEDS)


def log_end(entries: tuple[AuditEntry, ...], region: FlashRegion) -> int:
    """Where the flash behind these entries begins."""
    from simcore.update.audit_record import record_size

    return sum(record_size(len(e.payload()), region.program_size) for e in entries)


def test_cuts_in_a_row_fill_the_log_with_damage_but_never_lose_an_entry() -> None:
    region = make_region(8192)
    kept: tuple[AuditEntry, ...] = ()
    for round_number in range(200):
        log = open_log(region)
        assert log.entries()[: len(kept)] == kept
        kept = log.entries()
        region.flash.cut = PowerCut(
            region.flash.operations + round_number % 4, CutKind.TORN, round_number
        )
        try:
            for number in range(3):
                log.append("state", "x" * 30, number)
        except PowerLost:
            continue
        region.flash.cut = None
    log = open_log(region)
    assert log.is_full
    assert isinstance(log.append("state", "", 0), LogRefusal)
    assert {"damage", "state"} <= {entry.kind for entry in log.entries()}


class Forgetful(FlashRegion):
    """A region some of whose writes do not last."""

    __slots__ = ("forgotten", "written")

    def __init__(self, *forgotten: int) -> None:
        super().__init__(Flash(FlashGeometry(size=16_384, sector_size=1024)), 0, 16_384)
        self.forgotten = set(forgotten)
        self.written = -1

    def program(self, address: int, data: bytes) -> None:
        self.written += 1
        spoilt = data[:30] + bytes([data[30] & data[30] - 1]) + data[31:]
        super().program(address, spoilt if self.written in self.forgotten else data)


@pytest.mark.parametrize("forgotten", [(2,), (2, 3), (2, 4), (2, 3, 4), (0, 1, 2, 5)])
def test_what_does_not_last_is_written_again_behind_an_entry_that_says_so(
    forgotten: tuple[int, ...],
) -> None:
    region = Forgetful(*forgotten)
    log = AuditLog(region, ecu="EMB_FL", key=KEY)
    for number in range(4):
        assert isinstance(log.append("state", "", number, {"number": number}), AuditEntry)
    assert user_entries(log) == list(range(4))
    assert "damage" in [entry.kind for entry in log.entries()]
    assert open_log(region).entries() == log.entries()
    must_verify(open_log(region))


def test_a_checkpoint_that_does_not_last_is_signed_anew_where_it_comes_to_stand() -> None:
    region = Forgetful(2)
    log = AuditLog(region, ecu="EMB_FL", key=KEY, checkpoint_every=2)
    write(log, 0, 3)
    kinds = [entry.kind for entry in log.entries()]
    assert kinds == ["state", "state", "damage", "checkpoint", "state"]
    must_verify(open_log(region))


def test_flash_that_keeps_nothing_is_a_refusal() -> None:
    region = Forgetful(*range(2, 100))
    log = AuditLog(region, ecu="EMB_FL", key=KEY)
    write(log, 0, 2)
    refusal = log.append("state", "", 2, {"number": 2})
    assert isinstance(refusal, LogRefusal)
    assert refusal.reason == "audit log of EMB_FL: flash does not keep what is written"
    assert log.pending_damage is not None
    assert user_entries(open_log(region)) == [0, 1]


@pytest.mark.parametrize("unstable", [False, True])
def test_what_reads_differently_than_it_was_written_is_written_again(unstable: bool) -> None:
    """Cells beside a torn write may hold old charge: what is programmed there does not last."""
    geometry = FlashGeometry(size=16_384, sector_size=1024)
    for seed in range(20):
        region = FlashRegion(Flash(geometry, unstable=unstable), 0, 16_384)
        region.flash.cut = PowerCut(3, CutKind.TORN, seed)
        with pytest.raises(PowerLost):
            write(open_log(region))
        log = open_log(region)
        write(log, 100, 3)
        assert user_entries(log)[-3:] == [100, 101, 102]


def unstable_region(program_size: int) -> FlashRegion:
    geometry = FlashGeometry(size=65_536, sector_size=1024, program_size=program_size)
    return FlashRegion(Flash(geometry, unstable=True), 4096, 32_768, "audit")


@pytest.mark.parametrize("program_size", [64, 512])
def test_what_a_start_found_every_later_start_finds_though_torn_cells_read_anyhow(
    program_size: int,
) -> None:
    """Ten starts after a torn entry, each of which goes on from what it read."""
    doubts = set()
    for seed in range(40):
        region = unstable_region(program_size)
        region.flash.cut = PowerCut(4, CutKind.TORN, seed)
        with pytest.raises(PowerLost):
            write(open_log(region), 0, 6)
        for _ in range(seed % 8):  # how torn cells read depends on how often they were read
            region.read(0, region.size)
        first = open_log(region)
        doubts.add((len(first.entries()), first.pending_damage is not None))
        kept: tuple[AuditEntry, ...] = ()
        for number in range(10):
            log = open_log(region)
            found = log.entries()
            assert not kept or found == kept, (seed, number)
            log.settle(number)
            if number % 3 == 2:
                log.append("state", "", number, {"number": 100 + number})
            kept = log.entries()
            assert kept[: len(found)] == found, (seed, number)
        must_verify(open_log(region))
    if program_size == 64:
        assert doubts == {(4, False), (4, True), (5, False)}  # nothing, torn, whole


def test_a_start_that_changes_nothing_fills_the_log_with_two_copies_at_most() -> None:
    region = make_region()
    write(open_log(region), 0, 3)
    ends = []
    for _ in range(6):
        log = open_log(region)
        log.settle(0)
        log.settle(1)
        ends.append(region.flash.operations)
    assert ends == [4, 5, 5, 5, 5, 5]
    assert user_entries(open_log(region)) == [0, 1, 2]


def test_an_empty_log_has_nothing_to_settle() -> None:
    region = make_region()
    open_log(region).settle(0)
    assert region.flash.operations == 0


@pytest.mark.parametrize("filler", range(0, 480, 40))
def test_a_copy_of_the_last_entry_takes_no_room_from_the_last_words(filler: int) -> None:
    region = make_region(8192)
    log = open_log(region)
    log.append("state", "x" * min(filler, 400), 0)
    log.append("state", "x" * max(0, filler - 400), 0)
    while not log.is_full:
        log.append("state", "x" * 400, 0)
    for _ in range(4):
        again = open_log(region)
        again.settle(0)
        assert again.entries() == log.entries()
    assert isinstance(open_log(region).append("state", "x" * 400, 0), LogRefusal)
    closed = open_log(region)
    assert [entry.kind for entry in closed.entries()][-2:] == ["full", "checkpoint"]
    must_verify(closed)


def test_the_unit_behind_the_last_entry_is_left_out_after_a_start() -> None:
    """It may be torn and read as blank just now."""
    region = make_region()
    write(open_log(region), 0, 3)
    end = log_end(open_log(region).entries(), region)
    write(open_log(region), 3, 2)
    assert region.is_erased(end, region.program_size)
    assert not region.is_erased(end + region.program_size, region.program_size)


def test_a_first_entry_torn_before_anybody_can_see_it_spoils_no_later_one() -> None:
    for seed in range(60):
        region = unstable_region(64)
        region.flash.cut = PowerCut(0, CutKind.TORN, seed)
        with pytest.raises(PowerLost):
            open_log(region).append("first", "a" * 90, 1)
        for _ in range(seed % 8):
            region.read(0, region.size)
        log = open_log(region)
        log.append("other", "b" * 90, 2)
        for _ in range(12):
            assert open_log(region).entries() == log.entries(), seed


def test_foreign_bytes_in_a_new_region_are_recorded_as_damage() -> None:
    region = make_region()
    region.program(0, bytes(range(1, 65)))
    log = open_log(region)
    assert log.pending_damage == (0, 64)
    log.append("state", "first", 0)
    assert [(e.kind, dict(e.fields)) for e in log.entries()] == [
        ("damage", {"from": 0, "to": 64}),
        ("state", {}),
    ]
    must_verify(open_log(region))


@pytest.mark.parametrize("victim", [0, 3, 9])
def test_an_entry_altered_in_flash_hides_none_behind_it(victim: int) -> None:
    region = make_region()
    log = open_log(region)
    write(log)
    place = log_end(log.entries()[:victim], region)
    flip(region, place + 20)
    again = open_log(region)
    assert again.entries() == log.entries()[:victim] + log.entries()[victim + 1 :]
    verdict = verify_log(again.export(0), again.public_key)
    assert verdict.fault is AuditFault.DAMAGED
    assert f"before entry {victim}" in verdict.text
    write(again, 100, 2)
    assert user_entries(open_log(region))[-2:] == [100, 101]


def flip(region: FlashRegion, address: int) -> None:
    """Clear a set bit, as somebody with access to the flash can."""
    contents = region.flash._contents  # what no software on the ECU could do
    sector, offset = divmod(region.start + address, region.sector_size)
    content = bytearray(contents[sector])
    content[offset] &= content[offset] - 1
    contents[sector] = bytes(content)


def test_a_stretch_altered_without_loss_of_numbers_is_named_as_damage() -> None:
    region = make_region()
    log = open_log(region)
    write(log, 0, 6)
    flip(region, log_end(log.entries()[:5], region) + 20)  # the last one: nothing follows it
    again = open_log(region)
    assert again.pending_damage is not None
    assert again.entries() == log.entries()[:5]


# ---- a full log ----


def test_a_full_log_refuses_says_so_and_overwrites_nothing() -> None:
    region = make_region(8192)
    log = open_log(region)
    written = 0
    while isinstance(result := log.append("state", "x" * 50, written), AuditEntry):
        written += 1
    assert result.reason.startswith("audit log of EMB_FL is full: ")
    assert [e.kind for e in log.entries()[-2:]] == ["full", "checkpoint"]
    assert log.is_full
    entries, operations = log.entries(), region.flash.operations
    for each in (log, open_log(region)):
        assert isinstance(each.append("state", "", 0), LogRefusal)
        assert isinstance(each.checkpoint(0), LogRefusal)
        assert each.entries() == entries
        assert each.is_full
        must_verify(each)
    assert region.flash.operations == operations
    assert sum(entry.kind == "state" for entry in entries) == written


def test_room_is_a_promise_for_the_longest_entries() -> None:
    log = open_log(make_region(8192), checkpoint_every=1000)
    text = "x"
    while len(AuditEntry(999, 10**18, "state", text).payload()) < PAYLOAD_MAX_SIZE:
        text += "x"
    while (room := log.room()) > 0:
        assert not log.is_full
        for _ in range(room):
            assert isinstance(log.append("state", text[:-3], 10**18), AuditEntry)
    assert log.is_full


def test_power_cut_while_a_log_gets_full_leaves_it_verifiable() -> None:
    blank = make_region(8192)
    log = open_log(blank)
    while log.room() > 0:
        log.append("state", "x" * 300, 0)
    for cut in cuts(6):
        region = deepcopy(blank)
        region.flash.cut = PowerCut(region.flash.operations + cut.operation, cut.kind, cut.seed)
        with_cut = open_log(region)
        kept = with_cut.entries()
        try:
            for _ in range(30):
                with_cut.append("state", "y" * 200, 1)
        except PowerLost:
            pass
        region.flash.cut = None
        again = open_log(region)
        assert again.entries()[: len(kept)] == kept
        for _ in range(30):
            again.append("state", "y" * 200, 1)
        assert again.is_full
        must_verify(open_log(region))


# ---- misuse ----


@pytest.mark.parametrize("kind", ["checkpoint", "damage", "full"])
def test_the_kinds_of_the_log_itself_are_refused(kind: str) -> None:
    with pytest.raises(UsageError, match=f"audit entry: expected none of .*, got {kind}"):
        open_log(make_region()).append(kind, "", 0)


def test_an_entry_that_is_too_long_is_refused_and_writes_nothing() -> None:
    region = make_region()
    log = open_log(region)
    with pytest.raises(UsageError, match="audit entry state: expected at most 480 bytes, got 5"):
        log.append("state", "x" * 490, 0)
    assert region.flash.operations == 0


@pytest.mark.parametrize("fields", [{"x": 1.5}, {"x": True}, {"x": None}, {"x": b""}])
def test_fields_are_texts_and_whole_numbers(fields: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="audit entry state: expected texts and whole numbers"):
        open_log(make_region()).append("state", "", 0, fields)


def test_a_region_must_hold_a_few_entries() -> None:
    with pytest.raises(
        UsageError, match="audit log of EMB_FL: expected at least 2080 bytes, got 1"
    ):
        open_log(make_region(1024))


def test_checkpoints_need_a_distance() -> None:
    with pytest.raises(UsageError, match="checkpoint_every: expected at least 1, got 0"):
        open_log(make_region(), checkpoint_every=0)


# ---- anything at all ----


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=40),
            st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=12), max_size=3),
            st.none() | st.tuples(st.integers(0, 2), st.sampled_from(CutKind), st.integers(0, 99)),
        ),
        max_size=15,
    )
)
def test_any_entries_and_any_cuts_leave_a_log_that_verifies(
    steps: list[tuple[str, dict[str, int | str], tuple[int, CutKind, int] | None]],
) -> None:
    region = make_region(16_384)
    log = open_log(region, 3)
    for text, fields, cut in steps:
        kept = log.entries()
        if cut is not None:
            region.flash.cut = PowerCut(region.flash.operations + cut[0], cut[1], cut[2])
        try:
            log.append("state", text, 5, fields)
        except PowerLost:
            log = open_log(region, 3)
        region.flash.cut = None
        assert log.entries()[: len(kept)] == kept
    must_verify(log)
    assert open_log(region, 3).entries() == log.entries()
