"""Start offsets that spread cyclic messages over time, for files that give none.

Databases without `GenMsgStartDelayTime` describe ECUs that switch on when they like. Simulated ones
would all begin at the same instant, and every cycle with a burst that no vehicle has. `spread`
chooses an offset per message so that little is due at once: shortest cycle first, each where the
bus is least occupied (greedy, after Grenier, Havet, Navet: "Pushing the limits of CAN: scheduling
frames with offsets provides a major performance boost", ERTS 2008). A plan, not a bound: see
`response_time` for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import lcm

from simcore.bus import LENGTH_TO_DLC, BitTiming
from simcore.errors import UsageError
from simcore.network.interaction_rules import SendRules
from simcore.network.longest_frame import longest_frame_ns
from simcore.network.messages import Message
from simcore.units import NS_PER_US

SLOT_NS = 500 * NS_PER_US
SLOTS_MAX = 12_000
"""How far the plan looks ahead; longer patterns are folded."""


def spread(
    rules: Iterable[SendRules], timing: BitTiming, *, slot_ns: int = SLOT_NS
) -> dict[str, int]:
    """Offset in ns of every cyclic message by name, a multiple of `slot_ns` below its cycle.

    Messages with a start delay keep it, and what they occupy is counted.
    """
    if slot_ns <= 0:
        raise UsageError("spread: slot_ns", expected="more than 0 ns", got=slot_ns)
    cyclic = sorted(
        (each for each in rules if each.cycle_ns),
        key=lambda each: (each.cycle_ns, each.message.arbitration_id, each.message.name),
    )
    steps = [max(1, each.cycle_ns // slot_ns) for each in cyclic]
    count = _pattern(steps)
    occupied_ns = [0] * count
    offsets: dict[str, int] = {}
    pairs = list(zip(cyclic, steps, strict=True))
    for each, step in sorted(pairs, key=lambda pair: not pair[0].start_delay_ns):
        if each.start_delay_ns:
            offsets[each.message.name] = each.start_delay_ns
            first = each.start_delay_ns // slot_ns % min(step, count)
        else:
            first = _quietest(occupied_ns, min(step, count))
            offsets[each.message.name] = first * slot_ns
        duration_ns = _duration_ns(each.message, timing)
        for slot in range(first, count, step):
            occupied_ns[slot] += duration_ns
    return offsets


def _pattern(steps: list[int]) -> int:
    """Slots after which the plan repeats, as far as it looks ahead."""
    count = 1
    for step in steps:
        longer = lcm(count, step)
        if longer <= SLOTS_MAX:
            count = longer
    return count


def _quietest(occupied_ns: list[int], step: int) -> int:
    """The first slot whose repetitions meet the least: at worst, then together with neighbours."""
    count = len(occupied_ns)

    def cost(first: int) -> tuple[int, int, int]:
        met = occupied_ns[first::step]
        before, after = occupied_ns[first - 1 :: step], occupied_ns[(first + 1) % count :: step]
        return max(met), max(before, default=0) + max(after, default=0), sum(met)

    return min(range(step), key=cost)


def _duration_ns(message: Message, timing: BitTiming) -> int:
    length = message.length
    if message.is_fd:
        length = min((each for each in LENGTH_TO_DLC if each >= length), default=64)
    return longest_frame_ns(
        min(length, 64 if message.is_fd else 8),
        timing,
        is_fd=message.is_fd,
        is_extended_id=message.is_extended_id,
        bitrate_switch=message.bitrate_switch,
    )
