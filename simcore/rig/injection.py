"""Faults on the rig: armed, begun, ended, listed.

What a fault is lies in `faults/`, and how it is carried out lies with its layer: one of the wire
has `install(buses, scheduler)`, one of a message a filter on its sender's path, every other one
`begin(site)`. When it happens is decided here. Beginning and end are events of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, overload, runtime_checkable

from simcore.bus import Bus
from simcore.ecu import RestbusNode
from simcore.errors import InputError, UsageError
from simcore.faults.fault import Fault, FaultSequence, SiteFault, TimedFault, WireFault
from simcore.faults.installed import Installed, bus_named
from simcore.faults.message import MessageFault
from simcore.faults.message_path import CycleFilter, MessageFilter, MessagePath
from simcore.kernel import Priority, Scheduler
from simcore.kernel.scheduler import Timer
from simcore.network import Message
from simcore.network.database import NO_SENDER
from simcore.rig.arguments import require_time
from simcore.rig.result import Event, FaultRecord
from simcore.rig.site import RigSite
from simcore.units import format_ns

if TYPE_CHECKING:
    from simcore.rig.bench import Bench


class Removable(Protocol):
    """A fault in place."""

    def remove(self) -> object:
        """End the fault."""


@runtime_checkable
class InstallableFault(Protocol):
    """A fault of the wire, as `faults/wire.py` describes them."""

    @property
    def sentence(self) -> str:
        """For the report."""

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Removable:
        """Begin, now."""


AnyFault: TypeAlias = Fault | InstallableFault


class InjectedFault:
    """A fault on a rig; `clear` ends it, or takes it back where it has not begun."""

    __slots__ = (
        "_handle",
        "_rig",
        "_timer",
        "_waits_for",
        "failure",
        "fault",
        "sender",
        "start_ns",
        "stop_ns",
        "timed",
    )

    def __init__(self, rig: Bench, timed: TimedFault) -> None:
        self._rig = rig
        self._handle: Removable | None = None
        self._timer: Timer | None = None
        self._waits_for = ""
        self.failure = ""
        """Why it could not begin when its time came."""
        self.timed = timed
        self.fault: AnyFault = timed.fault
        self.sender: str | None = None
        """Of a disturbed message."""
        self.start_ns: int | None = None
        """When it began; `None` while it waits."""
        self.stop_ns: int | None = None
        """When it ended, or was taken back; `None` while it waits or lasts."""

    # -- its life -------------------------------------------------------------------------------

    def arm(self) -> None:
        """Begin now, at its time, or with its event."""
        rig, timed = self._rig, self.timed
        if timed.event is None and timed.start_ns in (None, rig.now_ns):
            self._begin()
            return
        if timed.event is not None:
            self._waits_for = f"the {timed.event.sentence}"
            rig.log.watch(self._noticed)
        else:
            assert timed.start_ns is not None
            self._wait_until(timed.start_ns)
        rig.log.add(self.source, "note", f"fault armed: {timed.sentence}")

    def _noticed(self, event: Event) -> None:
        wanted = self.timed.event
        if wanted is not None and wanted.matches(event.source, event.kind, event.text):
            self._rig.log.unwatch(self._noticed)
            self._wait_until(self._rig.now_ns + self.timed.delay_ns)

    def _wait_until(self, start_ns: int) -> None:
        # After everything of that instant, as if a script had stopped there and injected it; also
        # for an event of this instant: never in the midst of the node that has logged it.
        self._waits_for = format_ns(start_ns)
        self._timer = self._rig.scheduler.timer(start_ns, Priority.OBSERVER, self._begin_in_time)

    def _begin_in_time(self) -> None:
        """Nobody is there to be told of an error: one is a finding of the run."""
        self._timer = None
        try:
            self._begin()
        except (UsageError, InputError) as error:
            self.failure = str(error)
            self.stop_ns = self._rig.now_ns
            text = f"fault not begun: {self.fault.sentence}: {error}"
            self._rig.log.find(self.source, text)

    def _begin(self) -> None:
        rig = self._rig
        self._handle = handle = _carried_out(rig, self)
        self.start_ns = rig.now_ns
        rig.log.add(self.source, "fault", self.fault.sentence)
        if isinstance(handle, Installed):
            if handle.is_over:  # one of an instant
                self.stop_ns = rig.now_ns
                return
            handle.on_end = self.over
        if self.timed.duration_ns is not None:
            rig.at(rig.now_ns + self.timed.duration_ns, self.clear)

    def clear(self) -> None:
        """End the fault, now, or take it back; one that has ended stays as it is."""
        if self.stop_ns is not None:
            return
        self.stop_ns = self._rig.now_ns
        if self.start_ns is None:
            if self._timer is not None:
                self._timer.cancel()
            self._rig.log.unwatch(self._noticed)
            self._rig.log.add(self.source, "note", f"fault taken back: {self.fault.sentence}")
            return
        if self._handle is not None:
            self._handle.remove()
        self._rig.log.add(self.source, "note", f"fault ended: {self.fault.sentence}")

    def over(self) -> None:
        """It came to its end by itself."""
        if self.stop_ns is None:
            self.stop_ns = self._rig.now_ns
            self._rig.log.add(self.source, "note", f"fault ended: {self.fault.sentence}")

    # -- for reports ----------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether it waits for its time or its event."""
        return self.start_ns is None and self.stop_ns is None

    @property
    def did_nothing(self) -> bool:
        """Whether it never began, or nothing has come its way so far.

        What can be counted: frames, activations of a task, services of a watchdog, samples of a
        pin, values of a variable.
        """
        return self.start_ns is None or getattr(self._handle, "count", None) == 0

    @property
    def node(self) -> str | None:
        """The node it concerns, where it is one."""
        return self.sender or getattr(self.fault, "node", None)

    @property
    def bus(self) -> str | None:
        """The bus it concerns, where it is one."""
        return getattr(self.fault, "bus", None)

    @property
    def source(self) -> str:
        """Whom the event log names: the bus, else the node, else the layer."""
        layer: str = getattr(self.fault, "layer", "wire")
        return self.bus or self.node or layer

    @property
    def record(self) -> FaultRecord:
        """For the result. What never began has no length and says so."""
        places = [place for place in (self.node, self.bus) if place is not None]
        start_ns, stop_ns = self.start_ns, self.stop_ns
        effect: str = getattr(self._handle, "effect", "")
        if start_ns is None:
            if self.failure:
                effect = f"never begun: {self.failure}"
            elif stop_ns is None:
                effect = f"never begun: waited for {self._waits_for}"
            else:
                effect = f"never begun: taken back while it waited for {self._waits_for}"
            start_ns = stop_ns = self._rig.now_ns if stop_ns is None else stop_ns
        return FaultRecord(
            sentence=self.fault.sentence,
            where=" on ".join(places),
            start_ns=start_ns,
            stop_ns=stop_ns,
            effect=effect,
        )


