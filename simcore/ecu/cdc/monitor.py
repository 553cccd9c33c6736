"""Level 2: an independent look at what the domain controller commands (SAF-002, SAF-004).

Every 10 ms the permitted clamp force of each wheel is worked out anew from the received pedal,
assistance and wheel speeds and the switches of hold and parking brake, by another way than the
control task's and from none of its results. It is compared with the payload as it was sent, so that
a stuck output, a flipped bit or a wrong packing is seen too, and with the measured forces. A
command beyond it is limited at once; where the excess goes on, the requests become invalid and the
watchdog is served no more, which takes this controller off the bus. An actuator that clamps beyond
what is permitted is reported to the control task as lost: taking the controller off the bus would
not stop it.

Only upper bounds: too little force is no matter of this level. Whether the driver ends a standstill
hold by the accelerator is not checked. Sensors are not judged here: where channels of the pedal
disagree the larger one is permitted.

Source: standardised E-Gas monitoring concept, level 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from simcore.ecu.cdc.communication import (
    AEB_FULL,
    AEB_PARTIAL,
    CORNERS,
    HOLD_REQUEST,
    QUALITY_VALID,
    adas_reader,
    command_reader,
    measured_reader,
    travel_reader,
)
from simcore.ecu.cdc.monitor_parameters import MonitorParameters
from simcore.ecu.cdc.states import MonitorEvent, MonitorState, next_monitor_state
from simcore.ecu.cdc.trouble_codes import COMMAND_CUT, COMMAND_EXCESS
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database

_OK, _LIMITING, _CUT = MonitorState
Forces = tuple[float, float, float, float]
_NO_FORCE: Forces = (0.0, 0.0, 0.0, 0.0)


class FunctionMonitor:
    """Compares commands of one lane (`CDC` or `CDC2`) with what this level permits."""

    __slots__ = (
        "_codes",
        "_adas",
        "_adas_data",
        "_asked_cruise_mps2",
        "_asked_hold",
        "_assistance_mps2",
        "_condemn",
        "_cruise_mps2",
        "_doubt_checks",
        "_driver_mm",
        "_emb",
        "_emergency_mps2",
        "_excess_checks",
        "_force_n",
        "_hold_mps2",
        "_idle_n",
        "_p",
        "_pedal",
        "_permitted_before_n",
        "_port",
        "_quiet",
        "_read_adas",
        "_odd_check",
        "_parked_until_ns",
        "_read_command",
        "_read_pedal",
        "_speed_kmh",
        "_strong_checks",
        "_within_checks",
        "limit_n",
        "permitted_n",
        "reason",
        "state",
    )

    def __init__(
        self,
        port: Port,
        database: Database,
        parameters: MonitorParameters,
        receptions: Mapping[str, Reception],
        *,
        lane: str,
        condemn: Callable[[int, str], object],
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._p = parameters
        self._idle_n = parameters.without_request_n
        self._pedal = receptions["BPS_Pedal"]
        self._adas = receptions["ADAS_LongReq"]
        self._emb = tuple(
            (receptions[f"EMB_{corner}_St1"], measured_reader(database, corner))
            for corner in CORNERS
        )
        self._read_pedal = travel_reader(database)
        self._read_adas = adas_reader(database)
        self._read_command = command_reader(database, lane)
        self._odd_check = False
        self._parked_until_ns: int | None = None
        self._condemn = condemn
        """Told of an actuator that clamps beyond what is permitted: corner and reason."""
        self._adas_data: bytes | None = None
        self._emergency_mps2 = self._asked_cruise_mps2 = 0.0
        self._asked_hold = False
        """What its last message asks for."""
        self._driver_mm = 0.0
        self._doubt_checks = 0
        self._assistance_mps2 = 0.0
        self._cruise_mps2 = 0.0
        self._hold_mps2 = 0.0
        self._speed_kmh = 0.0
        self._force_n: list[float] = [0.0] * 4
        self._strong_checks = [0] * 4
        self._excess_checks = 0
        self._within_checks = 0
        self._quiet: bytes | None = None
        """A payload that asks for no force."""
        self._permitted_before_n: Forces = _NO_FORCE
        self.permitted_n: Forces = _NO_FORCE
        """What the last check permitted per wheel, tolerances included."""
        self.limit_n: Forces | None = None
        """What the commands are to be limited to; `None` while nothing is limited."""
        self.state = _OK
        self.reason = ""
        """What was found, once it was cut."""

    def check(self, sent: bytes, asked_n: Sequence[float], now_ns: int) -> bool:
        """One check of the last payload and of what the control task asks; whether to cut, now."""
        if self.state is _CUT:
            return False
        self._odd_check = not self._odd_check
        if self._odd_check:
            self._read_measured(now_ns)
        decel_mps2 = self._permitted_mps2(now_ns)
        quiet = decel_mps2 <= 0.0 and sent is self._quiet
        if quiet and self._permitted_before_n is self._idle_n and self.state is _OK:
            idle_n = self._idle_n[0]
            if max(asked_n) <= idle_n and max(self._force_n) <= idle_n:
                return False  # nobody asks, nothing is asked for, nothing clamps
        if quiet:
            command_n: Sequence[float] = _NO_FORCE
            valid = True
        else:
            *command_n, valid = self._read_command.read(sent)
            self._quiet = sent if valid and max(command_n) <= 0.0 else None
        bounds_n = self._bounds_n(decel_mps2, command_n)
        before_n = self._permitted_before_n
        # What was permitted a check ago may still be on its way.
        permitted_n = bounds_n
        if bounds_n != before_n:
            permitted_n = (
                max(bounds_n[0], before_n[0]),
                max(bounds_n[1], before_n[1]),
                max(bounds_n[2], before_n[2]),
                max(bounds_n[3], before_n[3]),
            )
        self._permitted_before_n = bounds_n
        self.permitted_n = permitted_n
        if valid:
            if self._odd_check:
                self._watch_measured(permitted_n)
        else:  # actuators obey somebody else, or do what COM-004 says
            self._strong_checks = [0] * 4
        corner = _excess(command_n, permitted_n)
        if corner < 0:
            corner = _excess(asked_n, permitted_n)
        if corner >= 0:
            return self._beyond(corner, max(command_n[corner], asked_n[corner]), now_ns)
        if self.state is _LIMITING:
            self._within(now_ns)
        return False

    def _within(self, now_ns: int) -> None:
        self.limit_n = self.permitted_n
        self._within_checks += 1
        self._excess_checks = 0
        if self._within_checks >= self._p.settle_checks:
            self._happens(MonitorEvent.SETTLED)
            self._codes.passed(COMMAND_EXCESS, now_ns)
            self.limit_n = None

    def _beyond(self, corner: int, force_n: float, now_ns: int) -> bool:
        permitted_n = self.permitted_n
        text = f"command {CORNERS[corner]} {force_n:.0f} N, {permitted_n[corner]:.0f} N permitted"
        self._within_checks = 0
        self.limit_n = permitted_n
        if self.state is _OK:
            self._excess_checks = 0
            self._port.log("detection", f"monitor: {text}")
            self._port.log("reaction", "monitor: commands limited")
            self._codes.failed(COMMAND_EXCESS, now_ns)
            self._happens(MonitorEvent.EXCESS)
            return False
        self._excess_checks += 1
        if self._excess_checks < self._p.cut_checks:
            return False
        self.reason = text
        self._happens(MonitorEvent.PERSISTED)
        self._port.log("reaction", "monitor: requests withdrawn")
        self._codes.failed(COMMAND_CUT, now_ns)
        return True

    def _happens(self, event: MonitorEvent) -> None:
        after = next_monitor_state(self.state, event)
        self._port.log("state", f"monitor {self.state.name} -> {after.name} ({event.name})")
        self.state = after

    # -- permitted deceleration ----------------------------------------------------------------

    def _permitted_mps2(self, now_ns: int) -> float:
        p = self._p
        driver_mps2 = p.decel_per_mm_mps2 * (self._travel_mm(now_ns) - p.pedal_dead_mm)
        if driver_mps2 > p.decel_full_mps2:
            driver_mps2 = p.decel_full_mps2
        self._read_assistance(now_ns)
        return max(driver_mps2, self._assistance_mps2, self._cruise_mps2, self._hold_mps2)

    def _travel_mm(self, now_ns: int) -> float:
        """The larger travel; where channels are in doubt it falls no faster than it is blended."""
        p = self._p
        pedal = self._pedal
        if now_ns > pedal.valid_until_ns:
            self._doubt_checks = 0
            self._driver_mm = 0.0
            return 0.0
        first_mm, second_mm, first_quality, second_quality = self._read_pedal.read(pedal.data)
        if (
            first_quality == QUALITY_VALID == second_quality
            and first_mm <= p.travel_max_mm
            and second_mm <= p.travel_max_mm
        ):
            travel_mm: float = second_mm if second_mm > first_mm else first_mm
            if -p.doubt_mm <= first_mm - second_mm <= p.doubt_mm:
                if not self._doubt_checks:
                    self._driver_mm = travel_mm
                    return travel_mm
                self._doubt_checks -= 1
            else:
                self._doubt_checks = p.doubt_checks
        else:
            self._doubt_checks = p.doubt_checks
            travel_mm = 0.0
            if first_quality == QUALITY_VALID and first_mm <= p.travel_max_mm:
                travel_mm = first_mm
            if second_quality == QUALITY_VALID and travel_mm < second_mm <= p.travel_max_mm:
                travel_mm = second_mm
        if self._doubt_checks:
            travel_mm = max(travel_mm, self._driver_mm - p.blend_mm)
        self._driver_mm = travel_mm
        return travel_mm

    def _read_assistance(self, now_ns: int) -> None:
        p = self._p
        hold = self._port.inputs["auto_hold_switch_state"] > 0.0
        adas = self._adas
        if now_ns <= adas.valid_until_ns:
            if adas.data is not self._adas_data:
                self._adas_data = adas.data
                self._take_assistance(adas.data)
            self._assistance_mps2 = self._emergency_mps2
            cruise_mps2 = self._asked_cruise_mps2
            hold = hold or self._asked_hold
        else:
            self._assistance_mps2 = cruise_mps2 = 0.0
        # Requests that are lost leave along a ramp, never steeper than this one.
        falling_mps2 = self._cruise_mps2 - p.cruise_fall_mps2
        self._cruise_mps2 = cruise_mps2 if cruise_mps2 >= falling_mps2 else falling_mps2
        if hold and self._speed_kmh < p.hold_below_kmh:
            self._hold_mps2 = p.hold_max_mps2
        elif self._hold_mps2:
            self._hold_mps2 = max(0.0, self._hold_mps2 - p.hold_fall_mps2)

    def _take_assistance(self, data: bytes) -> None:
        emergency, decel_mps2, cruise, accel_mps2, hold = self._read_adas.read(data)
        self._emergency_mps2 = -decel_mps2 if emergency in (AEB_PARTIAL, AEB_FULL) else 0.0
        self._asked_cruise_mps2 = -accel_mps2 if cruise else 0.0
        self._asked_hold = hold == HOLD_REQUEST

    def _read_measured(self, now_ns: int) -> None:
        """Clamp forces, and the fastest wheel."""
        fastest_kmh = -1.0
        force_n = []
        for emb, reader in self._emb:
            if now_ns <= emb.valid_until_ns:
                clamp_n, speed_kmh = reader.read(emb.data)
                force_n.append(clamp_n)
                if speed_kmh > fastest_kmh:
                    fastest_kmh = speed_kmh
            else:
                force_n.append(0.0)
        if self._is_parked(now_ns):
            force_n[2:] = [0.0, 0.0]  # the locks hold it, and no command of this controller
        self._force_n = force_n
        if fastest_kmh >= 0.0:
            self._speed_kmh = fastest_kmh

    def _is_parked(self, now_ns: int) -> bool:
        """Whether the rear actuators may clamp for the parking brake, or still be letting go."""
        until_ns = self._parked_until_ns
        if until_ns is None or self._port.inputs.get("park_switch_state", 0.0) > 0.0:
            until_ns = self._parked_until_ns = now_ns + self._p.unparked_ns
        return now_ns < until_ns and self._speed_kmh < self._p.hold_below_kmh

    # -- permitted forces ----------------------------------------------------------------------

    def _bounds_n(self, decel_mps2: float, command_n: Sequence[float]) -> Forces:
        """Clamp forces for a deceleration, with tolerances.

        A command that leaves wheels out may give the others more: a share of the whole that
        depends on how many are left.
        """
        p = self._p
        if decel_mps2 <= 0.0:
            return self._idle_n
        tyre_n = p.mass_kg * decel_mps2
        fl_n, fr_n, rl_n, rr_n = command_n
        left_out = (fl_n <= 0.0) + (fr_n <= 0.0) + (rl_n <= 0.0) + (rr_n <= 0.0)
        if left_out == 0 or left_out == 4:
            share = min(
                p.front_share_max_ratio, p.front_share_ratio + p.front_gain_per_mps2 * decel_mps2
            )
            front_n = 0.5 * share * tyre_n / p.front_per_clamp_ratio
            rear_n = 0.5 * (1.0 - share) * tyre_n / p.rear_per_clamp_ratio
            if front_n > p.front_max_n:
                rear_n = p.rear_max_n
        else:
            most_n = p.share_left_ratio[left_out - 1] * tyre_n
            front_n = most_n / p.front_per_clamp_ratio
            rear_n = most_n / p.rear_per_clamp_ratio
        scale, more_n = 1.0 + p.tolerance_ratio, p.tolerance_n
        front_n = min(front_n, p.front_max_n) * scale + more_n
        rear_n = min(rear_n, p.rear_max_n) * scale + more_n
        return (front_n, front_n, rear_n, rear_n)

    def _watch_measured(self, permitted_n: Sequence[float]) -> None:
        checks = self._strong_checks
        if max(self._force_n) <= permitted_n[2] and not any(checks):
            return
        for i, force_n in enumerate(self._force_n):
            if force_n <= permitted_n[i] + self._p.measured_n:
                checks[i] = 0
                continue
            checks[i] += 1
            if checks[i] == self._p.measured_checks:
                self._condemn(i, "clamp force beyond what is permitted")


def _excess(force_n: Sequence[float], permitted_n: Forces) -> int:
    """The first corner beyond, -1 for none."""
    fl_n, fr_n, rl_n, rr_n = permitted_n
    if force_n[0] > fl_n:
        return 0
    if force_n[1] > fr_n:
        return 1
    if force_n[2] > rl_n:
        return 2
    return 3 if force_n[3] > rr_n else -1
