"""The DTC memory: the rows of the standard one by one."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import pytest

from simcore.diag.dtc import (
    ALL_GROUPS,
    CHASSIS_GROUP,
    NETWORK_GROUP,
    Dtc,
    DtcSettings,
    OffEffect,
    SnapshotDid,
    SnapshotRecord,
    SnapshotTrigger,
    code_of,
    code_text,
)
from simcore.diag.dtc_debounce import CounterDebounce, TimeDebounce
from simcore.diag.dtc_memory import DtcMemory
from simcore.diag.dtc_status import EventStatus
from simcore.errors import UsageError
from simcore.units import ms, s

PASSED, FAILED, PREPASSED, PREFAILED = EventStatus
COUNT = SnapshotDid(0x4001, "count", 2)
ONE, TWO, LAMP, PAIR, TIMED, COUNTED = 0x410011, 0x410012, 0x410013, 0xC10014, 0x410015, 0x410016


class Ticker:
    """Reads as 1, 2, 3 ... so that each snapshot is told from the others."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, now_ns: int) -> bytes:
        self.reads += 1
        return self.reads.to_bytes(2, "big")


def table(**changes: Any) -> DtcSettings:
    return DtcSettings(
        (
            Dtc(ONE, "one", snapshot=(COUNT,), aging_cycles=2),
            Dtc(TWO, "two", confirmation_threshold=2, aging_cycles=2, priority=3),
            Dtc(LAMP, "lamp", indicator="brake", healing_cycles=2, aging_cycles=3),
            Dtc(PAIR, "pair", events=("pair a", "pair b"), aging_cycles=1),
            Dtc(TIMED, "timed", debounce=TimeDebounce(failed_ns=ms(100), passed_ns=ms(50))),
            Dtc(COUNTED, "counted", debounce=CounterDebounce(increment=64, decrement=64)),
        ),
        **changes,
    )


class Stand:
    """A memory with a clock."""

    def __init__(self, settings: DtcSettings | None = None) -> None:
        self.settings = settings or table()
        self.storage: dict[str, bytes] = {}
        self.ticker = Ticker()
        self.now_ns = 0
        self.told: list[tuple[str, int, int]] = []
        self.memory = self.built()
        self.memory.start(0)
        self.memory.begin_cycle(0)

    def built(self) -> DtcMemory:
        return DtcMemory(
            self.settings, self.storage, {COUNT.did: self.ticker.read}, listener=self._told
        )

    def _told(self, dtc: Dtc, before: int, after: int, now_ns: int) -> None:
        self.told.append((dtc.name, before, after))

    def report(self, name: str, status: EventStatus, after_ns: int = ms(1)) -> None:
        self.now_ns += after_ns
        self.memory.report(name, status, self.now_ns)

    def status(self, code: int) -> int:
        return self.memory.status(code)

    def cycle(self, *reports: tuple[str, EventStatus]) -> None:
        """End this cycle, begin the next one and report in it."""
        self.memory.end_cycle(self.now_ns)
        self.memory.begin_cycle(self.now_ns)
        for name, status in reports:
            self.report(name, status)

    def reset(self) -> None:
        """Power lost and back: only what was stored is there."""
        self.memory = self.built()
        self.memory.start(self.now_ns)
        self.memory.begin_cycle(self.now_ns)


@pytest.fixture
def stand() -> Stand:
    return Stand()


# -- status ----------------------------------------------------------------------------------------


def test_a_fresh_memory_has_every_code_untested(stand: Stand) -> None:
    assert {stand.status(dtc.code) for dtc in stand.settings.dtcs} == {0x50}
    assert all(stand.memory.is_clear(dtc.code) for dtc in stand.settings.dtcs)


def test_a_failure_sets_bits_0_1_2_3_5_and_a_pass_clears_only_bit_0(stand: Stand) -> None:
    stand.report("one", FAILED)
    assert stand.status(ONE) == 0x2F
    stand.report("one", PASSED)
    assert stand.status(ONE) == 0x2E
    assert not stand.memory.is_clear(ONE)


def test_a_pass_alone_leaves_nothing_set(stand: Stand) -> None:
    stand.report("one", PASSED)
    assert stand.status(ONE) == 0x00
    assert stand.memory.is_clear(ONE)


