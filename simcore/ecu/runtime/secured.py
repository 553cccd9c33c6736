"""Messages under secure onboard communication: what an ECU does around `protection.secoc`.

Sending: pack, E2E, SecOC. Receiving: SecOC, E2E on the authentic part, then as always. A frame that
does not verify ends here: it is counted, and neither data nor E2E state nor any deadline notices
it, as AUTOSAR drops such a PDU (SEC-001). Messages without SecOC never come through this module.

Keys are the slots in the ECU's non-volatile memory. The freshness of a single counter is kept there
too, so that a reset of sender or receiver needs no sync message: a sender reserves counts in blocks
and goes on behind the block that was begun; a receiver keeps the last value it accepted. Several
counters rest on the sync message of the network's master, see `freshness_source`.

On two buses each bus has a freshness of its own, for the copy of a frame is no replay of it. None
lags more than `LANE_SKEW` frames behind the newest: what a bus missed cannot be replayed there.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.ecu.runtime.communication import Checker, Reception, Transmission, checker_of
from simcore.ecu.runtime.freshness_source import FreshnessSource, SyncTransmission
from simcore.ecu.runtime.redundancy import LaneWatch, RedundantReception
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.network import Message
from simcore.network.secoc_config import SecOcConfig
from simcore.protection.cmac import KeyStore
from simcore.protection.e2e_factory import e2e_sender
from simcore.protection.e2e_status import E2eStatus
from simcore.protection.freshness import (
    SingleCounterSender,
    TxFreshness,
    load_value,
    store_value,
)
from simcore.protection.freshness_multi import (
    MultiCounterReceiver,
    MultiCounterSender,
    TripAndReset,
)
from simcore.protection.secoc import SecOcReceiver, secoc_sender, single_counter_receiver
from simcore.protection.secoc_status import SecOcOutcome, SecOcReason

LANE_SKEW = 8
"""Frames by which one bus may be behind the other: a few frames waiting in a controller."""
BLOCK = 256
"""Counts a sender reserves at once; after a reset it skips what is left of them."""


def transmission_of(
    message: Message,
    port: Port,
    pack: Callable[[int], bytes],
    source: FreshnessSource | None = None,
) -> Transmission:
    """The transmission of a message, secured where the database says so.

    `source` is what the ECU knows of trip and reset counter; messages of several counters need it.
    """
    if message.secoc_sync is not None:
        return SyncTransmission(message, port, pack, _required(message, source))
    if message.secoc is None:
        return Transmission(message, port, pack)
    return SecuredTransmission(message, port, pack, source)


def reception_of(
    message: Message,
    port: Port,
    lanes: LaneWatch | None,
    source: FreshnessSource | None = None,
    without: frozenset[str] = frozenset(),
) -> Reception:
    """The reception of a message: on one bus or both, secured where the database says so.

    `without` names mechanisms that are left out, see `simcore.ecu.mechanisms`.
    """
    if message.secoc_sync is not None:
        return _required(message, source).reception(message)
    if lanes is not None and message.is_redundant:
        if message.secoc is None:
            return lanes.receives(message, without)
        reception = SecuredRedundantReception(message, lanes, port, source, without)
        lanes.watches(reception)
        return reception
    if message.secoc is None:
        return Reception(message, without)
    return SecuredReception(message, port, source, without)


class SecuredTransmission(Transmission):
    """A message as one ECU sends it: packed, E2E-protected, secured, handed to the controller.

    What cannot be secured is not sent.
    """

    __slots__ = ("_authentic_length", "_failed", "_freshness", "_reserved", "_secoc")

    def __init__(
        self,
        message: Message,
        port: Port,
        pack: Callable[[int], bytes],
        source: FreshnessSource | None = None,
    ) -> None:
        super().__init__(message, port, pack)
        config = _config_of(message)
        if message.e2e is not None:
            self._sender = e2e_sender(message.e2e, config.authentic_length)
        self._authentic_length = config.authentic_length
        self._freshness: SingleCounterSender | None = None
        self._reserved = 0
        freshness: TxFreshness | None = None
        if config.multi_counter is not None:
            counts = _required(message, source).counts_for(message)
            freshness = MultiCounterSender(config.multi_counter, counts)
        elif config.freshness_value_length:
            value = load_value(port.memory, message.name)
            freshness = SingleCounterSender(config.freshness_value_length, value=value)
            self._freshness = freshness
            self._reserved = value
        self._secoc = secoc_sender(config, KeyStore.of_memory(port.memory), freshness)
        self._failed: set[SecOcReason] = set()

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
            return
        reason = self._secoc.reason
        if reason not in self._failed:
            self._failed.add(reason)
            self._port.log("detection", f"{self.message.name} not sent: SecOC, {reason.value}")

    def _reserve(self, freshness: SingleCounterSender) -> None:
        """Note in memory that the next counts are used, before the first of them is."""
        config = self._secoc.config
        block = min(BLOCK, 1 << config.freshness_value_trunc_length - 1)
        end = (1 << config.freshness_value_length) - 1
        self._reserved = min(end, freshness.value + block)
        store_value(self._port.memory, self.message.name, self._reserved)


class _SingleLanes:
    """The freshness of a single counter on every bus; the newest value is kept in memory."""

    __slots__ = ("_memory", "_name", "_newest", "freshness")

    def __init__(self, message: Message, config: SecOcConfig, port: Port) -> None:
        self._memory = port.memory
        self._name = message.name
        self._newest = load_value(port.memory, message.name)
        self.freshness = [single_counter_receiver(config, last=self._newest) for _ in port.channels]

    def before(self, lane: int) -> None:
        """A frame is about to be verified."""
        fresh = self.freshness[lane]
        if fresh.last < self._newest - LANE_SKEW:
            fresh.last = self._newest - LANE_SKEW

    def after(self, lane: int) -> None:
        """It was."""
        last = self.freshness[lane].last
        if last > self._newest:
            self._newest = last
            store_value(self._memory, self._name, last)


class _MultiLanes:
    """The freshness of several counters on every bus; `source` knows trip and reset counter."""

    __slots__ = ("_recent", "_source", "freshness")

    def __init__(self, config: SecOcConfig, port: Port, source: TripAndReset) -> None:
        layout = config.multi_counter
        assert layout is not None
        self._source = source
        self._recent = [(0, 0, 0)]
        """The newest values accepted on any bus, in order; a bus is never behind the first."""
        self.freshness = [
            MultiCounterReceiver(
                layout,
                config.freshness_value_trunc_length,
                source,
                attempts=config.verify_attempts,
            )
            for _ in port.channels
        ]

    def before(self, lane: int) -> None:
        """A frame is about to be verified."""
        fresh, first = self.freshness[lane], self._recent[0]
        if self._age(fresh.last) < self._age(first):
            fresh.last = first

    def after(self, lane: int) -> None:
        """It was."""
        last, recent = self.freshness[lane].last, self._recent
        if last not in recent:
            recent.append(last)
            recent.sort(key=self._age)
            del recent[: -LANE_SKEW - 1]

    def _age(self, value: tuple[int, int, int]) -> tuple[bool, tuple[int, int, int]]:
        """Greater for newer; a trip counter that began anew is newer than all before it."""
        counts = self._source.counts
        return counts is not None and value[0] == counts[0], value


class FrameGuard:
    """Verifies the frames of one message, bus by bus."""

    __slots__ = ("_lanes", "_message", "_port", "_seen", "receivers")

    def __init__(self, message: Message, port: Port, source: FreshnessSource | None = None) -> None:
        config = _config_of(message)
        self._message = message
        self._port = port
        self._seen: set[SecOcReason] = set()
        self._lanes: _SingleLanes | _MultiLanes | None = None
        if config.multi_counter is not None:
            counts = _required(message, source).counts_for(message)
            self._lanes = _MultiLanes(config, port, counts)
        elif config.freshness_value_length:
            self._lanes = _SingleLanes(message, config, port)
        keys, lanes = KeyStore.of_memory(port.memory), self._lanes
        self.receivers = [
            SecOcReceiver(config, keys, None if lanes is None else lanes.freshness[lane])
            for lane in range(len(port.channels))
        ]
        """One per bus, with its counts of frames rejected by reason."""

    def passes(self, data: bytes, now_ns: int, lane: int) -> bool:
        """Whether a payload may go on to the E2E check."""
        lanes = self._lanes
        if lanes is None:
            result = self.receivers[lane].verify(data, now_ns)
        else:
            lanes.before(lane)
            result = self.receivers[lane].verify(data, now_ns)
            lanes.after(lane)
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

    def __init__(
        self,
        message: Message,
        port: Port,
        source: FreshnessSource | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(message, without)
        self.guard = FrameGuard(message, port, source)
        _check_authentic_part(self, without)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Verify and check a payload that just arrived and keep it if it is usable."""
        if self.guard.passes(data, now_ns, lane):
            Reception.receive(self, data, now_ns, lane)
        else:
            self.rejected_count += 1


