"""Reading BLF files (Vector's binary log), compressed or not, version 1 and 2 object headers.

Understood: CAN_MESSAGE (1), CAN_MESSAGE2 (86), CAN_FD_MESSAGE (100, also four bytes short),
CAN_FD_MESSAGE_64 (101), CAN_ERROR (2), CAN_ERROR_EXT (73), CAN_FD_ERROR_64 (104), CAN_OVERLOAD (3),
and channel names in a comment (APP_TEXT, 65) as simcore writes them. Other objects are passed on as
such. The layout is in `simcore.report.blf`. Offsets in errors are those of the file; inside a
compressed container, that of the container and the place in what it holds.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial

from simcore.attach.log_record import EntryKind, LogRecord, frame_of
from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.errors import InputError

_FILE_SIGNATURE = b"LOGG"
_SIGNATURE = b"LOBJ"
_FILE_HEADER = struct.Struct("<4sL8xQQ")
_FILE_HEADER_MIN = 32
_BASE = struct.Struct("<4sHHLL")
_VERSION_1 = struct.Struct("<LHHQ")
_VERSION_2 = struct.Struct("<LBxHQ8x")
_CONTAINER = struct.Struct("<H6xL4x")
_CLASSIC = struct.Struct("<HBBL8s")
_FD = struct.Struct("<HBBLLBBB5x")
_FD_64 = struct.Struct("<BBBBLLLLLLLHBBL")
_TEXT = struct.Struct("<LLLL")
_CHANNEL = struct.Struct("<H")

_CAN_MESSAGE, _CAN_ERROR, _CAN_OVERLOAD, _LOG_CONTAINER, _APP_TEXT = 1, 2, 3, 10, 65
_CAN_ERROR_EXT, _CAN_MESSAGE2, _CAN_FD_MESSAGE, _CAN_FD_MESSAGE_64 = 73, 86, 100, 101
_CAN_FD_ERROR_64 = 104
_DEFLATE = 2
_TEN_US, _NS_PER_TEN_US = 1, 10_000
_EXTENDED_ID = 0x8000_0000
_ID_MASK = 0x1FFF_FFFF
_TRANSMITTED = 0x01
_REMOTE = 0x80
_REMOTE_64, _FD_64_FORMAT, _BRS_64, _ESI_64 = 0x10, 0x1000, 0x2000, 0x4000
_SEARCHED = 8
"""The next object follows within so many bytes: writers disagree on padding."""
_CHANNEL_NAME = re.compile(r"channel (\d+): (.+)")


class _Content:
    """Objects one after the other: what the containers of a file held so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.data = b""
        """Bytes of objects not yet complete."""
        self.place = ""
        """Where these began in the file."""
        self.names: dict[int, str] = {}

    def objects(self, more: bytes, place: str) -> Iterator[LogRecord]:
        """Records of the objects that are complete with `more`, which stood at `place`."""
        if not self.data:
            self.place = place
        data = self.data + more
        at = 0
        while True:
            begin = data.find(_SIGNATURE, at, at + _SEARCHED)
            if begin < 0 and len(data) - at >= _SEARCHED:
                raise self._bad(at, "an object (LOBJ)", data[at : at + 4].hex(" "))
            if begin < 0 or len(data) - begin < _BASE.size:
                break
            _, header_size, version, size, kind = _BASE.unpack_from(data, begin)
            if size < max(header_size, _BASE.size):
                raise self._bad(begin, f"an object of at least {header_size} bytes", size)
            if begin + size > len(data):
                at = begin
                break
            record = self._record(data[begin : begin + size], header_size, version, kind, begin)
            if record is not None:
                yield record
            at = begin + size
        self.data = data[at:]
        if at:
            self.place = place if at >= len(data) else f"{place}, {at} bytes in"

    def _record(
        self, data: bytes, header_size: int, version: int, kind: int, at: int
    ) -> LogRecord | None:
        try:
            if version == 1:
                flags, _, _, stamp = _VERSION_1.unpack_from(data, _BASE.size)
            else:
                flags, _, _, stamp = _VERSION_2.unpack_from(data, _BASE.size)
            time_ns = stamp * _NS_PER_TEN_US if flags == _TEN_US else stamp
            if kind == _APP_TEXT:
                self._learn_names(data, header_size)
                return None
            return self._entry(data, header_size, kind, time_ns, at)
        except (struct.error, IndexError) as error:
            raise self._bad(at, f"an object of type {kind}", str(error)) from error

    def _entry(self, data: bytes, body: int, kind: int, time_ns: int, at: int) -> LogRecord:
        if kind in (_CAN_MESSAGE, _CAN_MESSAGE2):
            channel, build, transmitted = _classic(data, body)
        elif kind == _CAN_FD_MESSAGE:
            channel, build, transmitted = _fd(data, body)
        elif kind == _CAN_FD_MESSAGE_64:
            channel, build, transmitted = _fd_64(data, body)
        elif kind in (_CAN_ERROR, _CAN_ERROR_EXT, _CAN_OVERLOAD):
            (channel,) = _CHANNEL.unpack_from(data, body)
            what = EntryKind.OVERLOAD if kind == _CAN_OVERLOAD else EntryKind.ERROR
            return LogRecord(time_ns, self._name(channel), None, what)
        elif kind == _CAN_FD_ERROR_64:
            return LogRecord(time_ns, self._name(data[body]), None, EntryKind.ERROR)
        else:
            return LogRecord(time_ns, "", None, EntryKind.OTHER)
        frame = frame_of(build, f"BLF {self._where(at)}", self.file)
        return LogRecord(time_ns, self._name(channel), frame, EntryKind.FRAME, transmitted)

    def _learn_names(self, data: bytes, body: int) -> None:
        _, _, length, _ = _TEXT.unpack_from(data, body)
        begin = body + _TEXT.size
        text = data[begin : begin + length].rstrip(b"\0").decode("cp1252", "replace")
        for line in text.split("\n"):
            if found := _CHANNEL_NAME.fullmatch(line):
                self.names[int(found[1])] = found[2]

    def _name(self, channel: int) -> str:
        return self.names.get(channel, str(channel))

    def _where(self, at: int) -> str:
        return f"object, {at} bytes into what began at {self.place}"

    def _bad(self, at: int, expected: str, got: object) -> InputError:
        return InputError(f"BLF {self._where(at)}", expected=expected, got=got, file=self.file)


