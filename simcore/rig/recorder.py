"""`Recorder`: the frames and the physical truth of a run, kept compactly.

Every millisecond one row of plain floats goes into a flat array; frames go into the shared
`FrameLog`. Statistics and the frame digest are worked out in blocks, so that the hot path only
appends. Copies share what cannot change.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.bus import (
    ErrorFrame,
    FrameColumns,
    FrameLog,
    Source,
    StateChange,
)
from simcore.bus.log import joined
from simcore.errors import UsageError
from simcore.kernel import chained

CORNERS = ("FL", "FR", "RL", "RR")
LINK_FRAMES = 2048
"""Frames worked into statistics and digest at once; with another number digests are others."""
PACK_AT = 1024
"""Values collected before they are packed."""
_FIRST = np.array([0])
_ENDLESS_NS = 1 << 62


class MessageFold:
    """Running figures of one message of one sender on one bus."""

    __slots__ = (
        "busy_ns",
        "count",
        "cycle_count",
        "cycle_max_ns",
        "cycle_min_ns",
        "cycle_sum_ns",
        "last_sof_ns",
        "latency_max_ns",
        "latency_min_ns",
        "latency_sum_ns",
        "resync",
    )

    def __init__(self) -> None:
        self.count = 0
        self.last_sof_ns = 0
        self.cycle_count = 0
        self.cycle_sum_ns = 0
        self.cycle_min_ns = 0
        self.cycle_max_ns = 0
        self.latency_min_ns = 0
        self.latency_max_ns = 0
        self.latency_sum_ns = 0
        self.busy_ns = 0
        self.resync = False
        """The sender was restarted: the next distance is no cycle."""

    @property
    def has_cycle(self) -> bool:
        """Whether the distance to the next frame is a cycle."""
        return self.count > 0 and not self.resync

    def add(self, figures: tuple[int, ...]) -> None:
        """Work in the figures of more frames, in the order `_figures` gives them."""
        count, last_sof_ns, busy_ns, low_ns, high_ns, latency_ns, *cycles = figures
        self.latency_min_ns = min(low_ns, self.latency_min_ns) if self.count else low_ns
        self.latency_max_ns = max(high_ns, self.latency_max_ns)
        self.latency_sum_ns += latency_ns
        self.busy_ns += busy_ns
        self.last_sof_ns = last_sof_ns
        self.count += count
        self.resync = False
        cycle_count, low_ns, high_ns, cycle_ns = cycles
        if cycle_count:
            self.cycle_min_ns = min(low_ns, self.cycle_min_ns) if self.cycle_count else low_ns
            self.cycle_max_ns = max(high_ns, self.cycle_max_ns)
            self.cycle_sum_ns += cycle_ns
            self.cycle_count += cycle_count


FoldKey = tuple[str, int, bool, str]
"""channel, arbitration_id, is_extended_id, sender"""


class Recorder:
    """Everything recorded in a run."""

    __slots__ = (
        "_chain",
        "_columns",
        "_folded",
        "_groups",
        "_linked",
        "_pending",
        "_rows",
        "_width",
        "error_frames",
        "folds",
        "frames",
        "state_changes",
    )

    def __init__(self, columns: Sequence[str]) -> None:
        self.frames = FrameLog()
        self.error_frames: list[ErrorFrame] = []
        self.state_changes: list[StateChange] = []
        """Of the controllers' error states, on all buses."""
        self.folds: dict[FoldKey, MessageFold] = {}
        self._columns = tuple(columns)
        self._width = len(self._columns)
        self._rows = array("d")
        self._pending: list[Any] = []
        """Rows not yet in `_rows`: packing many at once is much cheaper than one by one."""
        self._chain = bytes(32)
        self._linked = 0
        """Frames in whole links of the digest."""
        self._folded = 0
        """Frames in the statistics."""
        self._groups: list[int] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the recorded columns."""
        return self._columns

    @property
    def row_count(self) -> int:
        """Rows so far: one per plant step."""
        return (len(self._rows) + len(self._pending)) // max(1, self._width)

    def append(self, value: Sequence[float]) -> None:
        """Take one row, in the order of `columns`."""
        pending = self._pending
        pending.extend(value)
        if len(pending) > PACK_AT:
            self._pack()
            self.frames.seal()
            if self.frames.sealed_count - self._linked >= LINK_FRAMES:
                self._link()

    def _pack(self) -> NDArray[np.float64]:
        """Move the collected rows into the flat array; the table so far, shape (rows, columns)."""
        pending = self._pending
        if pending:
            self._rows.frombytes(pack(f"={len(pending)}d", *pending))
            pending.clear()
        return np.frombuffer(self._rows, dtype=np.float64).reshape(-1, self._width)

    def column(self, name: str, *, first_row: int = 0) -> NDArray[np.float64]:
        """One column from `first_row` on, as a copy."""
        if name not in self._columns:
            raise UsageError(
                f"recorded column {name!r}", expected=f"one of {', '.join(self._columns)}"
            )
        return self._pack()[first_row:, self._columns.index(name)].copy()

    def table(self) -> NDArray[np.float64]:
        """All rows as a copy, shape (rows, columns)."""
        return self._pack().copy()

    def hexdigest(self) -> str:
        """Digest over all frames so far: whole links, the rest, and what the sources are."""
        self.fold()
        chain = self._chain
        if self._linked < len(self.frames):
            chain = chained(chain, joined(self.frames.columns(self._linked)).tobytes())
        return chained(chain, b"".join(map(_described, self.frames.sources))).hex()

    def restart(self, sender: str) -> None:
        """A sender starts anew: the pause before its next frames is no cycle of theirs."""
        self.fold()
        for key, fold in self.folds.items():
            if key[3] == sender:
                fold.resync = True

    def fold(self) -> None:
        """Bring statistics and digest up to the last frame."""
        self._link()
        frames = self.frames
        if self._folded < len(frames):
            self._count(joined(frames.columns(self._folded)))
            self._folded = len(frames)

    def _link(self) -> None:
        """Work in the frames that make whole links of the digest; the rest is left for later."""
        frames = self.frames
        frames.seal()
        while len(frames) - self._linked >= LINK_FRAMES:
            end = self._linked + LINK_FRAMES
            link = joined(frames.columns(self._linked, end))
            self._chain = chained(self._chain, link.tobytes())
            if self._folded <= self._linked:
                self._count(link)
            elif self._folded < end:
                self._count(joined(frames.columns(self._folded, end)))
            self._folded = max(self._folded, end)
            self._linked = end

    def _count(self, columns: FrameColumns) -> None:
        """Work consecutive frames into the figures of their messages."""
        group = self._groups_of(columns.source)
        order = np.argsort(group, kind="stable")
        sorted_group = group[order]
        first = np.concatenate((_FIRST, np.flatnonzero(np.diff(sorted_group)) + 1))
        every_fold = list(self.folds.values())
        folds = [every_fold[index] for index in sorted_group[first].tolist()]
        before_ns = np.array(
            [fold.last_sof_ns if fold.has_cycle else -1 for fold in folds], dtype=np.int64
        )
        for fold, figures in zip(folds, _figures(columns, order, first, before_ns), strict=True):
            fold.add(figures)

    def _groups_of(self, source: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the fold of each frame: sources that differ in flags or length share one."""
        groups = self._groups
        for channel, sender, header in self.frames.sources[len(groups) :]:
            key = (channel, header.arbitration_id, header.is_extended_id, sender)
            if key not in self.folds:
                self.folds[key] = MessageFold()
            groups.append(list(self.folds).index(key))
        return np.array(groups, dtype=np.int64)[source]


