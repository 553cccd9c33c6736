"""What to look for in a run: evidence that a fault was detected, that the vehicle is safe again.

`EventSeen`, `SignalSeen` and `ColumnHolds` say what is looked for: an event, a signal on a bus, the
recorded truth; `AnyOf` and `AllOf` combine them. They are plain data and read what the recorder
kept, once per question: nothing is watched while the run goes on. Times are exact: an event's to
the nanosecond, a frame's is its end of frame, a column's the millisecond of its row.

`first` answers by edge: what held before `since_ns` must cease before it can begin. `settled`
answers by level: the last time it began to hold, provided that it holds to the end. So what is to
be a safe state must be able to cease: a signal does when its frames stay away, a column with its
value, an event only where its opposite is named (`until`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from simcore.bus import FrameColumns, FrameLog
from simcore.errors import UsageError
from simcore.faults.fault import EVENT_KINDS
from simcore.network.messages import Number
from simcore.rig.pins import PLANT_PERIOD_NS
from simcore.units import format_ns

if TYPE_CHECKING:
    from simcore.network import Message, Signal
    from simcore.rig.bench import Bench
    from simcore.rig.result import Event

STALE_CYCLES = 3
"""A cyclic message that has not come for so long says nothing any more."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Something that was observed, and exactly when."""

    time_ns: int
    text: str
    """`CDC detection: EMB_FL lost: silent`."""

    def __str__(self) -> str:
        return f"{format_ns(self.time_ns)} {self.text}"


@dataclass(frozen=True, slots=True)
class Change:
    """An observation begins or ceases to hold."""

    time_ns: int
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """Whether an observation held, from `since_ns` to the end of the stretch looked at."""

    since_ns: int
    held: str
    """What showed at `since_ns` that it held already; empty where it did not."""
    changes: tuple[Change, ...] = ()
    """After `since_ns`, in order of time."""

    @property
    def rises(self) -> Iterator[Change]:
        """Every time it began to hold."""
        holds = bool(self.held)
        for change in self.changes:
            if change.holds and not holds:
                yield change
            holds = change.holds

    @property
    def first(self) -> Evidence | None:
        """The first time it began to hold."""
        rise = next(self.rises, None)
        return None if rise is None else Evidence(time_ns=rise.time_ns, text=rise.text)

    @property
    def settled(self) -> Evidence | None:
        """The last time it began to hold; `None` where it does not hold at the end."""
        if not (self.changes[-1].holds if self.changes else self.held):
            return None
        rises = list(self.rises)
        if not rises:
            return Evidence(time_ns=self.since_ns, text=f"{self.held} (all along)")
        return Evidence(time_ns=rises[-1].time_ns, text=rises[-1].text)


class Observation:
    """Base of everything that can be looked for."""

    __slots__ = ()

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        """When it held. Raises `UsageError` for a name that the rig does not have."""
        raise NotImplementedError

    def first(self, rig: Bench, since_ns: int, until_ns: int) -> Evidence | None:
        """The first time after `since_ns` at which it began to hold, at most at `until_ns`."""
        return self.history(rig, since_ns, until_ns).first

    def settled(self, rig: Bench, since_ns: int, until_ns: int) -> Evidence | None:
        """The last time it began to hold, `since_ns` where it held all along.

        `None` where it does not hold at `until_ns`.
        """
        return self.history(rig, since_ns, until_ns).settled

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class EventSeen(Observation):
    """An event of a kind is recorded; from then on it holds, or until an opposite one comes.

    As evidence of a detection it should name the cause, by source and text: whatever fits is taken
    for it. As a safe state it needs `until`: a state that cannot cease proves nothing. An event of
    the very instant `since_ns` counts where a fault was injected in that instant
    before it.
    """

    kind: str
    source: str | None = None
    """Node, bus or part of the rig; `None` for any."""
    text: str = ""
    """Part of the event's text."""
    until: str = ""
    """Part of the text that ends it, an event of the same kind and source; empty: for good."""

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise UsageError(
                "EventSeen.kind", expected=f"one of {', '.join(EVENT_KINDS)}", got=repr(self.kind)
            )

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        changes: list[Change] = []
        for event in events_after(rig.log.events, since_ns):
            if event.time_ns > until_ns:
                break
            holds = bool(changes) and changes[-1].holds
            if not self._may_match(event):
                continue
            if self._ends(event) if holds else self._begins(event):
                text = f"{event.source} {event.kind}: {event.text}"
                changes.append(Change(event.time_ns, not holds, text))
                if not self.until:
                    break
        return History(since_ns, "", tuple(changes))

    def _may_match(self, event: Event) -> bool:
        return event.kind == self.kind and (self.source is None or event.source == self.source)

    def _begins(self, event: Event) -> bool:
        return self.text in event.text and not self._ends(event)

    def _ends(self, event: Event) -> bool:
        return bool(self.until) and self.until in event.text

    def __str__(self) -> str:
        text = f"{self.source or 'any'} {self.kind}"
        text += f' "{self.text}"' if self.text else ""
        return f'{text} until "{self.until}"' if self.until else text


