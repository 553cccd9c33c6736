"""Lenient loading: what of a database can be loaded without its broken parts.

cantools' lenient mode lets signals overlap or leave their message. Whatever else keeps it from
loading is searched for and left out, record by record (`records`): first the statements that do not
parse, then messages and signals that cantools refuses, then single records found by bisection.
Everything that is left out is a `Problem`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cantools.database.can.formats.dbc.dbc_loader import DbcParser

from simcore.errors import InputError
from simcore.network.loading import (
    Source,
    cause_of,
    line_of_error,
    oversized,
    parse,
    reason_of,
    refuse_empty,
    refuse_sizes,
)
from simcore.network.problems import Problem
from simcore.network.records import Record, records_of, text_without

if TYPE_CHECKING:
    from cantools.database.can import Database as CanDatabase

_MOST_SEARCHES = 200
"""Records searched for by bisection before the file is given up."""

_FIRST = ("", "VERSION", "NS_", "BS_", "BU_", "BO_", "SG_", "BA_DEF_", "BA_DEF_DEF_")
"""DBC statements that others refer to, so that no search finds a reference before its target."""


def salvaged(source: Source) -> tuple[CanDatabase, list[Problem]]:
    """What can be loaded, and a problem for everything left out.

    Raises `InputError` where nothing can be left out that would help.
    """
    attempt = _Attempt(source)
    if source.format == "dbc":
        attempt.drop_oversized()
    else:
        refuse_sizes(source)
    parsed = attempt.loaded()
    if parsed is None and source.format == "dbc":
        attempt.drop_what_does_not_parse()
        attempt.drop_bad_messages()
        parsed = attempt.loaded()
    searches = 0
    while parsed is None:
        searches += 1
        if searches > _MOST_SEARCHES or not attempt.drop_culprit():
            raise attempt.refusal()
        parsed = attempt.loaded()
    return parsed, attempt.problems()


def first_culprit_line(source: Source) -> int | None:
    """The line of the first record found at fault in a text that does not load."""
    attempt = _Attempt(source)
    if attempt.loaded() is None and attempt.drop_culprit():
        return min(problem.line or 0 for problem in attempt.problems())
    return None


class _Attempt:
    """One file, what has been dropped of it so far, and the last error."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._records = records_of(source.text, source.format)
        self._dropped: dict[int, str] = {}
        self._error: Exception = InputError("never raised")

    def loaded(self) -> CanDatabase | None:
        """What cantools makes of the rest, or None with the error kept."""
        try:
            return self._parse(self._dropped)
        except Exception as error:  # parsers raise anything
            self._error = cause_of(error)
            return None

    def refusal(self) -> InputError:
        source = self._source
        refuse_empty(source)
        reason = reason_of(self._error)
        return InputError(
            f"not a valid {source.format.upper()}, even without what could be left out: {reason}",
            file=source.name,
            line=line_of_error(self._error, reason, source),
        )

    def problems(self) -> list[Problem]:
        found = []
        for index in sorted(self._dropped):
            record = self._records[index]
            text = f"left out: {self._dropped[index]}"
            found.append(Problem("dropped", record.title, text, self._source.name, record.line))
        return found

    def _parse(self, dropped: Sequence[int] | dict[int, str]) -> CanDatabase:
        text = text_without(self._records, dropped)
        return parse(text, self._source.format, strict=False)

    def _drop(self, index: int, reason: str) -> None:
        """Leave out a record, and the signals of a message with it."""
        self._dropped.setdefault(index, reason)
        for other, record in enumerate(self._records):
            if record.owner == index:
                self._dropped.setdefault(other, f"its message is left out, {reason}")

    # ---- DBC: statements, then messages ----

    def drop_oversized(self) -> None:
        for index, record in enumerate(self._records):
            for _, where, _ in oversized(record.text, "dbc"):
                self._drop(index, f"{where} too large")

    def drop_what_does_not_parse(self) -> None:
        kept = [i for i in range(len(self._records)) if i not in self._dropped]
        for index, reason in self._failing(kept, self._parse_statements):
            self._drop(index, reason)

    def drop_bad_messages(self) -> None:
        """Messages that cantools refuses: without their bad signals, else altogether."""
        groups: dict[int, list[int]] = {}
        for index, record in enumerate(self._records):
            if index not in self._dropped:
                if record.kind == "BO_":
                    groups[index] = [index]
                elif record.owner in groups:
                    groups[record.owner].append(index)

        def load_messages(some: list[int]) -> None:
            self._load_only([index for message in some for index in groups[message]])

        for message, reason in self._failing(list(groups), load_messages):
            self._drop_bad_signals(message, groups[message], reason)

    def _drop_bad_signals(self, message: int, group: list[int], reason: str) -> None:
        """Leave out the signals that are refused alone; the message too where that is no help."""

        def load_signals(some: list[int]) -> None:
            self._load_only([message, *some])

        for index, why in self._failing(group[1:], load_signals):
            self._drop(index, why)
        rest = [index for index in group if index not in self._dropped]
        try:
            self._load_only(rest)
        except Exception:  # parsers raise anything
            self._drop(message, reason)

    def _failing(
        self, indices: list[int], load: Callable[[list[int]], object]
    ) -> list[tuple[int, str]]:
        """The indices, each with the reason, that `load` does not take; by halving."""
        if not indices:
            return []
        try:
            load(indices)
        except Exception as error:  # parsers raise anything
            if len(indices) == 1:
                return [(indices[0], _without_place(reason_of(cause_of(error))))]
            half = len(indices) // 2
            return self._failing(indices[:half], load) + self._failing(indices[half:], load)
        return []

    def _parse_statements(self, indices: list[int]) -> None:
        text = "".join(self._records[index].text for index in indices)
        if not text.strip():
            return
        if self._records[indices[0]].kind == "SG_":
            text = "BO_ 1 X: 8 X\n" + text
        DbcParser().parse(text)

    def _load_only(self, indices: list[int]) -> None:
        text = "".join(self._records[index].text for index in indices)
        if text.strip():
            parse(text, "dbc", strict=False)

    # ---- all formats: search ----

    def drop_culprit(self) -> bool:
        """Leave out what the last error names, or what a search finds; False for nothing."""
        reason = reason_of(self._error)
        named = set(re.findall(r"\b(SIG_VALTYPE_|VAL_) (\d+) (\w+)", reason))
        found = False
        for index, record in enumerate(self._records):
            words = tuple(record.text.split()[:3])
            if index not in self._dropped and words in named:
                self._drop(index, "no such signal")
                found = True
        if found:
            return True
        culprit = self._searched()
        if culprit is None:
            return False
        self._drop(culprit, _without_place(reason))
        return True

    def _searched(self) -> int | None:
        """The record with which loading begins to fail, referred-to statements counted first."""
        records = self._records
        order = [i for i, r in enumerate(records) if r.kind and i not in self._dropped]
        order.sort(key=lambda i: _rank(records[i]))
        good, bad = -1, len(order)  # with `good` records it loads, with `bad` it does not
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                self._parse([*self._dropped, *order[middle:]])
                good = middle
            except Exception:  # parsers raise anything
                bad = middle
        return order[bad - 1] if bad >= 1 and order else None


def _rank(record: Record) -> int:
    return _FIRST.index(record.kind) if record.kind in _FIRST else len(_FIRST)


def _without_place(reason: str) -> str:
    """The reason without the place in a text that the user has never seen."""
    return re.sub(r"(Invalid syntax) at line \d+, column \d+", r"\1", reason)
