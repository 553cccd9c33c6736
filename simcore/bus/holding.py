"""Faults that hold a controller, counted: it is free when the last of them has ended.

The controller keeps the counts in `holds` and knows itself that one `unplugged` is not switched on.
"""

from __future__ import annotations

from simcore.bus.controller import Controller

CUT, UNPLUGGED, BUS_OFF = "cut", "unplugged", "bus-off"


def cut(controller: Controller) -> None:
    """Take it off the bus, as `set_connected` does; `join` is the end of it."""
    if _hold(controller, CUT):
        controller.set_connected(False)


def join(controller: Controller) -> None:
    """One `cut` is over."""
    if _let_go(controller, CUT):
        controller.set_connected(True)


def unplug(controller: Controller) -> None:
    """Take bus and supply from it; `plug` is the end of it."""
    if _hold(controller, UNPLUGGED):
        powered = controller.powered
        controller.set_enabled(False)
        controller.powered = powered


def plug(controller: Controller) -> None:
    """One `unplug` is over; the last one starts it anew, unless its node is off."""
    if _let_go(controller, UNPLUGGED) and controller.powered:
        controller.set_enabled(True)


def throw_off(controller: Controller) -> None:
    """Put it into bus-off; `take_back` is the end of it."""
    _hold(controller, BUS_OFF)
    controller.force_bus_off()


def take_back(controller: Controller) -> None:
    """One `throw_off` is over; the last one asks for recovery, if it is still bus-off."""
    if _let_go(controller, BUS_OFF):
        controller.recover()


def _hold(controller: Controller, what: str) -> bool:
    """One more; whether it is the first."""
    count = controller.holds[what] = controller.holds.get(what, 0) + 1
    return count == 1


def _let_go(controller: Controller, what: str) -> bool:
    """One less; whether it was the last."""
    controller.holds[what] -= 1
    if controller.holds[what]:
        return False
    del controller.holds[what]
    return True
