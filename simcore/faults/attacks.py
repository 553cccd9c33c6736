"""Attacks from a foreign node on a bus: recorded frames sent again, frames forged.

Not faults but intent; in form they are faults of the wire, data with a sentence and `install`, and
go through `Rig.inject`. The attacker has a controller of its own, hears everything, and sends in
the pause behind each genuine frame of the message it attacks, so that the two never collide. It
knows the network file, E2E included, and no key (UN R155 annex 5: 4.1 spoofing, 6.3 replay).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from simcore.bus import Bus, Frame
from simcore.errors import UsageError
from simcore.faults.fault import WireFault
from simcore.faults.installed import Installed, bus_named, require_count
from simcore.kernel import Priority, Scheduler
from simcore.network import Message
from simcore.network.e2e_layout import PROFILES
from simcore.network.messages import Number
from simcore.protection.e2e_factory import e2e_sender
from simcore.units import NS_PER_MS

ATTACKER = "ATTACKER"
DELAY_NS = NS_PER_MS
"""How long behind a genuine frame the attacker's follow, by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAttack(WireFault):
    """Recorded frames of a message are sent again, `burst` of them behind each genuine one.

    They keep their order and begin anew at the end. Of a burst, E2E takes the first for a jump of
    the counter and the others for a stream in sequence: one alone it would reject.
    """

    frames: tuple[Frame, ...]
    """What was recorded, all of one message, in order."""
    burst: int = 4
    """How many follow each genuine frame."""
    delay_ns: int = DELAY_NS
    """From a genuine frame to the first of the attacker's."""
    attacker: str = ATTACKER
    """Name of the attacker's controller."""

    def __post_init__(self) -> None:
        identifiers = {(frame.arbitration_id, frame.is_extended_id) for frame in self.frames}
        if len(identifiers) != 1:
            got = f"frames of {len(identifiers)} identifiers"
            raise UsageError("ReplayAttack.frames", expected="frames of one message", got=got)
        require_count("ReplayAttack.burst", self.burst)
        require_count("ReplayAttack.delay_ns", self.delay_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        return (
            f"{self.bus}: {self.attacker} replays {len(self.frames)} recorded frames "
            f"0x{self.frames[0].arbitration_id:03X}, {self.burst} behind each genuine one"
        )

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From the next genuine frame on."""
        attack = _Replay(bus_named(buses, self.bus, self), scheduler, self)
        return Installed(attack.remove, attack)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoofedMessage(WireFault):
    """A message is forged behind each genuine one: `values` changed, counter and checksum right.

    The forged frame has the counter that the next genuine one would have; where both arrive, E2E
    takes the forged one and rejects the genuine as repeated. Of SecOC the attacker has what it
    hears: it counts the freshness value on and keeps the last authenticator.
    """

    message: Message
    """The message to forge, as the attacker knows it."""
    values: Mapping[str, Number] = field(hash=False)
    """Physical values by signal; all others as in the genuine frame."""
    delay_ns: int = DELAY_NS
    """From a genuine frame to the forged one."""
    attacker: str = ATTACKER
    """Name of the attacker's controller."""

    def __post_init__(self) -> None:
        for name in self.values:
            self.message.signal(name)
        require_count("SpoofedMessage.delay_ns", self.delay_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.bus}: {self.attacker} forges {self.message.label}, E2E right, without a key"

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """From the next genuine frame on."""
        attack = _Spoof(bus_named(buses, self.bus, self), scheduler, self)
        return Installed(attack.remove, attack)

    def forged(self, genuine: bytes) -> bytes:
        """The frame that follows a genuine one."""
        message = self.message
        values = {**message.codec.decode(genuine), **self.values}
        data = message.codec.encode(values)
        secoc, e2e = message.secoc, message.e2e
        length = message.length if secoc is None else secoc.authentic_length
        data, trailer = data[:length], genuine[length:]
        if e2e is not None and e2e.counter_signal is not None:
            counter = message.codec.raw_reader(e2e.counter_signal).read(genuine)[0]
            modulo = PROFILES[e2e.profile].counter_modulo
            data = e2e_sender(e2e, length, counter=(int(counter) + 1) % modulo).protect(data)
        if secoc is not None:
            bits = 8 * len(trailer)
            step = 1 << bits - secoc.freshness_value_trunc_length
            ahead = (int.from_bytes(trailer, "big") + step) % (1 << bits)
            trailer = ahead.to_bytes(len(trailer), "big")
        return data + trailer


class _Attack:
    """A foreign node at work; `remove` takes it off the bus."""

    __slots__ = ("_bus", "_controller", "_delay_ns", "_scheduler", "sent_count")

    def __init__(
        self, bus: Bus, scheduler: Scheduler, name: str, header: Frame | Message, delay_ns: int
    ) -> None:
        self._bus = bus
        self._scheduler = scheduler
        self._delay_ns = delay_ns
        self.sent_count = 0
        self._controller = bus.attach(name, self._heard)
        self._controller.accept([(header.arbitration_id, header.is_extended_id)])

    @property
    def count(self) -> int:
        """Frames sent so far."""
        return self.sent_count

    @property
    def effect(self) -> str:
        """What it did so far."""
        return f"{self.sent_count} frames sent"

    def _heard(self, frame: Frame) -> None:
        due_ns = self._scheduler.now_ns + self._delay_ns
        self._scheduler.post(due_ns, int(Priority.ECU), partial(self._strike, frame))

    def _strike(self, genuine: Frame) -> None:
        if not self._controller.enabled:
            return  # taken off meanwhile
        for frame in self._frames(genuine):
            self._controller.send(frame)
            self.sent_count += 1

    def _frames(self, genuine: Frame) -> Iterator[Frame]:
        raise NotImplementedError

    def remove(self) -> None:
        """Leave the bus."""
        self._bus.detach(self._controller)


class _Replay(_Attack):
    __slots__ = ("_attack", "_next")

    def __init__(self, bus: Bus, scheduler: Scheduler, attack: ReplayAttack) -> None:
        super().__init__(bus, scheduler, attack.attacker, attack.frames[0], attack.delay_ns)
        self._attack = attack
        self._next = 0

    def _frames(self, genuine: Frame) -> Iterator[Frame]:
        frames = self._attack.frames
        for _ in range(self._attack.burst):
            yield frames[self._next]
            self._next = (self._next + 1) % len(frames)


class _Spoof(_Attack):
    __slots__ = ("_attack",)

    def __init__(self, bus: Bus, scheduler: Scheduler, attack: SpoofedMessage) -> None:
        super().__init__(bus, scheduler, attack.attacker, attack.message, attack.delay_ns)
        self._attack = attack

    def _frames(self, genuine: Frame) -> Iterator[Frame]:
        if len(genuine.data) == self._attack.message.length:
            yield genuine.with_data(self._attack.forged(genuine.data))
