"""Messages under secure onboard communication: what an ECU does around `protection.secoc`.

Sending: pack, E2E, SecOC. Receiving: SecOC, E2E on the authentic part, then as always. A frame that
does not verify ends here: it is counted, and neither data nor E2E state nor any deadline notices
it, as AUTOSAR drops such a PDU (SEC-001). Messages without SecOC never come through this module.

Keys are the slots in the ECU's non-volatile memory. Freshness is a single counter per message,
kept there too, so that a reset of sender or receiver needs no sync message: a sender reserves
counts in blocks and goes on behind the block that was begun; a receiver keeps the last value it
accepted. Freshness of several counters needs a master in the network and is not built in here.

On two buses each bus has a freshness of its own, for the copy of a frame is no replay of it. None
lags more than `LANE_SKEW` behind the newest one: what a bus missed cannot be replayed there later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.redundancy import LaneWatch, RedundantReception
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.network import Message
from simcore.network.secoc_config import SecOcConfig
from simcore.protection.cmac import KeyStore
from simcore.protection.e2e_factory import e2e_receiver, e2e_sender
from simcore.protection.e2e_status import E2eStatus
from simcore.protection.freshness import SingleCounterSender, load_value, store_value
from simcore.protection.secoc import SecOcReceiver, secoc_sender, single_counter_receiver
from simcore.protection.secoc_status import SecOcOutcome, SecOcReason

if TYPE_CHECKING:
    from simcore.protection.e2e_receiver import E2eReceiver

LANE_SKEW = 8
"""Frames by which one bus may be behind the other: a few frames waiting in a controller."""
BLOCK = 256
"""Counts a sender reserves at once; after a reset it skips what is left of them."""


def transmission_of(message: Message, port: Port, pack: Callable[[int], bytes]) -> Transmission:
    """The transmission of a message, secured where the database says so."""
    kind = Transmission if message.secoc is None else SecuredTransmission
    return kind(message, port, pack)


def reception_of(message: Message, port: Port, lanes: LaneWatch | None) -> Reception:
    """The reception of a message: on one bus or both, secured where the database says so."""
    if lanes is not None and message.is_redundant:
        if message.secoc is None:
            return lanes.receives(message)
        reception = SecuredRedundantReception(message, lanes, port)
        lanes.watches(reception)
        return reception
    return Reception(message) if message.secoc is None else SecuredReception(message, port)


class SecuredTransmission(Transmission):
    """A message as one ECU sends it: packed, E2E-protected, secured, handed to the controller.

    What cannot be secured is not sent.
    """

    __slots__ = ("_authentic_length", "_failed", "_freshness", "_reserved", "_secoc")

    def __init__(self, message: Message, port: Port, pack: Callable[[int], bytes]) -> None:
        super().__init__(message, port, pack)
        config = _config_of(message)
        if message.e2e is not None:
            sender: Any = e2e_sender(message.e2e, config.authentic_length)
            self._sender = sender
        self._authentic_length = config.authentic_length
        self._freshness: SingleCounterSender | None = None
        self._reserved = 0
        if config.freshness_value_length:
            value = load_value(port.memory, config.freshness_value_id)
            self._freshness = SingleCounterSender(config.freshness_value_length, value=value)
            self._reserved = value
        self._secoc = secoc_sender(config, KeyStore.of_memory(port.memory), self._freshness)
        self._failed = False

    def transmit(self, now_ns: int) -> None:
        """Pack the current values and request transmission."""
        data = self._pack(now_ns)[: self._authentic_length]
        sender = self._sender
        if sender is not None:
            data = sender.protect(data)
        freshness = self._freshness
        if freshness is not None and freshness.value >= self._reserved:
            self._reserve(freshness)
        secured = self._secoc.secure(data)
        if secured is not None:
            self._port.send(self._template.with_data(secured), self.channel)
        elif not self._failed:
            self._failed = True
            reason = self._secoc.reason.value
            self._port.log("detection", f"{self.message.name} not sent: SecOC, {reason}")

    def _reserve(self, freshness: SingleCounterSender) -> None:
        """Note in memory that the next counts are used, before the first of them is."""
        config = self._secoc.config
        block = min(BLOCK, 1 << config.freshness_value_trunc_length - 1)
        end = (1 << config.freshness_value_length) - 1
        self._reserved = min(end, freshness.value + block)
        store_value(self._port.memory, config.freshness_value_id, self._reserved)


class FrameGuard:
    """Verifies the frames of one message, bus by bus."""

    __slots__ = ("_fresh", "_message", "_newest", "_port", "_seen", "receivers")

    def __init__(self, message: Message, port: Port) -> None:
        config = _config_of(message)
        self._message = message
        self._port = port
        keys = KeyStore.of_memory(port.memory)
        self._newest = load_value(port.memory, config.freshness_value_id)
        self._fresh = [
            single_counter_receiver(config, last=self._newest)
            for _ in (port.channels if config.freshness_value_length else ())
        ]
        self._seen: set[SecOcReason] = set()
        self.receivers = [
            SecOcReceiver(config, keys, self._fresh[lane] if self._fresh else None)
            for lane in range(len(port.channels))
        ]
        """One per bus, with its counts of frames rejected by reason."""

    def passes(self, data: bytes, now_ns: int, lane: int) -> bool:
        """Whether a payload may go on to the E2E check."""
        receiver = self.receivers[lane]
        if not self._fresh:
            result = receiver.verify(data, now_ns)
        else:
            fresh = self._fresh[lane]
            if fresh.last < self._newest - LANE_SKEW:
                fresh.last = self._newest - LANE_SKEW
            result = receiver.verify(data, now_ns)
            if fresh.last > self._newest:
                self._newest = fresh.last
                store_value(self._port.memory, receiver.config.freshness_value_id, fresh.last)
        if result.outcome is not SecOcOutcome.SUCCESS and result.reason not in self._seen:
            self._seen.add(result.reason)
            self._port.log(
                "detection",
                f"{self._message.name} on {self._port.channels[lane]} rejected by SecOC: "
                f"{result.reason.value}",
            )
        return result.data is not None

    @property
    def rejected(self) -> int:
        """Frames rejected, on all buses."""
        total = 0
        for receiver in self.receivers:
            total += receiver.rejected
        return total

    @property
    def reasons(self) -> dict[SecOcReason, int]:
        """Frames rejected by reason, on all buses."""
        total: dict[SecOcReason, int] = {}
        for receiver in self.receivers:
            for reason, count in receiver.reasons.items():
                total[reason] = total.get(reason, 0) + count
        return total


class SecuredReception(Reception):
    """A message as one ECU receives it, on one bus; `guard` verifies it first."""

    __slots__ = ("guard",)

    def __init__(self, message: Message, port: Port) -> None:
        super().__init__(message)
        self.guard = FrameGuard(message, port)
        _check_authentic_part(self)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Verify and check a payload that just arrived and keep it if it is usable."""
        if self.guard.passes(data, now_ns, lane):
            Reception.receive(self, data, now_ns, lane)
        else:
            self.rejected_count += 1


