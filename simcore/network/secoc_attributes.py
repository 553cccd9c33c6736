"""From attributes and TOML tables to `SecOcConfig` and `SyncConfig`, and what must fit together.

Names and meaning of the settings are in `secoc_config`. A setting that a table gives is called by
its key there, and errors about it name the TOML file; any other by its attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from simcore.errors import InputError, UsageError
from simcore.network.e2e_layout import bit_positions
from simcore.network.secoc_config import (
    FIELDS,
    OPEN_FRESHNESS_LENGTH,
    PROFILES,
    AttributeValue,
    MultiCounter,
    SecOcConfig,
    SecOcTable,
    SyncConfig,
)

if TYPE_CHECKING:
    from simcore.network.messages import Message, Signal

_NO_PROFILE = ("", "none", "no", "off")
_YES = ("yes", "1", "true", "on")
_FUNCTION_ATTRIBUTES = ("gensigfunctype", "sigfunctype", "sigtype")


def secoc_config_of(
    *,
    message_name: str,
    length: int,
    attributes: Mapping[str, AttributeValue],
    signals: Sequence[Signal],
    table: SecOcTable | None = None,
    file: str | None = None,
) -> SecOcConfig | None:
    """The SecOC settings of a message of `length` bytes; None without a profile.

    `table` goes before the attributes; `file` is the name of the file it is from. Raises
    `InputError` that names message, setting and value.
    """
    reader = _Reader(message_name, length, attributes, signals, table, file)
    try:
        return reader.config()
    except UsageError as error:
        raise reader.refused(error) from None


def sync_config_of(
    *,
    message_name: str,
    length: int,
    attributes: Mapping[str, AttributeValue],
    signals: Sequence[Signal],
    table: SecOcTable | None = None,
    file: str | None = None,
) -> SyncConfig | None:
    """The settings of a freshness sync message; None for any other. See `secoc_config_of`."""
    reader = _Reader(message_name, length, attributes, signals, table, file)
    try:
        return reader.sync()
    except UsageError as error:
        raise reader.refused(error) from None


def freshness_defects(messages: Iterable[Message]) -> Iterator[tuple[Message, str]]:
    """Messages whose freshness cannot work in their network, with the reason."""
    known = list(messages)
    syncs: dict[str, Message] = {}
    for message in known:
        if message.secoc_sync is None:
            continue
        first = syncs.setdefault(message.bus, message)
        if first is not message:
            yield message, f"a second freshness sync message beside {first.label}: unsupported"
        if len(message.senders) != 1:
            senders = ", ".join(message.senders) or "none"
            yield message, f"expected one sender, the freshness master, got {senders}"
        if message.e2e is not None or message.secoc is not None:
            yield message, "a freshness sync message protects itself: E2E or SecOC is unsupported"
    for message in known:
        counters = None if message.secoc is None else message.secoc.multi_counter
        if counters is None:
            continue
        sync = syncs.get(message.bus)
        if sync is None or sync.secoc_sync is None:
            yield (
                message,
                "SecOC freshness of several counters: expected a message with "
                'SecOCFreshnessSync "Yes" in the network, got none',
            )
            continue
        layout = sync.secoc_sync.layout
        wanted = layout.trip_length, layout.reset_length
        if (counters.trip_length, counters.reset_length) != wanted:
            yield (
                message,
                f"SecOC trip and reset counter: expected {wanted[0]} and {wanted[1]} bits as in "
                f"{sync.label}, got {counters.trip_length} and {counters.reset_length}",
            )


class _Reader:
    """One message's settings on their way to a `SecOcConfig`."""

    def __init__(
        self,
        message: str,
        length: int,
        attributes: Mapping[str, AttributeValue],
        signals: Sequence[Signal],
        table: SecOcTable | None,
        file: str | None,
    ) -> None:
        self._message = message
        self._length = length
        self._own = {_plain(name): value for name, value in attributes.items()}
        over = {} if table is None else table.attributes()
        self._over = {_plain(name): value for name, value in over.items()}
        self._values = {**self._own, **self._over}
        self._has_table = table is not None
        self._file = file
        self._signals = signals

    def config(self) -> SecOcConfig | None:
        text = str(self._values.get("secocprofile", ""))
        if text.strip().lower() in _NO_PROFILE:
            return None
        number = self._profile(text)
        counters = self._multi_counter()
        length, sent, mac = self._lengths(number, counters)
        freshness = self._with_function("Freshness")
        authenticator = self._with_function("Authenticator")
        authentic = self._authentic_length(sent, mac, freshness, authenticator)
        fresh_id = self._number("FreshnessValueId")
        self._check_place(freshness, 8 * authentic, sent)
        self._check_place(authenticator, 8 * authentic + sent, mac)
        config = SecOcConfig(
            profile=number,
            data_id=self._data_id(),
            secured_length=self._length,
            authentic_length=authentic,
            freshness_value_id=-1 if fresh_id is None else fresh_id,
            freshness_value_length=length,
            freshness_value_trunc_length=sent,
            auth_info_trunc_length=mac,
            build_attempts=self._number("AuthenticationBuildAttempts") or 1,
            verify_attempts=self._number("AuthenticationVerifyAttempts") or 1,
            key_id=self._number("KeyId") or 0,
            acceptance_window=self._number("AcceptanceWindow") or None,
            multi_counter=counters,
            freshness_signal=None if freshness is None else freshness.name,
            authenticator_signal=None if authenticator is None else authenticator.name,
            trailer_signals=self._trailer_signals(),
        )
        self._check_trailer(config)
        return config

    def sync(self) -> SyncConfig | None:
        text = str(self._values.get("secocfreshnesssync", ""))
        if text.strip().lower() not in _YES:
            return None
        given = {
            "trip_length": self._number("TripCounterLength"),
            "reset_length": self._number("ResetCounterLength"),
        }
        layout = MultiCounter(**{name: each for name, each in given.items() if each is not None})
        mac = self._number("AuthInfoTruncLength")
        if mac is None:
            label = self._label("AuthInfoTruncLength")
            raise self._bad("AuthInfoTruncLength", f"a {label} of the freshness sync", "none")
        return SyncConfig(
            data_id=self._data_id(),
            length=self._length,
            layout=layout,
            mac_length=mac,
            key_id=self._number("KeyId") or 0,
        )

    # ---- single settings ----

    def _profile(self, text: str) -> int | None:
        if text.strip().lower() == "explicit":
            return None
        found = re.fullmatch(r"(?:secoc)?\s*(?:p|profile)?[\s_]*0?([123])", text.strip().lower())
        if found is None:
            label = self._label("Profile")
            expected = f"{label} Profile1, Profile2, Profile3, Explicit or None"
            raise self._bad("Profile", expected, text)
        return int(found[1])

    def _lengths(self, number: int | None, counters: MultiCounter | None) -> tuple[int, int, int]:
        """Bits of the freshness value, sent of it, sent of the authenticator."""
        profile = None if number is None else PROFILES[number]
        length = self._number("FreshnessValueLength")
        if length is None:
            length = OPEN_FRESHNESS_LENGTH if profile is None else profile.freshness_length
            if length is None:
                length = OPEN_FRESHNESS_LENGTH if counters is None else counters.length
        sent = self._number("FreshnessValueTruncLength")
        mac = self._number("AuthInfoTruncLength")
        if profile is not None:
            sent = profile.freshness_trunc_length if sent is None else sent
            mac = profile.mac_trunc_length if mac is None else mac
        if sent is None or mac is None:
            missing = "FreshnessValueTruncLength" if sent is None else "AuthInfoTruncLength"
            expected = f"a {self._label(missing)}, for there is no profile"
            raise self._bad(missing, expected, "none")
        return length, sent, mac

    def _data_id(self) -> int:
        data_id = self._number("DataId")
        if data_id is None:
            raise self._bad("DataId", f"a {self._label('DataId')} of 0..65535", "none")
        return data_id

    def _multi_counter(self) -> MultiCounter | None:
        text = str(self._values.get("secocfreshnesstype", "SingleCounter"))
        kind = _plain(text)
        if kind in ("singlecounter", "single", ""):
            return None
        if kind not in ("multicounter", "multi", "multiplecounters"):
            expected = f"{self._label('FreshnessType')} SingleCounter or MultiCounter"
            raise self._bad("FreshnessType", expected, text)
        given = {
            "trip_length": self._number("TripCounterLength"),
            "reset_length": self._number("ResetCounterLength"),
            "message_length": self._number("MessageCounterLength"),
            "flag_length": self._number("ResetFlagLength"),
        }
        return MultiCounter(**{name: value for name, value in given.items() if value is not None})

    def _number(self, name: str) -> int | None:
        value = self._values.get(_attribute(name))
        if value is None or value == -1 or value == "":
            return None
        label = self._label(name)
        if isinstance(value, str):
            try:
                value = int(value, 0)
            except ValueError:
                raise self._bad(name, f"a whole number in {label}", repr(value)) from None
        if int(value) != value or value < 0:
            raise self._bad(name, f"a whole number of 0 or more in {label}", value)
        return int(value)

    def _authentic_length(
        self, sent: int, mac: int, freshness: Signal | None, authenticator: Signal | None
    ) -> int:
        """As given; else up to the first of the two signals; else all but the trailer."""
        given = self._number("AuthenticPduLength")
        if given is not None:
            return given
        for signal, behind in ((freshness, 0), (authenticator, sent)):
            if signal is not None:
                return (_first_bit(signal) - behind) // 8
        return self._length - (sent + mac + 7) // 8

    # ---- signals ----

    def _with_function(self, function: str) -> Signal | None:
        found = [
            signal
            for signal in self._signals
            if any(
                _plain(name) in _FUNCTION_ATTRIBUTES and _plain(str(value)) == function.lower()
                for name, value in signal.attributes.items()
            )
        ]
        if len(found) > 1:
            names = ", ".join(signal.name for signal in found)
            raise self._bad("", f"at most one signal with GenSigFuncType {function!r}", names)
        return found[0] if found else None

    def _trailer_signals(self) -> tuple[str, ...]:
        text = str(self._values.get("secoctrailersignals", ""))
        names = re.split(r"[\s,;]+", text)
        known = {signal.name for signal in self._signals}
        for name in names:
            if name and name not in known:
                expected = f"signals of the message in {self._label('TrailerSignals')}"
                raise self._bad("TrailerSignals", expected, name)
        return tuple(name for name in names if name)

    def _check_place(self, signal: Signal | None, first_bit: int, length: int) -> None:
        if signal is None:
            return
        is_there = (_first_bit(signal), signal.length) == (first_bit, length)
        in_one_byte = first_bit // 8 == (first_bit + length - 1) // 8
        is_big_endian = signal.byte_order == "big_endian" or in_one_byte
        if is_there and is_big_endian and signal.is_identity and not signal.is_signed:
            return
        raise self._bad(
            "Profile",
            f"signal {signal.name} of {length} bits from bit {first_bit} of the frame, "
            "big-endian, unsigned, unscaled",
            f"{signal.length} bits from bit {_first_bit(signal)}, {signal.byte_order}",
        )

    def _check_trailer(self, config: SecOcConfig) -> None:
        """Everything behind the Authentic I-PDU is the trailer's: a signal there would be lost."""
        begin = 8 * config.authentic_length
        made = {config.freshness_signal, config.authenticator_signal}
        for signal in self._signals:
            bits = _bits(signal)
            if signal.name in made or bits[-1] < begin:
                continue
            if signal.name in config.trailer_signals and bits[0] >= begin:
                continue
            setting = "TrailerSignals" if signal.name in config.trailer_signals else ""
            given = self._values.get(_attribute("AuthenticPduLength"), -1)
            raise self._bad(
                setting or ("Profile" if given == -1 else "AuthenticPduLength"),
                f"no signal of the application behind bit {begin - 1} of the frame, where "
                "freshness value, authenticator and filling are",
                f"signal {signal.name} in bits {bits[0]}..{bits[-1]}",
            )

    # ---- errors ----

    def refused(self, error: UsageError) -> InputError:
        """What is wrong with values that do not go together, at the setting it is about."""
        subject = error.where.removeprefix("SecOC ")
        fields = {field: name for name, field in FIELDS.items()}
        field = subject if subject in fields else f"{subject.replace(' ', '_')}_length"
        name = fields.get(field, "SecOCProfile" if subject.startswith("profile") else "")
        found = self._bad(name.removeprefix("SecOC"), error.expected, error.got)
        where = found.where if name and found.file else f"{found.where}, {subject}"
        return InputError(where, expected=error.expected, got=error.got, file=found.file)

    def _is_of_table(self, name: str) -> bool:
        """Whether a setting is the table's, or missing in it; any setting if `name` is empty."""
        key = _attribute(name)
        is_own = self._own.get(key, -1) not in (-1, "")
        return self._has_table and (not name or key in self._over or not is_own)

    def _label(self, name: str) -> str:
        return FIELDS[f"SecOC{name}"] if self._is_of_table(name) else f"SecOC{name}"

    def _bad(self, name: str, expected: object, got: object) -> InputError:
        where = f"message {self._message}, SecOC"
        if not self._is_of_table(name):
            return InputError(where, expected=expected, got=got)
        key = f"secoc.messages.{self._message}"
        if _attribute(name) in self._over:
            key = f"{key}.{FIELDS[f'SecOC{name}']}"
        return InputError(f"{where}, {key}", expected=expected, got=got, file=self._file)


def _attribute(name: str) -> str:
    return "secoc" + name.lower()


def _plain(name: str) -> str:
    return name.replace("_", "").replace(" ", "").lower()


def _bits(signal: Signal) -> list[int]:
    """Bits of a signal in the frame, ascending, counted from the first byte's high bit."""
    bits = bit_positions(signal.start_bit, signal.length, signal.byte_order)
    return sorted(8 * (bit // 8) + 7 - bit % 8 for bit in bits)


def _first_bit(signal: Signal) -> int:
    return _bits(signal)[0]
