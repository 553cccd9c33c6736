"""Faults of an ECU as a whole: its supply, its clock, its communication stack.

Faults of its tasks are in `ecu_tasks`, of its memory in `ecu_state`, of its external watchdog in
`watchdog`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.restart import restart_communication
from simcore.errors import UsageError
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed, require_count
from simcore.faults.site import NodeControl, Site
from simcore.kernel import Priority
from simcore.kernel.scheduler import Timer
from simcore.units import format_ns

Millionths: TypeAlias = float
"""A pure number, times 1e-6."""
DRIFT_LIMIT_PPM = 100_000.0
"""Ten per cent: an RC oscillator out of its trim; a quartz is within 100 ppm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuFault(SiteFault):
    """Base of all: which node.

    What runs in an ECU cannot go wrong while it is off: a fault of its software, clock or outputs
    refuses such a node when its time comes. Its supply can be taken from it once more.
    """

    node: str
    """Name on the network: `CDC`, `EMB_FL`."""

    layer: ClassVar[str] = "ecu"
    shifts_messages: ClassVar[bool] = True

    def check(self, site: Site) -> None:
        """Refuse a node that is not there."""
        site.node(self.node)


def simulated_ecu(fault: EcuFault, control: NodeControl) -> Ecu:
    """The ECU behind a node. Raises `UsageError` for a module that is no `Ecu`."""
    node = control.node
    if not isinstance(node, Ecu) or not node._tasks:
        raise UsageError(
            f"{type(fault).__name__}, node {fault.node}",
            expected="a simulated ECU (simcore.ecu.runtime.Ecu), whose tasks have names",
            got=f"a {type(node).__name__}",
        )
    return node


def running_node(fault: EcuFault, site: Site) -> NodeControl:
    """The node of a fault. Raises `UsageError` for one that is off: nothing in it can go wrong."""
    control = site.node(fault.node)
    if not control.running:
        where = f"{type(fault).__name__}, node {fault.node}"
        raise UsageError(where, expected="a node that runs", got="one that is off")
    return control


def let_go(holders: list[Any], holder: object) -> Any:
    """Take one out of those who hold a quantity; returns who is in force then, `None` if nobody."""
    place = next(at for at, each in enumerate(holders) if each is holder)
    del holders[place]
    return holders[-1] if holders else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuSilent(EcuFault):
    """The node loses its supply: no task runs, nothing is sent, its power stage is off."""

    shifts_messages: ClassVar[bool] = False  # the pause is known: the rig keeps count of it

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node} silent: supply of the ECU lost"

    def begin(self, site: Site) -> Installed:
        """From now on, until the supply is given back or the script resets the node."""
        return _Outage(site, site.node(self.node)).begin(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrownOut(EcuFault):
    """The supply dips: ECU and power stage are off for `off_ns`, then the ECU starts up."""

    off_ns: int
    """How long the supply is too low."""

    shifts_messages: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_count("BrownOut.off_ns", self.off_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: supply dips for {format_ns(self.off_ns)}, then start-up"

    def begin(self, site: Site) -> Installed:
        """Off now, on again by itself."""
        return _Outage(site, site.node(self.node)).begin(self.off_ns)


class _Outage:
    """A node without supply, until it is given back or the node is started by somebody else."""

    __slots__ = ("_control", "_installed", "_site", "_taken", "_timer")

    def __init__(self, site: Site, control: NodeControl) -> None:
        self._site = site
        self._control = control
        self._taken: object = None
        self._timer: Timer | None = None
        self._installed = Installed(self._end)

    def begin(self, off_ns: int | None) -> Installed:
        self._taken = self._control.halt()
        self._control.listen_starts(self._started)
        if off_ns is not None:
            scheduler = self._site.scheduler
            due_ns = scheduler.now_ns + off_ns
            self._timer = scheduler.timer(due_ns, Priority.ECU, self._back)
        return self._installed

    def _back(self) -> None:
        self._end()
        self._installed.over()

    def _end(self) -> None:
        self._forget()
        self._control.start(self._taken)

    def _started(self) -> None:
        self._forget()
        self._installed.over()

    def _forget(self) -> None:
        self._control.forget_starts(self._started)
        if self._timer is not None:
            self._timer.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuReset(EcuFault):
    """The ECU resets: it starts up at once, with nothing left but its non-volatile memory."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: reset"

    def begin(self, site: Site) -> Installed:
        """Once, now."""
        control = running_node(self, site)
        control.start(control.halt())
        return momentary()


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRestart(EcuFault):
    """The communication stack restarts while the application goes on.

    Receptions are forgotten, E2E counters begin anew, the controllers' queues are empty.
    """

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: communication stack restarts"

    def check(self, site: Site) -> None:
        """Refuse a module that is no simulated ECU."""
        simulated_ecu(self, site.node(self.node))

    def begin(self, site: Site) -> Installed:
        """Once, now."""
        control = running_node(self, site)
        restart_communication(simulated_ecu(self, control))
        control.restart_controllers()
        return momentary()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift(EcuFault):
    """The clock of the ECU is wrong: all its tasks come early (`ppm` > 0) or late."""

    ppm: Millionths
    """Millionths by which it runs fast; negative: slow."""

    def __post_init__(self) -> None:
        if not 0.0 < abs(self.ppm) <= DRIFT_LIMIT_PPM:
            raise UsageError(
                "ClockDrift.ppm",
                expected=f"-{DRIFT_LIMIT_PPM:.0f}..{DRIFT_LIMIT_PPM:.0f}, not 0",
                got=repr(self.ppm),
            )

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: clock {abs(self.ppm):g} ppm {'fast' if self.ppm > 0 else 'slow'}"

    def begin(self, site: Site) -> Installed:
        """From now on, also after a reset. Of several drifts the last one is in force.

        Cleared, the one before it is back; after the only one the clock is right in speed again,
        and as far ahead or behind as it is.
        """
        drifting = _Drifting(running_node(self, site), 1.0 + self.ppm / 1e6)
        drifting.begin()
        return Installed(drifting.end)


class _Drifting:
    """A clock's ratio, held."""

    __slots__ = ("_control", "_holders", "ratio")

    def __init__(self, control: NodeControl, ratio: float) -> None:
        self._control = control
        self._holders = control.holders("clock")
        self.ratio = ratio

    def begin(self) -> None:
        self._holders.append(self)
        self._control.set_clock_ratio(self.ratio)

    def end(self) -> None:
        in_force: _Drifting | None = let_go(self._holders, self)
        self._control.set_clock_ratio(1.0 if in_force is None else in_force.ratio)


def momentary() -> Installed:
    """What a fault of an instant returns: it is over when it has begun."""
    installed = Installed(_nothing)
    installed.over()
    return installed


def _nothing() -> None:
    """There is nothing to take away."""