class SecuredRedundantReception(RedundantReception):
    """A message as an ECU on both buses receives it; `guard` verifies each copy first."""

    __slots__ = ("guard",)

    def __init__(self, message: Message, watch: LaneWatch, port: Port) -> None:
        super().__init__(message, watch)
        self.guard = FrameGuard(message, port)
        _check_authentic_part(self)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Verify a payload that just arrived; what passes is checked as ever."""
        if self.guard.passes(data, now_ns, lane):
            RedundantReception.receive(self, data, now_ns, lane)
        else:
            self.rejected_count += 1


class AuthenticPart:
    """The E2E check of a secured message: it looks at the Authentic I-PDU only."""

    __slots__ = ("_checker", "_length")

    def __init__(self, checker: E2eReceiver, length: int) -> None:
        self._checker = checker
        self._length = length

    def check(self, data: bytes) -> E2eStatus:
        """Status of one verified payload."""
        return self._checker.check(data[: self._length])

    @property
    def counter(self) -> int:
        """Counter of the last frame."""
        return self._checker.counter


def _check_authentic_part(reception: Reception) -> None:
    message = reception.message
    if message.e2e is not None:
        length = _config_of(message).authentic_length
        checker: Any = AuthenticPart(e2e_receiver(message.e2e, length), length)
        reception._checker = checker


def _config_of(message: Message) -> SecOcConfig:
    config = message.secoc
    if config is None or config.multi_counter is not None:
        raise UsageError(
            f"message {message.label}: SecOC in an ECU",
            expected="settings with a single counter, or without freshness",
            got="none" if config is None else "several counters, which need a freshness master",
        )
    return config
