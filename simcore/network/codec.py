"""The compiled codec of one message: physical values to bytes and back.

`MessageCodec` compiles the functions that `codegen` writes and keeps their source for reading. It
takes multiplexed messages apart into flat lists of signals, one per combination of selectors, each
compiled when first met. Results are those of cantools bit for bit (its `encode` in strict mode and
its `decode` with `decode_choices=False`), with three differences, all towards refusing: data of
another length, NaN and infinities, and values that do not fit the bits raise `UsageError`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self, TypeAlias

from simcore.errors import UsageError
from simcore.network import codegen, layout
from simcore.network.write_decoder import NUMBERS, RAW, TEXTS, write_decoder
from simcore.network.write_encoder import write_encoder

if TYPE_CHECKING:
    from simcore.network.messages import Message, Number, Signal

Value: TypeAlias = "Number | str"
"""A physical number, or the text of a choice."""


class Decode(Protocol):
    """The signature of `MessageCodec.decode`."""

    def __call__(self, data: bytes, choices: bool = False) -> dict[str, Any]: ...


class MessageCodec:
    """Encodes and decodes one message. Shared by copies, pickled by name.

    `encode(values)` takes exactly the signals that are present (a number or a choice text each)
    and returns the bytes, unused bits zero. `decode(data)` returns physical numbers, with
    `choices=True` the texts (`str`) of raw values that have one. Both raise `UsageError`.
    """

    __slots__ = (
        "_pages",
        "_readers",
        "_selectors",
        "_tree",
        "_variants",
        "_writers",
        "decode",
        "encode",
        "message",
    )

    encode: Callable[[Mapping[str, Any]], bytes]
    decode: Decode

    def __init__(self, message: Message) -> None:
        self.message = message
        self._tree = _Tree(message)
        self._variants: dict[tuple[str, ...], _Flat] = {}
        self._pages: dict[Any, _Flat] = {}
        self._selectors: dict[str, Callable[[bytes], tuple[Any, ...]]] = {}
        self._readers: dict[tuple[bool, tuple[str, ...]], SignalReader] = {}
        self._writers: dict[tuple[str, ...], SignalWriter] = {}
        if self._tree.is_multiplexed:
            self.encode = self._encode_page
            self.decode = self._decode_page
        else:
            flat = self._flat(message.signals)
            self.encode = flat.encode
            self.decode = flat.decode

    @property
    def source(self) -> str:
        """The source compiled so far: one part, for a multiplexed message one per variant met."""
        return "\n\n".join(flat.source for flat in self._variants.values())

    def reader(self, *names: str) -> SignalReader:
        """A reader of the physical values of the signals `names`, compiled once."""
        return self._reader(False, names)

    def raw_reader(self, *names: str) -> SignalReader:
        """A reader of the raw values of the signals `names`, compiled once."""
        return self._reader(True, names)

    def writer(self, *names: str) -> SignalWriter:
        """A writer of the signals `names`, compiled once.

        All other signals are sent with their start value.
        """
        if names not in self._writers:
            self._writers[names] = SignalWriter(self.message, names)
        return self._writers[names]

    def _reader(self, raw: bool, names: tuple[str, ...]) -> SignalReader:
        if (raw, names) not in self._readers:
            self._readers[raw, names] = SignalReader(self.message, names, raw=raw)
        return self._readers[raw, names]

    def active_signals(self, number_of: Callable[[Signal], int]) -> tuple[Signal, ...]:
        """The signals present when each multiplexer has the number that `number_of` gives."""
        return tuple(self._tree.present(number_of))

    def _flat(self, signals: tuple[Signal, ...]) -> _Flat:
        names = tuple(signal.name for signal in signals)
        flat = self._variants.get(names)
        if flat is None:
            flat = self._variants[names] = _Flat(self.message, signals)
        return flat

    def _encode_page(self, values: Mapping[str, Any]) -> bytes:
        root = self._tree.only_selector
        if root is None:
            return self._page_of(values).encode(values)
        number = values.get(root.name)
        flat = self._pages.get(number) if number.__class__ in (int, str) else None
        if flat is None:
            flat = self._page_of(values)
            if number.__class__ in (int, str):
                self._pages[number] = flat
        return flat.encode(values)

    def _page_of(self, values: Mapping[str, Any]) -> _Flat:
        """The variant that the multiplexers in the physical `values` select."""

        def number_of(multiplexer: Signal) -> int:
            value = values.get(multiplexer.name)
            if value is None:
                raise _missing(self.message, [multiplexer.name])
            raw = raw_of(self.message, multiplexer, value)
            if isinstance(value, float) and raw != value:
                where = f"message {self.message.label}, multiplexer {multiplexer.name}"
                raise UsageError(where, expected="a whole number", got=value)
            return int(raw)

        return self._flat(self.active_signals(number_of))

    def _decode_page(self, data: bytes, choices: bool = False) -> dict[str, Any]:
        root = self._tree.only_selector
        number = None if root is None else self.selector(root, data)
        flat = self._pages.get(number)
        if flat is None:
            flat = self._flat(self.active_signals(lambda signal: self.selector(signal, data)))
            if number is not None:
                self._pages[number] = flat
        return flat.decode(data, choices)

    def selector(self, multiplexer: Signal, data: bytes) -> int:
        """The number that the signal `multiplexer` has in `data`."""
        read = self._selectors.get(multiplexer.name)
        if read is None:
            read = _compiled_reader(self.message, (multiplexer,), RAW)[0]
            self._selectors[multiplexer.name] = read
        (number,) = read(data)
        return int(number)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _codec_of, (self.message,)


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
        kind = RAW if raw else NUMBERS
        self._read, self.source = _compiled_reader(message, signals, kind)
        self.read = self._read_present if self._conditions else self._read

    def _read_present(self, data: bytes) -> tuple[Any, ...]:
        for signal, multiplexer, numbers in self._conditions:
            number = self.message.codec.selector(multiplexer, data)
            if number not in numbers:
                raise UsageError(
                    f"message {self.message.label}, signal {signal.name}",
                    expected=f"{multiplexer.name} {_listed(numbers)}",
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

    __slots__ = ("_signals", "message", "names", "source", "write")

    write: Callable[..., bytes]

    def __init__(self, message: Message, names: Sequence[str]) -> None:
        if len(set(names)) != len(names):
            raise UsageError(
                f"message {message.label}: writer", expected="each signal once", got=list(names)
            )
        self.message = message
        self.names = tuple(names)
        self._signals = tuple(message.signal(name) for name in names)
        self.source = ""
        if message.codec._tree.is_multiplexed:
            self.write = self._write_slowly
            return
        code = codegen.Generated()
        code.names["accept"] = _Acceptance(message, message.signals)
        code.names["on_refusal"] = self._write_slowly
        write_encoder(code, "write", message.signals, message.length, arguments=self._signals)
        self.source = code.source
        self.write = code.compiled("write", f"writer of {message.name}")

    def _write_slowly(self, *values: Any) -> bytes:
        message = self.message
        raws: dict[str, Number] = {signal.name: signal.start_raw for signal in message.signals}
        for signal, value in zip(self._signals, values, strict=True):
            raws[signal.name] = raw_of(message, signal, value)
        present = message.codec.active_signals(lambda multiplexer: int(raws[multiplexer.name]))
        for signal in self._signals:
            if signal not in present:
                raise UsageError(
                    f"message {message.label}, signal {signal.name}: not present with "
                    f"{signal.multiplexer_signal} = {raws[signal.multiplexer_signal or '']}"
                )
        return layout.assemble(present, [raws[s.name] for s in present], message.length)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _writer_of, (self.message, self.names)


class _Tree:
    """Which signals of a message are present, depending on its multiplexers."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._children: dict[str | None, list[Signal]] = {}
        for signal in message.signals:
            self._children.setdefault(signal.multiplexer_signal, []).append(signal)
        self._numbers: dict[str, frozenset[int]] = {}
        for signal in message.signals:
            if signal.is_multiplexer:
                ids = chain.from_iterable(
                    child.multiplexer_ids for child in self._children.get(signal.name, [])
                )
                numbers = frozenset(ids) | frozenset(signal.choices)
                if numbers:
                    self._numbers[signal.name] = numbers
        self.is_multiplexed = bool(self._numbers)
        selectors = [s for s in message.signals if s.name in self._numbers]
        self.only_selector = selectors[0] if len(selectors) == 1 else None

    def present(self, number_of: Callable[[Signal], int]) -> list[Signal]:
        """The present signals: the unconditional ones first, then page by page."""
        return self._page(self._children.get(None, []), number_of)

    def _page(self, signals: list[Signal], number_of: Callable[[Signal], int]) -> list[Signal]:
        found = list(signals)
        for signal in signals:
            numbers = self._numbers.get(signal.name)
            if numbers is None:
                continue
            number = number_of(signal)
            if number not in numbers:
                raise UsageError(
                    f"message {self._message.label}, multiplexer {signal.name}",
                    expected=_listed(numbers),
                    got=number,
                )
            children = self._children.get(signal.name, [])
            found += self._page([c for c in children if number in c.multiplexer_ids], number_of)
        return found


