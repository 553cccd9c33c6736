"""E2E profile 5: CRC-16, 8-bit counter, implicit 16-bit data id. AUTOSAR PRS_E2EProtocol, 6.6.

Header of 3 bytes: checksum (two bytes, little-endian), counter (one byte). The checksum covers
everything but itself and then the data id, low byte first. The library `autosar-e2e` computes and
compares it; the counter, the order of checks and the statuses are here.

`Profile05Sender` and `Profile05Receiver` are the short way for a header at the start of the
payload, which is what every frame of the reference interface has; `Profile05Header` knows any
offset. The sequence rules, `strict` among them, are those of `e2e_receiver`.
"""

from __future__ import annotations

from e2e import p05 as _p05

from simcore.errors import UsageError
from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header
from simcore.protection.e2e_receiver import NOTHING_YET, E2eReceiver
from simcore.protection.e2e_sender import E2eSender
from simcore.protection.e2e_status import E2eStatus

_COUNTER_BYTE = 2

_protect = _p05.e2e_p05_protect
_check = _p05.e2e_p05_check

# Plain members: an attribute of an IntEnum class costs a dictionary look-up on the hot path.
_OK = E2eStatus.OK
_ERROR = E2eStatus.ERROR
_REPEATED = E2eStatus.REPEATED
_OK_SOME_LOST = E2eStatus.OK_SOME_LOST
_WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE


class Profile05Header(Header):
    """Header of profile 5 at any offset."""

    __slots__ = ("_at", "_data_id")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._data_id = config.data_id

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + _COUNTER_BYTE] = counter
        _protect(buffer, self._data_id, offset=at, increment_counter=False)

    def open(self, data: bytes) -> int:
        at = self._at
        return data[at + _COUNTER_BYTE] if _check(data, self._data_id, offset=at) else WRONG


class Profile05Sender(E2eSender):
    """Protects consecutive frames of one data id, header at the start."""

    __slots__ = ("data_id",)

    def __init__(self, data_id: int, length: int, *, counter: int = 0) -> None:
        super().__init__(_header(data_id, length), counter=counter)
        self.data_id = data_id

    def protect(self, data: bytes) -> bytes:
        """`data` with counter and checksum filled in; the counter moves on.

        Raises `UsageError` for another length than configured.
        """
        if len(data) != self.length:
            return super().protect(data)  # refuses it
        buffer = bytearray(data)
        counter = self.counter
        try:
            buffer[2] = counter
        except ValueError:
            return super().protect(data)  # refuses it
        # The library counts on itself; to be asked not to costs it half its time.
        buffer[2] = (counter - 1) & 0xFF
        _protect(buffer, self.data_id)
        self.counter = (counter + 1) & 0xFF
        return bytes(buffer)


class Profile05Receiver(E2eReceiver):
    """Checks consecutive receptions of one data id, header at the start."""

    __slots__ = ("data_id",)

    def __init__(
        self, data_id: int, length: int, *, max_delta_counter: int = 3, strict: bool = False
    ) -> None:
        super().__init__(
            _header(data_id, length), max_delta_counter=max_delta_counter, strict=strict
        )
        self.data_id = data_id

    def check(self, data: bytes) -> E2eStatus:
        """Status of one received payload. Any length and content is legal input."""
        if len(data) != self.length or not _check(data, self.data_id):
            return _ERROR
        received = data[_COUNTER_BYTE]
        stored = self._stored
        delta = (received - stored) & 0xFF
        if delta == 1:
            self._stored = received
            self.lost_count = 0
            return _OK
        if delta == 0:
            self._stored = received
            return _REPEATED
        if delta <= self.max_delta_counter:
            self._stored = received
            self.lost_count = delta - 1
            return _OK_SOME_LOST
        if not self.strict or stored == NOTHING_YET:
            self._stored = received
        return _WRONG_SEQUENCE


def _header(data_id: int, length: int) -> Header:
    if not 0 <= data_id <= 0xFFFF:
        raise UsageError("E2E profile 5: data_id", expected="0..0xFFFF", got=f"{data_id:#x}")
    return Profile05Header(E2eConfig(profile="P05", data_id=data_id), length)
