"""Reading `candump -L` logs (can-utils), with or without the direction `-x` adds.

Understood: classic frames, `_<dlc>` of raw length codes above 8, remote frames, FD frames with
flags, error frames. A last line without its end is taken for cut off: what it would have said
cannot be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from simcore.attach.log_record import EntryKind, LogRecord, frame_of, time_of
from simcore.bus import Frame
from simcore.bus.socketcan import CAN_ERR_FLAG, CAN_ERR_PROT_OVERLOAD
from simcore.errors import InputError

_LINE = re.compile(
    r"\((\d+)\.(\d+)\)\s+(\S+)\s+([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#(\S*)(?:\s+([RT]))?"
)
_CLASSIC = re.compile(r"((?:[0-9A-Fa-f]{2}){0,8})(?:_([0-9A-Fa-f]))?")
_FD = re.compile(r"#([0-9A-Fa-f])((?:[0-9A-Fa-f]{2}){0,64})")
_REMOTE = re.compile(r"[Rr]([0-8])?(?:_([0-9A-Fa-f]))?")
_BITRATE_SWITCH = 0x1
_ERROR_STATE = 0x2


def read_candump(data: bytes, file: str) -> Iterator[LogRecord]:
    """Records of a candump log. Raises `InputError` with the line of the first bad one."""
    lines = data.split(b"\n")
    rest = lines.pop()
    for number, raw in enumerate(lines, start=1):
        text = raw.decode("utf-8", "replace").strip()
        if text:
            yield _record(text, file, number)
    if rest:
        raise InputError(
            f"candump log, byte offset {len(data) - len(rest)}",
            expected="the end of the line",
            got="the end of the file",
            file=file,
            line=len(lines) + 1,
        )


def _record(text: str, file: str, line: int) -> LogRecord:
    found = _LINE.fullmatch(text)
    if found is None:
        raise _bad("(seconds.fraction) channel ID#DATA", text, file, line)
    seconds, fraction, channel, identifier, content, direction = found.groups()
    time_ns = time_of(seconds, fraction)
    can_id = int(identifier, 16)
    extended = len(identifier) == 8
    transmitted = direction == "T"
    if extended and can_id & CAN_ERR_FLAG:
        data = _CLASSIC.fullmatch(content)
        if data is None:
            raise _bad("an error frame's data", text, file, line)
        overload = len(data[1]) > 4 and int(data[1][4:6], 16) & CAN_ERR_PROT_OVERLOAD
        kind = EntryKind.OVERLOAD if overload else EntryKind.ERROR
        return LogRecord(time_ns, channel, None, kind, transmitted)
    build = _builder(content, can_id, extended)
    if build is None:
        raise _bad("a frame's data", text, file, line)
    frame = frame_of(build, "candump log", file, line)
    return LogRecord(time_ns, channel, frame, EntryKind.FRAME, transmitted)


def _builder(content: str, can_id: int, extended: bool) -> partial[Frame] | None:
    """What makes the frame, `None` for data in no known form."""
    if found := _CLASSIC.fullmatch(content):
        dlc = None if found[2] is None else int(found[2], 16)
        return partial(Frame, can_id, bytes.fromhex(found[1]), is_extended_id=extended, dlc=dlc)
    if found := _FD.fullmatch(content):
        flags = int(found[1], 16)
        return partial(
            Frame,
            can_id,
            bytes.fromhex(found[2]),
            is_extended_id=extended,
            is_fd=True,
            bitrate_switch=bool(flags & _BITRATE_SWITCH),
            error_state_indicator=bool(flags & _ERROR_STATE),
        )
    if found := _REMOTE.fullmatch(content):
        dlc = int(found[2], 16) if found[2] else int(found[1] or 0)
        return partial(Frame, can_id, is_extended_id=extended, is_remote_frame=True, dlc=dlc)
    return None


def _bad(expected: str, text: str, file: str, line: int) -> InputError:
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return InputError("candump log", expected=expected, got=repr(shown), file=file, line=line)
