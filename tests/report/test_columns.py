"""Columns on disk, read back with what a user would read them with."""

from __future__ import annotations

import csv
import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.batch import BatchDecoder
from simcore.report.columns import Table, file_names, remove_csv, write_csv, write_npz
from simcore.report.columns_mf4 import write_columns_mf4

HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")

DBC = """VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 256 Gearbox: 4 A
 SG_ Gear : 0|3@1+ (1,0) [0|0] "" B
 SG_ Speed : 8|12@1+ (0.1,-5) [0|0] "km/h" B
 SG_ Torque : 31|8@0- (2,1) [0|0] "Nm" B
BO_ 257 Paged: 4 A
 SG_ Page M : 0|2@1+ (1,0) [0|0] "" B
 SG_ Voltage m0 : 8|16@1+ (0.5,0) [0|0] "V" B
 SG_ Count m1 : 8|8@1+ (1,0) [0|0] "" B
BO_ 258 Big: 8 A
 SG_ Counter : 0|64@1+ (1,0) [0|0] "" B
BO_ 259 Bigger: 8 A
 SG_ Double : 0|64@1+ (2,0) [0|0] "" B
BO_ 260 Clash: 1 A
 SG_ time_ns : 0|8@1+ (1,0) [0|0] "" B
VAL_ 256 Gear 0 "Park" 1 "Drive; or so" 2 "Fünfter";
VAL_ 256 Speed 4095 "SNA";
"""
DATABASE = Database.from_text(DBC)
EPOCH_NS = 1_436_509_052_249_713_001


def table(name: str, *frames: bytes, called: str | None = None) -> Table:
    message = DATABASE.message(name)
    data = np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), message.length)
    times_ns = EPOCH_NS + 1_000 * np.arange(len(frames), dtype=np.int64)
    return Table(name=called or name, message=message, time_ns=times_ns, data=data)


GEARS = table("Gearbox", b"\x00\x00\x00\x00", b"\x01\xff\x0f\xff", b"\x05\x64\x00\x80")
PAGES = table("Paged", b"\x00\x05\x00\x00", b"\x01\x07\x00\x00", b"\x03\x09\x00\x00")
BIG = table("Big", b"\xff" * 8, bytes(8))
BIGGER = table("Bigger", b"\xff" * 8, bytes(8))
ALL = [GEARS, PAGES, BIG, BIGGER]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_an_archive_holds_every_column_and_its_times(tmp_path: Path) -> None:
    with np.load(write_npz(tmp_path / "all.npz", ALL)) as archive:
        assert list(archive) == [
            "Gearbox.time_ns",
            "Gearbox.Gear",
            "Gearbox.Speed",
            "Gearbox.Torque",
            "Paged.time_ns",
            "Paged.Page",
            "Paged.Voltage",
            "Paged.Voltage.present",
            "Paged.Count",
            "Paged.Count.present",
            "Big.time_ns",
            "Big.Counter",
            "Bigger.time_ns",
            "Bigger.Double",
        ]
        assert archive["Gearbox.time_ns"].dtype == np.int64
        assert archive["Gearbox.time_ns"].tolist() == [EPOCH_NS, EPOCH_NS + 1000, EPOCH_NS + 2000]
        expected = BatchDecoder(GEARS.message).decode(GEARS.data)
        for name, column in expected.items():
            assert archive[f"Gearbox.{name}"].dtype == column.dtype
            assert archive[f"Gearbox.{name}"].tolist() == column.tolist()
        assert archive["Big.Counter"].tolist() == [2**64 - 1, 0]
        assert archive["Bigger.Double"].tolist() == [str(2 * (2**64 - 1)), "0"]


def test_an_archive_says_where_multiplexed_signals_are_present(tmp_path: Path) -> None:
    with np.load(write_npz(tmp_path / "pages.npz", [PAGES])) as archive:
        assert archive["Paged.Voltage.present"].tolist() == [True, False, False]
        assert archive["Paged.Count.present"].tolist() == [False, True, False]
        assert archive["Paged.Voltage"][0] == 2.5
        assert np.isnan(archive["Paged.Voltage"][1:]).all()
        assert archive["Paged.Count"].tolist() == [0, 7, 0]