class _DisturbedMessage:
    """Handle of a message's fault."""

    __slots__ = ("_filter",)

    def __init__(self, filter_: MessageFilter) -> None:
        self._filter = filter_

    @property
    def effect(self) -> str:
        return self._filter.effect

    @property
    def count(self) -> int:
        return self._filter.count

    def remove(self) -> None:
        self._filter.end()


def _carried_out(rig: Bench, injected: InjectedFault) -> Removable:
    fault = injected.fault
    if isinstance(fault, MessageFault):
        return _disturb_message(rig, injected, fault)
    if isinstance(fault, SiteFault):
        return fault.begin(RigSite(rig))
    assert isinstance(fault, InstallableFault)
    return fault.install({bus.name: bus for bus in rig.buses}, rig.scheduler)


def _disturb_message(rig: Bench, injected: InjectedFault, fault: MessageFault) -> Removable:
    message = rig.message_named(fault.message)
    wanted = injected.sender = sender_of(rig, fault, message)
    path = _path(rig, message, wanted)
    filter_ = fault.begin(path)
    path.on_end = injected.over
    rig.disturb_message(wanted, filter_)
    if isinstance(filter_, CycleFilter):
        _begin_cycle(rig, wanted, message)
    return _DisturbedMessage(filter_)


def _path(rig: Bench, message: Message, sender: str) -> MessagePath:
    stream = rig.random.stream(f"fault.{message.name}")
    return MessagePath(message, sender, rig.scheduler, stream)


def sender_of(rig: Bench, fault: MessageFault, message: Message) -> str:
    """Whose frames a fault takes. Raises `UsageError` for a node that does not send the message."""
    own = [name for name in message.senders or (NO_SENDER,) if rig.may_send(name, message)]
    if fault.node is None and len(own) == 1:
        return own[0]
    if fault.node is None or not rig.may_send(fault.node, message):
        raise UsageError(
            f"{type(fault).__name__}, message {message.label}: node",
            expected=f"one of its senders, {', '.join(own) or 'of which none is here'}",
            got=repr(fault.node),
        )
    return fault.node


