"""A journal of the calls of a module, from which a copy of it is made: by living through them.

For modules whose memory nobody can copy: static variables, memory of their own, pointers. Each
call is kept with the input pins as they were and the answers the module got. A module that does
something else when the same happens to it again reads what is not in its calls (a clock, a random
number, memory it never wrote) and cannot be copied: that is found out and said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from simcore.attach.c_abi import Answer, Call, Order, World
from simcore.errors import UsageError


class JournalEntry(NamedTuple):
    """One call and what came of it."""

    call: Call
    values_ratio: tuple[float, ...]
    """Values of the input pins, in the order of the surroundings."""
    answers: tuple[Answer, ...]
    """What the module got to know during the call."""
    orders_crc: int
    """CRC over everything it asked for."""
    deadline_ns: int | None


_encode = msgspec.msgpack.Encoder().encode


class RecordingWorld:
    """Notes what a module asks for and what it is told."""

    __slots__ = ("_inputs", "_world", "answers", "orders_crc", "values_ratio")

    def __init__(self, world: World, inputs: Sequence[str]) -> None:
        self._world = world
        self.values_ratio = tuple(world.read(pin) for pin in inputs)
        self._inputs = dict(zip(inputs, self.values_ratio, strict=True))
        self.answers: list[Answer] = []
        self.orders_crc = 0

    def read(self, pin: str) -> float:
        return self._inputs[pin]

    def take(self, order: int, *arguments: Any) -> Answer:
        self.orders_crc = crc32(_encode((order, arguments)), self.orders_crc)
        answer = self._world.take(order, *arguments)
        if order >= Order.MEMORY_READ:
            self.answers.append(answer)
        return answer

    def entry(self, call: Call, deadline_ns: int | None) -> JournalEntry:
        """What the journal keeps of a call that has ended."""
        return JournalEntry(
            call, self.values_ratio, tuple(self.answers), self.orders_crc, deadline_ns
        )


class ReplayedWorld:
    """Tells a module what it was told before; nothing it asks for has an effect."""

    __slots__ = ("_answers", "_entry", "_inputs", "_orders_crc")

    def __init__(self, entry: JournalEntry, inputs: Sequence[str]) -> None:
        self._entry = entry
        self._inputs = dict(zip(inputs, entry.values_ratio, strict=True))
        self._answers = list(reversed(entry.answers))
        self._orders_crc = 0

    def read(self, pin: str) -> float:
        return self._inputs[pin]

    def take(self, order: int, *arguments: Any) -> Answer:
        self._orders_crc = crc32(_encode((order, arguments)), self._orders_crc)
        if order < Order.MEMORY_READ:
            return None
        if not self._answers:
            raise self._otherwise()
        return self._answers.pop()

    def require_the_same(self, deadline_ns: int | None) -> None:
        """Raises `UsageError` if the module did not do what it did before."""
        entry = self._entry
        # A question that was not asked shows in the CRC too.
        if (self._orders_crc, deadline_ns) != (entry.orders_crc, entry.deadline_ns):
            raise self._otherwise()

    def _otherwise(self) -> UsageError:
        return UsageError(
            f"{self._entry.call}, repeated for a copy of the module",
            expected="that it does the same with the same inputs",
            got="something else: it reads what is not in its calls",
        )
