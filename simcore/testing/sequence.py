"""Message level: sequences of frames, pins and time for one node, without bus and plant.

Hundreds of sequences a second, where `machine` has a few. Two ways in, the same steps:

    class MyNode(NodeMachine):                    # rules, your own among them
        node = "EPS"
        module = Limiter
        judges = {"MY-001": torque_is_bounded}

    TestMyNode = MyNode.TestCase

    @given(steps=sequences(DATABASE, "EPS"))      # faster still
    def test_limiter(steps):
        play(steps, node="EPS", module=Limiter, judges={"MY-001": torque_is_bounded})

A judge gets the `NodeBench` and says what is wrong, empty for nothing. Failures shrink, and are
written as in `failures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.strategies import SearchStrategy

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.interaction_rules import application_signals
from simcore.network.messages import Number, Signal
from simcore.testing.failures import FOLDER, BrokenRequirementError, Evidence, is_final_run, written
from simcore.testing.machine_requirements import LAYOUT, ROBUST, Judge, Layout
from simcore.testing.machine_source import Kept
from simcore.testing.machine_steps import ModuleInPlace, Step, World, step
from simcore.testing.machine_world import place_of, snake, where_of
from simcore.testing.sequence_bench import NodeBench
from simcore.testing.strategies.arguments import chosen_from, require_database, require_whole
from simcore.testing.strategies.frames import frames, raw_frames
from simcore.testing.strategies.messages import is_diagnostic
from simcore.testing.strategies.shown import shown_as
from simcore.testing.strategies.signals import raws_of
from simcore.units import NS_PER_MS

SENDS, FRAMES, PINS, TIME = "messages", "frames", "pins", "time"
STEP_KINDS = (TIME, SENDS, PINS, FRAMES)


def sequences(
    database: Database,
    node: str,
    *,
    min_size: int = 1,
    max_size: int = 20,
    kinds: Iterable[str] | None = None,
    messages: Mapping[str, Iterable[str] | None] | Iterable[str] | None = None,
    pins: Mapping[str, tuple[float, float]] | None = None,
    max_pause_ns: int = 20 * NS_PER_MS,
) -> SearchStrategy[list[Step]]:
    """Lists of steps for a node: `play` them, or `step.carry_out({"bench": bench})` each.

    `kinds` of steps: `messages` (those that `node` receives, E2E right, some signals off their
    start; `messages` names the ones to send, or maps them to the signals that vary), `frames`
    (wrong protection, reserved values, anything), `pins` (inputs within the limits of `pins`; none
    without), `time` (1 ms to `max_pause_ns`). They shrink towards few, start values, short pauses.
    """
    where = "sequences"
    require_whole(where, 0, min_size=min_size, max_size=max_size)
    one = steps(
        database, node, kinds=kinds, messages=messages, pins=pins, max_pause_ns=max_pause_ns
    )
    return st.lists(one, min_size=min_size, max_size=max_size)


def steps(
    database: Database,
    node: str,
    *,
    kinds: Iterable[str] | None = None,
    messages: Mapping[str, Iterable[str] | None] | Iterable[str] | None = None,
    pins: Mapping[str, tuple[float, float]] | None = None,
    max_pause_ns: int = 20 * NS_PER_MS,
) -> SearchStrategy[Step]:
    """Single steps, as in `sequences`."""
    where = "sequences"
    require_database(where, database)
    require_whole(where, NS_PER_MS, max_pause_ns=max_pause_ns)
    chosen = chosen_from(f"{where}, kinds", kinds, STEP_KINDS)
    received = {each.name: each for each in database.received_by(node) if not is_diagnostic(each)}
    names = chosen_from(f"{where}, messages", messages, tuple(received) or ("none",))
    found = [received[name] for name in names if name in received and not received[name].defect]
    varied = dict(messages) if isinstance(messages, Mapping) else {}
    parts: dict[str, list[SearchStrategy[Step]]] = {
        TIME: [st.integers(1, max_pause_ns // NS_PER_MS).map(_pause)],
        SENDS: [_sends(each, varied.get(each.name)) for each in found],
        PINS: [_pin(name, *limits) for name, limits in (pins or {}).items()],
        FRAMES: [_strangers(database, tuple(found))],
    }
    drawn = [each for kind in chosen for each in parts[kind]]
    if not drawn:
        raise UsageError(where, expected=f"something that {node} receives", got="nothing")
    return shown_as(f"steps for {node}", st.one_of(drawn))


def _pause(duration_ms: int) -> Step:
    return Step(call="bench.run_for", args=(duration_ms * NS_PER_MS,))


def _send_frame(frame: Any) -> Step:
    return Step(call="bench.send_frame", args=(frame,))


def _sends(message: Message, names: Iterable[str] | None) -> SearchStrategy[Step]:
    """The message with some signals off their start values; those named are drawn always."""
    if message.codec.is_multiplexed:
        return frames(message.database, message=message).map(_send_frame)
    if names is not None:
        drawn = {name: raws_of(message.signal(name)) for name in names}
        if len(drawn) == 1:
            ((name, raws),) = drawn.items()
            return raws.map(_Single(message, name))
        return st.fixed_dictionaries(drawn).map(_Sent(message))
    each = {signal.name: raws_of(signal) for signal in application_signals(message)}
    return st.fixed_dictionaries({}, optional=each).map(_Sent(message))


class _Sent:
    """Raw values to the step that sends them."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def __call__(self, raws: dict[str, Any]) -> Step:
        message = self._message
        values = ((name, _shown(message.signal(name), raw)) for name, raw in raws.items())
        return Step(call="bench.send", args=(message.name,), named=tuple(values))


