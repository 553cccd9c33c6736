"""The communication stack: one `Reception` per received, one `Transmission` per sent message.

Reception is last-is-best: a frame is checked when it arrives (E2E profile, E2E state machine) and,
if usable, replaces the data the tasks read. A frame that fails its check changes nothing a task
reads (COM-002). A cycle without a frame counts as NO_NEW_DATA in the state machine; independently
of it, data older than `DEADLINE_CYCLES` cycles is timed out (COM-003).

Either can be left out, see `simcore.ecu.mechanisms`: without `e2e` any payload of the right length
is taken; without `deadline` nobody notices that frames are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from simcore.bus import Frame
from simcore.ecu.runtime.unchecked import AlwaysValid, LengthOnly
from simcore.ecu.seam import Port
from simcore.network import Message
from simcore.protection import (
    E2eSender,
    E2eState,
    E2eStatus,
    e2e_receiver,
    e2e_sender,
    e2e_state_machine,
)

DEADLINE_CYCLES = 3
"""Cycles without usable data after which a message is timed out, COM-003."""

CAUSES = ("crc", "repeated", "sequence", "no_new_data", "timeout", "length", "arrival")
"""Keys of `Reception.counts`: what a reception can find wrong."""

_CAUSE_OF = {
    E2eStatus.ERROR: "crc",
    E2eStatus.REPEATED: "repeated",
    E2eStatus.WRONG_SEQUENCE: "sequence",
    E2eStatus.NO_NEW_DATA: "no_new_data",
}
_OK = E2eStatus.OK
_OK_SOME_LOST = E2eStatus.OK_SOME_LOST
_VALID = E2eState.VALID
_NEVER_NS = 1 << 62


class Checker(Protocol):
    """What a reception needs of the E2E check: an `E2eReceiver`, or one behind SecOC."""

    @property
    def counter(self) -> int:
        """Counter of the last frame."""

    def check(self, data: bytes) -> E2eStatus:
        """Status of one received payload."""

    def no_new_data(self) -> E2eStatus:
        """Status of a cycle in which nothing arrived."""


class Machine(Protocol):
    """What a reception needs of the E2E state machine."""

    @property
    def state(self) -> E2eState:
        """VALID while data may be used."""

    @property
    def saturated(self) -> bool:
        """Whether one more OK changes nothing."""

    def step(self, status: E2eStatus) -> E2eState:
        """Take one check status and return the new state."""


class Reception:
    """A message as one ECU receives it: checked, monitored, last usable payload kept."""

    __slots__ = (
        "_checker",
        "_cycle_ns",
        "_grace_ns",
        "_lifetime_ns",
        "_machine",
        "counts",
        "data",
        "expected_ns",
        "lane",
        "message",
        "received_ns",
        "rejected_count",
        "status",
        "timeout_ns",
        "updated_ns",
        "valid_until_ns",
    )

    def __init__(self, message: Message, without: frozenset[str] = frozenset()) -> None:
        self.message = message
        self.valid_until_ns = -1
        """`data` may be used up to this time; -1 while it may not."""
        self.data = b""
        """Last usable payload; empty until there is one."""
        self.updated_ns: int | None = None
        """When `data` arrived."""
        self.received_ns: int | None = None
        """When anything with this identifier last arrived, usable or not."""
        self.status = E2eStatus.NO_NEW_DATA
        self.lane = 0
        """The bus that brought the last usable frame, by its place in `Port.channels`."""
        self.rejected_count = 0
        self.counts = dict.fromkeys(CAUSES, 0)
        """How often each cause of `CAUSES` was found. `timeout` counts losses, the rest frames
        or, for `no_new_data`, cycles."""
        cycle_ns = message.cycle_time_ns
        self.timeout_ns = None if cycle_ns is None else DEADLINE_CYCLES * cycle_ns
        self.expected_ns = -1
        """When the next frame is overdue and `monitor` has something to do; -1 at power on."""
        # Half a cycle of grace before the next one is missed; event messages never are.
        self._cycle_ns = None if "deadline" in without else cycle_ns
        self._grace_ns = self._lifetime_ns = _NEVER_NS
        if self._cycle_ns is not None:
            self._grace_ns = self._cycle_ns + self._cycle_ns // 2
            self._lifetime_ns = DEADLINE_CYCLES * self._cycle_ns
        self._checker: Checker | None = None
        self._machine: Machine | None = None
        if message.e2e is not None:
            self._checker = checker_of(message, message.length, without)
            self._machine = AlwaysValid() if "e2e" in without else e2e_state_machine(message.e2e)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Check a payload that just arrived and keep it if it is usable.

        `lane` says which of the node's buses it came on; here it makes no difference.
        """
        self.received_ns = now_ns
        self.expected_ns = now_ns + self._grace_ns
        checker = self._checker
        if checker is None or self._machine is None:
            if len(data) == self.message.length:
                self._keep(data, now_ns)
            else:
                self.rejected_count += 1
                self.counts["length"] += 1
            return
        status = self.status = checker.check(data)
        machine = self._machine
        if (machine.saturated and status is _OK) or machine.step(status) is _VALID:
            if status is _OK or status is _OK_SOME_LOST:
                self.data = data
                self.updated_ns = now_ns
                self.valid_until_ns = now_ns + self._lifetime_ns
                return
        else:
            self.valid_until_ns = -1
        if status is not _OK:
            self._reject(status, len(data))

    def _reject(self, status: E2eStatus, length: int) -> None:
        self.rejected_count += 1
        cause = _CAUSE_OF.get(status)
        if cause is not None:
            self.counts["length" if length != self.message.length else cause] += 1

    def _keep(self, data: bytes, now_ns: int) -> None:
        self.data = data
        self.updated_ns = now_ns
        self.valid_until_ns = now_ns + self._lifetime_ns

    def monitor(self, now_ns: int) -> None:
        """Count the cycles that passed without a frame. Called from a periodic task."""
        expected_ns = self.expected_ns
        if expected_ns < 0:  # since power on: the first frame is due within its own grace
            self.expected_ns = now_ns + self._grace_ns
            return
        if now_ns <= expected_ns or self._cycle_ns is None:
            return
        if 0 <= self.valid_until_ns < now_ns:
            self.valid_until_ns = -1
            self.counts["timeout"] += 1
        while expected_ns < now_ns:
            expected_ns += self._cycle_ns
            self.counts["no_new_data"] += 1
            if self._machine is not None:
                assert self._checker is not None
                self.status = self._checker.no_new_data()
                if self._machine.step(self.status) is not _VALID:
                    self.valid_until_ns = -1
        self.expected_ns = expected_ns

    def usable(self, now_ns: int) -> bool:
        """Whether `data` may be used now: stream valid and not timed out."""
        return now_ns <= self.valid_until_ns

    @property
    def counter(self) -> int:
        """Sequence counter of the last frame whose checksum was right; 0 without E2E."""
        return 0 if self._checker is None else self._checker.counter

    @property
    def state(self) -> E2eState | None:
        """State of the E2E machine, `None` for an unprotected message."""
        return None if self._machine is None else self._machine.state


