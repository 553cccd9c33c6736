"""Secure onboard communication of one message: sans-IO sender and receiver. AUTOSAR SecOC.

The authenticator is an AES-CMAC over data id (16 bits), Authentic I-PDU and complete freshness
value, both numbers most significant byte first, the freshness value filled up with zero bits to
whole bytes. A secured frame is Authentic I-PDU, low bits of the freshness value, high bits of the
authenticator, zeros (PRS SecOcProtocol, SWS SecureOnboardCommunication).

What is authentic and new is not therefore right: E2E stays inside. Not here: freshness
(`freshness`, `freshness_multi`), keys (`cmac`), and how an ECU uses it (`simcore.ecu.runtime`).
"""

from __future__ import annotations

from hmac import compare_digest

from simcore.errors import UsageError
from simcore.network.secoc_config import SecOcConfig
from simcore.protection.cmac import Cmac, KeyStore
from simcore.protection.freshness import (
    RxFreshness,
    SingleCounterReceiver,
    SingleCounterSender,
    TxFreshness,
)
from simcore.protection.secoc_status import (
    SecOcOutcome,
    SecOcOverride,
    SecOcReason,
    SecOcResult,
)

DIAGNOSIS_DEPTH = 2
"""How many further values a receiver tries on each side to name the reason of a rejection."""

_SUCCESS = SecOcOutcome.SUCCESS
_NONE = SecOcReason.NONE
_DROP = frozenset({SecOcOverride.DROP_UNTIL_NOTICE, SecOcOverride.DROP_UNTIL_LIMIT})
_SKIP = frozenset({SecOcOverride.SKIP_UNTIL_NOTICE, SecOcOverride.SKIP_UNTIL_LIMIT})
_LIMITED = frozenset(
    {
        SecOcOverride.DROP_UNTIL_LIMIT,
        SecOcOverride.SKIP_UNTIL_LIMIT,
        SecOcOverride.PASS_UNTIL_LIMIT,
    }
)


class _Frame:
    """How one message's frames are put together and taken apart."""

    __slots__ = (
        "_fill",
        "_fresh_bytes",
        "_mac_bits",
        "_pad_bits",
        "_prefix",
        "authentic_length",
        "fresh_mask",
        "length",
        "trailer_length",
    )

    def __init__(self, config: SecOcConfig) -> None:
        length = config.freshness_value_length
        self._prefix = config.data_id.to_bytes(2, "big")
        self._fresh_bytes = (length + 7) // 8
        self._fill = -length % 8
        self._mac_bits = config.auth_info_trunc_length
        self.fresh_mask = (1 << config.freshness_value_trunc_length) - 1
        self.authentic_length = config.authentic_length
        self.length = config.secured_length
        self.trailer_length = self.length - self.authentic_length
        used = config.freshness_value_trunc_length + self._mac_bits
        self._pad_bits = 8 * self.trailer_length - used

    def tag(self, cmac: Cmac, data: bytes, value: int) -> int:
        """The truncated authenticator of an Authentic I-PDU with a complete freshness value."""
        fresh = (value << self._fill).to_bytes(self._fresh_bytes, "big")
        return cmac.truncated(self._prefix + data + fresh, self._mac_bits)

    def trailer(self, value: int, tag: int) -> bytes:
        """Truncated freshness value, authenticator and zeros."""
        bits = (value & self.fresh_mask) << self._mac_bits | tag
        return (bits << self._pad_bits).to_bytes(self.trailer_length, "big")

    def split(self, data: bytes) -> tuple[int, int, int]:
        """Truncated freshness value, authenticator and padding of a frame."""
        bits = int.from_bytes(data[self.authentic_length :], "big")
        padding = bits & ((1 << self._pad_bits) - 1)
        bits >>= self._pad_bits
        return bits >> self._mac_bits, bits & ((1 << self._mac_bits) - 1), padding

    def same(self, tag: int, other: int) -> bool:
        length = (self._mac_bits + 7) // 8
        return compare_digest(tag.to_bytes(length, "big"), other.to_bytes(length, "big"))


