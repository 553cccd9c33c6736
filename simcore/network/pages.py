"""Which signals of a message are present together, depending on its multiplexers.

A multiplexer selects the page of signals whose `multiplexer_ids` hold its number; pages may have
multiplexers of their own. What counts as a number of a multiplexer is what cantools counts: those
of the signals it selects, and the raw values that have a text. Also here: what keeps a set of
signals from being encoded or decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING

from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.network.messages import Signal


class PageTree:
    """The multiplexers of one message and the signals below each."""

    __slots__ = ("children", "is_multiplexed", "numbers")

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.children: dict[str | None, list[Signal]] = {}
        for signal in signals:
            self.children.setdefault(signal.multiplexer_signal, []).append(signal)
        self.numbers: dict[str, frozenset[int]] = {}
        """The numbers of every multiplexer that has some."""
        for signal in signals:
            if signal.is_multiplexer:
                below = self.children.get(signal.name, [])
                numbers = frozenset(chain.from_iterable(each.multiplexer_ids for each in below))
                numbers |= frozenset(signal.choices)
                if numbers:
                    self.numbers[signal.name] = numbers
        self.is_multiplexed = any(
            each.is_multiplexer and each.name in self.numbers for each in self.roots()
        )

    def roots(self) -> list[Signal]:
        """The signals that are always present."""
        return self.children.get(None, [])

    def page(self, multiplexer: Signal, number: int) -> list[Signal]:
        """The signals that `number` selects, without those of their own multiplexers."""
        below = self.children.get(multiplexer.name, [])
        return [each for each in below if number in each.multiplexer_ids]

    def present(self, number_of: Callable[[Signal], int], where: str) -> list[Signal]:
        """The present signals: the unconditional ones first, then page by page.

        `where` names the message in the `UsageError` for a number that selects nothing.
        """
        return self._with_pages(self.roots(), number_of, where)

    def _with_pages(
        self, signals: list[Signal], number_of: Callable[[Signal], int], where: str
    ) -> list[Signal]:
        found = list(signals)
        for signal in signals:
            numbers = self.numbers.get(signal.name)
            if numbers is None or not signal.is_multiplexer:
                continue
            number = number_of(signal)
            if number not in numbers:
                expected = listed(numbers)
                raise UsageError(
                    f"{where}, multiplexer {signal.name}", expected=expected, got=number
                )
            found += self._with_pages(self.page(signal, number), number_of, where)
        return found

    def reachable(self) -> list[Signal]:
        """Every signal that some page has."""
        found = list(self.roots())
        for signal in found:
            if signal.is_multiplexer and signal.name in self.numbers:
                found += [s for s in self.children.get(signal.name, ()) if s.multiplexer_ids]
        return found


def listed(numbers: Iterable[int]) -> str:
    """`one of 1, 2, 3`, cut short where there are many."""
    ordered = sorted(numbers)
    shown = ", ".join(map(str, ordered[:16]))
    return f"one of {shown}{', ...' if len(ordered) > 16 else ''}"


def bit_mask(signal: Signal) -> int:
    """A one for every bit of `signal`, byte 0 first, each byte from its least significant bit."""
    if signal.byte_order != "big_endian":
        return (1 << signal.length) - 1 << signal.start_bit
    mask, bit = 0, signal.start_bit
    for _ in range(signal.length):
        mask |= 1 << bit
        bit = bit - 1 if bit % 8 else bit + 15
    return mask


def fits(signal: Signal, length: int) -> bool:
    """Whether `signal` lies within a message of `length` bytes."""
    if signal.start_bit < 0 or signal.length <= 0 or length < 0:
        return False
    return bit_mask(signal) >> 8 * length == 0


def is_always_present(signal: Signal, signals: Iterable[Signal]) -> bool:
    """Whether `signal` is on every page of a message that consists of `signals`."""
    tree = PageTree(tuple(signals))
    multiplexers = {name: s for below in tree.children.values() for s in below if (name := s.name)}
    while signal.multiplexer_signal is not None:
        parent = multiplexers.get(signal.multiplexer_signal)
        if parent is None or not tree.numbers.get(parent.name, frozenset()) <= set(
            signal.multiplexer_ids
        ):
            return False
        signal = parent
    return True


def defect_of(signals: Sequence[Signal], length: int) -> tuple[str, bool]:
    """Why a message cannot be encoded ("" where it can), and whether decoding fails as well."""
    if not all(signal.name for signal in signals):
        return "a signal without a name", True
    for signal in signals:
        numbers = (signal.scale, signal.offset)
        if not all(isfinite(number) for number in numbers):
            text = f"expected a finite factor and offset, got {numbers[0]} and {numbers[1]}"
            return f"signal {signal.name}: {text}", True
        if signal.is_float and signal.length not in (16, 32, 64):
            text = f"expected a float of 16, 32 or 64 bits, got {signal.length} bits"
            return f"signal {signal.name}: {text}", True
    tree = PageTree(signals)
    multiplexers = [signal.name for signal in signals if signal.is_multiplexer]
    twins = {name for name in multiplexers if sum(s.name == name for s in signals) > 1}
    if twins:
        return f"two signals of the name of multiplexer {min(twins)}", True
    twin = _twin(tree)
    if twin:
        return f"two signals of the same name {twin}", True
    for signal in signals:
        if signal.scale == 0:
            return f"signal {signal.name}: expected a factor other than 0, got 0", False
    overlap = _Overlaps(tree).found
    return overlap, False


def _twin(tree: PageTree) -> str:
    """A name that two signals of one page have."""
    names: Mapping[str | None, list[str]] = {
        parent: [signal.name for signal in below] for parent, below in tree.children.items()
    }
    if all(len(set(each)) == len(each) for each in names.values()) and len(
        set(chain.from_iterable(names.values()))
    ) == sum(map(len, names.values())):
        return ""  # the usual case, without going through the pages
    return _Overlaps(tree, by_name=True).found


class _Overlaps:
    """Goes through the pages of a message and finds signals that share bits, or a name."""

    def __init__(self, tree: PageTree, *, by_name: bool = False) -> None:
        self._tree = tree
        self._by_name = by_name
        self.found = ""
        self._walk(tree.roots(), {})

    def _walk(self, signals: Sequence[Signal], taken: dict[str, int]) -> dict[str, int]:
        """`taken` with everything that `signals` and the pages below them take."""
        taken = dict(taken)
        for signal in signals:
            self._take(signal, taken)
            if not signal.is_multiplexer or signal.name not in self._tree.numbers:
                continue
            pages = {
                tuple(id(each) for each in page): page
                for number in self._tree.numbers[signal.name]
                if (page := self._tree.page(signal, number))
            }
            below: dict[str, int] = {}
            for page in pages.values():
                below.update(self._walk(page, taken))
            taken.update(below)
        return taken

    def _take(self, signal: Signal, taken: dict[str, int]) -> None:
        mask = bit_mask(signal)
        if self._by_name:
            if signal.name in taken:
                self.found = self.found or signal.name
        else:
            for other, bits in taken.items():
                if bits & mask and not self.found:
                    self.found = f"signals {signal.name} and {other} overlap"
        taken[signal.name] = taken.get(signal.name, 0) | mask
