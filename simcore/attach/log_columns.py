"""A bus log, sorted by message: the times and the bytes of every message a database knows.

Reads piece by piece (`log_block`), so that of a log of gigabytes only the payloads that were asked
for stay in memory. What is not kept is counted: nothing of a log goes missing without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simcore.attach.log_asc import read_asc
from simcore.attach.log_block import (
    DATA,
    ERROR,
    EXTENDED,
    OTHER,
    OVERLOAD,
    REMOTE,
    Block,
    Blocks,
    Channels,
    blocks_of,
    content_of,
    open_log,
)
from simcore.attach.log_block_blf import blf_blocks
from simcore.attach.log_block_candump import candump_blocks
from simcore.attach.log_mf4 import read_mf4
from simcore.attach.log_record import EntryKind
from simcore.errors import InputError, UsageError
from simcore.network import Message

SUFFIXES = (".log", ".candump", ".asc", ".blf", ".mf4")
_FAULTS = {ERROR: EntryKind.ERROR, OVERLOAD: EntryKind.OVERLOAD, OTHER: EntryKind.OTHER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a log is to be kept."""

    messages: Iterable[Message]
    channels: frozenset[str] = frozenset()
    """Names of channels; empty for all."""
    from_ns: int | None = None
    until_ns: int | None = None
    """Entries before this; the time stamps are those of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The frames of one message on one channel, in the order of the log."""

    message: Message
    channel: str
    time_ns: NDArray[np.int64]
    data: NDArray[np.uint8]
    """One row of `message.length` bytes per frame; what a longer frame had behind is cut off."""


@dataclass(slots=True, kw_only=True)
class LogColumns:
    """What was kept of a log, and counts of everything else."""

    file: str
    frames: list[Frames] = field(default_factory=list)
    """By message in the order of the database, then by the name of the channel."""
    entry_count: int = 0
    channels: tuple[str, ...] = ()
    """All channels of the log, sorted."""
    left_out_count: int = 0
    """Entries on other channels, at other times, and frames of messages nobody asked for."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Frames whose id is not in the database, by id."""
    remote: Counter[str] = field(default_factory=Counter)
    """Remote frames, by id."""
    short: Counter[str] = field(default_factory=Counter)
    """Frames with fewer bytes than their message has, by the label of the message."""
    undecodable: Counter[str] = field(default_factory=Counter)
    """Frames of messages that cannot be decoded, by the label of the message."""
    faults: Counter[EntryKind] = field(default_factory=Counter)
    """Error frames, overload frames and entries that are no frames."""
    damage: InputError | None = None
    """Why reading ended early; `None` for a whole file."""


def read_columns(
    path: Path,
    known: Iterable[Message],
    wanted: Wanted,
    *,
    on_progress: Callable[[int], object] | None = None,
) -> LogColumns:
    """Read the log at `path`, by its suffix, into the columns of the `wanted` messages.

    `known` are all messages of the database. `on_progress` is told how many bytes have been read.
    A damaged log gives what stood before the damage. Raises `InputError` for a file that cannot be
    read at all, `UsageError` where a library is missing, a channel that was asked for is not in
    the log, or an id or name that was asked for is one thing on one network and another on another.
    """
    known, chosen = tuple(known), tuple(wanted.messages)
    _require_one_network(known, chosen)
    wanted = replace(wanted, messages=chosen)
    channels = Channels()
    collector = _Collector(str(path), known, wanted, channels)
    found = collector.found
    blocks = blocks_of_log(path, channels)
    try:
        for block, done in blocks:
            collector.add(block)
            if on_progress is not None:
                on_progress(done)
    except InputError as error:
        found.damage = error
    found.channels = tuple(sorted(channels.names))
    missing = sorted(wanted.channels.difference(found.channels))
    if missing and found.damage is None:
        raise UsageError(
            "channel", expected=f"one of {', '.join(filter(None, found.channels))}", got=missing[0]
        )
    found.frames = collector.frames()
    return found


def _require_one_network(known: Sequence[Message], chosen: Sequence[Message]) -> None:
    """Refuse messages that only their network tells apart: a log does not say which it is."""
    first: dict[int | str, Message] = {}
    wanted = {key for each in chosen for key in (identifier_of(each), each.name)}
    keyed = [(key, each) for each in known for key in (identifier_of(each), each.name)]
    for key, message in keyed:
        other = first.setdefault(key, message)
        if key in wanted and other.bus != message.bus:
            buses = dict.fromkeys(each.bus for each in known if each.bus)
            raise UsageError(
                "bus",
                expected=f"one of {', '.join(buses)} (--bus)",
                got=f"none, for {other.label} of {other.bus} and {message.label} of {message.bus}",
            )


def blocks_of_log(path: Path, channels: Channels) -> Blocks:
    """The blocks of a log, whatever its format."""
    suffix = path.suffix.lower()
    if suffix in (".log", ".candump"):
        open_log(path).close()
        return candump_blocks(path, channels)
    if suffix not in SUFFIXES:
        raise InputError(
            "bus log",
            expected=f"a name ending in {', '.join(SUFFIXES)}",
            got=path.suffix or "no suffix",
            file=str(path),
        )
    content = content_of(path)
    if suffix == ".blf":
        return blf_blocks(content, str(path), channels)
    # These readers take a file as a whole.
    records = (read_asc if suffix == ".asc" else read_mf4)(bytes(content), str(path))
    return blocks_of(records, channels, str(path), len(content))


