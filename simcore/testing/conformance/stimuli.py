"""What cases do to a module from outside: raw values, random content, frames of an intruder.

Faults of messages are injected like those of `simcore.faults`; they are not among these because
they send what the database forbids, which only a test of a receiver wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import pack

from simcore.bus import Bus, Controller, Frame, duration_ns
from simcore.faults import BabblingNode
from simcore.faults.message import MessageFault
from simcore.faults.message_path import MessageFilter, MessagePath
from simcore.network import Message, Signal
from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PLAIN, bit_positions
from simcore.network.interaction_rules import application_signals
from simcore.network.messages import Number
from simcore.protection.e2e_header import WRONG
from simcore.rig.restbus import ANALYSER
from simcore.rig.stand import NodeStand
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

INTRUDER = "(intruder)"
"""Name of the controller that sends what belongs to nobody."""
SETTLING_NS = 30 * NS_PER_MS
GAP_NS = 5 * NS_PER_MS // 2
"""Between frames that come beside their cycle, so that a case needs no seconds."""
STEP_NS = 20 * NS_PER_MS
"""Between two changes of what the module receives."""
FULL_RATIO = 0.9
"""How full a full bus is: what comes on it has to wait, and comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSignals(MessageFault):
    """Signals have raw values, those the database forbids included; the protection is right."""

    raws: Mapping[str, Number] = field(hash=False)
    """What the bits of each signal say."""

    @property
    def _what(self) -> str:
        said = ", ".join(f"{name} = {raw}" for name, raw in self.raws.items())
        return f"raw values {said}, counter and checksum right"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return RawFilter(path, self.frames, self.raws)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSignal(MessageFault):
    """One signal has a raw value, one that the database forbids included."""

    signal: str
    """Name in the network file."""
    raw: Number
    """What its bits say."""

    @property
    def _what(self) -> str:
        return f"{self.signal} has the raw value {self.raw}, counter and checksum right"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return RawFilter(path, self.frames, {self.signal: self.raw})


class RawFilter(MessageFilter):
    """Frames are passed on with other bits in some signals, sealed anew."""

    __slots__ = ("_raws",)

    def __init__(self, path: MessagePath, frames: int | None, raws: Mapping[str, Number]) -> None:
        super().__init__(path, frames)
        self._raws = {path.message.signal(name): raw for name, raw in raws.items()}

    def _pass(self, frame: Frame, channel: str | None) -> None:
        data = bytearray(frame.data)
        for signal, raw in self._raws.items():
            write_raw(data, signal, raw)
        counter = self._counter_of(frame)
        changed = frame.with_data(bytes(data))
        if counter != WRONG:
            changed = self._sealed(changed, counter)
        self.path.emit(changed, channel)
        self._counted()