class _Flat:
    """The compiled functions of a list of signals that are all present."""

    __slots__ = ("_message", "_signals", "_texts", "decode", "encode", "source")

    decode: Decode

    def __init__(self, message: Message, signals: tuple[Signal, ...]) -> None:
        self._message = message
        self._signals = signals
        self._texts: Callable[[bytes], dict[str, Any]] | None = None
        code = codegen.Generated()
        code.names["accept"] = _Acceptance(message, signals)
        code.names["on_refusal"] = self._encode_slowly
        code.names["wrong_length"] = _WrongLength(message)
        code.names["decode_texts"] = self._decode_texts
        write_encoder(code, "encode", signals, message.length)
        write_decoder(code, "decode", signals, message.length, has_choices=True)
        self.source = code.source
        self.encode: Callable[[Mapping[str, Any]], bytes] = code.compiled("encode", message.name)
        self.decode = code.compiled("decode", message.name)

    def _decode_texts(self, data: bytes) -> dict[str, Any]:
        if self._texts is None:
            code = codegen.Generated()
            code.names["wrong_length"] = _WrongLength(self._message)
            write_decoder(code, "decode", self._signals, self._message.length, kind=TEXTS)
            self._texts = code.compiled("decode", f"texts of {self._message.name}")
        return self._texts(data)

    def _encode_slowly(self, values: Mapping[str, Any]) -> bytes:
        """Encode without shortcuts, or raise the error that says what is wrong."""
        message = self._message
        names = [signal.name for signal in self._signals]
        missing = [name for name in names if values.get(name) is None]
        if missing:
            raise _missing(message, missing)
        unknown = [name for name in values if name not in names]
        if unknown:
            raise UsageError(
                f"message {message.label}",
                expected="only its own signals that are present",
                got=f"also {', '.join(map(str, unknown))}",
            )
        raws = [raw_of(message, signal, values[signal.name]) for signal in self._signals]
        return layout.assemble(self._signals, raws, message.length)


