"""Logs played onto a rig and onto bare buses: the same frames at the same times."""

from __future__ import annotations

import copy
import importlib.util
import pickle
from pathlib import Path

import pytest

from simcore import Rig, ms
from simcore.attach.log_reader import read_log
from simcore.attach.log_record import EntryKind, LogRecord
from simcore.attach.replay import STRANGER, Choice, LogNode, PlayedFrame, Replay
from simcore.bus import BitTiming, Bus, Frame, duration_ns
from simcore.errors import UsageError
from simcore.kernel import Scheduler
from simcore.report import LOG_FORMATS, write_log

HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")
FORMATS = [
    pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in LOG_FORMATS
]
FD = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
CLASSIC = BitTiming(nominal_bps=500_000)


@pytest.fixture(scope="module")
def driven() -> Rig:
    """Half a second at 60 km/h with a full press of the pedal in the middle."""
    rig = Rig(seed=3)
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(250))
    rig.press_pedal(100.0)
    rig.run_for(ms(250))
    return rig


def logged(rig: Rig, folder: Path, log_format: str) -> Path:
    path = folder / f"run{LOG_FORMATS[log_format].suffix}"
    channels = [bus.name for bus in rig.buses]
    return write_log(path, rig.recorder.frames, log_format, channels=channels)


def told(rig: Rig) -> list[tuple[int, int, str, Frame, str]]:
    """What was on the buses, but for when it was asked for."""
    return [(r.sof_ns, r.eof_ns, r.channel, r.frame, r.sender) for r in rig.recorder.frames]


def entries(*frames: tuple[int, Frame], channel: str = "A") -> list[LogRecord]:
    return [LogRecord(time_ns, channel, frame) for time_ns, frame in frames]


def bus(timing: BitTiming = FD, name: str = "A") -> Bus:
    made = Bus(name, timing, Scheduler())
    made.attach("listener")
    return made


# ---- a whole rig ----


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_replay_of_our_own_log_is_the_same_frames_at_the_same_times(
    driven: Rig, tmp_path: Path, log_format: str
) -> None:
    path = logged(driven, tmp_path, log_format)
    log = read_log(path).require_whole()
    rig = Rig()
    played = Replay(rig, log.records, resolution_ns=log.resolution_ns)
    rig.run_for(driven.now_ns)
    count = len(driven.recorder.frames)
    assert count > 1_000
    assert played.outcome(rig.recorder.frames) == (count, 0, 0, 0)
    # To the nanosecond in every format, those that cut to microseconds included.
    assert told(rig) == told(driven)
    assert not played.skipped
    again = tmp_path / "again"
    again.mkdir()
    assert logged(rig, again, log_format).read_bytes() == path.read_bytes()


def test_the_simulated_ecus_are_off_where_the_log_plays(driven: Rig, tmp_path: Path) -> None:
    log = read_log(logged(driven, tmp_path, "blf"))
    rig = Rig()
    Replay(rig, log.records)
    rig.press_pedal(100.0)
    rig.run_for(ms(700))
    assert all(isinstance(rig.node(name), LogNode) for name in rig.nodes)
    assert rig.recorder.frames[-1].eof_ns < ms(501)


def test_a_node_under_test_is_simulated_and_answers_the_log(driven: Rig, tmp_path: Path) -> None:
    log = read_log(logged(driven, tmp_path, "blf"))
    rig = Rig()
    played = Replay(rig, log.records, choice=Choice(under_test=("EMB_FL",)))
    rig.run_for(driven.now_ns)
    assert not isinstance(rig.node("EMB_FL"), LogNode)
    assert set(played.skipped) == {"EMB_FL is under test"}
    assert all(frame.sender != "EMB_FL" for frame in played.frames)
    # The actuator clamps because the log's CDC commands it to.
    assert rig.recorded("clamp_force_n.FL")[-1] > 1_000.0
    assert rig.recorded("clamp_force_n.FR")[-1] < 100.0
    sent = sum(record.sender == "EMB_FL" for record in rig.recorder.frames)
    skipped = played.skipped["EMB_FL is under test"]
    assert sent == skipped.total()
    assert skipped["EMB_FL_St1"] > skipped["EMB_FL_St2"] > 0


def test_identifiers_and_nodes_narrow_what_is_played(driven: Rig, tmp_path: Path) -> None:
    log = read_log(logged(driven, tmp_path, "blf"))
    total = len(log.records)
    by_id = Replay(Rig(), log.records, choice=Choice(only_ids={0x60}))
    assert {frame.frame.arbitration_id for frame in by_id.frames} == {0x60}
    skipped = by_id.skipped["not among the chosen identifiers"]
    assert skipped.total() + len(by_id.frames) == total
    by_node = Replay(Rig(), log.records, choice=Choice(only_nodes={"BPS", "IMU"}))
    assert {frame.sender for frame in by_node.frames} == {"BPS", "IMU"}
    assert by_node.skipped["CDC is not among the chosen nodes"].total() > 0


