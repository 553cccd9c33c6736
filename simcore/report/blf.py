"""The bytes of a BLF file (Vector's binary logging format) holding CAN and CAN FD frames.

The layout follows what the open readers (Vector_BLF, python-can, vblf) agree on: a file header of
144 bytes, then log containers of type 10 holding objects. Classic frames are CAN_MESSAGE2 (86), FD
frames CAN_FD_MESSAGE_64 (101); the older CAN_FD_MESSAGE (100) is written four bytes short by some
writers and refused by some readers.

Two choices keep files equal on every machine: containers are stored uncompressed, because
deflate streams differ between zlib builds, and the measurement starts at an empty date, because
virtual time has none. Every object is a multiple of four bytes long, since readers disagree on
the padding of others.

Not here: which frames go in, in what order (`logs`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.bus import BusRecord

LOG_CONTAINER = 10
APP_TEXT = 65
CAN_MESSAGE2 = 86
CAN_FD_MESSAGE_64 = 101

_FILE_HEADER_SIZE = 144
# Signature, size, API version, writer and compression, sizes, object counts, first and last date.
_FILE_HEADER = struct.Struct("<4sL4B4BQQLL16s16s")
_NO_API_VERSION = (0, 0, 0, 0)
_WRITER = (0, 0, 0, 0)  # unknown application, no compression, version 0.0
_OBJECT_HEADER = struct.Struct("<4sHHLLLHHQ")
_CONTAINER_HEADER = struct.Struct("<4sHHLLH6xL4x")
_BASE_HEADER_SIZE = 16
_HEADER_VERSION = 1
_TIME_IN_NS = 2
_TEXT = struct.Struct("<LLLL")
_CLASSIC = struct.Struct("<HBBL8sLBBH")
_FD = struct.Struct("<BBBBLLLLLLLHBBL")

_EXTENDED_ID = 0x8000_0000
_CLASSIC_REMOTE = 0x80
_FD_FORMAT = 0x1000
_FD_BITRATE_SWITCH = 0x2000
_FD_ERROR_STATE = 0x4000
_CONTAINER_LIMIT = 128 * 1024
_CHANNEL_LIMIT = 255


def blf_bytes(records: Iterable[BusRecord], channels: Sequence[str]) -> bytes:
    """The file for `records`, whose channel n (from 1) is the n-th name in `channels`.

    Time stamps are ends of frames in whole ns, as a receiver sees them. The channel names go into
    a comment at the start, since the format itself only numbers channels.
    """
    if len(channels) > _CHANNEL_LIMIT:
        raise UsageError(
            "BLF log", expected=f"at most {_CHANNEL_LIMIT} channels", got=len(channels)
        )
    numbers = {name: number for number, name in enumerate(channels, start=1)}
    objects = [_channel_names(channels)]
    for record in records:
        objects.append(_frame(record, numbers))
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    containers = [_container(b"".join(chunk)) for chunk in _chunks(objects)]
    body = b"".join(containers)
    size = _FILE_HEADER_SIZE + len(body)
    no_date = bytes(16)
    header = _FILE_HEADER.pack(
        b"LOGG",
        _FILE_HEADER_SIZE,
        *_NO_API_VERSION,
        *_WRITER,
        size,
        size,
        len(objects),
        0,
        no_date,
        no_date,
    )
    return header.ljust(_FILE_HEADER_SIZE, b"\0") + body


def _chunks(objects: Sequence[bytes]) -> Iterable[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for item in objects:
        if size + len(item) > _CONTAINER_LIMIT:
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item)
    yield chunk


def _container(content: bytes) -> bytes:
    header = _CONTAINER_HEADER.pack(
        b"LOBJ",
        _BASE_HEADER_SIZE,
        _HEADER_VERSION,
        _CONTAINER_HEADER.size + len(content),
        LOG_CONTAINER,
        0,
        len(content),
    )
    return header + content


def _object(kind: int, time_ns: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    header = _OBJECT_HEADER.pack(
        b"LOBJ",
        _OBJECT_HEADER.size,
        _HEADER_VERSION,
        _OBJECT_HEADER.size + len(body),
        kind,
        _TIME_IN_NS,
        0,
        0,
        time_ns,
    )
    return header + body


def _channel_names(channels: Sequence[str]) -> bytes:
    lines = [f"channel {number}: {name}" for number, name in enumerate(channels, start=1)]
    text = "\n".join(["simcore, virtual time", *lines])
    # The format's texts are Windows code page 1252, ended by a zero.
    data = text.encode("cp1252", "backslashreplace") + b"\0"
    return _object(APP_TEXT, 0, _TEXT.pack(0, 0, len(data), 0) + data)


def _frame(record: BusRecord, numbers: dict[str, int]) -> bytes:
    frame = record.frame
    channel = numbers[record.channel]
    data = bytes(frame.data)
    frame_id = frame.arbitration_id | (_EXTENDED_ID if frame.is_extended_id else 0)
    duration_ns = record.eof_ns - record.sof_ns
    if not frame.is_fd:
        flags = _CLASSIC_REMOTE if frame.is_remote_frame else 0
        body = _CLASSIC.pack(channel, flags, frame.dlc, frame_id, data, duration_ns, 0, 0, 0)
        return _object(CAN_MESSAGE2, record.eof_ns, body)
    flags = _FD_FORMAT
    flags |= _FD_BITRATE_SWITCH if frame.bitrate_switch else 0
    flags |= _FD_ERROR_STATE if frame.error_state_indicator else 0
    body = _FD.pack(
        channel, frame.dlc, len(data), 0, frame_id, duration_ns, flags, 0, 0, 0, 0, 0, 0, 0, 0
    )
    return _object(CAN_FD_MESSAGE_64, record.eof_ns, body + data)
