"""`Bridge`: a rig in real time on any python-can interface, as a hardware-in-the-loop bench is.

Frames of the simulated nodes go out when they are valid on the simulated bus; foreign frames come
in as frames of the nodes that are outside and contend there like all others. One thread does both.
A real bus has arbitrated and timed a foreign frame already, so it is late by its own length.

How late virtual time ran, how evenly cyclic messages went out and came in, and what was not right
is in the `BridgeReport`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import can

from simcore.attach.echo import EchoFilter
from simcore.attach.endpoint import Endpoint
from simcore.attach.message import frame_of, message_of
from simcore.attach.outside import take_over
from simcore.attach.pace import DEFAULT_LATE_NS, DEFAULT_SLICE_NS, Lateness, Pace
from simcore.bus import Bus, Frame
from simcore.errors import UsageError
from simcore.network import Message
from simcore.rig import Bench
from simcore.units import NS_PER_MS, NS_PER_S

NODE_NAME = "BRIDGE"
MESSAGES_AT_ONCE = 64
"""Foreign messages taken in a row before the simulation gets its turn."""


@dataclass(slots=True, kw_only=True)
class CycleFigures:
    """Distances between the frames of one cyclic message, on the clock on the wall."""

    name: str
    incoming: bool
    nominal_ns: int
    count: int = 0
    """Frames so far."""
    min_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0
    last_ns: int = 0

    def add(self, clock_ns: int) -> None:
        """One more frame."""
        if self.count:
            cycle_ns = clock_ns - self.last_ns
            self.min_ns = min(self.min_ns, cycle_ns) if self.count > 1 else cycle_ns
            self.max_ns = max(self.max_ns, cycle_ns)
            self.sum_ns += cycle_ns
        self.count += 1
        self.last_ns = clock_ns

    @property
    def mean_ns(self) -> float:
        """Mean distance, 0 before there are two frames."""
        return self.sum_ns / (self.count - 1) if self.count > 1 else 0.0

    @property
    def jitter_ns(self) -> int:
        """The largest deviation from the nominal cycle time."""
        if self.count < 2:
            return 0
        return max(abs(self.min_ns - self.nominal_ns), abs(self.max_ns - self.nominal_ns))


@dataclass(slots=True, kw_only=True)
class BridgeReport:
    """What a bridge did."""

    lateness: Lateness
    duration_ns: int = 0
    """Virtual time covered."""
    sent_count: int = 0
    """Frames handed to the foreign interface."""
    refused_count: int = 0
    """Frames it refused."""
    received_count: int = 0
    """Frames that came from it."""
    echo_count: int = 0
    """The bridge's own frames that the interface handed back; not among `received_count`."""
    error_frame_count: int = 0
    """Error frames among them; they stay outside."""
    cycles: dict[tuple[int, bool, bool], CycleFigures] = field(default_factory=dict)
    """By arbitration_id, is_extended_id, incoming."""
    findings: list[str] = field(default_factory=list)

    @property
    def overloaded(self) -> bool:
        """Whether virtual time fell behind real time by more than the limit."""
        return self.lateness.late_count > 0


