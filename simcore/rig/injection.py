"""Faults on the rig: begun, ended, listed.

What a fault is lies in `faults/`. One of an ECU is carried out by the node's host; one of the wire
has a method `install(buses, scheduler)` whose result has a method `remove`. Beginning and end are
events of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from simcore.bus import Bus
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.kernel import Scheduler
from simcore.rig.arguments import require_time
from simcore.rig.result import FaultRecord

if TYPE_CHECKING:
    from simcore.rig.rig import Rig


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


class InjectedFault:
    """A fault on a rig; `clear` ends it."""

    __slots__ = ("_handle", "_rig", "fault", "start_ns", "stop_ns")

    def __init__(
        self, rig: Rig, fault: EcuSilent | InstallableFault, handle: Removable | None
    ) -> None:
        self._rig = rig
        self._handle = handle
        self.fault = fault
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

    def ended(self) -> None:
        """The fault is over, however it came to that."""
        if self.stop_ns is None:
            self.stop_ns = self._rig.now_ns

    @property
    def node(self) -> str | None:
        """The node it concerns, where it is one."""
        return getattr(self.fault, "node", None)

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


def inject(rig: Rig, fault: EcuSilent | InstallableFault, *, duration: int | None) -> InjectedFault:
    """Begin a fault; see `Rig.inject`."""
    if duration is not None:
        require_time("inject, duration", duration)
    if isinstance(fault, EcuSilent):
        injected = InjectedFault(rig, fault, None)
        rig.silence(fault.node)
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


def disturbed_buses(rig: Rig) -> frozenset[str]:
    """Buses on which a fault of the wire has been injected in this run."""
    return frozenset(fault.bus for fault in rig.faults if fault.bus is not None)
