"""Freshness of several counters in an ECU: who is master, who is slave, and the sync message.

The sender of the network's freshness sync message is the freshness master: its trip counter, kept
in non-volatile memory, moves on at every start, its reset counter with every sync message it sends.
Every other ECU with secured messages of several counters is a slave and hears the sync message,
whether the database names it as a receiver or not. Before the first sync a slave neither sends nor
accepts such messages. The counters themselves are in `protection.freshness_multi`.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.secoc_config import SyncConfig
from simcore.protection.cmac import KeyStore
from simcore.protection.freshness_multi import (
    FreshnessMaster,
    FreshnessSlave,
    SyncReceiver,
    SyncSender,
    TripAndReset,
)
from simcore.protection.secoc_status import SecOcOutcome, SecOcReason


class FreshnessSource:
    """Trip and reset counter as one ECU knows them; made anew at every start."""

    __slots__ = ("_database", "_known", "_name", "port", "sync")

    def __init__(self, name: str, database: Database, port: Port) -> None:
        self._name = name
        self._database = database
        self.port = port
        self._known: FreshnessMaster | FreshnessSlave | None = None
        self.sync: Message | None = None
        """The sync message, once the counters are needed."""

    def counts_for(self, message: Message) -> TripAndReset:
        """What the freshness of a message is built on. Raises `UsageError` without a sync."""
        return self._counters(message)

    def master_for(self, sync: Message) -> FreshnessMaster:
        """The master, to send `sync`. Raises `UsageError` in any ECU but its sender."""
        found = self._counters(sync)
        if isinstance(found, FreshnessMaster):
            return found
        raise UsageError(
            f"{self._name}: freshness sync {sync.label}",
            expected=f"its sender ({', '.join(sync.senders) or 'none'})",
            got=self._name,
        )

    def reception(self, sync: Message) -> SyncReception:
        """The reception of a sync message, for a slave; for a master one that adopts nothing."""
        found = self._counters(sync)
        slave = (
            found if isinstance(found, FreshnessSlave) else FreshnessSlave(_config_of(sync).layout)
        )
        return SyncReception(sync, self.port, slave)

    @property
    def awaited(self) -> Message | None:
        """The sync message, where the ECU is a slave with messages that need it."""
        return self.sync if isinstance(self._known, FreshnessSlave) else None

    def _counters(self, message: Message) -> FreshnessMaster | FreshnessSlave:
        if self._known is None:
            sync = sync_message_of(self._database, message)
            if sync is None:
                raise UsageError(
                    f"message {message.label}: SecOC freshness of several counters",
                    expected="a freshness sync message in the network",
                    got="none",
                )
            self.sync = sync
            memory, layout = self.port.memory, _config_of(sync).layout
            if self._name in sync.senders:
                self._known = FreshnessMaster(layout, memory)
            else:
                self._known = FreshnessSlave(layout, memory)
        return self._known


class SyncTransmission(Transmission):
    """The freshness sync message as the master sends it: a new reset cycle with every frame."""

    __slots__ = ("_failed", "_has_begun", "_master", "_parts")

    def __init__(
        self, message: Message, port: Port, pack: Callable[[int], bytes], source: FreshnessSource
    ) -> None:
        super().__init__(message, port, pack)
        self._master = source.master_for(message)
        config = _config_of(message)
        self._parts = SyncSender(
            config.layout,
            KeyStore.of_memory(port.memory),
            data_id=config.data_id,
            key_id=config.key_id,
            mac_length=config.mac_length,
        )
        self._has_begun = False
        self._failed = False

    def transmit(self, now_ns: int) -> None:
        """Begin the next reset cycle and tell it; the first frame tells the one of the start."""
        if self._has_begun:
            self._master.next_reset()
        self._has_begun = True
        data = self._parts.build(*self._master.counts)
        if data is not None:
            self._port.send(self._template.with_data(data), self.channel)
        elif not self._failed:
            self._failed = True
            reason = SecOcReason.KEY_SLOT_EMPTY.value
            self._port.log("detection", f"{self.message.name} not sent: SecOC, {reason}")


class SyncReception(Reception):
    """The freshness sync message as a slave receives it."""

    __slots__ = ("_port", "_receiver", "reasons")

    def __init__(self, message: Message, port: Port, slave: FreshnessSlave) -> None:
        super().__init__(message)
        config = _config_of(message)
        self._port = port
        self._receiver = SyncReceiver(
            config.layout,
            KeyStore.of_memory(port.memory),
            slave,
            data_id=config.data_id,
            key_id=config.key_id,
            mac_length=config.mac_length,
        )
        self.reasons: dict[SecOcReason, int] = {}
        """Frames rejected by reason."""

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Adopt what an authentic and newer sync message says; its copy on another bus is none."""
        if lane != self.lane and data == self.data:
            return
        result = self._receiver.receive(data)
        if result.outcome is SecOcOutcome.SUCCESS:
            self.received_ns, self.expected_ns = now_ns, now_ns + self._grace_ns
            self.lane = lane
            self._keep(data, now_ns)
            return
        self.rejected_count += 1
        reason = result.reason
        if reason not in self.reasons:
            text = f"{self.message.name} rejected by SecOC: {reason.value}"
            self._port.log("detection", text)
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def sync_message_of(database: Database, message: Message) -> Message | None:
    """The freshness sync message of the network a message belongs to."""
    for each in database.messages:
        if each.secoc_sync is not None and each.bus == message.bus:
            return each
    return None


def _config_of(message: Message) -> SyncConfig:
    config = message.secoc_sync
    assert config is not None
    return config
