"""The restbus node: send types, writes, drives, odd cycle times, and copies of it."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import RestbusNode
from simcore.ecu.restbus_values import RollingCounter
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.columns import Column, load_columns
from simcore.network.send_types import SendTypes
from simcore.protection import E2eStatus, Profile05Receiver
from simcore.units import ms, s

TEXT = """VERSION ""
BU_: E R
BO_ 256 Cyc: 8 E
 SG_ A : 0|8@1+ (0.5,0) [0|100] "" R
 SG_ B : 8|8@1+ (1,0) [0|255] "" R
BO_ 257 Mixed: 8 E
 SG_ C : 0|8@1+ (1,0) [0|200] "" R
 SG_ D : 8|8@1+ (1,0) [0|255] "" R
BO_ 258 Event: 8 E
 SG_ F : 0|8@1+ (1,0) [0|255] "" R
BO_ 259 Never: 8 E
 SG_ G : 0|8@1+ (1,0) [0|255] "" R
BO_ 260 Safe: 8 E
 SG_ Crc : 0|16@1+ (1,0) [0|65535] "" R
 SG_ Cnt : 16|8@1+ (1,0) [0|255] "" R
 SG_ H : 24|8@1+ (1,0) [0|255] "" R
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigSendType" STRING ;
BA_DEF_ SG_ "GenSigFuncType" STRING ;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;
BA_DEF_ BO_ "GenMsgCycleTimeFast" INT 0 3600000;
BA_DEF_ BO_ "GenMsgNrOfRepetition" INT 0 100;
BA_DEF_ BO_ "GenMsgDelayTime" INT 0 3600000;
BA_DEF_ BO_ "E2EProfile" STRING ;
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_DEF_ "GenMsgSendType" "NoMsgSendType";
BA_ "GenMsgSendType" BO_ 256 "Cyclic";
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgSendType" BO_ 257 "Cyclic";
BA_ "GenSigSendType" SG_ 257 C "OnChangeWithRepetition";
BA_ "GenMsgCycleTime" BO_ 257 50;
BA_ "GenMsgCycleTimeFast" BO_ 257 4;
BA_ "GenMsgNrOfRepetition" BO_ 257 2;
BA_ "GenMsgSendType" BO_ 258 "Event";
BA_ "GenMsgDelayTime" BO_ 258 5;
BA_ "GenMsgSendType" BO_ 260 "OnWrite";
BA_ "E2EProfile" BO_ 260 "P05";
BA_ "E2EDataId" BO_ 260 77;
BA_ "GenSigFuncType" SG_ 260 Crc "Checksum";
BA_ "GenSigFuncType" SG_ 260 Cnt "Counter";
"""
DATABASE = Database.from_text(TEXT, name="restbus.dbc")


class Port:
    """The part of `Port` that a sender needs; keeps what was sent and when."""

    channels = ("A",)

    def __init__(self) -> None:
        self.sent: list[tuple[int, Frame]] = []
        self.now_ns = 0

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append((self.now_ns, frame))

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        assert not list(arbitration_ids or ())


class Run:
    """A node on a port of its own, called whenever it wants to be."""

    def __init__(self, node: RestbusNode, start_ns: int = 0) -> None:
        self.node = node
        self.port = Port()
        self.port.now_ns = start_ns
        node.start(self.port, start_ns)  # type: ignore[arg-type]

    def to(self, end_ns: int) -> None:
        while (due_ns := self.node.next_deadline_ns()) is not None and due_ns <= end_ns:
            self.port.now_ns = due_ns
            self.node.on_timer(due_ns)
            after_ns = self.node.next_deadline_ns()
            assert after_ns is None or after_ns > due_ns
        self.port.now_ns = end_ns

    def write(self, message: str, **values: Any) -> int:
        return self.node.write(message, self.port.now_ns, **values)

    def times(self, message: str) -> list[int]:
        found = self.node.database.message(message).arbitration_id
        return [time_ns for time_ns, frame in self.port.sent if frame.arbitration_id == found]

    def values(self, message: str, signal: str) -> list[Any]:
        found = self.node.database.message(message)
        return [
            found.codec.decode(frame.data)[signal]
            for _, frame in self.port.sent
            if frame.arbitration_id == found.arbitration_id
        ]


def run(database: Database = DATABASE, **rest: Any) -> Run:
    return Run(RestbusNode("E", database, **rest))


# -- send types ----------------------------------------------------------------------------------


def test_each_message_is_sent_as_its_send_type_says() -> None:
    bench = run()
    bench.to(ms(20))
    assert bench.write("Mixed", C=1) == 1 and bench.write("Event", F=1) == 1
    bench.to(ms(22))
    assert bench.write("Event", F=2) == 0
    bench.to(ms(50))
    assert bench.times("Cyc") == [0, ms(10), ms(20), ms(30), ms(40), ms(50)]
    assert bench.times("Mixed") == [0, ms(20), ms(24), ms(28), ms(50)]
    assert bench.times("Event") == [ms(20), ms(25)]
    assert bench.values("Event", "F") == [1, 2]
    assert bench.times("Never") == []


def test_several_signals_of_one_write_are_one_event() -> None:
    bench = run()
    assert bench.write("Mixed", D=1, C=2) == 1
    assert bench.values("Mixed", "C") == [2] and bench.values("Mixed", "D") == [1]


def test_set_raises_no_event_and_the_next_change_is_judged_from_it() -> None:
    bench = run()
    bench.to(ms(1))
    bench.node.set("Mixed", C=7)
    bench.to(ms(40))
    assert bench.times("Mixed") == [0]
    assert bench.write("Mixed", C=7) == 0
    assert bench.write("Mixed", C=8) == 1


def test_a_write_to_a_cyclic_message_waits_for_its_cycle() -> None:
    bench = run()
    bench.to(ms(5))
    assert bench.write("Cyc", A=3.5) == 0
    bench.to(ms(10))
    assert bench.values("Cyc", "A") == [0, 3.5]


def test_what_is_written_before_the_start_goes_out_with_the_first_frame() -> None:
    node = RestbusNode("E", DATABASE)
    assert node.write("Mixed", 0, C=9) == 0
    bench = Run(node)
    bench.to(0)
    assert bench.values("Mixed", "C") == [9]


def test_send_sends_any_message_and_keeps_its_gap() -> None:
    bench = run()
    bench.to(ms(1))
    for message in ("Cyc", "Never", "Event"):
        assert bench.node.send(message, ms(1)) == 1
    assert bench.node.send("Event", ms(1)) == 0
    bench.to(ms(9))
    assert bench.times("Never") == [ms(1)] and bench.times("Event") == [ms(1), ms(6)]
    assert bench.times("Cyc") == [0, ms(1)]


def test_send_before_the_start_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^restbus of E: Cyc: expected a started node$"):
        RestbusNode("E", DATABASE).send("Cyc", 0)


def test_event_messages_carry_counters_and_checksums() -> None:
    bench = run()
    for number in range(5):
        bench.to(ms(number))
        bench.write("Safe", H=number)
    receiver = Profile05Receiver(77, 8)
    frames = [frame.data for _, frame in bench.port.sent if frame.arbitration_id == 260]
    assert [receiver.check(data) for data in frames] == [E2eStatus.OK] * 5


def test_a_restart_keeps_values_and_drives_and_forgets_what_waited() -> None:
    bench = run()
    bench.write("Event", F=1)
    bench.to(ms(1))
    bench.write("Event", F=2)
    bench.node.drive("Cyc", "B", RollingCounter(3))
    bench.node.start(bench.port, ms(2))  # type: ignore[arg-type]
    bench.to(ms(30))
    assert bench.times("Event") == [0]
    assert bench.values("Cyc", "B")[-3:] == [0, 1, 2]
    bench.write("Event", F=2)
    assert bench.values("Event", "F") == [1, 2]


def test_own_send_types_are_a_table_away() -> None:
    database = Database.from_text(TEXT.replace('"Event";', '"Spontan 7";'), name="own.dbc")
    with pytest.raises(InputError, match=r"message 0x102 Event, GenMsgSendType: .* 'Spontan 7'$"):
        RestbusNode("E", database)
    bench = run(database, send_types=SendTypes({"Spontan 7": "Event"}))
    assert bench.write("Event", F=1) == 1


# -- what is played ------------------------------------------------------------------------------


def test_what_e2e_fills_in_can_be_neither_set_nor_written() -> None:
    bench = run()
    node = bench.node
    said = (
        r": expected a signal that E2E and SecOC do not fill in; faults of the message break "
        r"those, as CounterFrozen and ChecksumWrong, got {0}$"
    )
    with pytest.raises(UsageError, match=r"^restbus of E: Safe\.Crc" + said.format("Crc")):
        node.set("Safe", H=1, Crc=5)
    with pytest.raises(UsageError, match=r"^restbus of E: Safe\.Cnt" + said.format("Cnt")):
        bench.write("Safe", Cnt=5)
    bench.write("Safe", H=3)
    assert bench.values("Safe", "H") == [3]


def test_only_the_messages_asked_for_are_played() -> None:
    bench = run(messages=["Cyc"])
    bench.to(ms(50))
    assert {frame.arbitration_id for _, frame in bench.port.sent} == {256}
    with pytest.raises(UsageError, match=r"expected one of its messages \(Cyc\), got Mixed$"):
        bench.write("Mixed", C=1)


def test_messages_that_others_send_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^restbus of R: messages: expected messages it sends \(none\), got Cyc$"
    ):
        RestbusNode("R", DATABASE, messages=["Cyc"])


def test_offsets_stand_in_for_the_start_delay() -> None:
    bench = run(offsets={"Cyc": ms(3), "Mixed": ms(7)})
    bench.to(ms(20))
    assert bench.times("Cyc") == [ms(3), ms(13)] and bench.times("Mixed") == [ms(7)]


def test_messages_that_no_frame_can_carry_are_named_with_the_reason() -> None:
    text = (
        'VERSION ""\nBU_: E\nBO_ 256 Long: 80 E\n SG_ A : 0|8@1+ (1,0) [0|255] "" E\n'
        'BO_ 257 Odd: 11 E\n SG_ A : 0|8@1+ (1,0) [0|255] "" E\n'
        'BA_DEF_ BO_ "VFrameFormat" ENUM "a","b","c","d","e","f","g","h","i","j","k","l","m","n",'
        '"StandardCAN_FD","ExtendedCAN_FD";\nBA_ "VFrameFormat" BO_ 257 14;\n'
    )
    node = RestbusNode("E", Database.from_text(text, name="long.dbc"))
    assert node.skipped == {
        "Long": "80 bytes do not fit a classic frame",
        "Odd": "11 bytes are no length of a CAN FD frame",
    }
    with pytest.raises(
        UsageError, match=r"got Long, which is skipped: 80 bytes do not fit a classic frame$"
    ):
        node.set("Long", A=1)


def many_cycles(*cycles_ms: int) -> Database:
    text = 'VERSION ""\nBU_: E\n'
    for index, _ in enumerate(cycles_ms):
        text += f'BO_ {256 + index} M{index}: 1 E\n SG_ A : 0|8@1+ (1,0) [0|255] "" E\n'
    text += 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;\n'
    for index, cycle_ms in enumerate(cycles_ms):
        text += f'BA_ "GenMsgCycleTime" BO_ {256 + index} {cycle_ms};\n'
    return Database.from_text(text, name="many.dbc")


def test_cycle_times_without_a_common_multiple_cost_nothing() -> None:
    cycles_ms = (7, 11, 13, 17, 19, 997, 3_599_999, 3_600_000)
    bench = run(many_cycles(*cycles_ms))
    bench.to(s(10))
    for index, cycle_ms in enumerate(cycles_ms):
        assert bench.times(f"M{index}") == list(range(0, s(10) + 1, ms(cycle_ms)))


def test_frames_of_one_instant_go_in_the_order_of_the_database() -> None:
    bench = run(many_cycles(20, 10, 5, 10))
    bench.to(ms(20))
    at_20 = [frame.arbitration_id for time_ns, frame in bench.port.sent if time_ns == ms(20)]
    assert at_20 == [256, 257, 258, 259]


# -- drives --------------------------------------------------------------------------------------


def ramp(time_s: float, slope: float = 100.0) -> float:
    return slope * time_s


def test_a_function_of_time_is_evaluated_at_every_frame() -> None:
    bench = run()
    bench.node.drive("Cyc", "A", ramp)
    bench.node.drive("Cyc", "B", partial(ramp, slope=1000.0))
    bench.to(ms(20))
    assert bench.values("Cyc", "A") == [0, 1.0, 2.0]
    assert bench.values("Cyc", "B") == [0, 10, 20]


def test_a_column_is_read_at_every_frame() -> None:
    bench = run()
    bench.node.drive("Cyc", "A", Column((ms(5), ms(25)), (10, 20), "linear"))
    bench.node.drive("Cyc", "B", Column((ms(5), ms(25)), (10, 20)))
    bench.to(ms(30))
    assert bench.values("Cyc", "A") == [10, 12.5, 17.5, 20]
    assert bench.values("Cyc", "B") == [10, 10, 10, 20]


def test_a_csv_file_drives_signals(tmp_path: Path) -> None:
    file = tmp_path / "drive.csv"
    file.write_text("time_ms,A\n0,1\n10,2\n")
    bench = run()
    bench.node.drive("Cyc", "A", load_columns(file)["A"])
    bench.to(ms(10))
    assert bench.values("Cyc", "A") == [1, 2]


def test_a_column_writes_an_event_message_at_its_own_times() -> None:
    bench = run()
    bench.node.drive("Event", "F", Column((ms(3), ms(4), ms(30)), (1, 2, 3)), now_ns=0)
    bench.to(ms(100))
    assert bench.times("Event") == [ms(3), ms(8), ms(30)]
    assert bench.values("Event", "F") == [1, 2, 3]


def test_a_column_given_before_the_start_counts_from_the_start_on() -> None:
    node = RestbusNode("E", DATABASE)
    node.drive("Event", "F", Column((ms(3), ms(20)), (1, 2)))
    bench = Run(node, start_ns=ms(10))
    bench.to(ms(100))
    assert bench.times("Event") == [ms(20)]


def test_a_column_raises_on_change_only_where_it_changes() -> None:
    bench = run()
    bench.node.drive("Mixed", "C", Column((ms(2), ms(20), ms(30)), (0, 5, 5)))
    bench.to(ms(49))
    assert bench.times("Mixed") == [0, ms(20), ms(24), ms(28)]


def test_an_event_at_the_instant_of_a_cyclic_frame_shares_it() -> None:
    bench = run()
    bench.node.drive("Mixed", "C", Column((ms(50),), (5,)))
    bench.to(ms(53))
    assert bench.times("Mixed") == [0, ms(50)]


def test_a_function_writes_an_event_message_every_so_often() -> None:
    bench = run()
    bench.node.drive("Event", "F", partial(ramp, slope=1000.0), every_ns=ms(7))
    bench.to(ms(21))
    assert bench.times("Event") == [0, ms(7), ms(14), ms(21)]
    assert bench.values("Event", "F") == [0, 7, 14, 21]


def test_set_ends_a_drive_and_its_events() -> None:
    bench = run()
    bench.node.drive("Event", "F", partial(ramp, slope=1000.0), every_ns=ms(7))
    bench.node.drive("Cyc", "B", RollingCounter(16))
    bench.to(ms(10))
    bench.node.set("Event", F=9)
    bench.node.set("Cyc", B=99)
    bench.to(ms(30))
    assert bench.times("Event") == [0, ms(7)]
    assert bench.values("Cyc", "B") == [0, 1, 99, 99]


def test_a_rolling_counter_wraps() -> None:
    counter = RollingCounter(3, first=1)
    assert [counter(0.0) for _ in range(5)] == [1, 2, 0, 1, 2]
    with pytest.raises(UsageError, match=r"^RollingCounter: expected 0 <= first < modulo, got"):
        RollingCounter(3, first=3)


def test_a_value_that_leaves_its_range_is_refused_when_it_is_sent() -> None:
    bench = run()
    bench.node.drive("Cyc", "A", partial(ramp, slope=10_000.0))
    with pytest.raises(
        UsageError, match=r"message 0x100 Cyc, signal A: expected 0\.\.100, got 200"
    ):
        bench.to(ms(20))


def test_a_column_out_of_range_is_refused_at_once() -> None:
    with pytest.raises(
        UsageError, match=r"message 0x100 Cyc, signal A: expected 0\.\.100, got 101"
    ):
        run().node.drive("Cyc", "A", Column((0, 1), (1, 101)))


@pytest.mark.parametrize(
    ("source", "got"),
    [
        (lambda time_s: 1.0, "<lambda>"),
        (partial(lambda time_s, x: x, x=1), "<lambda>"),
        (RollingCounter, "RollingCounter"),
        (5, "int"),
    ],
)
def test_what_cannot_be_pickled_with_a_run_does_not_drive(source: Any, got: str) -> None:
    with pytest.raises(
        UsageError,
        match=r"^restbus of E: drive Cyc\.A: expected a Column, a function of a module, or an "
        rf"object with __call__ \(lambdas and local functions .*\), got .*{got}$",
    ):
        run().node.drive("Cyc", "A", source)


@pytest.mark.parametrize(
    ("message", "signal", "rest", "text"),
    [
        (
            "Event",
            "F",
            {},
            "Event.F: expected a Column, or every_ns: the message is sent on events",
        ),
        ("Cyc", "A", {"every_ns": 0}, "Cyc.A: expected every_ns of more than 0 ns, got 0"),
        (
            "Safe",
            "Crc",
            {},
            "Safe.Crc: expected a signal that E2E and SecOC do not fill in; faults of",
        ),
    ],
)
def test_drives_that_would_do_nothing_are_refused(
    message: str, signal: str, rest: dict[str, int], text: str
) -> None:
    with pytest.raises(UsageError, match=f"^restbus of E: drive {text}"):
        run().node.drive(message, signal, ramp, **rest)


def test_an_unknown_signal_is_refused() -> None:
    with pytest.raises(UsageError, match=r"message 0x100 Cyc: unknown signal 'a': did you mean"):
        run().node.drive("Cyc", "a", math.floor)


# -- reception timeouts --------------------------------------------------------------------------


class Ears(Port):
    """A port that also keeps what is accepted and what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[int] = []
        self.events: list[tuple[str, str]] = []

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        self.accepted = list(arbitration_ids or ())

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))