class _Kept:
    """Where the frames of one message on one channel gather."""

    __slots__ = ("data", "times")

    def __init__(self) -> None:
        self.times = bytearray()
        self.data = bytearray()


class _Collector:
    """Sorts blocks by message."""

    def __init__(
        self, file: str, known: Iterable[Message], wanted: Wanted, channels: Channels
    ) -> None:
        self.found = LogColumns(file=file)
        self._wanted = wanted
        self._names = channels
        self._kept: dict[tuple[int, int], _Kept] = {}
        self._chosen = tuple(wanted.messages)
        by_id: dict[int, list[int]] = {identifier_of(each): [] for each in known}
        for place, message in enumerate(self._chosen):
            by_id.setdefault(identifier_of(message), []).append(place)
        self._identifiers = np.array(sorted(by_id), np.uint32)
        self._places = [by_id[each] for each in self._identifiers.tolist()]

    def add(self, block: Block) -> None:
        """Keep what is wanted of a block and count the rest."""
        found = self.found
        found.entry_count += len(block.kind)
        is_wanted = self._is_wanted(block)
        if not is_wanted.all():
            found.left_out_count += len(is_wanted) - int(np.count_nonzero(is_wanted))
            block = block.take(is_wanted)
        is_data = block.kind == DATA
        if not is_data.all():
            self._count_others(block.take(~is_data))
            block = block.take(is_data)
        if len(block.kind):
            self._add_data(block)

    def _is_wanted(self, block: Block) -> NDArray[np.bool_]:
        wanted = self._wanted
        flags = np.ones(len(block.kind), np.bool_)
        if wanted.from_ns is not None:
            flags &= block.time_ns >= wanted.from_ns
        if wanted.until_ns is not None:
            flags &= block.time_ns < wanted.until_ns
        if wanted.channels:
            names = self._names.names
            numbers = [number for number, name in enumerate(names) if name in wanted.channels]
            flags &= np.isin(block.channel, numbers)
        return flags

    def _count_others(self, block: Block) -> None:
        is_remote = block.kind == REMOTE
        _count(self.found.remote, block.identifier[is_remote])
        for kind, number in _counts(block.kind[~is_remote]):
            self.found.faults[_FAULTS[kind]] += number

    def _add_data(self, block: Block) -> None:
        places = np.searchsorted(self._identifiers, block.identifier)
        places = np.minimum(places, len(self._identifiers) - 1)
        if len(self._identifiers):
            is_known = self._identifiers[places] == block.identifier
        else:
            is_known = np.zeros(len(places), np.bool_)
        if not is_known.all():
            _count(self.found.unknown, block.identifier[~is_known])
            block, places = block.take(is_known), places[is_known]
        codes = block.channel * max(len(self._identifiers), 1) + places
        order = np.argsort(
            codes.astype(np.uint16 if codes.max(initial=0) < 1 << 16 else np.int64), kind="stable"
        )
        bounds = np.flatnonzero(np.diff(codes[order])) + 1
        for rows in np.split(order, bounds):
            if len(rows):
                self._keep(block, rows, int(places[rows[0]]))

    def _keep(self, block: Block, rows: NDArray[np.intp], place: int) -> None:
        if not self._places[place]:
            self.found.left_out_count += len(rows)
        lengths = block.length[rows]
        for number in self._places[place]:
            message = self._chosen[number]
            if message.is_undecodable:
                self.found.undecodable[message.label] += len(rows)
                continue
            whole = rows
            is_short = lengths < message.length
            if is_short.any():
                self.found.short[message.label] += int(np.count_nonzero(is_short))
                whole = rows[~is_short]
            kept = self._kept.setdefault((number, int(block.channel[rows[0]])), _Kept())
            kept.times += block.time_ns[whole].tobytes()
            kept.data += block.data[whole, : message.length].tobytes()

    def frames(self) -> list[Frames]:
        """What was kept, by message and channel."""
        found = []
        for (number, channel), kept in self._kept.items():
            message = self._chosen[number]
            times_ns = np.frombuffer(kept.times, np.int64)
            data = np.frombuffer(kept.data, np.uint8).reshape(len(times_ns), message.length)
            name = self._names.names[channel]
            one = Frames(message=message, channel=name, time_ns=times_ns, data=data)
            found.append((number, name, one))
        return [one for _, _, one in sorted(found, key=_place_and_name) if len(one.time_ns)]


def _place_and_name(entry: tuple[int, str, Frames]) -> tuple[int, str]:
    return entry[:2]


def identifier_of(message: Message) -> int:
    """The identifier of a message as `Block.identifier` has it."""
    return message.arbitration_id | (EXTENDED if message.is_extended_id else 0)


def _counts(values: NDArray[np.integer]) -> list[tuple[int, int]]:
    numbers, counts = np.unique(values, return_counts=True)
    return list(zip(numbers.tolist(), counts.tolist(), strict=True))


def _count(counter: Counter[str], identifiers: NDArray[np.uint32]) -> None:
    for number, count in _counts(identifiers):
        is_extended = number >= EXTENDED
        counter[f"0x{number & ~EXTENDED:0{8 if is_extended else 3}X}"] += count