def read_blf(data: bytes, file: str) -> Iterator[LogRecord]:
    """Records of a BLF file. Raises `InputError` with the offset of the first bad object.

    A file shorter than its header says is cut off, an object of which only a part is there too.
    """
    if len(data) < _FILE_HEADER_MIN or data[:4] != _FILE_SIGNATURE:
        raise InputError("BLF file, byte offset 0", expected="LOGG", got=repr(data[:4]), file=file)
    _, header_size, stated_size, _ = _FILE_HEADER.unpack_from(data)
    if header_size > len(data):
        raise _bad_object(0, f"a header of {header_size} bytes", f"a file of {len(data)}", file)
    content = _Content(file)
    at = header_size
    while at < len(data):
        begin = data.find(_SIGNATURE, at, at + _SEARCHED)
        if begin < 0 or len(data) - begin < _BASE.size:
            rest = data[at:].lstrip(b"\0")  # behind the padding
            if not rest:
                break
            at = len(data) - len(rest)
            raise _bad_object(at, "an object (LOBJ)", rest[:4].hex(" "), file)
        _, base_size, _, size, kind = _BASE.unpack_from(data, begin)
        if size < _BASE.size:
            raise _bad_object(begin, f"an object of at least {_BASE.size} bytes", size, file)
        whole = begin + size <= len(data)
        held = data[begin + base_size : begin + size]
        if kind == _LOG_CONTAINER:
            yield from _container(content, held, begin, file, whole=whole)
        elif whole:
            yield from content.objects(data[begin : begin + size], f"byte offset {begin}")
        if not whole:
            raise _bad_object(
                begin, f"{size} bytes", f"the end of the file after {len(data) - begin}", file
            )
        at = begin + size
    if content.data.strip(b"\0"):
        raise InputError(
            f"BLF object that began at {content.place}",
            expected="the rest of it",
            got="the end of the file",
            file=file,
        )
    if stated_size > len(data):
        raise _bad_object(len(data), f"a file of {stated_size} bytes", "the end of it", file)


