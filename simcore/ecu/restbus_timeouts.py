"""Reception timeouts of a restbus node: what the module under test owes the others.

`network.interaction_timeouts` has the rules and the machine. Here a timeout becomes an event of
kind `detection` of the node that misses the signals, and the frame that ends it one of kind `note`.
A line of the node's agenda like a message, but one that sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from simcore.bus import Frame
from simcore.ecu.restbus_agenda import NEVER_NS
from simcore.ecu.seam import Port
from simcore.network import Database, Message
from simcore.network.interaction_timeouts import SignalTimeouts, timeouts_of
from simcore.units import format_ns


class TimeoutWatch:
    """Monitors those of the `monitored` messages for which the database gives a timeout."""

    __slots__ = ("_machine", "_names", "_port", "_times_ns", "armed_ns", "identifiers")

    _port: Port

    def __init__(self, node: str, database: Database, monitored: Iterable[Message]) -> None:
        wanted = set(monitored)
        times_ns = timeouts_of(database, node) if wanted else {}
        watched = [message for message in times_ns if message in wanted]
        self._names = {(m.arbitration_id, m.is_extended_id): m.name for m in watched}
        self._times_ns = {message.name: times_ns[message] for message in watched}
        self._machine = SignalTimeouts(database, node) if watched else None
        self.identifiers = tuple(message.arbitration_id for message in watched)
        """What to accept; empty where nothing is monitored."""
        self.armed_ns = NEVER_NS

    def begin(self, port: Port, now_ns: int) -> None:
        """Every signal has its whole time from now on."""
        self._port = port
        if self._machine is not None:
            self._machine.start(now_ns)
        self.arm()

    def received(self, frame: Frame, now_ns: int) -> bool:
        """A frame came; whether it ended a timeout, which makes an earlier deadline possible."""
        name = self._names.get((frame.arbitration_id, frame.is_extended_id))
        machine = self._machine
        if name is None or machine is None:
            return False
        back = [signal for message, signal in machine.timed_out if message == name]
        machine.received(name, now_ns)
        if back:
            self._port.log("note", f"{name} is back: {', '.join(back)}")
        return bool(back)

    def advance(self, now_ns: int) -> bool:
        """Tell what timed out; sends nothing."""
        assert self._machine is not None
        missed: dict[tuple[str, int], list[str]] = {}
        for each in self._machine.on_timer(now_ns):
            times_ns = self._times_ns.get(each.message)
            if times_ns is not None:
                time_ns = times_ns[each.signal]
                missed.setdefault((each.message, time_ns), []).append(each.signal)
        for (message, time_ns), signals in missed.items():
            text = f"no {message} for {format_ns(time_ns)}: {', '.join(signals)} timed out"
            self._port.log("detection", text)
        self.arm()
        return False

    def arm(self) -> None:
        """Follow the machine."""
        deadline_ns = None if self._machine is None else self._machine.next_deadline_ns()
        self.armed_ns = NEVER_NS if deadline_ns is None else deadline_ns

    def transmit(self, now_ns: int) -> None:
        """Never called: `advance` sends nothing."""
