"""Reading MF4 bus logs (ASAM MDF 4) with asammdf.

Understood: event groups named `CAN_DataFrame`, `CAN_RemoteFrame`, `CAN_ErrorFrame` and
`CAN_OverloadFrame`. Time stamps are seconds as floats; they are rounded to whole ns. What describes
the data may stand behind it, so of a file that lost a part nothing can be kept. Every block such a
file is made of is looked up before asammdf sees it, which is how a lost part is found and named.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from simcore.attach.log_record import EntryKind, LogRecord, frame_of
from simcore.bus import Frame
from simcore.errors import InputError
from simcore.report.mf4 import require_asammdf
from simcore.units import NS_PER_S

_KINDS = {
    "CAN_DataFrame": EntryKind.FRAME,
    "CAN_RemoteFrame": EntryKind.FRAME,
    "CAN_ErrorFrame": EntryKind.ERROR,
    "CAN_OverloadFrame": EntryKind.OVERLOAD,
}
_CHANNEL_NAME = re.compile(r"channel (\d+): ([^<\n]+)")
_ID_MASK = 0x1FFF_FFFF
_HEADER_AT = 64
_BLOCK = struct.Struct("<4s4xQQ")
"""What every block begins with: name, length, number of links, which follow."""

Row = Mapping[str, Any]


def read_mf4(data: bytes, file: str) -> Iterator[LogRecord]:
    """Records of an MF4 file in order of time.

    Raises `UsageError` where asammdf is not installed, `InputError` for what it cannot read.
    """
    require_asammdf()
    if data[:3] != b"MDF":
        raise InputError("MF4 file, byte offset 0", expected="MDF", got=repr(data[:3]), file=file)
    _require_blocks(data, file)
    try:
        rows, names = _rows(data)
    except Exception as error:  # what a parser raises on arbitrary bytes is not a closed list
        raise InputError(
            f"MF4 file of {len(data)} bytes",
            expected="a complete MDF 4 bus log",
            got=f"{type(error).__name__}: {error}",
            file=file,
        ) from error
    for time_ns, name, row in sorted(rows, key=_time_of_row):
        number = int(row.get("BusChannel", 0))
        channel = names.get(number, str(number))
        kind = _KINDS[name]
        frame = None
        if kind is EntryKind.FRAME:
            where = f"MF4 file, frame at {time_ns} ns"
            frame = frame_of(_builder(name, row), where, file)
        yield LogRecord(time_ns, channel, frame, kind, _transmitted(row.get("Dir", 0)))


def _require_blocks(data: bytes, file: str) -> None:
    """Follow every link from the header on. Raises `InputError` for a block that is not there."""
    seen: set[int] = set()
    waiting = [_HEADER_AT]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        where = f"MF4 block, byte offset {at}"
        if at + _BLOCK.size > len(data):
            raise InputError(
                where, expected="a block", got=f"the end of the file at {len(data)}", file=file
            )
        name, length, link_count = _BLOCK.unpack_from(data, at)
        if name[:2] != b"##" or length < _BLOCK.size + 8 * link_count:
            raise InputError(where, expected="a block (##)", got=repr(name), file=file)
        if at + length > len(data):
            raise InputError(
                where,
                expected=f"{length} bytes",
                got=f"the end of the file after {len(data) - at}",
                file=file,
            )
        links = struct.unpack_from(f"<{link_count}Q", data, at + _BLOCK.size)
        waiting += [link for link in links if link]


def _time_of_row(row: tuple[int, str, Row]) -> int:
    return row[0]


def _rows(data: bytes) -> tuple[list[tuple[int, str, Row]], dict[int, str]]:
    """Time, group and members of every event, and the names of channels where the file has any."""
    from asammdf import MDF

    rows: list[tuple[int, str, Row]] = []
    with MDF(io.BytesIO(data)) as mdf:
        comment = mdf.header.comment
        names = {int(number): name for number, name in _CHANNEL_NAME.findall(comment)}
        groups: Any = mdf.groups
        for index, group in enumerate(groups):
            found = _KINDS.keys() & {channel.name for channel in group.channels}
            if not found or group.channel_group.cycles_nr == 0:
                continue
            name = found.pop()
            signal = mdf.get(name, index, raw=True)
            samples = signal.samples
            members = [each for each in samples.dtype.names if each.startswith(f"{name}.")]
            short = [each.removeprefix(f"{name}.") for each in members]
            times_ns = np.rint(signal.timestamps * NS_PER_S).astype(np.int64).tolist()
            for time_ns, sample in zip(times_ns, samples, strict=True):
                values = dict(zip(short, (sample[each] for each in members), strict=True))
                rows.append((time_ns, name, values))
    return rows, names


def _transmitted(direction: Any) -> bool:
    return direction == b"Tx" if isinstance(direction, bytes) else bool(direction)


def _builder(name: str, row: Row) -> Callable[[], Frame]:
    identifier = int(row["ID"]) & _ID_MASK
    extended = bool(row.get("IDE", identifier > 0x7FF))
    if name == "CAN_RemoteFrame":
        dlc = int(row.get("DLC", 0))
        return partial(Frame, identifier, is_extended_id=extended, is_remote_frame=True, dlc=dlc)
    fd = bool(row.get("EDL", False))
    length = int(row["DataLength"])
    return partial(
        Frame,
        identifier,
        np.asarray(row["DataBytes"], dtype=np.uint8)[:length].tobytes(),
        is_extended_id=extended,
        is_fd=fd,
        bitrate_switch=fd and bool(row.get("BRS", False)),
        error_state_indicator=fd and bool(row.get("ESI", False)),
        dlc=int(row["DLC"]) if "DLC" in row else None,
    )
