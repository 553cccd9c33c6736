"""Freshness values of several counters: trip, reset and message counter (JASPAR, SWS SecOC annex).

One ECU is the freshness master. Its trip counter moves on at every power on and is kept in
non-volatile memory; its reset counter moves on at every reset cycle; sync messages tell both to the
slaves. Each sender's message counter begins anew with every reset counter. A frame carries the low
bits of the message counter and the reset flag, the low bits of the reset counter. A receiver that
lost any number of frames is in step again with the next reset cycle, and a master or slave that was
reset with the next sync message.

Rules where the standard's text was not at hand, and ours stand: counters begin at 1, so 0 means
"not known"; a reset counter at its end starts a new trip; the trip counter goes from its end to 1,
which slaves take for newer inside `clear_acceptance_window` of both ends; a slave keeps the last
sync it took in non-volatile memory if it is given one, so that no older one gets in after a reset.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Protocol

from simcore.errors import UsageError
from simcore.network.secoc_config import MultiCounter
from simcore.protection.cmac import KeyStore
from simcore.protection.secoc_status import SecOcOutcome, SecOcReason, SecOcResult

TRIP_MEMORY = "secoc.trip"
"""Where the master keeps its trip counter."""
SYNC_MEMORY = "secoc.sync"
"""Where a slave keeps the last sync it took."""
FIRST_COUNT = 1
NEAR_RESETS = (0, -1, 1, -2, 2)
"""How far the reset counter of a sender may be from the one known, in the order tried."""


class TripAndReset(Protocol):
    """What knows trip and reset counter: the master, or a slave."""

    @property
    def counts(self) -> tuple[int, int] | None:
        """Trip and reset counter; `None` while they are not known."""


class FreshnessMaster:
    """Trip and reset counter of the network. To make one is to start a new trip.

    `memory` is the ECU's non-volatile memory.
    """

    __slots__ = ("_layout", "_memory", "counts")

    def __init__(self, layout: MultiCounter, memory: MutableMapping[str, bytes]) -> None:
        self._layout = layout
        self._memory = memory
        self.counts = (0, FIRST_COUNT)
        stored = int.from_bytes(memory.get(TRIP_MEMORY, b""), "big")
        self._begin_trip(stored)

    def _begin_trip(self, before: int) -> None:
        trip = before + 1 if before < (1 << self._layout.trip_length) - 1 else FIRST_COUNT
        self._memory[TRIP_MEMORY] = trip.to_bytes(3, "big")
        self.counts = trip, FIRST_COUNT

    def next_reset(self) -> None:
        """A reset cycle has passed."""
        trip, reset = self.counts
        if reset >= (1 << self._layout.reset_length) - 1:
            self._begin_trip(trip)
        else:
            self.counts = trip, reset + 1


class FreshnessSlave:
    """Trip and reset counter as sync messages told them; not known before the first one.

    With `memory`, a sync older than one taken before the last power on is refused, too.
    """

    __slots__ = ("_layout", "_memory", "_taken", "_window", "counts")

    def __init__(
        self,
        layout: MultiCounter,
        memory: MutableMapping[str, bytes] | None = None,
        *,
        clear_acceptance_window: int = 0,
    ) -> None:
        if not 0 <= clear_acceptance_window < 1 << layout.trip_length - 1:
            raise UsageError(
                "freshness slave, clear_acceptance_window",
                expected=f"0..{(1 << layout.trip_length - 1) - 1}",
                got=clear_acceptance_window,
            )
        self._layout = layout
        self._memory = memory
        self._window = clear_acceptance_window
        self.counts: tuple[int, int] | None = None
        stored = b"" if memory is None else memory.get(SYNC_MEMORY, b"")
        self._taken = int.from_bytes(stored[:3], "big"), int.from_bytes(stored[3:6], "big")
        # A power on is no reason to refuse the reset cycle that is running.
        self._taken = self._taken[0], self._taken[1] - 1

    def take_sync(self, trip: int, reset: int) -> SecOcReason:
        """Adopt what an authentic sync message says if it is newer: `NONE`, else `STALE_TRIP`."""
        if not ((trip, reset) > self._taken or self._begins_anew(trip)):
            return SecOcReason.STALE_TRIP
        self.counts = self._taken = trip, reset
        if self._memory is not None:
            self._memory[SYNC_MEMORY] = trip.to_bytes(3, "big") + reset.to_bytes(3, "big")
        return SecOcReason.NONE

    def _begins_anew(self, trip: int) -> bool:
        """Whether the trip counter has passed its end, and both are close enough to it."""
        last = (1 << self._layout.trip_length) - 1
        return self._taken[0] > last - self._window and trip < FIRST_COUNT + self._window


class MultiCounterSender:
    """The message counter of one sender; `source` is the master or the ECU's slave."""

    __slots__ = ("_layout", "_message", "_of", "_source")

    def __init__(self, layout: MultiCounter, source: TripAndReset) -> None:
        self._layout = layout
        self._source = source
        self._of: tuple[int, int] | None = None
        self._message = 0

    def take(self) -> int | SecOcReason:
        """The freshness value of the next frame; none before the first sync."""
        counts = self._source.counts
        if counts is None:
            return SecOcReason.NO_SYNC_YET
        if counts != self._of:
            self._of = counts
            self._message = 0
        if self._message >= (1 << self._layout.message_length) - 1:
            return SecOcReason.EXHAUSTED
        self._message += 1
        return self._layout.pack(*counts, self._message)


