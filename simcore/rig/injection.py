"""Faults on the rig: begun, ended, listed.

What a fault is lies in `faults/`. One of an ECU is carried out by the node's host; one of the wire
has a method `install(buses, scheduler)` whose result has a method `remove`. Beginning and end are
events of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from simcore.bus import Bus
from simcore.ecu import RestbusNode
from simcore.errors import UsageError
from simcore.faults import EcuSilent, MessageFault
from simcore.faults.message_path import CycleFilter, MessageFilter, MessagePath
from simcore.kernel import Scheduler
from simcore.network import Message
from simcore.network.database import NO_SENDER
from simcore.rig.arguments import require_time
from simcore.rig.result import FaultRecord

if TYPE_CHECKING:
    from simcore.rig.bench import Bench


class Removable(Protocol):
    """What `install` returns."""

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


AnyFault: TypeAlias = EcuSilent | MessageFault | InstallableFault


class InjectedFault:
    """A fault on a rig; `clear` ends it."""

    __slots__ = ("_handle", "_rig", "fault", "sender", "start_ns", "stop_ns")

    def __init__(
        self,
        rig: Bench,
        fault: AnyFault,
        handle: Removable | None,
        *,
        sender: str | None = None,
    ) -> None:
        self._rig = rig
        self._handle = handle
        self.fault = fault
        self.sender = sender
        """Of a disturbed message."""
        self.start_ns = rig.now_ns
        self.stop_ns: int | None = None
        """When it ended, `None` while it lasts."""

    def clear(self) -> None:
        """End the fault, now; one that has ended stays as it is."""
        if self.stop_ns is not None:
            return
        if isinstance(self.fault, EcuSilent):
            self._rig.reset(self.fault.node)  # marks the end
            return
        self.ended()
        if self._handle is not None:
            self._handle.remove()
        self._rig.log.add(self.source, "note", f"fault ended: {self.fault.sentence}")

    def over(self) -> None:
        """It came to its end by itself."""
        if self.stop_ns is None:
            self.ended()
            self._rig.log.add(self.source, "note", f"fault ended: {self.fault.sentence}")

    def ended(self) -> None:
        """The fault is over, however it came to that."""
        if self.stop_ns is None:
            self.stop_ns = self._rig.now_ns

    @property
    def did_nothing(self) -> bool:
        """Whether it is a message's and no frame has come its way so far."""
        return isinstance(self._handle, _DisturbedMessage) and not self._handle.count

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
        """Whom the event log names: the node of an ECU fault, else the bus."""
        return (self.bus or self.node or "wire") if self._handle is not None else str(self.node)

    @property
    def record(self) -> FaultRecord:
        """For the result."""
        places = [place for place in (self.node, self.bus) if place is not None]
        return FaultRecord(
            sentence=self.fault.sentence,
            where=" on ".join(places),
            start_ns=self.start_ns,
            stop_ns=self.stop_ns,
            effect=getattr(self._handle, "effect", ""),
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


def _disturb_message(rig: Bench, fault: MessageFault) -> InjectedFault:
    message = rig.message_named(fault.message)
    wanted = sender_of(rig, fault, message)
    path = MessagePath(message, wanted, rig.scheduler, rig.random.stream(f"fault.{message.name}"))
    filter_ = fault.begin(path)
    injected = InjectedFault(rig, fault, _DisturbedMessage(filter_), sender=wanted)
    path.on_end = injected.over
    rig.disturb_message(wanted, filter_)
    if isinstance(filter_, CycleFilter):
        _begin_cycle(rig, wanted, message)
    return injected


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


def inject(rig: Bench, fault: AnyFault, *, duration: int | None) -> InjectedFault:
    """Begin a fault; see `Rig.inject`."""
    if duration is not None:
        require_time("inject, duration", duration)
    if isinstance(fault, EcuSilent):
        injected = InjectedFault(rig, fault, None)
        rig.silence(fault.node)
    elif isinstance(fault, MessageFault):
        injected = _disturb_message(rig, fault)
    elif isinstance(fault, InstallableFault) and not isinstance(fault, type):
        buses = {bus.name: bus for bus in rig.buses}
        injected = InjectedFault(rig, fault, fault.install(buses, rig.scheduler))
    else:
        raise UsageError("inject", expected="a fault, as EcuSilent(node=...)", got=repr(fault))
    rig.log.add(injected.source, "fault", fault.sentence)
    rig.faults.append(injected)
    if duration is not None:
        rig.at(rig.now_ns + duration, injected.clear)
    return injected


def disturbed_buses(rig: Bench) -> frozenset[str]:
    """Buses on which a fault of the wire has been injected in this run."""
    return frozenset(fault.bus for fault in rig.faults if fault.bus is not None)


def disturbed_messages(rig: Bench) -> frozenset[str]:
    """Messages of which a fault has been injected in this run."""
    return frozenset(
        fault.fault.message for fault in rig.faults if isinstance(fault.fault, MessageFault)
    )
