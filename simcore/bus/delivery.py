"""What a frame that went through bit by bit leads to: record, reception, the sender's account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.bus.controller import Controller
from simcore.bus.frame import Frame
from simcore.bus.log import BusRecord
from simcore.bus.mac import Mac
from simcore.bus.transmit_queue import Request

if TYPE_CHECKING:
    from simcore.bus.bus import Bus


class Attempt:
    """The frame at hand on the wire."""

    __slots__ = ("given_up", "logged", "sof_ns")

    def __init__(self) -> None:
        self.sof_ns = 0
        self.logged = False
        """It is in the log."""
        self.given_up: tuple[str, Request | None] = ("", None)
        """Who failed with it last: a listener may still see it through."""


def deliver(bus: Bus, attempt: Attempt, valid: list[Mac], eof_ns: int) -> None:
    """The frame is valid for receivers: into the log, and to everyone who listens."""
    received = valid[0].received
    if not attempt.logged and received is not None:
        _record(bus, attempt, received, eof_ns)
    pairs = [(member, mac.received) for mac in valid for member in mac.members]
    pairs.sort(key=lambda pair: bus.controllers.index(pair[0]))
    for controller, frame in pairs:
        if frame is not None and controller.accepts(frame):
            controller.count_received(1)
            controller.deliver(frame)


def sent_through(bus: Bus, attempt: Attempt, controller: Controller, eof_ns: int) -> None:
    """A transmitter has sent the last bit of EOF."""
    request = controller.sending
    if request is None:
        return  # counted before the wire took over
    frame = bus.as_sent(controller, request)
    if not attempt.logged:
        _record(bus, attempt, frame, eof_ns)
    controller.sent()
    controller.transmitted_count += 1
    controller.transmitted_well()
    if controller.on_transmitted is not None:
        controller.on_transmitted(frame)


def _record(bus: Bus, attempt: Attempt, frame: Frame, eof_ns: int) -> None:
    """The frame into the log, with who sends it."""
    attempt.logged = True
    sender = next(
        (each for each in bus.controllers if each.bus is bus and each.sending is not None), None
    )
    name, request = attempt.given_up if sender is None else (sender.name, sender.sending)
    request_ns = attempt.sof_ns if request is None else request[2]
    bus.log.append(BusRecord(attempt.sof_ns, eof_ns, bus.name, frame, name, request_ns))
