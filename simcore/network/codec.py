"""The compiled codec of one message: physical values to bytes and back.

`MessageCodec` compiles the functions that `codegen` writes and keeps their source for reading. It
takes multiplexed messages apart into flat lists of signals, one per combination of selectors, each
compiled when first met. Results are those of cantools bit for bit (its `encode` in strict mode and
its `decode`, with `decode_choices=False` unless choices are asked for), with three differences, all
towards refusing: data of another length, NaN and infinities, and values that do not fit the bits
raise `UsageError`. A message with a defect is not encoded at all. Container messages are not
supported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias

from simcore.errors import UsageError
from simcore.network import layout
from simcore.network.accepting import WrongLength, missing, raw_of, refuse
from simcore.network.access import SignalReader, SignalWriter
from simcore.network.branch import Branch
from simcore.network.codegen import fits
from simcore.network.flat import Decode, Encode, FlatCodec, reader_of
from simcore.network.pages import PageTree, bit_mask

if TYPE_CHECKING:
    from simcore.network.messages import Message, Number, Signal

Value: TypeAlias = "Number | str"
"""A physical number, or the text of a choice."""

_MOST_VARIANTS = 4096
"""Compiled pages kept; beyond, they are compiled anew."""


class MessageCodec:
    """Encodes and decodes one message. Shared by copies, pickled by name.

    `encode(values)` takes exactly the signals that are present (a number or a choice text each)
    and returns the bytes, unused bits zero. With `scaling=False` numbers are raw values, with
    `padding=True` unused bits are ones (or what the file says instead). `decode(data)` returns
    physical numbers, with `choices=True` a `Choice` for raw values that have a text, with
    `scaling=False` raw values. Both raise `UsageError`.
    """

    __slots__ = (
        "_readers",
        "_selectors",
        "_variants",
        "_writers",
        "decode",
        "encode",
        "message",
        "tree",
    )

    encode: Encode
    decode: Decode

    def __init__(self, message: Message) -> None:
        self.message = message
        self.tree = PageTree(message.signals)
        self._variants: dict[tuple[int, ...], FlatCodec] = {}
        self._selectors: dict[str, Callable[[bytes], tuple[Any, ...]]] = {}
        self._readers: dict[tuple[bool, tuple[str, ...]], SignalReader] = {}
        self._writers: dict[tuple[bool, tuple[str, ...]], SignalWriter] = {}
        self.encode, self.decode = self._refuse_to_encode, self._refuse_to_decode
        if message.is_undecodable:
            return
        start: FlatCodec | Branch
        if self.tree.is_multiplexed:
            start = Branch(self, tuple(self.tree.roots()), {})
        else:
            start = self.flat(tuple(self.tree.roots()))
        self.decode = start.decode
        if not message.defect:
            self.encode = start.encode

    @property
    def is_multiplexed(self) -> bool:
        """Whether the present signals depend on a multiplexer."""
        return self.tree.is_multiplexed

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
        return self._writer(False, names)

    def raw_writer(self, *names: str) -> SignalWriter:
        """A writer of the raw values of the signals `names`, compiled once; see `writer`."""
        return self._writer(True, names)

    def overwrite_raw(self, data: bytes, raws: Mapping[str, Number]) -> bytes:
        """`data` with the signals in `raws` set to these raw values, whatever their ranges.

        No other bit changes, and whether a signal is on the page of `data` does not matter.
        Raises `UsageError` for raw values that do not fit the bits.
        """
        message = self.message
        if message.is_undecodable:
            self._refuse_to_encode({})
        if len(data) != message.length:
            raise WrongLength(message)(data)
        frame = int.from_bytes(data, "little")
        for name, raw in raws.items():
            signal = message.signal(name)
            if isinstance(raw, bool) or not isinstance(
                raw, (int, float) if signal.is_float else int
            ):
                kind = "a number" if signal.is_float else "a whole number"
                refuse(message, signal, f"{kind}, raw", repr(raw))
            if not fits(signal, raw) and not (signal.is_float and abs(raw) == float("inf")):
                low, high = signal.raw_limits
                refuse(message, signal, f"{low}..{high} raw", f"{raw} raw")
            new = int.from_bytes(layout.assemble((signal,), (raw,), message.length), "little")
            frame = frame & ~bit_mask(signal) | new
        return frame.to_bytes(message.length, "little")

    def _reader(self, raw: bool, names: tuple[str, ...]) -> SignalReader:
        if (raw, names) not in self._readers:
            if self.message.is_undecodable:
                self._refuse_to_decode(b"")
            self._readers[raw, names] = SignalReader(self.message, names, raw=raw)
        return self._readers[raw, names]

    def _writer(self, raw: bool, names: tuple[str, ...]) -> SignalWriter:
        if (raw, names) not in self._writers:
            if self.message.defect:
                self._refuse_to_encode({})
            self._writers[raw, names] = SignalWriter(self.message, names, raw=raw)
        return self._writers[raw, names]

    def _refuse_to_encode(
        self, values: Mapping[str, Any], scaling: bool = True, padding: bool = False
    ) -> NoReturn:
        message = self.message
        raise UsageError(f"message {message.label} cannot be encoded: {message.defect}")

    def _refuse_to_decode(
        self, data: bytes, choices: bool = False, scaling: bool = True
    ) -> NoReturn:
        message = self.message
        raise UsageError(f"message {message.label} cannot be decoded: {message.defect}")

    # ---- pages ----

    def active_signals(self, number_of: Callable[[Signal], int]) -> tuple[Signal, ...]:
        """The signals present when each multiplexer has the number that `number_of` gives."""
        return tuple(self.tree.present(number_of, f"message {self.message.label}"))

    def flat(self, signals: tuple[Signal, ...]) -> FlatCodec:
        """The compiled functions for `signals`, which are present together."""
        key = tuple(id(signal) for signal in signals)
        found = self._variants.get(key)
        if found is None:
            if len(self._variants) >= _MOST_VARIANTS:
                self._variants.clear()
            found = self._variants[key] = FlatCodec(self.message, signals)
        return found

    def selector(self, multiplexer: Signal, data: bytes) -> int:
        """The number that the signal `multiplexer` has in `data`: the whole part of its value."""
        return self.number_in(multiplexer, data, choices=False, scaling=True)

    def number_in(self, multiplexer: Signal, data: bytes, *, choices: bool, scaling: bool) -> int:
        """The number by which pages are selected: raw where the value is a text or unscaled."""
        read = self._selectors.get(multiplexer.name)
        if read is None:
            read = reader_of(self.message, (multiplexer,), raw=True)[0]
            self._selectors[multiplexer.name] = read
        (raw,) = read(data)
        try:
            if not scaling or (choices and int(raw) in multiplexer.choices):
                return int(raw)
            return int(multiplexer.to_physical(raw))
        except (ValueError, OverflowError):
            where = f"message {self.message.label}, multiplexer {multiplexer.name}"
            raise UsageError(where, expected="a number", got=raw) from None

    def number_from(self, multiplexer: Signal, values: Mapping[str, Any], scaling: bool) -> int:
        """The number by which `values` select a page."""
        value = values.get(multiplexer.name)
        if value is None:
            raise missing(self.message, [multiplexer.name])
        raw = raw_of(self.message, multiplexer, value, scaling=scaling)
        if isinstance(value, float) and raw != value and (multiplexer.is_identity or not scaling):
            where = f"message {self.message.label}, multiplexer {multiplexer.name}"
            raise UsageError(where, expected="a whole number", got=value)
        is_text = isinstance(value, str) or hasattr(value, "name")
        return int(raw) if is_text or not scaling or multiplexer.is_identity else int(value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _codec_of, (self.message,)


def _codec_of(message: Message) -> MessageCodec:
    return message.codec
