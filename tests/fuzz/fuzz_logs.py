"""Bus logs: candump, ASC and BLF. Any bytes give records and, at a damaged place, an `InputError`.

The first byte picks the format.
"""

from __future__ import annotations

import struct

from simcore.attach.log_asc import read_asc
from simcore.attach.log_blf import read_blf
from simcore.attach.log_candump import read_candump
from simcore.attach.log_record import EntryKind
from simcore.bus import Frame
from simcore.errors import InputError

NAME = "logs"
INSTRUMENTED = ("simcore.attach.log_asc", "simcore.attach.log_blf", "simcore.attach.log_candump")
SIZE_MAX = 400
_READERS = (read_candump, read_asc, read_blf)
_CANDUMP = (
    b"(1.000000) can0 123#0011\n(1.000001) can0 00000123##1AABB R\n"
    b"(2.5) b 7DF#R8\n(2.6) b 123#1122334455667788_C\n(3.0) b 20000080#0000000000000000\n"
)
_ASC = (
    b"date Sat Jan 1 00:00:00 am 2000\nbase hex  timestamps absolute\n"
    b"// channel 1: CHASSIS_A\nBegin Triggerblock Sat Jan 1 00:00:00 am 2000\n"
    b"   0.000000 Start of measurement\n   0.100000 1  123             Rx   d 2 00 11\n"
    b"   0.200000 CANFD   1 Rx        123                                    1 0 a 16 "
    b"00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff 0 0 0 0 0 0 0 0\n"
    b"   0.300000 1  ErrorFrame\n   0.400000 1  18DAF110x       Tx   r 8\nEnd TriggerBlock\n"
)


def _blf() -> bytes:
    """A file with a classic and an FD frame in a container that is not compressed."""
    classic = _object(1, struct.pack("<HBBL8s", 1, 0, 8, 0x123, bytes(8)))
    fd = _object(101, struct.pack("<BBBBLLLLLLLHBBL", 1, 15, 64, 0, 0x80, *[0] * 6, 0, 0, 0, 0))
    held = classic + fd + bytes(64)
    body = struct.pack("<H6xL4x", 0, len(held)) + held
    container = b"LOBJ" + struct.pack("<HHLL", 16, 1, 16 + len(body), 10) + body
    header = struct.pack("<4sL8xQQ", b"LOGG", 144, 144 + len(container), len(held))
    return header.ljust(144, b"\0") + container


def _object(kind: int, body: bytes) -> bytes:
    head = struct.pack("<LHHQ", 2, 0, 0, 1000)
    return b"LOBJ" + struct.pack("<HHLL", 32, 1, 32 + len(body), kind) + head + body


def seeds() -> list[bytes]:
    """A log of each format."""
    logs = (_CANDUMP, _ASC, _blf())
    return [bytes((number,)) + log for number, log in enumerate(logs)]


def check(data: bytes) -> None:
    """One input."""
    read = _READERS[data[0] % len(_READERS)] if data else _READERS[0]
    try:
        for record in read(data[1:], "log"):
            assert record.time_ns >= 0
            assert (record.frame is not None) is (record.kind is EntryKind.FRAME)
            assert record.frame is None or isinstance(record.frame, Frame)
    except InputError as error:
        assert str(error).startswith("log")
