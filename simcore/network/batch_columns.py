"""One signal of many frames: from 64 bit words of the frames to a column of values.

Used by `batch`, which says what the columns hold; not here: multiplexing.

A block of frames becomes columns of words, one array per 8 bytes of the frame: little-endian for
Intel signals, the same with their bytes swapped for Motorola signals. Up to 64 bits lie in one word
or in two neighbouring ones. Shifted to the left end of a word and back to the right, they have lost
their neighbours and got their sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, unique
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simcore.errors import UsageError
from simcore.network.layout import first_network_bit

if TYPE_CHECKING:
    from simcore.network.messages import Message, Number, Signal

BLOCK_ROWS = 16384
"""Frames taken at a time: what a column of a block needs stays in the processor's cache."""

Bits: TypeAlias = NDArray[np.uint64]

_WORD_BITS = 64
_FLOAT_TYPES = {16: (np.uint16, np.float16), 32: (np.uint32, np.float32)}
_EXACT_FLOAT = 1 << 53
"""Integers up to here are floats without rounding."""


@unique
class Mode(Enum):
    """What a column holds."""

    PHYSICAL = "physical values"
    RAW = "raw values"
    CHOICES = "texts, and physical values without one"


class Words:
    """The words of a block of frames, those that `columns` need; filled again for each block."""

    __slots__ = ("_big", "_length", "_little", "_padded", "rows", "scratch")

    def __init__(self, length: int, columns: Iterable[Column], rows: int) -> None:
        used = {(column.is_big, index) for column in columns for index in column.words}
        self._length = length
        self._padded = np.zeros((rows, -(-length // 8) * 8), np.uint8)
        self._little = {index: np.empty(rows, np.uint64) for index in sorted({i for _, i in used})}
        self._big = {index: np.empty(rows, np.uint64) for big, index in sorted(used) if big}
        self.scratch = np.empty((2, rows), np.uint64)
        """Room for two columns on the way to a result."""
        self.rows = rows

    def load(self, block: NDArray[np.uint8]) -> None:
        """Take the frames of `block`, at most as many as there is room for."""
        self.rows = rows = len(block)
        self._padded[:rows, : self._length] = block
        words = self._padded[:rows].view("<u8")
        for index, little in self._little.items():
            little[:rows] = words[:, index]
        for index, big in self._big.items():
            big[:rows] = self._little[index][:rows].byteswap()

    def word(self, index: int, *, is_big: bool) -> Bits:
        """Bytes 8 * `index` and following of every frame as one number."""
        return (self._big if is_big else self._little)[index][: self.rows]

    def frames(self) -> Iterator[bytes]:
        """The bytes of one frame after the other."""
        for row in self._padded[: self.rows, : self._length]:
            yield row.tobytes()


class Column:
    """Takes one signal out of the words of many frames."""

    __slots__ = (
        "_dtype",
        "_is_exact",
        "_offset",
        "_scale",
        "_start",
        "is_big",
        "is_wide",
        "signal",
        "words",
    )

    def __init__(self, message: Message, signal: Signal) -> None:
        self.signal = signal
        self.is_big = signal.byte_order == "big_endian"
        self._start = first_network_bit(signal) if self.is_big else signal.start_bit
        end = self._start + signal.length
        if end > 8 * message.length:
            raise UsageError(
                f"message {message.label}, signal {signal.name}",
                expected=f"at most {8 * message.length} bits",
                got=f"{signal.length} bits from bit {signal.start_bit} on",
            )
        self.is_wide = signal.length > _WORD_BITS
        span = range(self._start // _WORD_BITS, (end - 1) // _WORD_BITS + 1)
        self.words = () if self.is_wide else tuple(span)
        self._dtype = np.dtype(np.float64)
        if signal.is_whole:
            self._dtype = dtype_of(signal.to_physical(limit) for limit in signal.raw_limits)
        self._is_exact = not self.is_wide and _is_exact(signal, self._dtype.kind)
        is_modular = signal.is_whole and self._is_exact
        number_of = _modular if is_modular else _float if self._is_exact else _itself
        self._scale: Any = number_of(signal.scale)
        self._offset: Any = number_of(signal.offset)

    def dtype(self, mode: Mode) -> np.dtype[Any]:
        """The type of the column; see `batch`."""
        if mode is Mode.RAW:
            is_float = self.signal.is_float
            return np.dtype(np.float64) if is_float else dtype_of(self.signal.raw_limits)
        return np.dtype(object) if self._has_texts(mode) else self._dtype

    def _has_texts(self, mode: Mode) -> bool:
        return mode is Mode.CHOICES and bool(self.signal.choices)

    def fill(self, words: Words, target: NDArray[Any], mode: Mode) -> None:
        """Write the column of these `words` into `target`, an array of its `dtype`."""
        if mode is Mode.RAW:
            target[:] = self.raw(words)
        elif self._has_texts(mode):
            self._fill_texts(words, target)
        else:
            self._fill_physical(words, target)

    def raw(self, words: Words) -> NDArray[Any]:
        """The raw values, in memory that the next use of `words` takes again."""
        if self.is_wide:
            return self._wide_raw(words)
        bits = self._bits(words, words.scratch[0, : words.rows])
        if self.signal.is_float:
            return _floats(bits, self.signal.length)
        # Without their highest bit unsigned numbers are signed ones, which convert faster.
        is_signed = self.signal.is_signed or self.signal.length < _WORD_BITS
        return bits.view(np.int64) if is_signed else bits

    def _fill_physical(self, words: Words, target: NDArray[Any]) -> None:
        signal = self.signal
        if not self._is_exact:
            raws = self.raw(words).tolist()
            target[:] = [signal.to_physical(raw) for raw in raws]
        elif signal.is_whole:
            bits = self._bits(words, target.view(np.uint64))
            if signal.scale != 1:
                np.multiply(bits, self._scale, out=bits)
            if signal.offset != 0:
                np.add(bits, self._offset, out=bits)
        elif signal.is_identity:
            target[:] = self.raw(words)
        else:
            np.multiply(self.raw(words), self._scale, out=target)
            # Adding 0 matters only for a product of -0.0.
            if signal.offset != 0 or signal.scale < 0 or signal.is_float:
                np.add(target, self._offset, out=target)

    def _fill_texts(self, words: Words, target: NDArray[Any]) -> None:
        signal = self.signal
        physical = np.empty(len(target), self._dtype)
        self._fill_physical(words, physical)
        target[:] = physical
        raws = self.raw(words)
        if signal.is_float:
            raws = np.trunc(raws)
        lowest, highest = signal.raw_limits
        for number, text in signal.choices.items():
            if lowest <= number <= highest:
                target[raws == number] = text

    def _bits(self, words: Words, out: Bits) -> Bits:
        """The signal's bits at the right end, behind copies of the sign where it has one."""
        start, length, is_big = self._start % _WORD_BITS, self.signal.length, self.is_big
        word = words.word(self.words[0], is_big=is_big)
        if len(self.words) == 1:
            left = start if is_big else _WORD_BITS - start - length
            if left or length == _WORD_BITS:
                word = np.left_shift(word, np.uint64(left), out=out)
        else:
            other = words.word(self.words[1], is_big=is_big)
            rest = words.scratch[1, : words.rows]
            beyond = start + length - _WORD_BITS
            # What else these bring along lies to the right of the signal.
            if is_big:
                np.left_shift(word, np.uint64(start), out=out)
                np.right_shift(other, np.uint64(_WORD_BITS - start), out=rest)
            else:
                np.left_shift(other, np.uint64(_WORD_BITS - beyond), out=out)
                np.right_shift(word, np.uint64(beyond), out=rest)
            word = np.bitwise_or(out, rest, out=out)
        right = _WORD_BITS - length
        if not right:
            return out
        if self.signal.is_signed and not self.signal.is_float:
            np.right_shift(word.view(np.int64), np.int64(right), out=out.view(np.int64))
        else:
            np.right_shift(word, np.uint64(right), out=out)
        return out

    def _wide_raw(self, words: Words) -> NDArray[Any]:
        """Raw values of more than 64 bits, frame by frame."""
        order: Literal["little", "big"] = "big" if self.is_big else "little"
        length = self.signal.length
        raws = np.empty(words.rows, object)
        for row, frame in enumerate(words.frames()):
            shift = 8 * len(frame) - self._start - length if self.is_big else self._start
            number = int.from_bytes(frame, order) >> shift & (1 << length) - 1
            is_negative = self.signal.is_signed and number >> length - 1
            raws[row] = number - (1 << length) if is_negative else number
        return raws


def dtype_of(values: Iterable[Number]) -> np.dtype[Any]:
    """The type of a column of whole numbers that reaches over all of `values`."""
    lowest, *_, highest = sorted(values)
    if lowest >= -(1 << 63) and highest < 1 << 63:
        return np.dtype(np.int64)
    return np.dtype(np.uint64 if lowest >= 0 and highest < 1 << 64 else object)


def hide(target: NDArray[Any], is_absent: NDArray[np.bool_]) -> None:
    """Put 0, NaN or None where `is_absent`, by its type; without branches, which cost more."""
    if target.dtype.kind == "O":
        target[is_absent] = None
        return
    bits, flags = target.view(np.uint64), is_absent.astype(np.uint64)
    if target.dtype.kind == "f":
        np.negative(flags, out=flags)
        np.bitwise_or(bits, flags, out=bits)  # all bits set is a NaN
    else:
        np.subtract(flags, np.uint64(1), out=flags)
        np.bitwise_and(bits, flags, out=bits)


def _is_exact(signal: Signal, kind: str) -> bool:
    """Whether 64 bit words and floats give the very numbers Python's integers give."""
    if signal.is_whole:
        return kind != "O"
    if signal.is_float or isinstance(signal.scale, float):
        return True
    # Python multiplies two integers and rounds once: floats do so as long as they hold both.
    return max(abs(signal.scale), *map(abs, signal.raw_limits)) <= _EXACT_FLOAT


def _modular(number: Number) -> np.uint64:
    """`number` modulo 2 ** 64: where the result fits, what overflowed on the way has no effect."""
    return np.uint64(int(number) % (1 << _WORD_BITS))


def _float(number: Number) -> np.float64:
    return np.float64(float(number))


def _itself(number: Number) -> Number:
    return number


def _floats(bits: Bits, length: int) -> NDArray[np.float64]:
    if length == _WORD_BITS:
        return bits.view(np.float64)
    integer, floating = _FLOAT_TYPES[length]
    return bits.astype(integer).view(floating).astype(np.float64)
