"""Decoded messages as columns on disk: npz archives and CSV tables.

A `Table` is one message; its columns are called `Message.Signal`, and `Message.time_ns` holds the
times in ns as whole numbers. Not here: MF4 (`columns_mf4`), decoding (`simcore.network.batch`),
reading logs (`simcore.attach`). The same tables give the same bytes: archives carry no date.

npz: one array per column, types as `batch` says, integers beyond 64 bits as decimal text. The
column of a multiplexed signal has 0 or NaN where it is absent, and beside it
`Message.Signal.present` says where it is not.

CSV: one row per frame, the time first, cells of absent signals empty; floats with as many digits as
bring the same float back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from simcore.errors import InputError, UsageError
from simcore.network import Message
from simcore.network.batch import BatchDecoder

_TIME = "time_ns"
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_HEAD_LENGTH = 4096
_ROWS = 8192
"""Rows of a CSV table made at a time."""

OnRows: TypeAlias = Callable[[int], object]
"""Told how many more frames have been written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The frames of one message, under the name its columns begin with."""

    name: str
    message: Message
    time_ns: NDArray[np.int64]
    data: NDArray[np.uint8]
    """One row of `message.length` bytes per frame."""

    def column(self, signal: str) -> str:
        """The name of a column."""
        return f"{self.name}.{signal}"

    @property
    def time_column(self) -> str:
        """The name of the column of times. Raises `InputError` where a signal has that name."""
        if any(signal.name == _TIME for signal in self.message.signals):
            raise InputError(
                f"message {self.message.label}",
                expected=f"no signal named as the column of times, {_TIME}",
                got="one",
            )
        return self.column(_TIME)


def write_npz(
    path: Path, tables: Sequence[Table], *, raw: bool = False, on_rows: OnRows | None = None
) -> Path:
    """Write all tables into one archive. Raises `InputError` where `path` cannot be written."""
    with _written(path) as file, ZipFile(file, "w", ZIP_STORED) as archive:
        for table in tables:
            _add(archive, table.time_column, table.time_ns)
            # What a multiplexer does not know selects nothing; who calls has told the user.
            columns = BatchDecoder(table.message).decode(table.data, raw=raw, lenient=True)
            for signal, column in columns.items():
                _add(archive, table.column(signal), storable(np.ma.getdata(column)))
                if isinstance(column, np.ma.MaskedArray):
                    _add(archive, f"{table.column(signal)}.present", ~np.ma.getmaskarray(column))
            if on_rows is not None:
                on_rows(len(table.time_ns))
    return path


def storable(column: NDArray[Any]) -> NDArray[Any]:
    """The column in a type that files have: integers beyond 64 bits as text."""
    if column.dtype.kind != "O":
        return column
    texts = ["" if value is None else str(value) for value in column.tolist()]
    return np.array(texts) if texts else np.empty(0, "U1")


def _add(archive: ZipFile, name: str, column: NDArray[Any]) -> None:
    entry = ZipInfo(f"{name}.npy", _NO_DATE)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(column), allow_pickle=False)


def write_csv(
    path: Path,
    tables: Sequence[Table],
    *,
    raw: bool = False,
    texts: bool = False,
    on_rows: OnRows | None = None,
) -> list[Path]:
    """Write one table to `path`, several into a folder named so without its suffix.

    With `texts` cells hold the texts of the value tables where there are some. Raises `InputError`
    where a file cannot be written.
    """
    if len(tables) == 1:
        targets = [path]
    else:
        targets = [csv_folder(path) / name for name in file_names(tables)]
    for target, table in zip(targets, tables, strict=True):
        with _written(target) as file:
            # No text is lost to a character that UTF-8 does not have.
            text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
            _write_table(text, table, raw, texts, on_rows)
            text.flush()
            text.detach()
    return targets


def csv_folder(path: Path) -> Path:
    """Where the tables go when there are several."""
    return path.with_suffix("")


def foreign_file(path: Path) -> Path | None:
    """What in `csv_folder(path)` is no table of `write_csv`, the folder itself where it is none."""
    folder = csv_folder(path)
    if not folder.is_dir():
        return folder if folder.exists() else None
    return next((each for each in sorted(folder.iterdir()) if not _is_table(each)), None)


def _is_table(path: Path) -> bool:
    """Whether a file begins as `write_csv` begins one."""
    if path.suffix != ".csv" or path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.readline(_HEAD_LENGTH)
    except OSError:
        return False
    names = next(csv.reader([head.decode("utf-8", "replace")]), [""])
    return names[0].endswith(f".{_TIME}")


def remove_csv(path: Path) -> None:
    """Take away what `write_csv` wrote to `path` or into its folder, and nothing else.

    Raises `UsageError` where something else is there, `InputError` where it cannot be removed.
    """
    foreign = foreign_file(path)
    if foreign is not None:
        raise UsageError(
            str(csv_folder(path)),
            expected="a folder with nothing but decoded tables in it, to write over",
            got=str(foreign),
        )
    folder = csv_folder(path)
    try:
        path.unlink(missing_ok=True)
        if folder.is_dir():
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
    except OSError as failure:
        raise InputError(
            "writing the columns",
            expected="old tables that can be removed",
            got=failure.strerror or str(failure),
            file=str(path),
        ) from failure


def file_names(tables: Sequence[Table]) -> list[str]:
    """A name per table, all different, also where upper and lower case are the same."""
    names: list[str] = []
    taken: set[str] = set()
    for table in tables:
        plain = re.sub(r"[^\w.@-]", "_", table.name)
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.lower())
        names.append(f"{name}.csv")
    return names


def _write_table(
    file: IO[str], table: Table, raw: bool, texts: bool, on_rows: OnRows | None
) -> None:
    decoder = BatchDecoder(table.message)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([table.time_column, *map(table.column, decoder.names)])
    for begin in range(0, len(table.time_ns), _ROWS):
        rows = slice(begin, begin + _ROWS)
        columns = decoder.decode(table.data[rows], raw=raw, choices=texts, lenient=True)
        cells = [column.tolist() for column in columns.values()]
        times_ns = table.time_ns[rows].tolist()
        writer.writerows(zip(times_ns, *cells, strict=True))
        if on_rows is not None:
            on_rows(len(times_ns))


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, in a folder that is made if missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            yield file
    except OSError as failure:
        raise InputError(
            "writing the columns",
            expected="a path that can be written",
            got=failure.strerror or str(failure),
            file=str(path),
        ) from failure
