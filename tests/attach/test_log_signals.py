"""Columns out of bus logs: which samples, at which times, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore import Database, Restbus, ms, s
from simcore.attach.log_signals import LogSignals, is_log
from simcore.errors import InputError, UsageError
from simcore.network.columns import Column
from simcore.report import LOG_FORMATS, write_log

DATABASE = Database.from_text(
    """VERSION ""
BU_: A B
BO_ 256 M: 2 A
 SG_ X : 0|8@1+ (0.5,0) [0|127] "" B
BO_ 257 P: 2 A
 SG_ Page M : 0|8@1+ (1,0) [0|3] "" B
 SG_ One m1 : 8|8@1+ (1,0) [0|255] "" B
 SG_ Two m2 : 8|8@1+ (1,0) [0|255] "" B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 1000;
BA_ "GenMsgCycleTime" BO_ 256 10;
""",
    name="log.dbc",
)
M, P = DATABASE.message("M"), DATABASE.message("P")


def log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "drive.log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_samples_count_from_the_first_entry_of_the_log_and_are_physical(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        "(1700000000.000000) can0 300#00",
        "(1700000000.010000) can0 100#0400",
        "(1700000000.020000) can0 100#0600",
        "(1700000000.020000) can0 100#0800",
    )
    column = LogSignals.load(path).column(M, "X")
    assert column == Column((ms(10), ms(20)), (2.0, 4.0))


def test_frames_on_another_page_and_short_ones_are_no_samples(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        "(0.000000) can0 101#0107",
        "(0.010000) can0 101#0208",
        "(0.020000) can0 101#01",
        "(0.030000) can0 101#R",
        "(0.040000) can0 101#0109",
    )
    signals = LogSignals.load(path)
    assert signals.column(P, "One") == Column((0, ms(40)), (7, 9))
    assert signals.column(P, "Two") == Column((ms(10),), (8,))


@pytest.mark.parametrize("log_format", ["candump", "asc", "blf"])
def test_what_a_restbus_sent_comes_back_from_every_format(tmp_path: Path, log_format: str) -> None:
    rig = Restbus(DATABASE)
    rig.drive("M", "X", Column((0, ms(45), ms(200)), (1.5, 2.0, 60)))
    rig.run_for(s(1))
    path = tmp_path / f"drive{LOG_FORMATS[log_format].suffix}"
    assert is_log(path)
    write_log(path, rig.recorder.frames, log_format)
    column = LogSignals.load(path).column(M, "X")
    again = Restbus(DATABASE)
    again.drive("M", "X", column)
    again.run_for(s(1))
    assert len(column.times_ns) == 100
    sent, sent_again = (
        [M.codec.decode(record.frame.data)["X"] for record in each.recorder.frames]
        for each in (rig, again)
    )
    assert sent == [1.5] * 5 + [2.0] * 15 + [60.0] * 80
    # A frame's time stamp is its end: a change may come back one cycle later.
    assert sent_again == sorted(sent_again) and len(sent_again) == 100
    assert [sent_again.count(value) for value in (1.5, 2.0, 60.0)] == pytest.approx(
        [5, 15, 80], abs=1
    )


def test_a_message_on_several_channels_needs_one(tmp_path: Path) -> None:
    path = log(tmp_path, "(0.000000) can0 100#0400", "(0.010000) can1 100#0600")
    signals = LogSignals.load(path)
    assert signals.column(M, "X", channel="can1") == Column((ms(10),), (3.0,))
    with pytest.raises(
        InputError,
        match=r"drive\.log: bus log, message 0x100 M: expected one of the channels can0, can1, "
        "got none chosen$",
    ):
        signals.column(M, "X")
    with pytest.raises(InputError, match=r"got none on channel can2, others on can0, can1$"):
        signals.column(M, "X", channel="can2")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            ("(0.000000) can0 300#00",),
            r"message 0x100 M: expected frames with the signal X, got 0 frames of it, 0 of them",
        ),
        (("(0.000000) can0 100#00",), "got 1 frames of it, 1 of them too short$"),
        (
            ("(0.500000) can0 100#0000", "(0.250000) can0 100#0000"),
            "expected times in order, 500000000 ns or more, got 250000000 ns$",
        ),
        (("nonsense",), r"drive\.log:1: "),
    ],
)
def test_a_log_without_good_samples_is_refused(
    tmp_path: Path, lines: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        LogSignals.load(log(tmp_path, *lines)).column(M, "X")


def test_an_unknown_signal_is_refused(tmp_path: Path) -> None:
    signals = LogSignals.load(log(tmp_path, "(0.000000) can0 100#0000"))
    with pytest.raises(UsageError, match="unknown signal 'Y'"):
        signals.column(M, "Y")


@pytest.mark.parametrize(
    ("name", "is_one"), [("a.BLF", True), ("a.log", True), ("a.mf4", True), ("a.csv", False)]
)
def test_logs_are_known_by_their_suffix(name: str, is_one: bool) -> None:
    assert is_log(name) is is_one
