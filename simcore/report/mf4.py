"""ASAM MDF 4.1 (MF4), bus logging: data, remote, error and overload frames as event groups.

Group and channel names are those of ASAM's associated standard for bus logging: `CAN_DataFrame`,
`CAN_RemoteFrame`, `CAN_ErrorFrame`, `CAN_OverloadFrame`, each a structure of bytes. Time stamps are
seconds as 64-bit floats, which hold whole nanoseconds for 52 days. asammdf writes the file; the
two places where it puts the present time are set to a constant, because virtual time has no date.

asammdf is an extra (`simcore[mf4]`), imported on first use.
"""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.bus import BusRecord, ErrorKind
from simcore.errors import UsageError
from simcore.report.log_entry import LogEntry, Observer, begin_ns, end_ns, first_error
from simcore.units import NS_PER_S

_HEAD = [("BusChannel", "<u1"), ("ID", "<u4"), ("IDE", "<u1"), ("DLC", "<u1"), ("Dir", "<u1")]
_DATA = [("DataLength", "<u1"), ("DataBytes", "(64,)u1")]
_FD = [("EDL", "<u1"), ("BRS", "<u1"), ("ESI", "<u1")]
_DURATION = [("FrameDuration", "<u4")]
MEMBERS = {
    "CAN_DataFrame": [*_HEAD, *_DATA, *_FD, *_DURATION],
    "CAN_RemoteFrame": [*_HEAD, ("DataLength", "<u1"), *_DURATION],
    "CAN_ErrorFrame": [*_HEAD, *_DATA, *_FD, *_DURATION, ("ErrorType", "<u1")],
    "CAN_OverloadFrame": [("BusChannel", "<u1"), ("Dir", "<u1"), *_DURATION],
}
"""Members of each group; `FrameDuration` is in ns, `Dir` 0 for received and 1 for transmitted."""

_ERROR_TYPES = {
    ErrorKind.BIT: 1,
    ErrorKind.FORM: 2,
    ErrorKind.STUFF: 3,
    ErrorKind.CRC: 4,
    ErrorKind.ACK: 5,
}
_CHANNEL_LIMIT = 255
_DURATION_MAX_NS = 0xFFFF_FFFF
TIME_OFFSET_VALID = 2
_HEADER_HISTORY_LINK = 64 + 24 + 8
"""The file's header block follows 64 bytes of identification; its second link is the history."""
_HISTORY_NEXT_LINK = 24
_HISTORY_TIME = 40
_HISTORY_NO_TIME = struct.pack("<QhhB", 0, 0, 0, TIME_OFFSET_VALID)


def require_asammdf() -> None:
    """Raises `UsageError` where the library that writes and reads MF4 is not installed."""
    if importlib.util.find_spec("asammdf") is None:
        raise UsageError(
            "MF4 log", expected="asammdf, as `pip install simcore[mf4]` brings it", got="no asammdf"
        )


def mf4_bytes(entries: Sequence[LogEntry], observer: Observer) -> bytes:
    """The file for `entries`; bus channel n (from 1) is the observer's n-th.

    Raises `UsageError` without asammdf and for more channels than a byte can number.
    """
    require_asammdf()
    if len(observer.channels) > _CHANNEL_LIMIT:
        raise UsageError(
            "MF4 log", expected=f"at most {_CHANNEL_LIMIT} channels", got=len(observer.channels)
        )
    from asammdf import MDF, Signal
    from asammdf.blocks.v4_blocks import SourceInformation
    from asammdf.blocks.v4_constants import BUS_TYPE_CAN, SOURCE_BUS

    groups: dict[str, list[LogEntry]] = {name: [] for name in MEMBERS}
    for entry in entries:
        groups[_group_of(entry)].append(entry)
    with MDF(version="4.10") as file:
        header: Any = file.header  # of version 4, which its annotation leaves open
        header.abs_time = header.tz_offset = header.daylight_save_time = 0
        header.time_flags = TIME_OFFSET_VALID
        header.comment = "\n".join(observer.comment)
        for name, members in groups.items():
            signal = Signal(
                name=name,
                samples=_rows(name, members, observer),
                timestamps=np.array([end_ns(each) for each in members], dtype=np.float64)
                / NS_PER_S,
                source=SourceInformation(source_type=SOURCE_BUS, bus_type=BUS_TYPE_CAN),
            )
            file.append(signal)
        content = io.BytesIO()
        file.save(content, compression=0)  # deflate streams differ between zlib builds
    return without_date(content.getvalue())


def _group_of(entry: LogEntry) -> str:
    if isinstance(entry, BusRecord):
        return "CAN_RemoteFrame" if entry.frame.is_remote_frame else "CAN_DataFrame"
    return "CAN_OverloadFrame" if entry.overload else "CAN_ErrorFrame"


def _rows(name: str, entries: Sequence[LogEntry], observer: Observer) -> NDArray[Any]:
    members = MEMBERS[name]
    dtype = np.dtype([(f"{name}.{member}", kind) for member, kind in members])
    rows = np.zeros(len(entries), dtype=dtype)
    for row, entry in zip(rows, entries, strict=True):
        values = _values(entry, observer)
        for member, _ in members:
            value = values.get(member, 0)
            if isinstance(value, bytes):
                row[f"{name}.{member}"][: len(value)] = np.frombuffer(value, dtype=np.uint8)
            else:
                row[f"{name}.{member}"] = value
    return rows


def _values(entry: LogEntry, observer: Observer) -> dict[str, int | bytes]:
    duration_ns = end_ns(entry) - begin_ns(entry)
    values: dict[str, int | bytes] = {
        "BusChannel": observer.number(entry),
        "Dir": int(observer.transmitted(entry)),
        # Four bytes hold 4.3 s; a bus held dominant for longer is given as the most they hold.
        "FrameDuration": min(duration_ns, _DURATION_MAX_NS),
    }
    frame = entry.frame
    if frame is not None:
        values |= {
            "ID": frame.arbitration_id,
            "IDE": int(frame.is_extended_id),
            "DLC": frame.dlc,
            "DataLength": len(frame.data),
            "DataBytes": bytes(frame.data),
            "EDL": int(frame.is_fd),
            "BRS": int(frame.bitrate_switch),
            "ESI": int(frame.error_state_indicator),
        }
    if not isinstance(entry, BusRecord):
        error = first_error(entry)
        values["ErrorType"] = 0 if error is None else _ERROR_TYPES.get(error.kind, 0)
    return values


def without_date(content: bytes) -> bytes:
    """The file with the time stamps of its history at 0."""
    data = bytearray(content)
    (address,) = struct.unpack_from("<Q", data, _HEADER_HISTORY_LINK)
    while address:
        at = address + _HISTORY_TIME
        data[at : at + len(_HISTORY_NO_TIME)] = _HISTORY_NO_TIME
        (address,) = struct.unpack_from("<Q", data, address + _HISTORY_NEXT_LINK)
    return bytes(data)
