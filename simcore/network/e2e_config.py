"""Settings of one message's end-to-end protection, and how they are read from DBC attributes.

What lives here: `E2eConfig` with everything any profile needs, and `e2e_config_of`. The protection
itself is in `simcore.protection`, the places of the header fields in `e2e_layout`, settings from a
TOML file in `protection_file`, known vendors' settings in `e2e_presets`.

No standard says how a DBC describes E2E. What is understood, whatever the case and underscores:
`E2EProfile` (P05, PROFILE_05, Profile 5, 5), `E2EDataId`, `E2EDataIdList` or `DataIds` (16 numbers,
decimal or hexadecimal; a single one stands for all 16), `E2EDataIdMode`, `E2EOffset`,
`E2ECRCOffset`, `E2ECounterOffset`, `E2EDataIdNibbleOffset` (in bits), `E2EMaxDeltaCounter`, all on
the message or on its checksum signal; `GenSigFuncType`, `SigFuncType` or `SigType` of the signals,
as text (Counter, Checksum) or as number (1, 2), or their names in `E2ECounterSignal` and
`E2ECrcSignal` of the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from fastcrc import crc8

from simcore.errors import InputError, UsageError
from simcore.network.e2e_attributes import (
    LIST_LENGTH,
    AttributeReader,
    AttributeValue,
    signal_named,
)
from simcore.network.e2e_layout import PLAIN, PROFILES, Place, bit_positions
from simcore.network.pages import is_always_present

if TYPE_CHECKING:
    from simcore.network.messages import Signal

CHECKSUM_ALGORITHMS = ("xor8", "sum8", *sorted(crc8.algorithms_available))
"""Simple checksums: over all bytes, or a CRC-8 by its name in the library `fastcrc`."""

DATA_ID_MODES = ("BOTH", "ALT", "LOW", "NIBBLE")
"""How P01 and P11 feed their 16-bit data id into the checksum; P11 has BOTH and NIBBLE only."""


_WHOLE = (
    *("data_id", "offset_bits", "crc_offset_bits", "counter_offset_bits"),
    *("data_id_nibble_offset_bits", "max_delta_counter", "max_delta_counter_init"),
    *("max_no_new_or_repeated_data", "sync_counter_init", "min_length", "max_length"),
    "counter_max",
)
"""Settings that are whole numbers, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPlace:
    """Where a signal lies, as the DBC counts: for checks without a header of their own."""

    start_bit: int
    length: int
    byte_order: str

    def bits(self) -> list[int]:
        """Position of every bit, the least significant first."""
        return bit_positions(self.start_bit, self.length, self.byte_order)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainChecksum:
    """A simple checksum over the payload, its own bits counted as 0 or left out.

    `algorithm`: xor8, sum8, or the name of a CRC-8 of the library `fastcrc` (`sae_j1850`).
    `prefix` goes before the payload, for checks that include address or length.
    """

    algorithm: str
    init: int | None = None
    """Start value; None for that of the algorithm."""
    xorout: int | None = None
    """What the result is combined with by exclusive or; None for that of the algorithm."""
    prefix: bytes = b""
    skips_itself: bool = True
    """Whether a checksum of whole bytes is left out of the sum, or counted as 0."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for an unknown algorithm and values beyond 8 bits."""
        if self.algorithm not in CHECKSUM_ALGORITHMS:
            known = ", ".join(CHECKSUM_ALGORITHMS)
            raise UsageError("checksum algorithm", expected=known, got=repr(self.algorithm))
        for name, value in (("init", self.init), ("xorout", self.xorout)):
            if value is not None and not 0 <= value <= 0xFF:
                raise UsageError(f"checksum {name}", expected="0..0xFF", got=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class E2eConfig:
    """End-to-end protection of one message. Offsets are in bits, as AUTOSAR has them.

    Raises `UsageError` for values the profile does not have.
    """

    profile: str
    """P01 P02 P04 P05 P06 P07 P08 P11 P22 P44, or COUNTER and CHECKSUM."""
    data_id: int = 0
    counter_signal: str | None = None
    """Name of the signal at the counter's place; None where the header is no signal."""
    checksum_signal: str | None = None
    data_id_list: tuple[int, ...] = ()
    """P02, P22: 16 ids, picked by the counter."""
    data_id_mode: str = "BOTH"
    """P01, P11: BOTH, ALT, LOW or NIBBLE."""
    offset_bits: int = 0
    """Start of the header."""
    crc_offset_bits: int | None = None
    """P01, P11: place of the checksum; None for the start of the header."""
    counter_offset_bits: int | None = None
    """P01, P11: place of the counter; None for 8 bits behind the start of the header."""
    data_id_nibble_offset_bits: int | None = None
    """P01, P11 NIBBLE: place of the sent part of the data id; None for 12 bits behind the start."""
    max_delta_counter: int = 3
    """Greatest step of the counter that is not WRONG_SEQUENCE."""
    max_delta_counter_init: int | None = None
    """P01, P02: tolerance after a good frame, growing with every check; None for
    `max_delta_counter`."""
    max_no_new_or_repeated_data: int | None = None
    """P01, P02: checks without new data after which synchronisation starts over; None for never."""
    sync_counter_init: int = 0
    """P01, P02: good frames that are only SYNC after a jump of the counter."""
    profile_behavior: bool = True
    """P01, P02 towards the state machine: R4.2 (SYNC counts as OK, INITIAL as WRONG_SEQUENCE), or
    the reverse."""
    min_length: int | None = None
    """Profiles with a length field: the shortest payload; None for a fixed length."""
    max_length: int | None = None
    strict: bool = False
    """A receiver takes over no counter out of sequence."""
    counter_place: SignalPlace | None = None
    """COUNTER, CHECKSUM: where the counter lies; None for none."""
    counter_max: int | None = None
    """COUNTER, CHECKSUM: greatest counter; None for the greatest its bits can carry."""
    checksum_place: SignalPlace | None = None
    checksum: PlainChecksum | None = None
    """CHECKSUM: the algorithm."""

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.profile in PLAIN:
            self._check_plain()
            return
        layout = PROFILES.get(self.profile)
        if layout is None:
            known = " ".join([*PROFILES, *PLAIN])
            raise UsageError("E2E profile", expected=f"one of {known}", got=self.profile)
        if not 0 <= self.data_id <= (layout.data_id_max if not layout.has_list else 0xFFFF_FFFF):
            raise self._bad("data_id", f"0..0x{layout.data_id_max:X}", f"{self.data_id:#x}")
        if layout.has_list:
            self._check_list()
        if self.profile in ("P01", "P11"):
            self._check_mode()
        self._check_offsets()
        if not 1 <= self.max_delta_counter < layout.counter_modulo:
            raise self._bad(
                "max_delta_counter", f"1..{layout.counter_modulo - 1}", self.max_delta_counter
            )
        initial = self.max_delta_counter_init
        if initial is not None and not 0 <= initial < layout.counter_modulo:
            raise self._bad("max_delta_counter_init", f"0..{layout.counter_modulo - 1}", initial)

    def _check_numbers(self) -> None:
        """Whole numbers where whole numbers belong: `True` is none, nor is 5.0."""
        for name in _WHOLE:
            value = getattr(self, name)
            if value is not None and type(value) is not int:
                raise self._bad(name, "a whole number", repr(value))
        for value in self.data_id_list:
            if type(value) is not int:
                raise self._bad("data_id_list", "whole numbers", repr(value))
        for name in ("sync_counter_init", "max_no_new_or_repeated_data"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise self._bad(name, "0 or more", value)

    def _check_plain(self) -> None:
        counter = [] if self.counter_place is None else self.counter_place.bits()
        greatest = (1 << len(counter)) - 1
        if self.profile == "COUNTER" and not counter:
            raise self._bad("counter_place", "the place of a counter", "none")
        if self.counter_max is not None and not 0 < self.counter_max <= greatest:
            raise self._bad("counter_max", f"1..{greatest}", self.counter_max)
        if counter:
            greatest = self.counter_max or greatest
            if not 1 <= self.max_delta_counter <= greatest:
                raise self._bad("max_delta_counter", f"1..{greatest}", self.max_delta_counter)
        if self.profile == "COUNTER":
            return
        if self.checksum is None or self.checksum_place is None:
            raise self._bad("checksum, checksum_place", "both", "none")
        bits = self.checksum_place.bits()
        if len(bits) != 8:
            raise self._bad("checksum_place", "8 bits", f"{len(bits)}")
        if not set(bits).isdisjoint(counter):
            raise self._bad("checksum_place", "a place beside the counter", "the same bits")

    def _check_list(self) -> None:
        ids = self.data_id_list
        if len(ids) != LIST_LENGTH or not all(0 <= each <= 0xFF for each in ids):
            got = ", ".join(str(each) for each in ids) or "none"
            raise self._bad("data_id_list", "16 numbers of 0..255", got)

    def _check_mode(self) -> None:
        modes = DATA_ID_MODES if self.profile == "P01" else ("BOTH", "NIBBLE")
        if self.data_id_mode not in modes:
            raise self._bad("data_id_mode", f"one of {' '.join(modes)}", self.data_id_mode)
        if self.data_id_mode == "NIBBLE" and self.data_id > 0xFFF:
            raise self._bad("data_id", "0..0xFFF in mode NIBBLE", f"{self.data_id:#x}")

    def _check_offsets(self) -> None:
        offset = self.offset_bits
        if offset % 8 or offset < 0:
            raise self._bad("offset_bits", "whole bytes", offset)
        if self.profile == "P02" and offset:
            raise self._bad("offset_bits", "0: profile 22 has an offset", offset)
        is_variable = self.min_length is not None or self.max_length is not None
        if is_variable and PROFILES[self.profile].length is None:
            raise self._bad(
                "min_length, max_length", "a profile with a length field", "one without"
            )
        if self.min_length is not None and self.max_length is not None:
            if self.min_length > self.max_length:
                raise self._bad("min_length", f"at most {self.max_length}", self.min_length)
        if self.profile not in ("P01", "P11"):
            return
        crc, counter = self.crc_place.offset_bits, self.header_counter_place.offset_bits
        if crc % 8 or crc < 0:
            raise self._bad("crc_offset_bits", "whole bytes", crc)
        if counter % 4 or counter < 0:
            raise self._bad("counter_offset_bits", "whole nibbles", counter)
        if counter // 8 == crc // 8:
            raise self._bad("counter_offset_bits", "a place beside the checksum", counter)
        nibble = self.nibble_offset_bits
        if nibble is not None and (nibble % 4 or nibble < 0 or nibble in (counter, crc, crc + 4)):
            raise self._bad("data_id_nibble_offset_bits", "a free nibble", nibble)

    def _bad(self, what: str, expected: str, got: object) -> UsageError:
        kind = "protection" if self.profile in PLAIN else "E2E profile"
        return UsageError(f"{kind} {self.profile}: {what}", expected=expected, got=got)

    @property
    def crc_place(self) -> Place:
        """Where the checksum lies. Raises `KeyError` for COUNTER and CHECKSUM."""
        crc = PROFILES[self.profile].crc
        if self.crc_offset_bits is not None:
            return Place(self.crc_offset_bits, crc.length_bits)
        return crc.moved(self.offset_bits)

    @property
    def header_counter_place(self) -> Place:
        """Where the counter of the header lies. Raises `KeyError` for COUNTER and CHECKSUM."""
        counter = PROFILES[self.profile].counter
        if self.counter_offset_bits is not None:
            return Place(self.counter_offset_bits, counter.length_bits)
        return counter.moved(self.offset_bits)

    @property
    def nibble_offset_bits(self) -> int | None:
        """Where the sent part of the data id lies; None outside mode NIBBLE."""
        if self.data_id_mode != "NIBBLE":
            return None
        place = self.data_id_nibble_offset_bits
        return self.offset_bits + 12 if place is None else place

    @property
    def least_length(self) -> int:
        """Bytes a payload must have for its header. Raises `KeyError` for COUNTER, CHECKSUM."""
        layout = PROFILES[self.profile]
        places = (self.crc_place, self.header_counter_place)
        return max(
            layout.length_min,
            self.offset_bits // 8 + layout.header_length,
            *(-(-(place.offset_bits + place.length_bits) // 8) for place in places),
            (self.nibble_offset_bits or 0) // 8 + 1,
        )

    @property
    def identity(self) -> tuple[str, object] | None:
        """What two messages of one network must not share; None where nothing identifies."""
        if self.profile in PLAIN:
            return None
        if PROFILES[self.profile].has_list:
            return None  # lists of one repeated number, and lists in common, are in use
        return self.profile, self.data_id

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


# ---- from attributes ----


def e2e_config_of(
    *,
    message_name: str,
    length: int,
    attributes: Mapping[str, AttributeValue],
    signals: Iterable[Signal] | Mapping[str, Signal],
) -> E2eConfig | None:
    """The settings in the attributes of a message and its signals; None without a profile.

    Raises `InputError` where they are incomplete, contradict each other or the signals' places.
    """
    members = tuple(signals.values() if isinstance(signals, Mapping) else signals)
    reader = AttributeReader(message_name, attributes, members)
    profile = reader.profile()
    if profile is None:
        return None
    if profile in PLAIN:
        return _counter_alone(profile, message_name, reader, members)
    reader.check_data_length(length)
    try:
        config = E2eConfig(
            profile=profile,
            data_id=reader.data_id(profile),
            data_id_list=reader.data_id_list(profile),
            data_id_mode=str(reader.value("dataidmode", "BOTH")).upper().rpartition("_")[2],
            offset_bits=reader.bits("offset") or 0,
            crc_offset_bits=reader.bits("crcoffset") if profile in _FREE else None,
            counter_offset_bits=reader.bits("counteroffset") if profile in _FREE else None,
            data_id_nibble_offset_bits=reader.bits("dataidnibbleoffset"),
            max_delta_counter=reader.number("maxdeltacounter") or 3,
        )
    except UsageError as error:
        raise InputError(
            f"message {message_name}, {error.where}", expected=error.expected, got=error.got
        ) from None
    config = replace(
        config,
        counter_signal=reader.signal_name("Counter", config.header_counter_place),
        checksum_signal=reader.signal_name("Checksum", config.crc_place),
    )
    check_places(config, message_name, length, members)
    return config


def _counter_alone(
    profile: str, message_name: str, reader: AttributeReader, signals: tuple[Signal, ...]
) -> E2eConfig:
    if profile == "CHECKSUM":
        raise InputError(
            f"message {message_name}, E2E protection",
            expected="CHECKSUM to be configured in a TOML file, with its algorithm",
            got="an attribute",
        )
    name = reader.signal_name("Counter", None)
    assert name is not None
    return plain_counter(message_name, name, signals)


def plain_counter(
    message_name: str, name: str, signals: Iterable[Signal], *, counter_max: int | None = None
) -> E2eConfig:
    """Settings of a message with nothing but a rolling counter in signal `name`."""
    members = tuple(signals)
    signal = signal_named(message_name, name, {each.name: each for each in members})
    place = place_of(message_name, signal, members)
    greatest = (1 << place.length) - 1 if counter_max is None else counter_max
    return E2eConfig(
        profile="COUNTER",
        counter_signal=name,
        counter_place=place,
        counter_max=counter_max,
        max_delta_counter=max(1, min(3, greatest)),
    )


def place_of(message_name: str, signal: Signal, signals: Iterable[Signal]) -> SignalPlace:
    """Where `signal`, one of `signals`, lies.

    Raises `InputError` for one that is scaled, signed, a float, or not in every frame.
    """
    check_pages(message_name, signal, signals)
    if signal.is_float or signal.is_signed or not signal.is_identity:
        raise InputError(
            f"message {message_name}, signal {signal.name}",
            expected="an unsigned and unscaled counter or checksum",
            got=f"factor {signal.scale}, offset {signal.offset}"
            + (", signed" if signal.is_signed else ", float" if signal.is_float else ""),
        )
    return SignalPlace(
        start_bit=signal.start_bit, length=signal.length, byte_order=signal.byte_order
    )


_FREE = ("P01", "P11")
"""Profiles whose fields have offsets of their own."""


def check_places(
    config: E2eConfig, message_name: str, length: int, signals: Iterable[Signal]
) -> None:
    """Compare the header with the message: `InputError` for a signal elsewhere or no room."""
    layout = PROFILES[config.profile]
    needed = config.least_length
    if not needed <= length <= layout.length_max:
        raise InputError(
            f"message {message_name}, E2E profile {config.profile}: length",
            expected=f"{needed}..{layout.length_max} bytes",
            got=length,
        )
    members = tuple(signals)
    by_name = {signal.name: signal for signal in members}
    for name, place in (
        (config.checksum_signal, config.crc_place),
        (config.counter_signal, config.header_counter_place),
    ):
        if name is not None:
            signal = signal_named(message_name, name, by_name)
            _check_place(message_name, config.profile, signal, place)
            check_pages(message_name, signal, members)


def check_pages(message_name: str, signal: Signal, signals: Iterable[Signal]) -> None:
    """Raises `InputError` for a multiplexer, and for a signal that some pages do not have."""
    if signal.is_multiplexer:
        got = "a multiplexer: it selects which signals are sent"
    elif not is_always_present(signal, signals):
        got = f"one that only some pages of multiplexer {signal.multiplexer_signal} have"
    else:
        return
    raise InputError(
        f"message {message_name}, signal {signal.name}",
        expected="a counter or checksum that is in every frame",
        got=got,
    )


def _check_place(message_name: str, profile: str, signal: Signal, place: Place) -> None:
    bits = bit_positions(signal.start_bit, signal.length, signal.byte_order)
    if bits == place.bits() and signal.is_identity and not signal.is_float:
        return
    raise InputError(
        f"message {message_name}, signal {signal.name}: E2E profile {profile}",
        expected=f"{place.length_bits} bits from bit {place.start_bit}, "
        f"{place.byte_order.replace('_', '-')}, unscaled",
        got=f"{signal.length} bits from bit {signal.start_bit}, {signal.byte_order}, "
        f"factor {signal.scale}, offset {signal.offset}",
    )
