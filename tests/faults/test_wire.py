"""Every fault of the wire: what it does, that it ends, what it says, what it refuses."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import pytest

from simcore.bus import BitTiming, Bus, Controller, ErrorKind, ErrorState, Frame
from simcore.errors import UsageError
from simcore.faults import (
    AckSuppressed,
    BabblingNode,
    BitError,
    BusOff,
    BusOpen,
    BusShorted,
    DominantPulse,
    GroundOffset,
    Installed,
    NodeUnplugged,
    OpenWire,
    StuckDominant,
    StuckRecessive,
    WireFault,
)
from simcore.kernel import Priority, Scheduler
from simcore.units import ms, us

BIT_NS = 2000
FRAME = Frame(0x200, b"\x12\x34")


class Bench:
    """One bus, four nodes; A sends a frame every millisecond."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
        self.bus = Bus("X", timing, self.scheduler)
        self.got: dict[str, list[Frame]] = {name: [] for name in "ABCD"}
        self.nodes: dict[str, Controller] = {
            name: self.bus.attach(name, self.got[name].append) for name in "ABCD"
        }

    def install(self, fault: WireFault) -> Installed:
        return fault.install({"X": self.bus}, self.scheduler)

    def send(self, name: str = "A", frame: Frame = FRAME) -> None:
        self.nodes[name].send(frame)

    def send_every_ms(self, count: int) -> None:
        start_ns = self.scheduler.now_ns
        for index in range(count):
            self.scheduler.post(start_ns + ms(index), int(Priority.ECU), partial(self.send))

    def run(self, duration_ns: int) -> None:
        self.scheduler.run_until_ns(self.scheduler.now_ns + duration_ns)

    def state(self, name: str) -> ErrorState:
        return self.nodes[name].error_state


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_bit_error_hits_every_nth_frame_of_one_message_as_often_as_told(bench: Bench) -> None:
    bench.install(BitError(bus="X", bits=(20,), arbitration_id=0x200, every=3, limit=2))
    bench.send_every_ms(12)
    bench.send("B", Frame(0x300))
    bench.run(ms(20))
    # Attempts count: the third, and after its repetition the third again.
    assert len(bench.bus.error_frames) == 2
    assert len(bench.got["C"]) == 13
    assert [frame.errors[0].bit for frame in bench.bus.error_frames] == [20, 20]


def test_a_fault_says_how_many_frames_it_hit(bench: Bench) -> None:
    hit = bench.install(BitError(bus="X", bits=(20,), limit=2))
    missed = bench.install(BitError(bus="X", bits=(700,), limit=None))
    bench.send_every_ms(5)
    bench.run(ms(10))
    assert (hit.effect, missed.effect) == ("2 frames hit", "0 frames hit")


def test_a_bit_error_at_one_node_is_seen_by_that_node_first(bench: Bench) -> None:
    bench.install(BitError(bus="X", bits=(20,), node="C"))
    bench.send()
    bench.run(ms(2))
    assert bench.bus.error_frames[0].errors[0].node == "C"
    assert len(bench.got["C"]) == len(bench.got["B"]) == 1


def test_a_suppressed_acknowledgement_is_an_error_of_the_sender_alone(bench: Bench) -> None:
    fault = bench.install(AckSuppressed(bus="X", sender="A"))
    bench.send()
    bench.send("B", Frame(0x300))
    bench.run(ms(10))
    assert bench.bus.error_frames[0].errors[0].kind is ErrorKind.ACK
    assert bench.nodes["A"].transmitted_count == 0
    assert bench.nodes["B"].transmitted_count == 1
    fault.remove()
    bench.run(ms(10))
    assert bench.nodes["A"].transmitted_count == 1


