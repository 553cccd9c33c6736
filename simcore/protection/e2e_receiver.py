"""The receiving side of the E2E profiles: the sequence of counters becomes a status.

For P04 P05 P06 P07 P08 P11 P22 P44 (and COUNTER, CHECKSUM) in this order: wrong length, checksum or
data id is ERROR and changes nothing; then the step of the counter since the last right frame: 0 is
REPEATED, 1 OK, up to `max_delta_counter` OK_SOME_LOST, beyond it WRONG_SEQUENCE. The rules of P01
and P02 are in `e2e_legacy`. Only OK and OK_SOME_LOST are data to use.

After WRONG_SEQUENCE there are two rules:

standard  The counter is taken over, as PRS_E2EProtocol says. A sender that restarted costs one
          frame. So does a recording played back: its first frame is WRONG_SEQUENCE, the rest OK.
strict    The counter is not taken over. A recording played back stays rejected from its first
          frame to its last, and the live stream goes on as if there had been none. Accepted are
          frames 1..`max_delta_counter` steps ahead of the last accepted one. That includes a
          recorded one that happens to lie there: a burst as long as the counter's range always
          runs into that window. The price: when `max_delta_counter` or more frames are lost in a
          row, or the sender restarts, everything is WRONG_SEQUENCE until the counter has come
          round or `reset` is called. Before its first right frame a receiver has no sequence to
          keep: that one frame's counter is taken over, whatever its status.
"""

from __future__ import annotations

from simcore.errors import UsageError
from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import Header
from simcore.protection.e2e_status import E2eStatus

_OK = E2eStatus.OK
_ERROR = E2eStatus.ERROR
_REPEATED = E2eStatus.REPEATED
_OK_SOME_LOST = E2eStatus.OK_SOME_LOST
_WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE

NOTHING_YET = -1
"""Stored counter of a receiver without a right frame: one before 0, so that 0 is in sequence."""


class E2eReceiver:
    """Checks consecutive receptions of one message."""

    __slots__ = (
        "_header",
        "_modulo",
        "_stored",
        "config",
        "length",
        "lost_count",
        "max_delta_counter",
        "strict",
    )

    def __init__(self, header: Header, *, max_delta_counter: int, strict: bool = False) -> None:
        """Raises `UsageError` for a tolerance the counter does not have."""
        modulo = header.counter_modulo
        if not 1 <= max_delta_counter < modulo and modulo > 1:
            raise UsageError(
                f"{header.label}: max_delta_counter",
                expected=f"1..{modulo - 1}",
                got=max_delta_counter,
            )
        self._header = header
        self._modulo = modulo
        self.config: E2eConfig = header.config
        self.length = header.length
        self.max_delta_counter = max_delta_counter
        self.strict = strict
        self._stored = NOTHING_YET
        self.lost_count = 0
        """Frames missing before the last usable one."""

    @property
    def counter(self) -> int:
        """Counter the next frame is compared with; before the first frame the greatest one."""
        return self._stored % self._modulo

    @counter.setter
    def counter(self, value: int) -> None:
        self._stored = value

    def reset(self) -> None:
        """Forget the sequence, as after power on."""
        self._stored = NOTHING_YET
        self.lost_count = 0

    def check(self, data: bytes) -> E2eStatus:
        """Status of one received payload. Any length and content is legal input."""
        header = self._header
        if not header.length_min <= len(data) <= header.length_max:
            return _ERROR
        received = header.open(data)
        if received < 0:
            return _ERROR
        stored = self._stored
        delta = (received - stored) % self._modulo
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

    def no_new_data(self) -> E2eStatus:
        """Status of a cycle in which nothing arrived."""
        return E2eStatus.NO_NEW_DATA


class UncountedReceiver(E2eReceiver):
    """Checks a message without a counter: right or wrong is all there is to say."""

    __slots__ = ()

    def check(self, data: bytes) -> E2eStatus:
        """OK or ERROR."""
        header = self._header
        if not header.length_min <= len(data) <= header.length_max or header.open(data) < 0:
            return _ERROR
        return _OK