def test_raw_values_are_those_in_the_bits(tmp_path: Path) -> None:
    with np.load(write_npz(tmp_path / "raw.npz", [GEARS], raw=True)) as archive:
        assert archive["Gearbox.Speed"].tolist() == [0, 4095, 100]
        assert archive["Gearbox.Torque"].tolist() == [0, -1, -128]
    assert rows_of(write_csv(tmp_path / "raw.csv", [GEARS], raw=True)[0])[3][1:] == [
        "5",
        "100",
        "-128",
    ]


def test_one_table_is_one_csv_file(tmp_path: Path) -> None:
    (path,) = write_csv(tmp_path / "gears.csv", [GEARS])
    assert path == tmp_path / "gears.csv"
    assert rows_of(path) == [
        ["Gearbox.time_ns", "Gearbox.Gear", "Gearbox.Speed", "Gearbox.Torque"],
        [str(EPOCH_NS), "0", "-5.0", "1"],
        [str(EPOCH_NS + 1000), "1", "404.5", "-1"],
        [str(EPOCH_NS + 2000), "5", "5.0", "-255"],
    ]


def test_texts_stand_where_there_are_some(tmp_path: Path) -> None:
    rows = rows_of(write_csv(tmp_path / "gears.csv", [GEARS], texts=True)[0])
    assert [row[1:3] for row in rows[1:]] == [
        ["Park", "-5.0"],
        ["Drive; or so", "SNA"],
        ["5", "5.0"],
    ]


def test_cells_of_absent_signals_are_empty(tmp_path: Path) -> None:
    rows = rows_of(write_csv(tmp_path / "pages.csv", [PAGES])[0])
    assert [row[1:] for row in rows[1:]] == [["0", "2.5", ""], ["1", "", "7"], ["3", "", ""]]


def test_several_tables_are_a_folder_of_csv_files(tmp_path: Path) -> None:
    paths = write_csv(tmp_path / "deep" / "all.csv", ALL)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "deep/all/Gearbox.csv",
        "deep/all/Paged.csv",
        "deep/all/Big.csv",
        "deep/all/Bigger.csv",
    ]
    assert rows_of(paths[3])[1] == [str(EPOCH_NS), str(2 * (2**64 - 1))]


def test_file_names_are_fit_for_a_disk_and_all_different() -> None:
    names = ["A/B", "A_B", "a_b", "Plain@can0"]
    assert file_names([table("Big", called=name) for name in names]) == [
        "A_B.csv",
        "A_B_2.csv",
        "a_b_3.csv",
        "Plain@can0.csv",
    ]


def test_a_long_table_is_written_without_a_seam(tmp_path: Path) -> None:
    long = table("Big", *(n.to_bytes(8, "little") for n in range(20_001)))
    seen: list[int] = []
    (path,) = write_csv(tmp_path / "long.csv", [long], on_rows=seen.append)
    assert [row[1] for row in rows_of(path)[1:]] == [str(n) for n in range(20_001)]
    assert sum(seen) == 20_001


@needs_asammdf
def test_mf4_has_a_group_per_message_with_units_and_texts(tmp_path: Path) -> None:
    from asammdf import MDF

    with MDF(write_columns_mf4(tmp_path / "all.mf4", ALL)) as file:
        groups: Any = file.groups
        assert [group.channel_group.acq_name for group in groups] == [
            "Gearbox",
            "Paged",
            "Big",
            "Bigger",
        ]
        assert file.get("Gearbox.time_ns").samples.tolist() == [
            EPOCH_NS,
            EPOCH_NS + 1000,
            EPOCH_NS + 2000,
        ]
        speed: Any = file.get("Gearbox.Speed", raw=True)
        assert speed.unit == "km/h"
        assert speed.samples.tolist() == [0, 4095, 100]
        physical = speed.conversion.convert(speed.samples, as_object=True)
        assert physical.tolist() == [-5.0, b"SNA", 5.0]
        gear: Any = file.get("Gearbox.Gear", raw=True)
        texts = gear.conversion.convert(gear.samples, as_object=True)
        assert texts.tolist() == [b"Park", b"Drive; or so", 5.0]
        assert file.get("Gearbox.Torque").samples.tolist() == [1, -1, -255]
        assert file.get("Gearbox.Torque").unit == "Nm"
        assert file.get("Big.Counter").samples.tolist() == [2**64 - 1, 0]
        assert file.get("Bigger.Double").samples.tolist() == [b"36893488147419103230", b"0"]
        assert file.get("Gearbox.Gear").timestamps[0] == EPOCH_NS / 1e9


