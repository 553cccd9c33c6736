"""Schedules with published or computed response times, simulated with real frames."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.bus import BitTiming, Bus, BusRecord, Frame, bits
from simcore.kernel import Priority, Scheduler
from simcore.units import ms

# ---- Davis, Burns, Bril and Lukkien 2007: the instance behind the first is the worst ----


def run_periodic(
    timing: BitTiming,
    messages: list[tuple[Frame, int, int]],
    until_ns: int,
    *,
    last_release_ns: int | None = None,
) -> list[BusRecord]:
    """Simulate (frame, period, first release) per message, each with a node of its own."""
    ends_ns = until_ns if last_release_ns is None else last_release_ns + 1
    scheduler = Scheduler()
    bus = Bus("CAN", timing, scheduler)
    for number, (frame, period_ns, release_ns) in enumerate(messages):
        controller = bus.attach(f"node {number}")
        for time_ns in range(release_ns, ends_ns, period_ns):
            scheduler.post(time_ns, Priority.ECU, partial(controller.send, frame))
    scheduler.run_until_ns(until_ns)
    assert bus.error_frames == []
    return bus.log


DAVIS = [
    # message, release, start of frame, end of EOF, in bit times
    ("A", 0, 0, 107),
    ("B", 0, 110, 217),
    ("C", 0, 220, 327),
    ("A", 274, 330, 437),
    ("B", 385, 440, 547),
    ("A", 548, 550, 657),
    ("C", 385, 660, 767),
    ("B", 770, 770, 877),
]


def davis_sequence(*, last_release_bits: int, until_bits: int) -> list[tuple[str, int, int, int]]:
    """Frames of 110 bits with their intermission at 500 kbit/s, periods 274, 385, 385 bits."""
    bit_ns = 2000
    payloads = ["00000055555555", "ffffff55555555", "00000055555555"]
    frames = [Frame(0x100 + n, bytes.fromhex(payload)) for n, payload in enumerate(payloads)]
    assert [len(bits(frame)) + 3 for frame in frames] == [110, 110, 110]
    log = run_periodic(
        BitTiming(nominal_bps=500_000),
        [(frame, n * bit_ns, 0) for frame, n in zip(frames, (274, 385, 385), strict=True)],
        until_bits * bit_ns,
        last_release_ns=last_release_bits * bit_ns,
    )
    rows = []
    for record in log:
        times_ns = (record.request_ns, record.sof_ns, record.eof_ns)
        assert not any(time_ns % bit_ns for time_ns in times_ns)
        request, sof, eof = (time_ns // bit_ns for time_ns in times_ns)
        rows.append(("ABC"[record.frame.arbitration_id - 0x100], request, sof, eof))
    return rows


def test_davis_sequence_of_real_frames_to_the_bit() -> None:
    rows = davis_sequence(last_release_bits=770, until_bits=1000)
    assert rows == [*DAVIS, ("C", 770, 880, 987)]
    worst = max(eof - release for name, release, _, eof in rows if name == "C")
    assert worst == 382  # 385 with the intermission; the first instance had 327


def test_davis_sequence_goes_on_with_the_most_urgent_message_that_came_meanwhile() -> None:
    rows = davis_sequence(last_release_bits=1000, until_bits=1100)
    assert rows == [*DAVIS, ("A", 822, 880, 987), ("C", 770, 990, 1097)]


# ---- SchedCAT's simulator: three messages of 132 bits, released together at 250 kbit/s ----


def frame_of_132_bits(extended_id: int) -> Frame:
    for octets in itertools.product((0x00, 0x0F, 0x55, 0x33, 0xAA), repeat=3):
        frame = Frame(extended_id, bytes(octets) + b"\x55\xaa\x33\x66\x99", is_extended_id=True)
        if len(bits(frame)) == 132:
            return frame
    raise AssertionError("no payload of that length")


@pytest.mark.parametrize(
    ("periods_ms", "completions"),
    [
        ((3, 5, 7), [[132, 882], [267, 1382], [402, 1882]]),
        ((1, 2, 3), [[132, 402, 672, 942], [267, 807], [537, 1077]]),
    ],
)
def test_completions_are_those_of_the_published_simulator(
    periods_ms: tuple[int, ...], completions: list[list[int]]
) -> None:
    bit_ns = 4000
    frames = [frame_of_132_bits(0x15555555 + number) for number in range(3)]
    log = run_periodic(
        BitTiming(nominal_bps=250_000),
        [(frame, ms(period), 0) for frame, period in zip(frames, periods_ms, strict=True)],
        2000 * bit_ns,
    )
    for frame, expected in zip(frames, completions, strict=True):
        measured = [record.eof_ns / bit_ns for record in log if record.frame == frame]
        assert measured[: len(expected)] == expected


# ---- sets with computed worst-case response times, which no run may exceed ----

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
FD_SET = [
    # (id, bytes, period ms, end of EOF at 500k/2M, at 1M/8M, ns)
    (0x0A0, 8, 5, 517_500, 159_875),
    (0x0B0, 16, 10, 677_500, 215_875),
    (0x0C0, 32, 10, 920_000, 292_500),
    (0x0D0, 64, 10, 1_323_000, 409_250),
    (0x0E0, 64, 20, 1_443_500, 455_375),
    (0x0F0, 8, 100, 1_443_500, 455_375),
]


def latencies(log: list[BusRecord]) -> dict[int, int]:
    worst: dict[int, int] = {}
    for record in log:
        identifier = record.frame.arbitration_id
        worst[identifier] = max(worst.get(identifier, 0), record.eof_ns - record.request_ns)
    return worst


@settings(max_examples=20)
@given(st.data())
def test_no_release_pattern_exceeds_the_response_times_of_broster(data: st.DataObject) -> None:
    messages = []
    for number, (length, period_ms, _) in enumerate(BROSTER):
        payload = data.draw(st.sampled_from([b"\x00", b"\x3c", b"\xaa"])) * length
        release_us = data.draw(st.integers(0, period_ms * 1000))
        messages.append((Frame(0x078 + number, payload), ms(period_ms), release_us * 1000))
    worst = latencies(run_periodic(BitTiming(nominal_bps=250_000), messages, ms(150)))
    for number, (_, _, bound_us) in enumerate(BROSTER):
        assert worst[0x078 + number] <= bound_us * 1000


def fd_frame(identifier: int, length: int, octet: int) -> Frame:
    return Frame(identifier, bytes([octet]) * length, is_fd=True, bitrate_switch=True)


@pytest.mark.parametrize(
    ("nominal_bps", "data_bps", "column"), [(500_000, 2_000_000, 3), (1_000_000, 8_000_000, 4)]
)
@settings(max_examples=20)
@given(st.data())
def test_no_release_pattern_exceeds_the_response_times_of_the_fd_set(
    nominal_bps: int, data_bps: int, column: int, data: st.DataObject
) -> None:
    timing = BitTiming(nominal_bps=nominal_bps, data_bps=data_bps)
    messages = []
    for identifier, length, period_ms, *_ in FD_SET:
        octet = data.draw(st.sampled_from([0x00, 0x0F, 0x3C, 0x87, 0xF0]))
        release_us = data.draw(st.integers(0, period_ms * 1000))
        messages.append((fd_frame(identifier, length, octet), ms(period_ms), release_us * 1000))
    worst = latencies(run_periodic(timing, messages, ms(200)))
    for row in FD_SET:
        assert worst[row[0]] <= row[column]


def test_the_critical_instant_comes_close_to_the_response_times_of_the_fd_set() -> None:
    timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    # Payloads with the most stuff bits behind the dlc of their length. Everything is released
    # together when the longest frame of lower priority has just started.
    octets = {8: 0x3C, 16: 0x0F, 32: 0xF0, 64: 0x87}
    messages = [(fd_frame(row[0], row[1], octets[row[1]]), ms(row[2]), 1) for row in FD_SET]
    blocker = (fd_frame(0x7F0, 64, octets[64]), ms(1000), 0)
    worst = latencies(run_periodic(timing, [*messages, blocker], ms(5)))
    for identifier, _, _, bound_ns, _ in FD_SET[:4]:
        # up to three nominal bits per frame less, for the identifiers are not the worst
        assert 0.97 * bound_ns <= worst[identifier] <= bound_ns
