"""Bus logs other tools read: candump text, ASC, BLF and MF4, by name.

Nothing here reads a clock, so the same records give the same bytes. python-can's writers are not
used: they put the date of writing into files, store FD frames in a BLF object other readers refuse,
and round time stamps through floats.

Not here: the formats themselves (`asc`, `blf`, `candump`, `mf4`), what goes in and in which order
(`log_entry`), reading logs (`simcore.attach`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.report.asc import asc_bytes
from simcore.report.blf import blf_bytes
from simcore.report.candump import candump_bytes
from simcore.report.files import write_file
from simcore.report.log_entry import LogEntry, Observer, in_order, observer_of
from simcore.report.mf4 import mf4_bytes, require_asammdf
from simcore.units import NS_PER_US

if TYPE_CHECKING:
    from simcore.bus import BusRecord, ErrorFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """One way to write a bus log."""

    name: str
    suffix: str
    """File name suffix readers expect, with the dot."""
    resolution_ns: int
    encode: Callable[[Sequence[LogEntry], Observer], bytes]
    """Entries in order of their end to the file's bytes."""
    require: Callable[[], None] | None = None
    """Raises `UsageError` where a library the format needs is missing."""


def write_log(
    path: str | os.PathLike[str],
    records: Iterable[BusRecord],
    format: str,
    *,
    channels: Sequence[str] | None = None,
    errors: Iterable[ErrorFrame] = (),
    node: str | None = None,
) -> Path:
    """Write `records` and `errors` as a log in one of `LOG_FORMATS`.

    `channels` fixes the numbering of channels in formats that number them; without it they are
    the channels of the records by name. Frames of `node` are marked as transmitted, all others as
    received. Raises `UsageError` for an unknown format, a missing library or a channel that is not
    listed, `InputError` where `path` cannot be written.
    """
    chosen = require_format(format)
    entries = in_order([*records, *errors])
    observer = observer_of(entries, channels, node)
    return write_file(path, chosen.encode(entries, observer), what=f"{chosen.name} log")


def require_format(name: str) -> LogFormat:
    """The format of that name, if it can be written here. Raises `UsageError` otherwise."""
    if name not in LOG_FORMATS:
        raise UsageError("log format", expected=f"one of {', '.join(LOG_FORMATS)}", got=repr(name))
    chosen = LOG_FORMATS[name]
    if chosen.require is not None:
        chosen.require()
    return chosen


LOG_FORMATS: Mapping[str, LogFormat] = MappingProxyType(
    {
        "candump": LogFormat(
            name="candump", suffix=".log", resolution_ns=NS_PER_US, encode=candump_bytes
        ),
        "asc": LogFormat(name="ASC", suffix=".asc", resolution_ns=NS_PER_US, encode=asc_bytes),
        "blf": LogFormat(name="BLF", suffix=".blf", resolution_ns=1, encode=blf_bytes),
        "mf4": LogFormat(
            name="MF4", suffix=".mf4", resolution_ns=1, encode=mf4_bytes, require=require_asammdf
        ),
    }
)
"""Log formats by the name the command line uses."""