def checker_of(message: Message, length: int, without: frozenset[str]) -> Checker:
    """The E2E check of a protected message over `length` bytes."""
    assert message.e2e is not None
    return LengthOnly(length) if "e2e" in without else e2e_receiver(message.e2e, length)


class _Muted:
    """The port of a message that is stopped: nothing goes out."""

    __slots__ = ("_port",)

    def __init__(self, port: Port) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling look for dunders before there is a port to ask.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._port, name)

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Nothing."""


class Transmission:
    """A message as one ECU sends it: packed, protected, handed to the controller."""

    __slots__ = ("_pack", "_port", "_sender", "_stopped", "_template", "channel", "message")

    def __init__(self, message: Message, port: Port, pack: Callable[[int], bytes]) -> None:
        self.message = message
        self.channel: str | None = None
        self._port = port
        self._pack = pack
        self._template = Frame(
            message.arbitration_id,
            bytes(message.length),
            is_extended_id=message.is_extended_id,
            is_fd=message.is_fd,
            bitrate_switch=message.bitrate_switch,
        )
        self._sender: E2eSender | None = None
        self._stopped: tuple[Port, E2eSender | None] | None = None
        """What sends, while nothing is to be sent."""
        if message.e2e is not None:
            self._sender = e2e_sender(message.e2e, message.length)

    def set_sending(self, sending: bool) -> None:
        """Send from now on, or only pack: the E2E counter of a stopped message stands still."""
        if sending is (self._stopped is None):
            return
        if self._stopped is None:
            self._stopped = self._port, self._sender
            self._port, self._sender = cast("Port", _Muted(self._port)), None
        else:
            (self._port, self._sender), self._stopped = self._stopped, None

    def transmit(self, now_ns: int) -> None:
        """Pack the current values and request transmission."""
        data = self._pack(now_ns)
        sender = self._sender
        if sender is not None:
            data = sender.protect(data)
        self._port.send(self._template.with_data(data), self.channel)
