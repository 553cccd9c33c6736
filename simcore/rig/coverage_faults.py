"""The fault model of `coverage` as faults with drawn parameters.

One function per kind: it draws a fault of a message, for a receiver, from a seeded stream. What is
drawn is spread over what the kind can be, mild and grave; not here: what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from simcore.faults import (
    BabblingNode,
    FaultSequence,
    LengthWrong,
    MessageBlocked,
    MessageDelayed,
    MessageDropped,
    MessageInserted,
    MessageJitter,
    MessageMasqueraded,
    MessageReordered,
    MessageRepeated,
    MessageStopped,
    OpenWire,
    PayloadCorrupted,
    SpoofedMessage,
    TimedFault,
)
from simcore.kernel.rng import RandomStream
from simcore.network import Message
from simcore.rig.coverage import FaultModel
from simcore.rig.injection import AnyFault
from simcore.rig.reference import CHASSIS_A, CHASSIS_B
from simcore.units import NS_PER_MS, NS_PER_US, ms

Drawn: TypeAlias = AnyFault | TimedFault | FaultSequence
LATE_NS = ms(400)
"""How long a delay that creeps in is watched; everything else shows much sooner."""
WATCHED_NS = ms(120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A message and one of its receivers."""

    message: str
    receiver: str
    others: tuple[str, ...]
    """Messages of the same length, to be taken for this one."""
    signal: str
    """One whose value matters, and a value that is not true."""
    value: float

    @property
    def name(self) -> str:
        """`CDC_EmbCmd at EMB_FL`"""
        return f"{self.message} at {self.receiver}"


TARGETS = (
    Target(
        message="CDC_EmbCmd",
        receiver="EMB_FL",
        others=("CDC2_EmbCmd",),
        signal="CDC_FL_FReq",
        value=12_000.0,
    ),
    Target(
        message="BPS_Pedal",
        receiver="CDC",
        others=("IMU_Data", "CDC_WhlSpd", "CDC_VehDyn"),
        signal="BPS_Trvl1",
        value=2.0,
    ),
    Target(
        message="EMB_FL_St1",
        receiver="CDC",
        others=("EMB_FR_St1", "EMB_RL_St1", "EMB_RR_St1"),
        signal="EMB_FL_FAct",
        value=100.0,
    ),
)
"""Command, wish and status: what braking goes by."""


def _times(stream: RandomStream, low_ms: int, high_ms: int) -> int:
    return stream.integer(low_ms * 1000, high_ms * 1000) * NS_PER_US


def _one_of(stream: RandomStream, *choices: Drawn) -> Drawn:
    return choices[stream.integer(0, len(choices) - 1)]


def _repetition(target: Target, message: Message, stream: RandomStream) -> Drawn:
    return MessageRepeated(
        message=target.message,
        copies=stream.integer(1, 3),
        gap_ns=stream.integer(400, 1500) * NS_PER_US,
        frames=stream.integer(1, 10),
    )


def _loss(target: Target, message: Message, stream: RandomStream) -> Drawn:
    count = stream.integer(1, 12)
    return _one_of(
        stream,
        MessageStopped(message=target.message, frames=count),
        MessageDropped(message=target.message, share_ratio=0.1 * stream.integer(2, 8)),
        MessageDropped(message=target.message, every=stream.integer(2, 6)),
    )


def _delay(target: Target, message: Message, stream: RandomStream) -> Drawn:
    delay_ns = _times(stream, 2, 40)
    return _one_of(
        stream,
        MessageDelayed(message=target.message, delay_ns=delay_ns),
        MessageJitter(message=target.message, jitter_ns=_times(stream, 2, 25)),
    )


def _constant_delay(target: Target, message: Message, stream: RandomStream) -> Drawn:
    return MessageDelayed(
        message=target.message,
        delay_ns=_times(stream, 5, 40),
        ramp_ns_per_s=stream.integer(100, 400) * NS_PER_MS,
    )


def _insertion(target: Target, message: Message, stream: RandomStream) -> Drawn:
    other = target.others[stream.integer(0, len(target.others) - 1)]
    return MessageInserted(
        message=target.message,
        content_of=other,
        gap_ns=stream.integer(400, 1500) * NS_PER_US,
        frames=stream.integer(1, 10),
    )


def _masquerade(target: Target, message: Message, stream: RandomStream) -> Drawn:
    other = target.others[stream.integer(0, len(target.others) - 1)]
    return MessageMasqueraded(
        message=target.message, protected_as=other, frames=stream.integer(1, 10)
    )


def _sequence(target: Target, message: Message, stream: RandomStream) -> Drawn:
    return MessageReordered(
        message=target.message,
        gap_ns=stream.integer(400, 1500) * NS_PER_US,
        frames=2 * stream.integer(1, 6),
    )


def _corruption(target: Target, message: Message, stream: RandomStream) -> Drawn:
    count = stream.integer(1, 5)
    shorter = 8 if message.length > 8 else 4
    return _one_of(
        stream,
        PayloadCorrupted(message=target.message, flips=1, frames=count),
        PayloadCorrupted(message=target.message, flips=stream.integer(2, 16), frames=count),
        LengthWrong(message=target.message, length=shorter, frames=count),
    )


def _asymmetric(target: Target, message: Message, stream: RandomStream) -> Drawn:
    """On one bus a receiver hears other values than on the other one, protected as is right."""
    bus = (CHASSIS_A, CHASSIS_B)[stream.integer(0, 1)]
    return SpoofedMessage(
        bus=bus,
        message=message,
        values={target.signal: target.value},
        delay_ns=stream.integer(600, 2500) * NS_PER_US,
        attacker=f"{bus} alone",
    )


def _subset(target: Target, message: Message, stream: RandomStream) -> Drawn:
    """This receiver hears nothing, on one bus or on both; all others do."""
    first = OpenWire(bus=CHASSIS_A, node=target.receiver)
    second = OpenWire(bus=CHASSIS_B, node=target.receiver)
    both = FaultSequence(faults=(TimedFault(fault=first), TimedFault(fault=second)))
    return _one_of(stream, first, second, both)


def _blocked(target: Target, message: Message, stream: RandomStream) -> Drawn:
    """A node babbles with the highest priority, or the sender does not get onto the channel."""
    node = message.senders[0]
    bus = (CHASSIS_A, CHASSIS_B)[stream.integer(0, 1)]
    return _one_of(
        stream,
        MessageBlocked(message=target.message, frames=stream.integer(2, 20)),
        BabblingNode(bus=bus, node=node),
        FaultSequence(
            faults=tuple(
                TimedFault(fault=BabblingNode(bus=each, node=node))
                for each in (CHASSIS_A, CHASSIS_B)
            )
        ),
    )


DRAWS: dict[FaultModel, Callable[[Target, Message, RandomStream], Drawn]] = {
    FaultModel.REPETITION: _repetition,
    FaultModel.LOSS: _loss,
    FaultModel.DELAY: _delay,
    FaultModel.CONSTANT_DELAY: _constant_delay,
    FaultModel.INSERTION: _insertion,
    FaultModel.MASQUERADE: _masquerade,
    FaultModel.SEQUENCE: _sequence,
    FaultModel.CORRUPTION: _corruption,
    FaultModel.ASYMMETRIC: _asymmetric,
    FaultModel.SUBSET: _subset,
    FaultModel.BLOCKED: _blocked,
}


def watched_ns(model: FaultModel) -> int:
    """How long a run of this kind lasts."""
    return LATE_NS if model is FaultModel.CONSTANT_DELAY else WATCHED_NS
