"""`IsoTpConnection`: udsoncan's clients over a simulated bus in virtual time, in one thread.

udsoncan's own connections read from threads, and it and can-isotp read clocks. Here can-isotp's
stack runs step by step: whoever waits for a response lets virtual time pass. While a connection is
open, the modules of both packages find virtual time where they look for `time`. In real time use
udsoncan's own `PythonIsoTpConnection`.

    filters = [{"can_id": 0x6AA, "can_mask": 0x7FF}]  # only for speed
    with can.Bus(interface="simcore", channel="chassis", can_filters=filters) as bus:
        connection = IsoTpConnection(bus, isotp.Address(txid=0x6A2, rxid=0x6AA))
        with udsoncan.client.Client(connection) as client:
            client.change_session(3)
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import can
import isotp
from udsoncan.connections import BaseConnection
from udsoncan.exceptions import TimeoutException

from simcore.attach.clock import VirtualClock
from simcore.attach.message import BusOpenError, BusOperationError
from simcore.attach.python_can import SimcoreBus
from simcore.bus import Controller, Frame
from simcore.bus.controller import Receive
from simcore.units import NS_PER_S, format_ns

log = logging.getLogger("simcore.attach")

Seconds = float
"""udsoncan's signatures count in seconds; the type says it where the name cannot."""
FD_PARAMETERS: dict[str, Any] = {
    "can_fd": True,
    "bitrate_switch": True,
    "tx_data_length": 64,
    "tx_data_min_length": 8,
    "tx_padding": 0xCC,
}
"""Of can-isotp, on a bus with CAN FD."""
PARAMETERS: dict[str, Any] = {"stmin": 0, "blocksize": 0, "max_frame_size": 65_535, "wftmax": 100}
"""Of can-isotp, on any bus: as fast as the bus allows."""
N_AS_NS = NS_PER_S
"""Longest time a frame may take to leave the controller."""


