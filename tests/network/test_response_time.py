"""Response times: published sets number for number, and the simulator as the other opinion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import (
    DLC_TO_LENGTH,
    INTERMISSION_BITS,
    BitFlips,
    BitTiming,
    Bus,
    Disturbance,
    Frame,
    FrameMatch,
    bit_counts,
    bits,
    duration_ns,
    worst_case_ns,
)
from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler
from simcore.network.longest_frame import longest_frame_ns
from simcore.network.response_time import (
    BUSY_PERIOD_LIMIT_NS,
    Analysis,
    ErrorHypothesis,
    MessageTiming,
    analyse,
)
from simcore.units import ms, s, us

KBIT_125 = BitTiming(nominal_bps=125_000)
KBIT_250 = BitTiming(nominal_bps=250_000)
KBIT_500 = BitTiming(nominal_bps=500_000)
SLOW_FD = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
FAST_FD = BitTiming(nominal_bps=1_000_000, data_bps=8_000_000)


def row(
    name: str, arbitration_id: int, transmission_ns: int, period_ns: int | None, **more: int
) -> MessageTiming:
    return MessageTiming(
        name=name,
        arbitration_id=arbitration_id,
        transmission_ns=transmission_ns,
        period_ns=period_ns,
        **more,
    )


def responses_ns(analysis: Analysis) -> list[int | None]:
    return [each.response_ns for each in analysis.messages]


# ---- Davis, Burns, Bril and Lukkien 2007, the example that the older analysis got wrong ----

DAVIS = (
    row("A", 0x100, ms(1), us(2500), deadline_ns=us(2500)),
    row("B", 0x101, ms(1), us(3500), deadline_ns=us(3250)),
    row("C", 0x102, ms(1), us(3500), deadline_ns=us(3250)),
)


def test_the_example_of_davis_to_the_end_of_the_intermission_as_published() -> None:
    assert worst_case_ns(7, KBIT_125, is_fd=False) == ms(1)
    intermission_ns = KBIT_125.to_ns(3)
    analysis = analyse(DAVIS, KBIT_125)
    published = {
        "A": [ms(2)],
        "B": [ms(3), us(1500)],
        "C": [ms(3), us(3500)],  # the older analysis stops at the first: 3 ms, in time
    }
    for each in analysis.messages:
        to_eof_ns = [time_ns - intermission_ns for time_ns in published[each.message.name]]
        assert list(each.instances_ns) == to_eof_ns
        assert each.response_ns == max(to_eof_ns)
    assert [each.busy_period_ns for each in analysis.messages] == [ms(2), ms(5), ms(7)]
    assert [each.is_schedulable for each in analysis.messages] == [True, True, False]
    assert analysis.messages[2].slack_ns == us(3250) - us(3500) + us(24)
    assert not analysis.is_schedulable
    assert f"{analysis.utilisation_ratio:.4f}" == "0.9714"


# ---- the simulator ----

Sent = tuple[Frame, int, int, Sequence[int]]
"""Frame, period, time of the first event, delays from event to request (in turn)."""


def observed_ns(
    timing: BitTiming,
    messages: Sequence[Sent],
    until_ns: int,
    disturbances: Sequence[Disturbance] = (),
) -> list[int]:
    """Largest time from event to end of EOF of each message, each sent by a node of its own."""
    scheduler = Scheduler()
    bus = Bus("CAN", timing, scheduler)
    for disturbance in disturbances:
        bus.disturb(disturbance)
    events_ns: dict[str, list[int]] = {}
    for number, (frame, period_ns, first_ns, delays_ns) in enumerate(messages):
        controller = bus.attach(f"node {number}")
        events_ns[controller.name] = list(range(first_ns, until_ns, period_ns))
        for index, time_ns in enumerate(events_ns[controller.name]):
            request_ns = time_ns + delays_ns[index % len(delays_ns)]
            scheduler.post(request_ns, Priority.ECU, partial(controller.send, frame))
    scheduler.run_until_ns(until_ns)
    worst = dict.fromkeys(events_ns, 0)
    for record in bus.log:  # the frames of one node go out in order of their requests
        event_ns = events_ns[record.sender].pop(0)
        worst[record.sender] = max(worst[record.sender], record.eof_ns - event_ns)
    return list(worst.values())


def exact_ns(frame: Frame, timing: BitTiming) -> int:
    """Wire time of this very frame, intermission included."""
    nominal_bits, data_bits = bit_counts(frame, iso=timing.iso)
    return timing.to_ns(nominal_bits + INTERMISSION_BITS, data_bits)


def frames_of_110_bits() -> list[Frame]:
    payloads = ["00000055555555", "ffffff55555555", "00000055555555"]
    frames = [Frame(0x100 + n, bytes.fromhex(payload)) for n, payload in enumerate(payloads)]
    assert [len(bits(frame)) + 3 for frame in frames] == [110, 110, 110]
    return frames


def in_bits(count: int) -> int:
    return KBIT_500.to_ns(count)


@pytest.mark.parametrize("period_a_bits", [274, 275])  # 275: A comes at the very start of C
def test_real_frames_in_the_sequence_of_davis_attain_the_bound_of_the_second_instance(
    period_a_bits: int,
) -> None:
    periods_ns = [in_bits(count) for count in (period_a_bits, 385, 385)]
    frames = frames_of_110_bits()
    sent = [(frame, each, 0, [0]) for frame, each in zip(frames, periods_ns, strict=True)]
    rows = [
        row(name, frame.arbitration_id, in_bits(110), each)
        for name, frame, each in zip("ABC", frames, periods_ns, strict=True)
    ]
    last = analyse(rows, KBIT_500).messages[2]
    assert list(last.instances_ns) == [in_bits(327), in_bits(382)]
    assert observed_ns(KBIT_500, sent, in_bits(1000))[2] == in_bits(382)


def test_without_the_blocking_term_the_simulator_would_exceed_the_bound() -> None:
    urgent = Frame(0x100, bytes(8))
    bulky = Frame(0x200, bytes.fromhex("3c3c3c3c3c3c3c3c"))
    sent = [(urgent, ms(10), 1, [0]), (bulky, ms(10), 0, [0])]
    rows = [row(hex(f.arbitration_id), f.arbitration_id, exact_ns(f, KBIT_500), t)
            for f, t, _, _ in sent]  # fmt: skip
    latency_ns, _ = observed_ns(KBIT_500, sent, ms(10))
    (with_blocking, _), (alone,) = (
        analyse(rows, KBIT_500).messages,
        analyse(rows[:1], KBIT_500).messages,
    )
    assert alone.blocking_ns == 0
    assert alone.response_ns is not None
    assert with_blocking.response_ns is not None
    assert alone.response_ns < latency_ns <= with_blocking.response_ns
    assert with_blocking.response_ns - latency_ns == 1  # blocked from one ns earlier on


def test_with_the_first_instance_alone_the_simulator_would_exceed_the_bound() -> None:
    frames = frames_of_110_bits()
    periods_ns = [in_bits(count) for count in (274, 385, 385)]
    sent = [(frame, each, 0, [0]) for frame, each in zip(frames, periods_ns, strict=True)]
    rows = [row(hex(f.arbitration_id), f.arbitration_id, in_bits(110), t) for f, t, _, _ in sent]
    last = analyse(rows, KBIT_500).messages[2]
    assert last.instances_ns[0] < observed_ns(KBIT_500, sent, in_bits(1000))[2]


def test_a_message_queued_late_meets_the_next_one_early_and_the_bound_knows() -> None:
    """A's first event is queued 300 us late, its second one at once, right behind."""
    late, low = Frame(0x100, bytes(8)), Frame(0x101, bytes(8))
    period_ns, jitter_ns = us(500), us(300)
    sent = [(late, period_ns, 0, [jitter_ns, 0]), (low, ms(5), jitter_ns, [0])]
    rows = [
        row("late", 0x100, exact_ns(late, KBIT_500), period_ns, jitter_ns=jitter_ns),
        row("low", 0x101, exact_ns(low, KBIT_500), ms(5)),
    ]
    with_jitter = analyse(rows, KBIT_500).messages
    without = analyse([replace(each, jitter_ns=0) for each in rows], KBIT_500).messages
    latencies = observed_ns(KBIT_500, sent, ms(5))
    assert without[1].response_ns is not None
    assert with_jitter[1].response_ns is not None
    assert without[1].response_ns < latencies[1] <= with_jitter[1].response_ns


