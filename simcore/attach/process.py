"""`ProcessNode`: a program on a real or virtual CAN interface in the place of an ECU, in real time.

    can:socketcan:can0
    can:udp_multicast:239.74.163.34:port=43113:hop_limit=0

After the interface and the channel come settings of python-can's interface; `fd=false` opens it for
classic frames. `late_ms` is the node's own: how far virtual time may fall behind, 20 by default.

The node is a bridge for one place of the rig: frames of the bus go out to the interface, messages
of the place come in from there and are sent by the place's own controller. It holds the virtual
time of its rig to the clock on the wall, whatever else paces it. Pins do not cross the interface:
an actuator outside moves nothing in the simulated vehicle. Several places may share an interface.

What is wrong with the program's side is found when the run ends (`ended`): messages that never came
or with another cycle time, refused frames, and a machine that does not keep up.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import can
from can.util import cast_from_string

from simcore.attach.bridge import MESSAGES_AT_ONCE, CycleFigures
from simcore.attach.dut import PREFIX
from simcore.attach.echo import EchoFilter
from simcore.attach.message import Received, frame_of, message_of
from simcore.attach.pace import DEFAULT_LATE_NS, DEFAULT_SLICE_NS, Lateness
from simcore.bus import Frame
from simcore.ecu import Port
from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.units import NS_PER_MS, NS_PER_S

CYCLE_TOLERANCE_RATIO = 0.10
"""Of the mean cycle time; single frames depend on the operating systems between."""
_LATE_MS = "late_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A CAN interface as a text names it."""

    spec: str
    interface: str
    channel: str
    settings: tuple[tuple[str, Any], ...]
    late_ns: int

    @classmethod
    def of(cls, spec: str) -> Interface:
        """Raises `InputError` for what is no `can:INTERFACE:CHANNEL[:KEY=VALUE...]`."""
        interface, _, rest = spec.removeprefix(PREFIX).partition(":")
        words = rest.split(":")
        settings: dict[str, Any] = {}
        while words and "=" in words[-1]:
            key, _, text = words.pop().partition("=")
            if not key or key in settings:
                raise _unusable(spec, f"{key or 'no key'} twice" if key else f"={text}")
            settings[key] = cast_from_string(text)
        channel = ":".join(words)
        if not interface or not channel:
            raise _unusable(spec, spec)
        late_ms = settings.pop(_LATE_MS, DEFAULT_LATE_NS / NS_PER_MS)
        if isinstance(late_ms, bool) or not isinstance(late_ms, int | float) or not late_ms > 0:
            raise InputError(f"{spec}: {_LATE_MS}", expected="more than 0 ms", got=repr(late_ms))
        return cls(
            spec=spec,
            interface=interface,
            channel=channel,
            settings=tuple(reversed(settings.items())),
            late_ns=round(late_ms * NS_PER_MS),
        )

    def opened(self) -> can.BusABC:
        """The python-can bus. Raises `InputError` where it cannot be had."""
        settings: dict[str, Any] = {"fd": True, **dict(self.settings)}
        try:
            return can.Bus(interface=self.interface, channel=self.channel, **settings)
        except (can.CanError, OSError, ValueError, TypeError, ImportError) as error:
            raise InputError(
                f"module under test {self.spec}",
                expected="a CAN interface that python-can can open",
                got=f"{type(error).__name__}: {error}",
            ) from error


