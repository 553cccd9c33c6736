"""Writes the Python function that decodes one flat list of signals.

All pieces that share a byte come from one look-up of 256 rows, with sign, scale and offset already
in them where that is exact; so do short scaled signals of wider words. Results are those of
cantools: raw * scale + offset, whole numbers where all three are whole.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simcore.network import layout
from simcore.network.codegen import Generated, identifiers

if TYPE_CHECKING:
    from simcore.network.messages import Number, Signal

NUMBERS, TEXTS, RAW = "numbers", "texts", "raw"
"""What a decoder returns: physical numbers, choice texts where there are some, raw values."""

_TABLE_BITS = 10
"""Signals up to this length are converted by look-up where they need converting."""
_DISPLAY_LIMIT = 18
"""Up to here a dict display is the fastest way to a dict, beyond a copy that is filled."""

_MODES = (
    "    if choices or not scaling:",
    "        return decode_otherwise(data, choices, scaling)",
)


def write_decoder(
    code: Generated,
    function: str,
    signals: Sequence[Signal],
    length: int,
    *,
    results: Sequence[Signal] | None = None,
    kind: str = NUMBERS,
    has_modes: bool = False,
) -> None:
    """Add `function(data)`: a dict of all signals, or a tuple of `results` where these are given.

    Needs in `code.names`: `wrong_length(data)`, which makes the error; with `has_modes` also
    `decode_otherwise(data, choices, scaling)`, to which the added parameters switch.
    """
    plan = layout.lay_out(signals, length, byte_lookup=True)
    writer = _Writer(code, signals, plan, kind)
    lookups = [writer.lookup(word) for word in plan.words if writer.is_looked_up(word)]
    expressions = {signal.name: writer.expression(i) for i, signal in enumerate(signals)}
    unpack = f"unpack_{function}"
    code.names[unpack] = struct.Struct(plan.format).unpack
    targets = "".join(f"_{word.first}, " for word in plan.words)
    code.lines += [
        f"def {function}(data{', choices=False, scaling=True' if has_modes else ''}):",
        f"    # {plan.format}",
        *(_MODES if has_modes else []),
        "    try:",
        f"        ({targets.rstrip(' ')}) = {unpack}(data)",
        "    except struct_error:",
        "        raise wrong_length(data) from None",
        *(f"    {line}" for line in lookups),
    ]
    if results is not None:
        values = [f"        {expressions[signal.name]}," for signal in results]
        code.lines += ["    return (", *values, "    )", ""]
    elif len(signals) <= _DISPLAY_LIMIT:
        items = [f"        {name!r}: {value}," for name, value in expressions.items()]
        code.lines += ["    return {", *items, "    }", ""]
    else:
        code.names["copy_of_all"] = dict.fromkeys(expressions).copy
        items = [f"    found[{name!r}] = {value}" for name, value in expressions.items()]
        code.lines += ["    found = copy_of_all()", *items, "    return found", ""]


class _Writer:
    """Writes the expressions of one decoder."""

    def __init__(
        self, code: Generated, signals: Sequence[Signal], plan: layout.Layout, kind: str
    ) -> None:
        self._code = code
        self._signals = signals
        self._kind = kind
        self._names = identifiers(signals)
        self._places: list[list[tuple[layout.Word, layout.Piece]]] = [[] for _ in signals]
        for word in plan.words:
            for piece in word.pieces:
                self._places[piece.signal].append((word, piece))

    def is_looked_up(self, word: layout.Word) -> bool:
        """Whether the word is one byte and needs more than being taken as it stands."""
        signal = self._signals[word.pieces[0].signal]
        is_plain = word.is_whole_signal and signal.length == 8 and not self._is_converted(signal)
        return word.size == 1 and not is_plain

    def lookup(self, word: layout.Word) -> str:
        """One line that takes all pieces of a one-byte word from a table of 256 rows."""
        columns = []
        for piece in word.pieces:
            mask = (1 << piece.length) - 1
            columns.append([self._part(piece, byte >> piece.shift & mask) for byte in range(256)])
        targets = ", ".join(self._target(piece) for piece in word.pieces)
        rows = zip(*columns, strict=True) if len(columns) > 1 else columns[0]
        index = f"_{word.first} & 0xff" if word.code.islower() else f"_{word.first}"
        return f"{targets} = {self._code.table('BYTE', tuple(rows))}[{index}]"

    def expression(self, index: int) -> str:
        """The value of signal `index`."""
        signal = self._signals[index]
        places = self._places[index]
        if self._is_final(index):
            return " + ".join(self._target(piece) for _, piece in places)
        word, top = places[0][0], max(places, key=lambda place: place[1].raw_shift)[0]
        terms = [
            self._target(piece) if self.is_looked_up(word) else _piece(word, piece)
            for word, piece in places
        ]
        raw = " + ".join(terms) if len(terms) > 1 else terms[0]
        if word.code in "efd":
            return self._converted(signal, raw)
        if signal.is_float:
            unpack, pack = f"unpack_float_{signal.length}", f"pack_word_{signal.length}"
            self._code.names[unpack], self._code.names[pack] = layout.float_of_word(signal.length)
            return self._converted(signal, f"{unpack}({pack}({raw}))[0]")
        is_sign_done = not signal.is_signed or word.code.islower() or self.is_looked_up(top)
        if self._is_converted(signal) and signal.length <= _TABLE_BITS:
            values = _values(signal, self._kind)
            mask = (1 << signal.length) - 1
            position = f"{_operand(raw)} & {mask:#x}" if signal.is_signed and is_sign_done else raw
            return f"{self._code.table('VALUE', values)}[{position}]"
        if not is_sign_done:
            sign = 1 << signal.length - 1
            raw = f"({_operand(raw)} ^ {sign:#x}) - {sign:#x}"
        return self._converted(signal, raw)

    def _is_converted(self, signal: Signal) -> bool:
        if self._kind == RAW:
            return False
        return not signal.is_identity or (self._kind == TEXTS and bool(signal.choices))

    def _is_final(self, index: int) -> bool:
        """Whether the sum of the looked-up parts is already the value of the signal."""
        if not all(self.is_looked_up(word) for word, _ in self._places[index]):
            return False
        signal = self._signals[index]
        if len(self._places[index]) == 1:
            return True
        has_texts = self._kind == TEXTS and bool(signal.choices)
        return (
            not signal.is_float
            and not has_texts
            and (signal.is_whole or not self._is_converted(signal))
        )

    def _part(self, piece: layout.Piece, bits: int) -> Number | str:
        """What the looked-up `piece` with these `bits` adds to its signal."""
        signal = self._signals[piece.signal]
        is_top = piece.raw_shift + piece.length == signal.length
        part = bits << piece.raw_shift
        if is_top and signal.is_signed and bits >> piece.length - 1:
            part -= 1 << signal.length
        if piece.length == signal.length:
            return _value(signal, part, self._kind)
        if self._is_final(piece.signal) and self._is_converted(signal):
            return part * int(signal.scale) + (int(signal.offset) if is_top else 0)
        return part

    def _target(self, piece: layout.Piece) -> str:
        name = self._names[piece.signal]
        is_all = piece.length == self._signals[piece.signal].length
        return name if is_all else f"_{name}__{piece.raw_shift}"

    def _converted(self, signal: Signal, raw: str) -> str:
        if not self._is_converted(signal):
            return raw
        if self._kind == TEXTS and signal.choices:
            texts = self._code.table("TEXT", dict(signal.choices))
            physical = _scaled(signal, "raw")
            if signal.is_float:
                self._code.names["choice_of"] = _choice_of
                return f"choice_of({texts}, raw := {raw}, {physical})"
            return f"{texts}.get(raw := {raw}, {physical})"
        return _scaled(signal, raw)


def _value(signal: Signal, raw: int, kind: str) -> Number | str:
    """What a decoder of `kind` gives for the `raw` value of an integer signal."""
    if kind == RAW:
        return raw
    if kind == TEXTS and raw in signal.choices:
        return signal.choices[raw]
    return signal.to_physical(raw)


def _values(signal: Signal, kind: str) -> tuple[Number | str, ...]:
    """The values of all bit patterns of a short integer signal."""
    texts = tuple(signal.choices.items()) if kind == TEXTS else ()
    numbers = _numbers(signal.length, signal.is_signed, signal.scale, signal.offset)
    if not texts:
        return numbers
    found: list[Number | str] = list(numbers)
    for raw, text in texts:
        if signal.raw_limits[0] <= raw <= signal.raw_limits[1]:
            found[raw] = text  # a negative raw counts from the end, where its bit pattern is
    return tuple(found)


@functools.cache
def _numbers(length: int, is_signed: bool, scale: Number, offset: Number) -> tuple[Number, ...]:
    whole = float(scale).is_integer() and float(offset).is_integer()
    if whole:
        scale, offset = int(scale), int(offset)
    half, size = 1 << length - 1, 1 << length
    raws = (bits - size if is_signed and bits >= half else bits for bits in range(size))
    return tuple(raw * scale + offset for raw in raws)


def _piece(word: layout.Word, piece: layout.Piece) -> str:
    variable = f"_{word.first}"
    if word.is_whole_signal:
        text = variable
    else:
        text = f"{variable} >> {piece.shift}" if piece.shift else variable
        if piece.shift + piece.length < 8 * word.size:
            text = f"{text} & {(1 << piece.length) - 1:#x}"
    if piece.raw_shift:
        return f"({_operand(text)} << {piece.raw_shift})"
    return _operand(text)


def _operand(text: str) -> str:
    """`text` in parentheses unless it is a single name."""
    is_enclosed = text.startswith("(") and text.endswith(")") and text.count("(") == 1
    return text if text.isidentifier() or is_enclosed else f"({text})"


def _choice_of(texts: Mapping[int, str], raw: Number, physical: Number) -> Number | str:
    """The text of a float raw value: that of its whole part; NaN and infinities have none."""
    whole = int(raw) if abs(raw) < float("inf") else None
    return physical if whole is None else texts.get(whole, physical)


def _scaled(signal: Signal, raw: str) -> str:
    if signal.is_identity:
        return raw
    raw = _operand(raw)
    sign = "-" if signal.offset < 0 else "+"
    if signal.is_whole:
        scale, offset = int(signal.scale), int(signal.offset)
        scaled = raw if scale == 1 else f"{raw} * {scale}"
        return f"{scaled} {sign} {abs(offset)}" if offset else scaled
    # Adding 0 matters only for a product of -0.0, which needs a negative scale or a float.
    if signal.offset == 0 and signal.scale > 0 and not signal.is_float:
        return f"{raw} * {signal.scale!r}"
    return f"{raw} * {signal.scale!r} {sign} {abs(float(signal.offset))!r}"
