"""Which rows of a batch have which signals, depending on the multiplexers in them.

What counts as a number of a multiplexer is what the scalar codec counts (`pages`, `codec`): the
whole part of its physical value, or its raw value where that is asked for or has a text that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simcore.network.batch_columns import Column, Mode, Words
from simcore.network.pages import PageTree

if TYPE_CHECKING:
    from simcore.network.messages import Message, Signal

Flags: TypeAlias = NDArray[np.bool_]
Condition: TypeAlias = tuple[str, tuple[int, ...]]
"""Name of a multiplexer and the numbers with which it selects."""
Path: TypeAlias = tuple[Condition, ...]
"""All that must hold for a signal to be present, outermost first."""

_TABLE_BITS = 16
"""Numbers of multiplexers up to this length are looked up, longer ones compared."""


def path_of(message: Message, signal: Signal) -> Path:
    """What must hold for `signal` to be present."""
    names = {each.name for each in message.signals}
    conditions: list[Condition] = []
    while signal.multiplexer_signal is not None:
        conditions.append((signal.multiplexer_signal, signal.multiplexer_ids))
        if signal.multiplexer_signal not in names or len(conditions) > len(names):
            break  # below what is not there, or below itself: never present
        signal = message.signal(signal.multiplexer_signal)
    return tuple(reversed(conditions))


class Selected(NamedTuple):
    """What the multiplexers of a block of rows select."""

    rows: int
    pages: dict[Condition, Flags]
    unknown: dict[str, Flags]
    """By multiplexer, the rows in which it is present with a number that is not in the database."""

    def holds(self, path: Path) -> Flags:
        """The rows in which all of `path` holds."""
        pages = [self.pages.get(condition) for condition in path]
        flags = np.ones(self.rows, np.bool_) if not pages else pages[0]
        for page in pages:
            if flags is None or page is None:
                return np.zeros(self.rows, np.bool_)
            flags = flags & page if page is not flags else page
        assert flags is not None
        return flags


class Pages:
    """The multiplexers of one message."""

    __slots__ = ("columns", "multiplexers")

    def __init__(self, message: Message) -> None:
        tree = PageTree(message.signals)
        found = [
            (path_of(message, signal), signal)
            for signal in message.signals
            if signal.is_multiplexer and signal.name in tree.numbers
        ]
        self.multiplexers = tuple(
            Multiplexer(Column(message, signal), path, tree)
            for path, signal in sorted(found, key=_depth)
        )
        """Outer ones first."""
        self.columns = [each.column for each in self.multiplexers]

    def selected(self, words: Words, mode: Mode) -> Selected:
        """What is selected in the rows of `words`."""
        found = Selected(words.rows, {}, {})
        for each in self.multiplexers:
            name = each.column.signal.name
            pages, known = each.pages(words, mode)
            found.pages.update(((name, ids), page) for ids, page in pages.items())
            # One that is not there has no number.
            found.unknown[name] = found.holds(each.path) & ~known if each.path else ~known
        return found


def _depth(found: tuple[Path, Signal]) -> int:
    return len(found[0])


class Multiplexer:
    """One multiplexer and what it selects."""

    __slots__ = ("_ids", "_known", "_tables", "column", "path")

    def __init__(self, column: Column, path: Path, tree: PageTree) -> None:
        signal = column.signal
        self.column = column
        self.path = path
        self._ids = tuple({s.multiplexer_ids: None for s in tree.children.get(signal.name, ())})
        self._known = tuple(sorted(tree.numbers[signal.name]))
        self._tables: dict[Mode, dict[tuple[int, ...], Flags]] = {}
        if signal.length <= _TABLE_BITS and not signal.is_float:
            for mode in Mode:
                raws = _raws_by_number(signal, mode)
                self._tables[mode] = {
                    ids: _table(signal, raws, ids) for ids in (*self._ids, self._known)
                }

    def pages(self, words: Words, mode: Mode) -> tuple[dict[tuple[int, ...], Flags], Flags]:
        """Where its number is among those of each page, and where it is a known one."""
        raws = self.column.raw(words)
        if self._tables:
            tables = self._tables[mode]
            # A negative raw value counts from the end, where its bit pattern is.
            pages = {ids: tables[ids].take(raws, mode="wrap") for ids in self._ids}
            return pages, tables[self._known].take(raws, mode="wrap")
        numbers = self._numbers(words, raws.copy(), mode)
        return {ids: _among(numbers, ids) for ids in self._ids}, _among(numbers, self._known)

    def _numbers(self, words: Words, raws: NDArray[Any], mode: Mode) -> NDArray[Any]:
        """The numbers as whole numbers or floats; NaN and infinities are never among any."""
        signal = self.column.signal
        whole: NDArray[Any] = np.trunc(raws) if signal.is_float else raws
        if mode is Mode.RAW or signal.is_identity:
            return whole
        numbers = np.empty(words.rows, self.column.dtype(Mode.PHYSICAL))
        self.column.fill(words, numbers, Mode.PHYSICAL)
        if numbers.dtype.kind == "f":
            numbers = np.trunc(numbers)
        if mode is Mode.CHOICES:
            numbers = np.where(_among(whole, tuple(signal.choices)), whole, numbers)
        return numbers


def _raws_by_number(signal: Signal, mode: Mode) -> dict[int, list[int]] | None:
    """The raw values behind every number of a multiplexer; `None` where both are the same."""
    if mode is Mode.RAW or signal.is_identity:
        return None
    found: dict[int, list[int]] = {}
    lowest, highest = (int(limit) for limit in signal.raw_limits)
    for raw in range(lowest, highest + 1):
        has_text = mode is Mode.CHOICES and raw in signal.choices
        found.setdefault(raw if has_text else int(signal.to_physical(raw)), []).append(raw)
    return found


def _table(signal: Signal, raws: dict[int, list[int]] | None, numbers: tuple[int, ...]) -> Flags:
    """For every bit pattern of a multiplexer, whether its number is among `numbers`."""
    lowest, highest = signal.raw_limits
    table = np.zeros(1 << signal.length, np.bool_)
    for number in numbers:
        for raw in [number] if raws is None else raws.get(number, ()):
            if lowest <= raw <= highest:
                table[raw] = True
    return table


def _among(values: NDArray[Any], numbers: tuple[int, ...]) -> Flags:
    found = np.zeros(len(values), np.bool_)
    for number in numbers:
        if values.dtype.kind != "u" or number >= 0:
            found |= values == number
    return found
