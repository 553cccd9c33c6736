"""Values that a restbus sends: fixed ones, functions of time, columns of samples.

A driven signal is evaluated at every transmission of its message. A drive of a signal that raises
events also counts as writes: a column at its own times, a function every so many ns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import TypeAlias

from simcore.ecu.restbus_agenda import NEVER_NS
from simcore.errors import UsageError
from simcore.network import Message, Payload
from simcore.network.accepting import raw_of
from simcore.network.columns import Column
from simcore.network.interaction import SendMachine
from simcore.network.messages import Number
from simcore.units import NS_PER_S

Source: TypeAlias = "Column | Callable[[float], Number | str]"
"""Samples, or a function of the simulated time in s. Physical values or texts."""


def value_at(source: Source, now_ns: int) -> Number | str:
    """What a source gives at an instant."""
    return source.at(now_ns) if isinstance(source, Column) else source(now_ns / NS_PER_S)


def require_source(where: str, message: Message, signal: str, source: object) -> None:
    """Refuse what cannot be copied and pickled with a run, and values out of range."""
    if isinstance(source, Column):
        found = message.signal(signal)
        for value in dict.fromkeys(source.values):
            raw_of(message, found, value)
        return
    inner = source
    while isinstance(inner, partial):
        inner = inner.func
    is_local = isinstance(inner, FunctionType) and "<" in inner.__qualname__
    if is_local or isinstance(inner, type) or not callable(inner):
        raise UsageError(
            where,
            expected="a Column, a function of a module, or an object with __call__ "
            "(lambdas and local functions cannot be pickled with a run)",
            got=getattr(inner, "__qualname__", type(inner).__name__),
        )


class RollingCounter:
    """A source that counts frames: first, first + 1, ..., modulo - 1, 0, ...

    For counters that no E2E setting of the database describes.
    """

    __slots__ = ("_next", "modulo")

    def __init__(self, modulo: int, *, first: int = 0) -> None:
        if not 0 <= first < modulo:
            raise UsageError("RollingCounter", expected="0 <= first < modulo", got=(first, modulo))
        self.modulo = modulo
        self._next = first

    def __call__(self, time_s: float) -> int:
        """The number of this frame."""
        number = self._next
        self._next = (number + 1) % self.modulo
        return number


class DrivenPayload(Payload):
    """A payload with sources for some of its signals; encoded when first sent."""

    __slots__ = ("_is_encoded", "sources")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._values: dict[str, Number | str] = {}
        self._data = b""
        self._is_encoded = False
        self.sources: dict[str, Source] = {}

    def set(self, **values: Number | str) -> None:
        """Set signals, see `Payload`; ends their drives."""
        super().set(**values)
        self._is_encoded = True
        for name in values:
            self.sources.pop(name, None)

    def pack(self, now_ns: int) -> bytes:
        """The encoded payload of this instant."""
        if self.sources:
            super().set(**{name: value_at(s, now_ns) for name, s in self.sources.items()})
        elif not self._is_encoded:
            super().set()
            self._is_encoded = True
        return self._data


class WriteSender:
    """Writes a driven signal to its machine whenever the source says something new.

    Sends nothing itself: the message's own sender comes right after it in the agenda.
    """

    __slots__ = ("armed_ns", "every_ns", "follow", "machine", "payload", "signal", "source")

    def __init__(
        self,
        machine: SendMachine,
        payload: DrivenPayload,
        signal: str,
        source: Source,
        *,
        every_ns: int | None,
        follow: Callable[[], None],
    ) -> None:
        self.machine = machine
        self.payload = payload
        self.signal = signal
        self.source = source
        self.every_ns = every_ns
        self.follow = follow
        """Tells the agenda that the machine wants something else."""
        self.armed_ns = NEVER_NS

    def begin(self, now_ns: int) -> None:
        """From now on: the period starts now, a sample of this very instant counts."""
        self.armed_ns = now_ns if self.every_ns is not None else self._next_ns(now_ns - 1)

    def advance(self, now_ns: int) -> bool:
        """Write the value of now; ends itself once the signal has another source."""
        source = self.source
        if self.payload.sources.get(self.signal) is not source:
            self.armed_ns = NEVER_NS
            return False
        self.armed_ns = (
            self._next_ns(now_ns) if self.every_ns is None else self.armed_ns + self.every_ns
        )
        message = self.payload.message
        raw = raw_of(message, message.signal(self.signal), value_at(source, now_ns))
        self.machine.write(self.signal, raw, now_ns)
        return True

    def transmit(self, now_ns: int) -> None:
        """Let the agenda look at the message's own sender."""
        self.follow()

    def arm(self) -> None:
        """Nothing else changes its times."""

    def _next_ns(self, now_ns: int) -> int:
        next_ns = self.source.next_ns(now_ns) if isinstance(self.source, Column) else None
        return NEVER_NS if next_ns is None else next_ns