def test_where_bits_are_no_whole_ns_the_bound_is_no_ns_too_small() -> None:
    timing = BitTiming(nominal_bps=700_000)
    for length in range(9):
        frame = Frame(0x100, bytes([0xAA]) * length)
        (alone,) = analyse([row("alone", 0x100, exact_ns(frame, timing), ms(1))], timing).messages
        assert alone.response_ns is not None
        assert 0 <= alone.response_ns - duration_ns(frame, timing) <= 1


def test_jitter_brings_more_instances_into_the_busy_period() -> None:
    rows = [row("late", 1, ms(4), ms(10), jitter_ns=ms(8)), row("below", 2, ms(1), ms(100))]
    (late, _) = analyse(rows, KBIT_500).messages
    # 1 ms blocked; the instances of 0 and 10 ms are both there until 9 ms, the third not before 12.
    assert late.busy_period_ns == ms(9)
    assert list(late.instances_ns) == [ms(8 + 1 + 4) - us(6), ms(8 + 1 + 8 - 10) - us(6)]


MIXED = [
    KBIT_125,
    SLOW_FD,
    FAST_FD,
    BitTiming(nominal_bps=300_000, data_bps=700_000),  # bit times that are no whole ns
    BitTiming(nominal_bps=500_000, data_bps=2_000_000, iso=False),
]


