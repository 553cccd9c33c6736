"""Messages, signals and their E2E settings: what a network database is made of.

Plain immutable objects without knowledge of the file they came from; `reading` builds them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from simcore.errors import UsageError
from simcore.network.codec import MessageCodec

if TYPE_CHECKING:
    from simcore.network.database import Database
    from simcore.network.e2e_config import E2eConfig
    from simcore.network.secoc_config import SecOcConfig, SyncConfig

Number: TypeAlias = int | float
"""A raw or physical value; an `int` where scaling keeps it whole."""

_FLOAT_MAX = {16: 65504.0, 32: 3.4028234663852886e38, 64: 1.7976931348623157e308}


AttributeValue: TypeAlias = int | float | str
"""The value of a DBC attribute; that of an ENUM is its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal of a message; physical = raw * scale + offset.

    `start_bit` counts as in the DBC: the least significant bit of a little-endian signal, the
    most significant of a big-endian one. `minimum` and `maximum` are physical, None where the DBC
    gives [0|0]. A multiplexed signal exists only while `multiplexer_signal` has one of
    `multiplexer_ids`.
    """

    name: str
    start_bit: int
    length: int
    byte_order: str
    is_signed: bool
    is_float: bool
    scale: Number
    offset: Number
    minimum: Number | None
    maximum: Number | None
    unit: str
    choices: Mapping[int, str] = field(hash=False)
    start_raw: Number
    receivers: tuple[str, ...]
    comment: str
    is_multiplexer: bool
    multiplexer_signal: str | None
    multiplexer_ids: tuple[int, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, hash=False)
    """The DBC attributes, defaults of the file included."""

    @property
    def start_value(self) -> Number:
        """The physical start value."""
        return self.to_physical(self.start_raw)

    @property
    def is_identity(self) -> bool:
        """Whether raw and physical value are the same."""
        return self.scale == 1 and self.offset == 0

    @property
    def is_whole(self) -> bool:
        """Whether scaling keeps whole numbers whole."""
        return (
            not self.is_float and float(self.scale).is_integer() and float(self.offset).is_integer()
        )

    @property
    def raw_limits(self) -> tuple[Number, Number]:
        """The least and the greatest raw value the bits can carry; 0 for a float of no format."""
        if self.is_float:
            greatest = _FLOAT_MAX.get(self.length, 0.0)
            return -greatest, greatest
        if self.is_signed:
            return -(1 << (self.length - 1)), (1 << (self.length - 1)) - 1
        return 0, (1 << self.length) - 1

    def to_physical(self, raw: Number) -> Number:
        """The physical value of `raw`; an `int` where raw, scale and offset are whole."""
        if self.is_identity:
            return raw
        if self.is_whole:
            return raw * int(self.scale) + int(self.offset)
        return raw * self.scale + self.offset

    def to_raw(self, physical: Number) -> Number:
        """The raw value nearest to `physical`, half to even, whether or not it fits the bits."""
        if self.is_identity:
            return physical if self.is_float else round(physical)
        if self.is_whole:
            scale, difference = int(self.scale), physical - int(self.offset)
            quotient, rest = divmod(difference, scale)
            return round(quotient if rest == 0 else difference / scale)
        quotient = (physical - self.offset) / self.scale
        return quotient if self.is_float else round(quotient)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """One message; belongs to a `Database`, compared by identity, pickled by its place there."""

    database: Database
    name: str
    arbitration_id: int
    is_extended_id: bool
    is_fd: bool
    bitrate_switch: bool
    length: int
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    comment: str
    cycle_time_ns: int | None
    start_delay_ns: int
    min_gap_ns: int
    is_redundant: bool
    """Sent on both buses, as the same frame."""
    send_type: str
    e2e: E2eConfig | None
    secoc: SecOcConfig | None
    secoc_sync: SyncConfig | None
    """Settings of a freshness sync message."""
    signals: tuple[Signal, ...]
    attributes: Mapping[str, AttributeValue]
    """The DBC attributes, defaults of the file included."""
    bus: str
    """Name of the bus in a file of several, else that of the network or empty."""
    defect: str
    """Why the message cannot be encoded; empty where it can."""
    is_undecodable: bool
    """Whether the defect stands in the way of decoding, too."""
    unused_bit_pattern: int
    """The byte whose bits fill what no signal has, where padding is asked for."""
    _index: int
    _by_name: Mapping[str, Signal]
    _codecs: list[MessageCodec]

    @property
    def label(self) -> str:
        """How error texts call the message: `0x060 CDC_EmbCmd`."""
        return message_label(self.arbitration_id, self.is_extended_id, self.name)

    @property
    def codec(self) -> MessageCodec:
        """The compiled codec, built at first use."""
        if not self._codecs:
            self._codecs.append(MessageCodec(self))
        return self._codecs[0]

    def signal(self, name: str) -> Signal:
        """The signal `name`. Raises `UsageError` with the nearest name where there is none."""
        found = self._by_name.get(name)
        if found is None:
            raise unknown_name(f"message {self.label}: unknown signal", name, self._by_name)
        return found

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _message_of, (self.database, self._index)

    def __repr__(self) -> str:
        return f"<Message {self.label}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Pretty printers (notebooks, hypothesis) would write every signal out."""
        printer.text(repr(self))


def message_label(arbitration_id: int, is_extended_id: bool, name: str) -> str:
    """How error texts call a message: three hex digits, eight for an extended id."""
    return f"{arbitration_id:#0{10 if is_extended_id else 5}x} {name}"


def unknown_name(where: str, name: object, known: Iterable[str]) -> UsageError:
    """The error for a name that is not among `known`, with the nearest one."""
    names = list(known)
    near = [each for each in names if each.lower() == str(name).lower()]
    near = near or difflib.get_close_matches(str(name), names, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return UsageError(f"{where} {name!r}{hint}")


def _message_of(database: Database, index: int) -> Message:
    return database.messages[index]
