"""`Column`: the values of one signal over time, and the CSV files they are read from.

A CSV file has a header of `time_s` (or `time_ms`, `time_us`, `time_ns`) and one column per signal,
`Signal` or `Message.Signal`; then one row per instant, times ascending, physical values or texts of
the value table. An empty cell is no sample of that signal. Separated by commas, UTF-8. Times are
decimal and exact; what is finer than 1 ns is rounded to the nearest.

Not here: logs of frames (they are decoded elsewhere into the same `Column`).
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from simcore.errors import InputError, UsageError
from simcore.network.messages import Number

if TYPE_CHECKING:
    import os

Interpolation = Literal["step", "linear"]

_UNITS = {"time_s": 9, "time_ms": 6, "time_us": 3, "time_ns": 0}
"""Decimal places between the unit and a nanosecond."""


@dataclass(frozen=True, slots=True)
class Column:
    """Samples of one signal: at `times_ns`, strictly ascending, the physical `values` or texts.

    `step` holds a value until the next one; `linear` joins numbers by a straight line. Before the
    first sample its value holds, after the last one that. Shared by copies.
    """

    times_ns: tuple[int, ...]
    values: tuple[Number | str, ...]
    interpolation: Interpolation = "step"
    lines: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """The line of each sample in its file; empty for samples that come from elsewhere."""

    def __post_init__(self) -> None:
        if not self.times_ns or len(self.times_ns) != len(self.values):
            raise UsageError(
                "column",
                expected="as many values as times, at least one",
                got=f"{len(self.times_ns)} times and {len(self.values)} values",
            )
        for before_ns, time_ns in zip(self.times_ns, self.times_ns[1:], strict=False):
            if before_ns >= time_ns:
                raise UsageError(
                    "column", expected=f"a time after {before_ns} ns", got=f"{time_ns} ns"
                )
        if self.interpolation not in ("step", "linear"):
            raise UsageError(
                "column: interpolation", expected="step or linear", got=repr(self.interpolation)
            )
        if self.interpolation == "linear" and any(isinstance(v, str) for v in self.values):
            raise UsageError("column: interpolation", expected="step for texts", got="linear")

    def at(self, now_ns: int) -> Number | str:
        """The value at an instant."""
        times_ns, values = self.times_ns, self.values
        after = bisect_right(times_ns, now_ns)
        if after == 0:
            return values[0]
        value = values[after - 1]
        if after == len(values) or self.interpolation == "step":
            return value
        following = values[after]
        if isinstance(value, str) or isinstance(following, str):  # refused above
            return value
        before_ns = times_ns[after - 1]
        share = (now_ns - before_ns) / (times_ns[after] - before_ns)
        return value if share == 0.0 else value + (following - value) * share

    def line_of(self, value: Number | str) -> int | None:
        """The line on which a value first stands; `None` where there is no file with lines."""
        if not self.lines or value not in self.values:
            return None
        return self.lines[self.values.index(value)]

    def next_ns(self, now_ns: int) -> int | None:
        """Time of the first sample after an instant; `None` after the last."""
        after = bisect_right(self.times_ns, now_ns)
        return self.times_ns[after] if after < len(self.times_ns) else None

    def shifted(self, offset_ns: int) -> Column:
        """The same column, `offset_ns` later."""
        moved = tuple(time_ns + offset_ns for time_ns in self.times_ns)
        return Column(moved, self.values, self.interpolation, self.lines)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def load_columns(
    path: str | os.PathLike[str], *, interpolation: Interpolation = "step"
) -> dict[str, Column]:
    """The columns of a CSV file by their headings. Raises `InputError` with file and line.

    With `linear`, columns of texts are steps all the same.
    """
    name = str(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            return _CsvReader(name, interpolation).read(csv.reader(file, strict=True))
    except OSError as error:
        raise InputError(
            "columns", expected="a readable CSV file", got=error.strerror, file=name
        ) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"columns: not valid CSV in UTF-8: {error}", file=name) from None


class _CsvReader:
    """Turns rows of cells into columns."""

    def __init__(self, file: str, interpolation: Interpolation) -> None:
        self._file = file
        self._interpolation: Interpolation = interpolation
        self._line = 0

    def read(self, rows: Any) -> dict[str, Column]:
        header = self._header(next(rows, []))
        times_ns: list[list[int]] = [[] for _ in header]
        values: list[list[Number | str]] = [[] for _ in header]
        lines: list[list[int]] = [[] for _ in header]
        last_ns: int | None = None
        for row in rows:
            self._line = rows.line_num
            if not row:
                continue
            if len(row) != len(header):
                raise self._bad("row", f"{len(header)} cells", f"{len(row)}")
            time_ns = self._time_ns(row[0], _UNITS[header[0]])
            if last_ns is not None and time_ns <= last_ns:
                raise self._bad("time", f"more than {last_ns} ns", f"{time_ns} ns")
            last_ns = time_ns
            for index in range(1, len(header)):
                cell = row[index].strip()
                if cell:
                    times_ns[index].append(time_ns)
                    values[index].append(self._value(header[index], cell))
                    lines[index].append(self._line)
        return {
            header[index]: self._column(header[index], times_ns[index], values[index], lines[index])
            for index in range(1, len(header))
        }

    def _header(self, cells: Sequence[str]) -> list[str]:
        self._line = 1
        header = [cell.strip() for cell in cells]
        if not header or header[0] not in _UNITS:
            got = repr(header[0]) if header else "an empty file"
            raise self._bad("header", f"{', '.join(_UNITS)} as first column", got)
        if len(header) < 2 or "" in header or len(set(header)) != len(header):
            raise self._bad("header", "names of signals, each once", repr(", ".join(header[1:])))
        return header

    def _time_ns(self, cell: str, places: int) -> int:
        try:
            time_ns = Decimal(cell.strip()).scaleb(places)
            if abs(time_ns) < 1 << 62:  # not NaN or an infinity either
                return round(time_ns)
        except (InvalidOperation, ValueError):
            pass
        raise self._bad("time", "a number", repr(cell))

    def _value(self, name: str, cell: str) -> Number | str:
        try:
            return int(cell)
        except ValueError:
            pass
        try:
            value = float(cell)
        except ValueError:
            return cell
        if value - value != 0.0:
            raise self._bad(f"column {name}", "a finite number", repr(cell))
        return value

    def _column(
        self, name: str, times_ns: list[int], values: list[Number | str], lines: list[int]
    ) -> Column:
        if not values:
            raise self._bad(f"column {name}", "at least one value", "none")
        has_texts = any(isinstance(value, str) for value in values)
        interpolation = "step" if has_texts else self._interpolation
        return Column(tuple(times_ns), tuple(values), interpolation, tuple(lines))

    def _bad(self, what: str, expected: str, got: str) -> InputError:
        where = f"columns, {what}"
        return InputError(where, expected=expected, got=got, file=self._file, line=self._line)
