"""Starts of frames from their ends: exact with ns, and as good as exact with us."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from simcore.attach.start_times import start_times
from simcore.bus import BitTiming, Bus, Frame, duration_ns
from simcore.kernel import Scheduler

TIMING = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
US = 1_000


def frame(identifier: int, length: int = 8) -> Frame:
    return Frame(identifier, bytes(length), is_fd=True, bitrate_switch=True)


def varied(octet: int) -> Frame:
    return Frame(0x60, bytes([octet]), is_fd=True, bitrate_switch=True)


def test_with_ns_a_start_is_the_end_less_the_duration() -> None:
    sent = frame(0x60)
    long_ns = duration_ns(sent, TIMING)
    assert start_times([(1_000_001, sent)], TIMING, 1) == [1_000_001 - long_ns]


def test_a_frame_alone_starts_at_the_whole_us_its_cut_end_allows() -> None:
    sent = next(each for each in map(varied, range(256)) if duration_ns(each, TIMING) % US)
    long_ns = duration_ns(sent, TIMING)
    cut_ns = (7_000_000 + long_ns) // US * US
    assert start_times([(cut_ns, sent)], TIMING, US) == [7_000_000]


def test_a_frame_from_time_0_does_not_start_before_it() -> None:
    sent = frame(0x60, 5)
    cut_ns = duration_ns(sent, TIMING) // US * US
    assert start_times([(cut_ns, sent)], TIMING, US) == [0]


def test_a_log_that_begins_within_a_frame_has_a_start_below_0() -> None:
    sent = frame(0x60)
    assert start_times([(0, sent)], TIMING, US)[0] < -US


@given(
    st.lists(
        st.tuples(st.integers(0, 3_000), st.integers(1, 0x7FF), st.integers(0, 8)),
        min_size=1,
        max_size=30,
    )
)
def test_requests_on_whole_us_are_found_to_the_ns_from_cut_ends(
    wishes: list[tuple[int, int, int]],
) -> None:
    """What a bus made of requests, cut to us, gives the very starts back."""
    bus = Bus("A", TIMING, scheduler := Scheduler())
    identifiers = {identifier for _, identifier, _ in wishes}
    senders = {each: bus.attach(f"N{each}") for each in sorted(identifiers)}
    bus.attach("listener")
    for at_us, identifier, length in sorted(wishes):
        scheduler.run_until_ns(at_us * US)
        senders[identifier].send(frame(identifier, length))
    scheduler.run_until_ns(100_000_000)
    idle_ns = [b.sof_ns - a.eof_ns - TIMING.to_ns(3) for a, b in pairwise(bus.log)]
    # A little later than right behind the frame before: with both ends cut, nothing could tell.
    assume(not any(0 < each_ns < 2 * US for each_ns in idle_ns))
    cut = [(record.eof_ns // US * US, record.frame) for record in bus.log]
    assert start_times(cut, TIMING, US) == [record.sof_ns for record in bus.log]


@given(
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(1, 0x7FF), st.integers(0, 8)),
        min_size=1,
        max_size=30,
    )
)
def test_whenever_frames_came_the_starts_found_end_them_in_their_tick_and_in_order(
    gaps: list[tuple[int, int, int]],
) -> None:
    ready_ns = 0
    true = []
    for gap_ns, identifier, length in gaps:
        sent = frame(identifier, length)
        begin_ns = ready_ns + gap_ns
        true.append((begin_ns, begin_ns + duration_ns(sent, TIMING), sent))
        ready_ns = true[-1][1] + TIMING.to_ns(3)
    cut = [(end_ns // US * US, sent) for _, end_ns, sent in true]
    found = start_times(cut, TIMING, US)
    assert len(found) == len(true)
    for begin_ns, (log_ns, sent) in zip(found, cut, strict=True):
        assert log_ns <= begin_ns + duration_ns(sent, TIMING) < log_ns + US
    assert found == sorted(found)
