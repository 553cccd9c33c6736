"""Fault confinement, number for number.

The expected figures were measured on the CTU CAN FD core at 200 ns per bit; index 0 is SOF.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simcore.bus import (
    DLC_TO_LENGTH,
    BitFlips,
    BitTiming,
    Bus,
    Controller,
    ControllerOptions,
    Disturbance,
    ErrorKind,
    ErrorState,
    Frame,
    FrameMatch,
    HeldLine,
    Recovery,
    StateChange,
    TransmitPolicy,
    bits,
)
from simcore.kernel import Priority, Scheduler

BIT_NS = 200
TIMING = BitTiming(nominal_bps=5_000_000, data_bps=10_000_000)
EVERYTHING = FrameMatch()
LONE = Frame(0x123, b"\x55")
"""53 bits, ACK slot at index 44."""
PAIR = Frame(0x123, b"\x55\x0f")
"""63 bits; the vectors disturb its data bits."""


class Net:
    """A bus with named nodes that note when they received what."""

    def __init__(
        self,
        names: Sequence[str] = "TRS",
        timing: BitTiming = TIMING,
        options: ControllerOptions | None = None,
    ) -> None:
        self.scheduler = Scheduler()
        self.bus = Bus("X", timing, self.scheduler)
        self.got: dict[str, list[tuple[int, Frame]]] = {name: [] for name in names}
        self.nodes: dict[str, Controller] = {}
        for name in names:
            controller = self.bus.attach(name, partial(self._take, name))
            if options is not None:
                controller.configure(options)
            self.nodes[name] = controller

    def _take(self, name: str, frame: Frame) -> None:
        self.got[name].append((self.scheduler.now_ns, frame))

    def __getitem__(self, name: str) -> Controller:
        return self.nodes[name]

    def run_bits(self, count: int) -> None:
        self.scheduler.run_until_ns(self.scheduler.now_ns + count * BIT_NS)

    def at_bit(self, bit: float, action: partial[object]) -> None:
        self.scheduler.post(int(bit * BIT_NS), int(Priority.OBSERVER), action)

    def pulse(self, first: int, count: int = 1) -> None:
        """Dominant from the start of bit `first` of the time axis on, for `count` bits."""
        held = HeldLine(0)
        self.at_bit(first, partial(self.bus.disturb, held))
        self.at_bit(first + count, partial(self.bus.undisturb, held))

    def flip(
        self,
        *at: int,
        node: str | None = None,
        limit: int | None = 1,
        level: int | None = None,
    ) -> BitFlips:
        flips = BitFlips(at, match=EVERYTHING, node=node, limit=limit, level=level)
        self.bus.disturb(flips)
        return flips

    @property
    def sof_bits(self) -> list[float]:
        """Every start of frame in bits: of destroyed frames and of those that went through."""
        starts_ns = [frame.sof_ns for frame in self.bus.error_frames]
        starts_ns += [record.sof_ns for record in self.bus.log]
        return [start_ns / BIT_NS for start_ns in sorted(set(starts_ns))]

    @property
    def spacings(self) -> list[float]:
        return [later - first for first, later in pairwise(self.sof_bits)]

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """TEC and REC of every node."""
        return {
            name: (node.transmit_error_count, node.receive_error_count)
            for name, node in self.nodes.items()
        }

    @property
    def detections(self) -> list[tuple[str, ErrorKind, str, int]]:
        """Of the first error frame."""
        return [
            (error.node, error.kind, error.field, error.bit)
            for error in self.bus.error_frames[0].errors
        ]


def sent_pair(*flipped: int, node: str | None = None, level: int | None = None) -> Net:
    """`PAIR` sent by T with some bits of its first attempt disturbed, and 300 bits of time."""
    net = Net()
    net.flip(*flipped, node=node, level=level)
    net["T"].send(PAIR)
    net.run_bits(300)
    return net


# ---- the measured scenarios ----


def test_a_lone_node_stops_counting_at_128_and_is_never_bus_off() -> None:
    net = Net("T")
    net["T"].send(LONE)
    net.run_bits(16 * 62 + 2 * 70)
    assert net.spacings[:15] == [62.0] * 15
    assert net.spacings[15:] == [70.0]
    first = net.bus.error_frames[0].errors[0]
    assert (first.kind, first.field, first.bit, first.transmitter) == (
        ErrorKind.ACK,
        "ack_slot",
        44,
        True,
    )
    assert [frame.errors[0].transmit_error_count for frame in net.bus.error_frames] == [
        *range(8, 129, 8),
        128,
    ]
    assert net["T"].error_state is ErrorState.PASSIVE
    net.run_bits(100_000)
    assert net["T"].transmit_error_count == 128
    assert net["T"].error_state is ErrorState.PASSIVE
    assert len(net.bus.log) == 0


def test_the_first_acknowledgement_makes_a_lone_node_active_again() -> None:
    net = Net("TR")
    net["R"].set_enabled(False)
    net["T"].send(LONE)
    net.run_bits(3000)
    assert net["T"].transmit_error_count == 128
    net["R"].set_enabled(True)
    net.run_bits(300)
    assert net.counts == {"T": (127, 0), "R": (0, 0)}
    assert [frame for _, frame in net.got["R"]] == [LONE]
    assert net["T"].error_state is ErrorState.WARNING


def test_a_forced_dominant_bit_is_answered_by_flags_on_flags() -> None:
    net = sent_pair(23, level=0)
    # Flag of the transmitter in bits 24..29, of the receivers in 28..33.
    assert net.detections == [
        ("T", ErrorKind.BIT, "data", 23),
        ("R", ErrorKind.STUFF, "data", 27),
        ("S", ErrorKind.STUFF, "data", 27),
    ]
    assert net.sof_bits == [0.0, 45.0]
    (error_frame,) = net.bus.error_frames
    assert (error_frame.begin_ns, error_frame.end_ns) == (24 * BIT_NS, 42 * BIT_NS)
    assert (error_frame.frame, error_frame.sender) == (PAIR, "T")
    assert [error.transmit_error_count for error in error_frame.errors] == [8, 0, 0]
    assert [error.receive_error_count for error in error_frame.errors] == [0, 1, 1]
    assert net.counts == {"T": (7, 0), "R": (0, 0), "S": (0, 0)}


def test_a_forced_recessive_bit_costs_a_bit_more() -> None:
    assert sent_pair(22).sof_bits == [0.0, 46.0]


def test_one_receiver_with_a_wrong_bit_ends_in_a_crc_error_after_the_ack_delimiter() -> None:
    net = sent_pair(21, node="R")
    assert net.sof_bits == [0.0, 74.0]
    assert net.detections == [
        ("R", ErrorKind.CRC, "ack_delimiter", 55),
        ("S", ErrorKind.FORM, "eof", 56),
        ("T", ErrorKind.FORM, "eof", 56),
    ]
    # 1 for its own error and 8 because it was first; the repetition takes one off everybody.
    assert net.counts == {"T": (7, 0), "R": (0, 8), "S": (0, 0)}
    assert [len(net.got[name]) for name in "RS"] == [1, 1]


def test_a_dominant_ack_delimiter_is_a_form_error_for_all() -> None:
    net = sent_pair(55, level=0)
    assert net.sof_bits == [0.0, 73.0]
    assert {kind for _, kind, _, _ in net.detections} == {ErrorKind.FORM}
    assert [len(net.got[name]) for name in "RS"] == [1, 1]


def test_one_receiver_with_a_stuff_violation_destroys_the_frame() -> None:
    net = sent_pair(17, node="R")
    assert net.sof_bits == [0.0, 41.0]
    assert net.detections[:2] == [
        ("R", ErrorKind.STUFF, "dlc", 17),
        ("T", ErrorKind.BIT, "dlc", 18),
    ]
    errors = net.bus.error_frames[0].errors
    assert [(e.node, e.receive_error_count) for e in errors if e.node == "S"] == [("S", 1)]
    assert net.counts == {"T": (7, 0), "R": (0, 8), "S": (0, 0)}


def test_a_dominant_bit_6_of_eof_repeats_the_frame_that_is_received_once() -> None:
    net = sent_pair(61, level=0)
    assert net.sof_bits == [0.0, 79.0]
    assert [len(net.got[name]) for name in "RS"] == [1, 1]


def test_a_dominant_bit_7_of_eof_makes_everybody_receive_twice() -> None:
    net = sent_pair(62, level=0)
    assert net.sof_bits == [0.0, 80.0]
    assert [len(net.got[name]) for name in "RS"] == [2, 2]
    assert [(node, kind) for node, kind, _, _ in net.detections] == [
        ("R", ErrorKind.OVERLOAD),
        ("S", ErrorKind.OVERLOAD),
        ("T", ErrorKind.FORM),
    ]
    assert net["T"].transmitted_count == 1
    assert net.counts == {"T": (7, 0), "R": (0, 0), "S": (0, 0)}


@pytest.mark.parametrize("bit", [63, 64])
def test_a_dominant_bit_1_or_2_of_the_intermission_is_an_overload_frame(bit: int) -> None:
    net = sent_pair(bit, level=0)
    (overload,) = net.bus.error_frames
    assert overload.overload
    assert (overload.frame, overload.sender) == (None, "")
    # 6 flag bits, all nodes at once, and 8 of delimiter.
    assert overload.begin_ns == (bit + 1) * BIT_NS
    assert overload.end_ns == (bit + 15) * BIT_NS
    assert net.counts == {"T": (0, 0), "R": (0, 0), "S": (0, 0)}
    assert [len(net.got[name]) for name in "RS"] == [1, 1]


def test_a_lone_dominant_bit_3_of_the_intermission_is_a_start_of_frame() -> None:
    net = sent_pair(65, level=0)
    assert {(kind, field, bit) for _, kind, field, bit in net.detections} == {
        (ErrorKind.STUFF, "identifier", 6)
    }
    assert net.counts == {"T": (0, 1), "R": (0, 1), "S": (0, 1)}


def test_a_node_with_a_frame_takes_a_dominant_bit_3_as_its_own_start_of_frame() -> None:
    net = Net()
    net.flip(65, level=0)
    net["T"].send(PAIR)
    net["S"].send(Frame(0x200, b"\x55"))
    net.run_bits(300)
    assert [record.sender for record in net.bus.log] == ["T", "S"]
    assert net.sof_bits == [0.0, 65.0]  # one bit earlier than after a whole intermission
    assert net.bus.error_frames == []


def test_32_errors_in_a_row_make_a_transmitter_bus_off() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.NEVER))
    net.flip(23, level=0, limit=None)
    net["T"].send(PAIR)
    net.run_bits(3000)
    assert net.spacings == [45.0] * 15 + [53.0] + [55.0] * 15
    counted = [frame.errors[0].transmit_error_count for frame in net.bus.error_frames]
    assert counted == list(range(8, 257, 8))
    assert [frame.errors[0].passive for frame in net.bus.error_frames] == [False] * 16 + [True] * 16
    assert net["T"].error_state is ErrorState.BUS_OFF
    assert [(change.node, change.after) for change in net.bus.state_changes] == [
        ("T", ErrorState.WARNING),
        ("T", ErrorState.PASSIVE),
        ("T", ErrorState.BUS_OFF),
    ]
    assert net["T"].pending_count == 0


# ---- collisions of the same identifier ----


def test_different_data_under_one_identifier_end_with_one_node_failing_silently() -> None:
    net = Net()
    net["T"].send(Frame(0x123, b"\x0f\x55"))
    net["R"].send(Frame(0x123, b"\x55\x55"))
    net.run_bits(2000)
    spacings = net.spacings
    assert len(set(spacings[:15])) == 1
    assert spacings[15] == spacings[0] + 8  # both are passive now: suspend
    # T's dominant bit wins: R's passive flag is invisible, T's frame goes through.
    assert [record.sender for record in net.bus.log] == ["T", "R"]
    assert net.counts == {"T": (127, 0), "R": (135, 0), "S": (0, 14)}


@pytest.mark.parametrize("is_extended_id", [False, True])
def test_an_fd_and_a_classic_frame_of_one_identifier_are_no_arbitration(
    is_extended_id: bool,
) -> None:
    identifier = 0x123 << 18 if is_extended_id else 0x123
    fd = Frame(identifier, b"\x55", is_extended_id=is_extended_id, is_fd=True)
    classic = Frame(identifier, b"\x55", is_extended_id=is_extended_id)
    net = Net()
    net["T"].send(fd)
    net["R"].send(classic)
    net.run_bits(2600)
    if not is_extended_id:
        assert net.spacings[:15] == [35.0] * 15
    node, kind, field, _ = net.detections[0]
    assert (node, kind, field) == ("T", ErrorKind.BIT, "control")
    # The FD node fails silently, the classic frame gets through, then the FD frame.
    assert [record.frame.is_fd for record in net.bus.log] == [False, True]
    assert net.counts["T"] == (135, 0)
    assert net.counts["R"] == (127, 0)


def test_identical_frames_of_two_nodes_are_no_error_bit_by_bit() -> None:
    net = Net()
    net.bus.disturb(BitByBit())
    for name in "TR":
        net[name].send(PAIR)
    net.run_bits(300)
    assert net.bus.error_frames == []
    assert [net[name].transmitted_count for name in "TRS"] == [1, 1, 0]
    assert [len(net.got[name]) for name in "TRS"] == [0, 0, 1]


# ---- rules of the counters ----


def test_a_passive_receiver_that_receives_well_goes_on_from_120() -> None:
    net = Net()
    net["R"].add_receive_errors(200)
    assert net["R"].error_state is ErrorState.PASSIVE
    net["T"].send(PAIR)
    net.run_bits(100)
    assert net["R"].receive_error_count == 120
    assert net["R"].error_state is ErrorState.WARNING
    net["T"].send(PAIR)
    net.run_bits(100)
    assert net["R"].receive_error_count == 119


def test_the_receive_count_stops_at_255_and_is_no_way_to_bus_off() -> None:
    net = Net()
    net["R"].add_receive_errors(1000)
    assert net["R"].receive_error_count == 255
    assert net["R"].error_state is ErrorState.PASSIVE


def test_a_recessive_stuff_bit_overwritten_in_the_arbitration_field_counts_nothing() -> None:
    frame = Frame(0x00F, b"")  # five dominant bits from SOF on: bit 5 is a recessive stuff bit
    assert bits(frame)[:6] == "000001"
    net = Net()
    net.flip(5, level=0)
    net["T"].send(frame)
    net.run_bits(300)
    _, kind, _, bit = net.detections[0]
    assert (kind, bit) == (ErrorKind.STUFF, 5)
    transmitter = next(e for e in net.bus.error_frames[0].errors if e.transmitter)
    assert transmitter.transmit_error_count == 0
    assert [record.sender for record in net.bus.log] == ["T"]


def test_dominant_bits_after_the_flag_count_eight_for_every_eight() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.NEVER))
    net["T"].send(PAIR)
    # Dominant from bit 23 on for 1 + 6 + 8 + 8 bits: 14 dominant bits from the flag on, 8 more.
    net.pulse(23, 23)
    net.run_bits(46)
    assert net.counts["T"] == (8 + 8 + 8, 0)
    # Receivers: 1 for the stuff error in bit 27, then their flag 28..33, +8 for the dominant bit
    # right after it, +8 for the eighth one after it.
    assert net.counts["R"] == (0, 1 + 8 + 8)


def test_an_error_passive_sender_says_so_in_esi_and_waits_eight_bits_more() -> None:
    net = Net()
    net["T"].add_transmit_errors(136)
    fd = Frame(0x123, b"\x55", is_fd=True, bitrate_switch=True)
    net["T"].send(fd)
    net["T"].send(fd)
    net.run_bits(300)
    first, second = net.bus.log
    assert first.frame.error_state_indicator
    assert second.sof_ns - first.eof_ns == (3 + 8) * BIT_NS
    assert net["T"].transmit_error_count == 134


def test_another_node_may_start_while_a_passive_one_is_suspended() -> None:
    net = Net()
    net["T"].add_transmit_errors(136)
    net["T"].send(Frame(0x100))
    net["T"].send(Frame(0x100))
    net["R"].send(Frame(0x200))
    net.run_bits(400)
    assert [record.sender for record in net.bus.log] == ["T", "R", "T"]


# ---- FD ----


def test_an_error_in_the_data_phase_falls_back_to_the_nominal_rate_at_the_sample_point() -> None:
    timing = BitTiming(
        nominal_bps=5_000_000,
        data_bps=10_000_000,
        nominal_sample_point_permille=750,
        data_sample_point_permille=700,
    )
    frame = Frame(0x123, b"\x55" * 8, is_fd=True, bitrate_switch=True)
    net = Net(timing=timing)
    bit = 40
    net.flip(bit)
    net["T"].send(frame)
    net.run_bits(400)
    error_frame = net.bus.error_frames[0]
    # 17 bits up to BRS at 200 ns, BRS itself 180 ns, then data bits of 100 ns; the erroneous one
    # lasts 0.7 x 100 + 0.25 x 200 = 120 ns.
    stuffed = bits(frame)
    brs = stuffed.index("101", 14) + 2
    begin_ns = brs * 200 + 180 + (bit - brs - 1) * 100 + 120
    assert error_frame.errors[0].bit == bit
    assert error_frame.begin_ns == begin_ns
    flag = [e for e in error_frame.errors if e.transmitter]
    assert flag[0].kind is ErrorKind.BIT
    assert [record.frame for record in net.bus.log] == [frame]


@pytest.mark.parametrize(
    ("where", "kind", "field"),
    [
        ("fixed stuff bit", ErrorKind.FORM, "stuff_count"),
        ("stuff count", ErrorKind.CRC, "ack_delimiter"),
        ("crc", ErrorKind.CRC, "ack_delimiter"),
    ],
)
def test_what_a_receiver_makes_of_a_wrong_fd_tail(where: str, kind: ErrorKind, field: str) -> None:
    frame = Frame(0x123, b"\x55", is_fd=True, bitrate_switch=True)
    start = len(bits(frame)) - 10 - 27  # 10 bits from the CRC delimiter on, 27 of the tail
    bit = start + {"fixed stuff bit": 0, "stuff count": 2, "crc": 12}[where]
    net = Net()
    net.flip(bit, node="R")
    net["T"].send(frame)
    net.run_bits(400)
    assert net.detections[0][:3] == ("R", kind, field)
    assert [record.frame for record in net.bus.log] == [frame]


# ---- bus-off and back ----


def test_recovery_takes_128_times_11_recessive_bits() -> None:
    net = Net()
    net["T"].force_bus_off()
    assert net["T"].error_state is ErrorState.BUS_OFF
    net.run_bits(128 * 11 - 1)
    assert net["T"].error_state is ErrorState.BUS_OFF
    net.run_bits(1)
    assert net["T"].error_state is ErrorState.ACTIVE
    assert net.counts["T"] == (0, 0)


def test_traffic_lengthens_the_recovery() -> None:
    net = Net()
    net["T"].force_bus_off()
    for start in range(20):
        net.at_bit(100 * start, partial(net["R"].send, PAIR))
    net.run_bits(2600)
    recovered_ns = net.bus.state_changes[-1].time_ns
    # After each frame of 63 bits: ACK delimiter, EOF and the rest of the 100 bits, 45 recessive
    # bits with four runs of eleven; without frames there would be nine in 100 bits.
    first_run = 0  # the first frame starts at once
    runs_per_100_bits = 45 // 11
    left = 128 - first_run - 19 * runs_per_100_bits
    assert recovered_ns == (1900 + 55 + left * 11) * BIT_NS


def test_on_request_a_controller_stays_bus_off_until_software_asks() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.ON_REQUEST))
    net["T"].force_bus_off()
    net.run_bits(10_000)
    assert net["T"].error_state is ErrorState.BUS_OFF
    net["T"].recover()
    net.run_bits(128 * 11)
    assert net["T"].error_state is ErrorState.ACTIVE


def test_never_means_never() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.NEVER))
    net["T"].force_bus_off()
    net["T"].recover()
    net.run_bits(100_000)
    assert net["T"].error_state is ErrorState.BUS_OFF


def test_a_delay_comes_before_the_recovery() -> None:
    net = Net(options=ControllerOptions(recovery_delay_ns=1000 * BIT_NS))
    net["T"].force_bus_off()
    net.run_bits(1000 + 128 * 11)
    assert net["T"].error_state is ErrorState.ACTIVE
    assert net.bus.state_changes[-1].time_ns == (1000 + 128 * 11) * BIT_NS


def test_the_delay_of_an_earlier_bus_off_does_not_shorten_a_later_one() -> None:
    net = Net(options=ControllerOptions(recovery_delay_ns=1000 * BIT_NS))
    net["T"].force_bus_off()
    net.run_bits(900)
    net["T"].set_enabled(False)
    net["T"].set_enabled(True)
    net["T"].force_bus_off()
    net.run_bits(1000 + 128 * 11)
    assert net.bus.state_changes[-1].time_ns == (1900 + 128 * 11) * BIT_NS
    assert net["T"].error_state is ErrorState.ACTIVE


def test_a_bus_off_controller_refuses_requests_and_counts_them() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.NEVER))
    net["T"].send(PAIR)
    net["T"].send(PAIR)
    net["T"].force_bus_off()
    net["T"].send(LONE)
    net.run_bits(500)
    assert net["T"].refused_count == 3
    assert len(net.bus.log) == 0


def test_nodes_hear_of_their_own_errors_and_states() -> None:
    heard: list[object] = []
    net = Net(options=ControllerOptions(recovery=Recovery.NEVER))
    net["T"].listen_errors(heard.append)
    net.flip(23, level=0, limit=None)
    net["T"].send(PAIR)
    net.run_bits(3000)
    assert [type(each).__name__ for each in heard].count("WireError") == 32
    assert [each.after for each in heard if isinstance(each, StateChange)] == [
        ErrorState.WARNING,
        ErrorState.PASSIVE,
        ErrorState.BUS_OFF,
    ]


# ---- the wire and the fast path are one bus ----


class BitByBit(Disturbance):
    """Disturbs nothing, but makes the bus look at every bit of every frame."""

    __slots__ = ()

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        return True


def fd_frame(identifier: int, data: bytes, extended: bool, switched: bool, esi: bool) -> Frame:
    length = next(each for each in DLC_TO_LENGTH if each >= len(data))
    return Frame(
        identifier if extended else identifier & 0x7FF,
        data.ljust(length, b"\x00"),
        is_extended_id=extended,
        is_fd=True,
        bitrate_switch=switched,
        error_state_indicator=esi,
    )


def classic_frame(identifier: int, data: bytes, extended: bool) -> Frame:
    return Frame(identifier if extended else identifier & 0x7FF, data[:8], is_extended_id=extended)


payloads = st.one_of(
    st.binary(max_size=8),
    st.integers(0, 64).map(bytes),
    st.sampled_from([b"\xff" * 64, b"\x1f", b"\x0f" * 12]),
)
identifiers = st.one_of(st.sampled_from([0, 0x100, 0x7FF, 0x1FFFFFFF]), st.integers(0, 0x1FFFFFFF))
frames = st.one_of(
    st.builds(fd_frame, identifiers, payloads, st.booleans(), st.booleans(), st.booleans()),
    st.builds(classic_frame, identifiers, payloads, st.booleans()),
    st.builds(Frame, st.integers(0, 0x7FF), is_remote_frame=st.just(True)),
)
TIMINGS = [
    BitTiming(nominal_bps=500_000, data_bps=2_000_000),
    BitTiming(nominal_bps=700_000, data_bps=900_000),
    BitTiming(nominal_bps=500_000, data_bps=2_000_000, iso=False),
]
traffic = st.lists(st.tuples(st.sampled_from("ABC"), frames, st.integers(0, 800_000)), max_size=8)


def outcome(timing: BitTiming, requests: list[tuple[str, Frame, int]], watched: bool) -> object:
    net = Net("ABCD", timing)
    if watched:
        net.bus.disturb(BitByBit())
    first: dict[int, Frame] = {}
    for name, frame, time_ns in requests:
        # Different frames with one arbitration field would be an error, not arbitration.
        frame = first.setdefault(frame.header.arbitration_key, frame)
        net.scheduler.post(time_ns, int(Priority.ECU), partial(net[name].send, frame))
    net.scheduler.run_until_ns(10**8)
    return (
        list(net.bus.log),
        net.got,
        net.bus.busy_ns,
        [
            (n.transmitted_count, n.received_count, n.arbitration_lost_count)
            for n in net.nodes.values()
        ],
        net.bus.error_frames,
    )


@given(st.sampled_from(TIMINGS), traffic)
def test_bit_by_bit_undisturbed_frames_go_exactly_as_whole_frames_do(
    timing: BitTiming, requests: list[tuple[str, Frame, int]]
) -> None:
    assert outcome(timing, requests, watched=True) == outcome(timing, requests, watched=False)


OPTIONS = [
    ControllerOptions(),
    ControllerOptions(transmit=TransmitPolicy.FIFO),
    ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=1),
    ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=2),
    ControllerOptions(single_shot=True),
    ControllerOptions(transmit_depth=1),
    ControllerOptions(replace_pending=frozenset({0x100})),
]
AT_BIT = st.one_of(
    st.integers(0, 400).map(lambda half: half / 2), st.sampled_from([61.5, 62, 62.5])
)
deeds = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "abort", "listen", "talk", "off", "on", "pulse"]),
        st.sampled_from("AB"),
        st.sampled_from([0x100, 0x123, 0x300]),
        AT_BIT,
    ),
    min_size=1,
    max_size=7,
)


def do(net: Net, deed: str, name: str, identifier: int) -> None:
    if deed == "send":
        net[name].send(Frame(identifier, b"\x55\x0f"))
    elif deed == "abort":
        net[name].abort()
    elif deed in ("listen", "talk"):
        net[name].set_listen_only(deed == "listen")
    elif deed in ("off", "on"):
        net[name].set_enabled(deed == "on")
    else:
        held = HeldLine(0)
        net.bus.disturb(held)
        net.scheduler.post(
            net.scheduler.now_ns + BIT_NS, int(Priority.ECU), partial(net.bus.undisturb, held)
        )


def through(done: list[object], net: Net, frame: Frame) -> None:
    done.append((net.scheduler.now_ns, frame.arbitration_id))


def everything(
    options: ControllerOptions,
    todo: list[tuple[str, str, int, float]],
    *,
    told: bool,
    watched: bool,
) -> object:
    net = Net("ABCD")
    done: dict[str, list[object]] = {"A": [], "B": []}
    for name in done:
        net[name].configure(options)
        if told:
            net[name].listen_transmitted(partial(through, done[name], net))
    if watched:
        net.bus.disturb(BitByBit())
    for deed, name, identifier, bit in todo:
        net.at_bit(bit, partial(do, net, deed, name, identifier))
    net.run_bits(1500)
    return (
        list(net.bus.log),
        net.got,
        done,
        net.bus.busy_ns,
        net.counts,
        [
            (n.transmitted_count, n.arbitration_lost_count, n.single_shot_lost_count)
            for n in net.nodes.values()
        ],
        [(n.pending_count, n.refused_count, n.received_count) for n in net.nodes.values()],
        [(*each[:-2], sorted(each.errors), each.sof_ns) for each in net.bus.error_frames],
    )


def meets_an_arbitration(todo: list[tuple[str, str, int, float]], *outcomes: Any) -> bool:
    """Whether something happens in an arbitration field: whole frames decide that at SOF."""
    frames = [record for outcome in outcomes for record in outcome[0]]
    starts_ns = [record.sof_ns for record in frames]
    starts_ns += [record.eof_ns + 3 * BIT_NS for record in frames]  # of one cut at its first bit
    starts_ns += [bit * BIT_NS for deed, _, _, bit in todo if deed == "send"]
    starts_ns += [error[-1] for outcome in outcomes for error in outcome[-1]]
    at_ns = [bit * BIT_NS for deed, _, _, bit in todo if deed not in ("send", "abort")]
    return any(
        start_ns <= time_ns <= start_ns + 15 * BIT_NS for start_ns in starts_ns for time_ns in at_ns
    )


@given(st.sampled_from(OPTIONS), deeds, st.booleans())
def test_whatever_the_nodes_do_bit_by_bit_and_whole_frames_agree(
    options: ControllerOptions, todo: list[tuple[str, str, int, float]], told: bool
) -> None:
    bit_by_bit = everything(options, todo, told=told, watched=True)
    whole_frames = everything(options, todo, told=told, watched=False)
    assume(not meets_an_arbitration(todo, bit_by_bit, whole_frames))
    assert bit_by_bit == whole_frames


@given(
    requests=traffic,
    pulses=st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(1, 30_000)), max_size=4),
    flipped=st.lists(st.integers(0, 150), max_size=3),
    victim=st.sampled_from([None, "A", "D"]),
    forked_ns=st.integers(0, 1_500_000),
)
def test_whatever_disturbs_the_wire_every_frame_gets_through_and_a_copy_goes_on_alike(
    requests: list[tuple[str, Frame, int]],
    pulses: list[tuple[int, int]],
    flipped: list[int],
    victim: str | None,
    forked_ns: int,
) -> None:
    net = Net("ABCD", TIMINGS[0])
    if flipped:
        net.flip(*flipped, node=victim, limit=3)
    for start_ns, length_ns in pulses:
        held = HeldLine(0)
        net.scheduler.post(start_ns, int(Priority.OBSERVER), partial(net.bus.disturb, held))
        end_ns = start_ns + length_ns
        net.scheduler.post(end_ns, int(Priority.OBSERVER), partial(net.bus.undisturb, held))
    for name, frame, time_ns in requests:
        net.scheduler.post(time_ns, int(Priority.ECU), partial(net[name].send, frame))
    net.scheduler.run_until_ns(forked_ns)
    fork = copy.deepcopy(net)
    for each in (net, fork):
        each.scheduler.run_until_ns(2 * 10**8)
    assert list(net.bus.log) == list(fork.bus.log)
    assert net.bus.error_frames == fork.bus.error_frames
    assert net.counts == fork.counts
    lost = sum(node.refused_count for node in net.nodes.values())
    assert sum(node.transmitted_count for node in net.nodes.values()) + lost == len(requests)
    assert all(node.pending_count == 0 for node in net.nodes.values())


# ---- what must not silence the bus ----


def test_a_short_pulse_after_a_long_short_leaves_a_bus_that_works() -> None:
    net = Net()
    short = HeldLine(0)
    net.bus.disturb(short)
    net["T"].send(PAIR)
    net.run_bits(5000)
    net.bus.undisturb(short)
    net.run_bits(20_000)
    pulse = HeldLine(0)
    net.bus.disturb(pulse)
    net.run_bits(2)
    net.bus.undisturb(pulse)
    net.run_bits(2000)
    for _ in range(10):
        net["T"].send(LONE)
        net.run_bits(200)
    assert len(net.got["R"]) >= 10


def test_nodes_that_go_bus_off_in_the_same_instant_come_back() -> None:
    net = Net()
    net["T"].send(PAIR)
    net.run_bits(20)
    for name in "TRS":
        net[name].force_bus_off()
    net.run_bits(128 * 11 + 200)
    assert {node.error_state for node in net.nodes.values()} == {ErrorState.ACTIVE}


def test_a_lone_sender_is_heard_as_soon_as_somebody_is_plugged_in_again() -> None:
    net = Net("TR")
    net["R"].set_connected(False)
    net["T"].send(PAIR)
    net.run_bits(5000)
    net["R"].set_connected(True)
    net.run_bits(300)
    assert [frame for _, frame in net.got["R"]] == [PAIR]


def test_a_sender_that_leaves_in_the_intermission_does_not_confuse_a_pulse() -> None:
    net = Net()
    net["T"].send(PAIR)
    net.run_bits(64)
    net["T"].set_enabled(False)
    pulse = HeldLine(0)
    net.bus.disturb(pulse)
    net.run_bits(1)
    net.bus.undisturb(pulse)
    net.run_bits(100)
    net["R"].send(LONE)
    net.run_bits(200)
    assert [frame for _, frame in net.got["S"]] == [PAIR, LONE]


def test_a_frame_whose_only_receiver_goes_is_not_acknowledged() -> None:
    net = Net("TR")
    net["T"].send(PAIR)
    net.run_bits(5)
    net["R"].set_enabled(False)
    net.run_bits(60)
    assert net["T"].transmitted_count == 0
    assert net["T"].transmit_error_count == 8


def test_another_node_starts_in_the_middle_of_a_suspend_it_asked_in() -> None:
    net = Net()
    net["T"].add_transmit_errors(136)
    net["T"].send(LONE)
    net["T"].send(LONE)
    net.at_bit(60, partial(net["R"].send, Frame(0x200)))
    net.run_bits(400)
    assert [(record.sender, record.sof_ns // BIT_NS) for record in net.bus.log][:2] == [
        ("T", 0),
        ("R", 60),
    ]


def test_software_may_ask_for_recovery_from_the_notification() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.ON_REQUEST))

    class Driver:
        def told(self, event: object) -> None:
            if isinstance(event, StateChange) and event.after is ErrorState.BUS_OFF:
                net["T"].recover()

    net["T"].listen_errors(Driver().told)
    net["T"].force_bus_off()
    net.run_bits(128 * 11)
    assert net["T"].error_state is ErrorState.ACTIVE


def test_a_node_that_is_off_does_not_recover() -> None:
    net = Net(options=ControllerOptions(recovery=Recovery.ON_REQUEST))
    net["T"].force_bus_off()
    net["T"].set_enabled(False)
    net["T"].recover()
    net.run_bits(5000)
    assert net["T"].error_state is ErrorState.BUS_OFF


def test_an_aborted_frame_on_the_wire_gets_no_second_try_when_it_is_destroyed_later() -> None:
    net = Net()
    net["T"].send(PAIR)
    net.at_bit(10, partial(net["T"].abort))
    net.pulse(30, 8)
    net.run_bits(300)
    assert len(net.bus.error_frames) == 1
    assert list(net.bus.log) == []
    assert net["T"].transmitted_count == 0


def test_a_mailbox_is_free_when_its_frame_is_through_not_when_it_starts() -> None:
    net = Net("TRS")
    net["T"].configure(ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=1))
    net["T"].send(PAIR)
    for identifier in (0x300, 0x100):  # the first to wait gets the mailbox, urgent or not
        net.at_bit(10, partial(net["T"].send, Frame(identifier)))
    net.run_bits(300)
    assert [record.frame.arbitration_id for record in net.bus.log] == [0x123, 0x300, 0x100]


def test_an_error_in_the_last_bit_of_eof_costs_the_sender_eight_and_no_success_is_told() -> None:
    net = Net()
    told: list[object] = []
    net["T"].listen_transmitted(partial(through, told, net))
    net["T"].add_transmit_errors(9)
    net["T"].send(PAIR)
    net.pulse(62)
    net.run_bits(70)
    assert told == []
    assert net["T"].transmit_error_count == 17
    net.run_bits(100)
    assert len(told) == 1
    assert net["T"].transmit_error_count == 16


def test_a_node_switched_off_by_another_ones_reception_no_longer_receives_the_frame() -> None:
    net = Net("TRS")
    net["R"].listen(lambda frame: net["S"].set_enabled(False))
    net["T"].send(PAIR)
    net.run_bits(100)
    assert net.got["S"] == []
    assert net["S"].received_count == 0


def test_the_load_counts_an_error_frame_that_is_still_going_on() -> None:
    net = Net()
    net.bus.disturb(HeldLine(0))
    net["T"].send(PAIR)
    net.run_bits(1000)
    assert net.bus.load_ratio > 0.9


def test_switching_on_a_node_that_is_on_changes_nothing_in_mid_frame() -> None:
    net = Net()
    net["T"].send(PAIR)
    net.at_bit(20, partial(net["R"].set_enabled, True))
    net.run_bits(100)
    assert len(net.got["R"]) == 1


def test_a_lone_passive_sender_is_not_worked_out_for_ever_after_a_flip_is_spent() -> None:
    net = Net("TR")
    net.flip(20)
    net["R"].set_enabled(False)
    net["T"].send(PAIR)
    net.run_bits(20_000)
    frames = len(net.bus.error_frames)
    net.run_bits(20_000)
    assert net["T"].transmit_error_count == 128
    assert len(net.bus.error_frames) == frames
    net["R"].set_enabled(True)
    net.run_bits(300)
    assert len(net.bus.log) == 1