def test_what_is_chosen_starts_when_it_did_though_its_neighbours_are_left_out(
    driven: Rig, tmp_path: Path
) -> None:
    log = read_log(logged(driven, tmp_path, "candump"))
    rig = Rig()
    Replay(rig, log.records, choice=Choice(only_ids={0xB0}), resolution_ns=log.resolution_ns)
    rig.run_for(driven.now_ns)
    wanted = [each for each in told(driven) if each[3].arbitration_id == 0xB0]
    assert told(rig) == wanted
    assert len(wanted) == 50


def test_a_fork_in_the_middle_of_a_replay_goes_on_alike(driven: Rig, tmp_path: Path) -> None:
    log = read_log(logged(driven, tmp_path, "blf"))
    rig = Rig()
    stranger = LogRecord(ms(400), log.records[0].channel, Frame(0x7FE, b"\1"))
    Replay(rig, [*log.records, stranger])
    rig.run_for(ms(200))
    fork = rig.fork()
    sent_away = pickle.loads(pickle.dumps(rig))
    for each in (rig, fork, sent_away):
        each.run_for(ms(300))
    assert told(rig) == told(fork) == told(sent_away)
    assert rig.digest == fork.digest == sent_away.digest
    assert STRANGER in {record.sender for record in rig.recorder.frames}
    mine, its = rig.node("BPS"), fork.node("BPS")
    assert isinstance(mine, LogNode)
    assert isinstance(its, LogNode)
    assert mine is not its
    assert mine._frames is its._frames  # so a fork costs no more for a long log


def test_a_node_that_is_reset_goes_on_with_the_log(driven: Rig, tmp_path: Path) -> None:
    log = read_log(logged(driven, tmp_path, "blf"))
    rig = Rig()
    Replay(rig, log.records)
    rig.run_for(ms(100))
    rig.reset("BPS")
    rig.run_for(driven.now_ns - rig.now_ns)
    assert told(rig) == told(driven)


def test_a_frame_on_a_bus_its_sender_is_not_on_is_played_by_a_stranger() -> None:
    rig = Rig()
    second = rig.buses[1]
    (message, *_) = rig.database.sent_by("EPS")
    assert "EPS" not in {controller.name for controller in second.controllers}
    frame = Frame(message.arbitration_id, bytes(message.length), is_fd=message.is_fd)
    played = Replay(rig, [LogRecord(ms(2), second.name, frame)])
    rig.run_for(ms(3))
    assert [(r.channel, r.sender) for r in rig.recorder.frames] == [(second.name, STRANGER)]
    assert played.outcome(rig.recorder.frames).exact_count == 1
    assert not rig.log.findings


# ---- bare buses ----


def test_frames_go_out_on_a_bare_bus_from_a_node_named_log() -> None:
    target = bus()
    sent = Frame(0x60, b"\1\2")
    played = Replay([target], entries((ms(1), sent), (ms(2), sent)))
    target.scheduler.run_until_ns(ms(3))
    assert [(r.eof_ns, r.sender) for r in target.log] == [(ms(1), STRANGER), (ms(2), STRANGER)]
    assert played.outcome(target.log) == (2, 0, 0, 0)
    assert played.end_ns == ms(2)


def test_a_frame_that_has_to_wait_is_told_with_its_delay() -> None:
    target = bus()
    other = target.attach("other")
    sent = Frame(0x60, b"\1\2")
    played = Replay([target], entries((ms(1), sent), (ms(5), sent), (ms(9), sent)))
    target.scheduler.run_until_ns(ms(1) - duration_ns(sent, FD) - 2_000)
    other.send(Frame(0x10, bytes(8)))
    target.scheduler.run_until_ns(ms(6))
    first, second = (record for record in target.log if record.sender == STRANGER)
    assert first.eof_ns > ms(1)
    assert played.outcome(target.log) == (1, 1, 1, first.eof_ns - ms(1))
    assert second.eof_ns == ms(5)


