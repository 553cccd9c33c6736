"""Logical supervision: do checkpoints come in an order that the graph allows?

The machine of a graph is the table below (SWS_WdgM_00273, 00274, 00297, 00331, 00332). A checkpoint
amounts to one event by where the graph stands; `GraphWalker` holds where it stands as one bit, so
that at run time the table is one AND: every checkpoint has the mask of the places it may come after
and the place it leads to. A test holds the two against each other.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.watchdog.settings import ExternalGraph, LogicalSupervision


@unique
class GraphState(IntEnum):
    """Where a graph stands."""

    INACTIVE = 0
    ACTIVE = 1
    INCORRECT = 2
    """Latched until the supervision is started again or the mode activates the graph anew."""


@unique
class GraphEvent(IntEnum):
    """What a checkpoint of the graph is, by the last one."""

    ENTERED = 0
    """Inactive: an initial checkpoint. Active: a configured transition."""
    COMPLETED = 1
    """As `ENTERED`, and the checkpoint is a final one."""
    OUT_OF_ORDER = 2
    """Anything else."""


TRANSITIONS: dict[tuple[GraphState, GraphEvent], GraphState] = {
    (GraphState.INACTIVE, GraphEvent.ENTERED): GraphState.ACTIVE,  # 00273, 00332
    (GraphState.INACTIVE, GraphEvent.OUT_OF_ORDER): GraphState.INCORRECT,  # 00274
    (GraphState.ACTIVE, GraphEvent.COMPLETED): GraphState.INACTIVE,  # 00297, 00331
    (GraphState.ACTIVE, GraphEvent.OUT_OF_ORDER): GraphState.INCORRECT,  # 00274
}
"""Comments: SWS_WdgM_xxxxx."""

IGNORED: frozenset[tuple[GraphState, GraphEvent]] = frozenset(
    {
        # Initial and final at once: a graph of one step, over as soon as it begins.
        (GraphState.INACTIVE, GraphEvent.COMPLETED),
        # On to the next checkpoint.
        (GraphState.ACTIVE, GraphEvent.ENTERED),
    }
    # What was wrong once is not judged further: the one who broke the order is known.
    | {(GraphState.INCORRECT, event) for event in GraphEvent}
)
"""Pairs that change no state. Together with `TRANSITIONS` they are all pairs."""


def next_state(state: GraphState, event: GraphEvent) -> GraphState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


INACTIVE = 1
"""The bit of an inactive graph; those of the checkpoints follow."""

INCORRECT = 0
"""No bit: nothing may come after."""


class GraphWalker:
    """Where one graph stands. The checkpoints write `place`."""

    __slots__ = ("graph", "place", "_bits")

    def __init__(self, graph: LogicalSupervision | ExternalGraph) -> None:
        self.graph = graph
        self.place = INACTIVE
        self._bits = {point: 2 << index for index, point in enumerate(graph.checkpoints)}

    def __deepcopy__(self, memo: dict[int, object]) -> GraphWalker:
        """A copy; it shares all but the place, which is all that changes."""
        twin = GraphWalker.__new__(GraphWalker)
        twin.graph, twin.place, twin._bits = self.graph, self.place, self._bits
        return twin

    @property
    def state(self) -> GraphState:
        """The place as a state of the table."""
        if self.place == INCORRECT:
            return GraphState.INCORRECT
        return GraphState.INACTIVE if self.place == INACTIVE else GraphState.ACTIVE

    def step(self, point: str) -> tuple[int, int]:
        """Of a checkpoint: the places it may come after, as a mask, and the place it leads to."""
        graph, bits = self.graph, self._bits
        allowed = INACTIVE if point in graph.initial else 0
        for before, after in graph.transitions:
            if after == point:
                allowed |= bits[before]
        return allowed, INACTIVE if point in graph.final else bits[point]

    def out_of_order(self, point: str, *, entity: str = "") -> str:
        """`point` came where it must not: what is wrong, or nothing where that is known already.

        `entity` is the one of an internal graph, for the text.
        """
        place = self.place
        self.place = INCORRECT
        if place == INCORRECT:
            return ""
        prefix = f"{entity}." if entity else ""
        if place == INACTIVE:
            first = " or ".join(prefix + initial for initial in self.graph.initial)
            return f"order: {prefix}{point} before {first}"
        last = next(name for name, bit in self._bits.items() if bit == place)
        return f"order: {prefix}{point} after {prefix}{last}"