class Processes:
    """Makes the nodes of one interface; those of one rig share its connection."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self._link: weakref.ref[Link] | None = None

    def __call__(self, node: str, database: Database) -> ProcessNode:
        """A node for a place. Raises `InputError` where the interface cannot be opened."""
        link = None if self._link is None else self._link()
        if link is None or not link.has_room(node, database):
            link = Link(self.interface, database)
            self._link = weakref.ref(link)
        return ProcessNode(node, link)

    def __reduce__(self) -> tuple[Any, ...]:
        return Processes, (self.interface,)


class Link:
    """A connection to the interface: what came in, what went out, how late."""

    def __init__(self, interface: Interface, database: Database) -> None:
        self.interface = interface
        self.nodes: dict[str, ProcessNode] = {}
        self.lateness = Lateness(limit_ns=interface.late_ns)
        self.findings: list[str] = []
        self.sent_count = 0
        self.received_count = 0
        self.figures: dict[str, CycleFigures] = {}
        """Of cyclic messages that came in, by name."""
        self._strangers: dict[str, Message] = {}
        """Messages that came in and are sent by nodes simulated here, by name."""
        self._database = database
        self._messages = {
            (each.arbitration_id, each.is_extended_id): each for each in database.messages
        }
        self._echoes = EchoFilter()
        self._bus: can.BusABC | None = interface.opened()
        weakref.finalize(self, self._bus.shutdown)
        self._anchor: tuple[int, int] | None = None
        """Clock and virtual time of the first power on."""

    def has_room(self, node: str, database: Database) -> bool:
        """Whether a place can join: of the same network, and before the run has ended."""
        return self._bus is not None and self._database is database and node not in self.nodes

    @property
    def leader(self) -> ProcessNode:
        """The node that paces, and hears the bus for all of them."""
        return next(iter(self.nodes.values()))

    def close(self) -> None:
        """Let the interface go."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.shutdown()

    def start(self, now_ns: int) -> None:
        """A node is powered on; the clock is anchored by the first."""
        if self._anchor is None:
            self._anchor = time.monotonic_ns(), now_ns

    def exchange(self, now_ns: int) -> None:
        """Take in what comes until `now_ns` is due on the clock on the wall."""
        assert self._anchor is not None
        due_ns = self._anchor[0] + now_ns - self._anchor[1]
        self.lateness.add(max(0, time.monotonic_ns() - due_ns))
        while self._bus is not None:
            wait_ns = max(0, due_ns - time.monotonic_ns())
            message = self._bus.recv(wait_ns / NS_PER_S)
            if message is None and not wait_ns:
                return
            for _ in range(MESSAGES_AT_ONCE):
                if message is None:
                    break
                self._take_in(message)
                message = self._bus.recv(0)
            if time.monotonic_ns() >= due_ns:
                return

    def hand_out(self, frame: Frame, now_ns: int) -> None:
        """A frame was on the bus: it goes out, unless it came from there."""
        message = self._message_of(frame)
        if self._bus is None or (message and any(each in self.nodes for each in message.senders)):
            return
        try:
            self._bus.send(message_of(Received(now_ns, frame, False), None))
        except (can.CanError, OSError, ValueError) as error:
            self.find(f"{self.interface.spec} refused a frame: {error}")
            return
        self._echoes.sent(frame, time.monotonic_ns())
        self.sent_count += 1

    def _take_in(self, message: can.Message) -> None:
        if message.is_error_frame:
            return
        clock_ns = time.monotonic_ns()
        try:
            frame = frame_of(message)
            if self._echoes.is_echo(frame, clock_ns):
                return
            self.received_count += 1
            found = self._message_of(frame)
            self._sender_of(found).send(frame)
        except UsageError as error:
            self.find(f"foreign message 0x{message.arbitration_id:03X} was not taken: {error}")
            return
        if found is not None and found.cycle_time_ns is not None:
            figures = self.figures.get(found.name)
            if figures is None:
                figures = self.figures[found.name] = CycleFigures(
                    name=found.name, incoming=True, nominal_ns=found.cycle_time_ns
                )
            figures.add(clock_ns)

    def _sender_of(self, message: Message | None) -> ProcessNode:
        """The place that sends a message from outside."""
        if message is not None:
            for name in message.senders:
                if name in self.nodes:
                    return self.nodes[name]
            self._strangers[message.name] = message
        return self.leader

    def _message_of(self, frame: Frame) -> Message | None:
        return self._messages.get((frame.arbitration_id, frame.header.is_extended_id))

    def find(self, text: str) -> None:
        """Note what is wrong, once."""
        if text not in self.findings:
            self.findings.append(text)

    def judge(self, name: str, started_ns: int, now_ns: int) -> Iterator[str]:
        """What is wrong with the messages of a place."""
        for message in self._database.sent_by(name):
            cycle_ns = message.cycle_time_ns
            if cycle_ns is None or now_ns - started_ns < 2 * cycle_ns + message.start_delay_ns:
                continue
            figures = self.figures.get(message.name)
            if figures is None:
                yield f"{message.name} never came from {self.interface.spec}"
            elif abs(figures.mean_ns - cycle_ns) > CYCLE_TOLERANCE_RATIO * cycle_ns:
                if figures.count > 2:
                    yield (
                        f"{message.name}: mean cycle time {figures.mean_ns / NS_PER_MS:.2f} ms "
                        f"over {figures.count} frames, expected {cycle_ns / NS_PER_MS:g} ms +- "
                        f"{100 * CYCLE_TOLERANCE_RATIO:g} %"
                    )

    def judge_itself(self) -> Iterator[str]:
        """What is wrong with the connection."""
        yield from self.findings
        if self._strangers:
            names = sorted({name for each in self._strangers.values() for name in each.senders})
            yield (
                f"{', '.join(self._strangers)} came from {self.interface.spec}, but "
                f"{', '.join(names) or 'nobody'} is simulated here: name that place as well, or "
                "take it off the other side"
            )
        lateness = self.lateness
        if lateness.late_count:
            yield (
                f"overload: {lateness.late_count} of {lateness.slice_count} slices more than "
                f"{lateness.limit_ns / NS_PER_MS:g} ms late, the worst "
                f"{lateness.worst_ns / NS_PER_MS:.1f} ms"
            )


