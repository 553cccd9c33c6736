"""Which command a brake actuator obeys: primary lane, secondary lane, or its own default.

Requirement COM-004. The primary lane counts while it is usable (three cycles, 15 ms), then the
secondary lane. With neither, the last command stays for `command_lost_ns`; after that the last
force is held for `hold_last_ns` if the vehicle was braking above `hold_above_kmh`, then the pedal
message gives an axle default, and without a valid pedal the brake opens. All times count from the
arrival of the last valid command. A valid pedal that is released ends all holding at once: COM-004
says "up to", and BRK-003 wants no force without a request.

Each lane's commands come on both buses; `bus` is the one that brought the command obeyed (DEG-003).
A primary lane whose frames come ever later (`primary_late`) is not usable either: a constant delay
is invisible to counters and deadlines. How far a command may raise the force: `request_limit`.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.ecu.emb.communication import (
    BUS_NONE,
    ECHO_HOLD_LAST,
    ECHO_PEDAL_DIRECT,
    ECHO_RAMP_OUT,
    MODE_CLEARANCE,
    MODE_FORCE,
    MODE_HOLD,
    MODE_OFF,
    QUALITY_VALID,
    Command,
    command_reader,
    pedal_reader,
    speed_reader,
)
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.request_limit import RequestLimit
from simcore.ecu.emb.trouble_codes import COMMAND_LATE, COMMAND_LOST, COMMAND_REJECTED
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.network import Database, Message
from simcore.units import format_ns

_RELEASED = Command(0.0, MODE_CLEARANCE, 1000.0, 1, 0)
N_PER_KN = 1000.0


class CommandSelection:
    """Picks the force request of every millisecond."""

    __slots__ = (
        "_codes",
        "_commanded",
        "_commanded_ns",
        "_force_limit_n",
        "_log",
        "_lost_since_ns",
        "_parameters",
        "_pedal",
        "_read_pedal",
        "_read_primary",
        "_read_secondary",
        "_read_speed",
        "_rejecting",
        "_secondary",
        "_slope_limit_kn_per_s",
        "_speed",
        "bus",
        "command",
        "decoded",
        "echo",
        "limit",
        "obeyed",
        "primary",
        "primary_late",
        "rejected_count",
    )

    def __init__(
        self,
        database: Database,
        corner: str,
        parameters: EmbParameters,
        *,
        primary: Reception,
        secondary: Reception,
        pedal: Reception,
        speed: Reception,
        log: Callable[[str, str], None],
        limited: bool = True,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        """`limited=False` follows every valid request as commanded."""
        self._parameters = parameters
        self.primary, self._secondary = primary, secondary
        self._pedal, self._speed = pedal, speed
        self._read_primary = command_reader(database, "CDC", corner)
        self._read_secondary = command_reader(database, "CDC2", corner)
        self._read_pedal = pedal_reader(database)
        self._read_speed = speed_reader(database)
        command = database.message("CDC_EmbCmd")
        self._force_limit_n = _maximum(command, f"CDC_{corner}_FReq")
        self._slope_limit_kn_per_s = _maximum(command, f"CDC_{corner}_FSlope")
        self._log = log
        self._codes = codes
        self.limit = RequestLimit(
            parameters, pedal, self._read_pedal, log, enabled=limited, codes=codes
        )
        """How far commands may raise the force (SAF-004)."""
        self._rejecting = False
        self.primary_late = False
        """Set by the arrival monitor of the node."""
        self.rejected_count = 0
        """Commands with values the database reserves."""
        self.decoded: bytes | None = None
        """Payload of the primary lane that is obeyed now; `None` while another source is."""
        self._commanded = False
        self._commanded_ns = 0
        """When the last valid command arrived."""
        self._lost_since_ns: int | None = None
        self.command = _RELEASED
        self.echo = MODE_OFF
        """What is obeyed, as `EMB_xx_ReqEcho`."""
        self.bus = BUS_NONE
        """The bus that brought what is obeyed, as `EMB_xx_BusSel`."""
        self.obeyed: Reception | None = None
        """The controller lane that is obeyed, `None` without a command."""

    @property
    def commanded(self) -> bool:
        """Whether a lane commands this actuator now."""
        return self._lost_since_ns is None and self.bus != BUS_NONE

    def select(self, now_ns: int) -> Command:
        """The command for this millisecond."""
        primary = self.primary
        if now_ns <= primary.valid_until_ns and not self.primary_late:
            data = primary.data
            if data is self.decoded:
                return self.command
            values = self._read_primary.read(data)
            self.decoded = data
            # Most commands repeat the one before: it stays the same object, nothing to take.
            command = self.command
            if values != command:
                command = Command._make(values)
            elif self.obeyed is primary:
                self._commanded_ns = primary.updated_ns or 0
                self.bus = primary.lane
                return command
            if command.valid and self._acceptable(command, now_ns):
                return self._obey(command, primary, now_ns)
        secondary = self._secondary
        if secondary.usable(now_ns):
            command = Command._make(self._read_secondary.read(secondary.data))
            if command.valid and self._acceptable(command, now_ns):
                self.decoded = None
                return self._obey(command, secondary, now_ns)
        self.decoded = None
        return self._without_command(now_ns)

    @property
    def primary_commands(self) -> bool:
        """Whether the newest frame of the primary lane says that its request is valid."""
        data = self.primary.data
        return bool(data) and bool(Command._make(self._read_primary.read(data)).valid)

    def judge_arrival(self, late: bool, lateness_ns: int, now_ns: int) -> None:
        """Whether the primary lane comes too late to be obeyed, as its arrival monitor says."""
        self.primary_late = late
        if late:
            self._log("detection", f"CDC_EmbCmd late by {format_ns(lateness_ns)}")
            self._log("reaction", "primary lane not obeyed")
        else:
            self._log("detection", "CDC_EmbCmd in time again")
        self._codes.test(COMMAND_LATE, late, now_ns)
        self.decoded = None

    def _obey(self, command: Command, reception: Reception, now_ns: int) -> Command:
        limit = self.limit
        if command.emergency and not self.command.emergency:
            limit.emergency_ns = now_ns
        if command.force_n > self.command.force_n:
            force_n = limit.limited_n(
                command.force_n,
                self.command.force_n,
                emergency=command.emergency,
                cycle_ns=reception.message.cycle_time_ns or 0,
                now_ns=now_ns,
            )
            if force_n != command.force_n:
                command = command._replace(force_n=force_n)
        elif limit.doubted_n or limit.limiting:
            limit.settle(command.emergency, now_ns)
        self._commanded_ns = reception.updated_ns or 0
        self._commanded = True
        self.command = command
        self.echo = command.mode
        self.bus = reception.lane  # BUS_A or BUS_B
        self.obeyed = reception
        if self._lost_since_ns is not None:
            self._lost_since_ns = None
            self._codes.passed(COMMAND_LOST, now_ns)
        return command

    def _without_command(self, now_ns: int) -> Command:
        p = self._parameters
        if self._lost_since_ns is None:
            self._lost_since_ns = self._commanded_ns if self._commanded else now_ns
        self.bus = BUS_NONE
        self.obeyed = None
        lost_for_ns = now_ns - self._lost_since_ns
        if lost_for_ns >= p.command_lost_ns and self._commanded:
            self._codes.failed(COMMAND_LOST, now_ns)
        travel_mm = self._pedal_travel_mm(now_ns)
        if travel_mm is not None and travel_mm <= p.pedal_dead_travel_mm:
            # The driver has let go: holding on would be force without a request (BRK-003).
            return self._pedal_direct(travel_mm)
        if lost_for_ns < p.command_lost_ns:
            # Never commanded since power on: released, and nothing to hold.
            self.echo = ECHO_HOLD_LAST if self._commanded else MODE_OFF
            return self.command
        if (
            lost_for_ns < p.command_lost_ns + p.hold_last_ns
            and self.echo == ECHO_HOLD_LAST
            and self.command.force_n > 0.0
            and self._speed_kmh() > p.hold_above_kmh
        ):
            return self.command
        return self._pedal_direct(travel_mm)

    def _pedal_travel_mm(self, now_ns: int) -> float | None:
        """The smaller of the valid travel channels; `None` without a usable pedal."""
        pedal = self._pedal
        if not pedal.usable(now_ns):
            return None
        travel_1_mm, travel_2_mm, quality_1, quality_2 = self._read_pedal.read(pedal.data)
        channels = [
            travel_mm
            for travel_mm, quality in ((travel_1_mm, quality_1), (travel_2_mm, quality_2))
            if quality == QUALITY_VALID
        ]
        return min(channels) if channels else None

    def _pedal_direct(self, travel_mm: float | None) -> Command:
        """The axle default for a pedal travel; open where there is none."""
        p = self._parameters
        if travel_mm is None:
            self.echo = ECHO_RAMP_OUT
            self.command = _RELEASED
            return self.command
        self.echo = ECHO_PEDAL_DIRECT
        share_ratio = (travel_mm - p.pedal_dead_travel_mm) / (
            p.pedal_full_travel_mm - p.pedal_dead_travel_mm
        )
        force_n = min(1.0, max(0.0, share_ratio)) * p.pedal_direct_force_n
        mode = MODE_FORCE if force_n > 0.0 else MODE_CLEARANCE
        self.command = Command(force_n, mode, 1000.0, 1, 0)
        return self.command

    def _acceptable(self, command: Command, now_ns: int) -> bool:
        """Refuse reserved values: a command beyond the ranges of the database is not valid."""
        acceptable = (
            command.force_n <= self._force_limit_n
            and command.force_slope_kn_per_s <= self._slope_limit_kn_per_s
        )
        if not acceptable:
            self.rejected_count += 1
            if not self._rejecting:
                self._log(
                    "detection",
                    f"command of {command.force_n:.0f} N with {command.force_slope_kn_per_s:.0f} "
                    f"kN/s rejected: beyond {self._force_limit_n:.0f} N or "
                    f"{self._slope_limit_kn_per_s:.0f} kN/s",
                )
                self._codes.failed(COMMAND_REJECTED, now_ns)
        elif self._rejecting:
            self._codes.passed(COMMAND_REJECTED, now_ns)
        self._rejecting = not acceptable
        return acceptable

    def speed_kmh(self, now_ns: int) -> float | None:
        """Vehicle speed as the domain controller tells it; `None` where that is not known now."""
        if not self._speed.usable(now_ns):
            return None
        speed_kmh, quality = self._read_speed.read(self._speed.data)
        return float(speed_kmh) if quality == QUALITY_VALID else None

    def _speed_kmh(self) -> float:
        """Last known vehicle speed; 0 where it was never received valid."""
        data = self._speed.data
        if not data:
            return 0.0
        speed_kmh, quality = self._read_speed.read(data)
        return float(speed_kmh) if quality == QUALITY_VALID else 0.0


def _maximum(message: Message, signal: str) -> float:
    maximum = message.signal(signal).maximum
    return float("inf") if maximum is None else float(maximum)


def force_target_n(command: Command, force_now_n: float) -> float:
    """Clamp force a command asks for; `Hold` keeps the larger of request and present force."""
    if command.mode == MODE_FORCE:
        return command.force_n
    if command.mode == MODE_HOLD:
        return max(command.force_n, force_now_n)
    return 0.0


def gradient_n_per_s(command: Command, parameters: EmbParameters) -> float:
    """Slope of the set point: what the command allows, limited by the actuator itself.

    A command of 0 sets no limit of its own (`CDC_xx_FSlope`).
    """
    if command.force_slope_kn_per_s <= 0.0:
        return parameters.force_gradient_max_n_per_s
    return min(command.force_slope_kn_per_s * N_PER_KN, parameters.force_gradient_max_n_per_s)
