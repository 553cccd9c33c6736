"""`ChassisMachine`: hypothesis drives the reference chassis, and a module of yours in it.

What may happen is in the rules, what must hold in the invariants; each invariant is a requirement.
A failure shrinks to the fewest and calmest steps and is written as a scenario (`failures`). Message
level, without plant and bus, is in `sequence`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import SearchStrategy

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.faults import Fault
from simcore.network import Database
from simcore.rig import Rig
from simcore.testing.failures import FOLDER, BrokenRequirementError, is_final_run, written
from simcore.testing.machine_requirements import REQUIREMENTS, Judge, Watch
from simcore.testing.machine_source import Kept
from simcore.testing.machine_steps import Step, World, step
from simcore.testing.machine_world import ATTACKER, GROUPS, Setup, setup_of
from simcore.testing.strategies.inventory import ACTUATORS
from simcore.testing.strategies.updates import UpdateAction
from simcore.units import NS_PER_MS

OUT_OF_REACH = (
    "SpoofedMessage",
    "ReplayAttack",
    "SignalCorrupted",
    "BitFlip",
    "OutputStuck",
    "UnintendedClamp",
)
"""Faults no receiver can tell from the truth, or that are the software's own: what they ask for is
obeyed, rightly, and the requirements do not hold for them without exception. A power stage that
drives by itself is in SAF-002 with its full current; with less than 0.45 of it level 2 sees the
force only, and the brake is open again after 150 to 220 ms instead of 100."""
_REQUEST_NS = 100 * NS_PER_MS

Rule = TypeVar("Rule", bound=Callable[..., None])


def _allowed(group: str) -> Callable[[Rule], Rule]:
    """A rule's precondition: its group is chosen."""

    def holds(machine: ChassisMachine) -> bool:
        return group in machine.groups()

    decorator: Callable[[Rule], Rule] = precondition(holds)
    return decorator


def _judged(requirement: str) -> Callable[[Rule], Rule]:
    """An invariant's precondition: its requirement is chosen."""

    def holds(machine: ChassisMachine) -> bool:
        return requirement in machine.requirements

    decorator: Callable[[Rule], Rule] = precondition(holds)
    return decorator


def _drawn(name: str) -> SearchStrategy[Any]:
    """What the machine's class has prepared under a name."""
    return st.runner().flatmap(lambda machine: machine.setup.drawn[name])


