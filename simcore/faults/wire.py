"""Faults of the wire: what can go wrong between the transceivers, as named objects.

Each is data with a sentence for the report; `install` carries it out on the buses of a rig and
returns what takes it away again. Bits are counted on the wire from SOF = 0, stuff bits included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from simcore.bus import (
    BitFlips,
    Bus,
    Controller,
    Disturbance,
    Frame,
    FrameMatch,
    HeldLine,
    MuteTransmitter,
    NoAcknowledgement,
    ReceiveNoise,
)
from simcore.errors import UsageError
from simcore.kernel import Priority, RandomStream, Scheduler
from simcore.units import format_ns

_LEVELS = {"dominant": 0, "recessive": 1}


class Installed:
    """A fault in place. `remove` ends it; a second time it does nothing."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], object]) -> None:
        self._remove: Callable[[], object] | None = remove

    def remove(self) -> None:
        """End the fault."""
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()


def _bus(buses: Mapping[str, Bus], name: str, fault: object) -> Bus:
    bus = buses.get(name)
    if bus is None:
        raise UsageError(
            f"{type(fault).__name__}, bus", expected=f"one of {', '.join(buses)}", got=repr(name)
        )
    return bus


def _disturbed(bus: Bus, disturbance: Disturbance) -> Installed:
    bus.disturb(disturbance)
    return Installed(partial(bus.undisturb, disturbance))


