"""Random walks of the Watchdog Manager against a model that is written the other way round.

The manager counts as things come. The model keeps what came, every step of it, and judges each
cycle from that history alone: slices for alive supervision, a replay for deadlines and graphs.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    StatusChange,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
    WatchdogManager,
)

POINTS = ("x", "y", "z")
NAMES = ("a", "b")
MODES = ("first", "second")


@dataclass
class Step:
    """`what` is `reach`, `cycle` or `mode`; `name` the checkpoint or mode."""

    what: str
    name: str
    time_ns: int


@dataclass
class Model:
    """What the standard says about a history of steps."""

    settings: SupervisionSettings
    steps: list[Step] = field(default_factory=list)
    local: dict[str, str] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    overall: str = "OK"
    expired_cycles: int = 0
    first_expired: str | None = None
    judged: int = 0
    """Steps that deadline and logical supervision have judged."""

    def __post_init__(self) -> None:
        self.local = dict.fromkeys(NAMES, "DEACTIVATED")
        self.failed = dict.fromkeys(NAMES, 0)
        self._enter(self.settings.modes[0], 0)

    def take(self, step: Step) -> None:
        if step.what == "mode" and self.overall not in ("OK", "FAILED"):
            return
        if step.what == "mode":
            self._judge_flow()
        self.steps.append(step)
        if step.what == "mode":
            self._enter(self.settings.mode(step.name), step.time_ns)
        if step.what == "cycle":
            self._cycle()

    def _enter(self, mode: SupervisionMode, now_ns: int) -> None:
        if not self.steps:
            self.steps.append(Step("mode", mode.name, now_ns))
        for name in NAMES:
            inside = any(each.entity == name for each in mode.entities)
            if self.local[name] == "DEACTIVATED" and inside:
                self.local[name], self.failed[name] = "OK", 0
            if self.local[name] in ("OK", "FAILED") and not inside:
                self.local[name] = "DEACTIVATED"

    def _mode_at(self, index: int) -> SupervisionMode:
        last = [step for step in self.steps[: index + 1] if step.what == "mode"][-1]
        return self.settings.mode(last.name)

    def _entity_mode(self, mode: SupervisionMode, name: str) -> EntityMode:
        return next(each for each in mode.entities if each.entity == name)

    def _in_force_since(self, what: object, kind: str, name: str) -> int:
        """The step with which a supervision came into force, without a gap until now."""
        since = len(self.steps)
        for index in range(len(self.steps) - 1, -1, -1):
            mode = self._mode_at(index)
            if kind == "external":
                there = what in mode.external
            else:
                own = [each for each in mode.entities if each.entity == name]
                there = any(
                    kind == "internal"
                    or (kind == "alive" and what in each.alive)
                    or (kind == "deadline" and what in each.deadline)
                    for each in own
                )
            if not there:
                break
            since = index
        return since

    # ---- a cycle ----

    def _cycle(self) -> None:
        self._judge_flow()
        mode = self._mode_at(len(self.steps) - 1)
        for each in [m for name in NAMES for m in mode.entities if m.entity == name]:
            self._judge_alive(each)
        if "EXPIRED" in self.local.values():
            self.expired_cycles += 1
            beyond = self.expired_cycles > mode.expired_tolerance
            self.overall = "STOPPED" if beyond or self.overall == "STOPPED" else "EXPIRED"
        else:
            self.overall = "FAILED" if "FAILED" in self.local.values() else "OK"

    def _expire(self, name: str) -> None:
        self.local[name] = "EXPIRED"
        self.first_expired = self.first_expired or name

    def _judge_alive(self, entity: EntityMode) -> None:
        name = entity.entity
        verdicts = [self._alive_verdicts(alive, name) for alive in entity.alive]
        now = sum(1 for step in self.steps if step.what == "cycle")
        ended = [each for each in verdicts if each and each[-1][0] == now]
        if self.local[name] not in ("OK", "FAILED") or not ended:
            return
        if any(not each[-1][1] for each in ended):
            self.failed[name] += 1
            self.local[name] = "FAILED"
            if self.failed[name] > entity.failed_alive_tolerance:
                self._expire(name)
        elif self.local[name] == "FAILED" and all(each[-1][1] for each in verdicts if each):
            self.failed[name] -= 1
            if self.failed[name] <= 0:
                self.local[name], self.failed[name] = "OK", 0

    def _alive_verdicts(self, alive: AliveSupervision, name: str) -> list[tuple[int, bool]]:
        """Number of the cycle that ended a reference cycle, and whether that was correct."""
        since = self._in_force_since(alive, "alive", name)
        cycles = [i for i, step in enumerate(self.steps) if step.what == "cycle"]
        own = [index for index in cycles if index > since]
        verdicts = []
        for k in range(alive.reference_cycles, len(own), alive.reference_cycles):
            part = self.steps[own[k - alive.reference_cycles] : own[k]]
            count = len([s for s in part if s.name == f"{name}.{alive.checkpoint}"])
            deviation = count - alive.expected_count
            correct = -alive.min_margin <= deviation <= alive.max_margin
            verdicts.append((cycles.index(own[k]) + 1, correct))
        return verdicts

    def _judge_flow(self) -> None:
        mode = self._mode_at(len(self.steps) - 1)
        found: list[tuple[int, str]] = []
        for each in mode.entities:
            found += [(i, each.entity) for d in each.deadline for i in self._late(d, each.entity)]
            entity = next(e for e in self.settings.entities if e.name == each.entity)
            if entity.logical is not None:
                found += self._disordered(entity.logical, f"{each.entity}.", each.entity)
        for graph in mode.external:
            found += self._disordered(graph, "", "")
        new = {name for index, name in found if index >= self.judged}
        self.judged = len(self.steps)
        for name in NAMES:
            if name in new and self.local[name] in ("OK", "FAILED"):
                self._expire(name)

    def _late(self, deadline: DeadlineSupervision, name: str) -> list[int]:
        """The steps at which a deadline was found to be broken."""
        found: list[int] = []
        began_ns: int | None = None
        since = self._in_force_since(deadline, "deadline", name)
        for index, step in enumerate(self.steps[since:], start=since):
            is_start = step.name == f"{name}.{deadline.start}"
            is_stop = step.name == f"{name}.{deadline.stop}"
            took_ns = None if began_ns is None else step.time_ns - began_ns
            if took_ns is not None and (step.what == "cycle" or is_start):
                if took_ns > deadline.max_ns:
                    found.append(index)
                    began_ns = None
            if took_ns is not None and is_stop:
                began_ns = None
                if not deadline.min_ns <= took_ns <= deadline.max_ns:
                    found.append(index)
            if is_start:
                began_ns = step.time_ns
        return found

    def _disordered(
        self, graph: LogicalSupervision | ExternalGraph, prefix: str, name: str
    ) -> list[tuple[int, str]]:
        """The step that left the graph, if one did, and the entity it belongs to."""
        kind = "internal" if name else "external"
        since = self._in_force_since(graph, kind, name)
        path: list[str] = []
        for index, step in enumerate(self.steps[since:], start=since):
            point = step.name.removeprefix(prefix)
            mine = step.what == "reach" and step.name.startswith(prefix)
            if not mine or point not in graph.checkpoints:
                continue
            allowed = (path[-1], point) in graph.transitions if path else point in graph.initial
            if not allowed:
                return [(index, step.name.partition(".")[0])]
            path = [] if point in graph.final else [*path, point]
        return []


# ---- settings and walks ----


@st.composite
def entity_modes(draw: st.DrawFn, name: str) -> EntityMode:
    alive = []
    for point in draw(st.lists(st.sampled_from(POINTS), max_size=2, unique=True)):
        expected = draw(st.integers(0, 2))
        alive.append(
            AliveSupervision(
                point,
                expected,
                draw(st.integers(1, 3)),
                draw(st.integers(0, expected)),
                draw(st.integers(0, 2)),
            )
        )
    pairs = [("x", "y"), ("y", "z"), ("x", "z")]
    deadline = []
    for start, stop in draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True)):
        low = draw(st.integers(0, 2))
        deadline.append(DeadlineSupervision(start, stop, low, draw(st.integers(6, 14))))
    return EntityMode(name, tuple(alive), tuple(deadline), draw(st.integers(0, 2)))


INTERNAL = [
    None,
    None,
    LogicalSupervision(("x",), ("z",), (("x", "y"), ("y", "z"), ("y", "y"))),
    LogicalSupervision(("x", "y"), (), (("x", "y"), ("y", "x"))),
]
EXTERNAL = [
    ExternalGraph(("a.x",), ("b.x",), (("a.x", "b.x"),)),
    ExternalGraph(("a.z", "b.z"), ("a.z",), (("b.z", "a.z"), ("b.z", "b.z"))),
]


@st.composite
def supervisions(draw: st.DrawFn) -> SupervisionSettings:
    some = st.lists(st.sampled_from(EXTERNAL), max_size=2, unique=True)
    graphs = st.booleans().flatmap(lambda free: some.map(lambda drawn: [] if free else drawn))
    of_a = entity_modes("a")
    first = SupervisionMode(
        "first", (draw(of_a), draw(entity_modes("b"))), tuple(draw(graphs)), draw(st.integers(0, 3))
    )
    kept = draw(st.booleans())
    second = SupervisionMode(
        "second",
        (first.entities[0] if kept else draw(of_a),),
        expired_tolerance=draw(st.integers(0, 3)),
    )
    third = SupervisionMode("third", first.entities, tuple(draw(graphs)), first.expired_tolerance)
    entities = tuple(
        SupervisedEntity(name, POINTS, draw(st.sampled_from(INTERNAL))) for name in NAMES
    )
    return SupervisionSettings(5, entities, (first, second, third))


WAITS = st.integers(0, 6)
REACHES = st.tuples(
    st.just("reach"), st.sampled_from([f"{name}.{point}" for name in NAMES for point in POINTS])
)
CYCLES = st.tuples(st.just("cycle"), st.just(""))
CHANGES = st.tuples(st.just("mode"), st.sampled_from(["first", "second", "third"]))


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[tuple[str, str], int]]:
    """An entity once through its checkpoints, mostly all: what keeps graphs and deadlines alive."""
    name = draw(st.sampled_from(NAMES))
    points = draw(st.sampled_from([POINTS, POINTS, POINTS, ("x",), ("x", "y"), ("x", "z")]))
    return [(("reach", f"{name}.{point}"), draw(WAITS)) for point in points]


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[tuple[str, str], int]]:
    """Runs and cycles, seldom a change of mode, more or less disturbed by single checkpoints."""
    alone = st.tuples(st.one_of(CYCLES, CYCLES, CYCLES, CHANGES), WAITS).map(lambda each: [each])
    stray = st.tuples(REACHES, WAITS).map(lambda each: [each])
    parts = [runs(), alone] + [stray] * draw(st.integers(0, 1))
    drawn = draw(st.lists(st.one_of(parts), max_size=40))
    return [step for part in drawn for step in part]


WALKS = walks()


def do(manager: WatchdogManager, step: Step) -> tuple[StatusChange, ...]:
    if step.what == "reach":
        manager.reached(manager.checkpoint(step.name), step.time_ns)
        return ()
    if step.what == "cycle":
        return manager.main_function(step.time_ns)
    return manager.set_mode(step.name, step.time_ns)


def seen(manager: WatchdogManager) -> dict[str, str]:
    return {name: manager.local_status(name).name for name in NAMES}


@settings(max_examples=150)
@given(supervision=supervisions(), walk=WALKS)
def test_manager_and_model_agree_after_every_step(
    supervision: SupervisionSettings, walk: list[tuple[tuple[str, str], int]]
) -> None:
    manager, model, now_ns = WatchdogManager(supervision), Model(supervision), 0
    manager.start(0)
    for (what, name), wait_ns in walk:
        now_ns += wait_ns
        step = Step(what, name, now_ns)
        before = seen(manager) | {"": manager.global_status.name}
        changes = do(manager, step)
        model.take(step)
        assert seen(manager) == model.local
        assert manager.global_status.name == model.overall
        assert manager.first_expired == model.first_expired
        assert manager.may_trigger is (model.overall != "STOPPED")
        for change in changes:
            assert before[change.entity] == change.before.name
            assert change.before is not change.after
            assert change.reason
            before[change.entity] = change.after.name
        assert before == seen(manager) | {"": manager.global_status.name}


@given(
    cycles=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    tolerance=st.integers(1, 3),
    counts=st.lists(st.sampled_from([(1, 1), (1, 1), (0, 1), (1, 0), (0, 0)]), max_size=40),
)
def test_manager_and_model_agree_on_failing_and_recovering(
    cycles: tuple[int, int], tolerance: int, counts: list[tuple[int, int]]
) -> None:
    """Two alive supervisions with reference cycles of their own: what random steps seldom heal."""
    alive = tuple(AliveSupervision(*each) for each in zip("xy", cycles, cycles, strict=True))
    mode = SupervisionMode("run", (EntityMode("a", alive, (), tolerance),), (), 2)
    entities = tuple(SupervisedEntity(name, POINTS) for name in NAMES)
    supervision = SupervisionSettings(5, entities, (mode,))
    manager, model = WatchdogManager(supervision), Model(supervision)
    manager.start(0)
    for number, of_cycle in enumerate([(0, 0), *counts]):
        steps = [Step("reach", f"a.{p}", number) for p, n in zip("xy", of_cycle, strict=True) if n]
        for step in [*steps, Step("cycle", "", number)]:
            do(manager, step)
            model.take(step)
        assert seen(manager) == model.local
        assert manager.global_status.name == model.overall


@given(supervision=supervisions(), walk=WALKS, at=st.integers(0, 30))
def test_copies_taken_at_any_step_go_the_same_way(
    supervision: SupervisionSettings, walk: list[tuple[tuple[str, str], int]], at: int
) -> None:
    manager, now_ns = WatchdogManager(supervision, {}), 0
    manager.start(0)
    twins: list[WatchdogManager] = []
    for number, ((what, name), wait_ns) in enumerate(walk):
        if number == at:
            twins = [copy.deepcopy(manager), pickle.loads(pickle.dumps(manager))]
        now_ns += wait_ns
        changes = do(manager, Step(what, name, now_ns))
        for twin in twins:
            assert do(twin, Step(what, name, now_ns)) == changes


@given(
    tolerance=st.integers(0, 3),
    expired_tolerance=st.integers(0, 3),
    reference_cycles=st.integers(1, 4),
    dead_from=st.integers(1, 20),
)
@example(tolerance=2, expired_tolerance=3, reference_cycles=1, dead_from=1)
def test_service_stops_within_the_worst_case_after_the_last_good_reference_cycle(
    tolerance: int, expired_tolerance: int, reference_cycles: int, dead_from: int
) -> None:
    """(tolerance + 1) reference cycles to EXPIRED, the tolerated expired cycles to STOPPED."""
    mode = SupervisionMode(
        "run",
        (
            EntityMode(
                "a",
                (AliveSupervision("x", reference_cycles, reference_cycles),),
                failed_alive_tolerance=tolerance,
            ),
        ),
        expired_tolerance=expired_tolerance,
    )
    manager = WatchdogManager(SupervisionSettings(5, (SupervisedEntity("a", POINTS),), (mode,)))
    manager.start(0)
    manager.main_function(0)
    cycle = 0
    while manager.may_trigger:
        cycle += 1
        if cycle < dead_from:
            manager.reached(manager.checkpoint("a.x"), cycle * 5 - 1)
        manager.main_function(cycle * 5)
    good_until = (dead_from - 1) // reference_cycles * reference_cycles
    assert cycle - good_until == (tolerance + 1) * reference_cycles + expired_tolerance
