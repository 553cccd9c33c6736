"""Strategies of the faults of an ECU, by the names of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.faults import (
    BitFlip,
    BrownOut,
    ClockDrift,
    EcuReset,
    EcuSilent,
    Fault,
    FlashPowerCut,
    OutputStuck,
    StackRestart,
    TaskDoubled,
    TaskHung,
    TaskOrderSwapped,
    TaskSkipped,
    TaskSlow,
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.testing.strategies.inventory import Inventory
from simcore.units import NS_PER_MS
from simcore.update.flash import CutKind

Faults = SearchStrategy[Fault]
_MANTISSA_BITS = 52
"""A flip below these leaves a float a number."""
_CURRENT_MAX_A = 60.0


def _on(
    nodes: tuple[str, ...] | Mapping[str, object],
    kind: Callable[..., Fault],
    /,
    **more: SearchStrategy[Any],
) -> Faults:
    return st.builds(kind, node=st.sampled_from(tuple(nodes)), **more) if nodes else st.nothing()


def _tasks(have: Inventory, kind: Callable[..., Fault], **more: SearchStrategy[Any]) -> Faults:
    places = st.sampled_from([(node, task) for node in have.tasks for task in have.tasks[node]])
    return st.builds(_of_task, st.just(kind), places, **more)


def _of_task(kind: Callable[..., Fault], place: tuple[str, str], **more: Any) -> Fault:
    return kind(node=place[0], task=place[1], **more)


@st.composite
def _swaps(draw: DrawFn, have: Inventory) -> Fault:
    node = draw(st.sampled_from(tuple(have.swaps)))
    first, second = draw(st.sampled_from(have.swaps[node]))
    return TaskOrderSwapped(node=node, first=first, second=second)


@st.composite
def _flips(draw: DrawFn, have: Inventory) -> Fault:
    node = draw(st.sampled_from(tuple(have.variables)))
    return BitFlip(
        node=node,
        variable=draw(st.sampled_from(have.variables[node])),
        bit=draw(st.integers(0, _MANTISSA_BITS - 1)),
    )


@st.composite
def _stuck(draw: DrawFn, have: Inventory) -> Fault:
    """A pin, which is a motor's current or a lock, or a variable; towards 0."""
    if have.outputs and (not have.variables or draw(st.booleans())):
        node = draw(st.sampled_from(tuple(have.outputs)))
        pin = draw(st.sampled_from(have.outputs[node]))
        most = 1.0 if pin.endswith("_state") else _CURRENT_MAX_A
        value = draw(st.integers(0, 10)) / 10 * most
        return OutputStuck(node=node, pin=pin, value=round(value) if most == 1.0 else value)
    node = draw(st.sampled_from(tuple(have.variables)))
    return OutputStuck(
        node=node,
        variable=draw(st.sampled_from(have.variables[node])),
        value=float(draw(st.integers(-1000, 1000))),
    )


def _services(have: Inventory, kind: Callable[..., Fault], **more: SearchStrategy[Any]) -> Faults:
    return _on(have.watchdogs, kind, count=st.none() | st.integers(1, 10), **more)


def _times(low_ms: int, high_ms: int) -> SearchStrategy[int]:
    return st.integers(low_ms, high_ms).map(_to_ns)


def _to_ns(duration_ms: int) -> int:
    return duration_ms * NS_PER_MS


_PPM = st.sampled_from((100.0, -100.0, 1_000.0, -1_000.0, 10_000.0, -10_000.0, 100_000.0))

ECU: dict[str, Callable[[Inventory], Faults]] = {
    "BitFlip": lambda have: _flips(have) if have.variables else st.nothing(),
    "BrownOut": lambda have: _on(have.nodes, BrownOut, off_ns=_times(1, 500)),
    "ClockDrift": lambda have: _on(have.nodes, ClockDrift, ppm=_PPM),
    "EcuReset": lambda have: _on(have.nodes, EcuReset),
    "EcuSilent": lambda have: _on(have.nodes, EcuSilent),
    "FlashPowerCut": lambda have: _on(
        have.flashes,
        FlashPowerCut,
        operation=st.integers(1, 1000),
        kind=st.sampled_from(CutKind),
        seed=st.integers(0, 3),
        off_ns=_times(1, 500),
    ),
    "OutputStuck": lambda have: _stuck(have) if have.outputs or have.variables else st.nothing(),
    "StackRestart": lambda have: _on(have.tasks, StackRestart),
    "TaskDoubled": lambda have: _tasks(have, TaskDoubled) if have.tasks else st.nothing(),
    "TaskHung": lambda have: _tasks(have, TaskHung) if have.tasks else st.nothing(),
    "TaskOrderSwapped": lambda have: _swaps(have) if have.swaps else st.nothing(),
    "TaskSkipped": lambda have: (
        _tasks(have, TaskSkipped, every=st.integers(1, 10)) if have.tasks else st.nothing()
    ),
    "TaskSlow": lambda have: (
        _tasks(have, TaskSlow, factor=st.integers(2, 100).map(float))
        if have.tasks
        else st.nothing()
    ),
    "WatchdogAnswerEarly": lambda have: _services(
        have, WatchdogAnswerEarly, after_ns=_times(1, 20)
    ),
    "WatchdogAnswerLate": lambda have: _services(have, WatchdogAnswerLate, delay_ns=_times(1, 100)),
    "WatchdogAnswerMissing": lambda have: _services(have, WatchdogAnswerMissing),
    "WatchdogAnswerWrong": lambda have: _services(have, WatchdogAnswerWrong, bit=st.integers(0, 7)),
}