def test_two_channels_go_to_two_buses_by_name_and_by_number() -> None:
    scheduler = Scheduler()
    pair = [Bus(name, FD, scheduler) for name in ("A", "B")]
    for each in pair:
        each.attach("listener")
    sent = Frame(0x60, b"")
    records = entries((ms(1), sent)) + entries((ms(2), sent), channel="2")
    records += entries((ms(3), sent), channel="can7") + entries((ms(4), sent), channel="X")
    played = Replay(pair, records, choice=Choice(channels={"can7": "B"}))
    scheduler.run_until_ns(ms(5))
    assert [r.eof_ns for r in pair[0].log] == [ms(1)]
    assert [r.eof_ns for r in pair[1].log] == [ms(2), ms(3)]
    assert played.skipped == {"channel X is no bus here": {"0x060": 1}}


def test_the_only_channel_of_a_log_goes_to_the_only_bus_whatever_its_name() -> None:
    played = Replay([bus()], entries((ms(1), Frame(0x60, b"")), channel="vcan0"))
    assert [frame.channel for frame in played.frames] == ["A"]


def test_time_may_begin_with_the_first_frame() -> None:
    target = bus()
    sent = Frame(0x60, b"")
    records = entries((10**18, sent), (10**18 + ms(2), sent))
    played = Replay([target], records, choice=Choice(from_first=True), resolution_ns=1_000)
    target.scheduler.run_until_ns(ms(3))
    long_ns = duration_ns(sent, FD)
    assert [r.sof_ns for r in target.log] == [0, ms(2)]
    assert played.outcome(target.log) == (2, 0, 0, 0)
    assert played.shift_ns == long_ns - 10**18


def test_error_frames_and_what_the_bus_cannot_carry_are_skipped_by_name() -> None:
    records = entries((ms(1), Frame(0x60, b"", is_fd=True)), (ms(2), Frame(0x60, b"")))
    records += [
        LogRecord(ms(3), "A", None, EntryKind.ERROR),
        LogRecord(ms(4), "A", None, EntryKind.OVERLOAD),
        LogRecord(ms(5), "", None, EntryKind.OTHER),
    ]
    played = Replay([bus(CLASSIC)], records)
    assert len(played.frames) == 1
    assert played.skipped == {
        "A carries no CAN FD frames": {"0x060": 1},
        "error frames are not played": {"error frame": 1},
        "overload frames are not played": {"overload frame": 1},
        "other entries are not played": {"other entry": 1},
    }


def test_a_replay_of_nothing_ends_at_0() -> None:
    target = bus()
    played = Replay([target], [])
    assert (played.frames, played.end_ns) == ((), 0)
    assert played.outcome(target.log) == (0, 0, 0, 0)


def test_a_bare_replay_can_be_copied_at_any_instant() -> None:
    target = bus()
    Replay([target], entries((ms(1), Frame(0x60, b"")), (ms(2), Frame(0x61, b""))))
    target.scheduler.run_until_ns(ms(1))
    copied = copy.deepcopy(target)
    for each in (target, copied):
        each.scheduler.run_until_ns(ms(3))
    assert list(copied.log) == list(target.log)
    assert len(target.log) == 2


# ---- mistakes ----


def test_frames_that_would_start_in_the_past_are_refused() -> None:
    records = entries((0, Frame(0x60, b"")))
    with pytest.raises(UsageError, match="Replay: expected frames that start at 0 ms or later, or"):
        Replay([bus()], records)
    late = bus()
    late.scheduler.run_until_ns(ms(5))
    with pytest.raises(UsageError, match="start at 5 ms or later, or from_first, got 0"):
        Replay([late], entries((ms(1), Frame(0x60, b""))))


def test_names_that_do_not_exist_are_refused() -> None:
    rig = Rig()
    with pytest.raises(UsageError, match=r"Replay: expected one of .*CDC.*, got EMB_XX"):
        Replay(rig, [], choice=Choice(under_test=("EMB_XX",)))
    with pytest.raises(UsageError, match=r"Replay: expected one of .*CDC.*, got TESTER"):
        Replay(rig, [], choice=Choice(only_nodes=("TESTER",)))
    with pytest.raises(UsageError, match="Replay, channel can0: expected one of A, got B"):
        Replay([bus()], [], choice=Choice(channels={"can0": "B"}))
    with pytest.raises(UsageError, match="Replay: expected a rig or at least one bus"):
        Replay([], [])


def test_a_log_node_hears_nothing_and_needs_no_frames() -> None:
    node = LogNode([])
    assert node.next_deadline_ns() is None
    rig = Rig()
    rig.replace("BPS", LogNode([PlayedFrame(ms(1), ms(2), rig.buses[0].name, Frame(1, b""), "")]))
    rig.run_for(ms(3))
    assert [r.sof_ns for r in rig.recorder.frames if r.sender == "BPS"] == [ms(1)]