class SecuredRedundantReception(RedundantReception):
    """A message as an ECU on both buses receives it; `guard` verifies each copy first."""

    __slots__ = ("guard",)

    def __init__(
        self,
        message: Message,
        watch: LaneWatch,
        port: Port,
        source: FreshnessSource | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(message, watch, without)
        self.guard = FrameGuard(message, port, source)
        _check_authentic_part(self, without)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Verify a payload that just arrived; what passes is checked as ever."""
        if self.guard.passes(data, now_ns, lane):
            RedundantReception.receive(self, data, now_ns, lane)
        else:
            self.rejected_count += 1


class AuthenticPart:
    """The E2E check of a secured message: it looks at the Authentic I-PDU only."""

    __slots__ = ("_checker", "_length")

    def __init__(self, checker: Checker, length: int) -> None:
        self._checker = checker
        self._length = length

    def check(self, data: bytes) -> E2eStatus:
        """Status of one verified payload."""
        return self._checker.check(data[: self._length])

    def no_new_data(self) -> E2eStatus:
        """Status of a cycle in which nothing arrived that verified."""
        return self._checker.no_new_data()

    @property
    def counter(self) -> int:
        """Counter of the last frame."""
        return self._checker.counter


def _check_authentic_part(reception: Reception, without: frozenset[str]) -> None:
    message = reception.message
    if message.e2e is not None:
        length = _config_of(message).authentic_length
        reception._checker = AuthenticPart(checker_of(message, length, without), length)


def _config_of(message: Message) -> SecOcConfig:
    config = message.secoc
    assert config is not None
    return config


def _required(message: Message, source: FreshnessSource | None) -> FreshnessSource:
    if source is None:
        raise UsageError(
            f"message {message.label}: SecOC freshness of several counters",
            expected="a FreshnessSource, as `Ecu` has one",
            got="none",
        )
    return source