def _begin_cycle(rig: Bench, name: str, message: Message) -> None:
    """What has no cycle of its own gives no frame to repeat: the restbus sends it once."""
    node = rig.node(name)
    rule = node.rule_of(message) if isinstance(node, RestbusNode) else None
    if rule is not None and not rule.cycle_ns:
        rig.send_once(name, rule.message.name)


def check_places(rig: Bench, fault: AnyFault) -> None:
    """Refuse a fault of what the rig has not, before it begins."""
    if isinstance(fault, MessageFault):
        message = rig.message_named(fault.message)
        fault.begin(_path(rig, message, sender_of(rig, fault, message)))  # and leave it at that
        return
    if isinstance(fault, SiteFault):
        fault.check(RigSite(rig))
        return
    if isinstance(fault, WireFault):
        fault.check({bus.name: bus for bus in rig.buses})
        return
    bus, node = getattr(fault, "bus", None), getattr(fault, "node", None)
    if bus is not None:
        bus_named({each.name: each for each in rig.buses}, bus, fault)
    elif node is not None:
        rig.node(node)


def _timed(
    rig: Bench, fault: AnyFault | TimedFault | FaultSequence, duration: int | None
) -> tuple[TimedFault, ...]:
    """What is to be armed. Raises `UsageError` for what is no fault and for times that passed."""
    if duration is not None:
        require_time("inject, duration", duration)
    if isinstance(fault, FaultSequence):
        timed: tuple[TimedFault, ...] = fault.faults
    elif isinstance(fault, TimedFault):
        timed = (fault,)
    else:
        timed = (TimedFault(fault=fault, duration_ns=duration),)  # type: ignore[arg-type]
        duration = None
    for each in timed:
        kind = type(each.fault).__name__
        if duration is not None:
            raise UsageError(
                f"inject, {kind}, duration",
                expected="none: a fault with times says itself how long, with duration_ns",
                got=format_ns(duration),
            )
        known = isinstance(each.fault, (MessageFault, SiteFault, InstallableFault))
        if not known or isinstance(each.fault, type):
            raise UsageError("inject", expected="a fault, as EcuSilent(node=...)", got=repr(fault))
        if each.start_ns is not None and each.start_ns < rig.now_ns:
            raise UsageError(
                f"inject, {kind}, at",
                expected=f"a time not before now, {format_ns(rig.now_ns)}",
                got=format_ns(each.start_ns),
            )
    return timed


@overload
def inject(rig: Bench, fault: AnyFault | TimedFault, *, duration: int | None) -> InjectedFault: ...


@overload
def inject(
    rig: Bench, fault: FaultSequence, *, duration: int | None
) -> tuple[InjectedFault, ...]: ...


def inject(
    rig: Bench, fault: AnyFault | TimedFault | FaultSequence, *, duration: int | None
) -> InjectedFault | tuple[InjectedFault, ...]:
    """Arm one fault or several; see `Rig.inject`."""
    timed = _timed(rig, fault, duration)
    for each in timed:
        check_places(rig, each.fault)
    armed = []
    for each in timed:
        injected = InjectedFault(rig, each)
        injected.arm()
        rig.faults.append(injected)
        armed.append(injected)
    return tuple(armed) if isinstance(fault, FaultSequence) else armed[0]


def _begun(rig: Bench) -> list[InjectedFault]:
    return [injected for injected in rig.faults if injected.start_ns is not None]


def disturbed_buses(rig: Bench) -> frozenset[str]:
    """Buses that a fault of the wire has disturbed in this run, or a tester has filled."""
    hit = {each.bus for each in _begun(rig) if each.bus is not None}
    return frozenset(hit | rig.filled_buses)


def disturbed_messages(rig: Bench) -> frozenset[str]:
    """Messages whose timing a fault has touched in this run: their own, or their sender's."""
    names: set[str] = set()
    for each in _begun(rig):
        if isinstance(each.fault, MessageFault):
            names.add(each.fault.message)
        elif getattr(each.fault, "shifts_messages", False) and each.node is not None:
            names.update(message.name for message in rig.database.sent_by(each.node))
    return frozenset(names)