def _container(
    content: _Content, held: bytes, begin: int, file: str, *, whole: bool
) -> Iterator[LogRecord]:
    """Records in a log container; of a damaged one those before the damage."""
    if len(held) < _CONTAINER.size:
        return  # the file ends here, which the caller reports
    method, size = _CONTAINER.unpack_from(held)
    packed = held[_CONTAINER.size :]
    place = f"byte offset {begin}"
    if method == 0:
        yield from content.objects(packed, f"byte offset {begin + _BASE.size + _CONTAINER.size}")
        return
    if method != _DEFLATE:
        raise _bad_object(begin, "compression 0 or 2", method, file)
    unpacked, problem = _inflated(packed)
    yield from content.objects(unpacked, f"{place}, unpacked")
    if problem and whole:  # that the file ends before the container is for the caller to say
        raise _bad_object(begin, f"{size} bytes of compressed objects", problem, file)


def _inflated(packed: bytes) -> tuple[bytes, str]:
    """What can be unpacked, and why not more."""
    machine = zlib.decompressobj()
    parts = []
    try:
        for at in range(0, len(packed), 1024):
            parts.append(machine.decompress(packed[at : at + 1024]))
    except zlib.error as error:
        return b"".join(parts), str(error)
    return b"".join(parts), "" if machine.eof else "an incomplete stream"


def _bad_object(at: int, expected: str, got: object, file: str) -> InputError:
    return InputError(f"BLF object, byte offset {at}", expected=expected, got=got, file=file)


def _classic(data: bytes, body: int) -> tuple[int, partial[Frame], bool]:
    channel, flags, dlc, identifier, payload = _CLASSIC.unpack_from(data, body)
    remote = bool(flags & _REMOTE)
    build = partial(
        Frame,
        identifier & _ID_MASK,
        b"" if remote else payload[: min(dlc, 8)],
        is_extended_id=bool(identifier & _EXTENDED_ID),
        is_remote_frame=remote,
        dlc=dlc,
    )
    return channel, build, bool(flags & _TRANSMITTED)


def _fd(data: bytes, body: int) -> tuple[int, partial[Frame], bool]:
    channel, flags, dlc, identifier, _, _, fd_flags, length = _FD.unpack_from(data, body)
    payload = data[body + _FD.size : body + _FD.size + length]
    build = _built(
        identifier,
        payload,
        dlc,
        fd=bool(fd_flags & 0x1),
        switch=bool(fd_flags & 0x2),
        passive=bool(fd_flags & 0x4),
        remote=bool(flags & _REMOTE),
    )
    return channel, build, bool(flags & _TRANSMITTED)


def _fd_64(data: bytes, body: int) -> tuple[int, partial[Frame], bool]:
    fields = _FD_64.unpack_from(data, body)
    channel, dlc, length, _, identifier, _, flags = fields[:7]
    direction, extension = fields[12], fields[13]
    begin = body + _FD_64.size
    payload = data[begin : min(begin + length, extension or len(data))]
    build = _built(
        identifier,
        payload.ljust(length, b"\0"),  # CANoe leaves out what is zero
        dlc,
        fd=bool(flags & _FD_64_FORMAT),
        switch=bool(flags & _BRS_64),
        passive=bool(flags & _ESI_64),
        remote=bool(flags & _REMOTE_64),
    )
    return channel, build, bool(direction)


def _built(
    identifier: int,
    payload: bytes,
    dlc: int,
    *,
    fd: bool,
    switch: bool,
    passive: bool,
    remote: bool,
) -> partial[Frame]:
    length = 0 if remote or dlc >= len(DLC_TO_LENGTH) else DLC_TO_LENGTH[dlc]
    return partial(
        Frame,
        identifier & _ID_MASK,
        payload[: length if fd else min(length, 8)],
        is_extended_id=bool(identifier & _EXTENDED_ID),
        is_fd=fd,
        bitrate_switch=fd and switch,
        error_state_indicator=fd and passive,
        is_remote_frame=remote and not fd,
        dlc=dlc,
    )
