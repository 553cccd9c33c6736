"""Evidence on planted runs: exact times, edge and level, combinations, bad questions."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.bus import BusRecord, Frame
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.rig.evidence import (
    AllOf,
    AnyOf,
    Change,
    ColumnHolds,
    EventSeen,
    Evidence,
    History,
    Observation,
    SignalSeen,
)
from simcore.rig.result import Event
from simcore.units import ms

STATUS = "EMB_FL_St1"
FAULT_LEVEL = "EMB_FL_FaultLvl"


@pytest.fixture(scope="module")
def empty() -> Rig:
    """Never run."""
    return Rig(seed=1)


@pytest.fixture
def rig(empty: Rig) -> Rig:
    """A rig that is never run: what it recorded is planted."""
    return empty.fork()


def plant_event(rig: Rig, time_ns: int, kind: str, text: str, source: str = "CDC") -> None:
    rig.log.events.append(Event(time_ns=time_ns, source=source, kind=kind, text=text))


def plant_frame(
    rig: Rig, eof_ns: int, level: int, *, channel: str = "CHASSIS_A", sender: str = "EMB_FL"
) -> None:
    message = rig.database.message(STATUS)
    data = message.codec.encode({signal.name: signal.start_value for signal in message.signals})
    data = message.codec.overwrite_raw(data, {FAULT_LEVEL: level})
    frame = Frame(message.arbitration_id, data, is_fd=True, bitrate_switch=True)
    rig.recorder.frames.append(
        BusRecord(eof_ns - 100_000, eof_ns, channel, frame, sender, eof_ns - 150_000)
    )


def plant_rows(rig: Rig, column: str, values: list[float]) -> None:
    """One row per millisecond, the first at 1 ms."""
    names = rig.recorder.columns
    for value in values:
        rig.recorder.append([value if name == column else 0.0 for name in names])


# ---- events ----


def test_an_event_is_found_at_its_nanosecond(rig: Rig) -> None:
    plant_event(rig, 1_234_567, "detection", "EMB_FL lost: silent")
    seen = EventSeen("detection", "CDC", "EMB_FL lost")
    found = seen.first(rig, ms(1), ms(2))
    assert found == Evidence(time_ns=1_234_567, text="CDC detection: EMB_FL lost: silent")
    assert seen.settled(rig, ms(1), ms(2)) == found


@pytest.mark.parametrize(
    "seen",
    [
        EventSeen("reaction"),
        EventSeen("detection", "CDC2"),
        EventSeen("detection", "CDC", "EMB_FR"),
    ],
    ids=str,
)
def test_an_event_of_another_kind_source_or_text_is_not_meant(rig: Rig, seen: EventSeen) -> None:
    plant_event(rig, ms(2), "detection", "EMB_FL lost: silent")
    assert seen.first(rig, ms(1), ms(3)) is None


def test_an_event_before_the_stretch_or_behind_it_does_not_count(rig: Rig) -> None:
    for time_ns in (ms(1), ms(5)):
        plant_event(rig, time_ns, "detection", "lost")
    assert EventSeen("detection").first(rig, ms(1), ms(4)) is None
    assert EventSeen("detection").first(rig, ms(1), ms(5)) is not None


def test_an_event_of_the_faults_own_instant_counts_behind_the_fault_only(rig: Rig) -> None:
    plant_event(rig, ms(1), "detection", "before")
    plant_event(rig, ms(1), "fault", "broken", "EMB_FL")
    assert EventSeen("detection").first(rig, ms(1), ms(2)) is None
    plant_event(rig, ms(1), "detection", "at once")
    found = EventSeen("detection").first(rig, ms(1), ms(2))
    assert found is not None
    assert (found.time_ns, found.text) == (ms(1), "CDC detection: at once")


def test_an_unknown_kind_of_event_is_refused() -> None:
    with pytest.raises(UsageError, match=r"EventSeen.kind: expected one of state, .*, got 'warn'"):
        EventSeen("warn")


def test_an_event_with_an_opposite_holds_until_that_comes(rig: Rig) -> None:
    for time_ms, word in ((2, "low"), (4, "high"), (6, "low"), (7, "low"), (9, "high")):
        plant_event(rig, ms(time_ms), "reaction", f"watchdog: enable line {word}")
    plant_event(rig, ms(5), "reaction", "watchdog: enable line low", source="CDC2")
    low = EventSeen("reaction", "CDC", "enable line low", until="enable line high")
    assert [change.time_ns for change in low.history(rig, ms(1), ms(10)).changes] == [
        *(ms(2), ms(4), ms(6), ms(9)),
    ]
    assert low.settled(rig, ms(1), ms(5)) is None
    settled = low.settled(rig, ms(1), ms(8))
    assert settled is not None
    assert settled.time_ns == ms(6)
    assert str(low) == 'CDC reaction "enable line low" until "enable line high"'


def test_an_opposite_that_has_the_same_words_is_an_opposite(rig: Rig) -> None:
    degraded = EventSeen("reaction", "CDC", "degradation", until="-> FULL")
    plant_event(rig, ms(1), "reaction", "degradation ONE_REAR -> FULL")
    assert degraded.first(rig, 0, ms(9)) is None
    plant_event(rig, ms(2), "reaction", "degradation FULL -> AXLE")
    plant_event(rig, ms(3), "reaction", "degradation AXLE -> FULL")
    assert degraded.first(rig, 0, ms(9)) is not None
    assert degraded.settled(rig, 0, ms(9)) is None


# ---- frames ----


def test_a_signal_is_seen_at_the_end_of_its_frame(rig: Rig) -> None:
    plant_frame(rig, 1_000_123, 0)
    plant_frame(rig, 6_000_321, 3)
    found = SignalSeen(STATUS, FAULT_LEVEL, "==", "Failed").first(rig, ms(2), ms(9))
    assert found is not None
    assert found.time_ns == 6_000_321
    assert found.text == "EMB_FL_St1 on CHASSIS_A: EMB_FL_FaultLvl = 3 (Failed)"


def test_a_signal_that_held_before_must_cease_first(rig: Rig) -> None:
    seen = SignalSeen(STATUS, FAULT_LEVEL, "==", 3)
    for time_ns, level in ((ms(1), 3), (ms(6), 3), (ms(11), 0), (ms(16), 3)):
        plant_frame(rig, time_ns, level)
    assert seen.first(rig, ms(2), ms(10)) is None
    assert seen.settled(rig, ms(2), ms(10)) == Evidence(
        time_ns=ms(2), text="EMB_FL_St1 on CHASSIS_A: EMB_FL_FaultLvl = 3 (Failed) (all along)"
    )
    found = seen.first(rig, ms(2), ms(20))
    assert found is not None
    assert found.time_ns == ms(16)


def test_a_signal_has_settled_only_where_it_holds_at_the_end(rig: Rig) -> None:
    seen = SignalSeen(STATUS, FAULT_LEVEL, ">=", 2)
    for time_ns, level in ((ms(3), 2), (ms(4), 0), (ms(5), 3), (ms(6), 2), (ms(9), 0)):
        plant_frame(rig, time_ns, level)
    settled = seen.settled(rig, ms(1), ms(8))
    assert settled is not None
    assert settled.time_ns == ms(5)
    assert seen.settled(rig, ms(1), ms(9)) is None
    first = seen.first(rig, ms(1), ms(9))
    assert first is not None
    assert first.time_ns == ms(3)


def test_a_signal_whose_message_has_stayed_away_for_three_cycles_says_nothing(rig: Rig) -> None:
    seen = SignalSeen(STATUS, FAULT_LEVEL, "==", 3)
    plant_frame(rig, ms(3), 3)
    assert seen.settled(rig, ms(1), ms(18)) is not None
    assert seen.settled(rig, ms(1), ms(18) + 1) is None
    plant_frame(rig, ms(40), 3)
    changes = seen.history(rig, ms(1), ms(45)).changes
    assert [(each.time_ns, each.holds) for each in changes] == [
        *((ms(3), True), (ms(18), False), (ms(40), True)),
    ]
    assert changes[1].text == "EMB_FL_St1 has not come for 3 cycles"
    assert seen.first(rig, ms(20), ms(45)) is not None  # what was stale had ceased


def test_frames_of_another_bus_or_sender_are_left_out_where_one_is_named(rig: Rig) -> None:
    plant_frame(rig, ms(2), 3, channel="CHASSIS_B")
    plant_frame(rig, ms(3), 3, sender="ATTACKER")
    on_a = SignalSeen(STATUS, FAULT_LEVEL, "==", 3, bus="CHASSIS_A")
    own = SignalSeen(STATUS, FAULT_LEVEL, "==", 3, bus="CHASSIS_A", sender="EMB_FL")
    found = on_a.first(rig, ms(1), ms(9))
    assert found is not None
    assert found.time_ns == ms(3)
    assert own.first(rig, ms(1), ms(9)) is None


def test_frames_are_found_across_sealed_blocks(rig: Rig) -> None:
    for index in range(600):
        plant_frame(rig, ms(1) + index * 1000, 3 if index >= 555 else 0)
    rig.recorder.frames.seal()
    assert rig.recorder.frames.sealed_count == 512
    seen = SignalSeen(STATUS, FAULT_LEVEL, "==", 3)
    for since in (0, 100, 256, 511, 512, 554):
        found = seen.first(rig, ms(1) + since * 1000, ms(9))
        assert found is not None
        assert found.time_ns == ms(1) + 555 * 1000
    assert seen.first(rig, ms(1) + 555 * 1000, ms(9)) is None


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (SignalSeen("EMB_XX_St1", "x", "==", 1), "EMB_XX_St1"),
        (SignalSeen(STATUS, "EMB_FL_FaultLevel", "==", 1), "unknown signal 'EMB_FL_FaultLevel'"),
        (SignalSeen(STATUS, FAULT_LEVEL, "==", "Bad"), "a number or one of None, Warn,"),
        (ColumnHolds("clamp_force", ">", 1), "recorded column 'clamp_force'"),
    ],
)
def test_names_that_do_not_exist_are_refused(rig: Rig, seen: Observation, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        seen.first(rig, 0, ms(1))


@pytest.mark.parametrize("kind", [SignalSeen, ColumnHolds])
def test_an_unknown_comparison_is_refused(kind: type) -> None:
    arguments = ("EMB_FL_St1", "x", "=", 1) if kind is SignalSeen else ("speed_mps", "=", 1)
    with pytest.raises(UsageError, match=r"\.op: expected one of ==, !=, <, .*, got '='"):
        kind(*arguments)


# ---- columns ----


def test_a_column_is_read_at_its_millisecond(rig: Rig) -> None:
    plant_rows(rig, "clamp_force_n.FL", [0.0, 0.0, 700.0, 700.0, 300.0, 800.0])
    holds = ColumnHolds("clamp_force_n.FL", ">", 500)
    first, settled = holds.first(rig, ms(1), ms(6)), holds.settled(rig, ms(1), ms(6))
    assert (first, settled) == (
        Evidence(time_ns=ms(3), text="clamp_force_n.FL = 700, > 500"),
        Evidence(time_ns=ms(6), text="clamp_force_n.FL = 800, > 500"),
    )
    assert holds.settled(rig, ms(1), ms(5)) is None
    assert holds.first(rig, ms(3), ms(4)) is None  # held at 3 ms already


def test_a_column_is_held_against_what_others_were_before(rig: Rig) -> None:
    names = rig.recorder.columns
    for time_ms in range(1, 7):
        row = dict.fromkeys(names, 0.0)
        row["clamp_force_n.FL"] = 1000.0 if time_ms < 3 else 0.0
        row["clamp_force_n.FR"] = 1000.0 if time_ms < 5 else 1900.0
        rig.recorder.append([row[name] for name in names])
    both = ("clamp_force_n.FL", "clamp_force_n.FR")
    kept = ColumnHolds("clamp_force_n.FR", ">=", 0.95, of_before=both)
    found = kept.first(rig, ms(2), ms(6))
    assert found == Evidence(time_ns=ms(5), text="clamp_force_n.FR = 1900, >= 1900")
    total = ColumnHolds(both, ">=", 0.9, of_before=both)
    assert total.settled(rig, ms(2), ms(4)) is None
    settled = total.settled(rig, ms(2), ms(6))
    assert settled is not None
    assert settled.time_ns == ms(5)


def test_the_sign_of_a_column_can_be_left_out(rig: Rig) -> None:
    plant_rows(rig, "lateral_offset_m", [0.0, -0.2, -0.7])
    assert ColumnHolds("lateral_offset_m", ">", 0.5).first(rig, ms(1), ms(3)) is None
    found = ColumnHolds("lateral_offset_m", ">", 0.5, magnitude=True).first(rig, ms(1), ms(3))
    assert found == Evidence(time_ns=ms(3), text="|lateral_offset_m| = 0.7, > 0.5")


def test_a_change_counts_from_what_the_column_was(rig: Rig) -> None:
    plant_rows(rig, "clamp_force_n.FL", [5000.0, 5000.0, 7500.0, 2900.0])
    up = ColumnHolds("clamp_force_n.FL", ">", 2000, as_change=True)
    down = ColumnHolds("clamp_force_n.FL", "<", -2000, as_change=True)
    assert up.first(rig, ms(2), ms(4)) == Evidence(
        time_ns=ms(3), text="change of clamp_force_n.FL = 2500, > 2000"
    )
    assert down.settled(rig, ms(2), ms(4)) == Evidence(
        time_ns=ms(4), text="change of clamp_force_n.FL = -2100, < -2000"
    )
    with pytest.raises(UsageError, match="ColumnHolds: expected as_change or of_before, got both"):
        ColumnHolds("speed_mps", ">", 1, as_change=True, of_before="speed_mps")


def test_without_a_row_nothing_holds(rig: Rig) -> None:
    holds = ColumnHolds("speed_mps", ">=", 0)
    assert holds.first(rig, 0, 0) is None
    assert holds.settled(rig, 0, 0) is None


# ---- combinations ----


def test_any_of_takes_the_earliest_even_where_another_held_before(rig: Rig) -> None:
    plant_frame(rig, ms(1), 3)
    plant_event(rig, ms(4), "detection", "late")
    plant_event(rig, ms(3), "reaction", "early")
    held = SignalSeen(STATUS, FAULT_LEVEL, "==", 3)
    combined = AnyOf(held, EventSeen("detection"), EventSeen("reaction"))
    found = combined.first(rig, ms(2), ms(9))
    assert found is not None
    assert (found.time_ns, found.text) == (ms(3), "CDC reaction: early")
    settled = combined.settled(rig, ms(2), ms(9))
    assert settled is not None
    assert settled.time_ns == ms(2)  # the signal held all along


def test_all_of_waits_for_the_last_and_ends_with_the_first(rig: Rig) -> None:
    plant_frame(rig, ms(3), 3)
    plant_event(rig, ms(5), "detection", "seen")
    plant_frame(rig, ms(7), 0)
    plant_frame(rig, ms(8), 3)
    combined = AllOf(SignalSeen(STATUS, FAULT_LEVEL, "==", 3), EventSeen("detection"))
    first, settled = combined.first(rig, ms(1), ms(9)), combined.settled(rig, ms(1), ms(9))
    assert first is not None
    assert settled is not None
    assert (first.time_ns, settled.time_ns) == (ms(5), ms(8))
    assert combined.settled(rig, ms(1), ms(7)) is None


def test_what_changes_in_one_instant_changes_at_once(rig: Rig) -> None:
    plant_rows(rig, "speed_mps", [1.0, 1.0, 2.0, 2.0])
    either = AnyOf(ColumnHolds("speed_mps", "<", 1.5), ColumnHolds("speed_mps", ">", 1.5))
    assert either.history(rig, ms(1), ms(4)).changes == ()


def test_combinations_refuse_what_is_no_observation() -> None:
    with pytest.raises(UsageError, match=r"AnyOf: expected observations, as EventSeen, got 'lost'"):
        AnyOf("lost")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"AllOf: expected at least one observation, got none"):
        AllOf()


def test_observations_are_plain_data() -> None:
    seen = EventSeen("detection", "CDC", "lost")
    combined = AllOf(AnyOf(seen, SignalSeen("M", "S", ">", 1)), ColumnHolds("c", "<", 2))
    assert pickle.loads(pickle.dumps(combined)) == combined
    assert copy.deepcopy(combined) is combined
    assert hash(combined) == hash(pickle.loads(pickle.dumps(combined)))
    assert AllOf(seen) != AnyOf(seen)
    assert str(combined) == '(CDC detection "lost" or M: S > 1) and c < 2'
    assert repr(AnyOf(seen)).startswith("AnyOf(EventSeen(kind='detection'")
    with pytest.raises(AttributeError, match="AllOf does not change"):
        combined.parts = ()


def test_a_history_without_a_change_holds_or_does_not() -> None:
    assert History(5, "").first is None
    assert History(5, "").settled is None
    assert History(5, "so it was").settled == Evidence(time_ns=5, text="so it was (all along)")
    twice = History(5, "", (Change(6, True, "a"), Change(7, True, "b")))
    assert twice.settled == Evidence(time_ns=6, text="a")
    assert str(Evidence(time_ns=1_500_000, text="x")) == "1.5 ms x"