@st.composite
def frames(draw: st.DrawFn, *, fd: bool) -> Frame:
    extended = draw(st.booleans())
    is_fd = fd and draw(st.booleans())
    length = DLC_TO_LENGTH[draw(st.integers(0, 15 if is_fd else 8))]
    octet = draw(st.sampled_from([0x00, 0x0F, 0x3C, 0x87, 0xAA, 0xF0]))
    return Frame(
        # Few enough bits that identifiers of both formats come close to each other.
        draw(st.integers(0, 15)) << 18 if extended else draw(st.integers(0, 15)),
        bytes([octet]) * length,
        is_extended_id=extended,
        is_fd=is_fd,
        bitrate_switch=is_fd and draw(st.booleans()),
    )


@st.composite
def traffic(draw: st.DrawFn) -> tuple[BitTiming, list[MessageTiming], list[Sent]]:
    """A set of messages, what the analysis is told about them, and when they are sent."""
    timing = draw(st.sampled_from(MIXED))
    every = draw(
        st.lists(
            frames(fd=timing.data_bps is not None),
            min_size=2,
            max_size=6,
            unique_by=lambda frame: frame.header.arbitration_key,
        )
    )
    rows: list[MessageTiming] = []
    sent: list[Sent] = []
    for frame in every:
        told_ns = exact_ns(frame, timing)
        if draw(st.booleans()):
            told_ns = longest_frame_ns(
                len(frame.data),
                timing,
                is_fd=frame.is_fd,
                is_extended_id=frame.is_extended_id,
                bitrate_switch=frame.bitrate_switch,
            )
        # Periods of two to ten frames of this length: loads around and above what is bearable.
        period_ns = told_ns * draw(st.integers(20, 100)) // 10
        jitter_ns = draw(st.sampled_from([0, 0, period_ns // 3]))
        delays_ns = draw(st.lists(st.integers(0, jitter_ns), min_size=1, max_size=4))
        first_ns = draw(st.one_of(st.sampled_from([0, 1]), st.integers(0, period_ns)))
        rows.append(
            MessageTiming(
                name=repr(frame),
                arbitration_id=frame.arbitration_id,
                is_extended_id=frame.is_extended_id,
                transmission_ns=told_ns,
                period_ns=period_ns,
                jitter_ns=jitter_ns,
            )
        )
        sent.append((frame, period_ns, first_ns, delays_ns))
    return timing, rows, sent


@given(traffic())
def test_without_errors_the_simulator_never_exceeds_the_bound(
    drawn: tuple[BitTiming, list[MessageTiming], list[Sent]],
) -> None:
    timing, rows, sent = drawn
    analysis = analyse(rows, timing)
    latencies_ns = observed_ns(timing, sent, 25 * max(period_ns for _, period_ns, _, _ in sent))
    for message, latency_ns in zip(rows, latencies_ns, strict=True):
        bound = analysis.response(message.arbitration_id, is_extended_id=message.is_extended_id)
        assert bound is not None
        assert bound.response_ns is None or latency_ns <= bound.response_ns


def flip(sender: str, bit: int, every: int = 1) -> BitFlips:
    """One flipped bit, once, for everybody, in the `every`-th frame of a node."""
    return BitFlips((bit,), match=FrameMatch(None, None, sender), every=every, limit=1)


def test_with_an_error_the_bound_without_one_is_exceeded_and_that_with_one_is_not() -> None:
    high, low = Frame(0x100, b"\xaa" * 8), Frame(0x101, b"\xaa" * 8)
    rows = [row("high", 0x100, exact_ns(high, KBIT_500), ms(10)),
            row("low", 0x101, exact_ns(low, KBIT_500), ms(10))]  # fmt: skip
    sent = [(high, ms(10), 0, [0]), (low, ms(10), 0, [0])]
    crc_delimiter = len(bits(high)) - 10
    _, latency_ns = observed_ns(KBIT_500, sent, ms(10), [flip("node 0", crc_delimiter)])
    # All nodes see it: flag 6, delimiter 8, intermission 3; then both frames.
    lost_ns = in_bits(crc_delimiter + 1 + 6 + 8 + 3)
    assert latency_ns == lost_ns + exact_ns(high, KBIT_500) + duration_ns(low, KBIT_500)
    without, allowed = (
        analyse(rows, KBIT_500, errors=ErrorHypothesis(burst=count)).messages[1].response_ns
        for count in (0, 1)
    )
    assert without is not None
    assert allowed is not None
    assert without < latency_ns <= allowed


@given(traffic(), st.data())
def test_with_errors_the_simulator_never_exceeds_the_bound_that_allows_for_them(
    drawn: tuple[BitTiming, list[MessageTiming], list[Sent]], data: st.DataObject
) -> None:
    timing, rows, sent = drawn
    flips = []
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(sent) - 1))
        # EOF is spared: there receivers may have taken the frame that is sent again.
        length = len(bits(sent[number][0], iso=timing.iso)) - 7
        bit, every = data.draw(st.integers(0, length - 1)), data.draw(st.integers(1, 9))
        flips.append(flip(f"node {number}", bit, every))
    analysis = analyse(rows, timing, errors=ErrorHypothesis(burst=len(flips)))
    until_ns = 25 * max(period_ns for _, period_ns, _, _ in sent)
    latencies_ns = observed_ns(timing, sent, until_ns, flips)
    for message, latency_ns in zip(rows, latencies_ns, strict=True):
        bound = analysis.response(message.arbitration_id, is_extended_id=message.is_extended_id)
        assert bound is not None
        assert bound.response_ns is None or latency_ns <= bound.response_ns


# ---- Broster, Burns and Rodriguez-Navas 2002, with the figures of SchedCAT's tests ----

BROSTER = [
    # (bytes, period ms, worst case without faults us), 250 kbit/s, in order of priority
    (8, 10, 1028),
    (3, 14, 1368),
    (3, 20, 1708),
    (2, 15, 2008),
    (5, 20, 2428),
    (5, 40, 2848),
    (4, 15, 3228),
    (5, 50, 3648),
    (4, 20, 4028),
    (7, 100, 4448),
    (5, 50, 4708),
    (1, 100, 4720),
]


def broster_rows() -> list[MessageTiming]:
    return [
        row(f"m{n}", n, worst_case_ns(length, KBIT_250, is_fd=False), ms(period))
        for n, (length, period, _) in enumerate(BROSTER, start=1)
    ]


def test_the_set_of_broster_without_faults() -> None:
    bounds = responses_ns(analyse(broster_rows(), KBIT_250))
    published = [us(worst) for _, _, worst in BROSTER]
    assert bounds[:-1] == published[:-1]
    # Below the last message there is nothing: SchedCAT still charges an intermission of blocking.
    assert published[-1] - KBIT_250.to_ns(3) == us(4708) == bounds[-1]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_set_of_broster_with_faults(count: int) -> None:
    # 29 bits besides a frame without its intermission, which our frames include
    errors = ErrorHypothesis(burst=count, overhead_bits=29 - INTERMISSION_BITS)
    first = analyse(broster_rows(), KBIT_250, errors=errors).messages[0]
    assert first.response_ns == us(1028) + count * us(644)


def test_an_error_costs_31_bits_and_the_longest_frame_of_this_and_higher_priorities() -> None:
    rows = [row("a", 1, us(400), ms(100)), row("b", 2, us(300), ms(100))]
    intermission_ns = KBIT_500.to_ns(3)
    a, b = analyse(rows, KBIT_500, errors=ErrorHypothesis(burst=2)).messages
    assert a.response_ns == us(300) + us(400) - intermission_ns + 2 * (us(62) + us(400))
    assert b.response_ns == us(400) + us(300) - intermission_ns + 2 * (us(62) + us(400))


def test_errors_at_a_rate_count_while_the_message_waits_and_is_sent_and_load_the_bus() -> None:
    rows = [row("a", 1, us(400), ms(10))]
    errors = ErrorHypothesis(burst=1, interval_ns=ms(1))
    (a,) = analyse(rows, KBIT_500, errors=errors).messages
    # 1 + ceil(w / 1 ms) errors of 462 us: 400 us + 2 x 462 us = 1324 us, a third falls into it,
    # 1786 us, no more.
    assert a.response_ns == us(400) + 3 * us(462) - us(6)
    assert f"{a.level_utilisation_ratio:.3f}" == "0.502"
    frequent = ErrorHypothesis(interval_ns=us(470))
    (a,) = analyse(rows, KBIT_500, errors=frequent).messages
    assert a.response_ns is None
    assert a.reason == "the load of this and higher priorities is 102.3%"


# ---- the CAN FD regression set ----

FD_SET = [
    # (id, bytes, period ms, end of EOF at 500k/2M, at 1M/8M, ns)
    (0x0A0, 8, 5, 517_500, 159_875),
    (0x0B0, 16, 10, 677_500, 215_875),
    (0x0C0, 32, 10, 920_000, 292_500),
    (0x0D0, 64, 10, 1_323_000, 409_250),
    (0x0E0, 64, 20, 1_443_500, 455_375),
    (0x0F0, 8, 100, 1_443_500, 455_375),
]


@pytest.mark.parametrize(
    ("timing", "column", "utilisation"), [(SLOW_FD, 3, "0.1260"), (FAST_FD, 4, "0.0405")]
)
def test_the_can_fd_set(timing: BitTiming, column: int, utilisation: str) -> None:
    rows = [
        row(hex(identifier), identifier,
            longest_frame_ns(length, timing, is_fd=True, bitrate_switch=True), ms(period))
        for identifier, length, period, *_ in FD_SET
    ]  # fmt: skip
    analysis = analyse(rows, timing)
    assert responses_ns(analysis) == [each[column] for each in FD_SET]
    assert f"{analysis.utilisation_ratio:.4f}" == utilisation


# ---- what has no bound, and what is not analysed ----


def test_a_full_bus_has_no_bound_for_the_priorities_that_fill_it() -> None:
    rows = [
        row("half", 1, ms(1), ms(2)),
        row("other half", 2, ms(1), ms(2)),
        row("too much", 3, ms(1), ms(100)),
    ]
    half, other, much = analyse(rows, KBIT_125).messages
    assert half.is_schedulable
    for each, load in ((other, "100.0%"), (much, "101.0%")):
        assert (each.response_ns, each.busy_period_ns, each.slack_ns) == (None, None, None)
        assert each.instances_ns == ()
        assert not each.is_schedulable
        assert each.reason == f"the load of this and higher priorities is {load}"


def test_a_bus_that_is_exactly_full_has_no_bound_though_its_schedule_would_just_fit() -> None:
    rows = [row("half", 1, ms(1), ms(2)), row("other half", 2, ms(1), ms(2))]
    assert [each.is_schedulable for each in analyse(rows, KBIT_125).messages] == [True, False]


def test_a_busy_period_beyond_the_limit_is_given_up_and_said_so() -> None:
    assert s(10) == BUSY_PERIOD_LIMIT_NS
    # Of each second of higher priority a microsecond is left: 0.1 s of blocking take a day.
    rows = [row("a", 1, s(1) - us(1), s(1)), row("b", 2, 100, s(1000)), row("c", 3, ms(100), None)]
    a, b = analyse(rows, KBIT_125).messages
    assert a.response_ns is None
    assert a.reason == b.reason == "the busy period is longer than 10000 ms"


def test_a_message_without_a_period_is_named_blocks_and_is_assumed_silent_below_it() -> None:
    rows = [
        row("low", 3, us(300), ms(10)),
        row("event", 2, us(500), None),
        row("high", 1, us(200), ms(10)),
    ]
    analysis = analyse(rows, KBIT_500)
    high, low = analysis.messages
    assert [each.name for each in analysis.not_analysed] == ["event"]
    assert (high.message.name, high.blocking_ns, high.assumes_silent) == ("high", us(500), ())
    assert (low.message.name, low.blocking_ns, low.assumes_silent) == ("low", 0, ("event",))
    assert low.response_ns == us(200) + us(300) - KBIT_500.to_ns(3)
    assert analysis.response(2) is None
    assert analysis.response(3) is low
    assert analysis.response(3, is_extended_id=True) is None


def test_priority_is_that_of_the_arbitration_field() -> None:
    def named(name: str, arbitration_id: int, extended: bool) -> MessageTiming:
        return MessageTiming(
            name=name,
            arbitration_id=arbitration_id,
            is_extended_id=extended,
            transmission_ns=1000,
            period_ns=ms(1),
        )

    rows = [
        named("extended below", 0x101 << 18, True),
        named("base below", 0x101, False),
        named("extended, same first bits", 0x100 << 18 | 7, True),
        named("base", 0x100, False),
    ]
    ordered = [each.message.name for each in analyse(rows, KBIT_500).messages]
    assert ordered == ["base", "extended, same first bits", "base below", "extended below"]


def test_a_deadline_beyond_the_period_may_be_met_by_later_instances() -> None:
    rows = [replace(each, deadline_ns=ms(4)) for each in DAVIS]
    assert analyse(rows, KBIT_125).is_schedulable


def test_the_deadline_is_the_period_where_none_is_given() -> None:
    (only,) = analyse([row("only", 1, us(100), ms(7))], KBIT_500).messages
    assert (only.deadline_ns, only.slack_ns) == (ms(7), ms(7) - us(94))


def test_no_messages_have_no_response_times() -> None:
    analysis = analyse([], KBIT_500)
    assert (analysis.messages, analysis.not_analysed) == ((), ())
    assert analysis.utilisation_ratio == 0.0


# ---- the caller's mistakes ----


def test_two_messages_of_one_identifier_are_refused() -> None:
    rows = [row("a", 0x12, 1000, ms(1)), row("b", 0x12, 1000, ms(1))]
    with pytest.raises(
        UsageError, match=r"^response times: expected different identifiers, got 0x012 a, 0x012 b$"
    ):
        analyse(rows, KBIT_500)


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"transmission_ns": 0}, "transmission_ns: expected whole ns, 1 or more, got 0"),
        ({"transmission_ns": 1.5}, "transmission_ns: expected whole ns, 1 or more, got 1.5"),
        ({"period_ns": 0}, "period_ns: expected whole ns, 1 or more, got 0"),
        ({"jitter_ns": -1}, "jitter_ns: expected whole ns, 0 or more, got -1"),
        ({"deadline_ns": 0}, "deadline_ns: expected whole ns, 1 or more, got 0"),
        ({"jitter_ns": True}, "jitter_ns: expected whole ns, 0 or more, got True"),
    ],
)
def test_figures_that_cannot_be_are_refused(figures: dict[str, int], text: str) -> None:
    good = {"arbitration_id": 1, "transmission_ns": 1000, "period_ns": ms(1)}
    with pytest.raises(UsageError, match=rf"^response time of m: {text}$"):
        MessageTiming(name="m", **good | figures)


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"burst": -1}, r"burst: expected 0 or more, got -1"),
        ({"burst": 0.5}, r"burst: expected 0 or more, got 0\.5"),
        ({"overhead_bits": 0}, r"overhead_bits: expected 1 or more, got 0"),
        ({"interval_ns": 0}, r"interval_ns: expected 1 ns or more, got 0"),
    ],
)
def test_an_error_hypothesis_that_cannot_be_is_refused(figures: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=rf"^ErrorHypothesis\.{text}$"):
        ErrorHypothesis(**figures)
