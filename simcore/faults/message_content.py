"""Faults of what a message says: signals and payload corrupted, frames that are another message's.

ISO 26262-5 annex D calls them corruption, insertion and masquerading. Whether the protection sees
one depends on where it happens: before it is computed, or behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.errors import UsageError
from simcore.faults.installed import require_count
from simcore.faults.message import MessageFault
from simcore.faults.message_path import MessageFilter, MessagePath, carrying
from simcore.faults.message_timing import GAP_NS, FollowingFilter
from simcore.network import Message
from simcore.network.accepting import raw_of
from simcore.network.e2e_layout import PLAIN
from simcore.network.interaction_rules import application_signals
from simcore.network.messages import Number
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import WRONG, Header


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCorrupted(MessageFault):
    """A signal has a wrong value before the message is protected: counter and checksum are right.

    No E2E profile can see it. Under SecOC the change is behind the authenticator, and refused.
    """

    signal: str
    """Name in the network file; none that the protection fills in."""
    value: Number | str
    """Physical, within the signal's range, or a text of its value table."""

    @property
    def _what(self) -> str:
        return f"{self.signal} is {self.value}, counter and checksum right"

    def _check(self, path: MessagePath) -> None:
        message = path.message
        signal = message.signal(self.signal)
        own = [each.name for each in application_signals(message)]
        if self.signal not in own:
            raise UsageError(
                f"SignalCorrupted, message {message.label}: signal",
                expected=f"one that the application sets ({', '.join(own)})",
                got=f"{self.signal}, which the protection fills in",
            )
        raw_of(message, signal, self.value)

    def _filter(self, path: MessagePath) -> MessageFilter:
        signal = path.message.signal(self.signal)
        return SignalFilter(
            path, self.frames, signal.name, raw_of(path.message, signal, self.value)
        )


