"""`simcore replay`: logs played from the command line."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import can
import pytest

from simcore.attach.log_reader import read_log
from simcore.attach.log_record import EntryKind

Simcore = Callable[..., Any]
Drive = Callable[[str], Path]
Write = Callable[..., Path]
HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")

DRIVE = '''
@scenario
def drive(rig: Rig) -> None:
    """A short press of the pedal."""
    rig.vehicle.set_speed(kmh=50)
    rig.run_for(ms(100))
    rig.press_pedal(50.0)
    rig.run_for(ms(100))
    rig.check("BRK-001", True)
'''
FORMATS = {
    "candump": "drive.log",
    "asc": "drive.asc",
    "blf": "drive.blf",
    "mf4": "drive.mf4",
}


@pytest.fixture
def drive(simcore: Simcore, write: Write) -> Drive:
    """Runs the short drive and returns its log in one format."""

    def run(log_format: str) -> Path:
        write("drive.py", DRIVE)
        simcore("run", "drive.py", "--log", log_format)
        return Path(FORMATS[log_format])

    return run


@pytest.mark.parametrize(
    "log_format",
    [pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in FORMATS],
)
def test_a_log_of_a_run_is_replayed_to_the_byte(
    simcore: Simcore, drive: Drive, log_format: str
) -> None:
    path = drive(log_format)
    count = read_log(path).frame_count
    assert count > 500
    ended = simcore("replay", path, "--log", f"again{path.suffix}", "--exact")
    assert ended.code == 0, ended.out + ended.err
    assert Path(f"again{path.suffix}").read_bytes() == path.read_bytes()
    assert f"{count} frames, simcore" in ended.lines[0]
    assert f"on time  {count}" in ended.lines
    assert "skipped" not in ended.out
    assert ended.digest


def test_two_replays_have_one_digest(simcore: Simcore, drive: Drive) -> None:
    path = drive("blf")
    first = simcore("replay", path, "--all-but", "EMB_FL,EMB_FR")
    again = simcore("replay", path, "--all-but", "EMB_FL", "--all-but", "EMB_FR")
    assert first.code == 0
    assert first.digest == again.digest != simcore("replay", path).digest
    assert "EMB_FL is under test (EMB_FL_St1 " in first.out
    assert "EMB_FR is under test (EMB_FR_St1 " in first.out


def test_filters_say_what_they_left_out(simcore: Simcore, drive: Drive) -> None:
    path = drive("candump")
    ended = simcore("replay", path, "--only", "0x060,176")
    assert ended.code == 0
    (skipped,) = (line for line in ended.lines if line.startswith("skipped"))
    assert ": not among the chosen identifiers (" in skipped
    assert skipped.endswith(" more)")
    ended = simcore("replay", path, "--node", "BPS")
    assert "CDC is not among the chosen nodes" in ended.out


def test_a_report_is_written(simcore: Simcore, drive: Drive) -> None:
    ended = simcore("replay", drive("blf"), "--report", "out")
    assert ended.code == 0
    assert "drive.blf" in Path("out/report.html").read_text(encoding="utf-8")
    assert 'failures="0"' in Path("out/junit.xml").read_text(encoding="utf-8")
    assert "report   out/report.html" in ended.lines


def test_a_damaged_log_is_played_up_to_the_damage(simcore: Simcore, drive: Drive) -> None:
    path = drive("blf")
    whole = path.read_bytes()
    Path("cut.blf").write_bytes(whole[: len(whole) // 2])
    ended = simcore("replay", "cut.blf")
    kept = read_log("cut.blf").frame_count
    assert ended.code == 3
    assert f"(kept {kept} frames before it)" in ended.err
    assert "byte offset" in ended.err
    assert f"on time  {kept}" in ended.lines


def test_a_foreign_log_starts_where_its_first_frame_did(simcore: Simcore, folder: Path) -> None:
    text = "(1700000000.000000) can0 7FE#01\n(1700000000.010000) can1 7FE#02\n"
    Path("foreign.log").write_text(text)
    ended = simcore(
        *("replay", "foreign.log", "--from-first"),
        *("--channel", "can0=CHASSIS_A", "--channel", "can1=nowhere"),
    )
    assert ended.code == 2
    assert "Replay, channel can1: expected one of CHASSIS_A" in ended.err
    ended = simcore("replay", "foreign.log", "--from-first", "--channel", "can0=CHASSIS_A")
    assert ended.code == 0
    assert "on time  1" in ended.lines
    assert "skipped  1: channel can1 is no bus here (0x7FE 1)" in ended.lines


def test_a_log_of_which_nothing_is_played_fails(simcore: Simcore, drive: Drive) -> None:
    ended = simcore("replay", drive("blf"), "--only", "0x7FF")
    assert ended.code == 1
    assert "0 of 0" in ended.out


def test_a_frame_that_could_not_come_at_its_time_fails_an_exact_replay(
    simcore: Simcore, folder: Path
) -> None:
    # Two frames that overlap: the second one has to wait.
    text = "(0.001000) CHASSIS_A 7FE#0102030405060708\n(0.001010) CHASSIS_A 7FD#01\n"
    Path("dense.log").write_text(text)
    assert simcore("replay", "dense.log").code == 0
    ended = simcore("replay", "dense.log", "--exact")
    assert ended.code == 1
    assert "1, 1 at another time (by up to " in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nothing.blf"], 3, "bus log: expected a readable file, got No such file"),
        (["drive.py"], 3, "bus log: expected a name ending in .log, .candump, .asc, .blf, .mf4"),
        (["drive.blf", "--all-but", "EMB_XX"], 2, "Replay: expected one of "),
        (["drive.blf", "--only", "0xZZ"], 2, "'0xZZ': expected an identifier, as in 0x060"),
        (["drive.blf", "--channel", "can0"], 2, "'can0': expected LOG=BUS"),
        (["drive.blf", "--log", "out.trc"], 2, "--log: expected a name ending in .log, .asc, .blf"),
        (["drive.blf", "--dbc", "none.dbc"], 3, "network database: expected a readable DBC file"),
    ],
)
def test_mistakes_are_told(
    simcore: Simcore, drive: Drive, arguments: list[str], code: int, text: str
) -> None:
    drive("blf")
    ended = simcore("replay", *arguments)
    assert ended.code == code
    assert text in ended.err


def test_a_log_may_be_written_as_a_node_sees_it(
    simcore: Simcore, drive: Drive, write: Write
) -> None:
    write("drive.py", DRIVE)
    assert simcore("run", "drive.py", "--log", "blf", "--log-node", "CDC").code == 0
    sent = [record for record in read_log("drive.blf").records if record.transmitted]
    assert {record.frame.arbitration_id for record in sent if record.frame} >= {0x60}
    ended = simcore("run", "drive.py", "--log", "blf", "--log-node", "ECU9")
    assert ended.code == 2
    assert "--log-node: expected one of " in ended.err
    assert "got ECU9" in ended.err


NOISY = '''
@scenario
def drive(rig: Rig) -> None:
    """The brake command is destroyed three times."""
    rig.run_for(ms(50))
    rig.inject(BitError(bus="CHASSIS_A", bits=(60,), sender="CDC", limit=3), duration=ms(50))
    rig.run_for(ms(100))
    rig.check("BRK-001", True)
'''


@pytest.mark.parametrize(
    "log_format",
    [pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in FORMATS],
)
def test_what_was_destroyed_is_logged_and_what_was_sent_again_is_replayed(
    simcore: Simcore, write: Write, log_format: str
) -> None:
    write("drive.py", "from simcore.faults import BitError\n", NOISY)
    assert simcore("run", "drive.py", "--log", log_format).code == 0
    path = Path(FORMATS[log_format])
    log = read_log(path).require_whole()
    assert log.counts[EntryKind.ERROR] == 3
    with can.LogReader(path) as reader:
        seen = list(reader)
    assert sum(message.is_error_frame for message in seen) == 3
    assert sum(not message.is_error_frame for message in seen) == log.frame_count
    ended = simcore("replay", path, "--exact")
    assert ended.code == 0
    assert f"on time  {log.frame_count}" in ended.lines
    assert "skipped  3: error frames are not played (error frame 3)" in ended.lines
