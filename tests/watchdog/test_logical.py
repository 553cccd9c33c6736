"""Logical supervision: the table of a graph, and the walker that carries it out as one AND."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.watchdog.logical import (
    IGNORED,
    TRANSITIONS,
    GraphEvent,
    GraphState,
    GraphWalker,
    next_state,
)
from simcore.watchdog.settings import LogicalSupervision

POINTS = "abcd"


def test_table_is_total_and_without_overlap() -> None:
    pairs = {(state, event) for state in GraphState for event in GraphEvent}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        ("INACTIVE", "ENTERED", "ACTIVE"),
        ("INACTIVE", "COMPLETED", "INACTIVE"),
        ("INACTIVE", "OUT_OF_ORDER", "INCORRECT"),
        ("ACTIVE", "ENTERED", "ACTIVE"),
        ("ACTIVE", "COMPLETED", "INACTIVE"),
        ("ACTIVE", "OUT_OF_ORDER", "INCORRECT"),
    ],
)
def test_graph_follows_the_standard(state: str, event: str, after: str) -> None:
    assert next_state(GraphState[state], GraphEvent[event]) is GraphState[after]


@pytest.mark.parametrize("event", GraphEvent)
def test_an_error_latches(event: GraphEvent) -> None:
    assert next_state(GraphState.INCORRECT, event) is GraphState.INCORRECT


@st.composite
def graphs(draw: st.DrawFn) -> LogicalSupervision:
    """Graphs over `POINTS`: what no way leads to is left out."""
    initial = draw(st.lists(st.sampled_from(POINTS), min_size=1, max_size=2, unique=True))
    final = draw(st.lists(st.sampled_from(POINTS), max_size=2, unique=True))
    pairs = st.tuples(st.sampled_from(POINTS), st.sampled_from(POINTS))
    drawn = draw(st.lists(pairs, max_size=9, unique=True))
    reached = list(initial)
    for point in reached:
        if point not in final:
            reached += [after for before, after in drawn if before == point]
            reached = list(dict.fromkeys(reached))
    transitions = tuple(pair for pair in drawn if pair[0] in reached and pair[0] not in final)
    ends = {after for _, after in transitions} | set(initial)
    return LogicalSupervision(
        tuple(initial), tuple(point for point in final if point in ends), transitions
    )


@given(graph=graphs(), walk=st.lists(st.sampled_from(POINTS), max_size=30))
def test_walker_does_what_the_table_says(graph: LogicalSupervision, walk: list[str]) -> None:
    walker = GraphWalker(graph)
    state, last = GraphState.INACTIVE, ""
    for point in [point for point in walk if point in graph.checkpoints]:
        if state is GraphState.INACTIVE:
            right = point in graph.initial
        else:
            right = (last, point) in graph.transitions
        event = GraphEvent.COMPLETED if point in graph.final else GraphEvent.ENTERED
        found = state is not GraphState.INCORRECT and not right
        state, last = next_state(state, event if right else GraphEvent.OUT_OF_ORDER), point
        allowed, after = walker.step(point)
        if walker.place & allowed:
            walker.place = after
            assert not found
        else:
            assert bool(walker.out_of_order(point)) is found
        assert walker.state is state


def walked(*points: str) -> GraphWalker:
    walker = GraphWalker(
        LogicalSupervision(
            ("start", "retry"), ("end",), (("start", "work"), ("retry", "work"), ("work", "end"))
        )
    )
    for point in points:
        _, walker.place = walker.step(point)
    return walker


@pytest.mark.parametrize(
    ("points", "point", "text"),
    [
        (("start",), "end", "order: control.end after control.start"),
        (("start", "work", "end"), "end", "order: control.end before control.start or control.ret"),
        ((), "work", "order: control.work before control.start or control.retry"),
    ],
)
def test_a_finding_tells_the_two_checkpoints(
    points: tuple[str, ...], point: str, text: str
) -> None:
    assert walked(*points).out_of_order(point, entity="control").startswith(text)


def test_a_finding_of_an_external_graph_has_full_names_already() -> None:
    assert walked("start").out_of_order("end") == "order: end after start"


def test_a_latched_graph_finds_nothing_more() -> None:
    walker = walked("start")
    walker.out_of_order("end")
    assert walker.out_of_order("end") == ""
