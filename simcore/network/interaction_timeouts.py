"""Reception timeouts of signals, by `GenSigTimeoutTime_<node>`. Sans-IO.

A signal times out when no frame of its message has come for its time (MICROSAR COM attribute
description; AUTOSAR SWS COM, reception deadline monitoring); the first one counts from `start`
[interpretation]. Every frame of the message renews all its signals, multiplexed ones too: there
are no update bits in a DBC. A frame that arrives at the very instant of the deadline is in time.

`GenSigTimeoutTime` without a node holds for every receiver of the signal. Tools cut attribute names
to 32 characters: a cut node name counts for the one node that begins so. 0 is no monitoring.

Not here: whether a frame is usable (E2E); who hands only usable ones on monitors just those.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from simcore.errors import InputError, UsageError
from simcore.network.database import Database
from simcore.network.messages import Message, Signal
from simcore.units import NS_PER_MS

ATTRIBUTE = "GenSigTimeoutTime"
NAME_LENGTH_MIN = 31
"""From this length on an attribute's name may have been cut."""


@dataclass(frozen=True, slots=True)
class SignalTimeout:
    """A signal that timed out, and exactly when."""

    message: str
    signal: str
    at_ns: int


def timeouts_of(database: Database, node: str) -> dict[Message, dict[str, int]]:
    """Timeout in ns by signal name, per message that `node` monitors.

    Raises `InputError` for a time that is none, `UsageError` for an unknown node.
    """
    database.received_by(node)  # refuses an unknown node
    found: dict[Message, dict[str, int]] = {}
    for message in database.messages:
        times_ns = {s.name: _timeout_ns(message, s, node) for s in message.signals}
        monitored = {name: time_ns for name, time_ns in times_ns.items() if time_ns}
        if monitored:
            found[message] = monitored
    return found


def _timeout_ns(message: Message, signal: Signal, node: str) -> int:
    for attribute, value in signal.attributes.items():
        if not value or not attribute.startswith(ATTRIBUTE):
            continue
        owner = attribute[len(ATTRIBUTE) + 1 :]
        is_cut = len(attribute) >= NAME_LENGTH_MIN and node.startswith(owner)
        if owner == node or (owner and is_cut) or (not owner and node in signal.receivers):
            is_number = isinstance(value, (int, float)) and 0 <= value < float("inf")
            time_ns = value * NS_PER_MS if is_number and not isinstance(value, str) else -1
            if time_ns < 0 or time_ns != int(time_ns):
                raise InputError(
                    f"message {message.label}, signal {signal.name}, {attribute}",
                    expected="a time in ms, 0 or more",
                    got=repr(value),
                    file=message.database.name,
                )
            if time_ns:
                return int(time_ns)
    return 0


class SignalTimeouts:
    """Monitors the signals that one node receives.

    `received` per frame, `on_timer` when `next_deadline_ns` has come: it returns what timed out
    since, in order of time. The deadline may be early, since a frame only moves it when it comes.
    """

    __slots__ = ("_heap", "_last_ns", "_rows", "_waiting", "node")

    def __init__(self, database: Database, node: str) -> None:
        self.node = node
        self._rows: list[tuple[str, str, int]] = []
        """Message, signal, timeout."""
        for message, times_ns in timeouts_of(database, node).items():
            self._rows += [(message.name, name, time_ns) for name, time_ns in times_ns.items()]
        self._last_ns: dict[str, int] = {}
        self._heap: list[tuple[int, int]] = []
        self._waiting: dict[str, list[int]] = {}
        """Rows that have timed out, by message."""

    @property
    def timed_out(self) -> tuple[tuple[str, str], ...]:
        """(message, signal) of everything that is timed out now, in database order."""
        rows = sorted(row for rows in self._waiting.values() for row in rows)
        return tuple(self._rows[row][:2] for row in rows)

    def start(self, now_ns: int) -> None:
        """Begin monitoring; every signal has its whole time from now on."""
        self._last_ns = dict.fromkeys((message for message, _, _ in self._rows), now_ns)
        self._waiting = {}
        self._heap = [(now_ns + row[2], index) for index, row in enumerate(self._rows)]
        heapify(self._heap)

    def received(self, message: str, now_ns: int) -> None:
        """A frame of `message` came; one that is not monitored is no matter."""
        if message not in self._last_ns:
            return
        if now_ns < self._last_ns[message]:
            raise UsageError(
                f"reception of {message}",
                expected=f"a time not before {self._last_ns[message]} ns",
                got=f"{now_ns} ns",
            )
        self._last_ns[message] = now_ns
        for index in self._waiting.pop(message, ()):
            self._heap.append((now_ns + self._rows[index][2], index))
            heapify(self._heap)

    def on_timer(self, now_ns: int) -> tuple[SignalTimeout, ...]:
        """What timed out up to `now_ns`."""
        found: list[SignalTimeout] = []
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            deadline_ns, index = heap[0]
            message, signal, timeout_ns = self._rows[index]
            renewed_ns = self._last_ns[message] + timeout_ns
            if renewed_ns > deadline_ns:
                heapreplace(heap, (renewed_ns, index))
                continue
            heappop(heap)
            self._waiting.setdefault(message, []).append(index)
            found.append(SignalTimeout(message, signal, deadline_ns))
        return tuple(found)

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` at the latest; `None` while nothing can time out."""
        return self._heap[0][0] if self._heap else None
