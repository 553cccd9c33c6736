"""Which values a signal may carry, and the refusals of all others.

The slow and exact side of the compiled codecs: from one value, a number or a text, to its raw
value. Generated code comes here for whatever is not the plain case.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from simcore.errors import UsageError
from simcore.network import codegen

if TYPE_CHECKING:
    from simcore.network.messages import Message, Number, Signal


def raw_of(message: Message, signal: Signal, value: Any, *, scaling: bool = True) -> Number:
    """The raw value that carries `value`: a number, raw without `scaling`, or a choice text.

    Raises `UsageError` for a value that is no such thing, out of range, or does not fit the bits.
    """
    if isinstance(value, str) or hasattr(value, "name"):
        raws = [raw for raw, text in signal.choices.items() if text == str(value)]
        if not raws or not codegen.fits(signal, raws[-1]):
            texts = ", ".join(repr(str(text)) for text in signal.choices.values()) or "a number"
            refuse(message, signal, texts, repr(str(value)))
        return raws[-1]
    number = _number(value)
    if number is None:
        refuse(message, signal, "a number or the text of a choice", repr(value))
    raw: Number | None = None
    if isfinite(number):
        if scaling:
            raw = _to_raw(signal, number)
        else:
            raw = number if signal.is_float else round(number)
            number = signal.to_physical(raw)
    if raw is None or not codegen.acceptable(signal, number, raw):
        low, high = codegen.physical_limits(signal)
        unit = f" {signal.unit}" if signal.unit else ""
        if not scaling:
            place = f"{low}..{high}{unit}, given raw"
            refuse(message, signal, place, f"{value} raw")
        refuse(message, signal, f"{low}..{high}{unit}", f"{number}{unit}")
    return raw


def _to_raw(signal: Signal, number: Number) -> Number | None:
    """The raw value, or None for a number too large to compute with."""
    try:
        return signal.to_raw(number)
    except OverflowError:
        return None


def _number(value: Any) -> Number | None:
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    try:
        return operator.index(value)
    except TypeError:
        return float(value) if hasattr(value, "__float__") else None


def refuse(message: Message, signal: Signal, expected: str, got: str) -> NoReturn:
    """Raise the error for a bad value of one signal."""
    where = f"message {message.label}, signal {signal.name}"
    raise UsageError(where, expected=expected, got=got)


def missing(message: Message, names: Sequence[str]) -> UsageError:
    """The error for signals without a value."""
    return UsageError(
        f"message {message.label}",
        expected="a value for every signal",
        got=f"none for {', '.join(names)}",
    )


class Acceptance:
    """`accept(index, value)` of generated code: the value, or the refusal of a bad one."""

    __slots__ = ("_message", "_scaling", "_signals")

    def __init__(self, message: Message, signals: Sequence[Signal], *, scaling: bool) -> None:
        self._message = message
        self._signals = signals
        self._scaling = scaling

    def __call__(self, index: int, value: Any) -> Any:
        raw_of(self._message, self._signals[index], value, scaling=self._scaling)
        return value


class WrongLength:
    """`wrong_length(data)` of generated code: the error for data of another length."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def __call__(self, data: Any) -> UsageError:
        expected = f"{self._message.length} bytes"
        return UsageError(
            f"message {self._message.label}", expected=expected, got=f"{len(data)} bytes"
        )
