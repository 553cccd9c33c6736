"""The receiving side of profiles 1 and 2, which have statuses of their own. SWS_E2ELibrary.

The first right frame is INITIAL. The tolerance starts at `max_delta_counter_init` after every good
frame and grows by one with every check, `no_new_data` included. A step of the counter beyond it is
WRONG_SEQUENCE and starts synchronisation: the next `sync_counter_init` good frames are SYNC instead
of OK or OK_SOME_LOST. The same starts after more than `max_no_new_or_repeated_data` checks without
new data. None of INITIAL, SYNC, WRONG_SEQUENCE is data to use.

A wrong checksum or data id is WRONG_CRC and another length ERROR; both change no counter.
WRONG_SEQUENCE takes the counter over where `sync_counter_init` is above 0, as the standard says.
Under `strict` such a frame changes nothing, and neither it nor a repeated one widens the tolerance,
so that a burst of replayed frames stays rejected as far as 4 bits can tell: a burst of 15 (profile
2: 16) frames or more holds every counter, hence also the next one due.
"""

from __future__ import annotations

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import Header
from simcore.protection.e2e_receiver import NOTHING_YET, E2eReceiver
from simcore.protection.e2e_status import E2eStatus


class LegacyReceiver(E2eReceiver):
    """Checks consecutive receptions of one message of profile 1 or 2."""

    __slots__ = (
        "_max_delta_init",
        "_max_no_new",
        "_sync_init",
        "no_new_or_repeated_count",
        "sync_counter",
    )

    def __init__(self, header: Header, *, strict: bool = False) -> None:
        config: E2eConfig = header.config
        init = config.max_delta_counter_init
        self._max_delta_init = config.max_delta_counter if init is None else init
        super().__init__(header, max_delta_counter=self._max_delta_init, strict=strict)
        allowed = config.max_no_new_or_repeated_data
        self._max_no_new = self._modulo - 1 if allowed is None else allowed
        self._sync_init = config.sync_counter_init
        self.no_new_or_repeated_count = 0
        self.sync_counter = 0
        """Good frames still to come before one is OK."""

    def reset(self) -> None:
        """Forget the sequence, as after power on."""
        super().reset()
        self.max_delta_counter = self._max_delta_init
        self.no_new_or_repeated_count = self.sync_counter = 0

    def no_new_data(self) -> E2eStatus:
        """Status of a cycle in which nothing arrived; the tolerance grows."""
        self._widen()
        self._count_no_new()
        return E2eStatus.NO_NEW_DATA

    def check(self, data: bytes) -> E2eStatus:
        """Status of one received payload. Any length and content is legal input."""
        if len(data) != self.length:
            self._widen()
            return E2eStatus.ERROR
        received = self._header.open(data)
        if received < 0:
            self._widen()
            return E2eStatus.WRONG_CRC
        if self._stored == NOTHING_YET:
            self._accept(received)
            return E2eStatus.INITIAL
        delta = (received - self._stored) % self._modulo
        is_rejected = delta == 0 or delta > self.max_delta_counter + 1
        if not (self.strict and is_rejected):
            self._widen()
        return self._judged(received, delta)

    def _judged(self, received: int, delta: int) -> E2eStatus:
        if delta == 0:
            self._count_no_new()
            return E2eStatus.REPEATED
        if delta > self.max_delta_counter:
            if not self.strict:
                self._synchronise(received)
            return E2eStatus.WRONG_SEQUENCE
        self._accept(received)
        self.lost_count = delta - 1
        if self.no_new_or_repeated_count > self._max_no_new:
            self.sync_counter = self._sync_init
            self.no_new_or_repeated_count = 0
            return E2eStatus.SYNC
        self.no_new_or_repeated_count = 0
        if self.sync_counter:
            self.sync_counter -= 1
            return E2eStatus.SYNC
        return E2eStatus.OK if delta == 1 else E2eStatus.OK_SOME_LOST

    def _synchronise(self, received: int) -> None:
        self.no_new_or_repeated_count = 0
        self.sync_counter = self._sync_init
        if self._sync_init:
            self._accept(received)

    def _accept(self, received: int) -> None:
        self._stored = received
        self.max_delta_counter = self._max_delta_init

    def _widen(self) -> None:
        if self.max_delta_counter < self._modulo - 1:
            self.max_delta_counter += 1

    def _count_no_new(self) -> None:
        if self.no_new_or_repeated_count < self._modulo - 1:
            self.no_new_or_repeated_count += 1
