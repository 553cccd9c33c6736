"""Settings of one message's secure onboard communication, and how they are read.

What lives here: `SecOcConfig` with its freshness layout, `SyncConfig` of a freshness sync message
and `SecOcTable` for a message's table in a TOML file. Attributes are read by `secoc_attributes`;
the protection itself is in `simcore.protection`.

No standard says how a DBC describes SecOC; the attributes of a message have the names AUTOSAR gives
the parameters (SWS SecureOnboardCommunication, configuration), whatever the case and underscores:
`SecOCProfile` (Profile1, Profile2, Profile3 or Explicit; None for no SecOC), `SecOCDataId`,
`SecOCFreshnessValueId`, `SecOCFreshnessValueLength`, `SecOCFreshnessValueTruncLength`,
`SecOCAuthInfoTruncLength` (all lengths in bits), `SecOCAuthenticationBuildAttempts`,
`SecOCAuthenticationVerifyAttempts`, and beyond AUTOSAR's own: `SecOCKeyId` (the key slot),
`SecOCAuthenticPduLength` (in bytes), `SecOCAcceptanceWindow`, `SecOCFreshnessType` (SingleCounter
or MultiCounter), `SecOCTripCounterLength`, `SecOCResetCounterLength`, `SecOCMessageCounterLength`,
`SecOCResetFlagLength`. A number of -1 stands for "not set"; without a freshness value id the data
id is it. Signals at the places of the truncated freshness value and authenticator have
`GenSigFuncType` Freshness and Authenticator; `SecOCTrailerSignals` names others that the trailer
is made of. Any other signal behind the Authentic I-PDU is an error: it would be overwritten.

`SecOCFreshnessSync` = Yes marks the message by which the freshness master (its sender) tells trip
and reset counter to all others: both counters and the authenticator, as long as the attributes for
counters and `SecOCAuthInfoTruncLength` say; `SecOCDataId` and `SecOCKeyId` are its own.

A secured frame is Authentic I-PDU, truncated freshness value (its least significant bits),
truncated authenticator (its most significant bits), zeros up to the length of the frame (PRS
SecOcProtocol). The secured area is the whole Authentic I-PDU. Not here: the Secured I-PDU header
and a freshness value taken from the Authentic I-PDU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import msgspec

from simcore.errors import UsageError

AttributeValue: TypeAlias = int | float | str

MAC_LENGTH_MAX = 128
FRESHNESS_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class SecOcProfile:
    """A row of PRS SecOcProtocol's table of profiles; lengths in bits."""

    freshness_length: int | None
    """None where the profile leaves it open."""
    freshness_trunc_length: int
    mac_trunc_length: int


PROFILES: dict[int, SecOcProfile] = {
    1: SecOcProfile(None, 8, 24),  # 24Bit-CMAC-8Bit-FV
    2: SecOcProfile(0, 0, 24),  # 24Bit-CMAC-No-FV
    3: SecOcProfile(64, 4, 28),  # JASPAR
}
"""Profiles 1 to 3, all with AES-128-CMAC."""