def write_raw(data: bytearray, signal: Signal, raw: Number) -> None:
    """Put a raw value into the bits of a signal, whatever the database says about either."""
    bits = _float_bits(signal, raw) if signal.is_float else int(raw)
    places = bit_positions(signal.start_bit, signal.length, signal.byte_order)
    for number, place in enumerate(places):
        if place // 8 < len(data):
            data[place // 8] &= ~(1 << place % 8) & 0xFF
            data[place // 8] |= (bits >> number & 1) << place % 8


def _float_bits(signal: Signal, raw: Number) -> int:
    form = {16: "<e", 32: "<f", 64: "<d"}[signal.length]
    return int.from_bytes(pack(form, raw), "little")


def checksum_bits(config: E2eConfig) -> list[int]:
    """Places of the bits of a checksum, as 8 * byte + bit in the byte."""
    if config.profile in PLAIN:
        assert config.checksum_place is not None
        return list(config.checksum_place.bits())
    place = config.crc_place
    return list(range(place.offset_bits, place.offset_bits + place.length_bits))


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomContent(MessageFault):
    """All that the application says is drawn at random; counter and checksum are right."""

    @property
    def _what(self) -> str:
        return "random content, counter and checksum right"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return RandomFilter(path, self.frames)


class RandomFilter(MessageFilter):
    """Frames are passed on with random bytes, sealed anew."""

    __slots__ = ()

    def _pass(self, frame: Frame, channel: str | None) -> None:
        length = self.path.length
        counter = self._counter_of(frame)
        drawn = self.path.random.octets(length) + frame.data[length:]
        changed = frame.with_data(drawn)
        if counter != WRONG:
            changed = self._sealed(changed, counter)
        self.path.emit(changed, channel)
        self._counted()


@dataclass(slots=True)
class Intruder:
    """A controller on one bus of the stand that sends whatever it is told."""

    trial: Trial
    bus: Bus
    controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        self.controller = self.bus.attach(INTRUDER)

    @classmethod
    def on(cls, trial: Trial, channel: str | None = None) -> Intruder:
        """One on the module's first bus, or the one named."""
        return cls(trial, trial.bench.bus(trial.channels[0] if channel is None else channel))

    def send(self, frame: Frame, pause_ns: int = 0) -> None:
        """Send a frame, and let time pass."""
        self.controller.send(frame)
        if pause_ns:
            self.trial.run_for(pause_ns)

    def leave(self) -> None:
        """Go off the bus."""
        self.bus.detach(self.controller)


def stand_of(trial: Trial) -> NodeStand:
    """The stand of a single node; a case for a vehicle has none."""
    assert isinstance(trial.bench, NodeStand)
    return trial.bench


def played(trial: Trial) -> list[Message]:
    """The messages the module receives that the stand can play."""
    stand = stand_of(trial)
    return [
        message
        for message in trial.interface.received
        if message.name in stand.restbus(stand.sender_of(message.name)).payloads
    ]


def set_start_values(trial: Trial, message: Message) -> None:
    """Let a received message say what the database starts with."""
    values = {
        signal.name: signal.start_value
        for signal in application_signals(message)
        if is_allowed(signal, signal.start_raw) and signal.multiplexer_signal is None
    }
    if values:
        stand_of(trial).set(message.name, **values)


def let_come(trial: Trial, message: Message, count: int) -> None:
    """Let this many frames of a received message come at once, beside those of its cycle."""
    gap_ns = max(message.min_gap_ns, GAP_NS)
    for _ in range(count):
        stand_of(trial).send(message.name)
        trial.run_for(gap_ns)


def fill(trial: Trial, channel: str) -> None:
    """Let frames that win every arbitration take what the others leave of a bus, but a little."""
    bus = trial.bench.bus(channel)
    frame = Frame(0, bytes(range(8)))
    share_ratio = max(0.1, FULL_RATIO - bus.load_ratio)
    period_ns = int(duration_ns(frame, bus.timing) / share_ratio)
    trial.bench.inject(
        BabblingNode(bus=channel, node=ANALYSER, data=frame.data, period_ns=period_ns)
    )


# -- values -----------------------------------------------------------------------------------


def is_enumeration(signal: Signal) -> bool:
    """Whether the value table names what the signal can say, rather than exceptions of a number."""
    if signal.is_float or not signal.is_identity or signal.unit:
        return False
    return 0 in signal.choices and (1 in signal.choices or signal.length == 1)


def allowed_limits(signal: Signal) -> tuple[Number, Number]:
    """Least and greatest raw value that may be sent; those of the bits where nothing is said."""
    limits: tuple[Number, Number] = signal.raw_limits
    low, high = limits
    if signal.minimum is not None and signal.maximum is not None:
        ends = sorted((signal.to_raw(signal.minimum), signal.to_raw(signal.maximum)))
        return max(low, ends[0]), min(high, ends[1])
    return low, high


def is_allowed(signal: Signal, raw: Number) -> bool:
    """Whether the database permits a raw value to be sent."""
    low, high = allowed_limits(signal)
    if is_enumeration(signal):
        return raw in signal.choices
    return low <= raw <= high or raw in signal.choices


def interesting_raws(signal: Signal) -> dict[str, Number]:
    """Raw values at which a receiver is tried, with what each is: limits, named ones, reserved."""
    low, high = allowed_limits(signal)
    bits_low, bits_high = signal.raw_limits
    found: dict[str, Number] = {"the least": low, "the greatest": high}
    for named, text in list(signal.choices.items())[:8]:
        found.setdefault(str(text), named)
    if signal.is_float:
        found |= {"not a number": float("nan"), "infinite": float("inf")}
        return found
    candidates: dict[str, Number] = {
        "below the least": low - 1,
        "above the greatest": high + 1,
        "all bits set": -1 if signal.is_signed else bits_high,
        "the greatest of its bits": bits_high,
        "the least of its bits": bits_low,
    }
    if is_enumeration(signal):
        for reserved in range(int(bits_high) + 1):
            if reserved not in signal.choices:
                candidates["unnamed"] = reserved
                break
    for what, raw in candidates.items():
        if bits_low <= raw <= bits_high and raw not in found.values():
            found[what] = raw
    return found


def own_signals(message: Message, node: str) -> tuple[Signal, ...]:
    """The signals of a message that its application sets, and that this node receives."""
    return tuple(each for each in application_signals(message) if node in each.receivers)


def stir(trial: Trial, duration_ns: int, *, step_ns: int = STEP_NS) -> None:
    """Let everything the module receives change within what is allowed.

    Everything at its greatest, everything at its least, then at random.
    """
    stand = stand_of(trial)
    received = [each for each in played(trial) if trial.interface.cycle_ns(each)]
    end_ns = trial.now_ns + duration_ns
    step = 0
    while trial.now_ns < end_ns:
        for message in received:
            values = {
                signal.name: signal.to_physical(_chosen(trial, signal, step))
                for signal in own_signals(message, trial.node)
                if not signal.is_multiplexer and signal.multiplexer_signal is None
            }
            if values:
                stand.set(message.name, **values)
        step += 1
        trial.run_for(min(step_ns, end_ns - trial.now_ns))


def _chosen(trial: Trial, signal: Signal, step: int) -> Number:
    """A raw value for one step; half of those drawn are the start value."""
    if is_enumeration(signal):
        named = sorted(signal.choices)
        drawn = trial.rng.integer(0, len(named) - 1)
        return named[-1] if step == 0 else named[0] if step == 1 else named[drawn]
    low, high = allowed_limits(signal)
    if signal.is_float:
        low, high = max(low, -1000.0), min(high, 1000.0)
    if step < 2:
        return low if step else high
    if signal.is_float:
        return trial.rng.uniform(low, high)
    if trial.rng.chance(0.5) and is_allowed(signal, signal.start_raw):
        return signal.start_raw
    return trial.rng.integer(int(low), int(high))
