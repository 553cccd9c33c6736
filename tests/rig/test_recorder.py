"""The recorder: rows, columns, running figures, and a digest that does not depend on folding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import BusRecord, Frame
from simcore.errors import UsageError
from simcore.rig.recorder import Recorder


def record(sof_ns: int, data: bytes = b"\x01", sender: str = "A", channel: str = "X") -> BusRecord:
    return BusRecord(sof_ns, sof_ns + 100, channel, Frame(0x10, data), sender, sof_ns - 5)


def filled(records: list[BusRecord], fold_every: int = 0) -> Recorder:
    recorder = Recorder(("a_n",))
    for index, each in enumerate(records):
        recorder.frames.append(each)
        if fold_every and index % fold_every == 0:
            recorder.fold()
    return recorder


def test_rows_come_back_by_name() -> None:
    recorder = Recorder(("a_n", "b_m"))
    recorder.append((1.0, 2.0))
    recorder.append((3.0, 4.0))
    assert recorder.row_count == 2
    assert recorder.column("b_m").tolist() == [2.0, 4.0]
    assert recorder.column("b_m", first_row=1).tolist() == [4.0]
    assert recorder.column("b_m", first_row=2).tolist() == []
    assert recorder.table().tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_column_is_a_copy() -> None:
    recorder = Recorder(("a_n",))
    recorder.append((1.0,))
    recorder.column("a_n")[0] = 9.0
    recorder.table()[0, 0] = 9.0
    assert recorder.column("a_n").tolist() == [1.0]


def test_an_unknown_column_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"^recorded column 'c': expected one of a_n, b_m$"):
        Recorder(("a_n", "b_m")).column("c")


@given(
    gaps=st.lists(st.integers(100, 10_000), max_size=30),
    fold_every=st.integers(1, 7),
)
def test_the_digest_does_not_depend_on_when_it_is_folded(gaps: list[int], fold_every: int) -> None:
    records, now = [], 0
    for gap in gaps:
        now += gap
        records.append(record(now, bytes([now % 256])))
    assert filled(records).hexdigest() == filled(records, fold_every).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        record(1001),
        record(1000, b"\x02"),
        record(1000, b"\x01\x00"),
        record(1000, sender="B"),
        record(1000, channel="Y"),
        BusRecord(1000, 1100, "X", Frame(0x11, b"\x01"), "A", 995),
        BusRecord(1000, 1100, "X", Frame(0x10, b"\x01", is_extended_id=True), "A", 995),
        BusRecord(1000, 1100, "X", Frame(0x10, b"\x01", is_fd=True), "A", 995),
        BusRecord(1000, 1101, "X", Frame(0x10, b"\x01"), "A", 995),
    ],
)
def test_every_part_of_a_frame_is_in_the_digest(other: BusRecord) -> None:
    assert filled([other]).hexdigest() != filled([record(1000)]).hexdigest()


def test_the_running_figures_of_a_message() -> None:
    recorder = filled([record(0), record(500), record(1_200), record(1_600, sender="B")])
    recorder.fold()
    fold = recorder.folds["X", 0x10, False, "A"]
    assert (fold.count, fold.last_sof_ns) == (3, 1_200)
    assert (fold.cycle_min_ns, fold.cycle_max_ns, fold.cycle_count) == (500, 700, 2)
    assert (fold.latency_min_ns, fold.latency_max_ns) == (105, 105)
    assert fold.busy_ns == 300
    assert recorder.folds["X", 0x10, False, "B"].count == 1


def test_the_pause_of_a_sender_that_restarts_is_no_cycle_of_its() -> None:
    recorder = filled([record(0), record(500)])
    recorder.restart("A")
    recorder.frames.append(record(90_000))
    recorder.frames.append(record(90_600))
    recorder.fold()
    fold = recorder.folds["X", 0x10, False, "A"]
    assert (fold.cycle_min_ns, fold.cycle_max_ns, fold.count) == (500, 600, 4)