class _Single:
    """The same of one signal: fewer draws."""

    def __init__(self, message: Message, name: str) -> None:
        self._message = message
        self._signal = message.signal(name)

    def __call__(self, raw: Number) -> Step:
        named = ((self._signal.name, _shown(self._signal, raw)),)
        return Step(call="bench.send", args=(self._message.name,), named=named)


def _shown(signal: Signal, raw: Number) -> Number:
    """The physical value as a person writes it, where that means the same."""
    value = signal.to_physical(raw)
    rounded = round(value, 6)
    return rounded if signal.to_raw(rounded) == raw else value


def _strangers(database: Database, found: Sequence[Message]) -> SearchStrategy[Step]:
    kinds = [raw_frames()]
    kinds += [frames(database, message=each, protect=False, reserved=True) for each in found]
    return st.one_of(kinds).map(_send_frame)


def _pin(name: str, low_ratio: float, high_ratio: float) -> SearchStrategy[Step]:
    """A hundred steps between the limits, 0 first where it is between them."""
    values = st.integers(0, 100).map(lambda n: low_ratio + n / 100 * (high_ratio - low_ratio))
    if low_ratio <= 0.0 <= high_ratio:
        values = st.one_of(st.just(0.0), values)
    return values.map(lambda value: Step(call="bench.set_pin", args=(name, value)))


class _Bench:
    """What a sequence begins with: a bench with the module, copied where it can be."""

    def __init__(
        self, place: ModuleInPlace, database: Database, warm_ns: int, *, keeps: object
    ) -> None:
        self._keeps = keeps  # so that its id stays its own
        self.place = place
        self.database = database
        self.warm_ns = warm_ns
        self._warm = self._new() if place.dut.forkable else None

    def _new(self) -> World:
        node = self.place.dut.build(self.place.node, self.database)
        bench = NodeBench(node, self.place.node, self.database)
        if self.warm_ns:
            bench.run_for(self.warm_ns)
        return World(bench=bench)

    def fork(self) -> World:
        return self._new() if self._warm is None else self._warm.fork()

    def warm_up(self) -> tuple[Step, ...]:
        """As the scenario makes it."""
        args = (self.place, self.place.node, Kept("rig.database"))
        made = step("NodeBench", *args, keep="bench")
        return (made, step("bench.run_for", self.warm_ns)) if self.warm_ns else (made,)


_BENCHES: dict[tuple[Any, ...], _Bench] = {}


def _bench_of(node: str | None, module: Any, database: Database | None, warm_ns: int) -> _Bench:
    known = database if database is not None else Database.reference()
    key = (node, module if isinstance(module, str) else id(module), id(known), warm_ns)
    if key not in _BENCHES:
        _BENCHES[key] = _Bench(place_of(node, module), known, warm_ns, keeps=module)
    return _BENCHES[key]


class _Run:
    """One sequence on a bench of its own, judged after every step."""

    def __init__(
        self,
        name: str,
        start: _Bench,
        requirements: Sequence[str],
        judges: Mapping[str, Judge],
        *,
        database: Database | None,
        folder: Path,
    ) -> None:
        self._name = name
        self._start = start
        self._requirements = requirements
        self._judges = judges
        self._database = database
        self._folder = folder
        self._world = start.fork()
        self._layout = Layout(start.database, start.place.node)
        self._looked_at = 0
        self.taken: list[Step] = []

    @property
    def bench(self) -> NodeBench:
        bench: NodeBench = self._world.names["bench"]
        return bench

    def take(self, taken: Step) -> Any:
        """Carry a step out. Raises `BrokenRequirementError` where something does not hold then."""
        self.taken.append(taken)
        returned = self._world.take(taken)
        for requirement, wrong in self._broken():
            raise self.failed(requirement, wrong)
        return returned

    def failed(self, requirement: str, text: str) -> BrokenRequirementError:
        replay = ""
        if is_final_run():
            evidence = Evidence(
                name=self._name,
                requirement=requirement,
                text=text,
                warm_up=self._start.warm_up(),
                steps=tuple(self.taken),
                node=self._start.place.node,
                judges={name: where_of(judge) for name, judge in self._judges.items()},
                database=self._database,
                folder=self._folder,
                is_bench=True,
            )
            replay = written(evidence, self.bench.records)
        return BrokenRequirementError(requirement, text, replay)

    def _broken(self) -> Iterator[tuple[str, str]]:
        bench = self.bench
        if ROBUST in self._requirements and bench.failure:
            yield ROBUST, crash_of(bench)
        if LAYOUT in self._requirements:
            new, self._looked_at = bench.sent[self._looked_at :], len(bench.sent)
            for record in new:
                if wrong := self._layout.wrong(record):
                    yield LAYOUT, wrong
        for requirement, judge in self._judges.items():
            if wrong := judge(bench):
                yield requirement, wrong


