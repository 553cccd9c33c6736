"""Level 2 of an actuator: is the force it clamps with permitted? (SAF-002, SAF-004)

Independent of the force controller: the permitted force comes from this module's own reading of the
command frames and from how fast a sound caliper opens, and is held against the measured force. It
is the largest force that any command of the last 30 ms asks for, and falls no faster than a sound
caliper opens: a request that goes up and down in slip control gives every fall its full time.
Three findings:

- force beyond what is permitted: the controller is limited to that, and where it does not help
  within 30 ms the power stage is cut;
- the motor running towards the disc though nothing is asked for: limited in the same way, before
  there is any force. Limiting goes before the cut because it drives the motor back: one that has
  run up would clamp by its momentum alone. Where the set point is wrong still when the force is
  gone, the power stage is cut then, at rest;
- more motor current than the controller asks for, seen by the force loop every millisecond: the
  power stage drives by itself, and only the cut helps. It comes with the first such millisecond: a
  motor that has run up clamps with 20 kN by its momentum alone, and it takes 140 ms until the
  clamp force has pushed it back.

A cut is the secondary shut-off path: software asks the external watchdog to drop its enable line,
which it does at once and up to the next reset or power on. The ECU itself goes on, and tells wheel
speed and state. Where the line does not drop within a look, or nobody offers one, the watchdog is
no longer served (level 3).

Source: E-Gas monitoring concept, level 2; the states are those of `EMB_xx_MonSt`.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.ecu.emb.application import MOTOR_OFF, Application
from simcore.ecu.emb.command import N_PER_KN, CommandSelection, force_target_n
from simcore.ecu.emb.communication import Command
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.states import EmbEvent, EmbState
from simcore.ecu.emb.trouble_codes import FORCE_EXCESS, FUNCTION_CUT
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.supervision import Supervision
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import SignalReader
from simcore.units import NS_PER_S


@unique
class MonitorState(IntEnum):
    """Of level 2, as `EMB_xx_MonSt`."""

    OK = 0
    LIMITING = 1
    CUT = 2


@unique
class MonitorEvent(IntEnum):
    """Outcome of a look."""

    FORCE_EXCESS = 0
    """Confirmed: more force than is permitted."""
    APPROACH_EXCESS = 1
    """Confirmed: motion towards the disc without a request."""
    CURRENT_EXCESS = 2
    """Confirmed: more current than is asked for."""
    SETTLED = 3
    """Without any excess for long enough."""
    PERSISTING = 4
    """Limiting has not helped in time."""


_S, _E = MonitorState, MonitorEvent

TRANSITIONS: dict[tuple[MonitorState, MonitorEvent], MonitorState] = {
    (_S.OK, _E.FORCE_EXCESS): _S.LIMITING,  # a wrong set point can be put right
    (_S.OK, _E.APPROACH_EXCESS): _S.LIMITING,
    (_S.OK, _E.CURRENT_EXCESS): _S.CUT,  # the power stage listens to nobody
    (_S.LIMITING, _E.CURRENT_EXCESS): _S.CUT,
    (_S.LIMITING, _E.SETTLED): _S.OK,
    (_S.LIMITING, _E.PERSISTING): _S.CUT,
}
IGNORED: frozenset[tuple[MonitorState, MonitorEvent]] = frozenset(
    {
        # nothing is limited
        (_S.OK, _E.SETTLED),
        (_S.OK, _E.PERSISTING),
        # it is being limited already
        (_S.LIMITING, _E.FORCE_EXCESS),
        (_S.LIMITING, _E.APPROACH_EXCESS),
    }
    # left by a start only
    | {(_S.CUT, event) for event in _E}
)


def next_state(state: MonitorState, event: MonitorEvent) -> MonitorState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


_OK, _LIMITING, _CUT = MonitorState
_HEADER = 3
"""Bytes of checksum and counter: a command that is repeated differs in these alone."""
_OPENING = MOTOR_OFF | {EmbState.INIT, EmbState.SELF_TEST}
_PARKING = frozenset({EmbState.PARK_APPLYING, EmbState.PARK_RELEASING})


class FunctionMonitor:
    """Judges one actuator every 5 ms, and its current when the force loop says so."""

    __slots__ = (
        "_application",
        "_codes",
        "_command",
        "_data",
        "_excess_count",
        "_fall_step_n",
        "_idle_below_n",
        "_inputs",
        "_limiting_count",
        "_now_ns",
        "_parameters",
        "_port",
        "_primary",
        "_read_primary",
        "_read_secondary",
        "_recent_n",
        "_selection",
        "_settled_count",
        "_slope_kn_per_s",
        "_step_per_slope",
        "_supervision",
        "_turn",
        "permitted_n",
        "state",
    )

    def __init__(
        self,
        port: Port,
        parameters: EmbParameters,
        selection: CommandSelection,
        application: Application,
        supervision: Supervision,
        *,
        primary: tuple[Reception, SignalReader],
        secondary: tuple[Reception, SignalReader],
        period_ns: int,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        """The lanes with the monitor's own readers."""
        self._port = port
        self._codes = codes
        self._now_ns = 0
        self._inputs = port.inputs
        self._parameters = parameters
        self._selection = selection
        self._application = application
        self._supervision = supervision
        self._primary, self._read_primary = primary
        self._read_secondary = secondary[1]
        self.state = MonitorState.OK
        self.permitted_n = 0.0
        """Clamp force that the commands of the last while permit."""
        self._data: bytes | None = None
        """The command without its header, as last read."""
        self._command: Command | None = None
        self._slope_kn_per_s = 0.0
        """With which the set point may follow the request, up and down."""
        self._step_per_slope = N_PER_KN * period_ns / NS_PER_S
        self._idle_below_n = 0.5 * parameters.monitor.force_margin_n
        self._recent_n = [0.0] * (parameters.monitor.fall_after_ns // period_ns + 1)
        """Requests of the last looks, a ring: all of them are 0 where nothing is permitted."""
        self._turn = 0
        self._fall_step_n = parameters.monitor.fall_n_per_s * period_ns / NS_PER_S
        self._excess_count = self._limiting_count = self._settled_count = 0
        m = parameters.monitor
        application.watch_current(
            m.current_excess_ratio * parameters.force_control.current_max_a, self.current_excess
        )

    def look(self, now_ns: int) -> None:
        """Every 5 ms."""
        pins = self._inputs
        if (
            not (self.permitted_n or self._application.force_ref_n or pins["motor_speed_radps"])
            and self._application.clamp_force_n <= self._idle_below_n
            and self.state is _OK
        ):
            return  # open and at rest: whatever is permitted, this is
        self._now_ns = now_ns
        if self.state is _CUT:
            line = getattr(self._port, "watchdog", None)
            if line is not None and line.enabled:
                self._supervision.demand_safe_state("the power stage is cut, and enabled yet")
            return
        if self._application.state in _OPENING:
            # Nothing is obeyed, the brake is on its way open: it may take its time from here.
            self.permitted_n = max(0.0, self._application.clamp_force_n)
            self._recent_n = [self.permitted_n] * len(self._recent_n)
            self._no_excess()
            return
        request_n = self._request_n()
        if self._application.workshop_n > request_n:
            request_n = self._application.workshop_n
        permitted_n = self.permitted_n
        self._turn = turn = self._turn - 1 if self._turn else len(self._recent_n) - 1
        self._recent_n[turn] = request_n
        if request_n >= permitted_n:
            self.permitted_n = permitted_n = request_n
        else:
            permitted_n = self._fallen_n()
        application = self._application
        m = self._parameters.monitor
        force_n = application.clamp_force_n
        excess_n = permitted_n + m.force_margin_n + m.force_margin_ratio * permitted_n
        if force_n > excess_n:
            self._excess(
                MonitorEvent.FORCE_EXCESS,
                f"clamp force of {force_n:.0f} N, permitted are {permitted_n:.0f} N",
            )
        elif (
            permitted_n == 0.0
            and pins["motor_speed_radps"] > m.approach_speed_radps
            and pins["screw_travel_m"] > -self._parameters.force_control.clearance_m
        ):
            self._excess(MonitorEvent.APPROACH_EXCESS, "motor runs to clamp without a request")
        elif self._excess_count or self.state is _LIMITING:
            self._no_excess()

    def current_excess(self, now_ns: int) -> None:
        """The force loop has seen more current than it asked for."""
        if self.state is _CUT:
            return
        self._now_ns = now_ns
        current_a = self._inputs["phase_current_a"]
        self._happens(
            MonitorEvent.CURRENT_EXCESS, f"motor current of {current_a:.1f} A not asked for"
        )
        self._cut(now_ns)

    def _request_n(self) -> float:
        """Force asked for, by this module's own reading of the frame that is obeyed."""
        selection = self._selection
        reception = selection.obeyed
        application = self._application
        if application.state in _PARKING:
            return self._parameters.park_force_n
        if reception is None:
            command = selection.command  # its own default: held, or after the pedal
            self._data = None
        elif reception.data[_HEADER:] == self._data and self._command is not None:
            command = self._command
        else:
            self._data = reception.data[_HEADER:]
            reader = self._read_primary if reception is self._primary else self._read_secondary
            command = Command._make(reader.read(reception.data))
            self._command = command
        self._slope_kn_per_s = command.force_slope_kn_per_s
        request_n = force_target_n(command, min(self.permitted_n, application.clamp_force_n))
        return min(request_n, self._parameters.force_control.force_max_n)

    def _fallen_n(self) -> float:
        """What a request that has fallen still permits: the brake needs its time to open."""
        recent_n = max(self._recent_n)
        if recent_n < self.permitted_n:
            step_n = min(self._fall_step_n, self._slope_kn_per_s * self._step_per_slope)
            self.permitted_n = max(recent_n, self.permitted_n - step_n)
        return self.permitted_n

    def _excess(self, event: MonitorEvent, text: str) -> None:
        m = self._parameters.monitor
        self._settled_count = 0
        self._excess_count += 1
        if self.state is _OK and self._excess_count >= m.excess_samples:
            self._happens(event, text)
            self._port.log("reaction", f"set point limited to {self.permitted_n:.0f} N")
            self._application.limit_set_point(self.permitted_n)
            self._limiting_count = 0
        elif self.state is _LIMITING:
            self._limiting_count += 1
            self._application.limit_set_point(self.permitted_n)
            if self._limiting_count >= m.limiting_samples:
                self._happens(MonitorEvent.PERSISTING, f"in spite of limiting: {text}")
                self._cut(self._application.stepped_ns)

    def _no_excess(self) -> None:
        self._excess_count = 0
        if self.state is not _LIMITING:
            return
        self._settled_count += 1
        if self._settled_count < self._parameters.monitor.settled_samples:
            return
        application = self._application
        if application.force_ref_n > self.permitted_n + self._parameters.monitor.force_margin_n:
            text = f"set point of {application.force_ref_n:.0f} N"
            self._happens(MonitorEvent.PERSISTING, f"in spite of limiting: {text}")
            self._cut(application.stepped_ns)
        else:
            application.end_limit()
            self._happens(MonitorEvent.SETTLED, "")

    def _cut(self, now_ns: int) -> None:
        """Shut the power stage off, by every way there is, for good."""
        line = getattr(self._port, "watchdog", None)
        demand = getattr(line, "demand_safe_state", None)
        if demand is not None:
            demand(now_ns)
        else:
            self._supervision.demand_safe_state("level 2 has cut the power stage")
        self._port.log("reaction", "power stage cut")
        self._codes.failed(FUNCTION_CUT, self._now_ns)
        self._application.fails(EmbEvent.FUNCTION_CUT)

    def _happens(self, event: MonitorEvent, text: str) -> None:
        after = next_state(self.state, event)
        if after is not self.state:
            if text:
                self._port.log("detection", f"level 2: {text}")
            self._codes.test(FORCE_EXCESS, after is not _OK, self._now_ns)
            self._port.log("state", f"level 2 {self.state.name} -> {after.name} ({event.name})")
            self.state = after