@needs_asammdf
def test_mf4_marks_absent_samples_invalid(tmp_path: Path) -> None:
    from asammdf import MDF

    with MDF(write_columns_mf4(tmp_path / "pages.mf4", [PAGES])) as file:
        assert file.get("Paged.Voltage").samples.tolist() == [2.5]
        assert file.get("Paged.Count").samples.tolist() == [7]
        whole: Any = file.get("Paged.Voltage", ignore_invalidation_bits=True)
        assert whole.invalidation_bits.tolist() == [False, True, True]
        assert math.isnan(whole.samples[1])


@needs_asammdf
def test_mf4_of_raw_values_converts_nothing(tmp_path: Path) -> None:
    from asammdf import MDF

    with MDF(write_columns_mf4(tmp_path / "raw.mf4", [GEARS], raw=True)) as file:
        assert file.get("Gearbox.Speed").samples.tolist() == [0, 4095, 100]
        assert file.get("Gearbox.Speed").unit == ""


@pytest.mark.parametrize("name", ["a.npz", "a.csv", pytest.param("a.mf4", marks=needs_asammdf)])
def test_the_same_tables_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    made = []
    for folder in ("one", "two"):
        path = tmp_path / folder / name
        path.parent.mkdir()
        if name.endswith("npz"):
            write_npz(path, ALL)
        elif name.endswith("csv"):
            write_csv(path, [GEARS], texts=True)
        else:
            write_columns_mf4(path, ALL)
        made.append(path.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("write", [write_npz, write_csv])
def test_a_signal_named_like_the_times_is_refused(tmp_path: Path, write: Any) -> None:
    clash = table("Clash", b"\x01")
    text = r"message 0x104 Clash: expected no signal named as the column of times, time_ns, got one"
    with pytest.raises(InputError, match=text):
        write(tmp_path / "clash.npz", [clash])


@pytest.mark.parametrize("write", [write_npz, write_csv])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, write: Any) -> None:
    (tmp_path / "file").write_text("")
    text = r"file/a\.npz: writing the columns: expected a path that can be written, got "
    with pytest.raises(InputError, match=text):
        write(tmp_path / "file" / "a.npz", [GEARS])


def test_mf4_without_asammdf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"expected asammdf, as `pip install simcore\[mf4\]`"):
        write_columns_mf4(tmp_path / "a.mf4", ALL)


def test_tables_are_taken_away_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "A.csv").write_text('"A,B.time_ns",A.X\n1,2\n', encoding="utf-8")
    (tmp_path / "out.csv").write_text("A.time_ns\n", encoding="utf-8")
    (folder / "B.csv").write_text("name\n", encoding="utf-8")
    with pytest.raises(
        UsageError,
        match=r"out: expected a folder with nothing but decoded tables in it, to write over, "
        r"got .*B\.csv$",
    ):
        remove_csv(tmp_path / "out.csv")
    assert len(list(folder.iterdir())) == 2
    (folder / "B.csv").unlink()
    remove_csv(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []
    remove_csv(tmp_path / "out.csv")  # nothing there is nothing to take away


def test_a_place_from_which_nothing_can_be_taken_away_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match=r"writing the columns: expected old tables that can be r"):
        remove_csv(tmp_path / "out.csv")
