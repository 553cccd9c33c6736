"""Faults of one node's connection to a bus: cut, unplugged, bus-off, babbling.

Data with a sentence and `install`, as in `wire.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from simcore.bus import Bus, Controller, ErrorState, Frame, StateChange, WireError
from simcore.bus.holding import cut, join, plug, take_back, throw_off, unplug
from simcore.faults.fault import WireFault
from simcore.faults.installed import Installed, bus_named, require_count
from simcore.kernel import Priority, Scheduler
from simcore.units import format_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWire(WireFault):
    """The wire to one node is broken: it hears and reaches only itself."""

    node: str
    """Who is cut off."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: wire to {self.node} open"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on; a frame the node is sending is cut."""
        controller = bus_named(buses, self.bus, self).controller(self.node)
        cut(controller)
        return Installed(partial(join, controller))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUnplugged(WireFault):
    """The connector of a node is off: bus and supply of its controller are gone.

    Plugged in again the controller starts anew, with counters at 0 and nothing waiting; that of a
    node that is off stays off. A reset of the node does not plug it in.
    """

    node: str
    """Whose connector."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: {self.node} unplugged"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on; a frame the node is sending is cut."""
        controller = bus_named(buses, self.bus, self).controller(self.node)
        unplug(controller)
        return Installed(partial(plug, controller))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOpen(WireFault):
    """The whole bus is broken: no node reaches another one."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus} open: no node reaches another"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on."""
        cut = _CutNodes(bus_named(buses, self.bus, self))
        cut.cut()
        return Installed(cut.join)


class _CutNodes:
    """Carries out `BusOpen`."""

    __slots__ = ("_nodes",)

    def __init__(self, bus: Bus) -> None:
        self._nodes: list[Controller] = list(bus.controllers)

    def cut(self) -> None:
        for controller in self._nodes:
            cut(controller)

    def join(self) -> None:
        for controller in self._nodes:
            join(controller)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOff(WireFault):
    """A node's controller goes bus-off at once; it comes back as it is configured to."""

    node: str
    """Whose controller."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: controller of {self.node} bus-off"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Now. Removing the last such fault asks for recovery, if it is still bus-off."""
        controller = bus_named(buses, self.bus, self).controller(self.node)
        throw_off(controller)
        return Installed(partial(take_back, controller))


@dataclass(frozen=True, slots=True, kw_only=True)
class BabblingNode(WireFault):
    """A node sends a frame again and again: whatever has a lower priority starves.

    Without `period_ns` the next one waits as soon as one is through. The frame comes out of a
    controller of its own, `<node> (babbling)`, so the node's real messages go on.
    """

    node: str
    """Whose place on the bus it babbles from."""
    arbitration_id: int = 0
    """Of the frame it sends."""
    data: bytes = b""
    """Payload of the frame."""
    is_fd: bool = False
    """Whether it is a CAN FD frame, with its data phase fast."""
    period_ns: int | None = None
    """From frame to frame; `None`: the next as soon as one is through."""

    def __post_init__(self) -> None:
        Frame(self.arbitration_id, self.data, is_fd=self.is_fd, bitrate_switch=self.is_fd)
        if self.period_ns is not None:
            require_count("BabblingNode.period_ns", self.period_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        how = "without pause" if self.period_ns is None else f"every {format_ns(self.period_ns)}"
        return f"{self.bus}: {self.node} babbles 0x{self.arbitration_id:03X} {how}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on."""
        babbler = _Babbler(bus_named(buses, self.bus, self), scheduler, self)
        babbler.start()
        return Installed(babbler.stop)


class _Babbler:
    """Carries out `BabblingNode`."""

    __slots__ = ("_controller", "_frame", "_period_ns", "_running", "_scheduler")

    def __init__(self, bus: Bus, scheduler: Scheduler, fault: BabblingNode) -> None:
        bus.controller(fault.node)
        self._controller = bus.attach(f"{fault.node} (babbling)")
        self._frame = Frame(
            fault.arbitration_id, fault.data, is_fd=fault.is_fd, bitrate_switch=fault.is_fd
        )
        self._period_ns = fault.period_ns
        self._scheduler = scheduler
        self._running = True

    def start(self) -> None:
        if self._period_ns is None:
            self._controller.listen_transmitted(self._again)
            self._controller.listen_errors(self._recovered)
            self._controller.send(self._frame)
            self._controller.send(self._frame)
        else:
            self._tick()

    def _again(self, frame: Frame) -> None:
        if self._running:
            self._controller.send(self._frame)

    def _recovered(self, event: WireError | StateChange) -> None:
        if self._running and isinstance(event, StateChange) and event.before is ErrorState.BUS_OFF:
            self._controller.send(self._frame)
            self._controller.send(self._frame)

    def _tick(self) -> None:
        if self._running and self._period_ns is not None:
            self._controller.send(self._frame)
            due_ns = self._scheduler.now_ns + self._period_ns
            self._scheduler.post(due_ns, int(Priority.ECU), self._tick)

    def stop(self) -> None:
        self._running = False
        self._controller.bus.detach(self._controller)
