"""`FrameLog`: every frame of a run, in order of completion, kept small.

New records are appended to a plain list. Every so often the recorder seals the older ones into
blocks of `BLOCK_FRAMES`: columns of numbers and one string of payload bytes, a sixth of the memory
and ready for array arithmetic. Sealed or not, a record comes back as the same `BusRecord`. Blocks
never change, so copies of a run share them. They are small, so that what is sealed is still in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from struct import pack
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from simcore.bus.frame import Frame, FrameHeader

BLOCK_FRAMES = 256
_data_of = attrgetter("data")
_header_of = attrgetter("header")


class BusRecord(NamedTuple):
    """One frame on one bus."""

    sof_ns: int
    """Start of frame."""
    eof_ns: int
    """End of EOF; the intermission follows."""
    channel: str
    frame: Frame
    sender: str
    request_ns: int
    """When the sender asked for transmission; `eof_ns - request_ns` is the latency."""


Source = tuple[str, str, FrameHeader]
"""channel, sender and header: what frames of one message of one sender have in common."""


class FrameColumns(NamedTuple):
    """Consecutive frames as columns; `source` is an index into `FrameLog.sources`."""

    sof_ns: NDArray[np.int64]
    eof_ns: NDArray[np.int64]
    request_ns: NDArray[np.int64]
    source: NDArray[np.int64]
    data: bytes
    """All payloads, one after the other; the header knows the length of each."""

    def __deepcopy__(self, memo: dict[int, object]) -> FrameColumns:
        return self

    def tobytes(self) -> bytes:
        """The columns as bytes, little-endian: what the digest of a run sees."""
        columns = (self.sof_ns, self.eof_ns, self.request_ns, self.source)
        plain = (column.astype("<i8", copy=False).tobytes() for column in columns)
        return b"".join((*plain, self.data))


def joined(stretches: Iterable[FrameColumns]) -> FrameColumns:
    """Consecutive stretches, at least one, as a single one."""
    sof_ns, eof_ns, request_ns, source, data = zip(*stretches, strict=True)
    return FrameColumns(
        np.concatenate(sof_ns),
        np.concatenate(eof_ns),
        np.concatenate(request_ns),
        np.concatenate(source),
        b"".join(data),
    )


class FrameLog(Sequence[BusRecord]):
    """The frames of a run. A sequence of `BusRecord`; `append` takes one more."""

    __slots__ = ("_blocks", "_index", "_opened", "_recent", "append", "sources")

    def __init__(self) -> None:
        self._blocks: list[FrameColumns] = []
        self._recent: list[BusRecord] = []
        self.append: Callable[[BusRecord], None] = self._recent.append
        """Take the next record."""
        self.sources: list[Source] = []
        """In order of first appearance."""
        self._index: dict[Source, int] = {}
        self._opened: tuple[int, list[BusRecord]] = (-1, [])
        """The sealed block that was looked into last, as records."""

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK_FRAMES + len(self._recent)

    @property
    def sealed_count(self) -> int:
        """Frames in blocks."""
        return len(self._blocks) * BLOCK_FRAMES

    @overload
    def __getitem__(self, index: int) -> BusRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[BusRecord]: ...

    def __getitem__(self, index: int | slice) -> BusRecord | list[BusRecord]:
        sealed = len(self._blocks) * BLOCK_FRAMES
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1 and start >= sealed:
                return self._recent[start - sealed : stop - sealed]
            return [self[each] for each in range(start, stop, step)]
        if index < 0:
            index += len(self)
        if index >= sealed:
            return self._recent[index - sealed]
        if index < 0:
            raise IndexError("no such frame")
        block, place = divmod(index, BLOCK_FRAMES)
        if self._opened[0] != block:
            self._opened = (block, list(self._records(self._blocks[block])))
        return self._opened[1][place]

    def __iter__(self) -> Iterator[BusRecord]:
        for block in self._blocks:
            yield from self._records(block)
        yield from self._recent

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (FrameLog, list)):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == its for mine, its in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._recent.clear()
        self._opened = (-1, [])

    def columns(self, first: int = 0, stop: int | None = None) -> Iterator[FrameColumns]:
        """The frames from number `first` on, up to and without `stop`, as columns in stretches."""
        end = len(self) if stop is None else stop
        number, at = divmod(first, BLOCK_FRAMES)
        for block in self._blocks[number:]:
            start = number * BLOCK_FRAMES
            if start >= end:
                return
            whole = not at and start + BLOCK_FRAMES <= end
            yield block if whole else self._cut(block, at, end - start)
            number, at = number + 1, 0
        sealed = self.sealed_count
        recent = self._recent[max(0, first - sealed) : max(0, end - sealed)]
        if recent:
            yield self._as_columns(recent)

    def seal(self) -> None:
        """Put complete blocks away."""
        recent = self._recent
        while len(recent) >= BLOCK_FRAMES:
            self._blocks.append(self._as_columns(recent[:BLOCK_FRAMES]))
            del recent[:BLOCK_FRAMES]

    def _as_columns(self, records: Sequence[BusRecord]) -> FrameColumns:
        sofs, eofs, channels, frames, senders, requests = zip(*records, strict=True)
        data = b"".join(map(_data_of, frames))
        headers = tuple(map(_header_of, frames))
        try:
            source = [*map(self._index.__getitem__, zip(channels, senders, headers, strict=True))]
        except KeyError:
            source = [*map(self._source, zip(channels, senders, headers, strict=True))]
        return FrameColumns(_column(sofs), _column(eofs), _column(requests), _column(source), data)

    def _cut(self, columns: FrameColumns, start: int, stop: int) -> FrameColumns:
        """Some of the frames of a block."""
        sof_ns, eof_ns, request_ns, source, data = columns
        lengths = [self.sources[index][2].length for index in source.tolist()]
        return FrameColumns(
            sof_ns[start:stop],
            eof_ns[start:stop],
            request_ns[start:stop],
            source[start:stop],
            data[sum(lengths[:start]) : sum(lengths[:stop])],
        )

    def _source(self, key: Source) -> int:
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = len(self.sources)
            self.sources.append(key)
        return found

    def _records(self, columns: FrameColumns) -> Iterator[BusRecord]:
        sources = self.sources
        at = 0
        for sof_ns, eof_ns, request_ns, source in zip(
            columns.sof_ns.tolist(),
            columns.eof_ns.tolist(),
            columns.request_ns.tolist(),
            columns.source.tolist(),
            strict=True,
        ):
            channel, sender, header = sources[source]
            data = columns.data[at : at + header.length]
            at += header.length
            frame = Frame.of(header, data)
            yield BusRecord(sof_ns, eof_ns, channel, frame, sender, request_ns)

    def __deepcopy__(self, memo: dict[int, object]) -> FrameLog:
        copied = FrameLog()
        memo[id(self)] = copied
        copied._restore(self._blocks, self._recent, self.sources)
        # Whoever holds `append` of the original must hold this one in the copy.
        memo[id(self.append)] = copied.append
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self._blocks, self._recent, self.sources))

    def _restore(
        self,
        blocks: Iterable[FrameColumns],
        recent: Iterable[BusRecord],
        sources: Iterable[Source],
    ) -> None:
        self._blocks.extend(blocks)
        self._recent.extend(recent)
        self.sources.extend(sources)
        self._index.update((key, index) for index, key in enumerate(self.sources))


def _column(numbers: Sequence[int]) -> NDArray[np.int64]:
    return np.frombuffer(pack(f"={len(numbers)}q", *numbers), dtype=np.int64)


def _rebuilt(
    blocks: list[FrameColumns], recent: list[BusRecord], sources: list[Source]
) -> FrameLog:
    log = FrameLog()
    log._restore(blocks, recent, sources)
    return log