@pytest.mark.parametrize("level", ["dominant", "recessive"])
def test_nothing_gets_through_a_shorted_bus_and_everything_afterwards(
    bench: Bench, level: str
) -> None:
    bench.send()
    bench.run(50 * BIT_NS)
    fault = bench.install(BusShorted(bus="X", level=level))
    bench.run(ms(5))
    assert len(bench.got["B"]) == 0
    assert ErrorState.BUS_OFF in {change.after for change in bench.bus.state_changes}
    fault.remove()
    bench.run(ms(10))
    bench.send()
    bench.run(ms(2))
    assert len(bench.got["B"]) == 1
    assert {bench.state(name) for name in "ABCD"} <= {ErrorState.ACTIVE, ErrorState.WARNING}


def test_a_long_dominant_short_costs_no_time_to_simulate(bench: Bench) -> None:
    bench.send()
    fault = bench.install(BusShorted(bus="X", level="dominant"))
    bench.run(ms(3))
    events = bench.scheduler.event_count
    bench.run(ms(60_000))
    assert bench.scheduler.event_count - events < 10
    fault.remove()
    bench.run(ms(10))
    assert bench.bus.wire.active is False


def test_a_stuck_transceiver_is_a_dominant_bus(bench: Bench) -> None:
    bench.install(StuckDominant(bus="X", node="C"))
    bench.send()
    bench.run(ms(5))
    assert all(len(frames) == 0 for frames in bench.got.values())


def test_a_dead_transmitter_hears_everything_and_ends_bus_off(bench: Bench) -> None:
    fault = bench.install(StuckRecessive(bus="X", node="A"))
    bench.send("B", Frame(0x300))
    bench.run(us(500))
    assert bench.got["A"] == bench.got["C"] == [Frame(0x300)]
    bench.send()
    bench.send("B", Frame(0x301))  # A spoils nobody's frame with flags nobody sees
    bench.run(ms(3))
    assert bench.got["C"] == [Frame(0x300), Frame(0x301)]
    states = [change.after for change in bench.bus.state_changes if change.node == "A"]
    assert ErrorState.BUS_OFF in states
    assert {change.node for change in bench.bus.state_changes} == {"A"}
    fault.remove()
    bench.run(ms(5))
    bench.send()
    bench.run(ms(1))
    assert FRAME in bench.got["B"]


def test_a_dead_transmitter_acknowledges_nothing() -> None:
    bench = Bench()
    for name in "CD":
        bench.nodes[name].set_enabled(False)
    bench.install(StuckRecessive(bus="X", node="B"))
    bench.send()
    bench.run(ms(10))
    assert bench.nodes["A"].transmitted_count == 0
    assert bench.nodes["A"].transmit_error_count == 128


def test_a_pulse_within_a_frame_destroys_it_and_the_repetition_gets_through(bench: Bench) -> None:
    bench.send()
    bench.run(20 * BIT_NS)
    bench.install(DominantPulse(bus="X", duration_ns=8 * BIT_NS))
    bench.run(ms(2))
    assert len(bench.bus.error_frames) == 1
    assert len(bench.got["B"]) == 1
    assert bench.bus.disturbances == []


