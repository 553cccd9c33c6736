"""From a rig that ran to figures: bus load, message statistics, traces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import Frame
from simcore.faults import EcuSilent
from simcore.rig import Rig
from simcore.rig.outcome import (
    LOAD_WINDOW_NS,
    bus_statistics,
    load_series,
    message_statistics,
    peak_load,
    trace_of,
)
from simcore.units import ms

# -- load ----------------------------------------------------------------------------------------


def brute_force(stretches: list[tuple[int, int]], duration: int, window: int) -> list[float]:
    """Busy instants of every complete window, one nanosecond at a time."""
    busy = [0] * (duration // window)
    for begin, end in stretches:
        for instant in range(begin, end):
            if instant // window < len(busy):
                busy[instant // window] += 1
    return [count / window for count in busy]


@given(
    lengths=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 60)), max_size=12),
    duration=st.integers(0, 300),
    window=st.integers(1, 50),
)
def test_the_load_series_is_what_counting_gives(
    lengths: list[tuple[int, int]], duration: int, window: int
) -> None:
    """Gaps and lengths as they come; the last stretches may reach beyond the end."""
    stretches, now = [], 0
    for gap, length in lengths:
        stretches.append((now + gap, now + gap + length))
        now += gap + length
    begins = np.array([begin for begin, _ in stretches], dtype=np.int64)
    ends = np.array([end for _, end in stretches], dtype=np.int64)
    assert load_series(begins, ends, duration, window) == pytest.approx(
        brute_force(stretches, duration, window)
    )


@given(
    lengths=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 60)), max_size=12),
    duration=st.integers(0, 300),
    window=st.integers(1, 50),
)
def test_the_peak_load_is_that_of_the_busiest_window_anywhere(
    lengths: list[tuple[int, int]], duration: int, window: int
) -> None:
    stretches, now = [], 0
    for gap, length in lengths:
        stretches.append((now + gap, now + gap + length))
        now += gap + length
    begins = np.array([begin for begin, _ in stretches], dtype=np.int64)
    ends = np.array([end for _, end in stretches], dtype=np.int64)
    busy = [any(b <= instant < e for b, e in stretches) for instant in range(duration)]
    expected = max(
        (sum(busy[start : start + window]) for start in range(duration - window + 1)), default=0
    )
    assert peak_load(begins, ends, duration, window) == pytest.approx(expected / window)


def test_a_run_shorter_than_a_window_has_no_load_series() -> None:
    empty = np.array([], dtype=np.int64)
    assert load_series(empty, empty, 99, 100) == []
    assert load_series(empty, empty, 250, 100) == [0.0, 0.0]


def test_bus_statistics_add_up(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    buses = bus_statistics(rig)
    assert [bus.channel for bus in buses] == ["CHASSIS_A", "CHASSIS_B"]
    assert sum(bus.frame_count for bus in buses) == len(rig.recorder.frames)
    for bus in buses:
        assert (bus.nominal_bps, bus.data_bps) == (500_000, 2_000_000)
        assert bus.load_window_ns == LOAD_WINDOW_NS == ms(100)
        assert len(bus.load_series_ratio) == rig.now_ns // ms(100)
        assert max(bus.load_series_ratio) <= bus.peak_load_ratio < 0.5
        assert bus.load_ratio == pytest.approx(sum(bus.load_series_ratio) / 4, abs=0.01)
        assert 0.2 < bus.load_ratio < 0.5


# -- messages ------------------------------------------------------------------------------------


def test_message_statistics_are_those_of_the_records(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rows = {(row.channel, row.name, row.sender): row for row in message_statistics(rig)}
    for (channel, name, sender), row in rows.items():
        records = [
            record
            for record in rig.recorder.frames
            if record.frame.arbitration_id == row.arbitration_id
            and (record.channel, record.sender) == (channel, sender)
        ]
        cycles = [b.sof_ns - a.sof_ns for a, b in pairwise(records)]
        latencies = [record.eof_ns - record.request_ns for record in records]
        assert row.count == len(records)
        assert (row.latency_min_ns, row.latency_max_ns) == (min(latencies), max(latencies))
        assert row.latency_mean_ns == pytest.approx(sum(latencies) / len(latencies))
        if cycles:
            assert (row.cycle_min_ns, row.cycle_max_ns) == (min(cycles), max(cycles))
            assert row.cycle_mean_ns == pytest.approx(sum(cycles) / len(cycles))
        else:
            assert (row.cycle_min_ns, row.cycle_mean_ns, row.cycle_max_ns) == (None,) * 3
        message = rig.database.message(name)
        assert row.cycle_nominal_ns == message.cycle_time_ns
    for bus in rig.buses:
        load_ratio = sum(row.load_ratio for row in rows.values() if row.channel == bus.name)
        assert load_ratio == pytest.approx(bus.load_ratio, rel=0.01)


def test_an_unknown_identifier_is_named_by_its_number(standing: Rig) -> None:
    standing.node("TST").port.send(Frame(0x123, b"\x01"))  # type: ignore[attr-defined]
    standing.run_for(ms(5))
    (row,) = [row for row in message_statistics(standing) if row.arbitration_id == 0x123]
    assert (row.name, row.sender, row.count, row.cycle_nominal_ns) == ("0x123", "TST", 1, None)


def test_the_pause_of_a_reset_is_no_cycle(standing: Rig) -> None:
    standing.reset("BPS")
    standing.run_for(ms(100))
    rows = [row for row in message_statistics(standing) if row.sender == "BPS"]
    assert [row.channel for row in rows] == ["CHASSIS_A", "CHASSIS_B"]
    for row in rows:
        assert row.cycle_max_ns is not None and row.cycle_min_ns is not None
        assert ms(4.5) < row.cycle_min_ns <= row.cycle_max_ns < ms(5.5)


# -- trace ---------------------------------------------------------------------------------------


def test_a_rig_that_never_ran_has_no_trace() -> None:
    assert trace_of(Rig()) is None


def test_the_trace_has_every_column_on_one_time_axis(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rig.press_pedal(40)
    rig.run_for(ms(200))
    trace = trace_of(rig)
    assert trace is not None
    assert trace.time_s[0] == 0.001
    assert trace.time_s[-1] == pytest.approx(0.6)
    assert {len(column) for column in trace.columns.values()} == {600}
    for name in ("pedal_pct", "speed_mps", "slip_ratio.FL", "force_command_n.RR"):
        assert name in trace.columns
    assert trace.columns["pedal_pct"][-1] == 40.0


def test_slip_is_that_of_wheel_and_vehicle_and_0_at_rest(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rig.press_pedal(100)
    rig.run_for(ms(300))
    trace = trace_of(rig)
    assert trace is not None
    speed, wheel = trace.columns["speed_mps"], trace.columns["wheel_speed_radps.FL"]
    slip = trace.columns["slip_ratio.FL"]
    assert slip[-1] == pytest.approx(1 - wheel[-1] * 0.345 / speed[-1])
    assert slip.max() > 0.05
    assert not slip[:290].any()


def test_commands_are_held_from_the_first_instant_after_their_frame(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rig.press_pedal(60, ramp_ns=0)
    rig.run_for(ms(60))
    trace = trace_of(rig)
    assert trace is not None
    message = rig.database.message("CDC_EmbCmd")
    reader = message.codec.reader("CDC_FL_FReq")
    expected, held = [], 0.0
    records = [r for r in rig.recorder.frames if r.frame.arbitration_id == 0x060]
    for row in range(rig.recorder.row_count):
        at_ns = ms(row + 1)
        for record in records:
            if record.eof_ns <= at_ns:
                held = reader.read(record.frame.data)[0]
        expected.append(held)
    assert trace.columns["force_command_n.FL"].tolist() == expected
    assert max(expected) > 5_000


def test_a_command_of_the_secondary_counts_while_it_commands(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rig.inject(EcuSilent(node="CDC"))
    rig.press_pedal(60, ramp_ns=0)
    rig.run_for(ms(100))
    trace = trace_of(rig)
    assert trace is not None
    asked_n = rig.signal("CDC2_EmbCmd", "CDC2_FL_FReq")
    assert asked_n is not None and asked_n > 5_000
    assert trace.columns["force_command_n.FL"][-1] == asked_n