OPEN_FRESHNESS_LENGTH = 64
"""Bits of a freshness value whose length neither profile nor file fixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiCounter:
    """Layout of a freshness value of several counters (JASPAR), in bits.

    From the most significant bit: trip counter, reset counter, message counter, reset flag (the
    least significant bits of the reset counter). Raises `UsageError` for what does not fit.
    """

    trip_length: int = 24
    reset_length: int = 24
    message_length: int = 14
    flag_length: int = 2

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("trip counter", self.trip_length, 1, 24),
            ("reset counter", self.reset_length, 1, 24),
            ("message counter", self.message_length, 1, 48),
            ("reset flag", self.flag_length, 0, min(2, self.reset_length)),
        ):
            if not low <= value <= high:
                raise UsageError(f"SecOC {name}", expected=f"{low}..{high} bits", got=value)
        if self.length > FRESHNESS_LENGTH_MAX:
            raise UsageError(
                "SecOC freshness value of several counters",
                expected=f"at most {FRESHNESS_LENGTH_MAX} bits",
                got=self.length,
            )

    @property
    def length(self) -> int:
        """Bits of the whole freshness value."""
        return self.trip_length + self.reset_length + self.message_length + self.flag_length

    def pack(self, trip: int, reset: int, message: int) -> int:
        """The freshness value of these counters."""
        flag = reset & ((1 << self.flag_length) - 1)
        value = (trip << self.reset_length) | reset
        return (((value << self.message_length) | message) << self.flag_length) | flag

    def unpack(self, value: int) -> tuple[int, int, int]:
        """Trip, reset and message counter of a freshness value."""
        value >>= self.flag_length
        message = value & ((1 << self.message_length) - 1)
        value >>= self.message_length
        return value >> self.reset_length, value & ((1 << self.reset_length) - 1), message

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SecOcConfig:
    """Secure onboard communication of one message. Lengths in bits unless they say bytes.

    Raises `UsageError` for values that do not go together.
    """

    data_id: int
    secured_length: int
    """Bytes of the frame."""
    authentic_length: int
    """Bytes of the Authentic I-PDU, from the start of the frame; all of it is secured."""
    freshness_value_length: int
    """The complete freshness value; 0 for none (profile 2)."""
    freshness_value_trunc_length: int
    """How many of its least significant bits are sent."""
    auth_info_trunc_length: int
    """How many of the authenticator's most significant bits are sent."""
    profile: int | None = None
    """1, 2 or 3; None where the lengths are of no profile."""
    freshness_value_id: int = -1
    """-1: the data id."""
    key_id: int = 0
    """The slot of the `KeyStore` with the key."""
    build_attempts: int = 1
    """SecOCAuthenticationBuildAttempts."""
    verify_attempts: int = 1
    """SecOCAuthenticationVerifyAttempts: complete freshness values tried per frame."""
    acceptance_window: int | None = None
    """Single counter: the greatest step that is accepted; None for what truncation allows."""
    multi_counter: MultiCounter | None = None
    """None for a single counter."""
    freshness_signal: str | None = None
    """Name of the signal at the place of the truncated freshness value, if there is one."""
    authenticator_signal: str | None = None
    trailer_signals: tuple[str, ...] = ()
    """Further signals that the trailer is made of, as parts of the freshness value."""

    def __post_init__(self) -> None:
        self._require("data_id", self.data_id, 0, 0xFFFF)
        if self.freshness_value_id == -1:
            object.__setattr__(self, "freshness_value_id", self.data_id)
        self._require("freshness_value_id", self.freshness_value_id, 0, 0xFFFF)
        self._require("key_id", self.key_id, 0, 0xFFFF)
        length = self.freshness_value_length
        self._require("freshness_value_length", length, 0, FRESHNESS_LENGTH_MAX)
        # Nothing sent of a freshness value that exists would leave the receiver guessing.
        least = 1 if length else 0
        sent = self.freshness_value_trunc_length
        self._require("freshness_value_trunc_length", sent, least, length)
        self._require("auth_info_trunc_length", self.auth_info_trunc_length, 1, MAC_LENGTH_MAX)
        self._require("build_attempts", self.build_attempts, 1, 0xFFFF)
        self._require("verify_attempts", self.verify_attempts, 1, 0xFFFF)
        self._require("secured_length", self.secured_length, 1, 4096)
        last = self.secured_length - self.trailer_length
        self._require("authentic_length", self.authentic_length, 0, last)
        if self.acceptance_window is not None:
            self._require("acceptance_window", self.acceptance_window, 1, 1 << 64)
        self._check_profile()
        self._check_multi_counter()

    def _require(self, what: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            expected = f"{low}..{high}" if high >= low else "a shorter freshness value or MAC"
            raise UsageError(f"SecOC {what}", expected=expected, got=value)

    def _check_profile(self) -> None:
        if self.profile is None:
            return
        profile = PROFILES.get(self.profile)
        if profile is None:
            raise UsageError("SecOC profile", expected="1, 2 or 3", got=self.profile)
        is_open = profile.freshness_length is None
        length = self.freshness_value_length if is_open else profile.freshness_length
        expected = (length, profile.freshness_trunc_length, profile.mac_trunc_length)
        got = (
            self.freshness_value_length,
            self.freshness_value_trunc_length,
            self.auth_info_trunc_length,
        )
        if got != expected:
            raise UsageError(
                f"SecOC profile {self.profile}, bits of freshness value, sent of it, sent of MAC",
                expected=" ".join(str(each) for each in expected),
                got=" ".join(str(each) for each in got),
            )

    def _check_multi_counter(self) -> None:
        counters = self.multi_counter
        if counters is None:
            return
        if counters.length != self.freshness_value_length:
            raise UsageError(
                "SecOC trip, reset and message counter and reset flag together",
                expected=f"{self.freshness_value_length} bits",
                got=counters.length,
            )
        sent_of_counter = self.freshness_value_trunc_length - counters.flag_length
        if not 1 <= sent_of_counter <= counters.message_length:
            raise UsageError(
                "SecOC freshness value of several counters, bits sent",
                expected=f"the reset flag and 1..{counters.message_length} of the message counter",
                got=self.freshness_value_trunc_length,
            )

    @property
    def trailer_length(self) -> int:
        """Bytes that freshness value and authenticator take in the frame."""
        return (self.freshness_value_trunc_length + self.auth_info_trunc_length + 7) // 8

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfig:
    """A freshness sync message: trip counter, reset counter, truncated authenticator, zeros.

    Raises `UsageError` for values that do not go together.
    """

    data_id: int
    length: int
    """Bytes of the message."""
    layout: MultiCounter
    """Lengths of trip and reset counter; the rest of it has no meaning here."""
    mac_length: int
    """Bits of the authenticator."""
    key_id: int = 0

    def __post_init__(self) -> None:
        bits = self.layout.trip_length + self.layout.reset_length
        for name, value, low, high in (
            ("data_id", self.data_id, 0, 0xFFFF),
            ("key_id", self.key_id, 0, 0xFFFF),
            ("auth_info_trunc_length", self.mac_length, 1, MAC_LENGTH_MAX),
        ):
            if not low <= value <= high:
                raise UsageError(f"SecOC {name}", expected=f"{low}..{high}", got=value)
        needed = (bits + self.mac_length + 7) // 8
        if self.length != needed:
            raise UsageError(
                f"SecOC freshness sync of {bits} + {self.mac_length} bits",
                expected=f"{needed} bytes",
                got=self.length,
            )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class SecOcTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A message's SecOC settings in a TOML file: the attributes without their prefix.

    What is not given is as in the DBC. Lengths in bits, `authentic_length` in bytes.
    """

    profile: int | str | None = None
    """1, 2, 3, "Explicit", or "None" to switch off what the DBC has."""
    data_id: int | None = None
    freshness_value_id: int | None = None
    freshness_value_length: int | None = None
    freshness_value_trunc_length: int | None = None
    auth_info_trunc_length: int | None = None
    build_attempts: int | None = None
    verify_attempts: int | None = None
    key_id: int | None = None
    authentic_length: int | None = None
    acceptance_window: int | None = None
    freshness_type: str | None = None
    trip_counter_length: int | None = None
    reset_counter_length: int | None = None
    message_counter_length: int | None = None
    reset_flag_length: int | None = None
    trailer_signals: list[str] | None = None
    freshness_sync: bool | None = None
    """Whether this is the freshness sync message."""

    def attributes(self) -> dict[str, AttributeValue]:
        """What is given, as attributes for `secoc_config_of`; put them over those of the DBC."""
        given: dict[str, AttributeValue] = {}
        for attribute, field in FIELDS.items():
            value = getattr(self, field)
            if isinstance(value, bool):
                given[attribute] = "Yes" if value else "No"
            elif isinstance(value, list):
                given[attribute] = " ".join(value)
            elif value is not None:
                given[attribute] = value
        return given


FIELDS = {
    "SecOCProfile": "profile",
    "SecOCDataId": "data_id",
    "SecOCFreshnessValueId": "freshness_value_id",
    "SecOCFreshnessValueLength": "freshness_value_length",
    "SecOCFreshnessValueTruncLength": "freshness_value_trunc_length",
    "SecOCAuthInfoTruncLength": "auth_info_trunc_length",
    "SecOCAuthenticationBuildAttempts": "build_attempts",
    "SecOCAuthenticationVerifyAttempts": "verify_attempts",
    "SecOCKeyId": "key_id",
    "SecOCAuthenticPduLength": "authentic_length",
    "SecOCAcceptanceWindow": "acceptance_window",
    "SecOCFreshnessType": "freshness_type",
    "SecOCTripCounterLength": "trip_counter_length",
    "SecOCResetCounterLength": "reset_counter_length",
    "SecOCMessageCounterLength": "message_counter_length",
    "SecOCResetFlagLength": "reset_flag_length",
    "SecOCTrailerSignals": "trailer_signals",
    "SecOCFreshnessSync": "freshness_sync",
}
"""Attribute -> field of `SecOcTable`."""