class SecOcSender:
    """Secures consecutive frames of one message.

    `outcome` and `reason` say what became of the last one. Without a key or a freshness value
    nothing is sent; the attempt after the last of SecOCAuthenticationBuildAttempts in a row is an
    AUTHENTICATIONBUILDFAILURE, those before leave the outcome FRESHNESSFAILURE.
    """

    __slots__ = (
        "_frame",
        "_freshness",
        "_keys",
        "attempts",
        "config",
        "failures",
        "outcome",
        "reason",
    )

    def __init__(
        self, config: SecOcConfig, keys: KeyStore, freshness: TxFreshness | None = None
    ) -> None:
        _require_freshness(config, freshness)
        self.config = config
        self._keys = keys
        self._freshness = freshness
        self._frame = _Frame(config)
        self.attempts = 0
        """Attempts in vain in a row."""
        self.failures = 0
        """Frames that could not be secured."""
        self.outcome = _SUCCESS
        self.reason = _NONE

    def secure(self, data: bytes) -> bytes | None:
        """The secured frame of an Authentic I-PDU, or `None` for nothing to send.

        Raises `UsageError` for another length than configured.
        """
        frame = self._frame
        if len(data) != frame.authentic_length:
            raise UsageError(
                f"SecOC, data id 0x{self.config.data_id:04X}: secure",
                expected=f"{frame.authentic_length} bytes",
                got=len(data),
            )
        cmac = self._keys.cmac(self.config.key_id)
        if cmac is None:
            self._failed(SecOcReason.KEY_SLOT_EMPTY)
            return None
        value = 0 if self._freshness is None else self._freshness.take()
        if isinstance(value, SecOcReason):
            self._failed(value)
            return None
        self.attempts = 0
        self.outcome, self.reason = _SUCCESS, _NONE
        return data + frame.trailer(value, frame.tag(cmac, data, value))

    def _failed(self, reason: SecOcReason) -> None:
        self.failures += 1
        self.attempts += 1
        self.reason = reason
        self.outcome = SecOcOutcome.FRESHNESSFAILURE
        if reason is SecOcReason.KEY_SLOT_EMPTY or self.attempts >= self.config.build_attempts:
            self.outcome = SecOcOutcome.AUTHENTICATIONBUILDFAILURE


class SecOcReceiver:
    """Verifies consecutive frames of one message.

    A freshness value is stored only after its authenticator matched. Frames that do not verify are
    looked at once more, with values that are not acceptable, only to name the reason; `depth` says
    how many on each side, 0 leaves it out. A frame is never accepted by that.
    """

    __slots__ = (
        "_depth",
        "_frame",
        "_freshness",
        "_keys",
        "_override",
        "_override_left",
        "accepted",
        "config",
        "consecutive_failures",
        "reasons",
        "rejected",
    )

    def __init__(
        self,
        config: SecOcConfig,
        keys: KeyStore,
        freshness: RxFreshness | None = None,
        *,
        depth: int = DIAGNOSIS_DEPTH,
    ) -> None:
        _require_freshness(config, freshness)
        self.config = config
        self._keys = keys
        self._freshness = freshness
        self._frame = _Frame(config)
        self._depth = depth
        self._override = SecOcOverride.CANCEL
        self._override_left = 0
        self.accepted = 0
        """Frames verified with success."""
        self.rejected = 0
        """Frames that did not verify, those that an override let pass included."""
        self.consecutive_failures = 0
        self.reasons: dict[SecOcReason, int] = {}
        """Frames rejected or not verified, by reason."""

    def override(self, mode: SecOcOverride, count: int = 0) -> None:
        """Override the verification: until notice, or for the next `count` frames.

        Raises `UsageError` for a limited mode without a count.
        """
        if mode in _LIMITED and (isinstance(count, bool) or count < 1):
            raise UsageError(f"SecOC override {mode.name}", expected="a count >= 1", got=count)
        self._override = mode
        self._override_left = count

    def verify(self, data: bytes, now_ns: int = 0) -> SecOcResult:
        """What one received payload is worth. Any length and content is legal input.

        The outcome does not depend on the time.
        """
        mode = self._override
        if mode is not SecOcOverride.CANCEL:
            return self._overridden(mode, data)
        return self._counted(self._verified(data))

    def _counted(self, result: SecOcResult) -> SecOcResult:
        if result.outcome is _SUCCESS:
            self.accepted += 1
            self.consecutive_failures = 0
        else:
            self.rejected += 1
            self.consecutive_failures += 1
            self.reasons[result.reason] = self.reasons.get(result.reason, 0) + 1
        return result

    def _overridden(self, mode: SecOcOverride, data: bytes) -> SecOcResult:
        if mode in _LIMITED:
            self._override_left -= 1
            if self._override_left == 0:
                self._override = SecOcOverride.CANCEL
        authentic = data[: self._frame.authentic_length]
        if mode in _DROP or mode in _SKIP:
            # A frame too short to hold an Authentic I-PDU cannot be passed on by any mode.
            passes = mode in _SKIP and len(authentic) == self._frame.authentic_length
            reason = SecOcReason.OVERRIDDEN
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            return SecOcResult(SecOcOutcome.NO_VERIFICATION, reason, authentic if passes else None)
        result = self._counted(self._verified(data))
        if result.outcome is _SUCCESS or len(authentic) != self._frame.authentic_length:
            return result
        overwritten = SecOcOutcome.VERIFICATIONFAILURE_OVERWRITTEN
        return SecOcResult(overwritten, result.reason, authentic)

    def _verified(self, data: bytes) -> SecOcResult:
        frame = self._frame
        length = len(data)
        if length != frame.length:
            reason = SecOcReason.TOO_SHORT if length < frame.length else SecOcReason.TOO_LONG
            return SecOcResult(SecOcOutcome.VERIFICATIONFAILURE, reason, None)
        cmac = self._keys.cmac(self.config.key_id)
        if cmac is None:
            empty = SecOcReason.KEY_SLOT_EMPTY
            return SecOcResult(SecOcOutcome.AUTHENTICATIONBUILDFAILURE, empty, None)
        low, tag, padding = frame.split(data)
        if padding:
            return SecOcResult(SecOcOutcome.VERIFICATIONFAILURE, SecOcReason.PADDING, None)
        authentic = data[: frame.authentic_length]
        freshness = self._freshness
        if freshness is None:
            if frame.same(tag, frame.tag(cmac, authentic, 0)):
                return SecOcResult(_SUCCESS, _NONE, authentic)
            mismatch = SecOcReason.MAC_MISMATCH
            return SecOcResult(SecOcOutcome.VERIFICATIONFAILURE, mismatch, None)
        guesses = freshness.guesses(low)
        if isinstance(guesses, SecOcReason):
            reason = self._diagnosis(cmac, authentic, low, tag, guesses)
            return SecOcResult(SecOcOutcome.FRESHNESSFAILURE, reason, None)
        for value in guesses:
            if frame.same(tag, frame.tag(cmac, authentic, value)):
                freshness.commit(value)
                return SecOcResult(_SUCCESS, _NONE, authentic)
        reason = self._diagnosis(cmac, authentic, low, tag, SecOcReason.MAC_MISMATCH)
        return SecOcResult(SecOcOutcome.VERIFICATIONFAILURE, reason, None)

    def _diagnosis(
        self, cmac: Cmac, authentic: bytes, low: int, tag: int, otherwise: SecOcReason
    ) -> SecOcReason:
        """The reason, if the authenticator is right for a value that is not acceptable."""
        if self._depth and self._freshness is not None:
            frame = self._frame
            for value, reason in self._freshness.refused(low, self._depth):
                if frame.same(tag, frame.tag(cmac, authentic, value)):
                    return reason
        return otherwise