def crash_of(bench: NodeBench) -> str:
    """ROB-001 at message level: how the node crashed."""
    return f"{bench.name}: {bench.failure}" if bench.failure else ""


def layout_of(bench: NodeBench) -> str:
    """COM-007 at message level: what is wrong with the first bad frame of the node."""
    layout = Layout(bench.database, bench.name)
    return next((wrong for each in bench.sent if (wrong := layout.wrong(each))), "")


def play(
    steps: Iterable[Step],
    *,
    node: str,
    module: Any,
    judges: Mapping[str, Judge] | None = None,
    requirements: Sequence[str] = (ROBUST, LAYOUT),
    database: Database | None = None,
    warm_ns: int = 0,
    name: str = "sequence",
    folder: Path = FOLDER,
) -> NodeBench:
    """Play a sequence of `sequences` on a module; the bench after the last step.

    `module` is a class, a function that makes a node, a `Dut` or its text; `judges` and
    `requirements` are held against it after every step. Raises `BrokenRequirementError`; that of a
    shrunk example has been written to `folder` under `name`.
    """
    start = _bench_of(node, module, database, warm_ns)
    run = _Run(name, start, requirements, judges or {}, database=database, folder=folder)
    for each in steps:
        run.take(each)
    return run.bench


def _steps(kind: str) -> SearchStrategy[Step]:
    """Steps of one kind, as the machine's class wants them."""
    return st.runner().flatmap(lambda machine: machine.drawn()[kind])


class NodeMachine(RuleBasedStateMachine):
    """Any sequence of frames, pins and time for one node, held against requirements.

        class MyNode(NodeMachine):
            node = "EPS"
            module = Limiter
            judges = {"MY-001": torque_is_bounded}

        TestMyNode = MyNode.TestCase

    Rules of your own act through `do`: `self.do("send", "CDC_SteerReq", CDC_SteTqOffs=1.0)`.
    """

    node: ClassVar[str | None] = None
    """The place of the module."""
    module: ClassVar[Any] = "reference"
    """A class or a function that makes a node, a `Dut` or its text; at the top of its file."""
    database: ClassVar[Database | None] = None
    """The network; `None` for the shipped interface."""
    warm_ns: ClassVar[int] = 0
    """How long the node runs before the first step."""
    kinds: ClassVar[tuple[str, ...]] = STEP_KINDS
    """Kinds of steps, as in `sequences`."""
    messages: ClassVar[Mapping[str, Iterable[str] | None] | Iterable[str] | None] = None
    """Messages it is sent, with the signals that vary; `None` for all that the place receives."""
    pins: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Input pins that move, with their limits."""
    max_pause_ns: ClassVar[int] = 20 * NS_PER_MS
    requirements: ClassVar[tuple[str, ...]] = (ROBUST, LAYOUT)
    judges: ClassVar[Mapping[str, Judge]] = {}
    """Requirements of your own: what is wrong with a `NodeBench`, empty for nothing."""
    folder: ClassVar[Path] = FOLDER
    """Where failures are written."""

    def __init__(self) -> None:
        super().__init__()
        cls = type(self)
        if cls.node is None:
            raise UsageError(f"{cls.__name__}, node", expected="the module's place", got="None")
        self._run = _Run(
            snake(cls.__name__),
            _bench_of(cls.node, cls.module, cls.database, cls.warm_ns),
            cls.requirements,
            cls.judges,
            database=cls.database,
            folder=cls.folder,
        )

    @property
    def bench(self) -> NodeBench:
        """The node's bench, for looking; act through `do`."""
        return self._run.bench

    def do(self, call: str, /, *args: Any, **named: Any) -> Any:
        """Call a method of the bench, and write it down."""
        return self._run.take(step(f"bench.{call}", *args, **named))

    @classmethod
    def drawn(cls) -> dict[str, SearchStrategy[Step]]:
        """The steps that the rules draw from."""
        return _drawn_of(cls)

    @rule(step=_steps("any"))
    def something_happens(self, step: Step) -> None:
        """A message or a frame arrives, a pin moves, time passes."""
        self._run.take(step)


_DRAWN: dict[type[NodeMachine], dict[str, SearchStrategy[Step]]] = {}


def _drawn_of(machine: type[NodeMachine]) -> dict[str, SearchStrategy[Step]]:
    if machine not in _DRAWN:
        assert machine.node is not None
        known = machine.database if machine.database is not None else Database.reference()
        drawn = steps(
            known,
            machine.node,
            kinds=machine.kinds,
            messages=machine.messages,
            pins=machine.pins,
            max_pause_ns=machine.max_pause_ns,
        )
        _DRAWN[machine] = {"any": drawn}
    return _DRAWN[machine]
