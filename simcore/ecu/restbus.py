"""`RestbusNode`: a node that only sends its cyclic messages, as the database describes them.

Stands in for every ECU that is not simulated, so that the bus carries its full load. Counters and
checksums are right. Lives here and not in `network/` because protection comes after the network in
the order of rooms.
"""

from __future__ import annotations

from simcore.ecu.runtime import Ecu
from simcore.errors import UsageError
from simcore.network import Database, Payload
from simcore.network.messages import Number


class RestbusNode(Ecu):
    """Sends all cyclic messages of node `name`; values start at the database's start values."""

    __slots__ = ("payloads",)

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name, database)
        self.payloads = {
            message.name: Payload(message)
            for message in database.sent_by(name)
            if message.cycle_time_ns is not None
        }

    def configure(self, now_ns: int) -> None:
        for name, payload in self.payloads.items():
            self.sends(name, payload.pack)

    def set(self, message: str, **values: Number | str) -> None:
        """Set signals of one message by name; sent from its next cycle on."""
        payload = self.payloads.get(message)
        if payload is None:
            raise UsageError(
                f"restbus of {self.name}",
                expected=f"one of its cyclic messages ({', '.join(self.payloads) or 'none'})",
                got=message,
            )
        payload.set(**values)
