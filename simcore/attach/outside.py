"""Nodes of the rig that are played from outside, through a door.

`OutsideNode` takes the place of a simulated ECU: the ECU is off, its connection to the bus stays,
and what the outside sends in its name goes out through it. So arbitration, the record and the
checks see the frames as that node's. Pins do not cross a door: an actuator outside moves nothing
in the simulated vehicle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.bus import Bus, Controller, Frame
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.ecu import Port
    from simcore.rig import Bench

MessageKey = tuple[int, bool]
"""arbitration_id, is_extended_id"""


class OutsideNode:
    """Keeps a node's place on the bus while the real one is outside."""

    fixed_schedule = True

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: the outside receives through its own connection."""
        port.accept(())

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nothing is accepted, so nothing comes."""

    def on_timer(self, now_ns: int) -> None:
        """No deadline, so no call."""

    def next_deadline_ns(self) -> int | None:
        """Never."""
        return None


def names_of(outside: str | Sequence[str]) -> tuple[str, ...]:
    """Node names from a sequence or from one text with commas, without blanks and repeats."""
    parts = outside.split(",") if isinstance(outside, str) else outside
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def take_over(rig: Bench, bus: Bus, names: Sequence[str]) -> dict[MessageKey, Controller]:
    """Switch the simulated ECUs of `names` off; which connection to `bus` sends which message.

    Raises `UsageError` for a name that is not a node of the rig, before anything is switched. A
    node that is not on this bus, but on another one, is off too.
    """
    unknown = [name for name in names if name not in rig.nodes]
    if unknown:
        raise UsageError(
            f"outside node {', '.join(unknown)}", expected=f"one of {', '.join(rig.nodes)}"
        )
    controllers = {controller.name: controller for controller in bus.controllers}
    senders = {}
    for name in names:
        if not isinstance(rig.node(name), OutsideNode):
            rig.replace(name, OutsideNode())
        if name in controllers:
            for message in rig.database.sent_by(name):
                senders[message.arbitration_id, message.is_extended_id] = controllers[name]
    return senders
