"""`Disturbance`: what can happen to the levels on a wire. Base of the fault vocabulary's wire part.

A disturbance is asked at the start of every frame whether it has business with it (`concerns`),
and for every bit what it makes of the level on the wire and of the level one node reads. Frames no
disturbance is concerned with stay on the fast path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simcore.bus.frame import Frame
from simcore.kernel import RandomStream

if TYPE_CHECKING:
    from simcore.bus.bus import Bus


_DRAW_BITS = 40


class WireBit(NamedTuple):
    """The bit at hand, as a disturbance sees it."""

    now_ns: int
    """Sample point."""
    bit: int
    """Index in the frame on the wire, SOF = 0, stuff bits counted; -1 outside a frame."""
    in_ack_slot: bool


class Disturbance:
    """Does nothing; the kinds override what they need."""

    __slots__ = ("bus",)

    bus: Bus

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        """A frame starts: whether it has to be looked at bit by bit. Called once per attempt."""
        return False

    def holds_line(self) -> bool:
        """Whether it acts on the idle bus too, so that every bit has to be looked at."""
        return False

    def singles_out(self, node: str) -> bool:
        """Whether this node may read other levels than the rest."""
        return False

    def mutes(self, node: str) -> bool:
        """Whether what this node drives does not reach the bus; such a node is singled out."""
        return False

    @property
    def is_spent(self) -> bool:
        """Whether it will never act again."""
        return False

    def on_wire(self, level: int, at: WireBit) -> int:
        """The level everybody gets."""
        return level

    def at_node(self, node: str, level: int, at: WireBit) -> int:
        """The level a node reads that is singled out."""
        return level


class FrameMatch(NamedTuple):
    """Which frames are meant: `None` does not restrict."""

    arbitration_id: int | None = None
    is_extended_id: bool | None = None
    sender: str | None = None

    def takes(self, frame: Frame, sender: str) -> bool:
        """Whether a frame is one of them."""
        return (
            (self.arbitration_id is None or frame.arbitration_id == self.arbitration_id)
            and (self.is_extended_id is None or frame.is_extended_id == self.is_extended_id)
            and (self.sender is None or sender == self.sender)
        )


class BitFlips(Disturbance):
    """Bits of matching frames are read with another level, by everybody or by one node.

    `bits` are indices on the wire (SOF = 0, stuff bits counted, on into the intermission).
    `level` is what is read there, `None` for the opposite. Of the matching frames, attempts
    counted, every `every`-th is hit, at most `limit` of them.
    """

    __slots__ = (
        "_active",
        "_seen",
        "_struck",
        "bits",
        "every",
        "hit_count",
        "level",
        "limit",
        "match",
        "node",
        "struck_count",
    )

    def __init__(
        self,
        bits: tuple[int, ...],
        *,
        match: FrameMatch,
        node: str | None = None,
        level: int | None = None,
        every: int = 1,
        limit: int | None = None,
    ) -> None:
        self.bits = frozenset(bits)
        self.match = match
        self.node = node
        self.level = level
        self.every = every
        self.limit = limit
        self.hit_count = 0
        """Frames picked so far."""
        self.struck_count = 0
        """Frames that had such a bit and were read wrongly."""
        self._struck = False
        self._seen = 0
        self._active = False

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        self._active = self._struck = False
        if self.match.takes(frame, sender):
            self._seen += 1
            if self._seen % self.every == 0 and (self.limit is None or self.hit_count < self.limit):
                self.hit_count += 1
                self._active = True
        return self._active

    def singles_out(self, node: str) -> bool:
        return node == self.node

    @property
    def is_spent(self) -> bool:
        return self.limit is not None and self.hit_count >= self.limit and not self._active

    def on_wire(self, level: int, at: WireBit) -> int:
        return level if self.node is not None else self._applied(level, at)

    def at_node(self, node: str, level: int, at: WireBit) -> int:
        return self._applied(level, at)

    def _applied(self, level: int, at: WireBit) -> int:
        if not self._active or at.bit not in self.bits:
            return level
        if not self._struck:
            self._struck = True
            self.struck_count += 1
        return 1 - level if self.level is None else self.level


class NoAcknowledgement(BitFlips):
    """The sender of matching frames reads a recessive ACK slot, whoever acknowledges."""

    __slots__ = ("_sender",)

    def __init__(self, *, match: FrameMatch, limit: int | None = None) -> None:
        super().__init__((), match=match, limit=limit)
        self._sender = ""

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        self._sender = sender
        return super().concerns(frame, sender, sof_ns, bit_count)

    def singles_out(self, node: str) -> bool:
        return self._active and node == self._sender

    def at_node(self, node: str, level: int, at: WireBit) -> int:
        if not at.in_ack_slot:
            return level
        self.struck_count += 1
        return 1

    def on_wire(self, level: int, at: WireBit) -> int:
        return level


class MuteTransmitter(Disturbance):
    """One node drives nothing: it hears the bus, but its dominant bits do not get there."""

    __slots__ = ("node",)

    def __init__(self, node: str) -> None:
        self.node = node

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        return sender == self.node or bool(self.bus.controller(self.node).queue)

    def singles_out(self, node: str) -> bool:
        return node == self.node

    def mutes(self, node: str) -> bool:
        return node == self.node


class HeldLine(Disturbance):
    """The whole line at one level for as long as this is in place: a pulse, a short circuit."""

    __slots__ = ("level",)

    def __init__(self, level: int) -> None:
        self.level = level

    def holds_line(self) -> bool:
        return True

    def on_wire(self, level: int, at: WireBit) -> int:
        return self.level


class ReceiveNoise(Disturbance):
    """One node reads bits wrongly at random, frame by frame, with a seeded bit error rate.

    Bits of frames count, SOF to the end of the intermission; the idle bus does not.
    """

    __slots__ = ("_left", "_powers_ratio", "_stream", "node")

    def __init__(self, node: str, bit_error_ratio: float, stream: RandomStream) -> None:
        self.node = node
        self._stream = stream
        # (1 - p) to the powers 1, 2, 4, ...: products only, the same on every machine.
        powers_ratio = [1.0 - bit_error_ratio]
        for _ in range(_DRAW_BITS - 1):
            powers_ratio.append(powers_ratio[-1] * powers_ratio[-1])
        self._powers_ratio = tuple(powers_ratio)
        self._left = self._draw()

    @property
    def stream_name(self) -> str:
        """Of its random stream."""
        return self._stream.name

    def _draw(self) -> int:
        """Good bits before the next wrong one: geometric, by binary search of the power."""
        wanted_ratio = 1.0 - self._stream.uniform()
        count, reached_ratio = 0, 1.0
        for exponent in range(_DRAW_BITS - 1, -1, -1):
            next_ratio = reached_ratio * self._powers_ratio[exponent]
            if next_ratio > wanted_ratio:
                reached_ratio = next_ratio
                count += 1 << exponent
        return count

    def concerns(self, frame: Frame, sender: str, sof_ns: int, bit_count: int) -> bool:
        if self._left < bit_count:
            return True
        self._left -= bit_count
        return False

    def singles_out(self, node: str) -> bool:
        return node == self.node

    def at_node(self, node: str, level: int, at: WireBit) -> int:
        if at.bit < 0:
            return level
        if self._left == 0:
            self._left = self._draw()
            return 1 - level
        self._left -= 1
        return level
