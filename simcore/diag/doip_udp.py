"""`UdpSide` of a DoIP entity: who is there, and in what condition.

Announcements and identification responses wait a random time, so that the entities of a large
network do not all talk at once. ISO 13400-2:2019, clause 8.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable

from simcore.diag.doip_codec import (
    PayloadType,
    PowerMode,
    Received,
    Refused,
    answer_version,
    encode,
    read_datagram,
)
from simcore.diag.doip_output import Datagram
from simcore.diag.doip_settings import DoipSettings
from simcore.kernel import RandomStream

_T = PayloadType
_ANNOUNCEMENT = struct.Struct(">17sH6s6sBB")
_STATUS = struct.Struct(">BBBI")
NO_FURTHER_ACTION = 0x00
SYNCHRONIZED = 0x00
"""VIN and group identification are the same in all entities."""
PENDING_LIMIT = 64
"""More identification responses than this do not wait at a time."""


class UdpSide:
    """Answers datagrams and announces the entity."""

    __slots__ = (
        "_announcements_left",
        "_next_announcement_ns",
        "_pending",
        "_settings",
        "_stream",
        "dropped_count",
        "power_mode",
    )

    def __init__(self, settings: DoipSettings, stream: RandomStream) -> None:
        self._settings = settings
        self._stream = stream
        self.power_mode = PowerMode.READY
        self.dropped_count = 0
        """Identification requests beyond what may wait for its answer."""
        self._announcements_left = 0
        self._next_announcement_ns = 0
        self._pending: list[tuple[int, Datagram]] = []
        """Identification responses with the time they are due."""

    def start(self, now_ns: int) -> None:
        """The link is up: announce."""
        self._announcements_left = self._settings.announce_count
        self._next_announcement_ns = now_ns + self._wait_ns()
        self._pending.clear()

    def stop(self) -> None:
        """The link is down."""
        self._announcements_left = 0
        self._pending.clear()

    def receive(
        self, data: bytes, sender: Hashable, open_sockets: int, now_ns: int
    ) -> tuple[Datagram, ...]:
        """Answer a datagram, now or later."""
        settings = self._settings
        message = read_datagram(data, max_payload=settings.max_message_size)
        if message is None:
            return ()
        version = answer_version(message.version, settings.version)
        if isinstance(message, Refused):
            nack = encode(_T.HEADER_NACK, bytes((message.code,)), version=version)
            return (Datagram(nack, sender),)
        if message.payload_type is _T.ENTITY_STATUS_REQUEST:
            status = _STATUS.pack(
                0 if settings.is_gateway else 1,
                settings.max_sockets,
                open_sockets,
                settings.max_message_size,
            )
            return (Datagram(encode(_T.ENTITY_STATUS_RESPONSE, status, version=version), sender),)
        if message.payload_type is _T.POWER_MODE_REQUEST:
            mode = bytes((self.power_mode,))
            return (Datagram(encode(_T.POWER_MODE_RESPONSE, mode, version=version), sender),)
        if self._is_meant(message):
            self._identify_later(Datagram(self._announcement(version), sender), now_ns)
        return ()

    def on_timer(self, now_ns: int) -> tuple[Datagram, ...]:
        """What is due."""
        due = [datagram for due_ns, datagram in self._pending if due_ns <= now_ns]
        if due:
            self._pending = [each for each in self._pending if each[0] > now_ns]
        while self._announcements_left and self._next_announcement_ns <= now_ns:
            self._announcements_left -= 1
            self._next_announcement_ns += self._settings.announce_interval_ns
            due.append(Datagram(self._announcement(self._settings.version), None))
        return tuple(due)

    def next_deadline_ns(self) -> int | None:
        """When something is due."""
        times_ns = [due_ns for due_ns, _ in self._pending]
        if self._announcements_left:
            times_ns.append(self._next_announcement_ns)
        return min(times_ns, default=None)

    def _is_meant(self, message: Received) -> bool:
        wanted = {
            _T.VEHICLE_IDENTIFICATION_REQUEST_EID: self._settings.eid,
            _T.VEHICLE_IDENTIFICATION_REQUEST_VIN: self._settings.vin,
        }.get(message.payload_type)
        return wanted is None or wanted == message.payload

    def _identify_later(self, datagram: Datagram, now_ns: int) -> None:
        if len(self._pending) >= PENDING_LIMIT:
            self.dropped_count += 1
            return
        self._pending.append((now_ns + self._wait_ns(), datagram))

    def _wait_ns(self) -> int:
        return self._stream.integer(0, self._settings.announce_wait_ns)

    def _announcement(self, version: int) -> bytes:
        settings = self._settings
        payload = _ANNOUNCEMENT.pack(
            settings.vin,
            settings.address,
            settings.eid,
            settings.gid,
            NO_FURTHER_ACTION,
            SYNCHRONIZED,
        )
        return encode(_T.VEHICLE_ANNOUNCEMENT, payload, version=version)
