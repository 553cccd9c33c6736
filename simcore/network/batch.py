"""Decoding many frames of one message at once: an array of bytes in, one array per signal out.

Values are those of the scalar codec (`codec`) bit for bit. The data type of a column follows from
its signal alone, never from the data:

- whole numbers (raw, or scaled by whole numbers): `int64` where every value the bits can carry
  fits, else `uint64` where that fits, else `object` (Python integers);
- everything else, float signals included: `float64`;
- with `choices=True`, signals that have texts: `object`, a text or a Python number each;
- a name that several signals share, each on pages of its own: their type, `object` if they differ.

A multiplexed signal is a `numpy.ma.MaskedArray`, masked where its multiplexers do not select it,
with 0, NaN or None underneath. Columns of one batch share their memory: copy one that is to outlive
the others. Not here: single frames (`codec`), the arithmetic of a column (`batch_columns`), pages
(`batch_pages`), reading logs (`simcore.attach`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from simcore.errors import UsageError
from simcore.network.batch_columns import BLOCK_ROWS, Column, Mode, Words, hide
from simcore.network.batch_pages import Flags, Pages, Path, Selected, path_of
from simcore.network.pages import listed

if TYPE_CHECKING:
    from simcore.network.messages import Message


class BatchDecoder:
    """Decodes frames of `message` in batches: all its signals, or those in `names`.

    Never changes, so copies share it. Raises `UsageError` for an unknown name, and for a message
    the scalar codec cannot decode.
    """

    __slots__ = ("_parts", "_pages", "message", "names")

    def __init__(self, message: Message, names: Sequence[str] | None = None) -> None:
        if message.is_undecodable:
            raise UsageError(f"message {message.label} cannot be decoded: {message.defect}")
        self.message = message
        chosen = [signal.name for signal in message.signals] if names is None else names
        self.names = tuple(dict.fromkeys(message.signal(name).name for name in chosen))
        self._pages = Pages(message)
        self._parts: dict[str, list[tuple[Column, Path]]] = {name: [] for name in self.names}
        for signal in message.signals:
            if signal.name in self._parts:
                part = (Column(message, signal), path_of(message, signal))
                self._parts[signal.name].append(part)

    def decode(
        self,
        data: NDArray[np.uint8],
        *,
        raw: bool = False,
        choices: bool = False,
        lenient: bool = False,
    ) -> dict[str, NDArray[Any]]:
        """The columns of `data`, an array of uint8 with one row of `message.length` per frame.

        Physical values; raw ones with `raw`; texts where there are some with `choices`. A row in
        which a multiplexer has a number the database does not know is a `UsageError`, as it is for
        the scalar codec; with `lenient` such a row has no signal that multiplexer would select.
        """
        mode = self._mode(raw, choices)
        found = self._columns(self._row_count(data), mode)
        absent = {
            name: np.empty(len(data), np.bool_)
            for name, parts in self._parts.items()
            if any(path for _, path in parts)
        }
        with np.errstate(all="ignore"):  # as Python's floats do: NaN and infinity say it all
            for rows, words in self._blocks(data):
                selected = self._pages.selected(words, mode)
                if not lenient:
                    self._refuse_unknown(selected, data[rows], rows.start, mode)
                for name, parts in self._parts.items():
                    target = found[name][rows]
                    if name not in absent:
                        parts[0][0].fill(words, target, mode)
                    else:
                        _fill_present(parts, words, target, mode, selected, absent[name][rows])
        for name, flags in absent.items():
            found[name] = np.ma.MaskedArray(found[name], mask=flags)
        return found

    def refused(
        self, data: NDArray[np.uint8], *, raw: bool = False, choices: bool = False
    ) -> Flags:
        """The rows that the scalar codec refuses: a multiplexer has a number it does not know."""
        mode = self._mode(raw, choices)
        refused = np.zeros(self._row_count(data), np.bool_)
        if self._pages.multiplexers:
            with np.errstate(all="ignore"):
                for rows, words in self._blocks(data):
                    for unknown in self._pages.selected(words, mode).unknown.values():
                        refused[rows] |= unknown
        return refused

    @property
    def is_multiplexed(self) -> bool:
        """Whether the present signals depend on a multiplexer."""
        return bool(self._pages.multiplexers)

    @property
    def _where(self) -> str:
        return f"message {self.message.label}"

    def _mode(self, raw: bool, choices: bool) -> Mode:
        if raw and choices:
            raise UsageError(f"{self._where}: decode", expected="raw or choices", got="both")
        return Mode.RAW if raw else Mode.CHOICES if choices else Mode.PHYSICAL

    def _row_count(self, data: NDArray[np.uint8]) -> int:
        length = self.message.length
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
            kind = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else repr(data)
            expected = f"an array of uint8 of shape (frames, {length})"
            raise UsageError(self._where, expected=expected, got=kind)
        if data.shape[1] != length:
            got = f"{data.shape[1]} bytes"
            raise UsageError(self._where, expected=f"{length} bytes per frame", got=got)
        return len(data)

    def _columns(self, rows: int, mode: Mode) -> dict[str, NDArray[Any]]:
        """Columns to fill. Numbers share one piece of memory: fresh memory is what costs most."""
        memory = np.empty((len(self._parts), rows), np.uint64)
        found: dict[str, NDArray[Any]] = {}
        for index, (name, parts) in enumerate(self._parts.items()):
            dtypes = {column.dtype(mode) for column, _ in parts}
            dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(object)
            is_number = dtype.kind != "O"
            found[name] = memory[index].view(dtype) if is_number else np.empty(rows, dtype)
        return found

    def _blocks(self, data: NDArray[np.uint8]) -> Iterator[tuple[slice, Words]]:
        columns = [column for parts in self._parts.values() for column, _ in parts]
        columns += self._pages.columns
        words = Words(self.message.length, columns, min(len(data), BLOCK_ROWS))
        for begin in range(0, len(data), BLOCK_ROWS):
            rows = slice(begin, min(begin + BLOCK_ROWS, len(data)))
            words.load(data[rows])
            yield rows, words

    def _refuse_unknown(
        self, selected: Selected, block: NDArray[np.uint8], first_row: int, mode: Mode
    ) -> None:
        """Raises `UsageError` for the first number of a multiplexer that nobody knows."""
        for name, unknown in selected.unknown.items():
            if unknown.any():
                row = int(unknown.argmax())
                codec, signal = self.message.codec, self.message.signal(name)
                number = codec.number_in(
                    signal,
                    block[row].tobytes(),
                    choices=mode is Mode.CHOICES,
                    scaling=mode is not Mode.RAW,
                )
                raise UsageError(
                    f"{self._where}, row {first_row + row}, multiplexer {name}",
                    expected=listed(codec.tree.numbers[name]),
                    got=number,
                )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchDecoder, (self.message, self.names)


def _fill_present(
    parts: list[tuple[Column, Path]],
    words: Words,
    target: NDArray[Any],
    mode: Mode,
    selected: Selected,
    absent: Flags,
) -> None:
    """Fill in a column where its signals are present, and say where they are `absent`."""
    if len(parts) == 1:
        column, path = parts[0]
        column.fill(words, target, mode)
        np.logical_not(selected.holds(path), out=absent)
    else:
        absent[:] = True
        for column, path in parts:
            present = selected.holds(path)
            values = np.empty(len(target), column.dtype(mode))
            column.fill(words, values, mode)
            target[present] = values[present]
            absent &= ~present
    hide(target, absent)
