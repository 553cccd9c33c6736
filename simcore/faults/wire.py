"""Faults of the wire: what can go wrong between the transceivers, as named objects.

Each is data with a sentence for the report; `install` carries it out on the buses of a rig and
returns what takes it away again. Bits are counted on the wire from SOF = 0, stuff bits included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simcore.bus import (
    BitFlips,
    Bus,
    FrameMatch,
    HeldLine,
    MuteTransmitter,
    NoAcknowledgement,
    ReceiveNoise,
)
from simcore.errors import UsageError
from simcore.faults.fault import WireFault
from simcore.faults.installed import (
    LEVELS,
    Installed,
    bus_named,
    disturbed,
    require_count,
    require_level,
)
from simcore.kernel import Priority, RandomStream, Scheduler
from simcore.units import format_ns

_LAST_BIT = 740
"""The longest frame, extended FD with 64 bytes, has fewer bits, the intermission included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BitError(WireFault):
    """Bits of frames are read wrongly, by every node or by `node` alone.

    `bits` may go on past EOF into the intermission. `level` ("dominant" or "recessive") is what is
    read, `None` the opposite of what is there. Hit is every `every`-th frame with `arbitration_id`
    from `sender` (`None`: any), each attempt counted, `limit` of them (`None`: all).
    """

    bits: tuple[int, ...]
    """Places on the wire, SOF = 0, stuff bits included."""
    node: str | None = None
    """Who reads them wrongly; `None`: every node."""
    level: str | None = None
    """What is read, `"dominant"` or `"recessive"`; `None`: the opposite of what is there."""
    arbitration_id: int | None = None
    """Frames concerned; `None`: all."""
    sender: str | None = None
    """Whose frames are concerned; `None`: anybody's."""
    every: int = 1
    """Every how many frames one is hit, each attempt counted."""
    limit: int | None = 1
    """How many frames are hit; `None`: without end."""

    def __post_init__(self) -> None:
        bits: object = self.bits
        if (
            not isinstance(bits, tuple)
            or not bits
            or not all(isinstance(bit, int) and 0 <= bit <= _LAST_BIT for bit in bits)
        ):
            expected = f"a tuple of bit indices, each 0..{_LAST_BIT}"
            raise UsageError("BitError.bits", expected=expected, got=repr(bits))
        require_level("BitError.level", self.level, optional=True)
        require_count("BitError.every", self.every)
        if self.limit is not None:
            require_count("BitError.limit", self.limit)

    @property
    def sentence(self) -> str:
        """For the report."""
        what = "flipped" if self.level is None else self.level
        who = self.node or "every node"
        limit = "" if self.limit is None else f", at most {self.limit}"
        every = "every" if self.every == 1 else f"every {self.every}th"
        return (
            f"{self.bus}: bit {', '.join(map(str, self.bits))} {what} for {who}, "
            f"{every} {_frames(self.arbitration_id, self.sender)}{limit}"
        )

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Begin to hit frames that start from now on."""
        bus = bus_named(buses, self.bus, self)
        for name in (self.node, self.sender):
            if name is not None:
                bus.controller(name)
        return disturbed(
            bus,
            BitFlips(
                self.bits,
                match=FrameMatch(self.arbitration_id, None, self.sender),
                node=self.node,
                level=None if self.level is None else LEVELS[self.level],
                every=self.every,
                limit=self.limit,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AckSuppressed(WireFault):
    """The sender of matching frames sees no acknowledgement: nobody seems to receive them.

    Receivers take the frames. Once the sender is error passive its flag is invisible: others start
    into its delimiter, that is a form error for it, and on a busy bus it ends bus-off.
    """

    arbitration_id: int | None = None
    """Frames concerned; `None`: all."""
    sender: str | None = None
    """Whose frames are concerned; `None`: anybody's."""
    limit: int | None = None
    """How many frames are concerned; `None`: without end."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: no acknowledgement of {_frames(self.arbitration_id, self.sender)}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Begin with frames that start from now on."""
        match = FrameMatch(self.arbitration_id, None, self.sender)
        bus = bus_named(buses, self.bus, self)
        if self.sender is not None:
            bus.controller(self.sender)
        return disturbed(bus, NoAcknowledgement(match=match, limit=self.limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusShorted(WireFault):
    """The whole bus is stuck at one level.

    "recessive": CAN_H and CAN_L are shorted to each other; "dominant": one is shorted to a supply
    so that every transceiver reads dominant.
    """

    level: str = "recessive"
    """What everybody reads: `"dominant"` or `"recessive"`."""

    def __post_init__(self) -> None:
        require_level("BusShorted.level", self.level)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus} shorted: stuck {self.level}"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        return disturbed(bus_named(buses, self.bus, self), HeldLine(LEVELS[self.level]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckDominant(WireFault):
    """One node's transceiver drives dominant without end: nobody can communicate."""

    node: str
    """Whose transceiver."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: transceiver of {self.node} stuck dominant"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        bus = bus_named(buses, self.bus, self)
        bus.controller(self.node)
        return disturbed(bus, HeldLine(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRecessive(WireFault):
    """One node's transmitter is dead: it hears the bus, but what it drives does not get there."""

    node: str
    """Whose transmitter."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: transmitter of {self.node} stuck recessive"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From now on, also in the middle of a frame."""
        bus = bus_named(buses, self.bus, self)
        bus.controller(self.node)
        return disturbed(bus, MuteTransmitter(self.node))


@dataclass(frozen=True, slots=True, kw_only=True)
class DominantPulse(WireFault):
    """The bus is dominant for `duration_ns`, once, or every `period_ns`.

    Nodes read at their sample points: a pulse between two of them goes unseen. On an idle bus its
    edge synchronises every node.
    """

    duration_ns: int
    """Length of a pulse."""
    period_ns: int | None = None
    """From pulse to pulse; `None`: there is one."""

    def __post_init__(self) -> None:
        require_count("DominantPulse.duration_ns", self.duration_ns)
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
        pulses = _Pulses(bus_named(buses, self.bus, self), scheduler, self)
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
class GroundOffset(WireFault):
    """The ground of one node is shifted: it reads bits wrongly at random, seeded."""

    node: str
    """Whose ground."""
    bit_error_ratio: float
    """Share of the bits that it reads wrongly."""
    seed: int = 0
    """Of its random stream."""

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
        bus = bus_named(buses, self.bus, self)
        bus.controller(self.node)
        # A second one errs at other bits: the same ones, wrong twice, would be right.
        taken = {each.stream_name for each in bus.disturbances if isinstance(each, ReceiveNoise)}
        place = f"wire.{self.bus}.{self.node}"
        names = (place, *(f"{place}.{number}" for number in range(1, len(taken) + 1)))
        name = next(name for name in names if name not in taken)
        stream = RandomStream(self.seed, name)
        return disturbed(bus, ReceiveNoise(self.node, self.bit_error_ratio, stream))


def _frames(arbitration_id: int | None, sender: str | None) -> str:
    what = "frame" if arbitration_id is None else f"frame 0x{arbitration_id:03X}"
    return what if sender is None else f"{what} from {sender}"
