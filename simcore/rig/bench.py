"""`Bench`: nodes on buses in virtual time, and what a script does with them.

Everything of the scripting API that needs no vehicle: time, nodes, faults, looking at the bus,
verdicts. `Rig` adds the reference chassis, `Restbus` plays the nodes of any network. The script
owns time: nothing happens outside `run_for` and `run_until`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Self, overload

import numpy as np

from simcore.bus import Bus
from simcore.ecu import Node, RestbusNode
from simcore.errors import UsageError
from simcore.faults.fault import FaultSequence, TimedFault
from simcore.faults.message_path import MessageFilter
from simcore.kernel import FreeRunning, Pacing, Priority, RandomStreams, Scheduler, StuckError
from simcore.kernel.scheduler import require_copyable
from simcore.network import Database, Message
from simcore.network.database import NO_SENDER
from simcore.network.messages import Number
from simcore.rig.arguments import require_callable, require_time
from simcore.rig.board import Cuts
from simcore.rig.events import EventLog
from simcore.rig.host import NodeHost
from simcore.rig.injection import AnyFault, InjectedFault
from simcore.rig.injection import inject as _inject
from simcore.rig.module_source import ModuleSource, module_of
from simcore.rig.pauses import Pauses
from simcore.rig.printing import printed
from simcore.rig.recorder import Recorder
from simcore.rig.result import BusStatistics, Check
from simcore.rig.tester import Tester
from simcore.rig.watching import FrameSeen, carries
from simcore.rig.wire_watch import WireWatch
from simcore.units import NS_PER_MS, format_ns
from simcore.update.flash import Flash
from simcore.watchdog.device import DeviceSettings

IDLE_CALL_LIMIT = 10_000
"""More calls in a row that let no time pass than this is a script that loops."""


class Bench:
    """Base of `Rig` and `Restbus`, which wire it up: `buses`, `wire_watch` and `_hosts`."""

    buses: tuple[Bus, ...]
    wire_watch: WireWatch

    def __init__(
        self, database: Database, *, seed: int, pacing: Pacing | None, columns: Sequence[str] = ()
    ) -> None:
        self.random = RandomStreams(seed)
        self.seed = seed
        self.database = database
        self.scheduler = Scheduler()
        self.log = EventLog(self.scheduler)
        self.recorder = Recorder(columns)
        self.pauses = Pauses(self.recorder)
        self.log.watch(self.pauses.look)
        self.checks: list[Check] = []
        self.measurements: dict[str, str] = {}
        self.silenced: dict[str, int] = {}
        """Nodes a fault has switched off on purpose, with the time."""
        self.filled_buses: set[str] = set()
        """Buses on which a tester sends more than leaves room for the rest, on purpose."""
        self.faults: list[InjectedFault] = []
        """Everything that was broken so far, or is armed, in order."""
        self._pacing: Pacing = pacing if pacing is not None else FreeRunning()
        self._idle_calls = 0
        self._acting = False
        self._hosts: dict[str, NodeHost] = {}
        self._silencers: dict[str, list[object]] = {}
        """Who keeps a node off."""
        self.fault_holders: dict[tuple[str, str], list[Any]] = {}
        """Faults that hold the same quantity of a node, the one in force last."""
        self._replaced: set[str] = set()
        """Places into which a module was put during the run."""

    # -- time -----------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Virtual time since the rig was built."""
        return self.scheduler.now_ns

    def run_for(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        if isinstance(duration_ns, bool) or not isinstance(duration_ns, int):
            raise UsageError(
                "run_for", expected="whole ns, as ms(5) or s(2) give", got=repr(duration_ns)
            )
        if duration_ns < 0:
            raise UsageError("run_for", expected="a time >= 0 ns", got=f"{duration_ns} ns")
        self._count_idle(duration_ns == 0)
        end_ns = self.now_ns + duration_ns
        step_ns = self._pacing.slice_ns()
        while step_ns is not None and self.now_ns + step_ns < end_ns:
            self.scheduler.run_until_ns(self.now_ns + step_ns)
            self._pacing.wait_until(self.now_ns)
        self.scheduler.run_until_ns(end_ns)
        self._pacing.wait_until(end_ns)

    def run_until(self, predicate: Callable[[], bool], *, timeout: int) -> bool:
        """Run until `predicate()` holds, at most `timeout` ns; returns whether it held.

        The predicate is asked after each instant at which anything happened.
        """
        require_callable("run_until, predicate", predicate)
        if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 0:
            raise UsageError("run_until, timeout", expected="whole ns >= 0", got=repr(timeout))
        started_ns = self.now_ns
        end_ns = started_ns + timeout
        held = False
        step_ns = self._pacing.slice_ns()
        while not held and self.now_ns < end_ns:
            stop_ns = end_ns if step_ns is None else min(end_ns, self.now_ns + step_ns)
            held = self.scheduler.run_until(predicate, stop_ns)
            self._pacing.wait_until(self.now_ns)
        held = held or bool(predicate())
        self._count_idle(self.now_ns == started_ns)
        return held

    def at(self, time_ns: int, action: Callable[[], object]) -> None:
        """Do something at a virtual time; `action` is a bound method or a partial of one.

        Raises `UsageError` for a time that has passed and for what could not be copied.
        """
        require_time("at, time_ns", time_ns)
        require_copyable(action)
        self.scheduler.timer(time_ns, Priority.OBSERVER, partial(self._act, action))

    def _act(self, action: Callable[[], object]) -> None:
        self._acting = True
        try:
            action()
        finally:
            self._acting = False

    def _count_idle(self, idle: bool) -> None:
        self._idle_calls = self._idle_calls + 1 if idle else 0
        if self._idle_calls > IDLE_CALL_LIMIT:
            raise StuckError(
                f"the script called run_for/run_until {IDLE_CALL_LIMIT} times in a row without "
                f"letting time pass; it stands at {format_ns(self.now_ns)}"
            )

    # -- buses, nodes and faults ----------------------------------------------------------------

    def bus(self, name: str) -> Bus:
        """A bus by name, `CHASSIS_A` or `CHASSIS_B`. Raises `UsageError` for an unknown one."""
        for bus in self.buses:
            if bus.name == name:
                return bus
        names = ", ".join(bus.name for bus in self.buses)
        raise UsageError(f"bus {name!r}", expected=f"one of {names}", got=name)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes on the rig."""
        return tuple(self._hosts)

    def node(self, name: str) -> Node:
        """The module behind a node name. Raises `UsageError` for an unknown name."""
        return self._host(name).node

    def replace(self, name: str, node: Node | ModuleSource, *, flash: Flash | None = None) -> None:
        """Put another module in the place of a node and power it on, now.

        A node, or what makes one, as `simcore.attach.module("brake.so")`. Where the place has a
        flash, that of the module is blank, or `flash`.
        """
        host = self._host(name)
        if isinstance(node, type):
            raise UsageError(
                f"replace {name}",
                expected=f"a node, as {node.__name__}() makes one",
                got="the class",
            )
        node, label = module_of(node, name, self.database)
        for method in ("start", "receive", "on_timer", "next_deadline_ns"):
            if not callable(getattr(node, method, None)):
                raise UsageError(
                    f"replace {name}", expected=f"a node with a method {method}", got=repr(node)
                )
        if flash is not None and host.flash is None:
            raise UsageError(f"replace {name}, flash", expected="a place with a flash", got="none")
        self._revive(name)
        self.log.add(name, "note", f"replaced by {label}")
        self._replaced.add(name)
        host.replace(node, flash)

    def guard(self, name: str, settings: DeviceSettings, *, cuts: Cuts = "outputs") -> None:
        """Put an external watchdog beside a node: `rig.guard("EMB_FL", fs65())`.

        `cuts` is what a low enable line takes from it: its outputs, its transmitters, or nothing.
        """
        self.host(name).guard(settings, cuts=cuts)
        self.log.add(name, "note", f"guarded by {type(settings).__name__}")

    def restbus(self, name: str) -> RestbusNode:
        """The restbus sender behind a node name, to set its signals."""
        node = self.node(name)
        if not isinstance(node, RestbusNode):
            played = [
                key for key, host in self._hosts.items() if isinstance(host.node, RestbusNode)
            ]
            raise UsageError(
                f"restbus {name}",
                expected=f"a node played by the restbus ({', '.join(played)})",
                got=f"a {type(node).__name__}",
            )
        return node

    def reset(self, name: str) -> None:
        """Power-cycle a node; also ends `EcuSilent`."""
        host = self._host(name)
        self._revive(name)
        host.halt()
        self.log.add(name, "note", "reset")
        host.start()

    @overload
    def inject(
        self, fault: AnyFault | TimedFault, *, duration: int | None = None
    ) -> InjectedFault: ...

    @overload
    def inject(
        self, fault: FaultSequence, *, duration: int | None = None
    ) -> tuple[InjectedFault, ...]: ...

    def inject(
        self, fault: AnyFault | TimedFault | FaultSequence, *, duration: int | None = None
    ) -> InjectedFault | tuple[InjectedFault, ...]:
        """Break something: now, or when `fault.at(...)`, `.during(...)`, `.after(...)` says.

        For good, for `duration` ns, or until `clear`. A sequence of faults gives one handle each.
        """
        return _inject(self, fault, duration=duration)

    def clear(self, injected: InjectedFault) -> None:
        """End a fault that `inject` began, or take one back that has not begun."""
        if not isinstance(injected, InjectedFault):
            raise UsageError("clear", expected="what inject returned", got=repr(injected))
        injected.clear()

    def disturb_message(self, name: str, added: MessageFilter) -> None:
        """Let a fault take the frames of a message that a node sends; what `inject` does."""
        self._host(name).disturb_message(added)

    def may_send(self, name: str, message: Message) -> bool:
        """Whether a message may come from a place: its sender's, or one with another module in."""
        if name not in self._hosts:
            return False
        node = self.node(name)
        if isinstance(node, RestbusNode):
            return node.rule_of(message) is not None
        return name in self._replaced or name in (message.senders or (NO_SENDER,))

    def send_once(self, name: str, message: str) -> None:
        """Let the restbus send a message of a node now, unless the node is off."""
        host = self._host(name)
        if host.running:
            self.restbus(name).send(message, self.now_ns)
            host.ask_again()

    def silence(self, name: str, by: object = None) -> None:
        """Take a node's supply away; what `EcuSilent` does. `supply` or `reset` gives it back.

        Of several that do so each gives back its own, `by`.
        """
        host = self.host(name)
        self._silencers.setdefault(name, []).append(by)
        if name not in self.silenced:
            self.silenced[name] = self.now_ns
            host.halt()

    def supply(self, name: str, by: object = None) -> None:
        """Give a node its supply back, unless somebody else keeps it off."""
        host = self.host(name)
        silencers = self._silencers.get(name, [])
        place = next((at for at, each in enumerate(silencers) if each is by), None)
        if place is None:
            return  # given back already, as by a reset
        del silencers[place]
        if not silencers:
            self._revive(name)
            host.start()

    def host(self, name: str) -> NodeHost:
        """What runs a node: its pins, its controllers. Raises `UsageError` for no such node."""
        return self._host(name)

    @property
    def tester(self) -> Tester:
        """The diagnostic tester: `rig.tester.request("EMB_FL", b"\x22\xf1\x90")`."""
        return Tester(self)

    # -- looking at the bus ----------------------------------------------------------------------

    def message_named(self, name: str) -> Message:
        """A message of what is on the rig's buses. Raises `UsageError` for an unknown name."""
        return self.database.message(name)

    def signal(self, message: str, signal: str) -> Number | None:
        """Physical value of a signal as it was last on a bus; `None` before its first frame."""
        found = self.message_named(message)
        reader = found.codec.reader(signal)
        for record in reversed(self.recorder.frames):
            if carries(record, found):
                value: Number = reader.read(record.frame.data)[0]
                return value
        return None

    def wait_for(
        self, message: str, accept: Callable[[dict[str, Number]], bool], *, timeout: int
    ) -> bool:
        """Run until a frame of `message` arrives whose decoded values `accept` takes."""
        require_callable("wait_for, accept", accept)
        return self.run_until(
            FrameSeen(self.recorder.frames, self.message_named(message), accept),
            timeout=timeout,
        )

    def elapsed_ms(self, since_ns: int) -> float:
        """Milliseconds from a virtual time until now."""
        return (self.now_ns - since_ns) / NS_PER_MS

    # -- verdicts ----------------------------------------------------------------------------------

    def check(
        self,
        requirement: str,
        passed: bool | np.bool_,
        *,
        measured: float | str | None = None,
        limit: str = "",
        text: str = "",
    ) -> bool:
        """Judge a requirement; the run goes on whatever the outcome.

        `measured` may be a number: it is printed with the unit of `limit`. A measurement that is
        no number fails. Returns the outcome. Raises `UsageError` for an outcome that is no bool.
        """
        if not requirement:
            raise UsageError("check", expected="a requirement id")
        if not isinstance(passed, (bool, np.bool_)):
            raise UsageError(f"check {requirement}", expected="True or False", got=repr(passed))
        outcome = bool(passed) and measured == measured  # NaN is unequal to itself
        self.checks.append(
            Check(
                requirement=requirement,
                passed=outcome,
                text=text,
                measured=printed(measured, limit),
                limit=limit,
                time_ns=self.now_ns,
                source="scenario",
            )
        )
        self.log.add("check", "check", f"{requirement} {'passed' if outcome else 'FAILED'} {text}")
        return outcome

    def report(self, name: str, value: str) -> None:
        """Add a named figure to the report: `rig.report("stopping distance", "40.2 m")`."""
        self.measurements[name] = value

    def invariants(self, buses: tuple[BusStatistics, ...]) -> list[Check]:
        """Requirements that watch every run, judged over the run so far."""
        return []

    @property
    def digest(self) -> str:
        """Digest of everything so far: frames and events."""
        parts = self.recorder.hexdigest() + self.log.hexdigest() + self.wire_watch.hexdigest()
        return blake2b(parts.encode(), digest_size=16).hexdigest()

    def fork(self) -> Self:
        """An independent copy that continues from this instant.

        Raises `UsageError` from inside a node's own call: a half-done instant cannot be continued.
        """
        if self.scheduler.in_event and not self._acting:
            raise UsageError("fork", expected="between two instants, not from inside a node")
        return copy.deepcopy(self)

    # -- inside --------------------------------------------------------------------------------

    def _revive(self, name: str) -> None:
        """A node starts anew: a pause of its messages is over, and so is its silence."""
        self.recorder.restart(name)
        self.silenced.pop(name, None)
        self._silencers.pop(name, None)

    def _host(self, name: str) -> NodeHost:
        host = self._hosts.get(name)
        if host is None:
            raise UsageError(
                f"node {name!r}", expected=f"one of {', '.join(self._hosts)}", got=name
            )
        return host
