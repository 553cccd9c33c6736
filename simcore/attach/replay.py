"""Playing a bus log onto a rig or onto bare buses, at the recorded times.

A frame is requested exactly where its start of frame was (`start_times`). On a bus where the same
frames met before, each starts at once, and the replay of a log of ours is the same frames at the
same times.

A frame's sender follows from the database. On a rig the log sits in the place of the node, as any
other module would, so its simulated ECU is off; frames nobody on that bus of the rig sends come
from a node `LOG`. Error frames are not played: what was destroyed was sent again, and that is in
the log.

Not here: reading logs (`log_reader`), what is printed about a replay (`simcore.cli.replay`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from simcore.attach.log_record import LogRecord
from simcore.attach.start_times import start_times
from simcore.bus import Bus, BusRecord, Controller, Frame
from simcore.errors import UsageError
from simcore.kernel import Priority
from simcore.rig import Bench
from simcore.units import format_ns

if TYPE_CHECKING:
    from simcore.ecu import Port
    from simcore.kernel import Scheduler
    from simcore.network import Database

STRANGER = "LOG"
"""Who sends what no node of the rig sends."""
_ECU = int(Priority.ECU)
_MessageKey: TypeAlias = tuple[str, str, int, bool]


class PlayedFrame(NamedTuple):
    """One frame of the log and where it goes."""

    request_ns: int
    """Start of frame that makes it end when the log says."""
    end_ns: int
    """End of frame by the log, in the time of the rig."""
    channel: str
    frame: Frame
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which frames of a log are played, and where.

    `under_test` names nodes whose frames are left out because they are simulated or real;
    `only_ids` and `only_nodes`, where given, narrow what is left. `channels` maps channels of the
    log to buses; without it a channel goes to the bus of its name, or of its number from 1.
    `from_first` moves time so that the first frame played starts at 0.
    """

    under_test: Collection[str] = ()
    only_ids: Collection[int] | None = None
    only_nodes: Collection[str] | None = None
    channels: Mapping[str, str] = field(default_factory=dict)
    from_first: bool = False


class Plan(tuple[PlayedFrame, ...]):
    """Frames in order of request; never changes, so forks share it."""

    __slots__ = ()

    def __copy__(self) -> Plan:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Plan:
        return self


class Outcome(NamedTuple):
    """How well the log came through."""

    exact_count: int
    """Ended in the very tick of the log: ns, or us where the log has no more."""
    shifted_count: int
    missing_count: int
    """Not on the bus when the rig was looked at."""
    worst_ns: int
    """Largest distance of an end from the recorded one."""