def test_a_new_cycle_clears_bits_0_and_1_sets_bit_6_and_keeps_the_rest(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.cycle()
    assert stand.status(ONE) == 0x6C


def test_a_cycle_that_begins_ends_the_one_before(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.memory.begin_cycle(stand.now_ns)
    stand.report("one", PASSED)
    stand.memory.begin_cycle(stand.now_ns)
    assert stand.status(ONE) == 0x68
    entry = stand.memory.entry(ONE)
    assert entry is not None and entry.aging_counter == 1


def test_test_failed_lasts_over_the_cycle_where_it_is_stored() -> None:
    stand = Stand(table(keeps_test_failed=True))
    stand.report("one", FAILED)
    stand.cycle()
    assert stand.status(ONE) == 0x6D
    entry = stand.memory.entry(ONE)
    stand.report("one", FAILED)
    assert stand.memory.entry(ONE) is entry and entry is not None
    assert (entry.occurrence_counter, entry.failed_cycles) == (1, 2)


def test_pending_goes_at_the_end_of_a_cycle_that_passed(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.cycle(("one", PASSED))
    assert stand.status(ONE) == 0x2C
    stand.cycle()
    assert stand.status(ONE) == 0x68


def test_pending_stays_over_a_cycle_without_a_test(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.cycle()
    stand.cycle()
    assert stand.status(ONE) == 0x6C


def test_pending_stays_over_a_cycle_that_failed_and_passed(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.report("one", PASSED)
    stand.cycle()
    assert stand.status(ONE) == 0x6C


def test_a_code_is_confirmed_in_the_cycle_that_reaches_its_threshold(stand: Stand) -> None:
    stand.report("two", FAILED)
    stand.report("two", PASSED)
    stand.report("two", FAILED)
    assert stand.status(TWO) == 0x27  # twice in one cycle is one cycle
    stand.cycle(("two", FAILED))
    assert stand.status(TWO) == 0x2F


def test_a_cycle_that_passed_starts_the_count_to_the_threshold_anew(stand: Stand) -> None:
    stand.report("two", FAILED)
    stand.cycle(("two", PASSED))
    assert stand.memory.entry(TWO) is not None
    stand.cycle(("two", FAILED))
    assert stand.status(TWO) == 0x27
    stand.cycle(("two", PASSED))
    stand.cycle()
    assert stand.memory.entry(TWO) is None  # seldom enough to be forgotten


def test_a_cycle_without_a_test_keeps_the_count_to_the_threshold(stand: Stand) -> None:
    stand.report("two", FAILED)
    stand.cycle()
    stand.cycle(("two", FAILED))
    assert stand.status(TWO) == 0x2F


# -- aging and healing -----------------------------------------------------------------------------


def test_a_code_ages_by_cycles_that_passed_and_by_no_others(stand: Stand) -> None:
    stand.report("one", FAILED)
    entry = stand.memory.entry(ONE)
    assert entry is not None
    for reports, aging in (
        ([("one", PASSED)], 0),  # the one that failed has ended
        ([], 1),
        ([("one", PASSED)], 1),  # the one without a test has ended
    ):
        stand.cycle(*reports)
        assert entry.aging_counter == aging
    stand.cycle()
    assert stand.memory.entry(ONE) is None
    assert stand.status(ONE) == 0x60  # b5 stays
    assert stand.told[-1][0] == "one"


def test_a_failure_begins_aging_anew(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.cycle(("one", PASSED))
    stand.cycle(("one", FAILED))
    entry = stand.memory.entry(ONE)
    assert entry is not None and entry.aging_counter == 0


def test_aging_forgets_the_failure_since_the_clear_where_it_shall() -> None:
    stand = Stand(table(forgets_failure_since_clear=True))
    stand.report("one", FAILED)
    for _ in range(3):
        stand.cycle(("one", PASSED))
    assert stand.status(ONE) == 0x00


def test_the_lamp_follows_the_confirmation_and_goes_out_after_healing_cycles(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.report("lamp", FAILED)
    assert (stand.status(ONE), stand.status(LAMP)) == (0x2F, 0xAF)
    stand.cycle(("lamp", PASSED))
    stand.cycle(("lamp", PASSED))
    assert stand.status(LAMP) & 0x88 == 0x88
    stand.cycle(("lamp", PASSED))
    assert stand.status(LAMP) & 0x88 == 0x08  # healed, not aged yet
    stand.report("lamp", FAILED)
    assert stand.status(LAMP) & 0x80


def test_a_failure_begins_healing_anew(stand: Stand) -> None:
    stand.report("lamp", FAILED)
    stand.cycle(("lamp", PASSED))
    stand.cycle(("lamp", FAILED))
    stand.cycle(("lamp", PASSED))
    stand.cycle(("lamp", PASSED))
    assert stand.status(LAMP) & 0x80


# -- combined events -------------------------------------------------------------------------------


def test_a_combined_code_is_failed_while_any_of_its_events_is(stand: Stand) -> None:
    stand.report("pair a", FAILED)
    assert stand.status(PAIR) == 0x2F  # not 0x7F: b4 and b6 of the other do not show
    stand.report("pair b", FAILED)
    stand.report("pair a", PASSED)
    assert stand.status(PAIR) & 0x01
    stand.report("pair b", PASSED)
    assert stand.status(PAIR) == 0x2E
    entry = stand.memory.entry(PAIR)
    assert entry is not None and entry.occurrence_counter == 1  # it never passed in between


def test_a_combined_code_is_tested_once_all_events_are(stand: Stand) -> None:
    stand.report("pair a", PASSED)
    assert stand.status(PAIR) == 0x50
    stand.report("pair b", PASSED)
    assert stand.status(PAIR) == 0x00


def test_a_combined_code_ages_once_all_events_passed(stand: Stand) -> None:
    stand.report("pair a", FAILED)
    stand.cycle(("pair a", PASSED))
    stand.cycle(("pair a", PASSED), ("pair b", PASSED))
    assert stand.status(PAIR) & 0x08
    stand.cycle()
    assert not stand.status(PAIR) & 0x08 and stand.memory.entry(PAIR) is None


# -- debouncing ------------------------------------------------------------------------------------


def test_counter_debouncing_keeps_the_status_between_the_thresholds(stand: Stand) -> None:
    stand.report("counted", PREFAILED)
    assert stand.status(COUNTED) == 0x50
    assert stand.memory.fault_detection_counter(COUNTED, 0) == 64
    stand.report("counted", PREFAILED)
    assert stand.status(COUNTED) == 0x2F
    stand.report("counted", PREPASSED)
    stand.report("counted", PREPASSED)
    assert stand.status(COUNTED) == 0x2F
    stand.report("counted", PREPASSED)
    stand.report("counted", PREPASSED)
    assert stand.status(COUNTED) == 0x2E


def test_a_new_cycle_begins_debouncing_anew(stand: Stand) -> None:
    stand.report("counted", PREFAILED)
    stand.report("timed", PREFAILED)
    stand.cycle(("counted", PREFAILED))
    assert stand.status(COUNTED) == 0x50
    assert stand.memory.next_deadline_ns() is None


def test_time_debouncing_qualifies_by_itself_when_it_is_due(stand: Stand) -> None:
    stand.report("timed", PREFAILED)
    assert stand.memory.next_deadline_ns() == ms(101)
    stand.memory.on_timer(ms(101) - 1)
    assert stand.status(TIMED) == 0x50
    stand.memory.on_timer(ms(101))
    assert stand.status(TIMED) == 0x2F
    assert stand.memory.next_deadline_ns() is None


def test_a_time_that_ends_with_the_cycle_counts_in_it(stand: Stand) -> None:
    stand.report("timed", PREFAILED)
    stand.memory.end_cycle(ms(200))
    assert stand.status(TIMED) & 0x02


# -- snapshots and counters ------------------------------------------------------------------------


def test_the_first_snapshot_stays_and_the_latest_follows(stand: Stand) -> None:
    stand.report("one", FAILED)
    stand.report("one", PASSED)
    stand.report("one", FAILED)
    entry = stand.memory.entry(ONE)
    assert entry is not None
    assert entry.snapshots == {1: b"\0\x01", 2: b"\0\x02"}
    assert (entry.occurrence_counter, entry.failed_cycles) == (2, 1)
    assert (entry.first_ms, entry.latest_ms) == (1, 3)


def test_a_snapshot_of_the_confirmation_is_taken_once() -> None:
    record = SnapshotRecord(0x10, SnapshotTrigger.CONFIRMED)
    settings = DtcSettings(
        (Dtc(ONE, "one", snapshot=(COUNT,), confirmation_threshold=2),), snapshot_records=(record,)
    )
    stand = Stand(settings)
    stand.report("one", FAILED)
    entry = stand.memory.entry(ONE)
    assert entry is not None and entry.snapshots == {}
    stand.cycle(("one", FAILED))
    stand.cycle(("one", FAILED))
    assert entry.snapshots == {0x10: b"\0\x01"}


def test_what_repeats_itself_counts_once(stand: Stand) -> None:
    for _ in range(5):
        stand.report("one", FAILED)
    entry = stand.memory.entry(ONE)
    assert entry is not None and entry.occurrence_counter == 1 and stand.ticker.reads == 1


def test_counters_stay_at_255(stand: Stand) -> None:
    for _ in range(300):
        stand.report("one", FAILED)
        stand.report("one", PASSED)
    entry = stand.memory.entry(ONE)
    assert entry is not None and entry.occurrence_counter == 255
    for _ in range(300):
        stand.cycle(("two", FAILED))
    entry = stand.memory.entry(TWO)
    assert entry is not None and entry.failed_cycles == 255


def test_a_snapshot_of_another_size_than_declared_is_refused(stand: Stand) -> None:
    memory = DtcMemory(stand.settings, {}, {COUNT.did: lambda now_ns: b"\0"})
    memory.start(0)
    memory.begin_cycle(0)
    text = r"DTC one: snapshot DID 0x4001 count: expected 2 bytes, got 1"
    with pytest.raises(UsageError, match=text):
        memory.report("one", FAILED, 0)


def test_a_snapshot_without_a_reader_is_refused(stand: Stand) -> None:
    with pytest.raises(UsageError, match=r"DTC one: snapshot: expected a reader of DID 0x4001"):
        DtcMemory(stand.settings, {})


# -- displacement ----------------------------------------------------------------------------------


def full() -> Stand:
    """Room for two; "one" (priority 2) and "two" (priority 3) are in it."""
    stand = Stand(table(size=2))
    stand.report("one", FAILED)
    stand.report("two", FAILED)
    return stand


def test_the_lowest_priority_is_displaced_and_loses_pending_and_confirmed() -> None:
    stand = full()
    stand.report("lamp", FAILED)
    assert stand.status(TWO) == 0x23 and stand.memory.entry(TWO) is None
    assert [entry.dtc.code for entry in stand.memory.entries()] == [ONE, LAMP]
    assert stand.memory.has_overflowed


def test_among_equal_priorities_what_has_passed_goes_first_then_the_oldest() -> None:
    stand = Stand(table(size=2))
    stand.report("one", FAILED)
    stand.report("lamp", FAILED)
    stand.report("lamp", PASSED)
    stand.report("counted", FAILED)
    assert stand.memory.entry(LAMP) is None
    stand.report("pair a", FAILED)
    assert stand.memory.entry(ONE) is None  # both fail, this one longer


def test_a_displaced_code_that_still_fails_gets_its_place_back_with_its_next_failure() -> None:
    stand = Stand(table(size=1))
    stand.report("one", FAILED)
    stand.report("lamp", FAILED)
    for status in (FAILED, PREFAILED, FAILED):
        stand.report("one", status)
    assert stand.status(ONE) == 0x23 and stand.memory.entry(ONE) is None
    stand.report("one", PASSED)
    stand.report("one", FAILED)
    assert stand.status(ONE) == 0x2F and stand.memory.entry(LAMP) is None


def test_a_code_of_lower_priority_than_all_is_not_stored() -> None:
    stand = Stand(table(size=1))
    stand.report("one", FAILED)
    stand.cycle(("two", FAILED))
    stand.cycle(("two", FAILED))
    assert stand.status(TWO) == 0x23 and stand.memory.entry(TWO) is None
    assert stand.memory.has_overflowed


def test_displacement_forgets_the_failure_since_the_clear_where_it_shall() -> None:
    stand = Stand(table(size=1, forgets_failure_since_clear=True))
    stand.report("one", FAILED)
    stand.report("one", PASSED)
    stand.report("lamp", FAILED)
    assert stand.status(ONE) == 0x02


def test_the_memory_never_holds_more_than_its_size() -> None:
    stand = Stand(table(size=3))
    for _ in range(3):
        for name in ("one", "two", "lamp", "pair a", "pair b", "timed", "counted"):
            stand.report(name, FAILED)
            assert len(stand.memory.entries()) <= 3
            stand.report(name, PASSED)
        stand.cycle()


# -- a tester's orders -----------------------------------------------------------------------------


def test_clearing_makes_everything_as_new(stand: Stand) -> None:
    for name in ("one", "two", "lamp", "pair a"):
        stand.report(name, FAILED)
    assert stand.memory.clear(ALL_GROUPS, stand.now_ns)
    assert {stand.status(dtc.code) for dtc in stand.settings.dtcs} == {0x50}
    assert stand.memory.entries() == ()
    stand.cycle(("two", FAILED))
    assert stand.status(TWO) == 0x27  # its first cycle


def test_groups_and_single_codes_are_cleared_alone(stand: Stand) -> None:
    for name in ("one", "two", "pair a"):
        stand.report(name, FAILED)
    stand.memory.clear(NETWORK_GROUP, stand.now_ns)
    assert stand.status(PAIR) == 0x50 and stand.status(ONE) == 0x2F
    stand.memory.clear(TWO, stand.now_ns)
    assert stand.status(TWO) == 0x50 and stand.status(ONE) == 0x2F
    stand.memory.clear(CHASSIS_GROUP, stand.now_ns)
    assert stand.status(ONE) == 0x50


@pytest.mark.parametrize("group", [0x000000, 0x800000, 0x410010, 0xFFFF33])
def test_a_group_without_codes_here_is_not_known(stand: Stand, group: int) -> None:
    stand.report("one", FAILED)
    assert not stand.memory.clear(group, stand.now_ns)
    assert stand.status(ONE) == 0x2F


def test_setting_off_freezes_status_and_counter(stand: Stand) -> None:
    stand.report("counted", PREFAILED)
    stand.report("timed", PREFAILED)
    stand.memory.set_enabled(False, stand.now_ns + ms(40))
    for name in ("one", "counted", "pair a"):
        stand.report(name, FAILED)
    stand.report("counted", PREFAILED)
    stand.memory.on_timer(s(10))
    assert {stand.status(dtc.code) for dtc in stand.settings.dtcs} == {0x50}
    assert stand.memory.next_deadline_ns() is None
    stand.memory.set_enabled(True)
    stand.memory.on_timer(s(10))
    assert stand.memory.next_deadline_ns() == s(10) + ms(60)
    stand.report("counted", PREFAILED)
    assert stand.status(COUNTED) == 0x2F


def test_setting_off_resets_debouncing_where_it_shall() -> None:
    stand = Stand(table(when_off=OffEffect.RESET))
    stand.report("counted", PREFAILED)
    stand.report("timed", PREFAILED)
    stand.memory.set_enabled(False)
    stand.memory.set_enabled(True)
    assert stand.memory.next_deadline_ns() is None
    stand.report("counted", PREFAILED)
    assert stand.status(COUNTED) == 0x50


def test_a_time_that_was_over_before_the_setting_went_off_counts(stand: Stand) -> None:
    stand.report("timed", PREFAILED)
    stand.memory.set_enabled(False, s(1))
    assert stand.status(TIMED) == 0x2F


def test_monitors_are_asked_anew_after_clear_cycle_and_setting_on(stand: Stand) -> None:
    seen = [stand.memory.generation]
    stand.memory.clear(ALL_GROUPS, 0)
    seen.append(stand.memory.generation)
    stand.memory.set_enabled(False)
    stand.memory.set_enabled(True)
    seen.append(stand.memory.generation)
    stand.cycle()
    seen.append(stand.memory.generation)
    assert seen == sorted(set(seen))


def test_a_start_switches_the_setting_on(stand: Stand) -> None:
    stand.memory.set_enabled(False)
    stand.memory.start(0)
    assert stand.memory.enabled


def test_without_an_operation_cycle_nothing_is_taken(stand: Stand) -> None:
    stand.memory.end_cycle(0)
    stand.report("one", FAILED)
    assert stand.status(ONE) == 0x50
    stand.memory.end_cycle(0)
    assert not stand.memory.cycle_is_open


# -- names, codes, copies --------------------------------------------------------------------------


def test_an_unknown_event_or_code_is_refused(stand: Stand) -> None:
    with pytest.raises(UsageError, match=r"DTC event 'nope': expected one of one, two, lamp"):
        stand.memory.report("nope", FAILED, 0)
    with pytest.raises(UsageError, match=r"DTC 0x123456: expected a code of the table"):
        stand.memory.status(0x123456)
    with pytest.raises(UsageError, match=r"expected memory.start\(\) first"):
        stand.built().report("one", FAILED, 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("P0100-00", 0x010000),
        ("C1A10-29", 0x5A1029),
        ("B3FFF-FF", 0xBFFFFF),
        ("U1001-88", 0xD00188),
    ],
)
def test_codes_are_written_as_workshops_write_them(text: str, code: int) -> None:
    assert code_of(text) == code and code_text(code) == text


@pytest.mark.parametrize("text", ["", "X1A10-29", "C1A1029", "C4000-29", "C1A10-2", "C1AX0-29"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"DTC: expected a code such as C1A10-29, got"):
        code_of(text)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Dtc(0, "x"), r"DTC x: code: expected 1\.\.16777214, got 0"),
        (lambda: Dtc(1, "x", priority=0), r"DTC x: priority: expected 1\.\.255, got 0"),
        (lambda: Dtc(1, "x", aging_cycles=256), r"DTC x: aging_cycles: expected 1\.\.255"),
        (lambda: Dtc(1, "x", healing_cycles=0), r"DTC x: healing_cycles: expected 1\.\.255"),
        (
            lambda: Dtc(1, "x", confirmation_threshold=0),
            r"DTC x: confirmation_threshold: expected 1\.\.255, got 0",
        ),
        (lambda: Dtc(1, "x", severity=300), r"DTC x: severity: expected 0\.\.255, got 300"),
        (lambda: Dtc(1, "x", events=("a", "a")), r"DTC x: expected events with different names"),
        (lambda: SnapshotDid(0x10000, "d", 1), r"snapshot of d: did: expected 0\.\.65535"),
        (lambda: SnapshotDid(1, "d", 0), r"snapshot of d: size: expected 1\.\.255, got 0"),
        (
            lambda: SnapshotRecord(0, SnapshotTrigger.FIRST),
            r"snapshot record 0x00: number: expected 1\.\.239, got 0",
        ),
        (lambda: DtcSettings((), size=0), r"DtcSettings: size: expected 1\.\.255, got 0"),
        (
            lambda: DtcSettings((Dtc(1, "a"), Dtc(1, "b"))),
            r"DtcSettings: expected different codes, got P0000-01",
        ),
        (
            lambda: DtcSettings((Dtc(1, "a"), Dtc(2, "a", events=("b",)))),
            r"DtcSettings: expected different names, got a",
        ),
        (
            lambda: DtcSettings((Dtc(1, "a"), Dtc(2, "b", events=("a",)))),
            r"DtcSettings: expected different events, got a",
        ),
        (
            lambda: DtcSettings(tuple(Dtc(i, f"e{i}") for i in range(1, 300))),
            r"DtcSettings: expected at most 254 events, got 299",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make()


def test_a_copy_goes_its_own_way_and_shares_the_table(stand: Stand) -> None:
    stand.report("timed", PREFAILED)
    stand.report("one", FAILED)
    other = deepcopy(stand)
    assert other.memory.settings is stand.settings
    other.report("two", FAILED)
    other.memory.on_timer(s(1))
    assert other.status(TIMED) == 0x2F and other.status(TWO) == 0x27
    assert stand.status(TIMED) == 0x50 and stand.status(TWO) == 0x50
    assert "dtc" in other.storage and other.storage != stand.storage
    other.report("lamp", FAILED)
    assert other.told[-1][0] == "lamp" and stand.told[-1][0] == "one"


def test_a_pickled_memory_goes_on_where_it_was(stand: Stand) -> None:
    stand.report("timed", PREFAILED)
    stand.report("one", FAILED)
    other = pickle.loads(pickle.dumps(stand))
    for each in (stand, other):
        each.memory.on_timer(s(1))
        each.report("one", PASSED)
    assert [other.status(dtc.code) for dtc in stand.settings.dtcs] == [
        stand.status(dtc.code) for dtc in stand.settings.dtcs
    ]
    assert other.storage == stand.storage
