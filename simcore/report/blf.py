"""The bytes of a BLF file (Vector's binary logging format) holding CAN and CAN FD frames.

The layout follows what the open readers (Vector_BLF, python-can, vblf) agree on: a file header of
144 bytes, then log containers of type 10 holding objects. Classic frames are CAN_MESSAGE2 (86), FD
frames CAN_FD_MESSAGE_64 (101); the older CAN_FD_MESSAGE (100) is written four bytes short by some
writers and refused by some readers. Error frames are CAN_ERROR_EXT (73), of FD frames too: every
reader knows it, few know CAN_FD_ERROR_64. Overload frames are CAN_OVERLOAD (3).

Two choices keep files equal on every machine: containers are stored uncompressed, because
deflate streams differ between zlib builds, and the measurement starts at a date that is always the
same, because virtual time has none. Every object is a multiple of four bytes long, since readers
disagree on the padding of others.

Not here: which frames go in, in what order (`logs`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simcore.bus import BusRecord
from simcore.bus.socketcan import error_code_capture
from simcore.errors import UsageError
from simcore.report.log_entry import LogEntry, Observer, first_error

if TYPE_CHECKING:
    from simcore.bus import ErrorFrame, Frame

CAN_OVERLOAD = 3
LOG_CONTAINER = 10
APP_TEXT = 65
CAN_ERROR_EXT = 73
CAN_MESSAGE2 = 86
CAN_FD_MESSAGE_64 = 101

_FILE_HEADER_SIZE = 144
# Signature, size, API version, writer and compression, sizes, object counts, first and last date.
_FILE_HEADER = struct.Struct("<4sL4B4BQQLL16s16s")
_DATE = struct.pack("<8H", 1970, 1, 4, 1, 0, 0, 0, 0)
"""Thursday 1970-01-01: readers that turn it into seconds get 0."""
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
# Channel, length of the error frame, flags, error code capture, bit position, dlc, duration, id,
# extended flags, data.
_ERROR = struct.Struct("<HHLBBBxLLH2x8s")
_OVERLOAD = struct.Struct("<HHL")

_EXTENDED_ID = 0x8000_0000
_CLASSIC_TRANSMITTED = 0x01
_CLASSIC_REMOTE = 0x80
_FD_TRANSMITTED = 1
_ERROR_CAPTURE_VALID = 0x1
_ERROR_POSITION_MAX = 255
_FD_FORMAT = 0x1000
_FD_BITRATE_SWITCH = 0x2000
_FD_ERROR_STATE = 0x4000
_CONTAINER_LIMIT = 128 * 1024
_CHANNEL_LIMIT = 255


def blf_bytes(entries: Iterable[LogEntry], observer: Observer) -> bytes:
    """The file for `entries`; channel n (from 1) is the observer's n-th.

    Time stamps are in whole ns. The channel names go into a comment at the start, since the format
    itself only numbers channels.
    """
    if len(observer.channels) > _CHANNEL_LIMIT:
        raise UsageError(
            "BLF log", expected=f"at most {_CHANNEL_LIMIT} channels", got=len(observer.channels)
        )
    objects = [_channel_names(observer)]
    for entry in entries:
        if isinstance(entry, BusRecord):
            objects.append(_frame(entry, observer))
        elif entry.overload:
            body = _OVERLOAD.pack(observer.number(entry), 0, 0)
            objects.append(_object(CAN_OVERLOAD, entry.end_ns, body))
        else:
            objects.append(_error(entry, observer))
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    containers = [_container(b"".join(chunk)) for chunk in _chunks(objects)]
    body = b"".join(containers)
    size = _FILE_HEADER_SIZE + len(body)
    header = _FILE_HEADER.pack(
        b"LOGG",
        _FILE_HEADER_SIZE,
        *_NO_API_VERSION,
        *_WRITER,
        size,
        size,
        len(objects),
        0,
        _DATE,
        _DATE,
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


def _channel_names(observer: Observer) -> bytes:
    text = "\n".join(observer.comment)
    # The format's texts are Windows code page 1252, ended by a zero.
    data = text.encode("cp1252", "backslashreplace") + b"\0"
    return _object(APP_TEXT, 0, _TEXT.pack(0, 0, len(data), 0) + data)


def _identifier(frame: Frame) -> int:
    return frame.arbitration_id | (_EXTENDED_ID if frame.is_extended_id else 0)


def _frame(record: BusRecord, observer: Observer) -> bytes:
    frame = record.frame
    channel = observer.number(record)
    data = bytes(frame.data)
    frame_id = _identifier(frame)
    transmitted = observer.transmitted(record)
    duration_ns = record.eof_ns - record.sof_ns
    if not frame.is_fd:
        flags = _CLASSIC_REMOTE if frame.is_remote_frame else 0
        flags |= _CLASSIC_TRANSMITTED if transmitted else 0
        body = _CLASSIC.pack(channel, flags, frame.dlc, frame_id, data, duration_ns, 0, 0, 0)
        return _object(CAN_MESSAGE2, record.eof_ns, body)
    flags = _FD_FORMAT
    flags |= _FD_BITRATE_SWITCH if frame.bitrate_switch else 0
    flags |= _FD_ERROR_STATE if frame.error_state_indicator else 0
    direction = _FD_TRANSMITTED if transmitted else 0
    body = _FD.pack(
        *(channel, frame.dlc, len(data), 0, frame_id, duration_ns, flags),
        *(0, 0, 0, 0, 0, direction, 0, 0),
    )
    return _object(CAN_FD_MESSAGE_64, record.eof_ns, body + data)


def _error(entry: ErrorFrame, observer: Observer) -> bytes:
    """Identifier and data are those of the destroyed frame, as far as they have room."""
    error, frame = first_error(entry), entry.frame
    capture = position = flags = 0
    if error is not None:
        capture = error_code_capture(error, frame)
        # One byte: a bit further back in a long FD frame is given as 255.
        position = min(max(error.bit, 0), _ERROR_POSITION_MAX)
        flags = _ERROR_CAPTURE_VALID
    data = b"" if frame is None else bytes(frame.data[:8])
    body = _ERROR.pack(
        *(observer.number(entry), 0, flags, capture, position, len(data)),
        *(entry.end_ns - entry.begin_ns, 0 if frame is None else _identifier(frame), capture, data),
    )
    return _object(CAN_ERROR_EXT, entry.end_ns, body)
