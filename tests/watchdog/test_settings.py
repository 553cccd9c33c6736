"""Settings of the supervision: what is right is taken, every mistake is refused by name."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.units import ms
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

GRAPH = LogicalSupervision(("start",), ("end",), (("start", "end"),))
CONTROL = SupervisedEntity("control", ("start", "end"), GRAPH)
COMM = SupervisedEntity("comm", ("start", "end"))
RUN = SupervisionMode(
    "run",
    (
        EntityMode(
            "control",
            (AliveSupervision("start", 3, 2, 1, 1),),
            (DeadlineSupervision("start", "end", 0, ms(2)),),
            failed_alive_tolerance=2,
        ),
        EntityMode("comm"),
    ),
    (ExternalGraph(("control.end",), ("comm.start",), (("control.end", "comm.start"),)),),
    expired_tolerance=3,
)
SETTINGS = SupervisionSettings(ms(5), (CONTROL, COMM), (RUN,))


def mode_of(*entities: EntityMode, **rest: Any) -> SupervisionSettings:
    return SupervisionSettings(ms(5), (CONTROL, COMM), (SupervisionMode("run", entities, **rest),))


def test_margins_widen_what_is_allowed() -> None:
    alive = AliveSupervision("start", 5, 2, min_margin=2, max_margin=1)
    assert (alive.min_count, alive.max_count) == (3, 6)


def test_checkpoints_are_numbered_in_the_order_of_the_entities() -> None:
    assert SETTINGS.checkpoints == ("control.start", "control.end", "comm.start", "comm.end")


def test_a_graph_tells_its_checkpoints_in_the_order_of_first_mention() -> None:
    graph = LogicalSupervision(("a", "b"), ("d",), (("a", "c"), ("b", "c"), ("c", "d")))
    assert graph.checkpoints == ("a", "b", "c", "d")


def test_a_mode_is_found_by_name() -> None:
    assert SETTINGS.mode("run") is RUN


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^supervision mode: expected one of run, got 'walk'$"):
        SETTINGS.mode("walk")


@pytest.mark.parametrize("part", [SETTINGS, RUN, CONTROL, GRAPH, RUN.entities[0], RUN.external[0]])
def test_a_copy_of_settings_is_the_same_object(part: object) -> None:
    assert copy.deepcopy(part) is part
    assert copy.copy(part) is part


def test_settings_survive_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS


MISTAKES: list[tuple[str, Callable[[], object], str]] = [
    (
        "alive without a name",
        lambda: AliveSupervision("", 1),
        r"^AliveSupervision, checkpoint: expected a name, got ''$",
    ),
    (
        "negative expected count",
        lambda: AliveSupervision("start", -1),
        r"^AliveSupervision of start, expected_count: expected a whole number >= 0, got -1$",
    ),
    (
        "expected count is no whole number",
        lambda: AliveSupervision("start", 1.5),  # type: ignore[arg-type]
        r"^AliveSupervision of start, expected_count: expected a whole number >= 0, got 1.5$",
    ),
    (
        "no reference cycle",
        lambda: AliveSupervision("start", 1, 0),
        r"^AliveSupervision of start, reference_cycles: expected a whole number >= 1, got 0$",
    ),
    (
        "negative min margin",
        lambda: AliveSupervision("start", 1, 1, -1),
        r"^AliveSupervision of start, min_margin: expected a whole number >= 0, got -1$",
    ),
    (
        "negative max margin",
        lambda: AliveSupervision("start", 1, 1, 0, -1),
        r"^AliveSupervision of start, max_margin: expected a whole number >= 0, got -1$",
    ),
    (
        "margin larger than the expected count",
        lambda: AliveSupervision("start", 1, 1, 2),
        r"^AliveSupervision of start, min_margin: expected at most expected_count, 1, got 2$",
    ),
    (
        "deadline between nothing",
        lambda: DeadlineSupervision("start", "", 0, 1),
        r"^DeadlineSupervision, stop: expected a name, got ''$",
    ),
    (
        "deadline without a start",
        lambda: DeadlineSupervision("", "end", 0, 1),
        r"^DeadlineSupervision, start: expected a name, got ''$",
    ),
    (
        "deadline from a checkpoint to itself",
        lambda: DeadlineSupervision("start", "start", 0, 1),
        r"^DeadlineSupervision start..start: expected two checkpoints, got the same one twice$",
    ),
    (
        "negative deadline",
        lambda: DeadlineSupervision("start", "end", -1, 1),
        r"^DeadlineSupervision start..end, min_ns: expected a whole number >= 0, got -1$",
    ),
    (
        "deadline at once",
        lambda: DeadlineSupervision("start", "end", 0, 0),
        r"^DeadlineSupervision start..end, max_ns: expected a whole number >= 1, got 0$",
    ),
    (
        "min over max",
        lambda: DeadlineSupervision("start", "end", ms(3), ms(2)),
        r"^DeadlineSupervision start..end, min_ns: expected at most max_ns, 2 ms, got 3 ms$",
    ),
    (
        "graph without initial",
        lambda: LogicalSupervision((), ("end",), (("start", "end"),)),
        r"^LogicalSupervision, initial: expected at least one checkpoint, got none$",
    ),
    (
        "external graph without initial",
        lambda: ExternalGraph((), ("a.end",), (("b.start", "a.end"),)),
        r"^ExternalGraph, initial: expected at least one checkpoint, got none$",
    ),
    (
        "graph with an initial twice",
        lambda: LogicalSupervision(("start", "start"), (), ()),
        r"^LogicalSupervision, initial: expected every name once, got start twice$",
    ),
    (
        "graph with a string for a tuple",
        lambda: LogicalSupervision("start", (), ()),  # type: ignore[arg-type]
        r"^LogicalSupervision, initial: expected a tuple of names, got 'start'$",
    ),
    (
        "graph with a transition of three",
        lambda: LogicalSupervision(("a",), (), (("a", "b", "c"),)),  # type: ignore[arg-type]
        r"^LogicalSupervision, transitions: expected a tuple of \(from, to\), got \(\('a', 'b',",
    ),
    (
        "graph with a nameless transition",
        lambda: LogicalSupervision(("a",), (), (("a", ""),)),
        r"^LogicalSupervision, transitions: expected a name, got ''$",
    ),
    (
        "graph with a transition twice",
        lambda: LogicalSupervision(("a",), (), (("a", "b"), ("a", "b"))),
        r"^LogicalSupervision, transitions: expected every name once, got a -> b twice$",
    ),
    (
        "graph with a checkpoint that cannot come",
        lambda: LogicalSupervision(("a",), ("d",), (("a", "b"), ("c", "d"))),
        r"expected a way from an initial checkpoint to every other one, got none to c, d$",
    ),
    (
        "graph with a way on from a final checkpoint",
        lambda: LogicalSupervision(("a",), ("b",), (("a", "b"), ("b", "a"))),
        r"^LogicalSupervision, transitions: expected none from b, which is final, got b -> a$",
    ),
    (
        "entity without a name",
        lambda: SupervisedEntity("", ("start",)),
        r"^SupervisedEntity, name: expected a name, got ''$",
    ),
    (
        "entity without checkpoints",
        lambda: SupervisedEntity("control", ()),
        r"^SupervisedEntity control, checkpoints: expected at least one, got none$",
    ),
    (
        "duplicate checkpoint",
        lambda: SupervisedEntity("control", ("start", "end", "start")),
        r"^SupervisedEntity control, checkpoints: expected every name once, got start twice$",
    ),
    (
        "entity with a dot",
        lambda: SupervisedEntity("control.fast", ("start",)),
        r"^SupervisedEntity control.fast: expected names without a dot, got 'control.fast'$",
    ),
    (
        "checkpoint with a dot",
        lambda: SupervisedEntity("control", ("control.start",)),
        r"^SupervisedEntity control: expected names without a dot, got 'control.start'$",
    ),
    (
        "graph with an unknown checkpoint",
        lambda: SupervisedEntity("control", ("start",), GRAPH),
        r"^SupervisedEntity control, logical: expected one of start, got 'end'$",
    ),
    (
        "something else for a graph",
        lambda: SupervisedEntity("control", ("start",), "graph"),  # type: ignore[arg-type]
        r"^SupervisedEntity control, logical: expected LogicalSupervision, got 'graph'$",
    ),
    (
        "mode of an entity without a name",
        lambda: EntityMode(""),
        r"^EntityMode, entity: expected a name, got ''$",
    ),
    (
        "negative tolerance",
        lambda: EntityMode("control", failed_alive_tolerance=-1),
        r"^EntityMode of control, failed_alive_tolerance: expected a whole number >= 0, got -1$",
    ),
    (
        "two alive supervisions of a checkpoint",
        lambda: EntityMode("control", (AliveSupervision("end", 1), AliveSupervision("end", 2))),
        r"^EntityMode of control, alive: expected every name once, got end twice$",
    ),
    (
        "two deadlines between the same checkpoints",
        lambda: EntityMode("control", (), (DeadlineSupervision("start", "end", 0, 1),) * 2),
        r"^EntityMode of control, deadline: expected every name once, got start..end twice$",
    ),
    (
        "one alive supervision without a tuple",
        lambda: EntityMode("control", AliveSupervision("end", 1)),  # type: ignore[arg-type]
        r"^EntityMode of control, alive: expected a tuple of AliveSupervision, got AliveSuperv",
    ),
    (
        "a deadline among the alive supervisions",
        lambda: EntityMode("a", (DeadlineSupervision("x", "y", 0, 1),)),  # type: ignore[arg-type]
        r"^EntityMode of a, alive: expected AliveSupervision, got DeadlineSupervision\(",
    ),
    (
        "mode without a name",
        lambda: SupervisionMode("", ()),
        r"^SupervisionMode, name: expected a name, got ''$",
    ),
    (
        "mode with an entity twice",
        lambda: SupervisionMode("run", (EntityMode("control"), EntityMode("control"))),
        r"^SupervisionMode run, entities: expected every name once, got control twice$",
    ),
    (
        "mode with an external graph twice",
        lambda: SupervisionMode("run", (), RUN.external * 2),
        r"^SupervisionMode run, external: expected every graph once, got one twice$",
    ),
    (
        "negative expired tolerance",
        lambda: SupervisionMode("run", (), expired_tolerance=-1),
        r"^SupervisionMode run, expired_tolerance: expected a whole number >= 0, got -1$",
    ),
    (
        "no cycle",
        lambda: SupervisionSettings(0, (CONTROL,), (SupervisionMode("run", ()),)),
        r"^SupervisionSettings, cycle_ns: expected a whole number >= 1, got 0$",
    ),
    (
        "no entity",
        lambda: SupervisionSettings(ms(5), (), (SupervisionMode("run", ()),)),
        r"^SupervisionSettings, entities: expected at least one, got none$",
    ),
    (
        "no mode",
        lambda: SupervisionSettings(ms(5), (CONTROL,), ()),
        r"^SupervisionSettings, modes: expected at least one, got none$",
    ),
    (
        "entities of one name",
        lambda: SupervisionSettings(ms(5), (COMM, COMM), (SupervisionMode("run", ()),)),
        r"^SupervisionSettings, entities: expected every name once, got comm twice$",
    ),
    (
        "modes of one name",
        lambda: SupervisionSettings(ms(5), (COMM,), (SupervisionMode("run", ()),) * 2),
        r"^SupervisionSettings, modes: expected every name once, got run twice$",
    ),
    (
        "mode with an unknown entity",
        lambda: mode_of(EntityMode("brake")),
        r"^SupervisionMode run, entities: expected one of control, comm, got 'brake'$",
    ),
    (
        "alive supervision of an unknown checkpoint",
        lambda: mode_of(EntityMode("control", (AliveSupervision("middle", 1),))),
        r"^SupervisionMode run, control, alive: expected one of start, end, got 'middle'$",
    ),
    (
        "deadline to an unknown checkpoint",
        lambda: mode_of(EntityMode("comm", (), (DeadlineSupervision("start", "middle", 0, 1),))),
        r"^SupervisionMode run, comm, deadline: expected one of start, end, got 'middle'$",
    ),
    (
        "external graph with an unknown checkpoint",
        lambda: mode_of(EntityMode("comm"), external=(ExternalGraph(("comm.stop",), (), ()),)),
        r"^SupervisionMode run, external: expected one of comm.start, comm.end, got 'comm.stop'$",
    ),
    (
        "external graph through an entity that the mode does not supervise",
        lambda: mode_of(EntityMode("comm"), external=RUN.external),
        r"expected one of comm.start, comm.end, got 'control.end'$",
    ),
]


@pytest.mark.parametrize(
    ("make", "text"), [mistake[1:] for mistake in MISTAKES], ids=[each[0] for each in MISTAKES]
)
def test_a_mistake_is_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make()