def _figures(
    columns: FrameColumns,
    order: NDArray[np.intp],
    first: NDArray[np.intp],
    before_ns: NDArray[np.int64],
) -> Iterator[tuple[int, ...]]:
    """Figures of each group of frames; groups begin at `first` of the frames in `order`.

    `before_ns` is the start of the frame before each group, -1 where there is none.
    """
    sof_ns = columns.sof_ns[order]
    busy_ns = columns.eof_ns[order] - sof_ns
    latency_ns = columns.eof_ns[order] - columns.request_ns[order]
    count = np.diff(np.append(first, len(order)))
    cycle_ns = np.diff(sof_ns, prepend=0)
    known = before_ns >= 0
    cycle_ns[first] = np.where(known, sof_ns[first] - before_ns, 0)
    total_ns = np.add.reduceat(cycle_ns, first)
    highest_ns = np.maximum.reduceat(cycle_ns, first)
    cycle_ns[first] = np.where(known, cycle_ns[first], _ENDLESS_NS)
    rows = (
        count,
        sof_ns[first + count - 1],
        np.add.reduceat(busy_ns, first),
        np.minimum.reduceat(latency_ns, first),
        np.maximum.reduceat(latency_ns, first),
        np.add.reduceat(latency_ns, first),
        count - ~known,
        np.minimum.reduceat(cycle_ns, first),
        highest_ns,
        total_ns,
    )
    return zip(*(row.tolist() for row in rows), strict=True)


def _described(source: Source) -> bytes:
    """One source as text that is clear about where it ends."""
    channel, sender, header = source
    numbers = (
        header.arbitration_id,
        header.is_extended_id,
        header.is_fd,
        header.bitrate_switch,
        header.error_state_indicator,
        header.is_remote_frame,
        header.dlc,
    )
    return "\x1f".join((channel, sender, *(str(int(n)) for n in numbers), "\x1e")).encode()