def events_after(events: Sequence[Event], since_ns: int) -> list[Event]:
    """Events after `since_ns`, and those of that instant that came after a fault of it."""
    index = len(events)
    while index and events[index - 1].time_ns > since_ns:
        index -= 1
    behind = index
    while index and events[index - 1].time_ns == since_ns:
        index -= 1
        if events[index].kind == "fault":
            behind = index + 1
    return list(events[behind:])


@dataclass(frozen=True, slots=True)
class SignalSeen(Observation):
    """The latest frame of a message has a signal value.

    It holds until another one has not, or until a cyclic message has not come for three cycles.
    """

    message: str
    signal: str
    op: str
    value: Number | str
    """Physical value, or the text of the value table."""
    bus: str | None = None
    """Only frames on this bus; `None`: the latest on any."""
    sender: str | None = None
    """Only frames of this node."""

    def __post_init__(self) -> None:
        _require_operator("SignalSeen", self.op)

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        message = rig.message_named(self.message)
        signal = message.signal(self.signal)
        wanted = wanted_value(message, signal, self.value)
        read = message.codec.reader(self.signal).read
        fresh_ns = STALE_CYCLES * (message.cycle_time_ns or 0)
        accept, last_ns = OPERATORS[self.op], None
        steps: list[Change] = []
        for time_ns, channel, data in self._frames(rig, message, since_ns, until_ns):
            if last_ns is not None and fresh_ns and time_ns > last_ns + fresh_ns:
                steps.append(_gone(message, last_ns + fresh_ns))
            value = read(data)[0]
            text = f"{message.name} on {channel}: {signal.name} = {shown(signal, value)}"
            steps.append(Change(time_ns, bool(accept(value, wanted)), text))
            last_ns = time_ns
        if last_ns is not None and fresh_ns and until_ns > last_ns + fresh_ns:
            steps.append(_gone(message, last_ns + fresh_ns))
        return _history(since_ns, steps)

    def _frames(
        self, rig: Bench, message: Message, since_ns: int, until_ns: int
    ) -> Iterator[tuple[int, str, bytes]]:
        """End, bus and payload of the last frame up to `since_ns`, and of all up to `until_ns`."""
        frames = rig.recorder.frames
        stretches = list(frames.columns())
        wanted = self._sources(frames, message)
        first = len(stretches)
        while first and stretches[first - 1].eof_ns[-1] > since_ns:
            first -= 1
        for stretch in reversed(stretches[: first + 1]):
            found = _matching(stretch, wanted, -1, since_ns)
            if len(found):
                yield from _records(frames, stretch, found[-1:])
                break
        for stretch in stretches[first:]:
            yield from _records(frames, stretch, _matching(stretch, wanted, since_ns, until_ns))

    def _sources(self, frames: FrameLog, message: Message) -> list[int]:
        return [
            index
            for index, (channel, sender, header) in enumerate(frames.sources)
            if header.arbitration_id == message.arbitration_id
            and header.is_extended_id == message.is_extended_id
            and header.length == message.length
            and self.bus in (None, channel)
            and self.sender in (None, sender)
        ]

    def __str__(self) -> str:
        where = "" if self.bus is None else f" on {self.bus}"
        return f"{self.message}{where}: {self.signal} {self.op} {self.value}"


