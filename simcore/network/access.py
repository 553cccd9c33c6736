"""Readers and writers of a few signals of a message, compiled for just these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from simcore.errors import UsageError
from simcore.network import codegen, layout
from simcore.network.accepting import Acceptance, raw_of
from simcore.network.flat import reader_of
from simcore.network.pages import listed
from simcore.network.write_encoder import write_encoder

if TYPE_CHECKING:
    from simcore.network.messages import Message, Number, Signal


class SignalReader:
    """Reads a few signals of a message: `read(data)` returns the tuple of their values."""

    __slots__ = ("_conditions", "_read", "is_raw", "message", "names", "read", "source")

    read: Callable[[bytes], tuple[Any, ...]]

    def __init__(self, message: Message, names: Sequence[str], *, raw: bool) -> None:
        if not names:
            raise UsageError(f"message {message.label}: reader", expected="a signal", got="none")
        self.message = message
        self.names = tuple(names)
        self.is_raw = raw
        signals = tuple(message.signal(name) for name in names)
        self._conditions = [(s, m, ids) for s in signals for m, ids in _conditions(message, s)]
        self._read, self.source = reader_of(message, signals, raw=raw)
        self.read = self._read_present if self._conditions else self._read

    def _read_present(self, data: bytes) -> tuple[Any, ...]:
        for signal, multiplexer, numbers in self._conditions:
            number = self.message.codec.selector(multiplexer, data)
            if number not in numbers:
                raise UsageError(
                    f"message {self.message.label}, signal {signal.name}",
                    expected=f"{multiplexer.name} {listed(numbers)}",
                    got=number,
                )
        return self._read(data)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _reader_of, (self.message, self.names, self.is_raw)


class SignalWriter:
    """Writes a few signals of a message: `write(v1, v2, ...)` returns its bytes."""

    __slots__ = ("_signals", "is_raw", "message", "names", "source", "write")

    write: Callable[..., bytes]

    def __init__(self, message: Message, names: Sequence[str], *, raw: bool = False) -> None:
        if len(set(names)) != len(names):
            raise UsageError(
                f"message {message.label}: writer", expected="each signal once", got=list(names)
            )
        self.message = message
        self.names = tuple(names)
        self.is_raw = raw
        self._signals = tuple(message.signal(name) for name in names)
        self.source = ""
        if message.codec.is_multiplexed:
            self.write = self._write_slowly
            return
        code = codegen.Generated()
        code.names["accept"] = Acceptance(message, message.signals, scaling=not raw)
        code.names["on_refusal"] = self._write_slowly
        write_encoder(
            code,
            "write",
            message.signals,
            message.length,
            arguments=self._signals,
            scaling=not raw,
        )
        self.source = code.source
        self.write = code.compiled("write", f"writer of {message.name}")

    def _write_slowly(self, *values: Any) -> bytes:
        message = self.message
        raws: dict[int, Number] = {id(signal): signal.start_raw for signal in message.signals}
        for signal, value in zip(self._signals, values, strict=True):
            raws[id(signal)] = raw_of(message, signal, value, scaling=not self.is_raw)
        numbers = {
            signal.name: int(signal.to_physical(raws[id(signal)]))
            for signal in message.signals
            if signal.is_multiplexer
        }
        present = message.codec.active_signals(lambda multiplexer: numbers[multiplexer.name])
        for signal in self._signals:
            if not any(signal is each for each in present):
                raise UsageError(
                    f"message {message.label}, signal {signal.name}: not present with "
                    f"{signal.multiplexer_signal} = {numbers.get(signal.multiplexer_signal or '')}"
                )
        return layout.assemble(present, [raws[id(each)] for each in present], message.length)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _writer_of, (self.message, self.names, self.is_raw)


def _conditions(message: Message, signal: Signal) -> list[tuple[Signal, tuple[int, ...]]]:
    """(multiplexer, numbers) that must hold for `signal` to be present, outermost first."""
    if not any(each is signal for each in message.codec.tree.reachable()):
        where = f"message {message.label}, signal {signal.name}"
        raise UsageError(f"{where}: on no page: {signal.multiplexer_signal} does not select it")
    found: list[tuple[Signal, tuple[int, ...]]] = []
    while signal.multiplexer_signal is not None:
        multiplexer = message.signal(signal.multiplexer_signal)
        found.append((multiplexer, signal.multiplexer_ids))
        signal = multiplexer
    return found[::-1]


def _reader_of(message: Message, names: tuple[str, ...], raw: bool) -> SignalReader:
    return message.codec.raw_reader(*names) if raw else message.codec.reader(*names)


def _writer_of(message: Message, names: tuple[str, ...], raw: bool) -> SignalWriter:
    return message.codec.raw_writer(*names) if raw else message.codec.writer(*names)
