"""What stands in a bus log, and who looks: entries in order, channel numbers, directions.

Every time stamp of a log is the end of what was on the wire, because that is when a receiver has a
frame; a frame's start follows from it and the bit timing. Entries of several buses are merged in
that order. Not here: how any format writes them (`asc`, `blf`, `candump`, `mf4`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from simcore.bus import BusRecord, ErrorFrame
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.bus import WireError

LogEntry: TypeAlias = BusRecord | ErrorFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Whose log it is: the channels it is connected to, in order, and the node it sits in."""

    channels: tuple[str, ...]
    node: str | None = None
    """Frames of this node are transmitted, all others received; `None`: an observer that only
    listens, to whom everything is received."""

    def number(self, entry: LogEntry) -> int:
        """Number of the entry's channel, from 1."""
        return self.channels.index(entry.channel) + 1

    def transmitted(self, entry: LogEntry) -> bool:
        """Whether the entry's frame is the observer's own."""
        return self.node is not None and entry.sender == self.node

    @property
    def comment(self) -> list[str]:
        """Lines for formats that number channels but do not name them."""
        names = [f"channel {number}: {name}" for number, name in enumerate(self.channels, start=1)]
        return ["simcore, virtual time", *names]


def end_ns(entry: LogEntry) -> int:
    """Time stamp of an entry: the end of EOF, or of the error delimiter."""
    return entry.eof_ns if isinstance(entry, BusRecord) else entry.end_ns


def begin_ns(entry: LogEntry) -> int:
    """Start of frame, or of the first error flag."""
    return entry.sof_ns if isinstance(entry, BusRecord) else entry.begin_ns


def in_order(entries: Iterable[LogEntry]) -> list[LogEntry]:
    """Entries by their end; what ends at once on two buses by the names of these."""
    return sorted(entries, key=_order)


def _order(entry: LogEntry) -> tuple[int, str, int]:
    return (end_ns(entry), entry.channel, begin_ns(entry))


def observer_of(
    entries: Sequence[LogEntry], channels: Sequence[str] | None, node: str | None
) -> Observer:
    """The observer of `entries` on `channels`, by default on those that carried anything.

    Raises `UsageError` for an entry on a channel that is not listed.
    """
    present = sorted({entry.channel for entry in entries})
    names = present if channels is None else list(channels)
    for name in present:
        if name not in names:
            raise UsageError("log channels", expected=f"{name} among them", got=names)
    return Observer(channels=tuple(names), node=node)


def first_error(entry: ErrorFrame) -> WireError | None:
    """What was detected first, where the entry says."""
    return entry.errors[0] if entry.errors else None
