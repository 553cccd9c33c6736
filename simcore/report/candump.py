"""The text of `candump -L` (can-utils): one line per frame.

`(sec.usec) channel ID#DATA`, `ID##<flags>DATA` for FD (1: BRS, 2: ESI), `ID#R<dlc>` for a remote
frame, and error frames with the identifier and the eight bytes Linux gives them. An observer that
is a node adds ` T` or ` R` to each frame, as `candump -L -x` does; other logs go without, since not
every reader takes it. Microseconds are cut, not rounded, as the kernel's time stamps are. The raw
length code of a classic frame above 8 has no place in this format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.bus import BusRecord
from simcore.bus.socketcan import (
    CAN_ERR_BUSERROR,
    CAN_ERR_DLC,
    CAN_ERR_FLAG,
    CAN_ERR_PROT,
    encode_wire_error,
)
from simcore.errors import UsageError
from simcore.report.log_entry import LogEntry, Observer, end_ns, first_error
from simcore.units import NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from simcore.bus import ErrorFrame, Frame

_BITRATE_SWITCH = 0x1
_ERROR_STATE = 0x2
_UNSPECIFIED = (CAN_ERR_FLAG | CAN_ERR_PROT | CAN_ERR_BUSERROR, bytes(CAN_ERR_DLC))


def candump_bytes(entries: Sequence[LogEntry], observer: Observer) -> bytes:
    """The log of `entries` in their order. Raises `UsageError` for a channel name with blanks."""
    for name in observer.channels:
        if not name or any(character.isspace() for character in name):
            raise UsageError(
                "candump log, channel name", expected="a name without blanks", got=repr(name)
            )
    text = "".join(_line(entry, observer) for entry in entries)
    return text.encode("utf-8", "backslashreplace")


def _line(entry: LogEntry, observer: Observer) -> str:
    seconds, rest_ns = divmod(end_ns(entry), NS_PER_S)
    if isinstance(entry, BusRecord):
        content = _frame(entry.frame)
        if observer.node is not None:
            content += " T" if observer.transmitted(entry) else " R"
    else:
        content = _error(entry)
    return f"({seconds:010d}.{rest_ns // NS_PER_US:06d}) {entry.channel} {content}\n"


def _frame(frame: Frame) -> str:
    identifier = f"{frame.arbitration_id:0{8 if frame.is_extended_id else 3}X}"
    payload = bytes(frame.data).hex().upper()
    if frame.is_fd:
        flags = _BITRATE_SWITCH if frame.bitrate_switch else 0
        flags |= _ERROR_STATE if frame.error_state_indicator else 0
        payload = f"#{flags:X}{payload}"
    elif frame.is_remote_frame:
        # can-utils prints no length for 0 and none above 8.
        payload = f"R{min(frame.dlc, 8) or ''}"
    return f"{identifier}#{payload}"


def _error(entry: ErrorFrame) -> str:
    error = first_error(entry)
    can_id, data = _UNSPECIFIED if error is None else encode_wire_error(error, entry.frame)
    return f"{can_id:08X}#{data.hex().upper()}"
