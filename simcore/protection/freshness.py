"""Freshness values of a single counter: what makes yesterday's frame worthless today.

A sender counts up by one per frame and sends the least significant bits. A receiver rebuilds the
rest: the smallest value above the last one accepted that has these bits, and on further attempts
the next ones. It stores a value only after the authenticator matched (PRS SecOcProtocol, freshness
management). So `attempts * 2**sent - 1` frames in a row may be lost; after more the receiver never
comes back by itself.

The protocols `TxFreshness` and `RxFreshness` are what `secoc` needs of any kind of freshness; those
of several counters are in `freshness_multi`. Persistence: `load_value`, `store_value`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Protocol

from simcore.errors import UsageError
from simcore.protection.secoc_status import SecOcReason

MEMORY_PREFIX = "secoc.freshness."
"""Where an ECU keeps the last freshness value in its non-volatile memory, by message name."""


class TxFreshness(Protocol):
    """Freshness of one sender."""

    def take(self) -> int | SecOcReason:
        """The complete freshness value of the next frame, or why there is none."""


class RxFreshness(Protocol):
    """Freshness of one receiver."""

    def guesses(self, low: int) -> Sequence[int] | SecOcReason:
        """Complete values to try for the bits received, in order, or why there are none."""

    def commit(self, value: int) -> None:
        """The authenticator was right for this value: nothing up to it is new any more."""

    def refused(self, low: int, depth: int) -> Iterable[tuple[int, SecOcReason]]:
        """Values not acceptable, with the reason each would be rejected for: for diagnosis."""


class SingleCounterSender:
    """Counts frames; `value` is the freshness value of the last one."""

    __slots__ = ("_maximum", "value")

    def __init__(self, length: int, *, value: int = 0) -> None:
        self._maximum = (1 << length) - 1
        _require("value", value, self._maximum)
        self.value = value

    def take(self) -> int | SecOcReason:
        """The next value; at the end of the range none, for a counter must not begin anew."""
        if self.value >= self._maximum:
            return SecOcReason.EXHAUSTED
        self.value += 1
        return self.value


class SingleCounterReceiver:
    """Rebuilds complete values; `last` is the last one accepted.

    `length` and `sent` in bits; `window` limits the step that is accepted.
    """

    __slots__ = ("_attempts", "_maximum", "_sent", "_window", "last")

    def __init__(
        self,
        length: int,
        sent: int,
        *,
        attempts: int = 1,
        window: int | None = None,
        last: int = 0,
    ) -> None:
        if not 1 <= sent <= length:
            raise UsageError("freshness value, bits sent", expected=f"1..{length}", got=sent)
        self._maximum = (1 << length) - 1
        self._sent = sent
        self._attempts = attempts
        self._window = self._maximum if window is None else window
        _require("last", last, self._maximum)
        self.last = last

    def guesses(self, low: int) -> Sequence[int] | SecOcReason:
        """Values above the last one that end with these bits, the nearest first."""
        first = self._first(low)
        end = min(self._maximum, self.last + self._window) + 1
        values = range(first, end, 1 << self._sent)[: self._attempts]
        if values:
            return values
        if self._maximum >> self._sent == 0 and low <= self.last:
            return SecOcReason.REPLAY  # the complete value was sent, and it is not new
        return SecOcReason.EXHAUSTED if first > self._maximum else SecOcReason.OUT_OF_WINDOW

    def _first(self, low: int) -> int:
        first = (self.last >> self._sent << self._sent) | low
        return first if first > self.last else first + (1 << self._sent)

    def commit(self, value: int) -> None:
        """Nothing up to `value` is new any more."""
        self.last = value

    def refused(self, low: int, depth: int) -> Iterator[tuple[int, SecOcReason]]:
        """The nearest values that are passed, and the nearest beyond window and attempts."""
        first, step = self._first(low), 1 << self._sent
        for value in range(first - step, max(-1, first - step * (depth + 1)), -step):
            yield value, SecOcReason.REPLAY
        tried = self.guesses(low)
        beyond = first if isinstance(tried, SecOcReason) else tried[-1] + step
        for value in range(beyond, min(self._maximum + 1, beyond + step * depth), step):
            yield value, SecOcReason.OUT_OF_WINDOW


def load_value(memory: MutableMapping[str, bytes], name: str) -> int:
    """The freshness value of a message that an ECU kept over a reset; 0 where it kept none."""
    return int.from_bytes(memory.get(MEMORY_PREFIX + name, b""), "big")


def store_value(memory: MutableMapping[str, bytes], name: str, value: int) -> None:
    """Keep the freshness value of a message over a reset."""
    memory[MEMORY_PREFIX + name] = value.to_bytes(8, "big")


def _require(what: str, value: int, maximum: int) -> None:
    if not 0 <= value <= maximum:
        raise UsageError(f"freshness value, {what}", expected=f"0..{maximum}", got=value)
