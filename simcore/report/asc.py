"""Vector's text log (ASC): one line per frame, identifiers and data in hex, six decimals.

Classic frames are `time channel id dir d dlc data`, FD frames `time CANFD channel dir id brs esi
dlc length data duration ...`, error frames `time channel ErrorFrame` with the error code capture of
an SJA1000, overload frames `time channel OverloadFrame`. Microseconds are cut, not rounded. The
header wants a date; it is always the same one, because virtual time has none. FD frames without
data read back as remote frames in readers that tell those by a length of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.bus import BusRecord
from simcore.bus.socketcan import error_code_capture
from simcore.report.log_entry import LogEntry, Observer, end_ns, first_error
from simcore.units import NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from simcore.bus import ErrorFrame

_DATE = "Thu Jan 01 00:00:00.000 1970"
_FD_FORMAT = 0x1000
_FD_BITRATE_SWITCH = 0x2000
_FD_ERROR_STATE = 0x4000


def asc_bytes(entries: Sequence[LogEntry], observer: Observer) -> bytes:
    """The log of `entries` in their order; channel names stand in comments."""
    lines = [
        f"date {_DATE}",
        "base hex  timestamps absolute",
        "internal events logged",
        *(f"// {line}" for line in observer.comment),
        f"Begin Triggerblock {_DATE}",
        f"{_stamp(0)} Start of measurement",
        *(_line(entry, observer) for entry in entries),
        "End TriggerBlock",
        "",
    ]
    return "\n".join(lines).encode("cp1252", "backslashreplace")


def _stamp(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    return f"{seconds:4d}.{rest_ns // NS_PER_US:06d}"


def _line(entry: LogEntry, observer: Observer) -> str:
    stamp = _stamp(end_ns(entry))
    channel = observer.number(entry)
    if not isinstance(entry, BusRecord):
        return f"{stamp} {channel}  {_error(entry)}"
    direction = "Tx" if observer.transmitted(entry) else "Rx"
    if entry.frame.is_fd:
        return f"{stamp} CANFD {channel:>3} {direction} {_fd(entry)}"
    return f"{stamp} {channel}  {_classic(entry, direction)}"


def _identifier(entry: BusRecord) -> str:
    return f"{entry.frame.arbitration_id:X}{'x' if entry.frame.is_extended_id else ''}"


def _classic(entry: BusRecord, direction: str) -> str:
    frame = entry.frame
    kind = "r" if frame.is_remote_frame else "d"
    text = f"{_identifier(entry):<15} {direction}   {kind} {frame.dlc:x}"
    return f"{text} {frame.data.hex(' ').upper()}" if frame.data else text


def _fd(entry: BusRecord) -> str:
    frame = entry.frame
    flags = _FD_FORMAT
    flags |= _FD_BITRATE_SWITCH if frame.bitrate_switch else 0
    flags |= _FD_ERROR_STATE if frame.error_state_indicator else 0
    brs, esi = int(frame.bitrate_switch), int(frame.error_state_indicator)
    data = frame.data.hex(" ").upper()
    head = f"{_identifier(entry):>8} {brs} {esi} {frame.dlc:x} {len(frame.data):>2}"
    duration_ns = entry.eof_ns - entry.sof_ns
    # Bits of the message, CRC and bit timings, which the format has room for, are left at 0.
    tail = f"{duration_ns} 0 {flags:X} 0 0 0 0 0"
    return f"{head} {data} {tail}" if data else f"{head} {tail}"


def _error(entry: ErrorFrame) -> str:
    if entry.overload:
        return "OverloadFrame"
    error = first_error(entry)
    if error is None:
        return "ErrorFrame"
    return f"ErrorFrame\tECC: {error_code_capture(error, entry.frame):08b}"