def _gone(message: Message, time_ns: int) -> Change:
    return Change(time_ns, False, f"{message.name} has not come for {STALE_CYCLES} cycles")


def _history(since_ns: int, steps: Sequence[Change]) -> History:
    """Of what was known at several times, some of them before `since_ns`."""
    holds, held = False, ""
    changes = []
    for step in steps:
        if step.holds == holds:
            continue
        holds = step.holds
        if step.time_ns > since_ns:
            changes.append(step)
        else:
            held = step.text if holds else ""
    return History(since_ns, held, tuple(changes))


def wanted_value(message: Message, signal: Signal, value: Number | str) -> Number:
    """The physical value behind a text of the value table; a number is itself."""
    if not isinstance(value, str):
        return value
    for raw, text in signal.choices.items():
        if text == value:
            return signal.to_physical(raw)
    raise UsageError(
        f"message {message.label}, signal {signal.name}",
        expected=f"a number or one of {', '.join(map(str, signal.choices.values())) or 'none'}",
        got=repr(value),
    )


def shown(signal: Signal, value: Number) -> str:
    """A value as the report says it: with its text or its unit."""
    text = signal.choices.get(int(signal.to_raw(value))) if signal.choices else None
    unit = f" {signal.unit}" if signal.unit and text is None else ""
    return f"{value:g}{unit}" if text is None else f"{value:g} ({text})"


def _matching(
    stretch: FrameColumns, wanted: Sequence[int], after_ns: int, until_ns: int
) -> NDArray[np.intp]:
    """Places of the wanted frames that ended after `after_ns` and not after `until_ns`."""
    inside = (stretch.eof_ns > after_ns) & (stretch.eof_ns <= until_ns)
    return np.flatnonzero(inside & np.isin(stretch.source, wanted))


def _records(
    frames: FrameLog, stretch: FrameColumns, places: NDArray[np.intp]
) -> Iterator[tuple[int, str, bytes]]:
    if not len(places):
        return
    lengths = np.array([header.length for _, _, header in frames.sources])[stretch.source]
    ends = np.cumsum(lengths)
    for place in places.tolist():
        end = int(ends[place])
        channel = frames.sources[int(stretch.source[place])][0]
        data = stretch.data[end - int(lengths[place]) : end]
        yield int(stretch.eof_ns[place]), channel, data


