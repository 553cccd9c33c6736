"""A wire in virtual time between two ends: own links, or stacks of can-isotp."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Protocol

import pytest

from simcore.bus import Frame
from simcore.transport import (
    Address,
    AddressingMode,
    IsoTpLink,
    LinkEvent,
    LinkSettings,
    Message,
    Step,
)

FRAME_NS = 100_000
"""What every frame takes on the wire."""


class End(Protocol):
    """Somebody on the wire; gives back the frames it requests."""

    messages: list[bytes]

    def receive(self, frame: Frame, now_ns: int) -> list[Frame]: ...
    def left(self, frame: Frame, now_ns: int) -> list[Frame]: ...
    def on_timer(self, now_ns: int) -> list[Frame]: ...
    def deadline_ns(self) -> int | None: ...


class Wire:
    """One frame at a time, in the order of request; of one instant frames come before timers."""

    def __init__(self, *ends: End, frame_ns: int = FRAME_NS) -> None:
        self.ends = ends
        self.frame_ns = frame_ns
        self.now_ns = 0
        self.log: list[tuple[int, int, Frame]] = []
        """When each frame was over on the wire, whose it was, and the frame."""
        self._requests: deque[tuple[int, Frame]] = deque()
        self._over_ns: int | None = None

    def request(self, end: End, frames: list[Frame]) -> None:
        place = self.ends.index(end)
        self._requests.extend((place, frame) for frame in frames)
        if self._over_ns is None and self._requests:
            self._over_ns = self.now_ns + self.frame_ns

    def run(self, *, until_ns: int | None = None) -> None:
        """Until nothing happens any more, or to a point in time."""
        for _ in range(1_000_000):
            timers = [end.deadline_ns() for end in self.ends]
            due_ns = min((each for each in timers if each is not None), default=None)
            times = [each for each in (self._over_ns, due_ns) if each is not None]
            if not times or (until_ns is not None and min(times) > until_ns):
                if until_ns is not None:
                    self.now_ns = until_ns
                return
            self.now_ns = max(self.now_ns, min(times))
            if self._over_ns == self.now_ns:
                self._frame_over()
            else:
                for end, timer_ns in zip(self.ends, timers, strict=True):
                    if timer_ns is not None and timer_ns <= self.now_ns:
                        self.request(end, end.on_timer(self.now_ns))
        raise AssertionError("the ends do not come to rest")

    def _frame_over(self) -> None:
        place, frame = self._requests.popleft()
        self.log.append((self.now_ns, place, frame))
        self._over_ns = None
        sender = self.ends[place]
        self.request(sender, sender.left(frame, self.now_ns))
        for end in self.ends:
            if end is not sender:
                self.request(end, end.receive(frame, self.now_ns))
        if self._over_ns is None and self._requests:
            self._over_ns = self.now_ns + self.frame_ns


class LinkEnd:
    """An own link on the wire."""

    def __init__(self, address: Address, settings: LinkSettings) -> None:
        self.link = IsoTpLink(address, settings)
        self.messages: list[bytes] = []
        self.received: list[Message] = []
        self.events: list[LinkEvent] = []

    def take(self, step: Step) -> list[Frame]:
        self.received += step.messages
        self.messages += [message.payload for message in step.messages]
        self.events += step.events
        return list(step.frames)

    def send(self, payload: bytes, now_ns: int = 0, *, functional: bool = False) -> list[Frame]:
        return self.take(self.link.send(payload, now_ns, functional=functional))

    def receive(self, frame: Frame, now_ns: int) -> list[Frame]:
        return self.take(self.link.receive(frame, now_ns))

    def left(self, frame: Frame, now_ns: int) -> list[Frame]:
        if not self.link.settings.confirms:
            return []
        return self.take(self.link.confirmed(now_ns, frame))

    def on_timer(self, now_ns: int) -> list[Frame]:
        return self.take(self.link.on_timer(now_ns))

    def deadline_ns(self) -> int | None:
        return self.link.next_deadline_ns()


class Clock:
    """Stands where can-isotp expects the module `time`."""

    def __init__(self) -> None:
        self.now_ns = 0

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def perf_counter(self) -> float:
        return self.now_ns / 1e9

    monotonic = time = perf_counter

    def sleep(self, duration_s: float) -> None:
        """Costs nothing."""


class ForeignEnd:
    """A stack of can-isotp on the wire, moved step by step."""

    def __init__(self, isotp: Any, clock: Clock, address: Any, params: dict[str, Any]) -> None:
        self._isotp = isotp
        self._clock = clock
        self._incoming: deque[Any] = deque()
        self._outgoing: list[Frame] = []
        self.messages: list[bytes] = []
        self.errors: list[str] = []
        self.layer = isotp.TransportLayerLogic(
            self._next,
            self._send,
            address,
            error_handler=self._failed,
            params={"max_frame_size": 1 << 20, "logger_name": "isotp", **params},
        )

    def _failed(self, error: Exception) -> None:
        self.errors.append(type(error).__name__)

    def _next(self, timeout: float) -> Any:
        return self._incoming.popleft() if self._incoming else None

    def _send(self, message: Any) -> None:
        self._outgoing.append(
            Frame(
                message.arbitration_id,
                bytes(message.data),
                is_extended_id=message.is_extended_id,
                is_fd=message.is_fd,
                bitrate_switch=message.bitrate_switch,
            )
        )

    def _process(self, now_ns: int) -> list[Frame]:
        self._clock.now_ns = now_ns
        self.layer.process()
        while self.layer.available():
            self.messages.append(bytes(self.layer.recv()))
        frames, self._outgoing = self._outgoing, []
        return frames

    def send(self, payload: bytes, now_ns: int = 0, *, functional: bool = False) -> list[Frame]:
        self._clock.now_ns = now_ns
        self.layer.send(payload, target_address_type=int(functional))
        return self._process(now_ns)

    def receive(self, frame: Frame, now_ns: int) -> list[Frame]:
        self._incoming.append(
            self._isotp.CanMessage(
                arbitration_id=frame.arbitration_id,
                dlc=frame.dlc,
                data=frame.data,
                extended_id=frame.is_extended_id,
                is_fd=frame.is_fd,
                bitrate_switch=frame.bitrate_switch,
            )
        )
        return self._process(now_ns)

    def left(self, frame: Frame, now_ns: int) -> list[Frame]:
        return []

    def on_timer(self, now_ns: int) -> list[Frame]:
        return self._process(now_ns)

    def deadline_ns(self) -> int | None:
        """It fires strictly after a timer has ended, except one of 0."""
        layer = self.layer
        timers = [layer.timer_rx_fc, layer.timer_rx_cf]
        if layer.tx_state is layer.TxState.TRANSMIT_CF:
            timers.append(layer.timer_tx_stmin)
        running = [timer for timer in timers if not timer.is_stopped()]
        return min((t.start_time + t.timeout + (t.timeout > 0) for t in running), default=None)


FOREIGN_MODES = {
    (AddressingMode.NORMAL, False): "Normal_11bits",
    (AddressingMode.NORMAL, True): "Normal_29bits",
    (AddressingMode.NORMAL_FIXED, True): "NormalFixed_29bits",
    (AddressingMode.EXTENDED, False): "Extended_11bits",
    (AddressingMode.EXTENDED, True): "Extended_29bits",
    (AddressingMode.MIXED, False): "Mixed_11bits",
    (AddressingMode.MIXED, True): "Mixed_29bits",
}


class Foreign:
    """Makes stacks of can-isotp in virtual time; their addresses are those of own links."""

    def __init__(self, isotp: Any, clock: Clock) -> None:
        self.isotp = isotp
        self.clock = clock

    def end(self, address: Address, **params: Any) -> ForeignEnd:
        """The stack that sends from `address.tx_id`."""
        params.setdefault("logger_name", "isotp")
        return ForeignEnd(self.isotp, self.clock, self.address(address), params)

    def address(self, address: Address) -> Any:
        mode = getattr(
            self.isotp.AddressingMode, FOREIGN_MODES[address.mode, address.is_extended_id]
        )
        if address.mode is AddressingMode.NORMAL:
            return self.isotp.Address(mode, txid=address.tx_id, rxid=address.rx_id)
        if address.mode is AddressingMode.EXTENDED:
            return self.isotp.Address(
                mode,
                txid=address.tx_id,
                rxid=address.rx_id,
                target_address=address.target_extension,
                source_address=address.source_extension,
            )
        if not address.is_extended_id:
            return self.isotp.Address(
                mode,
                txid=address.tx_id,
                rxid=address.rx_id,
                address_extension=address.target_extension,
            )
        return self.isotp.Address(
            mode,
            target_address=address.tx_id >> 8 & 0xFF,
            source_address=address.tx_id & 0xFF,
            address_extension=address.target_extension,
        )


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """can-isotp in virtual time."""
    isotp = pytest.importorskip("isotp", reason="can-isotp is not installed")
    clock = Clock()
    for name in ("isotp.protocol", "isotp.tools"):
        monkeypatch.setattr(import_module(name), "time", clock)
    return Foreign(isotp, clock)


@pytest.fixture(scope="session")
def make_wire() -> Callable[..., Wire]:
    """`make_wire(one_end, other_end)`."""
    return Wire


@pytest.fixture(scope="session")
def make_end() -> Callable[..., LinkEnd]:
    """`make_end(address, settings)`."""
    return LinkEnd
