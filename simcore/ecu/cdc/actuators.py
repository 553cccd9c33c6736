"""Watching the four actuators: silent, late, failed, stuck, too weak, too strong.

An actuator is lost when its status is not usable (deadline or E2E, SAF-001) or comes ever later,
when it says so itself, or when its force does not follow the command. Lost is final until the
actuator reports in again without fault; a force fault until the next power cycle.

Force against command, over the status of every 5 ms (healthy brakes at most, from panic stop, ABS
on mu 0.1 to 0.8 and on split mu, pumping, release):

    screw and force do not move towards a far command     30 ms    (10 ms)  jam, free motor
    less than half of the lowest command since            80 ms    (50 ms)  weak or free motor
    far above the command and not falling                 30 ms    (10 ms)  jam, unintended clamp
    far above the highest command since                   80 ms    (50 ms)  anything else
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simcore.ecu.cdc.communication import (
    CORNERS,
    ECHO_OBEYS,
    ECHO_REJECTED,
    EMB_FAULT_FAILED,
    QUALITY_INVALID,
    QUALITY_VALID,
    emb_status_reader,
)
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.trouble_codes import ACTUATOR_KINDS, actuator_event, actuator_event_of
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import KMH_PER_MPS, NS_PER_MS

_ANEW_AFTER_NS = 300 * NS_PER_MS
_NONE_LOST = (False, False, False, False)
_ALL_LOST = (True, True, True, True)
_LATE = "late"
BEHIND_NS = 7 * NS_PER_MS
"""Half of what makes a status late: so much at nearly all senders at once is the own clock."""
_BEHIND_MIN = 3
_LIVELY_KMH = 4.0
"""A wheel that changes its speed by more from one status to the next is looked at: 220 m/s2."""
_JUMP_KMH = 25.0
"""More than the strongest brake (4.5 kNm) takes from a free wheel (1.2 kgm2) in a cycle of 5 ms."""
_REVERSALS = 4
"""So often up and down again, and each time lively, within `_REVERSALS_WITHIN_NS`: noise."""
_REVERSALS_WITHIN_NS = 200 * NS_PER_MS
_FRAMES_MAX = 3


class Actuator:
    """What the domain controller knows of one actuator."""

    __slots__ = (
        "_arrival",
        "_arrival_of",
        "_data",
        "_force_before_n",
        "_lively_kmh",
        "_reader",
        "_reversals",
        "_reversed_ns",
        "_seen_ns",
        "_self_reported",
        "_still_count",
        "_strong_since_ns",
        "_travel_before_um",
        "_travel_um",
        "_updated_ns",
        "_weak_since_ns",
        "_worst_n",
        "clamp_force_n",
        "direction",
        "force_fault",
        "fresh",
        "late",
        "lively_ns",
        "lost",
        "obeys",
        "reason",
        "reception",
        "watching",
        "wheel_erratic",
        "wheel_jump",
        "wheel_speed_kmh",
        "wheel_valid",
    )

    def __init__(
        self,
        database: Database,
        corner: str,
        reception: Reception,
        arrival_of: Callable[[Reception], ArrivalMonitor] | None = None,
    ) -> None:
        self.reception = reception
        self._arrival_of = arrival_of
        self._arrival = None if arrival_of is None else arrival_of(reception)
        self._reader = emb_status_reader(database, corner)
        self._data: bytes | None = None
        self._seen_ns = 0
        self._self_reported = ""
        self._travel_um = self._travel_before_um = 0.0
        self._force_before_n = 0.0
        self._still_count = 0
        self.obeys = False
        """Whether it does what some controller commands."""
        self.watching = False
        """Force and command are apart."""
        self._weak_since_ns: int | None = None
        self._strong_since_ns: int | None = None
        self._worst_n = 0.0
        """The command that was easiest to follow since."""
        self.clamp_force_n = 0.0
        self.wheel_speed_kmh = 0.0
        self.wheel_valid = False
        self.wheel_jump = False
        """The wheel speed changed faster than brake and road can; whoever judges it resets it."""
        self.wheel_erratic = False
        """The wheel speed goes up and down as no wheel does; reset like `wheel_jump`."""
        self._lively_kmh = 0.0
        self.lively_ns = 0
        """When the wheel speed last changed by much from one status to the next."""
        self._reversals = 0
        self._reversed_ns = 0
        self._updated_ns = 0
        self.direction = 0
        self.force_fault = False
        self.fresh = False
        """Whether the last update brought a new status."""
        self.late = False
        """Its status comes ever later; what that means is judged for all four together."""
        self.lost = False
        self.reason = ""

    def update(self, now_ns: int, *, starting: bool) -> None:
        """Take the last usable status and judge presence."""
        reception = self.reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if now_ns > reception.valid_until_ns:
            self.fresh = self.wheel_valid = False
            if not starting:
                self.lose("silent")
            return
        data = reception.data
        if data is self._data:
            self.fresh = False
        else:
            self.fresh = True
            self._data = data
            self._force_before_n = self.clamp_force_n
            self._travel_before_um = self._travel_um
            before_kmh, was_valid = self.wheel_speed_kmh, self.wheel_valid
            (
                self.clamp_force_n,
                force_quality,
                fault,
                self.wheel_speed_kmh,
                speed_quality,
                echo,
                self.direction,
                self._travel_um,
                enabled,
            ) = self._reader.read(data)
            self.wheel_valid = speed_quality == QUALITY_VALID
            change_kmh = self.wheel_speed_kmh - before_kmh
            if not -_LIVELY_KMH <= change_kmh <= _LIVELY_KMH and not starting and was_valid:
                self._watch_wheel(change_kmh)
            self._updated_ns = reception.updated_ns or 0
            self.obeys = echo in ECHO_OBEYS
            if fault == EMB_FAULT_FAILED or (
                (force_quality == QUALITY_INVALID or echo == ECHO_REJECTED) and not starting
            ):
                self._self_reported = "reports itself failed"
            else:
                self._self_reported = "" if enabled else "enable line off"
            arrival = self._arrival
            if arrival is not None:
                if now_ns - self._seen_ns > _ANEW_AFTER_NS:
                    arrival = self._begin_anew(arrival)
                self._seen_ns = now_ns
                self.late = arrival.look() and not starting
        if self._self_reported or self.force_fault:
            self._judge(starting=starting)
        elif self.lost and not self.late:
            self.lost = False
            self.reason = ""

    @property
    def behind(self) -> bool:
        """Whether its status is late, or on its way to be."""
        return self._arrival is not None and self._arrival.lateness_ns > BEHIND_NS

    def forgive_late(self) -> None:
        """It is late for a reason that is not its own."""
        if self.lost and self.reason == _LATE:
            self.lost = False
            self.reason = ""

    def _watch_wheel(self, change_kmh: float) -> None:
        """A wheel speed that changed by much since the status before."""
        cycle_ns = self.reception.message.cycle_time_ns or 1
        now_ns = self.reception.updated_ns or 0
        frames = (now_ns - self._updated_ns + cycle_ns // 2) // cycle_ns
        if frames > _FRAMES_MAX or not self.wheel_valid:
            return
        limit_kmh = _JUMP_KMH * max(frames, 1)
        if not -limit_kmh <= change_kmh <= limit_kmh:
            self.wheel_jump = True
        if now_ns - self.lively_ns <= _FRAMES_MAX * cycle_ns and change_kmh * self._lively_kmh < 0:
            if now_ns - self._reversed_ns > _REVERSALS_WITHIN_NS:
                self._reversals = 0
                self._reversed_ns = now_ns
            self._reversals += 1
            if self._reversals >= _REVERSALS:
                self.wheel_erratic = True
        self._lively_kmh = change_kmh
        self.lively_ns = now_ns

    def _begin_anew(self, arrival: ArrivalMonitor) -> ArrivalMonitor:
        """Whoever was away for so long began anew, and so does the count of his frames."""
        if self._arrival_of is not None:
            arrival = self._arrival = self._arrival_of(self.reception)
        return arrival

    def _judge(self, *, starting: bool) -> None:
        if self._self_reported and not starting:
            self.lose(self._self_reported)
        elif self.force_fault:
            self.lose(self.reason or "force does not follow")

    def watch_force(self, error_n: float, command_n: float, now_ns: int, p: CdcParameters) -> None:
        """Watch a force that is not near the command of an actuator that obeys."""
        self.watching = True
        if self.lost:
            return
        reason = self._watch_progress(error_n, command_n, p)
        if not reason:
            if error_n > 0.0:
                reason = self._watch_weak(command_n, now_ns, p)
            else:
                reason = self._watch_strong(command_n, now_ns, p)
        if reason:
            self.force_fault = True
            self.lose(reason)

    def forget_force(self) -> None:
        """Force and command are near, or the command is not the one the actuator obeys."""
        self.watching = False
        self._weak_since_ns = self._strong_since_ns = None
        self._still_count = 0

    def _watch_progress(self, error_n: float, command_n: float, p: CdcParameters) -> str:
        """A screw that is far from where it should be and does not move there."""
        if 0.0 < error_n <= max(p.far_n, (1.0 - p.weak_share_ratio) * command_n):
            self._still_count = 0  # less than asked for, but of use
            return ""
        if not self.fresh:
            return ""
        moved_um = self._travel_um - self._travel_before_um
        gained_n = self.clamp_force_n - self._force_before_n
        if error_n < 0.0:
            moved_um, gained_n = -moved_um, -gained_n
        if moved_um >= p.moving_um or gained_n >= p.moving_n:
            self._still_count = 0
            return ""
        self._still_count += 1
        if self._still_count < p.still_samples:
            return ""
        return "force stays below command" if error_n > 0.0 else "force stays above command"

    def _watch_weak(self, command_n: float, now_ns: int, p: CdcParameters) -> str:
        self._strong_since_ns = None
        if self._weak_since_ns is None:
            if command_n > p.weak_above_n and self.clamp_force_n < p.weak_share_ratio * command_n:
                self._weak_since_ns = now_ns
                self._worst_n = command_n
            return ""
        if command_n < self._worst_n:
            self._worst_n = command_n
        if (
            self._worst_n <= p.weak_above_n
            or self.clamp_force_n >= p.weak_share_ratio * self._worst_n
        ):
            self._weak_since_ns = None
        elif now_ns - self._weak_since_ns > p.weak_for_ns:
            return "force far below command"
        return ""

    def _watch_strong(self, command_n: float, now_ns: int, p: CdcParameters) -> str:
        self._weak_since_ns = None
        if self._strong_since_ns is None:
            self._strong_since_ns = now_ns
            self._worst_n = command_n
            return ""
        if command_n > self._worst_n:
            self._worst_n = command_n
        if self.clamp_force_n <= self._worst_n + p.excess_n:
            self._strong_since_ns = None
        elif now_ns - self._strong_since_ns > p.excess_for_ns:
            return "force far above command"
        return ""

    def lose(self, reason: str) -> None:
        """Not to be counted on, for this reason unless there was one already."""
        if not self.lost:
            self.lost = True
            self.reason = reason


class Actuators:
    """All four, in the order FL FR RL RR."""

    __slots__ = (
        "_any_watching",
        "_codes",
        "_lost",
        "_port",
        "clock_suspect",
        "corners",
        "lost_since_ns",
        "witness",
    )

    def __init__(
        self,
        database: Database,
        port: Port,
        receptions: Sequence[Reception],
        arrival_of: Callable[[Reception], ArrivalMonitor] | None = None,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self.corners = tuple(
            Actuator(database, corner, reception, arrival_of)
            for corner, reception in zip(CORNERS, receptions, strict=True)
        )
        self._lost = (False, False, False, False)
        self._any_watching = False
        self.witness: ArrivalMonitor | None = None
        """Of another sender, to tell late actuators from a wrong clock of one's own."""
        self.clock_suspect = False
        """Nearly all senders are late at once."""
        self.lost_since_ns: int | None = None
        """When an actuator was last lost, `None` with all four present."""

    @property
    def lost(self) -> tuple[bool, bool, bool, bool]:
        """Which actuators may not be counted on."""
        return self._lost

    @property
    def without(self) -> tuple[bool, bool, bool, bool]:
        """Which actuators are commanded nothing: those lost, but not where that would be all."""
        lost = self._lost
        return _NONE_LOST if lost == _ALL_LOST else lost

    def update(self, now_ns: int, *, starting: bool) -> None:
        """Judge all four and log every change."""
        a, b, c, d = self.corners
        a.update(now_ns, starting=starting)
        b.update(now_ns, starting=starting)
        c.update(now_ns, starting=starting)
        d.update(now_ns, starting=starting)
        if a.late or b.late or c.late or d.late:
            self._judge_late()
        elif self.clock_suspect:
            self.clock_suspect = False
        if (a.lost, b.lost, c.lost, d.lost) != self._lost:
            self._judge(now_ns)

    def _judge_late(self) -> None:
        """Late actuators are lost, unless it is the own clock that is wrong."""
        behind = 0
        for actuator in self.corners:
            behind += actuator.behind
        witness = self.witness
        self.clock_suspect = behind >= _BEHIND_MIN and (
            witness is None or witness.lateness_ns > BEHIND_NS
        )
        for actuator in self.corners:
            if self.clock_suspect:
                actuator.forgive_late()
            elif actuator.late:
                actuator.lose(_LATE)

    def watch_forces(
        self, command_n: Sequence[float], now_ns: int, parameters: CdcParameters
    ) -> None:
        """Compare last commands with delivered forces."""
        a, b, c, d = self.corners
        lowest_n, highest_n = -parameters.excess_n, parameters.near_n
        if (
            not self._any_watching
            and lowest_n <= command_n[0] - a.clamp_force_n <= highest_n
            and lowest_n <= command_n[1] - b.clamp_force_n <= highest_n
            and lowest_n <= command_n[2] - c.clamp_force_n <= highest_n
            and lowest_n <= command_n[3] - d.clamp_force_n <= highest_n
        ):
            return  # all near, as nearly always
        found = False
        for actuator, force_n in zip(self.corners, command_n, strict=True):
            error_n = force_n - actuator.clamp_force_n
            if lowest_n <= error_n <= highest_n or not actuator.obeys:
                if actuator.watching:
                    actuator.forget_force()
                continue
            lost = actuator.lost
            actuator.watch_force(error_n, force_n, now_ns, parameters)
            if actuator.lost is not lost:
                found = True
        self._any_watching = a.watching or b.watching or c.watching or d.watching
        if found:
            self._judge(now_ns)

    def forget_forces(self) -> None:
        """The commands are not valid: nobody has to follow them."""
        self._any_watching = False
        for actuator in self.corners:
            actuator.forget_force()

    def condemn(self, corner: int, reason: str) -> None:
        """The monitor found an actuator out of control: it counts as lost from now on."""
        actuator = self.corners[corner]
        if not actuator.lost:
            actuator.force_fault = True
            actuator.lose(reason)

    def wheel_speeds_mps(self) -> list[float]:
        """Circumferential speed per wheel, magnitudes."""
        return [actuator.wheel_speed_kmh / KMH_PER_MPS for actuator in self.corners]

    def _judge(self, now_ns: int) -> None:
        a, b, c, d = self.corners
        lost = (a.lost, b.lost, c.lost, d.lost)
        for corner, actuator, was in zip(CORNERS, self.corners, self._lost, strict=True):
            if actuator.lost and not was:
                self._port.log("detection", f"EMB_{corner} lost: {actuator.reason}")
                self._codes.failed(actuator_event_of(corner, actuator.reason), now_ns)
                self.lost_since_ns = now_ns
            elif was and not actuator.lost:
                self._port.log("detection", f"EMB_{corner} back")
                for kind in ACTUATOR_KINDS:
                    self._codes.passed(actuator_event(corner, kind), now_ns)
        self._lost = lost
        if not any(lost):
            self.lost_since_ns = None