@dataclass(frozen=True, slots=True)
class ColumnHolds(Observation):
    """A recorded column of the physical truth, or the sum of several, has a value."""

    column: str | tuple[str, ...]
    op: str
    value: Number
    of_before: str | tuple[str, ...] = ()
    """Columns of whose sum at `since_ns` `value` is a share; empty where it is a plain value."""
    magnitude: bool = False
    """The sign does not matter."""
    as_change: bool = False
    """What counts is how far the column is from what it was at `since_ns`."""

    def __post_init__(self) -> None:
        _require_operator("ColumnHolds", self.op)
        if self.as_change and self.of_before:
            raise UsageError("ColumnHolds", expected="as_change or of_before", got="both")

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        first_row = max(0, since_ns // PLANT_PERIOD_NS - 1)  # the row of `since_ns` itself
        values = self._values(rig, self.column, first_row)
        values = values[: max(0, until_ns // PLANT_PERIOD_NS - first_row)]
        if not len(values):
            return History(since_ns, "")
        limit = float(self.value)
        if self.of_before:
            limit *= float(self._values(rig, self.of_before, first_row)[0])
        flags = OPERATORS[self.op](values, limit)
        known = first_row < since_ns // PLANT_PERIOD_NS
        held = self._text(float(values[0]), limit) if known and flags[0] else ""
        before = np.concatenate(([bool(held)], flags[:-1]))
        changes = []
        for row in np.flatnonzero(flags != before).tolist():
            time_ns = (first_row + row + 1) * PLANT_PERIOD_NS
            text = self._text(float(values[row]), limit)
            changes.append(Change(time_ns, bool(flags[row]), text))
        return History(since_ns, held, tuple(changes))

    def _values(
        self, rig: Bench, columns: str | tuple[str, ...], first_row: int
    ) -> NDArray[np.float64]:
        first, *others = (columns,) if isinstance(columns, str) else columns
        values = rig.recorder.column(first, first_row=first_row)
        for name in others:
            values = values + rig.recorder.column(name, first_row=first_row)
        if self.as_change and len(values):
            values = values - values[0]
        return np.abs(values) if self.magnitude else values

    def _text(self, value: Number, limit: Number) -> str:
        return f"{self._name} = {value:.4g}, {self.op} {limit:.4g}"

    @property
    def _name(self) -> str:
        name = f"change of {_named(self.column)}" if self.as_change else _named(self.column)
        return f"|{name}|" if self.magnitude else name

    def __str__(self) -> str:
        share = f" of {_named(self.of_before)} before" if self.of_before else ""
        return f"{self._name} {self.op} {self.value:g}{share}"


def _named(columns: str | tuple[str, ...]) -> str:
    return columns if isinstance(columns, str) else " + ".join(columns)


class _Combined(Observation):
    """Several observations; holds as `_holds` says of theirs."""

    __slots__ = ("parts",)

    parts: tuple[Observation, ...]

    def __init__(self, *parts: Observation) -> None:
        for part in parts:
            if not isinstance(part, Observation):
                raise UsageError(
                    type(self).__name__, expected="observations, as EventSeen", got=repr(part)
                )
        if not parts:
            raise UsageError(type(self).__name__, expected="at least one observation", got="none")
        object.__setattr__(self, "parts", parts)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.parts

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.parts))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    def _holds(self, flags: Sequence[bool]) -> bool:
        raise NotImplementedError

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        histories = [part.history(rig, since_ns, until_ns) for part in self.parts]
        flags = [bool(each.held) for each in histories]
        holds = self._holds(flags)
        held = "; ".join(each.held for each in histories if each.held) if holds else ""
        everything = sorted(
            ((change.time_ns, index, change) for index, each in enumerate(histories)
             for change in each.changes),
            key=lambda entry: entry[:2],
        )  # fmt: skip
        changes = []
        for time_ns, together in groupby(everything, key=lambda entry: entry[0]):
            text = ""
            for _, index, change in together:  # what happens in one instant happens at once
                flags[index] = change.holds
                text = change.text
            if self._holds(flags) != holds:
                holds = not holds
                changes.append(Change(time_ns, holds, text))
        return History(since_ns, held, tuple(changes))


class AnyOf(_Combined):
    """At least one of several holds; `first` is the earliest of theirs."""

    __slots__ = ()

    def _holds(self, flags: Sequence[bool]) -> bool:
        return any(flags)

    def first(self, rig: Bench, since_ns: int, until_ns: int) -> Evidence | None:
        """The earliest first of all parts, whether or not another part held before."""
        found = [part.first(rig, since_ns, until_ns) for part in self.parts]
        return min(
            (each for each in found if each is not None),
            key=operator.attrgetter("time_ns"),
            default=None,
        )

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


class AllOf(_Combined):
    """All of several hold at once."""

    __slots__ = ()

    def _holds(self, flags: Sequence[bool]) -> bool:
        return all(flags)

    def __str__(self) -> str:
        return " and ".join(
            f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts
        )


def _require_operator(where: str, op: str) -> None:
    if op not in OPERATORS:
        raise UsageError(f"{where}.op", expected=f"one of {', '.join(OPERATORS)}", got=repr(op))