class SignalFilter(MessageFilter):
    """Frames are passed on with another value in a signal, sealed anew."""

    __slots__ = ("_raw", "_signal")

    def __init__(self, path: MessagePath, frames: int | None, signal: str, raw: Number) -> None:
        super().__init__(path, frames)
        self._signal = signal
        self._raw = raw

    def _pass(self, frame: Frame, channel: str | None) -> None:
        counter = self._counter_of(frame)
        message = self.path.message
        is_right = counter != WRONG or self.path.header is None
        if not is_right or len(frame.data) != message.length or not self._is_there(frame.data):
            self.path.emit(frame, channel)
            return
        changed = frame.with_data(
            message.codec.overwrite_raw(frame.data, {self._signal: self._raw})
        )
        if counter != WRONG:
            changed = self._sealed(changed, counter)
        self.path.emit(changed, channel)
        self._counted()

    def _is_there(self, data: bytes) -> bool:
        """Whether the signal is on the page that the multiplexers of a frame select."""
        codec = self.path.message.codec
        return not codec.is_multiplexed or self._signal in codec.decode(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadCorrupted(MessageFault):
    """Bits of the payload flip behind the protection: in a buffer, in a gateway."""

    bits: tuple[int, ...] | None = None
    """Which, as byte * 8 + bit, bit 0 the least significant."""
    flips: int | None = None
    """How many in each frame, at random, seeded; instead of `bits`."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        bits: object = self.bits
        if (bits is None) == (self.flips is None):
            got = "neither" if bits is None else "both"
            raise UsageError("PayloadCorrupted", expected="bits or flips", got=got)
        if self.flips is not None:
            require_count("PayloadCorrupted.flips", self.flips)
        elif (
            not isinstance(bits, tuple)
            or not bits
            or not all(type(bit) is int and bit >= 0 for bit in bits)
            or len(set(bits)) != len(bits)
        ):
            expected = "a tuple of different bit indices >= 0"
            raise UsageError("PayloadCorrupted.bits", expected=expected, got=repr(bits))

    @property
    def _what(self) -> str:
        if self.bits is not None:
            return f"bit {', '.join(map(str, self.bits))} of the payload flipped"
        return f"{self.flips} bit{'' if self.flips == 1 else 's'} of the payload flipped, at random"

    def _check(self, path: MessagePath) -> None:
        size = 8 * path.message.length
        most = self.flips if self.bits is None else max(self.bits) + 1
        if most is not None and most > size:
            raise UsageError(
                f"PayloadCorrupted, message {path.message.label}",
                expected=f"{size} bits at most" if self.bits is None else f"bits 0..{size - 1}",
                got=str(self.flips if self.bits is None else max(self.bits)),
            )

    def _filter(self, path: MessagePath) -> MessageFilter:
        return FlipFilter(path, self.frames, self.bits or (), self.flips or 0)


class FlipFilter(MessageFilter):
    """Frames are passed on with flipped bits."""

    __slots__ = ("_bits", "_flip_count")

    def __init__(
        self, path: MessagePath, frames: int | None, bits: tuple[int, ...], flip_count: int
    ) -> None:
        super().__init__(path, frames)
        self._bits = bits
        self._flip_count = flip_count

    def _pass(self, frame: Frame, channel: str | None) -> None:
        buffer = bytearray(frame.data)
        size = 8 * len(buffer)
        for bit in self._drawn(size) if self._flip_count else self._bits:
            if bit < size:
                buffer[bit // 8] ^= 1 << bit % 8
        self.path.emit(frame.with_data(bytes(buffer)), channel)
        self._counted()

    def _drawn(self, size: int) -> list[int]:
        """Different bits, at random."""
        left = list(range(size))
        count = min(self._flip_count, size)
        return [left.pop(self.path.random.integer(0, len(left) - 1)) for _ in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageInserted(MessageFault):
    """Behind each frame of the message its sender inserts one that does not belong there.

    With `content_of`: a frame under this message's identifier with the content of another, at its
    start values, its own protection right and its counter running. With `under`: a frame under the
    other's identifier with the content of this one. Lengths are those of the content.
    """

    content_of: str | None = None
    """Message whose content is inserted."""
    under: str | None = None
    """Message whose identifier is used; instead of `content_of`."""
    gap_ns: int = GAP_NS
    """From a frame to the inserted one."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if (self.content_of is None) == (self.under is None):
            got = "neither" if self.under is None else "both"
            raise UsageError("MessageInserted", expected="content_of or under", got=got)
        require_count("MessageInserted.gap_ns", self.gap_ns)

    @property
    def _what(self) -> str:
        if self.content_of is not None:
            return f"frames with the content of {self.content_of} inserted"
        return f"frames with its content inserted under the identifier of {self.under}"

    def _check(self, path: MessagePath) -> None:
        other = other_message(self, path, self.content_of or self.under or "")
        carrier, content = path.message, other
        if self.under is not None:
            carrier, content = other, path.message
        elif other.defect:
            raise UsageError(
                f"MessageInserted, message {other.label}",
                expected="one that can be encoded",
                got=other.defect,
            )
        if content.length not in (DLC_TO_LENGTH if carrier.is_fd else DLC_TO_LENGTH[:9]):
            raise UsageError(
                f"MessageInserted, message {content.label}",
                expected=f"a length that a frame of {carrier.label} can have",
                got=f"{content.length} bytes",
            )

    def _filter(self, path: MessagePath) -> MessageFilter:
        other = other_message(self, path, self.content_of or self.under or "")
        if self.under is not None:
            return UnderFilter(path, self.frames, other, self.gap_ns)
        return ContentFilter(path, self.frames, other, self.gap_ns)


def other_message(fault: MessageFault, path: MessagePath, name: str) -> Message:
    """Another message of the network. Raises `UsageError` for an unknown one, and for the same."""
    other = path.message.database.message(name)
    if other is path.message:
        raise UsageError(
            f"{type(fault).__name__}, message {path.message.label}",
            expected="another message",
            got=f"{name} itself",
        )
    return other


class ContentFilter(FollowingFilter):
    """Frames are followed by one with the content of another message."""

    __slots__ = ("_counter", "_data", "_gap_ns", "_header", "_length")

    def __init__(self, path: MessagePath, frames: int | None, other: Message, gap_ns: int) -> None:
        super().__init__(path, frames)
        self._gap_ns = gap_ns
        self._data = other.codec.writer().write()
        self._length = other.length if other.secoc is None else other.secoc.authentic_length
        self._header: Header | None = None
        if other.e2e is not None:
            self._header = HEADERS[other.e2e.profile](other.e2e, self._length)
        self._counter = 0

    def _pass(self, frame: Frame, channel: str | None) -> None:
        self.path.emit(frame, channel)
        data = self._data
        header = self._header
        if header is not None:
            buffer = bytearray(data[: self._length])
            header.seal(buffer, self._counter)
            data = bytes(buffer) + data[self._length :]
            self._counter = (self._counter + 1) % header.counter_modulo
        self._follow(carrying(frame, data), channel, self._gap_ns)
        self._counted()


class UnderFilter(FollowingFilter):
    """Frames are followed by one with their content under another identifier."""

    __slots__ = ("_gap_ns", "_other")

    def __init__(self, path: MessagePath, frames: int | None, other: Message, gap_ns: int) -> None:
        super().__init__(path, frames)
        self._gap_ns = gap_ns
        self._other = other

    def _pass(self, frame: Frame, channel: str | None) -> None:
        self.path.emit(frame, channel)
        other = self._other
        inserted = Frame(
            other.arbitration_id,
            frame.data,
            is_extended_id=other.is_extended_id,
            is_fd=other.is_fd,
            bitrate_switch=other.bitrate_switch,
        )
        self._follow(inserted, channel, self._gap_ns)
        self._counted()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMasqueraded(MessageFault):
    """Under the message's identifier goes what another message's sender protected.

    Format and counter are right; the E2E header is computed with the settings of `protected_as`.
    """

    protected_as: str
    """The message that the content takes itself for."""

    needs_e2e: ClassVar[bool] = True

    @property
    def _what(self) -> str:
        return f"protected as {self.protected_as}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        where = f"MessageMasqueraded, message {path.message.label}: protected_as"
        other = other_message(self, path, self.protected_as)
        own, config = path.message.e2e, other.e2e
        assert own is not None
        if config is None or config.profile in PLAIN:
            raise UsageError(
                where,
                expected="a message with a data id",
                got=f"{other.label}, which has none",
            )
        if config == own:
            raise UsageError(
                where,
                expected="a message with another data id",
                got=f"{other.label}, which has the same",
            )
        return MasqueradeFilter(path, self.frames, HEADERS[config.profile](config, path.length))


class MasqueradeFilter(MessageFilter):
    """Frames are passed on with the E2E header of another message."""

    __slots__ = ("_other",)

    def __init__(self, path: MessagePath, frames: int | None, other: Header) -> None:
        super().__init__(path, frames)
        self._other = other

    def _pass(self, frame: Frame, channel: str | None) -> None:
        counter = self._counter_of(frame)
        if counter == WRONG:
            self.path.emit(frame, channel)
            return
        length = self.path.length
        buffer = bytearray(frame.data[:length])
        self._other.seal(buffer, counter % self._other.counter_modulo)
        self.path.emit(frame.with_data(bytes(buffer) + frame.data[length:]), channel)
        self._counted()