class ChassisMachine(RuleBasedStateMachine):
    """Any sequence of what may happen to the chassis, held against requirements after every step.

    Five lines fuzz a module of yours in the place of an actuator; pytest collects the last:

        from simcore.testing.machine import ChassisMachine
        from my_module import MyActuator

        class MyMachine(ChassisMachine):
            node = "EMB_FL"
            module = MyActuator
            without = ("update",)

        TestMyModule = MyMachine.TestCase

    A failure prints the shrunk steps and one command that replays them. More of the same:

        def plausible(rig):                  # what is wrong; empty for nothing
            return "" if rig.vehicle.speed_kmh >= -1.0 else "rolls backwards"

        class Icy(MyMachine):
            speed_kmh = 30.0                                  # at the beginning, km/h
            only = ("time", "driver", "faults")               # groups of rules, see GROUPS
            fault_layers = ("wire", "message")                # see `simcore faults`
            judges = {"MY-001": plausible}                    # requirements of your own

            @rule(mu=st.sampled_from((0.8, 0.3, 0.1)))
            def ice(self, mu):
                self.do("vehicle.set_friction", mu)           # done, and written down

    Every sequence begins on a fork of one rig, warmed up for `warm_ns` at `speed_kmh` with the
    module in place. Rules act through `do`, so that the scenario file of a failure does the same;
    a rule that reaches around it cannot be replayed. `settings` are those of `TestCase`:
    `TestMyModule.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)`.
    """

    node: ClassVar[str | None] = None
    """The place of the module under test."""
    module: ClassVar[Any] = None
    """A class or a function that makes a node, or a `Dut` of `load_dut`; at the top of its file."""
    database: ClassVar[Database | None] = None
    """The network; `None` for the shipped interface."""
    seed: ClassVar[int] = 0
    """Of the rig's random streams."""
    speed_kmh: ClassVar[float] = 60.0
    """Held by the accelerator at the beginning."""
    warm_ns: ClassVar[int] = 500 * NS_PER_MS
    """How long the rig runs before the first step."""
    only: ClassVar[tuple[str, ...]] = GROUPS
    """Groups of rules that take part."""
    without: ClassVar[tuple[str, ...]] = ()
    """Groups of rules that do not, all the same."""
    requirements: ClassVar[tuple[str, ...]] = REQUIREMENTS
    """What is judged."""
    judges: ClassVar[Mapping[str, Judge]] = {}
    """Requirements of your own: a function of the rig that says what is wrong, empty for nothing.
    Functions at the top of a file go into the scenario of a failure."""
    fault_layers: ClassVar[tuple[str, ...] | None] = None
    """Layers of faults; `None` for all."""
    exclude_faults: ClassVar[tuple[str, ...]] = OUT_OF_REACH
    """Kinds of faults that are left out."""
    sound_sensors_of: ClassVar[tuple[str, ...]] = ACTUATORS
    """Nodes whose sensors do not break. By default the actuators: what their force loop reads may
    make them clamp until they have noticed, and BRK-003 has no exception for that."""
    faults_at_once: ClassVar[int] = 1
    """Requirements hold for so many faults at a time; more are not injected."""
    folder: ClassVar[Path] = FOLDER
    """Where failures are written."""

    def __init__(self) -> None:
        super().__init__()
        self.setup: Setup = setup_of(type(self))
        self.world: World = self.setup.fork()
        self.steps: list[Step] = []
        """What was done since the warm-up."""
        self.watch = Watch(self.rig, node=self.node)
        self._active: list[str] = []
        self._count = 0

    @classmethod
    def groups(cls) -> tuple[str, ...]:
        """The groups of rules that take part."""
        return tuple(each for each in cls.only if each not in cls.without)

    @property
    def rig(self) -> Rig:
        """The chassis, for looking; act through `do`."""
        rig: Rig = self.world.rig
        return rig

    def do(self, call: str, /, *args: Any, keep: str = "", **named: Any) -> Any:
        """Call a method of the rig, and write it down: `do("vehicle.set_friction", 0.3)`.

        `keep` names a variable of the scenario for what is returned; `do("name.clear")` uses it.
        What it raises ends the sequence as a failure of ROB-001.
        """
        return self._take(step(self.world.path_of(call), *args, keep=keep, **named))

    # -- what may happen --------------------------------------------------------------------------

    @_allowed("time")
    @rule(duration_ms=st.integers(1, 500))
    def time_passes(self, duration_ms: int) -> None:
        """1 to 500 ms."""
        self.do("run_for", duration_ms * NS_PER_MS)

    @_allowed("driver")
    @rule(pedal_pct=st.integers(0, 100), ramp_ms=st.sampled_from((0, 50, 120, 400)))
    def pedal_pressed(self, pedal_pct: int, ramp_ms: int) -> None:
        """The brake pedal goes to a position."""
        self.do("press_pedal", float(pedal_pct), ramp_ns=ramp_ms * NS_PER_MS)
        self._pass(5)

    @_allowed("driver")
    @rule()
    def pedal_released(self) -> None:
        """The foot leaves the brake pedal."""
        self.do("release_pedal")
        self._pass(5)

    @_allowed("driver")
    @rule(speed_kmh=st.integers(0, 15).map(lambda tens: 10.0 * tens))
    def speed_held(self, speed_kmh: float) -> None:
        """The brake is released and the accelerator holds a speed."""
        self.do("release_pedal")
        self.do("driver.hold_speed", speed_kmh)
        self._pass(5)

    @_allowed("road")
    @rule(friction_ratio=st.sampled_from((1.05, 0.8, 0.5, 0.3, 0.1)))
    def road_changes(self, friction_ratio: float) -> None:
        """Another friction under all wheels."""
        self.do("vehicle.set_friction", friction_ratio)
        self._pass(5)

    @_allowed("road")
    @rule(left_ratio=st.sampled_from((0.8, 0.3)), right_ratio=st.sampled_from((0.8, 0.25)))
    def road_is_split(self, left_ratio: float, right_ratio: float) -> None:
        """One friction left, one right."""
        self.do("vehicle.set_friction", left_ratio=left_ratio, right_ratio=right_ratio)
        self._pass(5)

    @_allowed("faults")
    @precondition(lambda machine: len(machine._active) < machine.faults_at_once)
    @rule(fault=_drawn("faults"), after_ms=st.integers(1, 100))
    def fault_begins(self, fault: Fault, after_ms: int) -> None:
        """Something breaks, until it is mended."""
        name = f"fault_{self._count}"
        if self._possible(step("rig.inject", fault, keep=name)):
            self._count += 1
            self._active.append(name)
            self._pass(after_ms)

    @_allowed("faults")
    @precondition(lambda machine: bool(machine._active))
    @rule(after_ms=st.integers(1, 500))
    def fault_ends(self, after_ms: int) -> None:
        """The oldest fault is mended."""
        self.do(f"{self._active.pop(0)}.clear")
        self._pass(after_ms)

    @_allowed("frames")
    @rule(frame=_drawn("frames"))
    def frame_sent(self, frame: Frame) -> None:
        """A stranger on the bus sends any frame: its format right, its protection not."""
        self._fill()
        self.do(f"{ATTACKER}.send", frame)
        self._pass(2)

    @_allowed("diagnostics")
    @rule(node=_drawn("diagnosed"), request=_drawn("requests"))
    def request_sent(self, node: str, request: bytes) -> None:
        """The tester asks an ECU and waits for the answer, at most 100 ms."""
        self._fill()
        self._possible(step("rig.tester.request", node, request, timeout=_REQUEST_NS))

    @_allowed("update")
    @rule(event=_drawn("updates"), after_ms=st.integers(1, 500))
    def update_goes_on(self, event: UpdateAction, after_ms: int) -> None:
        """Something happens to a software update."""
        if "campaign" not in self.world.names:
            self._fill()
            nodes = list(self.setup.updated)
            self.do("Backend", keep="backend")
            self.do("backend.campaign", "1.1.0", now_ns=Kept("rig.now_ns"), nodes=nodes, size=4096)
            self.do("Campaign", Kept("rig"), Kept("backend"), keep="campaign")
        name = f"event_{self._count}"
        self._count += 1
        self.do(
            "UpdateAction", kind=event.kind, node=event.node, operation=event.operation, keep=name
        )
        self._possible(step(f"{name}.apply", Kept("campaign")))
        self._pass(after_ms)

    # -- what must hold ---------------------------------------------------------------------------

    @_judged("ROB-001")
    @invariant()
    def rob_001_nothing_crashes(self) -> None:
        """ROB-001: no module raises or crashes, whatever comes."""
        if wrong := self.watch.broken("ROB-001", self.rig):
            raise self.failed("ROB-001", wrong)

    @_judged("BRK-003")
    @invariant()
    def brk_003_no_force_without_a_request(self) -> None:
        """BRK-003: no clamp force above 500 N without a request."""
        if wrong := self.watch.broken("BRK-003", self.rig):
            raise self.failed("BRK-003", wrong)

    @_judged("COM-001")
    @invariant()
    def com_001_cycles_are_kept(self) -> None:
        """COM-001: cyclic messages come in time, where nothing disturbs them."""
        if wrong := self.watch.broken("COM-001", self.rig):
            raise self.failed("COM-001", wrong)

    @_judged("COM-007")
    @invariant()
    def com_005_frames_are_as_the_database_says(self) -> None:
        """COM-007: what the node under test sends has length, ranges and E2E as the database."""
        if wrong := self.watch.broken("COM-007", self.rig):
            raise self.failed("COM-007", wrong)

    @invariant()
    def own_requirements_hold(self) -> None:
        """Those of `judges`."""
        for requirement, judge in self.judges.items():
            if wrong := judge(self.rig):
                raise self.failed(requirement, wrong)

    # -- inside -----------------------------------------------------------------------------------

    def failed(self, requirement: str, text: str) -> BrokenRequirementError:
        """The failure to raise; the shrunk one is written, with the command that replays it."""
        replay = ""
        if is_final_run():
            replay = written(self.setup.evidence(self.steps, requirement, text))
        return BrokenRequirementError(requirement, text, replay)

    def _take(self, taken: Step) -> Any:
        self.steps.append(taken)
        try:
            return self.world.take(taken)
        except UsageError:
            raise  # a mistake of whoever wrote the rule
        except Exception as error:
            text = f"{taken.call} raised {type(error).__name__}: {error}"
            raise self.failed("ROB-001", text) from error

    def _possible(self, taken: Step) -> bool:
        """Take a step unless it makes no sense at the moment; whether it was taken."""
        try:
            self._take(taken)
        except UsageError:
            self.steps.pop()
            return False
        return True

    def _pass(self, duration_ms: int) -> None:
        self.do("run_for", duration_ms * NS_PER_MS)

    def _fill(self) -> None:
        """From now on the bus carries more than its reference load."""
        bus = self.rig.buses[0].name
        if bus not in self.rig.filled_buses:
            self.do("filled_buses.add", bus)