@dataclass(frozen=True, slots=True, kw_only=True)
class BitError:
    """Bits of frames are read wrongly, by every node or by `node` alone.

    `bits` may go on past EOF into the intermission. `level` ("dominant" or "recessive") is what is
    read, `None` the opposite of what is there. Hit is every `every`-th frame with `arbitration_id`
    from `sender` (`None`: any), each attempt counted, `limit` of them (`None`: all).
    """

    bus: str
    bits: tuple[int, ...]
    node: str | None = None
    level: str | None = None
    arbitration_id: int | None = None
    sender: str | None = None
    every: int = 1
    limit: int | None = 1

    def __post_init__(self) -> None:
        if not self.bits or any(bit < 0 for bit in self.bits):
            raise UsageError("BitError.bits", expected="bit indices >= 0", got=self.bits)
        _require_level("BitError.level", self.level, optional=True)
        _require_count("BitError.every", self.every)
        if self.limit is not None:
            _require_count("BitError.limit", self.limit)

    @property
    def sentence(self) -> str:
        """For the report."""
        what = "flipped" if self.level is None else self.level
        who = self.node or "every node"
        limit = "" if self.limit is None else f", at most {self.limit}"
        return (
            f"{self.bus}: bit {', '.join(map(str, self.bits))} {what} for {who}, "
            f"every {self.every}. {_frames(self.arbitration_id, self.sender)}{limit}"
        )

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Begin to hit frames that start from now on."""
        bus = _bus(buses, self.bus, self)
        if self.node is not None:
            bus.controller(self.node)
        return _disturbed(
            bus,
            BitFlips(
                self.bits,
                match=FrameMatch(self.arbitration_id, None, self.sender),
                node=self.node,
                level=None if self.level is None else _LEVELS[self.level],
                every=self.every,
                limit=self.limit,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AckSuppressed:
    """The ACK slot of matching frames stays recessive: nobody seems to receive them."""

    bus: str
    arbitration_id: int | None = None
    sender: str | None = None
    limit: int | None = None

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: no acknowledgement of {_frames(self.arbitration_id, self.sender)}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Begin with frames that start from now on."""
        match = FrameMatch(self.arbitration_id, None, self.sender)
        bus = _bus(buses, self.bus, self)
        return _disturbed(bus, NoAcknowledgement(match=match, limit=self.limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusShorted:
    """The whole bus is stuck at one level.

    "recessive": CAN_H and CAN_L are shorted to each other; "dominant": one is shorted to a supply
    so that every transceiver reads dominant.
    """

    bus: str
    level: str = "recessive"

    def __post_init__(self) -> None:
        _require_level("BusShorted.level", self.level)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus} shorted: stuck {self.level}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        return _disturbed(_bus(buses, self.bus, self), HeldLine(_LEVELS[self.level]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckDominant:
    """One node's transceiver drives dominant without end: nobody can communicate."""

    bus: str
    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: transceiver of {self.node} stuck dominant"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        bus = _bus(buses, self.bus, self)
        bus.controller(self.node)
        return _disturbed(bus, HeldLine(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRecessive:
    """One node's transmitter is dead: it hears the bus, but what it drives does not get there."""

    bus: str
    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: transmitter of {self.node} stuck recessive"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        bus = _bus(buses, self.bus, self)
        bus.controller(self.node)
        return _disturbed(bus, MuteTransmitter(self.node))


@dataclass(frozen=True, slots=True, kw_only=True)
class DominantPulse:
    """The bus is dominant for `duration_ns`, once, or every `period_ns`.

    Nodes read at their sample points: a pulse between two of them goes unseen. On an idle bus its
    edge synchronises every node.
    """

    bus: str
    duration_ns: int
    period_ns: int | None = None

    def __post_init__(self) -> None:
        _require_count("DominantPulse.duration_ns", self.duration_ns)
        if self.period_ns is not None and not self.period_ns > self.duration_ns:
            raise UsageError(
                "DominantPulse.period_ns",
                expected=f"more than the duration, {self.duration_ns} ns",
                got=self.period_ns,
            )

    @property
    def sentence(self) -> str:
        """For the report."""
        again = "" if self.period_ns is None else f" every {format_ns(self.period_ns)}"
        return f"{self.bus}: dominant pulse of {format_ns(self.duration_ns)}{again}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """The first pulse begins now."""
        pulses = _Pulses(_bus(buses, self.bus, self), scheduler, self)
        pulses.begin()
        return Installed(pulses.stop)


class _Pulses:
    """Carries out `DominantPulse`."""

    __slots__ = ("_bus", "_fault", "_held", "_scheduler", "_stopped")

    def __init__(self, bus: Bus, scheduler: Scheduler, fault: DominantPulse) -> None:
        self._bus = bus
        self._scheduler = scheduler
        self._fault = fault
        self._held = HeldLine(0)
        self._stopped = False

    def begin(self) -> None:
        if self._stopped:
            return
        now_ns = self._scheduler.now_ns
        self._bus.disturb(self._held)
        self._post(now_ns + self._fault.duration_ns, self._end)
        if self._fault.period_ns is not None:
            self._post(now_ns + self._fault.period_ns, self.begin)

    def _post(self, time_ns: int, action: Callable[[], object]) -> None:
        self._scheduler.post(time_ns, int(Priority.BUS), action)

    def _end(self) -> None:
        self._bus.undisturb(self._held)

    def stop(self) -> None:
        self._stopped = True
        self._end()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWire:
    """The wire to one node is broken: it hears and reaches only itself."""

    bus: str
    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: wire to {self.node} open"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on; a frame the node is sending is cut."""
        controller = _bus(buses, self.bus, self).controller(self.node)
        controller.set_connected(False)
        return Installed(partial(controller.set_connected, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUnplugged:
    """The connector of a node is off: bus and supply of its controller are gone.

    Plugged in again the controller starts anew, with counters at 0 and nothing waiting.
    """

    bus: str
    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: {self.node} unplugged"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on; a frame the node is sending is cut."""
        controller = _bus(buses, self.bus, self).controller(self.node)
        controller.set_enabled(False)
        return Installed(partial(controller.set_enabled, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOpen:
    """The whole bus is broken: no node reaches another one."""

    bus: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus} open: no node reaches another"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on."""
        cut = _CutNodes(_bus(buses, self.bus, self))
        cut.cut()
        return Installed(cut.join)


class _CutNodes:
    """Carries out `BusOpen`."""

    __slots__ = ("_nodes",)

    def __init__(self, bus: Bus) -> None:
        self._nodes: list[Controller] = [each for each in bus.controllers if each.connected]

    def cut(self) -> None:
        for controller in self._nodes:
            controller.set_connected(False)

    def join(self) -> None:
        for controller in self._nodes:
            controller.set_connected(True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOff:
    """A node's controller goes bus-off at once; it comes back as it is configured to."""

    bus: str
    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: controller of {self.node} bus-off"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Now. Removing the fault asks for recovery, if the controller is still bus-off."""
        controller = _bus(buses, self.bus, self).controller(self.node)
        controller.force_bus_off()
        return Installed(controller.recover)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundOffset:
    """The ground of one node is shifted: it reads bits wrongly at random, seeded."""

    bus: str
    node: str
    bit_error_ratio: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.bit_error_ratio < 1.0:
            raise UsageError(
                "GroundOffset.bit_error_ratio",
                expected="between 0 and 1, both excluded",
                got=self.bit_error_ratio,
            )

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: {self.node} reads one bit in {1.0 / self.bit_error_ratio:.0f} wrongly"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Frames that start from now on are read with errors."""
        bus = _bus(buses, self.bus, self)
        bus.controller(self.node)
        stream = RandomStream(self.seed, f"wire.{self.bus}.{self.node}")
        return _disturbed(bus, ReceiveNoise(self.node, self.bit_error_ratio, stream))


@dataclass(frozen=True, slots=True, kw_only=True)
class BabblingNode:
    """A node sends a frame again and again: whatever has a lower priority starves.

    Without `period_ns` the next one waits as soon as one is through. The frame comes out of a
    controller of its own, `<node> (babbling)`, so the node's real messages go on.
    """

    bus: str
    node: str
    arbitration_id: int = 0
    data: bytes = b""
    is_fd: bool = False
    period_ns: int | None = None

    def __post_init__(self) -> None:
        Frame(self.arbitration_id, self.data, is_fd=self.is_fd, bitrate_switch=self.is_fd)
        if self.period_ns is not None:
            _require_count("BabblingNode.period_ns", self.period_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        how = "without pause" if self.period_ns is None else f"every {format_ns(self.period_ns)}"
        return f"{self.bus}: {self.node} babbles 0x{self.arbitration_id:03X} {how}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on."""
        babbler = _Babbler(_bus(buses, self.bus, self), scheduler, self)
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
            self._controller.send(self._frame)
            self._controller.send(self._frame)
        else:
            self._tick()

    def _again(self, frame: Frame) -> None:
        if self._running:
            self._controller.send(self._frame)

    def _tick(self) -> None:
        if self._running and self._period_ns is not None:
            self._controller.send(self._frame)
            due_ns = self._scheduler.now_ns + self._period_ns
            self._scheduler.post(due_ns, int(Priority.ECU), self._tick)

    def stop(self) -> None:
        self._running = False
        self._controller.bus.detach(self._controller)


WireFault = (
    BitError
    | AckSuppressed
    | BusShorted
    | StuckDominant
    | StuckRecessive
    | DominantPulse
    | OpenWire
    | NodeUnplugged
    | BusOpen
    | BusOff
    | GroundOffset
    | BabblingNode
)


def _frames(arbitration_id: int | None, sender: str | None) -> str:
    what = "frame" if arbitration_id is None else f"frame 0x{arbitration_id:03X}"
    return what if sender is None else f"{what} from {sender}"


def _require_level(where: str, level: str | None, *, optional: bool = False) -> None:
    if not (optional and level is None) and level not in _LEVELS:
        raise UsageError(where, expected="'dominant' or 'recessive'", got=repr(level))


def _require_count(where: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(where, expected="an integer >= 1", got=repr(count))