class IsoTpConnection(BaseConnection):
    """A connection of udsoncan that drives virtual time.

    `params` are can-isotp's, beside `PARAMETERS`; `errors` is what its stack has reported. Raises
    `BusOpenError` for a bus in real time.
    """

    def __init__(
        self,
        bus: SimcoreBus,
        address: isotp.Address | isotp.AsymmetricAddress,
        params: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if bus.session.realtime:
            raise BusOpenError(
                f"IsoTpConnection on {bus.channel_info}",
                expected="a bus in virtual time; in real time udsoncan's PythonIsoTpConnection",
            )
        self.errors: list[Exception] = []
        self._bus = bus
        self._clock = bus.clock
        self._address = address
        self._incoming: deque[isotp.CanMessage] = deque()
        format_ = FD_PARAMETERS if bus.protocol is not can.CanProtocol.CAN_20 else {}
        self._layer = isotp.TransportLayerLogic(
            self._next_frame,
            self._send_frame,
            address,  # type: ignore[arg-type]
            error_handler=self._failed,
            params={**PARAMETERS, **format_, **(params or {}), "wait_func": _no_pause},
        )
        tx_id = address.get_tx_arbitration_id()
        request = Frame(tx_id, is_extended_id=address.is_tx_29bits())
        self._departures = _Departures(bus._endpoint.controller_for(request), tx_id)
        self._opened = False

    # -- what udsoncan calls -----------------------------------------------------------------------

    def open(self) -> IsoTpConnection:
        """Begin to use the bus, and virtual time."""
        if not self._opened:
            _VirtualTime.enter(self._clock)
            self._opened = True
            self._departures.listen()
        return self

    def close(self) -> None:
        """Give up what is being sent and received, and virtual time."""
        if self._opened:
            self._opened = False
            self._departures.end()
            self._layer.reset()
            _VirtualTime.leave()

    def is_open(self) -> bool:
        """Whether it is open."""
        return self._opened

    def __enter__(self) -> IsoTpConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def specific_send(self, payload: bytes, timeout: Seconds | None = None) -> None:
        """Send a request; comes back once it has left the controller, or has failed."""
        reported = len(self.errors)
        self._layer.send(payload)
        if not self._drive_until(self._has_sent, timeout):
            self._layer.stop_sending()
            raise self._timed_out(f"{len(payload)} bytes not sent", timeout, reported)

    def specific_wait_frame(self, timeout: Seconds | None = None) -> bytes:
        """The next response. Raises udsoncan's `TimeoutException`."""
        reported = len(self.errors)
        if not self._drive_until(self._layer.available, timeout):
            raise self._timed_out("no response", timeout, reported)
        received = self._layer.recv()
        assert received is not None
        return bytes(received)

    def empty_rxqueue(self) -> None:
        """Forget responses that nobody has waited for."""
        self._take_frames()
        self._layer.process()
        self._layer.clear_rx_queue()

    def empty_txqueue(self) -> None:
        """Forget requests that have not begun."""
        self._layer.clear_tx_queue()

    # -- driving -----------------------------------------------------------------------------------

    def _has_sent(self) -> bool:
        return not self._layer.transmitting()

    def _drive_until(self, done: Callable[[], bool], timeout: Seconds | None) -> bool:
        """Let the stack work and time pass until `done()` or the timeout; whether it is done."""
        clock, layer = self._clock, self._layer
        end_ns = None if timeout is None else clock.monotonic_ns() + round(timeout * NS_PER_S)
        while True:
            self._take_frames()
            layer.process()
            if done():
                return True
            now_ns = clock.monotonic_ns()
            if end_ns is not None and now_ns >= end_ns:
                return False
            due = [each for each in (self._deadline_ns(), end_ns) if each is not None]
            self._wait_for_frame(min(due, default=None))

    def _wait_for_frame(self, until_ns: int | None) -> None:
        """Let time pass until a frame of this connection arrives, or to a point in time."""
        while not self._incoming:
            wait_s = None
            if until_ns is not None:
                left_ns = until_ns - self._clock.monotonic_ns()
                if left_ns <= 0:
                    return
                wait_s = left_ns / NS_PER_S
            self._take(self._bus.recv(wait_s))

    def _deadline_ns(self) -> int | None:
        """When the stack has something to do by itself: just after one of its timers has ended."""
        layer = self._layer
        timers = [layer.timer_rx_fc, layer.timer_rx_cf]
        if layer.tx_state is layer.TxState.TRANSMIT_CF:
            timers.append(layer.timer_tx_stmin)
        return min(
            (
                timer.start_time + timer.timeout + 1
                for timer in timers
                if timer.start_time is not None
            ),
            default=None,
        )

    def _take_frames(self) -> None:
        """Everything that has arrived so far."""
        while self._take(self._bus.recv(0)):
            pass

    def _take(self, message: can.Message | None) -> bool:
        """Keep a message that is for this connection; whether there was any."""
        if message is None:
            return False
        foreign = _foreign(message)
        if not message.is_error_frame and self._address.is_for_me(foreign):
            self._incoming.append(foreign)
        return True

    def _next_frame(self, timeout: Seconds) -> isotp.CanMessage | None:
        return self._incoming.popleft() if self._incoming else None

    def _send_frame(self, message: isotp.CanMessage) -> None:
        """Send, and wait until it has left: the stack itself would fill the controller's queue."""
        sent = can.Message(
            arbitration_id=message.arbitration_id,
            data=message.data,
            is_extended_id=message.is_extended_id,
            is_fd=message.is_fd,
            bitrate_switch=message.bitrate_switch,
        )
        departures = self._departures
        departures.awaited = True
        self._bus.send(sent)
        drive = self._bus.session.drive
        with drive.touch():
            drive.wait(departures.has_left, N_AS_NS)
        if departures.awaited:
            self._bus.flush_tx_buffer()
            raise BusOperationError(
                f"{self.name}: frame 0x{message.arbitration_id:X}",
                expected=f"on the bus within {format_ns(N_AS_NS)}",
                got="still in the controller",
            )

    def _failed(self, error: Exception) -> None:
        self.errors.append(error)
        log.warning("%s: %s: %s", self.name, type(error).__name__, error)

    def _timed_out(self, what: str, timeout: Seconds | None, reported: int) -> TimeoutException:
        names = ", ".join(type(error).__name__ for error in self.errors[reported:])
        text = f"{self.name}: {what} within {timeout} s, at {format_ns(self._clock.monotonic_ns())}"
        return TimeoutException(f"{text} ({names})" if names else text)  # type: ignore[no-untyped-call]


class _Departures:
    """Watches a controller for the departure of one frame; a copy of the rig copies it too."""

    __slots__ = ("_before", "_controller", "_tx_id", "awaited")

    def __init__(self, controller: Controller, tx_id: int) -> None:
        self.awaited = False
        """A frame has been requested and has not left."""
        self._controller = controller
        self._tx_id = tx_id
        self._before: Receive | None = None
        """Who listened before, and goes on doing so."""

    def listen(self) -> None:
        self._before = self._controller.on_transmitted
        self._controller.listen_transmitted(self._transmitted)

    def end(self) -> None:
        self._controller.listen_transmitted(self._before)

    def has_left(self) -> bool:
        return not self.awaited

    def _transmitted(self, frame: Frame) -> None:
        if frame.arbitration_id == self._tx_id:
            self.awaited = False
        if self._before is not None:
            self._before(frame)


class _VirtualTime:
    """Puts a clock where udsoncan and can-isotp look for the module `time`, and takes it away."""

    modules = ("isotp.protocol", "isotp.tools", "udsoncan.client")
    replaced: ClassVar[list[Any]] = []
    clock: ClassVar[VirtualClock | None] = None
    users: ClassVar[int] = 0

    @classmethod
    def enter(cls, clock: VirtualClock) -> None:
        """Raises `BusOpenError` while connections are open in another simulation's time."""
        if cls.users and cls.clock is not clock:
            raise BusOpenError(
                "IsoTpConnection, open", expected="one simulation at a time with open connections"
            )
        if not cls.users:
            cls.clock = clock
            modules = [import_module(name) for name in cls.modules]
            cls.replaced = [(module, module.time) for module in modules]
            for module in modules:
                module.time = clock  # type: ignore[attr-defined]
        cls.users += 1

    @classmethod
    def leave(cls) -> None:
        """One user less; after the last one everything is as it was."""
        cls.users -= 1
        if not cls.users:
            for module, time in cls.replaced:
                module.time = time
            cls.replaced, cls.clock = [], None


def _foreign(message: can.Message) -> isotp.CanMessage:
    return isotp.CanMessage(
        arbitration_id=message.arbitration_id,
        dlc=message.dlc,
        data=bytes(message.data),
        extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
    )


def _no_pause(duration_s: float) -> None:
    """can-isotp tries its pause out when it is configured; here it never pauses."""
