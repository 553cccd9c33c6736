"""`simcore decode`: logs to columns from the command line."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simcore.attach.log_reader import read_log
from simcore.network import Database

Simcore = Callable[..., Any]
HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")

DBC = """VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 256 Gearbox: 3 A
 SG_ Gear : 0|3@1+ (1,0) [0|0] "" B
 SG_ Speed : 8|12@1+ (0.1,0) [0|0] "km/h" B
BO_ 257 Paged: 2 A
 SG_ Page M : 0|2@1+ (1,0) [0|0] "" B
 SG_ Voltage m0 : 8|8@1+ (0.5,0) [0|0] "V" B
VAL_ 256 Gear 0 "Park" 1 "Drive";
"""
LOG = """(1.000000) can0 100#000A00
(1.100000) can0 101#0005
(1.200000) can0 100#011400
(1.300000) can0 101#0307
(1.400000) can0 100#01
(1.500000) can0 300#11
(1.600000) can0 100#R3
(1.700000) can0 20000080#0000000000000000
"""
DRIVE = '''
@scenario
def drive(rig: Rig) -> None:
    """A moment on the road."""
    rig.run_for(ms(60))
    rig.check("BRK-001", True)
'''


@pytest.fixture
def dbc(folder: Path) -> Path:
    (folder / "net.dbc").write_text(DBC, encoding="utf-8")
    return Path("net.dbc")


@pytest.fixture
def log(folder: Path) -> Path:
    (folder / "bus.log").write_text(LOG, encoding="utf-8")
    return Path("bus.log")


def rows_of(path: str) -> list[list[str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_an_archive_beside_nothing_else_is_the_default(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    ended = simcore("decode", log, dbc)
    assert ended.code == 0
    assert "wrote    bus.npz" in ended.out
    with np.load("bus.npz") as archive:
        assert archive["Gearbox.time_ns"].tolist() == [1_000_000_000, 1_200_000_000]
        assert archive["Gearbox.Gear"].tolist() == [0, 1]
        assert archive["Gearbox.Speed"].tolist() == [1.0, 2.0]
        assert archive["Paged.Voltage.present"].tolist() == [True, False]


def test_nothing_of_a_log_goes_missing_without_a_word(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    ended = simcore("decode", log, dbc)
    assert ended.lines == [
        "decoded  4 of 8 entries of bus.log: 2 messages, 4 signals",
        "skipped  1: id not in the database: 0x300 (1)",
        "skipped  1: shorter than the message: 0x100 Gearbox (1)",
        "skipped  1: remote frames: 0x100 (1)",
        "not data 1: error frame",
        "partly   1: unknown multiplexer number, nothing it selects: Paged (1)",
        "wrote    bus.npz",
    ]
    assert ended.err == ""


@pytest.mark.parametrize("log_format", ["candump", "asc", "blf"])
def test_every_frame_of_a_run_is_decoded_as_the_codec_decodes_it(
    simcore: Simcore, write: Callable[..., Path], dbc: Path, log_format: str
) -> None:
    write("drive.py", DRIVE)
    simcore("run", "drive.py", "--log", log_format)
    (path,) = Path().glob("drive.*[!y]")
    reference = Database.reference()
    Path("reference.dbc").write_text(
        (Path(__file__).parents[2] / "dbc" / "chassis_fd.dbc").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    ended = simcore("decode", path, "reference.dbc", "-o", "run.npz")
    assert ended.code == 0
    records = [r for r in read_log(path).records if r.frame is not None]
    assert ended.lines[0].startswith(f"decoded  {len(records)} of {len(records)} entries")
    frames = [(r, r.frame) for r in records if r.frame is not None]
    channels: dict[int, set[str]] = {}
    for record, frame in frames:
        channels.setdefault(frame.arbitration_id, set()).add(record.channel)
    rows: dict[str, int] = {}
    with np.load("run.npz") as archive:
        for record, frame in frames:
            message = reference.message(frame.arbitration_id, is_extended_id=frame.is_extended_id)
            is_on_several = len(channels[frame.arbitration_id]) > 1
            name = f"{message.name}@{record.channel}" if is_on_several else message.name
            row = rows[name] = rows.get(name, -1) + 1
            assert archive[f"{name}.time_ns"][row] == record.time_ns
            for signal, value in message.codec.decode(frame.data[: message.length]).items():
                assert archive[f"{name}.{signal}"][row] == value
    assert len(rows) > 10


def test_one_message_is_one_csv_file_and_several_are_a_folder(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    ended = simcore("decode", log, dbc, "-o", "one.csv", "--message", "Gearbox", "--texts")
    assert "wrote    one.csv" in ended.out
    assert "left out 2: by the options given" in ended.out
    assert rows_of("one.csv") == [
        ["Gearbox.time_ns", "Gearbox.Gear", "Gearbox.Speed"],
        ["1000000000", "Park", "1.0"],
        ["1200000000", "Drive", "2.0"],
    ]
    ended = simcore("decode", log, dbc, "-o", "all.csv", "--raw")
    assert "wrote    all: 2 files" in ended.out
    assert rows_of("all/Gearbox.csv")[2] == ["1200000000", "1", "20"]
    assert rows_of("all/Paged.csv")[1:] == [["1100000000", "0", "5"], ["1300000000", "3", ""]]


@needs_asammdf
def test_mf4_holds_the_same_values(simcore: Simcore, dbc: Path, log: Path) -> None:
    from asammdf import MDF

    assert simcore("decode", log, dbc, "-o", "bus.mf4").code == 0
    with MDF("bus.mf4") as file:
        assert file.get("Gearbox.Speed").samples.tolist() == [1.0, 2.0]
        assert file.get("Gearbox.Speed").unit == "km/h"
        assert file.get("Gearbox.Gear").samples.tolist() == [b"Park", b"Drive"]


def test_a_message_on_two_channels_is_named_after_them(
    simcore: Simcore, dbc: Path, folder: Path
) -> None:
    (folder / "two.log").write_text("(1.0) can0 100#000A00\n(2.0) can1 100#011400\n")
    simcore("decode", "two.log", dbc)
    with np.load("two.npz") as archive:
        assert archive["Gearbox@can0.Gear"].tolist() == [0]
        assert archive["Gearbox@can1.time_ns"].tolist() == [2_000_000_000]
    simcore("decode", "two.log", dbc, "--channel", "can1", "-o", "one.npz")
    with np.load("one.npz") as archive:
        assert archive["Gearbox.Gear"].tolist() == [1]


def test_a_window_takes_its_begin_and_leaves_its_end(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    ended = simcore("decode", log, dbc, "--from", "1.1 s", "--to", "1200ms")
    assert ended.lines[0] == "decoded  1 of 8 entries of bus.log: 1 messages, 2 signals"
    with np.load("bus.npz") as archive:
        assert list(archive) == [
            "Paged.time_ns",
            "Paged.Page",
            "Paged.Voltage",
            "Paged.Voltage.present",
        ]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("5", "'5': expected a number and ns, us, ms or s, as in 1.5s"),
        ("1.2.3s", "expected a number and ns, us, ms or s"),
        ("0.5ns", "'0.5ns': expected a whole number of ns"),
    ],
)
def test_a_time_that_is_none_is_refused(
    simcore: Simcore, dbc: Path, log: Path, time: str, text: str
) -> None:
    ended = simcore("decode", log, dbc, "--from", time)
    assert ended.code == 2
    assert text in ended.err


def test_times_since_1970_keep_every_digit(simcore: Simcore, dbc: Path, folder: Path) -> None:
    (folder / "epoch.log").write_text(
        "(1436509052.249713001) can0 100#000A00\n(1436509052.249713002) can0 100#000A00\n"
    )
    simcore("decode", "epoch.log", dbc, "--from", "1436509052.249713002s")
    with np.load("epoch.npz") as archive:
        assert archive["Gearbox.time_ns"].tolist() == [1_436_509_052_249_713_002]


@pytest.mark.parametrize("name", ["bus.npz", "bus.csv"])
def test_nothing_is_overwritten_without_force(
    simcore: Simcore, dbc: Path, log: Path, name: str
) -> None:
    Path(name).write_text("mine")
    ended = simcore("decode", log, dbc, "-o", name)
    assert ended.code == 2
    assert ended.err == f"simcore: --output: expected a new name, or --force, got {name}: exists\n"
    assert Path(name).read_text() == "mine"
    arguments = ["--message", "Gearbox"] if name.endswith("csv") else []
    assert simcore("decode", log, dbc, "-o", name, "--force", *arguments).code == 0
    assert Path(name).read_bytes() != b"mine"


def test_a_folder_of_csv_files_is_not_mixed_with_another(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    Path("all").mkdir()
    ended = simcore("decode", log, dbc, "-o", "all.csv")
    assert ended.code == 2
    assert "expected a new name, or --force, got all: exists" in ended.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-o", "a.txt"], "--output: expected a name ending in .npz, .csv, .mf4, got a.txt"),
        (["--texts"], "--texts: expected a .csv output, got bus.npz"),
        (["--texts", "--raw", "-o", "a.csv"], "--texts: expected no --raw with it, got both"),
        (["--message", "Gearbux"], "unknown message 'Gearbux': did you mean 'Gearbox'? (net.dbc)"),
        (["--channel", "can9"], "channel: expected one of can0, got can9"),
    ],
)
def test_what_makes_no_sense_is_refused(
    simcore: Simcore, dbc: Path, log: Path, arguments: list[str], text: str
) -> None:
    ended = simcore("decode", log, dbc, *arguments)
    assert (ended.code, ended.err) == (2, f"simcore: {text}\n")
    assert not list(Path().glob("*.npz"))


def test_mf4_without_asammdf_is_refused_before_reading(
    simcore: Simcore, dbc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = simcore("decode", "nowhere.log", dbc, "-o", "a.mf4")
    assert ended.code == 2
    assert "expected asammdf, as `pip install simcore[mf4]` brings it" in ended.err


def test_a_truncated_log_is_decoded_up_to_there(simcore: Simcore, dbc: Path, log: Path) -> None:
    log.write_text(LOG[:60])
    ended = simcore("decode", log, dbc)
    assert ended.code == 3
    assert ended.lines[0] == "decoded  2 of 2 entries of bus.log: 2 messages, 4 signals"
    assert "bus.log:3: candump log, byte offset" in ended.err
    assert "expected the end of the line, got the end of the file" in ended.err
    with np.load("bus.npz") as archive:
        assert archive["Gearbox.Speed"].tolist() == [1.0]


def test_a_log_that_is_bad_from_the_start_writes_nothing(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    log.write_text("nonsense\n")
    ended = simcore("decode", log, dbc)
    assert ended.code == 3
    assert "bus.log:1: candump log: expected (seconds.fraction)" in ended.err
    assert not Path("bus.npz").exists()


def test_a_log_without_a_frame_of_the_database_is_told_apart(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    log.write_text("(1.0) can0 300#00\n")
    ended = simcore("decode", log, dbc)
    assert ended.code == 3
    assert "skipped  1: id not in the database: 0x300 (1)" in ended.out
    assert ended.err == (
        "simcore: bus.log: bus log: expected frames of the messages asked for, "
        "got none among 1 entries, nothing written\n"
    )


def test_many_unknown_ids_are_cut_short(simcore: Simcore, dbc: Path, log: Path) -> None:
    log.write_text(LOG + "".join(f"(2.0) can0 4{n:02X}#00\n" for n in range(30)))
    ended = simcore("decode", log, dbc)
    assert "skipped  31: id not in the database: 0x300 (1), 0x400 (1)" in ended.out
    assert "0x412 (1), 11 more\n" in ended.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.log", "missing.log: bus log: expected a readable file, got No such"),
        ("bus.txt", "bus.txt: bus log: expected a name ending in .log,"),
    ],
)
def test_a_log_that_cannot_be_read_is_invalid_input(
    simcore: Simcore, dbc: Path, name: str, text: str
) -> None:
    ended = simcore("decode", name, dbc)
    assert ended.code == 3
    assert text in ended.err


def test_a_bad_database_is_invalid_input_and_lenient_says_what_it_dropped(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    dbc.write_text(DBC + "SG_ nonsense\n", encoding="utf-8")
    ended = simcore("decode", log, dbc)
    assert ended.code == 3
    assert "net.dbc:" in ended.err
    ended = simcore("decode", log, dbc, "--lenient")
    assert ended.code == 0
    assert ": dropped: " in ended.err
    assert Path("bus.npz").exists()


def test_a_message_that_cannot_be_decoded_is_counted_with_the_reason(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    twin = ' SG_ Gear : 3|3@1+ (1,0) [0|0] "" B\nBO_ 257 Paged'
    dbc.write_text(DBC.replace("BO_ 257 Paged", twin), encoding="utf-8")
    ended = simcore("decode", log, dbc, "--lenient")
    assert "skipped  3: cannot be decoded: 0x100 Gearbox (3)" in ended.out
    assert "0x100 Gearbox: two signals of the same name Gear" in ended.out
    with np.load("bus.npz") as archive:
        assert "Paged.Page" in archive


def test_progress_is_shown_on_a_terminal_only(
    simcore: Simcore, dbc: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simcore("decode", log, dbc).err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    ended = simcore("decode", log, dbc, "--force")
    assert "reading bus.log" in ended.err
    assert "writing bus.npz" in ended.err
    assert "100%" in ended.err


def test_the_same_log_gives_the_same_bytes(simcore: Simcore, dbc: Path, log: Path) -> None:
    simcore("decode", log, dbc, "-o", "one.npz")
    simcore("decode", log, dbc, "-o", "two.npz")
    assert Path("one.npz").read_bytes() == Path("two.npz").read_bytes()


KCD = """<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Document name="x"/>
<Node id="1" name="A"/>
<Bus name="B1"><Message id="0x1" name="M" length="2"><Producer><NodeRef id="1"/></Producer>
<Signal name="S" offset="0" length="8"/></Message>
<Message id="0x2" name="Alone" length="1"><Producer><NodeRef id="1"/></Producer>
<Signal name="T" offset="0" length="8"/></Message></Bus>
<Bus name="B2"><Message id="0x1" name="M" length="2"><Producer><NodeRef id="1"/></Producer>
<Signal name="S" offset="8" length="8"/></Message></Bus>
</NetworkDefinition>"""


CLASH = "bus: expected one of B1, B2 (--bus), got none, for 0x001 M of B1 and 0x001 M of B2"


@pytest.fixture
def networks(folder: Path) -> tuple[Path, Path]:
    """A log of two ids, and two networks that both have the first one."""
    (folder / "two.kcd").write_text(KCD, encoding="utf-8")
    (folder / "two.log").write_text("(1.0) can0 001#0507\n(2.0) can0 002#09\n", encoding="utf-8")
    return Path("two.log"), Path("two.kcd")


def test_of_several_networks_one_is_chosen(simcore: Simcore, networks: tuple[Path, Path]) -> None:
    for bus, value, names in (("B1", 5, {"M", "Alone"}), ("B2", 7, {"M"})):
        assert simcore("decode", *networks, "--bus", bus, "--force").code == 0
        with np.load("two.npz") as archive:
            assert archive["M.S"].tolist() == [value]
            assert {key.partition(".")[0] for key in archive} == names


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), CLASH),
        (("--message", "M"), CLASH),
        (("--bus", "B3"), "two.kcd: unknown bus 'B3'"),
        (("--bus", "B2", "--message", "Alone"), "message 'Alone' is not in the database"),
    ],
)
def test_networks_that_clash_are_told_apart_by_the_user(
    simcore: Simcore, networks: tuple[Path, Path], arguments: tuple[str, ...], complaint: str
) -> None:
    ended = simcore("decode", *networks, *arguments)
    assert ended.code == 2, ended.out
    assert complaint in ended.err
    assert not list(Path().glob("*.npz"))


def test_a_message_that_only_one_network_has_needs_no_choice(
    simcore: Simcore, networks: tuple[Path, Path]
) -> None:
    assert simcore("decode", *networks, "--message", "Alone").code == 0
    with np.load("two.npz") as archive:
        assert archive["Alone.T"].tolist() == [9]


def test_force_leaves_no_table_of_before(simcore: Simcore, dbc: Path, log: Path) -> None:
    several = ("decode", log, dbc, "-o", "bus.csv", "--force")
    assert simcore(*several).code == 0
    assert sorted(path.name for path in Path("bus").iterdir()) == ["Gearbox.csv", "Paged.csv"]
    assert simcore(*several, "--message", "Gearbox").code == 0
    assert Path("bus.csv").exists() and not Path("bus").exists()
    assert simcore(*several).code == 0
    assert Path("bus").is_dir() and not Path("bus.csv").exists()
    (Path("bus") / "Paged.csv").rename(Path("bus") / "Old.csv")
    assert simcore(*several).code == 0
    assert sorted(path.name for path in Path("bus").iterdir()) == ["Gearbox.csv", "Paged.csv"]


@pytest.mark.parametrize("name", ["notes.txt", "mine.csv"])
def test_force_takes_nothing_away_that_is_no_table(
    simcore: Simcore, dbc: Path, log: Path, name: str
) -> None:
    Path("all").mkdir()
    kept = Path("all") / name
    kept.write_text("name,mine\n", encoding="utf-8")
    ended = simcore("decode", log, dbc, "-o", "all.csv", "--force")
    assert ended.code == 2
    assert (
        ended.err
        == f"simcore: --output: expected nothing but decoded tables in all to replace, got {kept}\n"
    )
    assert kept.read_text(encoding="utf-8") == "name,mine\n"


def test_force_replaces_neither_a_folder_by_a_file_nor_a_file_by_a_folder(
    simcore: Simcore, dbc: Path, log: Path
) -> None:
    Path("all.npz").mkdir()
    ended = simcore("decode", log, dbc, "-o", "all.npz", "--force")
    assert (ended.code, ended.err) == (
        2,
        "simcore: --output: expected a file to replace, got all.npz: a folder\n",
    )
    Path("some").write_text("mine", encoding="utf-8")
    ended = simcore("decode", log, dbc, "-o", "some.csv", "--force")
    assert ended.code == 2 and "expected nothing but decoded tables in some" in ended.err
    assert Path("some").read_text(encoding="utf-8") == "mine"


def test_what_is_read_is_never_written_over(simcore: Simcore, dbc: Path, log: Path) -> None:
    Path("log.mf4").hardlink_to(log)
    Path("net.csv").symlink_to(dbc)
    Path("bus.mf4").write_bytes(b"a log")
    for arguments in (
        (log, dbc, "-o", "log.mf4"),
        (log, dbc, "-o", "net.csv"),
        ("bus.mf4", dbc, "-o", Path().resolve() / "bus.mf4"),
    ):
        ended = simcore("decode", *arguments, "--force")
        assert ended.code == 2
        assert "--output: expected another file than those read, got " in ended.err
    assert log.read_text(encoding="utf-8") == LOG and dbc.read_text(encoding="utf-8") == DBC
    assert Path("bus.mf4").read_bytes() == b"a log"
