"""The machines on a wire as a set: which controllers share one, and what they tell together.

Controllers that see the same levels and answer them in the same way are members of one `Mac`;
they part when that ends. Who reads which level at what time is the business of `wire.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.bus.controller import RECEIVE_COUNT_MAX, Controller
from simcore.bus.disturbance import Disturbance, WireBit
from simcore.bus.error_record import ErrorState
from simcore.bus.frame_reading import MacState
from simcore.bus.mac import INTEGRATION_BITS, SUSPEND_BITS, Mac

if TYPE_CHECKING:
    from simcore.bus.wire import Wire

_IN_FRAME = frozenset(
    {
        MacState.FRAME,
        MacState.TAIL,
        MacState.CRC_DELIMITER,
        MacState.ACK_SLOT,
        MacState.ACK_DELIMITER,
        MacState.EOF,
    }
)


def machines_at(wire: Wire, start_ns: int) -> list[Mac]:
    """Machines of everybody who takes part when the wire takes over at this instant."""
    macs: list[Mac] = []
    groups: dict[tuple[object, ...], Mac] = {}
    for controller in wire.bus.controllers:
        if controller.enabled and controller.bus is wire.bus:
            if controller.recovering:
                mac = Mac(wire, [controller], MacState.RECOVERING)
                mac.remaining, mac.count = wire.bus.recoveries.taken(controller)
                macs.append(mac)
            elif controller.error_state is not ErrorState.BUS_OFF:
                _place(controller, wire, start_ns, macs, groups)
    return macs


def _place(
    controller: Controller,
    wire: Wire,
    start_ns: int,
    macs: list[Mac],
    groups: dict[tuple[object, ...], Mac],
) -> None:
    """Put a controller into a machine: with others like it, or its own."""
    name = controller.name
    alone = any(each.singles_out(name) for each in wire.bus.disturbances)
    wait_ns = controller.suspended_until_ns - start_ns
    options = controller.options
    key = (options.listen_only, options.fd, name if alone or wait_ns > 0 else "")
    if key in groups:
        groups[key].members.append(controller)
        return
    mac = groups[key] = Mac(wire, [controller], MacState.IDLE)
    if wait_ns > 0:
        mac.state = MacState.SUSPEND
        mac.transmitter = True
        mac.count = SUSPEND_BITS - max(1, wait_ns // wire.bus.timing.to_ns(1))
    macs.append(mac)


def sender_of(controller: Controller, wire: Wire, gone: list[Mac]) -> Mac:
    """The machine of who sends a frame that is replayed; `gone` gets it if that node has left."""
    if controller.on_bus and controller.bus is wire.bus:
        return machine_of(controller, wire.macs)
    mac = Mac(wire, [controller], MacState.IDLE)  # nothing but its frame is seen of it
    gone.append(mac)
    wire.macs.append(mac)
    return mac


def bring_back(waiting: list[Mac], macs: list[Mac]) -> None:
    """Machines that only count recessive bits join those that replayed a frame, at this instant."""
    like = macs[0]
    for mac in waiting:
        mac.sampling, mac.next_tick = like.sampling, like.next_tick
        if not mac.sampling and mac.count < INTEGRATION_BITS - 1:
            mac.count += 1  # the bit at hand has been read
    macs.extend(waiting)


def machine_of(controller: Controller, macs: list[Mac]) -> Mac:
    """The machine of one controller, taken out of its group."""
    mac = next(mac for mac in macs if controller in mac.members)
    if len(mac.members) > 1:
        mac = mac.twin([controller])
        macs.append(mac)
    return mac


def part_singled_out(wire: Wire) -> None:
    """A disturbance came: the nodes it picks get machines of their own."""
    for controller in wire.bus.controllers:
        if any(each.singles_out(controller.name) for each in wire.bus.disturbances) and any(
            controller in mac.members for mac in wire.macs
        ):
            machine_of(controller, wire.macs)


def parted_by_state(mac: Mac, macs: list[Mac]) -> list[Mac]:
    """Split a group whose members answer an error differently; the new ones."""
    passive = [m for m in mac.members if m.error_state is ErrorState.PASSIVE]
    if not passive or len(passive) == len(mac.members):
        return []
    other = mac.twin(passive)
    macs.append(other)
    return [other]


def taken_out(controller: Controller, macs: list[Mac]) -> None:
    """Take a controller out of its machine, and the machine off the wire if it was the last."""
    for mac in macs:
        if controller in mac.members:
            mac.members.remove(controller)
            if not mac.members:
                macs.remove(mac)
            break


def stuck(macs: list[Mac]) -> bool:
    """Whether everybody waits for a recessive bit, with counters that cannot rise any more."""
    for mac in macs:
        if mac.state is MacState.RECOVERING and mac.count == 0:
            continue
        if mac.state is not MacState.FLAG_END or mac.transmitter:
            return False
        if any(
            member.receive_error_count < RECEIVE_COUNT_MAX and not member.options.listen_only
            for member in mac.members
        ):
            return False
    return bool(macs)


def level_of(macs: list[Mac], disturbances: Sequence[Disturbance]) -> int:
    """What the nodes make of the bus: wired-AND of all that drive it."""
    for mac in macs:
        if mac.drive == 0:
            name = mac.members[0].name
            for each in disturbances:
                if each.mutes(name):
                    break
            else:
                return 0
    return 1


def place_in_frame(macs: list[Mac], now_ns: int) -> WireBit:
    """Where in the frame on the wire an instant is."""
    sender = next((mac for mac in macs if mac.tx is not None), None)
    if sender is None:
        sender = next((mac for mac in macs if mac.state in _IN_FRAME), None)
    if sender is None:
        return WireBit(now_ns, -1, False)
    if sender.state is MacState.START:
        return WireBit(now_ns, 0, False)
    return WireBit(now_ns, sender.bit + 1, sender.state is MacState.ACK_SLOT)