class LogNode:
    """A node that sends what a log says and hears nothing. One instance per place."""

    def __init__(self, frames: Sequence[PlayedFrame]) -> None:
        self._frames = Plan(frames)
        self._next = 0
        self._port: Port | None = None

    def start(self, port: Port, now_ns: int) -> None:
        """Take the port; what was due before now is not sent any more."""
        self._port = port
        port.accept(())
        while self._next < len(self._frames) and self._frames[self._next].request_ns < now_ns:
            self._next += 1

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A log answers nobody."""

    def on_timer(self, now_ns: int) -> None:
        """Request what is due."""
        assert self._port is not None
        while self._next < len(self._frames) and self._frames[self._next].request_ns <= now_ns:
            due = self._frames[self._next]
            self._next += 1
            self._port.send(due.frame, due.channel)

    def next_deadline_ns(self) -> int | None:
        """Start of the next frame."""
        if self._next >= len(self._frames):
            return None
        return self._frames[self._next].request_ns


class BusPlayer:
    """Sends frames through controllers of its own, for places no node of a rig has."""

    def __init__(
        self,
        scheduler: Scheduler,
        controllers: Mapping[tuple[str, str], Controller],
        frames: Sequence[PlayedFrame],
    ) -> None:
        self._scheduler = scheduler
        self._controllers = dict(controllers)
        self._frames = Plan(frames)
        self._next = 0
        self._post()

    def _post(self) -> None:
        if self._next < len(self._frames):
            self._scheduler.post(self._frames[self._next].request_ns, _ECU, self._send)

    def _send(self) -> None:
        now_ns = self._scheduler.now_ns
        while self._next < len(self._frames) and self._frames[self._next].request_ns <= now_ns:
            due = self._frames[self._next]
            self._next += 1
            self._controllers[due.channel, due.sender].send(due.frame)
        self._post()


class Replay:
    """A log on its way onto a rig or onto buses; scheduled when made.

    `frames` is what is played in order of request, `skipped` what is not: per reason, how many of
    which message. `resolution_ns` is the log's. Raises `UsageError` for names that do not exist,
    for frames that would have to start in the past, and for an empty selection of buses.
    """

    def __init__(
        self,
        target: Bench | Sequence[Bus],
        records: Iterable[LogRecord],
        *,
        choice: Choice | None = None,
        database: Database | None = None,
        resolution_ns: int = 1,
    ) -> None:
        rig = target if isinstance(target, Bench) else None
        self._buses = tuple(target.buses if isinstance(target, Bench) else target)
        if not self._buses:
            raise UsageError("Replay", expected="a rig or at least one bus")
        self._database = rig.database if rig is not None and database is None else database
        self._choice = choice if choice is not None else Choice()
        self._resolution_ns = resolution_ns
        self._rig_nodes = rig.nodes if rig is not None else ()
        self._require_names()
        self.skipped: dict[str, Counter[str]] = {}
        self.shift_ns = 0
        """Added to the times of the log."""
        self.frames = self._moved(sorted(self._chosen(tuple(records)), key=_by_request))
        scheduler = self._buses[0].scheduler
        if self.frames and self.frames[0].request_ns < scheduler.now_ns:
            raise UsageError(
                "Replay",
                expected=f"frames that start at {format_ns(scheduler.now_ns)} or later, "
                "or from_first",
                got=format_ns(self.frames[0].request_ns),
            )
        self._play(rig)

    @property
    def end_ns(self) -> int:
        """End of the last frame by the log, in the time of the rig; 0 where there is none."""
        return max((each.end_ns for each in self.frames), default=0)

    def outcome(self, seen: Iterable[BusRecord]) -> Outcome:
        """Compare what was on the buses with the log, frame by frame of each message."""
        on_bus: defaultdict[_MessageKey, list[BusRecord]] = defaultdict(list)
        for record in seen:
            on_bus[_key(record)].append(record)
        planned: defaultdict[_MessageKey, list[PlayedFrame]] = defaultdict(list)
        for frame in self.frames:
            planned[_key(frame)].append(frame)
        exact = shifted = missing = worst_ns = 0
        for key, frames in planned.items():
            found = [each for each in on_bus[key] if each.sof_ns >= frames[0].request_ns]
            missing += max(0, len(frames) - len(found))
            for frame, record in zip(frames, found, strict=False):
                off_ns = self._off_ns(frame, record)
                worst_ns = max(worst_ns, off_ns)
                exact += off_ns == 0
                shifted += off_ns != 0
        return Outcome(exact, shifted, missing, worst_ns)

    def _off_ns(self, frame: PlayedFrame, record: BusRecord) -> int:
        """Distance of the ends, 0 within one tick of the log."""
        tick_ns = self._resolution_ns
        log_ns, seen_ns = frame.end_ns - self.shift_ns, record.eof_ns - self.shift_ns
        return 0 if log_ns // tick_ns == seen_ns // tick_ns else abs(seen_ns - log_ns)

    # -- what is played -------------------------------------------------------------------------

    def _require_names(self) -> None:
        choice = self._choice
        if self._rig_nodes:
            named = {*choice.under_test, *(choice.only_nodes or ())}
            for name in sorted(named - {*self._rig_nodes, STRANGER}):
                raise UsageError(
                    "Replay", expected=f"one of {', '.join(self._rig_nodes)}", got=name
                )
        buses = [bus.name for bus in self._buses]
        for channel, bus in choice.channels.items():
            if bus not in buses:
                raise UsageError(
                    f"Replay, channel {channel}", expected=f"one of {', '.join(buses)}", got=bus
                )

    def _chosen(self, records: Sequence[LogRecord]) -> Iterator[PlayedFrame]:
        channels = {record.channel for record in records if record.frame is not None}
        bus_of = {channel: self._bus(channel, len(channels) == 1) for channel in channels}
        starts_ns = self._starts(records, bus_of)
        for index, record in enumerate(records):
            frame = record.frame
            if frame is None:
                self._skip(f"{record.kind.plural} are not played", str(record.kind))
                continue
            sender, name = self._sender(frame)
            bus = bus_of[record.channel]
            reason = self._why_not(record, frame, sender, bus)
            if reason or bus is None:
                self._skip(reason, name)
                continue
            if self._rig_nodes and all(sender != each.name for each in bus.controllers):
                sender = STRANGER  # a node of the rig, but not on this bus
            yield PlayedFrame(starts_ns[index], record.time_ns, bus.name, frame, sender)

    def _starts(
        self, records: Sequence[LogRecord], bus_of: Mapping[str, Bus | None]
    ) -> dict[int, int]:
        """Start of each frame that is on a bus here, chosen or not, by place in the log."""
        starts_ns: dict[int, int] = {}
        for bus in self._buses:
            places: list[int] = []
            ends: list[tuple[int, Frame]] = []
            for index, record in enumerate(records):
                if record.frame is not None and bus_of[record.channel] is bus:
                    places.append(index)
                    ends.append((record.time_ns, record.frame))
            times_ns = start_times(ends, bus.timing, self._resolution_ns)
            starts_ns.update(zip(places, times_ns, strict=True))
        return starts_ns

    def _why_not(self, record: LogRecord, frame: Frame, sender: str, bus: Bus | None) -> str:
        """Why a frame is not played; empty for one that is."""
        choice = self._choice
        if sender in choice.under_test:
            return f"{sender} is under test"
        if choice.only_ids is not None and frame.arbitration_id not in choice.only_ids:
            return "not among the chosen identifiers"
        if choice.only_nodes is not None and sender not in choice.only_nodes:
            return f"{sender} is not among the chosen nodes"
        if bus is None:
            return f"channel {record.channel} is no bus here"
        if frame.is_fd and not bus.carries_fd:
            return f"{bus.name} carries no CAN FD frames"
        return ""

    def _skip(self, reason: str, name: str) -> None:
        self.skipped.setdefault(reason, Counter())[name] += 1

    def _bus(self, channel: str, single: bool) -> Bus | None:
        name = self._choice.channels.get(channel, channel)
        for number, bus in enumerate(self._buses, start=1):
            if name in (bus.name, str(number)):
                return bus
        # One channel, one bus: there is nothing to mix up.
        return self._buses[0] if single and len(self._buses) == 1 else None

    def _sender(self, frame: Frame) -> tuple[str, str]:
        """Who sends a frame, and the message's name or its identifier."""
        identifier = f"0x{frame.arbitration_id:0{8 if frame.is_extended_id else 3}X}"
        if self._database is None:
            return STRANGER, identifier
        try:
            message = self._database.message(
                frame.arbitration_id, is_extended_id=frame.is_extended_id
            )
        except UsageError:
            return STRANGER, identifier
        known = self._rig_nodes or message.senders
        senders = [name for name in message.senders if name in known]
        return (senders[0] if senders else STRANGER), message.name

    def _moved(self, frames: list[PlayedFrame]) -> Plan:
        if self._choice.from_first and frames:
            self.shift_ns = shift_ns = -frames[0].request_ns
            frames = [
                each._replace(request_ns=each.request_ns + shift_ns, end_ns=each.end_ns + shift_ns)
                for each in frames
            ]
        return Plan(frames)

    # -- playing it -----------------------------------------------------------------------------

    def _play(self, rig: Bench | None) -> None:
        if rig is not None:
            for name in rig.nodes:
                if name not in self._choice.under_test:
                    rig.replace(name, LogNode([f for f in self.frames if f.sender == name]))
        rest = [each for each in self.frames if each.sender not in self._rig_nodes]
        if not rest:
            return
        buses = {bus.name: bus for bus in self._buses}
        places = dict.fromkeys((each.channel, each.sender) for each in rest)
        controllers = {
            (channel, sender): buses[channel].attach(sender) for channel, sender in places
        }
        BusPlayer(self._buses[0].scheduler, controllers, rest)


def _by_request(frame: PlayedFrame) -> int:
    return frame.request_ns


def _key(sent: PlayedFrame | BusRecord) -> _MessageKey:
    """Frames of one message from one sender on one bus stay in order."""
    frame = sent.frame
    return (sent.channel, sent.sender, frame.arbitration_id, frame.is_extended_id)