class MultiCounterReceiver:
    """Rebuilds complete values; `last` is trip, reset and message counter of the last accepted."""

    __slots__ = ("_attempts", "_before", "_counter_bits", "_layout", "_source", "last")

    def __init__(
        self, layout: MultiCounter, sent: int, source: TripAndReset, *, attempts: int = 1
    ) -> None:
        self._counter_bits = sent - layout.flag_length
        if not 1 <= self._counter_bits <= layout.message_length:
            first, last = layout.flag_length + 1, layout.flag_length + layout.message_length
            raise UsageError("freshness value, bits sent", expected=f"{first}..{last}", got=sent)
        self._layout = layout
        self._source = source
        self._attempts = attempts
        self.last = (0, 0, 0)
        self._before = (0, 0, 0)
        """The last accepted of the trip before."""

    def guesses(self, low: int) -> Sequence[int] | SecOcReason:
        """Values of the reset cycles near the known one, later than the last accepted."""
        counts = self._source.counts
        if counts is None:
            return SecOcReason.NO_SYNC_YET
        values: list[int] = []
        for reset in self._resets(counts[1], low):
            if self._is_not_passed(counts[0], reset):
                messages = self._messages(counts[0], reset, low)[: self._attempts]
                values += [self._layout.pack(counts[0], reset, each) for each in messages]
        return values or SecOcReason.RESET_FLAG

    def _resets(self, known: int, low: int) -> list[int]:
        """Reset counters near the known one that have the flag received."""
        flag_bits = self._layout.flag_length
        if not flag_bits:
            return [known]
        mask = (1 << flag_bits) - 1
        near = [known + step for step in NEAR_RESETS]
        top = 1 << self._layout.reset_length
        return [each for each in near if FIRST_COUNT <= each < top and not (each ^ low) & mask]

    def _is_not_passed(self, trip: int, reset: int) -> bool:
        """Whether frames of a reset cycle may still be new; another trip than the last is newer."""
        return trip != self.last[0] or reset >= self.last[1]

    def _messages(self, trip: int, reset: int, low: int) -> range:
        """Message counters with the bits received, above the last one of this reset cycle."""
        last = self.last[2] if (trip, reset) == self.last[:2] else 0
        step = 1 << self._counter_bits
        first = (last & -step) | low >> self._layout.flag_length
        return range(
            first if first > last else first + step, 1 << self._layout.message_length, step
        )

    def commit(self, value: int) -> None:
        """Nothing up to `value` is new any more."""
        last = self._layout.unpack(value)
        if last[0] != self.last[0]:
            self._before = self.last
        self.last = last

    def refused(self, low: int, depth: int) -> Iterator[tuple[int, SecOcReason]]:
        """The nearest values that are passed, of the trip before, or beyond the attempts."""
        counts = self._source.counts
        yield from self._around(self.last, low, depth)
        yield from self._around(self._before, low, depth)
        if counts is not None:
            for reset in self._resets(counts[1], low):
                if self._is_not_passed(counts[0], reset):
                    beyond = self._messages(counts[0], reset, low)[self._attempts :]
                    for each in beyond[:depth]:
                        value = self._layout.pack(counts[0], reset, each)
                        yield value, SecOcReason.OUT_OF_WINDOW

    def _around(
        self, last: tuple[int, int, int], low: int, depth: int
    ) -> Iterator[tuple[int, SecOcReason]]:
        """Values up to a last one: of its own reset cycle and of the two before it."""
        trip, known, message = last
        counts = self._source.counts
        is_this_trip = counts is not None and counts[0] == trip
        reason = SecOcReason.REPLAY if is_this_trip else SecOcReason.STALE_TRIP
        step = 1 << self._counter_bits
        first = low >> self._layout.flag_length
        for reset in self._resets(known, low) if trip else ():
            if reset == known:
                nearest = (message & -step) | first
                nearest = nearest if nearest <= message else nearest - step
                messages = range(nearest, max(-1, nearest - step * depth), -step)
            elif reset < known:
                messages = range(first, 1 << self._layout.message_length, step)[:depth]
            else:
                continue
            for each in messages:
                yield self._layout.pack(trip, reset, each), reason


