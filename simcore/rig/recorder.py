"""`Recorder`: the frames and the physical truth of a run, kept compactly.

Every millisecond one row of plain floats goes into a flat array; frames go into the shared
`FrameLog`. Statistics and the frame digest are folded from the log in blocks, so that the hot path
only appends. Copies share what cannot change.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import sub
from struct import Struct, pack

import numpy as np
from numpy.typing import NDArray

from simcore.bus import FrameHeader, FrameLog
from simcore.errors import UsageError
from simcore.kernel import TraceDigest

CORNERS = ("FL", "FR", "RL", "RR")
_TIMES = Struct("<QQ").pack
_HEADER = Struct("<IHH").pack
FOLD_AT = 2048


_Take = Callable[[int], None]


class MessageFold:
    """Running figures of one message of one sender on one bus."""

    __slots__ = (
        "_durations_ns",
        "_latencies_ns",
        "_starts_ns",
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
        self._starts_ns: list[int] = []
        self._latencies_ns: list[int] = []
        self._durations_ns: list[int] = []

    def collect(self) -> tuple[_Take, _Take, _Take]:
        """Where starts of frame, latencies and durations go until `settle`."""
        return self._starts_ns.append, self._latencies_ns.append, self._durations_ns.append

    def settle(self) -> None:
        """Work the collected frames into the figures."""
        starts_ns, latencies_ns = self._starts_ns, self._latencies_ns
        if not starts_ns:
            return
        low_ns, high_ns = min(latencies_ns), max(latencies_ns)
        first = self.count == 0
        self.latency_min_ns = low_ns if first else min(low_ns, self.latency_min_ns)
        self.latency_max_ns = max(high_ns, self.latency_max_ns)
        self.latency_sum_ns += sum(latencies_ns)
        cycles_ns = list(map(sub, starts_ns[1:], starts_ns))
        if not first and not self.resync:
            cycles_ns.append(starts_ns[0] - self.last_sof_ns)
        self.resync = False
        if cycles_ns:
            low_ns = min(cycles_ns)
            self.cycle_min_ns = min(low_ns, self.cycle_min_ns) if self.cycle_count else low_ns
            self.cycle_max_ns = max(max(cycles_ns), self.cycle_max_ns)
            self.cycle_sum_ns += sum(cycles_ns)
            self.cycle_count += len(cycles_ns)
        self.count += len(starts_ns)
        self.last_sof_ns = starts_ns[-1]
        starts_ns.clear()
        latencies_ns.clear()
        self.busy_ns += sum(self._durations_ns)
        self._durations_ns.clear()


FoldKey = tuple[str, int, bool, str]
"""channel, arbitration_id, is_extended_id, sender"""
_Met = tuple[bytes, _Take, _Take, _Take]


class Recorder:
    """Everything recorded in a run."""

    __slots__ = (
        "_columns",
        "_digest",
        "_folded",
        "_format",
        "_rows",
        "_width",
        "folds",
        "frames",
    )

    def __init__(self, columns: Sequence[str]) -> None:
        self.frames = FrameLog()
        self.folds: dict[FoldKey, MessageFold] = {}
        self._columns = tuple(columns)
        self._width = len(self._columns)
        self._rows = array("d")
        self._format = f"={self._width}d"
        self._digest = TraceDigest()
        self._folded = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the recorded columns."""
        return self._columns

    @property
    def row_count(self) -> int:
        """Rows so far: one per plant step."""
        return len(self._rows) // self._width

    def append(self, value: Sequence[float]) -> None:
        """Take one row, in the order of `columns`."""
        self._rows.frombytes(pack(self._format, *value))
        if len(self.frames) - self._folded >= FOLD_AT:
            self.fold()

    def column(self, name: str, *, first_row: int = 0) -> NDArray[np.float64]:
        """One column from `first_row` on, as a copy."""
        if name not in self._columns:
            raise UsageError(
                f"recorded column {name!r}", expected=f"one of {', '.join(self._columns)}"
            )
        table = np.frombuffer(self._rows, dtype=np.float64).reshape(-1, self._width)
        return table[first_row:, self._columns.index(name)].copy()

    def table(self) -> NDArray[np.float64]:
        """All rows as a copy, shape (rows, columns)."""
        return np.frombuffer(self._rows, dtype=np.float64).reshape(-1, self._width).copy()

    def hexdigest(self) -> str:
        """Digest over all frames so far."""
        self.fold()
        return self._digest.hexdigest()

    def restart(self, sender: str) -> None:
        """A sender starts anew: the pause before its next frames is no cycle of theirs."""
        self.fold()
        for key, fold in self.folds.items():
            if key[3] == sender:
                fold.resync = True

    def fold(self) -> None:
        """Bring statistics and digest up to the last frame."""
        block = self.frames[self._folded :]
        if not block:
            return
        self._folded += len(block)
        met: dict[tuple[str, str, FrameHeader], _Met] = {}
        items: list[bytes] = []
        for sof_ns, eof_ns, channel, frame, sender, request_ns in block:
            header = frame.header
            entry = met.get((channel, sender, header))
            if entry is None:
                entry = self._meet(channel, sender, header, items)
                met[channel, sender, header] = entry
            code, start, latency, busy = entry
            items.append(_TIMES(sof_ns, eof_ns) + code + frame.data)
            start(sof_ns)
            latency(eof_ns - request_ns)
            busy(eof_ns - sof_ns)
        self._digest.extend(items)
        for key in met:
            channel, sender, header = key
            self.folds[channel, header.arbitration_id, header.is_extended_id, sender].settle()

    def _meet(self, channel: str, sender: str, header: FrameHeader, items: list[bytes]) -> _Met:
        """First frame of a block with this header from this sender."""
        key = (channel, header.arbitration_id, header.is_extended_id, sender)
        fold = self.folds.get(key)
        if fold is None:
            fold = self.folds[key] = MessageFold()
            items.append(f"{channel}\x1f{sender}\x1e".encode())
        flags = (
            header.is_extended_id
            | header.is_fd << 1
            | header.bitrate_switch << 2
            | header.error_state_indicator << 3
            | header.is_remote_frame << 4
            | header.dlc << 8
        )
        code = _HEADER(header.arbitration_id, flags, header.length)
        return code, *fold.collect()