class Bridge:
    """Joins one bus of a rig to `foreign`. The rig must not be run by anybody else meanwhile.

    The simulated ECUs of the nodes in `outside` are switched off. `on_late` is called with the
    lateness in ns while the machine does not keep up, at most once per second.
    """

    def __init__(
        self,
        rig: Bench,
        foreign: can.BusABC,
        *,
        bus: Bus | None = None,
        outside: Sequence[str] = (),
        slice_ns: int = DEFAULT_SLICE_NS,
        late_ns: int = DEFAULT_LATE_NS,
        on_late: Callable[[int], object] | None = None,
    ) -> None:
        self._rig = rig
        self._foreign = foreign
        self._bus = rig.buses[0] if bus is None else bus
        self._outside = tuple(outside)
        senders = take_over(rig, self._bus, self._outside)
        self._endpoint = Endpoint(self._bus, NODE_NAME, senders=senders, receives_errors=False)
        self._messages = {
            (message.arbitration_id, message.is_extended_id): message
            for message in rig.database.messages
        }
        self._slice_ns = slice_ns
        self._late_ns = late_ns
        self._on_late = on_late
        self._report = BridgeReport(lateness=Lateness(limit_ns=late_ns))
        self._echoes = EchoFilter()
        self._said: set[str] = set()

    def run(self, duration_s: float | None = None) -> BridgeReport:
        """Join until `duration_s` of real time have passed; `None`: until interrupted.

        `KeyboardInterrupt` ends it like the end of its time.
        """
        pace = Pace(
            self._rig.scheduler,
            slice_ns=self._slice_ns,
            late_ns=self._late_ns,
            on_late=self._on_late,
        )
        report = self._report
        report.lateness = pace.lateness
        started_ns = self._rig.now_ns
        clock_ns = time.monotonic_ns()
        end_ns = None if duration_s is None else clock_ns + round(duration_s * NS_PER_S)
        try:
            while end_ns is None or time.monotonic_ns() < end_ns:
                self._turn(pace)
        except KeyboardInterrupt:
            pass
        except can.CanError as error:
            self._find(f"the foreign interface broke: {error}")
        finally:
            self._endpoint.close()
        report.duration_ns = self._rig.now_ns - started_ns
        self._judge()
        return report

    def _turn(self, pace: Pace) -> None:
        """Wait for a foreign message or for the next slice; bring both sides up to now."""
        message = self._foreign.recv(pace.wait_s())
        pace.advance()
        for _ in range(MESSAGES_AT_ONCE):
            if message is None:
                break
            self._take_in(message)
            message = self._foreign.recv(0)
        self._hand_out()

    def _take_in(self, message: can.Message) -> None:
        clock_ns = time.monotonic_ns()
        report = self._report
        report.received_count += 1
        if message.is_error_frame:
            report.error_frame_count += 1
            return
        try:
            frame = frame_of(message)
            if self._echoes.is_echo(frame, clock_ns):
                report.received_count -= 1
                report.echo_count += 1
                return
            self._require_outside(frame)
            self._endpoint.send(frame)
        except UsageError as error:
            self._find(f"foreign message 0x{message.arbitration_id:03X} was not taken: {error}")
            return
        self._count_cycle(frame, clock_ns, incoming=True)

    def _require_outside(self, frame: Frame) -> None:
        """Say it once where a simulated node sends the same message: then two nodes do."""
        message = self._messages.get((frame.arbitration_id, frame.header.is_extended_id))
        if message is None:
            return
        inside = [name for name in message.senders if name not in self._outside]
        if inside and self._endpoint.controller_for(frame) is self._endpoint.controller:
            self._find(
                f"{message.name} comes from outside, but {', '.join(inside)} is simulated here: "
                f"name it as outside, or take it off the other side"
            )

    def _hand_out(self) -> None:
        while (received := self._endpoint.take()) is not None:
            frame = received.content
            if not isinstance(frame, Frame):
                continue
            try:
                self._foreign.send(message_of(received, None))
            except (can.CanError, OSError) as error:
                self._report.refused_count += 1
                self._find(f"the foreign interface refused a frame: {error}")
                continue
            clock_ns = time.monotonic_ns()
            self._echoes.sent(frame, clock_ns)
            self._report.sent_count += 1
            self._count_cycle(frame, clock_ns, incoming=False)

    def _count_cycle(self, frame: Frame, clock_ns: int, *, incoming: bool) -> None:
        key = (frame.arbitration_id, frame.header.is_extended_id, incoming)
        figures = self._report.cycles.get(key)
        if figures is None:
            message = self._messages.get(key[:2])
            if message is None or message.cycle_time_ns is None:
                return
            figures = self._report.cycles[key] = CycleFigures(
                name=message.name, incoming=incoming, nominal_ns=message.cycle_time_ns
            )
        figures.add(clock_ns)

    def _judge(self) -> None:
        """Findings about the whole run."""
        report = self._report
        heard = {figures.name for figures in report.cycles.values() if figures.incoming}
        for name in self._outside:
            missing = [
                message.name
                for message in self._rig.database.sent_by(name)
                if _expected(message, report.duration_ns) and message.name not in heard
            ]
            if missing:
                self._find(f"{name} is outside and never sent {', '.join(missing)}")
        lateness = report.lateness
        if report.overloaded:
            self._find(
                f"overload: {lateness.late_count} of {lateness.slice_count} slices more than "
                f"{lateness.limit_ns / NS_PER_MS:g} ms late, the worst "
                f"{lateness.worst_ns / NS_PER_MS:.1f} ms"
            )
        for finding in self._rig.log.findings:
            self._find(f"{finding.source}: {finding.text}")

    def _find(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._report.findings.append(text)


def _expected(message: Message, duration_ns: int) -> bool:
    """Whether a cyclic message should have been seen in a run of this length."""
    cycle_ns = message.cycle_time_ns
    return cycle_ns is not None and 2 * cycle_ns + message.start_delay_ns < duration_ns