TIMED = (
    TEXT.replace("BU_: E R", "BU_: E R OTHER")
    .replace("BO_ 259 Never: 8 E", "BO_ 2147484000 Far: 8 OTHER")
    .replace(' SG_ G : 0|8@1+ (1,0) [0|255] "" R', ' SG_ G : 0|8@1+ (1,0) [0|255] "" E')
    + 'BA_DEF_ SG_ "GenSigTimeoutTime_E" INT 0 1000;\n'
    + 'BA_ "GenSigTimeoutTime_E" SG_ 2147484000 G 25;\n'
)


def test_a_monitored_signal_times_out_to_the_nanosecond_and_comes_back() -> None:
    database = Database.from_text(TIMED, name="timed.dbc")
    far = database.message("Far")
    node = RestbusNode("E", database, monitored=[far])
    port = Ears()
    node.start(port, ms(100))  # type: ignore[arg-type]
    assert port.accepted == [352] and not node.fixed_schedule
    frame = Frame(352, bytes(8), is_extended_id=True)

    def to(end_ns: int) -> None:
        while (due_ns := node.next_deadline_ns()) is not None and due_ns <= end_ns:
            node.on_timer(due_ns)

    node.receive(frame, ms(110))
    node.receive(Frame(352, bytes(8)), ms(120))  # the standard id is another message
    to(ms(135) - 1)
    assert port.events == []
    to(ms(135))
    timed_out = ("detection", "no Far for 25 ms: G timed out")
    assert port.events == [timed_out]
    to(ms(200))
    node.receive(frame, ms(200))
    assert port.events == [timed_out, ("note", "Far is back: G")]
    to(ms(225) - 1)
    assert len(port.events) == 2
    to(ms(225))
    assert port.events[2:] == [timed_out]
    assert len([each for each in port.sent if each[1].arbitration_id == 256]) == 13


def test_a_node_without_timeouts_accepts_nothing_and_keeps_its_fixed_schedule() -> None:
    database = Database.from_text(TIMED, name="timed.dbc")
    node = RestbusNode("E", database, monitored=[database.message("Cyc")])
    assert node.timeouts is None and node.fixed_schedule


# -- copies --------------------------------------------------------------------------------------


def test_a_copy_goes_on_alone_and_alike() -> None:
    bench = run()
    bench.node.drive("Cyc", "A", ramp)
    bench.node.drive("Cyc", "B", RollingCounter(7))
    bench.node.drive("Event", "F", Column((ms(3), ms(40)), (1, 2)))
    bench.write("Mixed", C=1)
    bench.to(ms(5))
    others = (copy.deepcopy(bench), pickle.loads(pickle.dumps(bench)))
    bench.to(ms(60))
    for other in others:
        assert len(other.port.sent) < len(bench.port.sent)
        other.to(ms(60))
        assert other.port.sent == bench.port.sent
