"""Bus logs other tools read: candump text (can-utils `candump -L`) and BLF.

Time stamps are ends of frames in virtual time from 0, because that is when a receiver has a frame;
frames of several buses are merged in that order. Nothing here reads a clock, so the same records
give the same bytes. python-can's writers are not used: its BLF writer stores FD frames in an
object other readers refuse, and its candump writer appends a direction they stumble over.

Not here: the layout of BLF objects (`blf`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.report.blf import blf_bytes
from simcore.report.files import write_file
from simcore.units import NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from simcore.bus import BusRecord

_CANDUMP_BITRATE_SWITCH = 0x1
_CANDUMP_ERROR_STATE = 0x2


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """One way to write a bus log."""

    name: str
    suffix: str
    """File name suffix readers expect, with the dot."""
    resolution_ns: int
    encode: Callable[[Sequence[BusRecord], Sequence[str]], bytes]
    """Records in order of their end, and the channel names in order, to the file's bytes."""


def write_log(
    path: str | os.PathLike[str],
    records: Iterable[BusRecord],
    format: str,
    *,
    channels: Sequence[str] | None = None,
) -> Path:
    """Write `records` as a log in one of `LOG_FORMATS`.

    `channels` fixes the numbering of channels in formats that number them; without it they are
    the channels of the records by name. Raises `UsageError` for an unknown format or a channel
    that is not listed, `InputError` where `path` cannot be written.
    """
    if format not in LOG_FORMATS:
        raise UsageError(
            "log format", expected=f"one of {', '.join(LOG_FORMATS)}", got=repr(format)
        )
    ordered = sorted(records, key=_order)
    present = sorted({record.channel for record in ordered})
    names = present if channels is None else list(channels)
    for name in present:
        if name not in names:
            raise UsageError("log channels", expected=f"{name} among them", got=names)
    chosen = LOG_FORMATS[format]
    return write_file(path, chosen.encode(ordered, names), what=f"{chosen.name} log")


def candump_bytes(records: Sequence[BusRecord], channels: Sequence[str]) -> bytes:
    """`(sec.usec) channel ID#DATA` per frame, `ID##<flags>DATA` for FD (1: BRS, 2: ESI).

    Microseconds are cut, not rounded, as the kernel's time stamps are. The raw length code of a
    classic frame above 8 has no place in this format.
    """
    for name in channels:
        if not name or any(character.isspace() for character in name):
            raise UsageError(
                "candump log, channel name", expected="a name without blanks", got=repr(name)
            )
    text = "".join(_candump_line(record) for record in records)
    return text.encode("utf-8", "backslashreplace")


def _candump_line(record: BusRecord) -> str:
    frame = record.frame
    seconds, rest_ns = divmod(record.eof_ns, NS_PER_S)
    identifier = f"{frame.arbitration_id:0{8 if frame.is_extended_id else 3}X}"
    payload = bytes(frame.data).hex().upper()
    if frame.is_fd:
        flags = _CANDUMP_BITRATE_SWITCH if frame.bitrate_switch else 0
        flags |= _CANDUMP_ERROR_STATE if frame.error_state_indicator else 0
        payload = f"#{flags:X}{payload}"
    elif frame.is_remote_frame:
        # can-utils prints no length for 0 and none above 8.
        payload = f"R{min(frame.dlc, 8) or ''}"
    stamp = f"{seconds:010d}.{rest_ns // NS_PER_US:06d}"
    return f"({stamp}) {record.channel} {identifier}#{payload}\n"


def _order(record: BusRecord) -> tuple[int, str, int]:
    return (record.eof_ns, record.channel, record.sof_ns)


LOG_FORMATS: Mapping[str, LogFormat] = MappingProxyType(
    {
        "candump": LogFormat(
            name="candump", suffix=".log", resolution_ns=NS_PER_US, encode=candump_bytes
        ),
        "blf": LogFormat(name="BLF", suffix=".blf", resolution_ns=1, encode=blf_bytes),
    }
)
"""Log formats by the name the command line uses."""