class ProcessNode:
    """One place that is played from outside."""

    fixed_schedule = True
    in_real_time = True
    """Its frames keep the clock on the wall: COM-001 of its messages is not judged at SOF."""

    def __init__(self, name: str, link: Link) -> None:
        self.name = name
        self.link = link
        link.nodes[name] = self
        self._port: Port | None = None
        self._started_ns: int | None = None
        self._due_ns: int | None = None

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: virtual time is held to the clock from now on. No reset reaches outside."""
        self._port = port
        self._started_ns = now_ns if self._started_ns is None else self._started_ns
        self.link.start(now_ns)
        is_leader = self.link.leader is self
        port.accept(None if is_leader else ())
        self._due_ns = now_ns + DEFAULT_SLICE_NS if is_leader else None

    def send(self, frame: Frame) -> None:
        """A frame came from outside. Raises `UsageError` where the place cannot send it."""
        if self._port is not None:
            self._port.send(frame)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame goes out."""
        self.link.hand_out(frame, now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Wait for the clock on the wall; what comes in meanwhile is sent."""
        self.link.exchange(now_ns)
        self._due_ns = now_ns + DEFAULT_SLICE_NS

    def next_deadline_ns(self) -> int | None:
        """The next look at the interface."""
        return self._due_ns

    def ended(self, now_ns: int) -> Sequence[str]:
        """The run is over: what is wrong with the messages and with the connection."""
        link = self.link
        found: list[str] = []
        if self._started_ns is not None:
            found += link.judge(self.name, self._started_ns, now_ns)
        if link.leader is self:
            found += link.judge_itself()
        if self._port is not None:
            self._port.log(
                "note",
                f"{link.interface.spec}: {link.sent_count} frames out, {link.received_count} in, "
                f"worst lateness {link.lateness.worst_ns / NS_PER_MS:.1f} ms",
            )
        link.close()
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self._refuse_copy()

    def __reduce__(self) -> NoReturn:
        self._refuse_copy()

    def _refuse_copy(self) -> NoReturn:
        raise UsageError(
            f"fork or pickle of {self.name}",
            expected="modules that run in virtual time",
            got=f"a process on {self.link.interface.spec}",
        )


def _unusable(spec: str, got: str) -> InputError:
    return InputError(
        f"module under test {spec}",
        expected=f"{PREFIX}INTERFACE:CHANNEL, then :KEY=VALUE as often as needed",
        got=got,
    )
