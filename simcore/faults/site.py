"""`Site`: what the rig offers a fault that is no fault of the wire or of a message.

Faults know no rig. They reach nodes, pins and the plant through this, and through nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from simcore.ecu.seam import Node
from simcore.kernel import RandomStream, Scheduler
from simcore.plant.chassis import ChassisPlant
from simcore.update.flash import Flash
from simcore.watchdog.device import WatchdogLine


class PinTransform(Protocol):
    """A sensor that lies: the pin's value out of its true one. A bound method of a plain object."""

    def __call__(self, true_ratio: float, now_ns: int) -> float: ...


WatchdogWrapper: TypeAlias = Callable[[WatchdogLine], WatchdogLine]
"""Makes what software sees out of the watchdog's line; a bound method."""


class NodeControl(Protocol):
    """One node as a fault can treat it."""

    @property
    def name(self) -> str:
        """On the network."""

    @property
    def node(self) -> Node:
        """The module behind the name."""

    @property
    def running(self) -> bool:
        """Whether it has power and has not crashed."""

    @property
    def has_watchdog(self) -> bool:
        """Whether an external watchdog stands beside it."""

    @property
    def flash(self) -> Flash | None:
        """The flash beside it; `None` where there is none."""

    def halt(self) -> object:
        """Take its supply away, and return what `start` wants. Several faults may do so."""

    def start(self, taken: object) -> None:
        """Give it back: the node begins anew, with its non-volatile memory kept.

        It stays off for as long as another fault has taken its supply. Where the script has
        started it meanwhile, nothing happens.
        """

    def holders(self, what: str) -> list[Any]:
        """Faults that hold this quantity of the node, in the order they came; theirs to change.

        The last of them is in force.
        """

    def refresh_timer(self) -> None:
        """Ask the node anew for its deadline and its timer call; they may be others now."""

    def restart_controllers(self) -> None:
        """Switch its CAN controllers off and on: queues empty, error counters 0."""

    def listen_starts(self, listener: Callable[[], object]) -> None:
        """Call a bound method after every start of the node, until `forget_starts`."""

    def forget_starts(self, listener: Callable[[], object]) -> None:
        """No longer."""

    def listen_ticks(self, listener: Callable[[], object]) -> None:
        """Call a bound method after every timer call of the node, until `forget_ticks`."""

    def forget_ticks(self, listener: Callable[[], object]) -> None:
        """No longer."""

    def set_clock_ratio(self, ratio: float) -> None:
        """Let its clock run at this ratio to true time from now on; 1 is right."""

    def interpose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        """Show software its watchdog only through `wrapper`. `UsageError` where there is none."""

    def expose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        """No longer."""


class Site(Protocol):
    """A rig, seen by a fault. Every look-up raises `UsageError` for what the rig has not."""

    @property
    def scheduler(self) -> Scheduler:
        """Virtual time; post bound methods or partials only."""

    @property
    def plant(self) -> ChassisPlant:
        """The physical truth."""

    def node(self, name: str) -> NodeControl:
        """A node by name."""

    def require_input(self, node: str, pin: str) -> None:
        """Refuse an input pin that is not there."""

    def require_output(self, node: str, pin: str) -> None:
        """Refuse an output pin of an actuator that is not there."""

    def disturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """Pass an input pin's true value through `transform` from now on, every millisecond."""

    def undisturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer. Several transforms of one pin act in the order they came."""

    def disturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """Let what an actuator writes to a pin reach the plant only through `transform`."""

    def undisturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer."""

    def stream(self, name: str) -> RandomStream:
        """A named random stream of the run's seed."""

    def log(self, source: str, kind: str, text: str) -> None:
        """Record an event."""
