"""The DBC attributes that describe end-to-end protection, in all the spellings in use.

What lives here: spellings, and the look-up of one message's attributes with errors that name it.
What is made of them is in `e2e_config`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from simcore.errors import InputError
from simcore.network.e2e_layout import PLAIN, PROFILES, Place, bit_positions

if TYPE_CHECKING:
    from simcore.network.messages import Signal

AttributeValue: TypeAlias = int | float | str

LIST_LENGTH = 16
"""Data ids in the list of P02 and P22."""


def profile_of(text: object) -> str | None:
    """The profile in any known spelling; None for none. Raises `ValueError` for another text."""
    plain = re.sub(r"[^A-Z0-9]", "", str(text).upper())
    if plain in ("", "NONE", "0", "NO", "NOPROFILE"):
        return None
    if plain in PLAIN:
        return plain
    found = re.fullmatch(r"(?:E2E)?(?:P|PROFILE|PROF)?0*(\d{1,2})", plain)
    name = f"P{int(found[1]):02d}" if found else plain
    if name not in PROFILES:
        raise ValueError(text)
    return name


def data_ids_of(text: object) -> tuple[int, ...]:
    """The numbers in a list written in decimal or hexadecimal; one alone stands for all 16."""
    words = [word for word in re.split(r"[\s,;\[\](){}]+", str(text)) if word]
    numbers = tuple(int(word, 0 if word[:2].lower() == "0x" else 10) for word in words)
    return numbers * LIST_LENGTH if len(numbers) == 1 else numbers


def signal_named(message_name: str, name: str, by_name: Mapping[str, Signal]) -> Signal:
    signal = by_name.get(name)
    if signal is None:
        near = difflib.get_close_matches(name, by_name, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise InputError(f"message {message_name}, E2E protection: no signal {name!r}{hint}")
    return signal


_SPELLINGS = {
    "profile": ("E2EProfile",),
    "dataid": ("E2EDataId", "DataId"),
    "dataidlist": ("E2EDataIdList", "DataIdList", "E2EDataIds", "DataIds"),
    "dataidmode": ("E2EDataIdMode", "DataIdMode"),
    "offset": ("E2EOffset",),
    "crcoffset": ("E2ECRCOffset",),
    "counteroffset": ("E2ECounterOffset",),
    "dataidnibbleoffset": ("E2EDataIdNibbleOffset",),
    "datalength": ("E2EDataLength",),
    "maxdeltacounter": ("E2EMaxDeltaCounter", "MaxDeltaCounter"),
    "countersignal": ("E2ECounterSignal",),
    "checksumsignal": ("E2ECrcSignal", "E2EChecksumSignal"),
    "function": ("GenSigFuncType", "SigFuncType", "SigType"),
}
"""Names of attributes; case and underscores do not matter."""

_NAMES = {
    what: tuple(re.sub(r"[^a-z0-9]", "", name.lower()) for name in names)
    for what, names in _SPELLINGS.items()
}

_FUNCTIONS = {
    "Counter": ("1", "counter", "messagecounter", "rollingcounter", "alivecounter"),
    "Checksum": ("2", "checksum", "crc", "messagechecksum"),
}


def attribute_value(attributes: Mapping[str, AttributeValue], what: str) -> AttributeValue | None:
    """The attribute that stands for `what`, in any of its spellings; None for none."""
    own = _plain_names(attributes)
    return next((own[name] for name in _NAMES[what] if name in own), None)


class AttributeReader:
    """Looks attributes up on the message, else on its signals."""

    def __init__(
        self,
        message_name: str,
        attributes: Mapping[str, AttributeValue],
        signals: tuple[Signal, ...],
    ) -> None:
        self._message_name = message_name
        self._signals = signals
        self._own = _plain_names(attributes)
        self._of_signals = [_plain_names(getattr(s, "attributes", {})) for s in signals]

    def profile(self) -> str | None:
        spelt = self.value("profile")
        try:
            return profile_of("" if spelt is None else spelt)
        except ValueError:
            raise self._bad("E2EProfile", f"one of {' '.join(PROFILES)}", repr(spelt)) from None

    def data_id(self, profile: str) -> int:
        layout = PROFILES[profile]
        if layout.has_list:
            return 0
        value = self.number("dataid")
        if value is None or not 0 <= value <= layout.data_id_max:
            raise self._bad(
                "E2E protection",
                f"an E2EDataId of 0..{layout.data_id_max}",
                "none" if value is None else value,
            )
        return value

    def data_id_list(self, profile: str) -> tuple[int, ...]:
        if not PROFILES[profile].has_list:
            return ()
        text = self.value("dataidlist")
        try:
            ids = data_ids_of("" if text is None else text)
        except ValueError:
            ids = ()
        if len(ids) != LIST_LENGTH or not all(0 <= each <= 0xFF for each in ids):
            raise self._bad(
                "E2E protection",
                "an E2EDataIdList of 16 numbers of 0..255, or one for all",
                "none" if text is None else repr(text),
            )
        return ids

    def bits(self, what: str) -> int | None:
        value = self.number(what)
        if value is not None and value < 0:
            raise self._bad(_SPELLINGS[what][0], "0 or more bits", value)
        return value

    def number(self, what: str) -> int | None:
        value = self.value(what)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                return int(value, 0)
            if value == int(value):
                return int(value)
        except ValueError:
            pass
        raise self._bad(_SPELLINGS[what][0], "a whole number", repr(value))

    def value(self, what: str, default: AttributeValue | None = None) -> AttributeValue | None:
        """The attribute on the message, else the one value that its signals agree on."""
        for name in _NAMES[what]:
            own = self._own.get(name)
            if own is not None and self._is_set(what, own):
                return own
        found = {
            value
            for each in self._of_checksums()
            for name in _NAMES[what]
            if (value := each.get(name)) is not None and self._is_set(what, value)
        }
        if len(found) > 1:
            raise self._bad(
                f"{_SPELLINGS[what][0]} of its signals",
                "one value",
                ", ".join(sorted(str(value) for value in found)),
            )
        return found.pop() if found else default

    def _of_checksums(self) -> Sequence[Mapping[str, AttributeValue]]:
        """Attributes of the signals that carry settings: checksums, else whatever has a profile."""
        named = self._named("checksumsignal")
        pairs = list(zip(self._signals, self._of_signals, strict=True))
        checksums = [a for s, a in pairs if s.name == named or self._function(a) == "Checksum"]
        if checksums:
            return checksums
        key = _NAMES["profile"][0]
        return [a for _, a in pairs if key in a and self._is_set("profile", a[key])]

    @staticmethod
    def _is_set(what: str, value: AttributeValue) -> bool:
        return value != "" and (what != "profile" or _profile_or_text(value) is not None)

    def _named(self, what: str) -> AttributeValue | None:
        return next((self._own[name] for name in _NAMES[what] if self._own.get(name)), None)

    def check_data_length(self, length: int) -> None:
        value = self.number("datalength")
        if value not in (None, 0, length, 8 * length):
            raise self._bad("E2EDataLength", f"{length} bytes or {8 * length} bits", value)

    def signal_name(self, function: str, place: Place | None) -> str | None:
        """The signal of that function; None where there is none at its place either."""
        named = self._named(function.lower() + "signal")
        if named:
            by_name = {signal.name: signal for signal in self._signals}
            return signal_named(self._message_name, str(named), by_name).name
        names = [
            signal.name
            for signal, attributes in zip(self._signals, self._of_signals, strict=True)
            if self._function(attributes) == function
        ]
        if len(names) == 1:
            return names[0]
        if place is not None and not names and self._is_open(place):
            return None
        raise self._bad(
            "E2E protection",
            f"one signal with GenSigFuncType {function!r}",
            ", ".join(names) or "none",
        )

    def _is_open(self, place: Place) -> bool:
        taken = set(place.bits())
        return all(
            taken.isdisjoint(bit_positions(s.start_bit, s.length, s.byte_order))
            for s in self._signals
        )

    @staticmethod
    def _function(attributes: Mapping[str, AttributeValue]) -> str | None:
        for name in _NAMES["function"]:
            value = re.sub(r"[^a-z0-9]", "", str(attributes.get(name, "")).lower())
            for function, spellings in _FUNCTIONS.items():
                if value in spellings:
                    return function
        return None

    def _bad(self, where: str, expected: str, got: object) -> InputError:
        return InputError(f"message {self._message_name}, {where}", expected=expected, got=got)


def _profile_or_text(value: AttributeValue) -> str | None:
    """The profile's name, None for none, the text itself for what is no profile."""
    try:
        return profile_of(value)
    except ValueError:
        return str(value)


def _plain_names(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    return {re.sub(r"[^a-z0-9]", "", name.lower()): value for name, value in attributes.items()}
