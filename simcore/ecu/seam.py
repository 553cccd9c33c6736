"""The seam: what an ECU is to the bus and the rig, whatever it is made of.

`Node` is what a module implements, `Port` what it is given. The simulated ECUs use nothing else,
so a supplier's module replaces one of them without anything else noticing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from simcore.bus import Frame
from simcore.diag.codes import ResetKind
from simcore.watchdog.device import WatchdogLine

if TYPE_CHECKING:
    from simcore.update.flash import Flash
    from simcore.update.reset_cause import ResetCause


class Port(Protocol):
    """A node's connection to the world: buses, pins, non-volatile memory, log.

    A port of somebody else's making may lack everything from `watchdog` on, but for `log`.
    """

    @property
    def name(self) -> str:
        """The node's name on the network, `EMB_FL`."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the buses the node is on, the default one first."""

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Request transmission on a channel.

        By default on the node's first one, and a message that the database marks as redundant on
        both: one frame, the same counter and checksum.
        """

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        """Receive these base identifiers only; `None` (the default) for everything."""

    @property
    def inputs(self) -> Mapping[str, float]:
        """All input pins with their present values, for tight loops. Read only."""

    def read(self, pin: str) -> float:
        """Value of an input pin. Raises `UsageError` for a pin the node does not have."""

    def write(self, pin: str, value_ratio: float) -> None:
        """Set an output pin, in the unit its name ends with. `UsageError` for no such pin."""

    @property
    def memory(self) -> dict[str, bytes]:
        """Non-volatile memory: survives a reset of the node."""

    @property
    def watchdog(self) -> WatchdogLine | None:
        """The external watchdog beside the ECU; `None` where the place has none.

        Ask anew rather than keep it.
        """

    @property
    def flash(self) -> Flash | None:
        """The flash beside the ECU, with its programs; `None` where the place has none.

        A reset and a loss of supply leave it as it is. What it raises when the supply goes in the
        midst of an operation (`PowerLost`) is not to be caught: it ends the call.
        """

    @property
    def reset_cause(self) -> ResetCause:
        """Why the node was started, as the reset status register says."""

    def confirm(self, arbitration_ids: Iterable[int]) -> None:
        """Ask to be told when frames with these identifiers have left a controller of the node.

        The node's method `transmitted` is called then; empty for no longer. Ends with a reset.
        """

    def timer_changed(self) -> None:
        """Look anew at the node's deadline and timer call: something has changed them meanwhile."""

    def reset(self, kind: ResetKind) -> None:
        """Reset the node, as soon as the present call has ended; `start` follows when it is up."""

    def log(self, kind: str, text: str) -> None:
        """Record an event: kinds are `state`, `detection`, `reaction`, `fault`, `note`, `dtc`."""


@runtime_checkable
class Node(Protocol):
    """An ECU as the bus and the rig see it. Sans-IO: it acts only when called.

    A node may have an attribute `fixed_schedule = True`: frames never change its deadline, so it
    need not be asked for it after each; one that has `direct_reception` (see the simulated ECUs) is
    asked after the frames that go through `receive`. A node on two buses may have a method
    `receive_on(channel, frame, now_ns)`: frames of the second bus come there, copies included.
    Without one `receive` gets what either bus brings first, and no second copy.

    A node may have a method `bus_state(channel, state, now_ns)`: it is told of every change of its
    controllers' error state (`simcore.bus.ErrorState`), as a driver's callbacks tell real software.

    A node with a flash may have an attribute `flash_busy_since_ns`: when the operations began that
    its flash is at, `None` while it rests. Where the node stops meanwhile, the operation under way
    at that instant is torn.

    A node may have a method `transmitted(channel, frame, now_ns)`: it is told when a frame that it
    asked about (`Port.confirm`) has left its controller.

    A node may have a method `ended(now_ns)`: it is told when a scenario is over, and returns what
    it has to complain about as texts; see `simcore.rig.ending`. One with `in_real_time = True`
    sends by the clock on the wall: its cycle times are not judged in virtual time.
    """

    def start(self, port: Port, now_ns: int) -> None:
        """Power on."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame passed the acceptance filter."""

    def on_timer(self, now_ns: int) -> None:
        """The deadline the node asked for has come."""

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next; `None` for never. Asked again after every call."""
