"""Columns of samples: between and beyond them, and the CSV files they come from."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError, UsageError
from simcore.network.columns import Column, load_columns
from simcore.units import ms


def test_a_step_holds_until_the_next_sample_and_beyond_both_ends() -> None:
    column = Column((10, 20), (1, 5))
    assert [column.at(now_ns) for now_ns in (0, 9, 10, 19, 20, 99)] == [1, 1, 1, 1, 5, 5]


def test_linear_joins_samples_by_a_line_and_meets_them_exactly() -> None:
    column = Column((10, 20, 30), (1, 5, 0.5), "linear")
    assert [column.at(now_ns) for now_ns in (0, 10, 15, 20, 25, 30, 99)] == [
        1,
        1,
        3.0,
        5,
        2.75,
        0.5,
        0.5,
    ]


@given(
    times_ns=st.lists(st.integers(0, 10**12), min_size=1, max_size=20, unique=True).map(sorted),
    now_ns=st.integers(0, 10**12),
)
def test_next_ns_is_the_first_sample_after(times_ns: list[int], now_ns: int) -> None:
    column = Column(tuple(times_ns), tuple(range(len(times_ns))))
    assert column.next_ns(now_ns) == min((t for t in times_ns if t > now_ns), default=None)


def test_a_shifted_column_is_later() -> None:
    assert Column((0, 5), (1, 2)).shifted(7) == Column((7, 12), (1, 2))


def test_a_column_is_shared_by_copies_and_pickled() -> None:
    column = Column((0, 5), (1, "On"))
    assert copy.deepcopy(column) is column and copy.copy(column) is column
    assert pickle.loads(pickle.dumps(column)) == column


@pytest.mark.parametrize(
    ("times_ns", "values", "interpolation", "text"),
    [
        ((), (), "step", "column: expected as many values as times, at least one, got 0 times"),
        ((1,), (1, 2), "step", "got 1 times and 2 values"),
        ((5, 5), (1, 2), "step", "column: expected a time after 5 ns, got 5 ns"),
        ((1,), (1,), "cubic", "column: interpolation: expected step or linear, got 'cubic'"),
        ((1,), ("On",), "linear", "column: interpolation: expected step for texts, got linear"),
    ],
)
def test_a_column_that_is_none_is_refused(
    times_ns: tuple[int, ...], values: tuple[int, ...], interpolation: str, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        Column(times_ns, values, interpolation)  # type: ignore[arg-type]


# -- CSV -----------------------------------------------------------------------------------------


def columns(tmp_path: Path, text: str, **rest: str) -> dict[str, Column]:
    file = tmp_path / "values.csv"
    file.write_bytes(text.encode("utf-8"))
    return load_columns(file, **rest)  # type: ignore[arg-type]


def test_a_file_gives_a_column_per_heading(tmp_path: Path) -> None:
    found = columns(tmp_path, "time_s,Speed,M.Gear\r\n0,1,P\r\n0.5,,D\r\n1e0,2.5,\r\n")
    assert found == {
        "Speed": Column((0, ms(1000)), (1, 2.5)),
        "M.Gear": Column((0, ms(500)), ("P", "D")),
    }


@pytest.mark.parametrize(
    ("unit", "text", "time_ns"),
    [
        ("time_s", "0.1", 100_000_000),
        ("time_s", "86400.000000001", 86_400_000_000_001),
        ("time_ms", "0.3", 300_000),
        ("time_us", "1.5", 1_500),
        ("time_ns", "7", 7),
        ("time_ns", "7.6", 8),
    ],
)
def test_times_are_exact_decimals(tmp_path: Path, unit: str, text: str, time_ns: int) -> None:
    assert columns(tmp_path, f"{unit},A\n{text},1\n")["A"].times_ns == (time_ns,)


def test_linear_goes_for_numbers_only(tmp_path: Path) -> None:
    found = columns(tmp_path, "time_s,A,B\n0,1,On\n", interpolation="linear")
    assert (found["A"].interpolation, found["B"].interpolation) == ("linear", "step")


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    assert columns(tmp_path, "\ufefftime_s, A\n\n0, 1\n")["A"].values == (1,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: columns, header: expected time_s, .* as first column, got an empty file$"),
        ("t,A\n", ":1: columns, header: expected time_s, time_ms, .*, got 't'$"),
        ("time_s\n", ":1: columns, header: expected names of signals, each once, got ''$"),
        ("time_s,A,A\n", ":1: columns, header: .* each once, got 'A, A'$"),
        ("time_s,A\n0\n", ":2: columns, row: expected 2 cells, got 1$"),
        ("time_s,A\n0,1\nx,1\n", ":3: columns, time: expected a number, got 'x'$"),
        ("time_s,A\nnan,1\n", ":2: columns, time: expected a number, got 'nan'$"),
        ("time_s,A\n1e99,1\n", ":2: columns, time: expected a number, got '1e99'$"),
        ("time_s,A\n1,1\n1,2\n", ":3: columns, time: expected more than 1000000000 ns, got 1000"),
        ("time_s,A\n0,inf\n", ":2: columns, column A: expected a finite number, got 'inf'$"),
        ("time_s,A\n0,\n", ": columns, column A: expected at least one value, got none$"),
        ('time_s,A\n0,"1\n', ": columns: not valid CSV in UTF-8: "),
    ],
)
def test_bad_files_are_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"values.csv{message}" if message[1] != " " else message):
        columns(tmp_path, text)


def test_other_bytes_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"time_s,\xe4\n")
    with pytest.raises(InputError, match=r"latin\.csv: columns: not valid CSV in UTF-8: "):
        load_columns(tmp_path / "latin.csv")
    with pytest.raises(InputError, match=r"columns: expected a readable CSV file, got No such"):
        load_columns(tmp_path / "none.csv")


def test_a_value_knows_its_line(tmp_path: Path) -> None:
    found = columns(tmp_path, "time_s,A,B\n0,1,\n\n1,2,On\n2,2,Off\n")
    assert [found["A"].line_of(value) for value in (1, 2, 3)] == [2, 4, None]
    assert [found["B"].line_of(value) for value in ("On", "Off")] == [4, 5]
    assert found["A"].shifted(ms(1)).line_of(2) == 4
    assert (
        Column((0,), (1,)).line_of(1) is None
        and Column((0, 10**9, 2 * 10**9), (1, 2, 2)) == (found["A"])
    )
