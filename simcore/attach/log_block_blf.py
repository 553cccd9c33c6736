"""BLF files as columns: objects are found one by one, what is in them is taken all at once.

Which objects are understood is said in `log_blf`. As soon as anything is out of order (a lost
object, a damaged container, a frame that cannot be), `log_blf` reads the file instead, and what is
behind all that has been given already comes from there, its error included.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from simcore.attach.log_blf import read_blf
from simcore.attach.log_block import (
    DATA,
    ERROR,
    EXTENDED,
    LATEST_NS,
    OTHER,
    OVERLOAD,
    REMOTE,
    ROOM,
    Block,
    Blocks,
    Channels,
    blocks_of,
)
from simcore.bus import DLC_TO_LENGTH
from simcore.bus.frame import MAX_BASE_ID, MAX_EXTENDED_ID

_SIGNATURE = b"LOBJ"
_FILE_HEADER = struct.Struct("<4sL8xQQ")
_HEADER = struct.Struct("<4sHHLL")
_CONTAINER = struct.Struct("<H6xL4x")
_TEXT = struct.Struct("<LLLL")
_CAN_MESSAGE, _CAN_ERROR, _CAN_OVERLOAD, _LOG_CONTAINER, _APP_TEXT = 1, 2, 3, 10, 65
_CAN_ERROR_EXT, _CAN_MESSAGE2, _CAN_FD_MESSAGE, _CAN_FD_MESSAGE_64 = 73, 86, 100, 101
_CAN_FD_ERROR_64 = 104
_STORED, _DEFLATED = 0, 2
_SEARCHED = 8
_PIECE = 1 << 21
"""Bytes of objects taken at a time."""
_TEN_US, _NS_PER_TEN_US = 1, 10_000
_CHANNEL_NAME = re.compile(r"channel (\d+): (.+)")

_OBJECT = np.dtype(
    {
        "names": ["header_size", "size", "kind", "flags", "stamp"],
        "formats": ["<u2", "<u4", "<u4", "<u4", "<u8"],
        "offsets": [4, 8, 12, 16, 24],
        "itemsize": 32,
    }
)
_CLASSIC = np.dtype([("channel", "<u2"), ("flags", "u1"), ("dlc", "u1"), ("id", "<u4")])
_FD = np.dtype(
    [
        *[("channel", "<u2"), ("flags", "u1"), ("dlc", "u1"), ("id", "<u4"), ("bits", "<u4")],
        *[("arbitration", "u1"), ("fd_flags", "u1"), ("valid", "u1"), ("reserved", "V5")],
    ]
)
_FD_64 = np.dtype(
    {
        "names": ["channel", "dlc", "valid", "id", "flags", "extension"],
        "formats": ["u1", "u1", "u1", "<u4", "<u4", "u1"],
        "offsets": [0, 1, 2, 4, 12, 35],
        "itemsize": 40,
    }
)
_CLASSIC_DATA = 8
_EXTENDED_ID, _REMOTE = 0x8000_0000, 0x80
_REMOTE_64, _FD_64_FORMAT = 0x10, 0x1000
_LENGTHS = np.array([*DLC_TO_LENGTH, *[ROOM] * 240], np.intp)
"""By raw length code; there are no codes above 15."""

_COLUMNS = np.arange(ROOM, dtype=np.uint8)

Places: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]


class _OutOfOrder(Exception):  # noqa: N818 - never leaves this module
    """Something `log_blf` has to judge."""


def blf_blocks(data: bytes, file: str, channels: Channels) -> Blocks:
    """Blocks of a BLF file. Raises `InputError` as `log_blf` does."""
    given = 0
    try:
        for block, done in _pieces(data, channels):
            given += len(block.kind)
            yield block, done
    except _OutOfOrder:
        rest = islice(read_blf(data, file), given, None)
        yield from blocks_of(rest, channels, file, len(data))


def _pieces(data: bytes, channels: Channels) -> Blocks:
    if len(data) < _FILE_HEADER.size or data[:4] != b"LOGG":
        raise _OutOfOrder
    _, at, stated_size, _ = _FILE_HEADER.unpack_from(data)
    if at > len(data):
        raise _OutOfOrder
    gathered, size = [b""], 0
    objects = _Objects(channels)
    while at < len(data):
        begin = data.find(_SIGNATURE, at, at + _SEARCHED)
        if begin < 0 or len(data) - begin < _HEADER.size:
            if data[at:].strip(b"\0"):
                break
            at = len(data)
            continue
        _, _, _, length, kind = _HEADER.unpack_from(data, begin)
        if length < _HEADER.size or begin + length > len(data):
            break
        held = _held(data, begin, kind)
        if held is None:
            break
        at = begin + length
        gathered.append(held)
        size += len(held)
        if size >= _PIECE:
            for block in objects.blocks(b"".join(gathered)):
                yield block, at
            gathered, size = [objects.rest], 0
    for block in objects.blocks(b"".join(gathered)):
        yield block, min(at, len(data))
    if at < len(data) or objects.rest.strip(b"\0") or stated_size > len(data):
        raise _OutOfOrder


def _held(data: bytes, begin: int, kind: int) -> bytes | None:
    """The objects in an object of the file, which may be one itself; `None` for a damaged one."""
    _, header_size, _, size, _ = _HEADER.unpack_from(data, begin)
    if kind != _LOG_CONTAINER:
        return data[begin : begin + size]
    packed = data[begin + header_size : begin + size]
    if len(packed) < _CONTAINER.size:
        return None
    method, _ = _CONTAINER.unpack_from(packed)
    if method == _STORED:
        return packed[_CONTAINER.size :]
    machine = zlib.decompressobj()
    try:
        unpacked = machine.decompress(packed[_CONTAINER.size :]) if method == _DEFLATED else b""
    except zlib.error:
        return None
    return unpacked if machine.eof else None


class _Objects:
    """Objects one after the other, to blocks."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._names: dict[int, str] = {}
        self.rest = b""
        """What stands behind the last complete object."""

    def blocks(self, data: bytes) -> Iterator[Block]:
        """The blocks of all objects that are complete in `data`; raises `_OutOfOrder` behind it."""
        # Room behind the last object, so that its data can be taken like that of the others.
        characters = np.frombuffer(data + bytes(2 * ROOM), np.uint8)
        windows = as_strided(characters, (len(data) + ROOM, ROOM), (1, 1), writeable=False)
        for found, end in self._found(data):
            if len(found):
                yield from self._taken(windows, np.array(found, np.intp))
            if end < 0:
                raise _OutOfOrder
            self.rest = data[end:]

    def _found(self, data: bytes) -> Iterator[tuple[list[int], int]]:
        """Where objects begin, up to each comment that names channels; then where they end."""
        unpack, find, length = _HEADER.unpack_from, data.find, len(data)
        found: list[int] = []
        at = 0
        while True:
            begin = find(_SIGNATURE, at, at + _SEARCHED)
            if begin < 0 or length - begin < _HEADER.size:
                yield found, -1 if begin < 0 and length - at >= _SEARCHED else at
                return
            _, header_size, _, size, kind = unpack(data, begin)
            if size < header_size or size < 32:
                yield found, -1
                return
            if begin + size > length:
                yield found, begin
                return
            at = begin + size
            if kind == _APP_TEXT:
                yield found, begin
                found = []
                self._learn_names(data[begin + header_size : at])
            else:
                found.append(begin)

    def _learn_names(self, body: bytes) -> None:
        if len(body) < _TEXT.size:
            raise _OutOfOrder
        _, _, length, _ = _TEXT.unpack_from(body)
        text = body[_TEXT.size : _TEXT.size + length].rstrip(b"\0").decode("cp1252", "replace")
        for line in text.split("\n"):
            if named := _CHANNEL_NAME.fullmatch(line):
                self._names[int(named[1])] = named[2]

    def _taken(self, windows: NDArray[np.uint8], begins: Places) -> Iterator[Block]:
        """The block of the objects at `begins`, as far as they are in order."""
        head = windows[begins][:, : _OBJECT.itemsize].copy().view(_OBJECT)[:, 0]
        block = Block.empty(len(begins))
        stamps = head["stamp"]
        is_coarse = head["flags"] == _TEN_US
        in_order = stamps <= np.where(is_coarse, LATEST_NS // _NS_PER_TEN_US, LATEST_NS)
        block.time_ns[:] = np.where(is_coarse, stamps * np.uint64(_NS_PER_TEN_US), stamps).astype(
            np.int64
        )
        bodies = begins + head["header_size"]
        ends = begins + head["size"]
        numbers = np.full(len(begins), -1, np.int64)
        for kind in np.unique(head["kind"]).tolist():
            rows = np.flatnonzero(head["kind"] == kind)
            take = _TAKERS.get(kind)
            if take is None:
                block.kind[rows] = OTHER
                block.identifier[rows] = 0
            else:
                places = (begins[rows], bodies[rows], ends[rows])
                in_order[rows] &= take(_Rows(windows, *places, block, rows, numbers))
        self._name(block, numbers)
        if in_order.all():
            yield block
            return
        yield block.take(slice(int(in_order.argmin())))
        raise _OutOfOrder

    def _name(self, block: Block, numbers: NDArray[np.int64]) -> None:
        for number in np.unique(numbers).tolist():
            name = "" if number < 0 else self._names.get(number, str(number))
            block.channel[numbers == number] = self._channels.number(name)


class _Rows(NamedTuple):
    """The objects of one kind among those of a block, and where they go."""

    windows: NDArray[np.uint8]
    begins: Places
    bodies: Places
    ends: Places
    block: Block
    rows: Places
    channels: NDArray[np.int64]

    def fields(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """What the objects have behind their headers."""
        return self.windows[self.bodies][:, : dtype.itemsize].copy().view(dtype)[:, 0]

    def are_complete(self, size: int) -> Flags:
        """Which objects have `size` bytes behind their headers."""
        return self.bodies + size <= self.ends

    def put(
        self, fields: NDArray[Any], is_remote: Flags, lengths: Places, places: Places, held: Places
    ) -> Flags:
        """Enter frames of `lengths`, of whose data `held` bytes are at `places`; the rest is 0."""
        block, rows = self.block, self.rows
        self.channels[rows] = fields["channel"]
        identifiers = fields["id"]
        numbers = identifiers & MAX_EXTENDED_ID
        is_extended = identifiers >= _EXTENDED_ID
        block.identifier[rows] = np.where(is_extended, numbers | EXTENDED, numbers)
        block.kind[rows] = np.where(is_remote, REMOTE, DATA)
        lengths = np.where(is_remote, 0, lengths)
        block.length[rows] = lengths
        data = self.windows[np.minimum(places, len(self.windows) - 1)]
        shown = np.clip(np.minimum(lengths, held), 0, ROOM).astype(np.uint8)
        data[shown[:, None] <= _COLUMNS] = 0
        block.data[rows] = data
        in_order: Flags = is_extended | (numbers <= MAX_BASE_ID)
        return in_order & (fields["dlc"] < len(DLC_TO_LENGTH))


def _take_classic(found: _Rows) -> Flags:
    fields = found.fields(_CLASSIC)
    lengths = np.minimum(fields["dlc"], 8).astype(np.intp)
    is_remote = (fields["flags"] & _REMOTE) != 0
    places = found.bodies + _CLASSIC.itemsize
    size = _CLASSIC.itemsize + _CLASSIC_DATA
    return found.put(fields, is_remote, lengths, places, lengths) & found.are_complete(size)


def _take_fd(found: _Rows) -> Flags:
    fields = found.fields(_FD)
    is_fd = (fields["fd_flags"] & 1) != 0
    is_remote = (fields["flags"] & _REMOTE) != 0
    places = found.bodies + _FD.itemsize
    lengths = _lengths(fields, is_fd)
    held = np.minimum(fields["valid"], found.ends - places)
    in_order: Flags = (held >= lengths) | (is_remote & ~is_fd)
    in_order &= found.are_complete(_FD.itemsize) & ~(is_fd & is_remote)
    return found.put(fields, is_remote, lengths, places, held) & in_order


def _take_fd_64(found: _Rows) -> Flags:
    fields = found.fields(_FD_64)
    is_fd = (fields["flags"] & _FD_64_FORMAT) != 0
    is_remote = (fields["flags"] & _REMOTE_64) != 0
    places = found.bodies + _FD_64.itemsize
    lengths = _lengths(fields, is_fd)
    extension = fields["extension"]
    extended_ends = np.minimum(found.begins + extension, found.ends)
    held = np.where(extension > 0, extended_ends, found.ends) - places
    in_order: Flags = (fields["valid"] >= lengths) | (is_remote & ~is_fd)
    in_order &= found.are_complete(_FD_64.itemsize) & ~(is_fd & is_remote)
    return found.put(fields, is_remote, lengths, places, held) & in_order


def _lengths(fields: NDArray[Any], is_fd: Flags) -> Places:
    lengths: Places = _LENGTHS[fields["dlc"]]
    return np.where(is_fd, lengths, np.minimum(lengths, 8))


def _take_fault(found: _Rows, kind: int, dtype: np.dtype[Any]) -> Flags:
    found.channels[found.rows] = found.fields(dtype)["channel"]
    found.block.kind[found.rows] = kind
    found.block.identifier[found.rows] = 0
    return found.are_complete(dtype.itemsize)


_WIDE = np.dtype([("channel", "<u2")])
_NARROW = np.dtype([("channel", "u1")])
_TAKERS: dict[int, Callable[[_Rows], Flags]] = {
    _CAN_MESSAGE: _take_classic,
    _CAN_MESSAGE2: _take_classic,
    _CAN_FD_MESSAGE: _take_fd,
    _CAN_FD_MESSAGE_64: _take_fd_64,
    _CAN_ERROR: partial(_take_fault, kind=ERROR, dtype=_WIDE),
    _CAN_ERROR_EXT: partial(_take_fault, kind=ERROR, dtype=_WIDE),
    _CAN_FD_ERROR_64: partial(_take_fault, kind=ERROR, dtype=_NARROW),
    _CAN_OVERLOAD: partial(_take_fault, kind=OVERLOAD, dtype=_WIDE),
}