class SyncSender:
    """Builds sync messages: trip counter, reset counter, truncated authenticator, bit by bit."""

    __slots__ = ("_data_id", "_key_id", "_keys", "_layout", "_mac_length")

    def __init__(
        self, layout: MultiCounter, keys: KeyStore, *, data_id: int, key_id: int, mac_length: int
    ) -> None:
        self._layout = layout
        self._keys = keys
        self._data_id = data_id
        self._key_id = key_id
        self._mac_length = mac_length

    @property
    def length(self) -> int:
        """Bytes of a sync message."""
        layout = self._layout
        return (layout.trip_length + layout.reset_length + self._mac_length + 7) // 8

    def build(self, trip: int, reset: int) -> bytes | None:
        """The sync message of these counters; `None` with an empty key slot."""
        tag = self.tag(trip, reset)
        if tag is None:
            return None
        value = ((trip << self._layout.reset_length) | reset) << self._mac_length | tag
        bits = self._layout.trip_length + self._layout.reset_length + self._mac_length
        return (value << -bits % 8).to_bytes(self.length, "big")

    def tag(self, trip: int, reset: int) -> int | None:
        """The truncated authenticator over data id, trip and reset counter."""
        cmac = self._keys.cmac(self._key_id)
        if cmac is None:
            return None
        bits = self._layout.trip_length + self._layout.reset_length
        counters = ((trip << self._layout.reset_length) | reset) << -bits % 8
        data = self._data_id.to_bytes(2, "big") + counters.to_bytes((bits + 7) // 8, "big")
        return cmac.truncated(data, self._mac_length)

    def split(self, data: bytes) -> tuple[int, int, int, int]:
        """Trip, reset, authenticator and padding of a message of the right length."""
        bits = self._layout.trip_length + self._layout.reset_length + self._mac_length
        pad = -bits % 8
        value = int.from_bytes(data, "big")
        padding = value & ((1 << pad) - 1)
        value >>= pad
        tag = value & ((1 << self._mac_length) - 1)
        value >>= self._mac_length
        reset = value & ((1 << self._layout.reset_length) - 1)
        return value >> self._layout.reset_length, reset, tag, padding


class SyncReceiver:
    """Checks sync messages and tells the slave."""

    __slots__ = ("_parts", "_slave")

    def __init__(
        self,
        layout: MultiCounter,
        keys: KeyStore,
        slave: FreshnessSlave,
        *,
        data_id: int,
        key_id: int,
        mac_length: int,
    ) -> None:
        self._parts = SyncSender(
            layout, keys, data_id=data_id, key_id=key_id, mac_length=mac_length
        )
        self._slave = slave

    def receive(self, data: bytes) -> SecOcResult:
        """Check a sync message and, if it is authentic and newer, adopt its counters."""
        failure = SecOcOutcome.VERIFICATIONFAILURE
        length = self._parts.length
        if len(data) != length:
            reason = SecOcReason.TOO_SHORT if len(data) < length else SecOcReason.TOO_LONG
            return SecOcResult(failure, reason, None)
        trip, reset, tag, padding = self._parts.split(data)
        expected = self._parts.tag(trip, reset)
        if expected is None:
            empty = SecOcReason.KEY_SLOT_EMPTY
            return SecOcResult(SecOcOutcome.AUTHENTICATIONBUILDFAILURE, empty, None)
        if tag != expected:
            return SecOcResult(failure, SecOcReason.MAC_MISMATCH, None)
        if padding:
            return SecOcResult(failure, SecOcReason.PADDING, None)
        reason = self._slave.take_sync(trip, reset)
        if reason is not SecOcReason.NONE:
            return SecOcResult(SecOcOutcome.FRESHNESSFAILURE, reason, None)
        return SecOcResult(SecOcOutcome.SUCCESS, reason, data)
