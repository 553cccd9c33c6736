"""How the signals of one message lie in its bytes, and how to cut the bytes into machine words.

A codec moves whole words with `struct` and single signals with shifts and masks. Which cut is
cheapest depends on the signals: a 16 bit signal on a byte boundary is a word of its own and costs
nothing more, one across a byte boundary must be put together. `lay_out` finds the cheapest cut.
Bit numbering is that of the DBC format: a little-endian signal counts bits from the least
significant bit of byte 0, a big-endian one from the most significant.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from simcore.network.messages import Number, Signal

_WORD_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_FLOAT_CODES = {16: "e", 32: "f", 64: "d"}
_FLOATS = {length: struct.Struct("<" + code) for length, code in _FLOAT_CODES.items()}
_WORDS = {8 * size: struct.Struct("<" + code) for size, code in _WORD_CODES.items()}

# What a step costs in ns of CPython 3.11, by word size: only the ratios matter.
_WORD_COST = {1: 3, 2: 8, 4: 9, 8: 15}
_SHIFT_COST = {1: 12, 2: 13, 4: 15, 8: 20}
_MASK_COST = {1: 5, 2: 6, 4: 8, 8: 12}
_LOOKUP_COST = 5
_LOOKUP_VALUE_COST = 3
_JOIN_COST = 11
_FLOAT_BITS_COST = 120


class Piece(NamedTuple):
    """Bits of one signal inside one word: `length` bits from `raw_shift` up lie at `shift`."""

    signal: int
    raw_shift: int
    length: int
    shift: int


class Word(NamedTuple):
    """Bytes `first` to `first + size - 1` moved as one `struct` value."""

    first: int
    size: int
    code: str
    pieces: tuple[Piece, ...]

    @property
    def is_whole_signal(self) -> bool:
        """Whether the word is exactly one signal, bit for bit."""
        return len(self.pieces) == 1 and self.pieces[0].length == 8 * self.size


class Layout(NamedTuple):
    """`words` in byte order and the `struct` format that moves them."""

    format: str
    words: tuple[Word, ...]


def first_network_bit(signal: Signal) -> int:
    """The bit at which a big-endian signal begins, counted in the order of transmission."""
    return 8 * (signal.start_bit // 8) + 7 - signal.start_bit % 8


def lay_out(signals: Sequence[Signal], length: int, *, byte_lookup: bool) -> Layout:
    """The cheapest cut of a message of `length` bytes for moving `signals`.

    With `byte_lookup` all pieces of a one-byte word come from one table look-up (decoding).
    """
    big = _is_mostly_big_endian(signals)
    costs: list[int] = [0]
    words: list[Word | None] = [None]
    for end in range(1, length + 1):
        choices = []
        for size in (1, 2, 4, 8):
            if size <= end:
                word = _word(signals, end - size, size, big)
                cost = costs[end - size] + _cost(signals, word, byte_lookup)
                choices.append((cost, size, word))
        cost, _, word = min(choices, key=lambda choice: choice[:2])
        costs.append(cost)
        words.append(word)
    return _assembled(words, big)


def _assembled(words: list[Word | None], big: bool) -> Layout:
    chosen: list[Word] = []
    codes: list[str] = []
    end = len(words) - 1
    while (word := words[end]) is not None:
        codes.append(word.code if word.pieces else "x" * word.size)
        if word.pieces:
            chosen.append(word)
        end -= word.size
    return Layout((">" if big else "<") + "".join(reversed(codes)), tuple(reversed(chosen)))


def _is_mostly_big_endian(signals: Sequence[Signal]) -> bool:
    wide = [_is_big(signal) for signal in signals if _is_wide(signal)]
    return 2 * sum(wide) > len(wide)


def _is_big(signal: Signal) -> bool:
    return signal.byte_order == "big_endian"


def _is_wide(signal: Signal) -> bool:
    if _is_big(signal):
        return signal.start_bit % 8 + 1 < signal.length
    return signal.start_bit % 8 + signal.length > 8


def _word(signals: Sequence[Signal], first: int, size: int, big: bool) -> Word:
    pieces = tuple(
        piece
        for index, signal in enumerate(signals)
        for piece in _pieces(signal, index, first, size, big)
    )
    code = _WORD_CODES[size]
    if len(pieces) == 1 and pieces[0].length == 8 * size == signals[pieces[0].signal].length:
        signal = signals[pieces[0].signal]
        if signal.is_float:
            code = _FLOAT_CODES[signal.length]
        elif signal.is_signed:
            code = code.lower()
    return Word(first, size, code, pieces)


def _pieces(signal: Signal, index: int, first: int, size: int, big: bool) -> list[Piece]:
    """The parts of `signal` in the word: one, or one per byte against the word's byte order."""
    if _is_big(signal) == big:
        spans = [(first, first + size)]
    else:
        spans = [(byte, byte + 1) for byte in range(first, first + size)]
    pieces = []
    for begin, end in spans:
        part = _overlap(signal, begin, end)
        if part is not None:
            raw_shift, length, shift = part
            place = first + size - end if big else begin - first
            pieces.append(Piece(index, raw_shift, length, shift + 8 * place))
    return pieces


