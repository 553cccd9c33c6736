"""E2E profile 5: CRC-16, 8-bit counter, implicit 16-bit data id. AUTOSAR PRS_E2EProtocol, 6.6.

Header at the start of the payload: checksum (two bytes, little-endian), counter (one byte). The
checksum covers everything behind itself and then the data id, low byte first. The library
`autosar-e2e` computes and compares it; the counter, the order of checks and the statuses are here.

A frame with a wrong checksum or length changes no stored counter. A frame with a right checksum
and a counter out of sequence is not usable, but its counter is adopted, as the standard says.
"""

from __future__ import annotations

from e2e import p05 as _p05

from simcore.errors import UsageError
from simcore.protection.e2e_status import E2eStatus

HEADER_LENGTH = 3
MAX_LENGTH = 4096
COUNTER_MODULO = 256
_COUNTER_BYTE = 2

_protect = _p05.e2e_p05_protect
_check = _p05.e2e_p05_check

# Plain members: an attribute of an IntEnum class costs a dictionary look-up on the hot path.
_OK = E2eStatus.OK
_ERROR = E2eStatus.ERROR
_REPEATED = E2eStatus.REPEATED
_OK_SOME_LOST = E2eStatus.OK_SOME_LOST
_WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE


class Profile05Sender:
    """Protects consecutive frames of one data id."""

    __slots__ = ("counter", "data_id", "length")

    def __init__(self, data_id: int, length: int, *, counter: int = 0) -> None:
        _check_configuration(data_id, length)
        if not 0 <= counter < COUNTER_MODULO:
            raise UsageError(
                f"E2E profile 5, data id 0x{data_id:04X}: counter", expected="0..255", got=counter
            )
        self.data_id = data_id
        self.length = length
        self.counter = counter
        """Counter of the next frame, 0..255."""

    def protect(self, data: bytes) -> bytes:
        """`data` with counter and checksum filled in; the counter moves on.

        Raises `UsageError` for another length than configured.
        """
        if len(data) != self.length:
            raise UsageError(
                f"E2E profile 5, data id 0x{self.data_id:04X}: protect",
                expected=f"{self.length} bytes",
                got=f"{len(data)}",
            )
        buffer = bytearray(data)
        counter = self.counter
        buffer[2] = counter
        _protect(buffer, self.data_id, increment_counter=False)
        self.counter = (counter + 1) & 0xFF
        return bytes(buffer)


class Profile05Receiver:
    """Checks consecutive receptions of one data id."""

    __slots__ = ("counter", "data_id", "length", "lost_count", "max_delta_counter")

    def __init__(self, data_id: int, length: int, *, max_delta_counter: int = 3) -> None:
        _check_configuration(data_id, length)
        if not 1 <= max_delta_counter < COUNTER_MODULO:
            raise UsageError(
                f"E2E profile 5, data id 0x{data_id:04X}: max_delta_counter",
                expected="1..255",
                got=max_delta_counter,
            )
        self.data_id = data_id
        self.length = length
        self.max_delta_counter = max_delta_counter
        self.counter = COUNTER_MODULO - 1
        """Counter of the last frame with a right checksum; a first counter of 0 is in sequence."""
        self.lost_count = 0
        """Frames missing before the last usable one."""

    def check(self, data: bytes) -> E2eStatus:
        """Status of one received payload. Any length and content is legal input."""
        if len(data) != self.length or not _check(data, self.data_id):
            return _ERROR
        received = data[_COUNTER_BYTE]
        delta = (received - self.counter) & 0xFF
        self.counter = received
        if delta == 1:
            self.lost_count = 0
            return _OK
        if delta == 0:
            return _REPEATED
        if delta <= self.max_delta_counter:
            self.lost_count = delta - 1
            return _OK_SOME_LOST
        return _WRONG_SEQUENCE


def _check_configuration(data_id: int, length: int) -> None:
    if not 0 <= data_id <= 0xFFFF:
        raise UsageError("E2E profile 5: data_id", expected="0..0xFFFF", got=f"{data_id:#x}")
    if not HEADER_LENGTH <= length <= MAX_LENGTH:
        raise UsageError(
            f"E2E profile 5, data id 0x{data_id:04X}: length",
            expected=f"{HEADER_LENGTH}..{MAX_LENGTH} bytes",
            got=length,
        )
