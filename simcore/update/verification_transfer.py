"""Watching a download: no answer, a stall, a trickle, too much (Uptane: attacks on delivery).

    | since the last look                     | verdict                                  |
    | nothing has come since the start        | no answer: denial of service             |
    | nothing has come since the last window  | stalled: drop request                    |
    | less than the least of a window         | too slow: slow retrieval                 |
    | more than was announced                 | too long: endless data (at once)         |

Looked at is the end of each window. An ECU cannot tell an attack on the way from a broken line:
both are named the same. A transfer that is suspended on purpose is not watched.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.verification_verdict import Check, Verdict, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """What a transfer must achieve. The slowest honest one: classic CAN beside full bus load."""

    window_ns: int = 10 * NS_PER_S
    window_size: int = 10_240
    """The least number of bytes in a window: 1 KiB/s."""

    def __post_init__(self) -> None:
        if self.window_ns <= 0 or self.window_size <= 0:
            raise UsageError("TransferLimits", expected="positive numbers", got=self)

    def __deepcopy__(self, memo: object) -> TransferLimits:
        return self


class TransferWatch:
    """One transfer. Tell it what came; ask it at its deadline."""

    __slots__ = ("name", "limits", "_size", "_received", "_in_window", "_deadline_ns", "_left_ns")

    def __init__(
        self, name: str, size: int, now_ns: int, limits: TransferLimits | None = None
    ) -> None:
        self.name = name
        self.limits = TransferLimits() if limits is None else limits
        self._size = size
        self._received = 0
        self._in_window = 0
        self._deadline_ns: int | None = now_ns + self.limits.window_ns
        self._left_ns: int | None = None

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer`; `None` once all has come, or while suspended."""
        return self._deadline_ns

    def received(self, size: int, now_ns: int) -> Verdict | None:
        """So many more bytes came; a verdict where that is too many."""
        self._received += size
        self._in_window += size
        if self._received > self._size:
            text = f"{self._received} bytes, announced are {self._size}"
            return refused(Check.TOO_LONG, self.name, text)
        if self._received == self._size:
            self._deadline_ns = None
        return None

    def on_timer(self, now_ns: int) -> Verdict | None:
        """The end of a window: a verdict where too little came in it."""
        if self._deadline_ns is None or now_ns < self._deadline_ns:
            return None
        limits, came = self.limits, self._in_window
        self._in_window = 0
        self._deadline_ns = now_ns + limits.window_ns
        seconds = f"{limits.window_ns // NS_PER_S} s"
        if came >= limits.window_size:
            return None
        if not self._received:
            return refused(Check.NO_ANSWER, self.name, f"nothing came within {seconds}")
        if not came:
            return refused(Check.STALLED, self.name, f"nothing more came within {seconds}")
        text = f"{came} bytes within {seconds}, at least {limits.window_size}"
        return refused(Check.TOO_SLOW, self.name, text)

    def suspend(self, now_ns: int) -> None:
        """Stop watching; the window goes on at `resume`."""
        if self._deadline_ns is not None:
            self._left_ns = max(0, self._deadline_ns - now_ns)
            self._deadline_ns = None

    def resume(self, now_ns: int) -> None:
        """Watch again."""
        if self._left_ns is not None:
            self._deadline_ns = now_ns + self._left_ns
            self._left_ns = None
