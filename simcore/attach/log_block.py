"""Bus logs as columns: many entries at a time, one array per property instead of objects.

A log of gigabytes is read piece by piece into `Block`s, which `log_columns` sorts by message. For
candump and BLF there are ways that never make an object per frame (`log_block_candump`,
`log_block_blf`); ASC and MF4 come from the readers entry by entry. Whatever way, entries and errors
are those of `log_reader`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from simcore.attach.log_record import EntryKind, LogRecord
from simcore.errors import InputError

EXTENDED = 1 << 31
"""Set in `Block.identifier` for an extended id."""
DATA, REMOTE, ERROR, OVERLOAD, OTHER = range(5)
"""Values of `Block.kind`."""
ROOM = 64
"""Bytes of data per entry, those beyond its length zero."""
LATEST_NS = (1 << 63) - 1
"""The latest time a column of times can hold: 292 years."""

_KINDS = {EntryKind.ERROR: ERROR, EntryKind.OVERLOAD: OVERLOAD, EntryKind.OTHER: OTHER}
_ENTRIES = 8192
"""Entries taken at a time where they come one by one."""


class Block(NamedTuple):
    """Consecutive entries of a log, in its order."""

    time_ns: NDArray[np.int64]
    channel: NDArray[np.intp]
    """Place of its name in the `Channels` of the log."""
    kind: NDArray[np.uint8]
    identifier: NDArray[np.uint32]
    length: NDArray[np.uint8]
    data: NDArray[np.uint8]
    """One row of `ROOM` bytes per entry."""

    @staticmethod
    def empty(count: int) -> Block:
        """A block to be filled in: no data, everything else undefined."""
        return Block(
            np.empty(count, np.int64),
            np.empty(count, np.intp),
            np.empty(count, np.uint8),
            np.empty(count, np.uint32),
            np.zeros(count, np.uint8),
            np.zeros((count, ROOM), np.uint8),
        )

    def set(self, row: int, record: LogRecord, channels: Channels) -> None:
        """Fill in one entry."""
        self.time_ns[row] = record.time_ns
        self.channel[row] = channels.number(record.channel)
        frame = record.frame
        if frame is None:
            self.kind[row] = _KINDS[record.kind]
            self.identifier[row] = 0
            return
        self.kind[row] = REMOTE if frame.is_remote_frame else DATA
        self.identifier[row] = frame.arbitration_id | (EXTENDED if frame.is_extended_id else 0)
        length = len(frame.data)
        self.length[row] = length
        self.data[row, :length] = np.frombuffer(frame.data, np.uint8)

    def take(self, rows: NDArray[np.bool_] | slice) -> Block:
        """These rows only."""
        return Block(
            self.time_ns[rows],
            self.channel[rows],
            self.kind[rows],
            self.identifier[rows],
            self.length[rows],
            self.data[rows],
        )


class Channels:
    """The names of the channels of a log, numbered as they are met."""

    __slots__ = ("_numbers", "names")

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []

    def number(self, name: str) -> int:
        """The number of the channel `name`."""
        known = self._numbers.get(name)
        if known is None:
            known = self._numbers[name] = len(self.names)
            self.names.append(name)
        return known


Blocks: TypeAlias = Iterator[tuple[Block, int]]
"""Blocks, each with how many bytes of the file have been read by then."""


def blocks_of(records: Iterator[LogRecord], channels: Channels, file: str, size: int) -> Blocks:
    """The entries of a reader as blocks; what it raises comes behind all entries before it."""
    gathered: list[LogRecord] = []
    damage: InputError | None = None
    while damage is None:
        gathered.clear()
        try:
            for record in records:
                gathered.append(within_range(record, file))
                if len(gathered) == _ENTRIES:
                    break
        except InputError as error:
            damage = error
        if gathered:
            block = Block.empty(len(gathered))
            for row, record in enumerate(gathered):
                block.set(row, record, channels)
            yield block, size
        if len(gathered) < _ENTRIES:
            break
    if damage is not None:
        raise damage


def within_range(record: LogRecord, file: str) -> LogRecord:
    """The record. Raises `InputError` where a column cannot hold its time."""
    if record.time_ns > LATEST_NS:
        raise InputError(
            "bus log, time stamp",
            expected="292 years at most",
            got=f"{record.time_ns} ns",
            file=file,
        )
    return record


def open_log(path: Path) -> BinaryIO:
    """The file, open. Raises `InputError` where it cannot be read."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            "bus log", expected="a readable file", got=error.strerror, file=str(path)
        ) from error


def content_of(path: Path) -> bytes:
    """The content of a file without taking it into memory."""
    with open_log(path) as file:
        if path.stat().st_size == 0:
            return b""
        # For the readers, which slice and search it, this is as good as bytes.
        return cast(bytes, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