def test_a_pulse_between_two_sample_points_goes_unseen(bench: Bench) -> None:
    bench.send()
    bench.run(20 * BIT_NS)
    bench.install(DominantPulse(bus="X", duration_ns=BIT_NS // 2))
    bench.run(ms(2))
    assert bench.bus.error_frames == []
    assert len(bench.got["B"]) == 1


def test_a_pulse_on_the_idle_bus_looks_like_a_start_of_frame(bench: Bench) -> None:
    bench.install(DominantPulse(bus="X", duration_ns=BIT_NS))
    bench.run(ms(1))
    errors = bench.bus.error_frames[0].errors
    assert {(error.kind, error.bit) for error in errors} == {(ErrorKind.STUFF, 6)}
    assert all(node.receive_error_count == 1 for node in bench.nodes.values())


def test_pulses_can_repeat_until_they_are_taken_away(bench: Bench) -> None:
    fault = bench.install(DominantPulse(bus="X", duration_ns=BIT_NS, period_ns=us(500)))
    bench.run(ms(5))
    assert len(bench.bus.error_frames) == 10
    fault.remove()
    bench.run(ms(5))
    assert len(bench.bus.error_frames) == 10


def test_behind_an_open_wire_a_node_is_alone(bench: Bench) -> None:
    fault = bench.install(OpenWire(bus="X", node="A"))
    bench.send()
    bench.send("B", Frame(0x300))
    bench.run(ms(50))
    assert bench.got["C"] == [Frame(0x300)]
    assert bench.got["A"] == []
    assert bench.nodes["A"].transmit_error_count == 128
    fault.remove()
    bench.run(ms(5))
    assert bench.got["C"] == [Frame(0x300), FRAME]


def test_an_unplugged_node_starts_anew(bench: Bench) -> None:
    bench.nodes["A"].add_transmit_errors(100)
    fault = bench.install(NodeUnplugged(bus="X", node="A"))
    bench.send()
    bench.run(ms(2))
    fault.remove()
    bench.run(ms(2))
    assert bench.got["B"] == []
    assert bench.nodes["A"].transmit_error_count == 0
    bench.send()
    bench.run(ms(2))
    assert bench.got["B"] == [FRAME]


def test_on_an_open_bus_nobody_reaches_anybody(bench: Bench) -> None:
    fault = bench.install(BusOpen(bus="X"))
    bench.send()
    bench.send("B", Frame(0x300))
    bench.run(ms(20))
    assert all(frames == [] for frames in bench.got.values())
    assert [bench.nodes[name].transmit_error_count for name in "ABCD"] == [128, 128, 0, 0]
    fault.remove()
    bench.run(ms(20))
    assert len(bench.got["C"]) == 2


def test_bus_off_at_once_and_back_after_the_recovery(bench: Bench) -> None:
    bench.send()
    bench.run(20 * BIT_NS)
    bench.install(BusOff(bus="X", node="A"))
    assert bench.state("A") is ErrorState.BUS_OFF
    bench.run(ms(1))
    assert bench.got["B"] == []  # the frame was cut
    bench.run(ms(3))
    assert bench.state("A") is ErrorState.ACTIVE


def test_a_shifted_ground_makes_errors_at_that_node_and_is_seeded() -> None:
    counts = []
    for seed in (1, 1, 2):
        bench = Bench()
        bench.install(GroundOffset(bus="X", node="C", bit_error_ratio=1e-3, seed=seed))
        bench.send_every_ms(300)
        bench.run(ms(400))
        assert len(bench.got["B"]) >= 300
        first = [frame.errors[0].node for frame in bench.bus.error_frames if not frame.overload]
        assert set(first) == {"C"}
        counts.append([frame.begin_ns for frame in bench.bus.error_frames])
    assert counts[0] == counts[1] != counts[2]
    # 300 frames of some 70 bits at one in a thousand: about 20.
    assert 8 <= len(counts[0]) <= 40


def test_a_babbling_node_starves_what_is_less_urgent_and_nothing_else(bench: Bench) -> None:
    fault = bench.install(BabblingNode(bus="X", node="D", arbitration_id=0x100, data=bytes(8)))
    bench.send("A", FRAME)
    bench.send("B", Frame(0x050))
    bench.run(ms(20))
    assert bench.nodes["A"].transmitted_count == 0
    assert bench.nodes["B"].transmitted_count == 1
    assert bench.bus.load_ratio > 0.99
    fault.remove()
    bench.run(ms(2))
    assert bench.nodes["A"].transmitted_count == 1


def test_a_babbler_goes_on_after_a_bus_off(bench: Bench) -> None:
    bench.install(BabblingNode(bus="X", node="D", arbitration_id=0x100))
    short = bench.install(BusShorted(bus="X"))
    bench.run(ms(1))
    short.remove()
    count = len(bench.bus.log)
    bench.run(ms(20))
    assert len(bench.bus.log) > count + 50


def test_a_babbler_with_a_period_leaves_room(bench: Bench) -> None:
    bench.install(
        BabblingNode(bus="X", node="D", arbitration_id=0x100, is_fd=True, period_ns=us(500))
    )
    bench.send_every_ms(5)
    bench.run(ms(10))
    assert bench.nodes["A"].transmitted_count == 5
    # The one asked for at the very end is not through yet.
    assert sum(record.sender == "D (babbling)" for record in bench.bus.log) == 20


EVERY_FAULT: list[WireFault] = [
    BitError(bus="X", bits=(20,), node="B", level="dominant", limit=None),
    AckSuppressed(bus="X", arbitration_id=0x200),
    BusShorted(bus="X"),
    StuckDominant(bus="X", node="A"),
    StuckRecessive(bus="X", node="A"),
    DominantPulse(bus="X", duration_ns=1000, period_ns=us(300)),
    OpenWire(bus="X", node="A"),
    NodeUnplugged(bus="X", node="A"),
    BusOpen(bus="X"),
    BusOff(bus="X", node="A"),
    GroundOffset(bus="X", node="A", bit_error_ratio=1e-3),
    BabblingNode(bus="X", node="A"),
]


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_every_fault_travels_with_a_copy_and_can_be_taken_away_twice(
    fault: WireFault, bench: Bench
) -> None:
    bench.send_every_ms(30)
    bench.run(ms(1) + us(33))
    installed = bench.install(fault)
    bench.run(ms(3) + us(70))
    twin, its = copy.deepcopy((bench, installed))
    thawed, thawed_installed = pickle.loads(pickle.dumps((bench, installed)))
    for each, mine in ((bench, installed), (twin, its), (thawed, thawed_installed)):
        each.run(ms(3))
        mine.remove()
        mine.remove()
        each.run(ms(40))
        assert list(each.bus.log) == list(bench.bus.log)
        assert each.bus.error_frames == bench.bus.error_frames
        assert each.bus.disturbances == []
    assert fault.sentence.startswith("X")
    assert len(bench.got["C"]) > 20


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_every_fault_refuses_a_bus_that_is_not_there(fault: WireFault, bench: Bench) -> None:
    name = type(fault).__name__
    with pytest.raises(UsageError, match=rf"^{name}, bus: expected one of Y, got 'X'$"):
        fault.install({"Y": bench.bus}, bench.scheduler)


def test_a_node_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"^X: node 'Z': expected one of A, B, C, D$"):
        bench.install(OpenWire(bus="X", node="Z"))
    with pytest.raises(UsageError, match=r"^X: node 'Z': expected one of A, B, C, D$"):
        bench.install(BitError(bus="X", bits=(1,), sender="Z"))
    with pytest.raises(UsageError, match=r"^X: node 'Z': expected one of A, B, C, D$"):
        bench.install(AckSuppressed(bus="X", sender="Z"))


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (partial(BitError, bus="X", bits=()), r"BitError\.bits"),
        (partial(BitError, bus="X", bits=(-1,)), r"BitError\.bits"),
        (partial(BitError, bus="X", bits=(741,)), r"BitError\.bits"),
        (partial(BitError, bus="X", bits=30), r"BitError\.bits"),  # type: ignore[arg-type]
        (partial(BitError, bus="X", bits=(1,), level="low"), r"BitError\.level"),
        (partial(BitError, bus="X", bits=(1,), every=0), r"BitError\.every"),
        (partial(BitError, bus="X", bits=(1,), limit=0), r"BitError\.limit"),
        (partial(BusShorted, bus="X", level="high"), r"BusShorted\.level"),
        (partial(DominantPulse, bus="X", duration_ns=0), r"DominantPulse\.duration_ns"),
        (partial(DominantPulse, bus="X", duration_ns=9, period_ns=9), r"DominantPulse\.period_ns"),
        (
            partial(GroundOffset, bus="X", node="A", bit_error_ratio=0.0),
            r"GroundOffset\.bit_error_ratio",
        ),
        (partial(BabblingNode, bus="X", node="A", period_ns=0), r"BabblingNode\.period_ns"),
    ],
)
def test_impossible_faults_are_refused(make: partial[WireFault], where: str) -> None:
    with pytest.raises(UsageError, match=rf"^{where}: expected "):
        make()