class _Acceptance:
    """`accept(index, value)` of generated code: the value, or the refusal of a bad one."""

    __slots__ = ("_message", "_signals")

    def __init__(self, message: Message, signals: Sequence[Signal]) -> None:
        self._message = message
        self._signals = signals

    def __call__(self, index: int, value: Any) -> Any:
        signal = self._signals[index]
        raw_of(self._message, signal, value)
        return value


class _WrongLength:
    """`wrong_length(data)` of generated code: the error for data of another length."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def __call__(self, data: Any) -> UsageError:
        expected = f"{self._message.length} bytes"
        return UsageError(
            f"message {self._message.label}", expected=expected, got=f"{len(data)} bytes"
        )


def raw_of(message: Message, signal: Signal, value: Any) -> Number:
    """The raw value that carries `value`, a number or a choice text.

    Raises `UsageError` for a value that is no such thing, out of range, or does not fit the bits.
    """
    if isinstance(value, str) or hasattr(value, "name"):
        raws = [raw for raw, text in signal.choices.items() if text == str(value)]
        if not raws or not acceptable_raw(signal, raws[-1]):
            texts = ", ".join(repr(text) for text in signal.choices.values()) or "a number"
            _refuse(message, signal, texts, repr(str(value)))
        return raws[-1]
    number = _number(value)
    if number is None:
        _refuse(message, signal, "a number or the text of a choice", repr(value))
    raw = signal.to_raw(number) if isfinite(number) else None
    if raw is None or not codegen.acceptable(signal, number, raw):
        low, high = codegen.physical_limits(signal)
        unit = f" {signal.unit}" if signal.unit else ""
        _refuse(message, signal, f"{low}..{high}{unit}", f"{number}{unit}")
    return raw


def acceptable_raw(signal: Signal, raw: Number) -> bool:
    """Whether `raw` fits the bits of `signal`."""
    lowest, highest = signal.raw_limits
    return lowest <= raw <= highest


def _number(value: Any) -> Number | None:
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    try:
        return operator.index(value)
    except TypeError:
        return float(value) if hasattr(value, "__float__") else None


def _refuse(message: Message, signal: Signal, expected: str, got: str) -> NoReturn:
    where = f"message {message.label}, signal {signal.name}"
    raise UsageError(where, expected=expected, got=got)


def _missing(message: Message, names: Sequence[str]) -> UsageError:
    return UsageError(
        f"message {message.label}",
        expected="a value for every signal",
        got=f"none for {', '.join(names)}",
    )


def _listed(numbers: Sequence[int] | frozenset[int]) -> str:
    ordered = sorted(numbers)
    shown = ", ".join(map(str, ordered[:16]))
    return f"one of {shown}{', ...' if len(ordered) > 16 else ''}"


def _conditions(message: Message, signal: Signal) -> list[tuple[Signal, tuple[int, ...]]]:
    """(multiplexer, numbers) that must hold for `signal` to be present, outermost first."""
    found: list[tuple[Signal, tuple[int, ...]]] = []
    while signal.multiplexer_signal is not None:
        multiplexer = message.signal(signal.multiplexer_signal)
        found.append((multiplexer, signal.multiplexer_ids))
        signal = multiplexer
    return found[::-1]


def _compiled_reader(
    message: Message, signals: Sequence[Signal], kind: str
) -> tuple[Callable[[bytes], tuple[Any, ...]], str]:
    code = codegen.Generated()
    code.names["wrong_length"] = _WrongLength(message)
    moved = tuple({signal.name: signal for signal in signals}.values())
    write_decoder(code, "read", moved, message.length, results=signals, kind=kind)
    return code.compiled("read", f"reader of {message.name}"), code.source


def _codec_of(message: Message) -> MessageCodec:
    return message.codec


def _reader_of(message: Message, names: tuple[str, ...], raw: bool) -> SignalReader:
    return message.codec.raw_reader(*names) if raw else message.codec.reader(*names)


def _writer_of(message: Message, names: tuple[str, ...]) -> SignalWriter:
    return message.codec.writer(*names)
