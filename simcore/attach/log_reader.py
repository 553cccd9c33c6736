"""Reading bus logs: BLF, ASC, candump and MF4, by the suffix of the file.

python-can's readers are not used: they give times as floats, pass over what is damaged without a
word, and name no place in the file. They are the other opinion in the tests. What stands before a
damaged place is kept, and the damage is part of the result.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from simcore.attach.log_asc import read_asc
from simcore.attach.log_blf import read_blf
from simcore.attach.log_candump import read_candump
from simcore.attach.log_mf4 import read_mf4
from simcore.attach.log_record import EntryKind, LogRecord, Read
from simcore.errors import InputError
from simcore.units import NS_PER_US

_READERS: dict[str, tuple[str, Read, int]] = {
    ".log": ("candump", read_candump, NS_PER_US),
    ".candump": ("candump", read_candump, NS_PER_US),
    ".asc": ("ASC", read_asc, NS_PER_US),
    ".blf": ("BLF", read_blf, 1),
    ".mf4": ("MF4", read_mf4, 1),
}
"""Name, reader and resolution by suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a log file holds."""

    file: str
    format: str
    resolution_ns: int
    """Time stamps are cut to a multiple of this."""
    records: tuple[LogRecord, ...]
    """Everything before the damage, in the order of the file."""
    damage: InputError | None = None
    """Why reading ended early; `None` for a whole file."""

    @property
    def frame_count(self) -> int:
        """Entries that are frames."""
        return self.counts[EntryKind.FRAME]

    @property
    def counts(self) -> Counter[EntryKind]:
        """How many entries there are of each kind."""
        return Counter(record.kind for record in self.records)

    def require_whole(self) -> Log:
        """This log. Raises its `InputError` where it is damaged."""
        if self.damage is not None:
            raise self.damage
        return self


def read_log(path: str | os.PathLike[str]) -> Log:
    """Read a log by its suffix: .log (candump), .asc, .blf or .mf4.

    A damaged or truncated file gives what stood before the damage, see `Log.damage`. Raises
    `InputError` for a file that cannot be read at all, `UsageError` where a library is missing.
    """
    target = Path(path)
    known = _READERS.get(target.suffix.lower())
    if known is None:
        raise InputError(
            "bus log",
            expected=f"a name ending in {', '.join(_READERS)}",
            got=target.suffix or "no suffix",
            file=str(path),
        )
    name, read, resolution_ns = known
    try:
        content = target.read_bytes()
    except OSError as error:
        raise InputError(
            "bus log", expected="a readable file", got=error.strerror, file=str(path)
        ) from error
    records: list[LogRecord] = []
    damage = None
    try:
        for record in read(content, str(path)):
            records.append(record)
    except InputError as error:
        damage = _with_count(error, records)
    return Log(
        file=str(path),
        format=name,
        resolution_ns=resolution_ns,
        records=tuple(records),
        damage=damage,
    )


def _with_count(error: InputError, records: list[LogRecord]) -> InputError:
    """The error with what was kept."""
    kept = sum(record.kind is EntryKind.FRAME for record in records)
    told = InputError(
        f"{error.where} (kept {kept} frame{'' if kept == 1 else 's'} before it)",
        expected=error.expected,
        got=error.got,
        file=error.file,
        line=error.line,
    )
    told.__cause__ = error.__cause__
    return told
