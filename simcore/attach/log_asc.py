"""Reading Vector's text log (ASC).

Understood: `base hex` and `base dec`, absolute and relative time stamps, classic, remote, FD, error
and overload frames; `// channel 1: NAME` comments, as simcore writes them, name the channels. Other
events with a time stamp (statistics, chip status, transmit requests) are passed on as such. A log
that lost its end, a line of it or only `End TriggerBlock`, is reported as cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from simcore.attach.log_record import EntryKind, LogRecord, frame_of, time_of
from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.errors import InputError

_EVENT = re.compile(r"(\d+)\.(\d+)\s+(.*)")
_BASE = re.compile(r"base\s+(hex|dec)(?:\s+timestamps\s+(absolute|relative))?", re.IGNORECASE)
_CHANNEL_NAME = re.compile(r"//\s*channel (\d+): (.+)")
_HEADER = re.compile(
    r"//|;|date\b|(no )?internal events logged|begin triggerblock|previous log file", re.IGNORECASE
)
_END = re.compile(r"end triggerblock", re.IGNORECASE)
_CLASSIC = re.compile(r"(\d+)\s+([0-9A-Fa-f]+x?)\s+(Rx|Tx)\s+([drDR])(?:\s+(.*))?")
_FD = re.compile(
    r"CANFD\s+(\d+)\s+(Rx|Tx)\s+([0-9A-Fa-f]+x?)\s+(?:\S*[^\s\d]\S*\s+)?"
    r"([01])\s+([01])\s+([0-9A-Fa-f]+)\s+(\d+)(?:\s+(.*))?"
)
_FAULT = re.compile(
    r"(?:CANFD\s+)?(\d+)\s+(?:(Rx|Tx)\s+)?(ErrorFrame|OverloadFrame)\b.*", re.IGNORECASE
)
_LOOKS_LIKE_A_FRAME = re.compile(r"CANFD\s|\d+\s+\S+\s+(Rx|Tx)\b")


class _State:
    """What earlier lines said about later ones."""

    def __init__(self) -> None:
        self.base = 16
        self.relative = False
        self.now_ns = 0
        self.names: dict[str, str] = {}
        self.in_block = False


def read_asc(data: bytes, file: str) -> Iterator[LogRecord]:
    """Records of an ASC log. Raises `InputError` with the line of the first bad one."""
    state = _State()
    lines = data.split(b"\n")
    rest = lines.pop()
    if rest and _END.match(rest.decode("cp1252", "replace").strip()):
        lines.append(rest)
        rest = b""
    offset = len(data) - len(rest)
    for number, raw in enumerate(lines, start=1):
        record = _line(raw.decode("cp1252", "replace").strip(), state, file, number)
        if record is not None:
            yield record
    if rest or state.in_block:
        raise InputError(
            f"ASC log, byte offset {offset}",
            expected="the end of the line" if rest else "End TriggerBlock",
            got="the end of the file",
            file=file,
            line=len(lines) + 1,
        )


def _line(text: str, state: _State, file: str, line: int) -> LogRecord | None:
    if not text:
        return None
    if found := _EVENT.fullmatch(text):
        stamp_ns = time_of(found[1], found[2])
        state.now_ns = state.now_ns + stamp_ns if state.relative else stamp_ns
        return _event(found[3], state, file, line)
    if found := _BASE.match(text):
        state.base = 16 if found[1].lower() == "hex" else 10
        state.relative = (found[2] or "").lower() == "relative"
    elif found := _CHANNEL_NAME.fullmatch(text):
        state.names[found[1]] = found[2]
    elif _END.match(text):
        state.in_block = False
    elif _HEADER.match(text):
        state.in_block |= text.lower().startswith("begin")
    else:
        raise _bad("a time stamp or a line of the header", text, file, line)
    return None


def _event(text: str, state: _State, file: str, line: int) -> LogRecord | None:
    if text.lower().startswith("start of measurement"):
        return None
    if found := _FAULT.fullmatch(text):
        kind = EntryKind.ERROR if found[3].lower() == "errorframe" else EntryKind.OVERLOAD
        channel = state.names.get(found[1], found[1])
        return LogRecord(state.now_ns, channel, None, kind, found[2] == "Tx")
    if found := _CLASSIC.fullmatch(text):
        number, identifier, direction, form, content = found.groups()
        build = _classic(identifier, form, (content or "").split(), state.base)
    elif found := _FD.fullmatch(text):
        number, direction, identifier, *flags, content = found.groups()
        build = _fd(identifier, flags, (content or "").split(), state.base)
    elif _LOOKS_LIKE_A_FRAME.match(text):
        raise _bad("a CAN frame", text, file, line)
    else:
        return LogRecord(state.now_ns, "", None, EntryKind.OTHER)
    if build is None:
        raise _bad("a CAN frame", text, file, line)
    frame = frame_of(build, "ASC log", file, line)
    channel = state.names.get(number, number)
    return LogRecord(state.now_ns, channel, frame, EntryKind.FRAME, direction == "Tx")


def _classic(identifier: str, form: str, words: list[str], base: int) -> partial[Frame] | None:
    """What makes the frame of `dlc byte...`; `None` where a word is no number."""
    try:
        can_id = int(identifier.rstrip("x"), base)
        extended = identifier.endswith("x")
        if form in "rR":
            dlc = int(words[0], base) if words and words[0] != "Length" else 0
            return partial(Frame, can_id, is_extended_id=extended, is_remote_frame=True, dlc=dlc)
        dlc = int(words[0], base)
        data = _octets(words[1:], min(dlc, 8), base)
    except (ValueError, IndexError):
        return None
    return partial(Frame, can_id, data, is_extended_id=extended, dlc=dlc)


def _fd(identifier: str, flags: list[str], words: list[str], base: int) -> partial[Frame] | None:
    """What makes the frame of `brs esi dlc length byte...`."""
    try:
        can_id = int(identifier.rstrip("x"), base)
        brs, esi, code, length = flags
        dlc = int(code, base)
        data = _octets(words, int(length), base)
        if dlc >= len(DLC_TO_LENGTH) or DLC_TO_LENGTH[dlc] != len(data):
            return None
    except (ValueError, IndexError):
        return None
    return partial(
        Frame,
        can_id,
        data,
        is_extended_id=identifier.endswith("x"),
        is_fd=True,
        bitrate_switch=brs == "1",
        error_state_indicator=esi == "1",
        dlc=dlc,
    )


def _octets(words: list[str], count: int, base: int) -> bytes:
    if len(words) < count:
        raise ValueError("too few bytes")
    return bytes(int(word, base) for word in words[:count])


def _bad(expected: str, text: str, file: str, line: int) -> InputError:
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return InputError("ASC log", expected=expected, got=repr(shown), file=file, line=line)
