"""`Connection`: one TCP connection of a DoIP entity, its state, timers and unfinished message."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.diag.doip_codec import MessageReader
from simcore.diag.doip_settings import DoipSettings
from simcore.diag.doip_states import ConnectionEvent, ConnectionState, next_state

NEVER_NS = 1 << 63
"""Later than any simulated time."""


@dataclass(frozen=True, slots=True)
class Activation:
    """A routing activation request; kept while it waits for alive checks."""

    tester: int
    activation_type: int
    secret: bytes
    """The bytes of the vehicle manufacturer; empty in the short form."""


class Connection:
    """What the entity keeps of a connection."""

    __slots__ = (
        "_settings",
        "activation",
        "alive_deadline_ns",
        "awaits",
        "inactivity_deadline_ns",
        "reader",
        "state",
        "tester",
        "version",
    )

    def __init__(self, settings: DoipSettings, now_ns: int) -> None:
        self._settings = settings
        self.state = ConnectionState.INITIALIZED
        self.reader = MessageReader(settings.max_message_size)
        self.tester: int | None = None
        """Source address it is registered with."""
        self.version = settings.version
        """What the tester spoke last."""
        self.activation: Activation | None = None
        self.awaits: set[int] = set()
        """Connections whose alive check an activation waits for."""
        self.inactivity_deadline_ns = now_ns + settings.initial_inactivity_ns
        self.alive_deadline_ns = NEVER_NS

    @property
    def is_registered(self) -> bool:
        """Whether it holds one of the entity's sockets for a tester."""
        return self.state in (ConnectionState.CONFIRMING, ConnectionState.ACTIVE)

    @property
    def activation_tester(self) -> int | None:
        """Who asks for the activation that waits."""
        return None if self.activation is None else self.activation.tester

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen on it."""
        return self.state is not ConnectionState.CLOSED

    @property
    def deadline_ns(self) -> int:
        """When its next timer is over."""
        return min(self.inactivity_deadline_ns, self.alive_deadline_ns)

    def happens(self, event: ConnectionEvent, now_ns: int) -> None:
        """Move on; starts and stops the timers that belong to the new state."""
        self.state = next_state(self.state, event)
        if self.state is ConnectionState.CHECKING:
            self.inactivity_deadline_ns = NEVER_NS
        elif self.is_registered:
            self.used(now_ns)
        elif self.state is ConnectionState.CLOSED:
            self.inactivity_deadline_ns = self.alive_deadline_ns = NEVER_NS
            self.awaits.clear()

    def used(self, now_ns: int) -> None:
        """Something was received or sent: the general inactivity timer starts anew."""
        if self.is_registered:
            self.inactivity_deadline_ns = now_ns + self._settings.general_inactivity_ns

    def check_alive(self, now_ns: int) -> bool:
        """Begin an alive check; False where one is under way already."""
        if self.alive_deadline_ns != NEVER_NS:
            return False
        self.alive_deadline_ns = now_ns + self._settings.alive_check_ns
        return True

    def is_alive(self) -> None:
        """The alive check was answered."""
        self.alive_deadline_ns = NEVER_NS