def _overlap(signal: Signal, begin: int, end: int) -> tuple[int, int, int] | None:
    """(raw_shift, length, shift) of the bits in bytes `begin` to `end`, shift from their LSB."""
    if _is_big(signal):
        stop = first_network_bit(signal) + signal.length
        low, high = max(stop - signal.length, 8 * begin), min(stop, 8 * end)
        return (stop - high, high - low, 8 * end - high) if low < high else None
    start = signal.start_bit
    low, high = max(start, 8 * begin), min(start + signal.length, 8 * end)
    return (low - start, high - low, low - 8 * begin) if low < high else None


def _cost(signals: Sequence[Signal], word: Word, byte_lookup: bool) -> int:
    if not word.pieces:
        return 0
    size = word.size
    looked_up = byte_lookup and size == 1
    cost = _WORD_COST[size] + (_LOOKUP_COST if looked_up and not word.is_whole_signal else 0)
    for piece in word.pieces:
        length = signals[piece.signal].length
        is_split = piece.length < length
        cost += _JOIN_COST * is_split
        if signals[piece.signal].is_float and (is_split or not word.is_whole_signal):
            cost += _FLOAT_BITS_COST
        if looked_up:
            cost += _LOOKUP_VALUE_COST
            continue
        cost += _SHIFT_COST[size] * (piece.shift > 0)
        cost += _MASK_COST[size] * (piece.shift + piece.length < 8 * size)
        cost += _SHIFT_COST[size] * (piece.raw_shift > 0)
    return cost


def assemble(signals: Sequence[Signal], raws: Sequence[Number], length: int) -> bytes:
    """The bytes of a message whose `signals` carry `raws`; every other bit is zero."""
    frame = 0
    for index, (signal, raw) in enumerate(zip(signals, raws, strict=True)):
        bits = float_bits(raw, signal.length) if signal.is_float else int(raw)
        for piece in _pieces(signal, index, 0, length, big=False):
            frame |= (bits >> piece.raw_shift & (1 << piece.length) - 1) << piece.shift
    return frame.to_bytes(length, "little")


def float_bits(value: Number, length: int) -> int:
    """The IEEE 754 bits of `value` as an int."""
    return int.from_bytes(struct.pack("<" + _FLOAT_CODES[length], value), "little")


def float_of_word(length: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(unpack, pack): `unpack(pack(bits))[0]` is the number whose IEEE 754 bits are `bits`."""
    return _FLOATS[length].unpack, _WORDS[length].pack


def word_of_float(length: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(unpack, pack): `unpack(pack(number))[0]` are the IEEE 754 bits of `number`."""
    return _WORDS[length].unpack, _FLOATS[length].pack
