"""Messages that arrive on two buses: copies eliminated, silent buses noticed.

A redundant message is sent on both buses as the same frame, with the same counter and checksum, in
the manner of IEEE 802.1CB (frame replication and elimination). `RedundantReception` feeds the copy
that comes first to the E2E check; the other copy only shows that its bus is alive, and one that
comes late is counted and never used. `LaneWatch` turns missing copies into detections: a sender
that is silent on one bus, or a bus that is lost. A lane is a bus by its place in `Port.channels`.
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.ecu.runtime.communication import DEADLINE_CYCLES, Reception
from simcore.ecu.runtime.trouble_code_rows import BUS_LOST, SENDER_SILENT
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Message
from simcore.protection import E2eStatus

BACK_AFTER_COPIES = 10
"""Copies in a row after which a silent lane counts as back."""
NO_LANE = -1
_COUNTER_BYTE = 2
_HALF_RANGE = 128
"""A counter up to this far behind is an old one, further it is a new one (serial arithmetic)."""
_OTHER = (1, 0)
_NEITHER = (NO_LANE, NO_LANE)
_NEVER_NS = -(1 << 62)
_OK = E2eStatus.OK
_OK_SOME_LOST = E2eStatus.OK_SOME_LOST
_check = Reception.receive


class RedundantReception(Reception):
    """A protected message as an ECU on both buses receives it."""

    __slots__ = (
        "_awaited",
        "_checked",
        "_copies",
        "_late_for_ns",
        "_missed",
        "_missed_lane",
        "_partner",
        "_watch",
        "heard_ns",
        "late_count",
        "silent_lane",
    )

    def __init__(
        self, message: Message, watch: LaneWatch, without: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(message, without)
        self._watch = watch
        self.heard_ns = [_NEVER_NS, _NEVER_NS]
        """When each lane last brought a frame of this message."""
        self.late_count = 0
        """Copies that came after a later frame, or once too often."""
        self.silent_lane = NO_LANE
        """The lane on which three frames in a row did not come, though they came on the other."""
        self._checked = b""
        self._awaited = NO_LANE
        """Where the copy of `_checked` is to come."""
        self._partner = _NEITHER
        """The other lane of each; neither, until the message has come on both."""
        self._missed = self._copies = 0
        self._missed_lane = NO_LANE
        self._late_for_ns = DEADLINE_CYCLES * (message.cycle_time_ns or 0)

    def receive(self, data: bytes, now_ns: int, lane: int = 0) -> None:
        """Check a payload that just arrived, unless its copy has been checked already."""
        if lane == self._awaited and data == self._checked:
            self._awaited = NO_LANE
            self.heard_ns[lane] = now_ns
            if self._missed:
                self._copy_came()
            return
        if lane != self.lane and self._is_old(data, lane, now_ns):
            self.heard_ns[lane] = now_ns
            return
        self.heard_ns[lane] = now_ns
        _check(self, data, now_ns)
        status = self.status
        if status is _OK or status is _OK_SOME_LOST:
            if self._awaited != NO_LANE:
                self._copy_is_missing()
            self.lane = lane
            self._checked = data
            self._awaited = self._partner[lane]

    def _is_old(self, data: bytes, lane: int, now_ns: int) -> bool:
        """Whether the lane that was slower brings what has been seen, or something older.

        A counter that is behind means nothing once the faster lane has been silent for three
        cycles: then it is a sender that began anew.
        """
        checker, seen = self._checker, self._checked
        if not seen or checker is None:
            return False
        if data == seen and self._partner is _NEITHER:
            self._partner = _OTHER
            return True
        if len(data) <= _COUNTER_BYTE or now_ns - self.heard_ns[self.lane] > self._late_for_ns:
            return False
        if (checker.counter - data[_COUNTER_BYTE]) & 0xFF >= _HALF_RANGE:
            return False
        self.late_count += 1
        return True

    def _copy_is_missing(self) -> None:
        lane = self._awaited
        if lane != self._missed_lane:
            self._missed_lane = lane
            self._missed = 0
            self._set_silent(NO_LANE)
        self._missed += 1
        self._copies = 0
        if self._missed == DEADLINE_CYCLES:
            self._set_silent(lane)

    def _copy_came(self) -> None:
        self._copies += 1
        if self.silent_lane == NO_LANE or self._copies >= BACK_AFTER_COPIES:
            self._missed = 0
            self._set_silent(NO_LANE)

    def _set_silent(self, lane: int) -> None:
        if lane != self.silent_lane:
            self.silent_lane = lane
            self._watch.changed = True


class LaneWatch:
    """What one ECU on two buses knows about them. `look` from a periodic task while `changed`."""

    __slots__ = ("_port", "_receptions", "_silent", "changed", "codes", "lost")

    def __init__(self, port: Port) -> None:
        self._port = port
        self.codes: TroubleCodeReports = NO_TROUBLE_CODES
        self._receptions: list[RedundantReception] = []
        self._silent: tuple[set[str], set[str]] = (set(), set())
        """Per lane: senders reported silent on it."""
        self.changed = False
        """A reception lost or found a lane, and the reason is not known yet."""
        self.lost = [False, False]

    def receives(
        self, message: Message, without: frozenset[str] = frozenset()
    ) -> RedundantReception:
        """A reception under watch."""
        reception = RedundantReception(message, self, without)
        self.watches(reception)
        return reception

    def watches(self, reception: RedundantReception) -> None:
        """Watch a reception that was made elsewhere."""
        self._receptions.append(reception)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the two buses."""
        return self._port.channels

    @property
    def impaired_lane(self) -> int:
        """The lane that is lost or on which a sender is silent, `NO_LANE` for none."""
        for lane in (0, 1):
            if self.lost[lane] or self._silent[lane]:
                return lane
        return NO_LANE

    def look(self, now_ns: int) -> None:
        """Find out why lanes are silent: one sender, or the whole bus."""
        self.changed = False
        for lane in (0, 1):
            silent = [each for each in self._receptions if each.silent_lane == lane]
            newest_ns = max(each.heard_ns[lane] for each in self._receptions)
            lost = bool(silent) and now_ns - newest_ns >= self._lost_after_ns()
            if lost != self.lost[lane]:
                self.lost[lane] = lost
                self._log(f"{self._port.channels[lane]} {'lost' if lost else 'back'}")
                self.codes.test(BUS_LOST[lane], lost, now_ns)
            if not lost:
                self._look_at_senders(lane, silent, newest_ns)
                self.codes.test(SENDER_SILENT[lane], bool(self._silent[lane]), now_ns)

    def _look_at_senders(
        self, lane: int, silent: Sequence[RedundantReception], newest_ns: int
    ) -> None:
        """A sender is silent when its bus goes on without it for three of its cycles."""
        known = self._silent[lane]
        silent_senders: set[str] = set()
        for reception in silent:
            sender = ", ".join(reception.message.senders)
            cycle_ns = reception.message.cycle_time_ns or 0
            behind_ns = newest_ns - reception.heard_ns[lane]
            if sender in known or behind_ns >= DEADLINE_CYCLES * cycle_ns:
                silent_senders.add(sender)
            else:
                self.changed = True  # not told apart yet: look again
        for sender in sorted(silent_senders - known):
            self._log(f"{sender} silent on {self._port.channels[lane]}")
        for sender in sorted(known - silent_senders):
            self._log(f"{sender} back on {self._port.channels[lane]}")
        known.clear()
        known.update(silent_senders)

    def _lost_after_ns(self) -> int:
        cycles_ns = [each.message.cycle_time_ns or 0 for each in self._receptions]
        return DEADLINE_CYCLES * min(cycles_ns)

    def _log(self, text: str) -> None:
        self._port.log("detection", text)