def secoc_sender(
    config: SecOcConfig, keys: KeyStore, freshness: TxFreshness | None = None
) -> SecOcSender:
    """A sender; where no freshness is given, one of a single counter that begins at 1.

    Raises `UsageError` for a configuration of several counters without its freshness.
    """
    if freshness is None and config.freshness_value_length and config.multi_counter is None:
        freshness = SingleCounterSender(config.freshness_value_length)
    return SecOcSender(config, keys, freshness)


def secoc_receiver(
    config: SecOcConfig,
    keys: KeyStore,
    freshness: RxFreshness | None = None,
    *,
    depth: int = DIAGNOSIS_DEPTH,
) -> SecOcReceiver:
    """A receiver; where no freshness is given, one of a single counter that has seen nothing.

    Raises `UsageError` for a configuration of several counters without its freshness.
    """
    if freshness is None and config.freshness_value_length and config.multi_counter is None:
        freshness = single_counter_receiver(config)
    return SecOcReceiver(config, keys, freshness, depth=depth)


def single_counter_receiver(config: SecOcConfig, *, last: int = 0) -> SingleCounterReceiver:
    """The freshness of a receiver with one counter, as configured."""
    return SingleCounterReceiver(
        config.freshness_value_length,
        config.freshness_value_trunc_length,
        attempts=config.verify_attempts,
        window=config.acceptance_window,
        last=last,
    )


def _require_freshness(config: SecOcConfig, freshness: object) -> None:
    if (freshness is None) is not (config.freshness_value_length == 0):
        raise UsageError(
            f"SecOC, data id 0x{config.data_id:04X}: freshness",
            expected="none, for its length is 0"
            if config.freshness_value_length == 0
            else f"one, for its length is {config.freshness_value_length}",
            got="one" if freshness is not None else "none",
        )
