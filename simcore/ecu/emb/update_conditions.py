"""What a brake actuator knows of the vehicle when its software is to change (OTA-003).

Standstill has two sources: its own wheel, and the vehicle speed that the domain controller works
out of all four. Parked is what `CDC_Epb` says of both locks, and at the rear the own lock too.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.ecu.emb.states import EmbState
from simcore.ecu.runtime import Reception
from simcore.ecu.seam import Port
from simcore.units import KMH_PER_MPS, NS_PER_S
from simcore.update.guards import Conditions, Standstill

_STILL_RADPS = 0.05
_STILL_KMH = 0.1
_QUALITY_VALID = 3
_APPLY = 1
_APPLIED, _RELEASING, _APPLYING, _DYNAMIC = 2, 3, 4, 5
_PARKED_MODES = (2, 4, 5)
"""`CDC_PwrMode` Ready, Afterrun, Park: the drive is off."""
_MOST_CYCLES = 1 << 30
"""The update client knows how many are left."""
_LASTS_NS = 3600 * NS_PER_S
_MARGIN_FROM_V = 42.0
"""Below this the supply runs on its buffer."""
_REAR_MOVING = (EmbState.PARK_APPLYING, EmbState.PARK_RELEASING)


class UpdateConditions:
    """The source of `Conditions` for the update client of an EMB."""

    __slots__ = (
        "_command",
        "_faulty",
        "_has_lock",
        "_park",
        "_port",
        "_read_command",
        "_read_park",
        "_read_speed",
        "_speed",
        "_state",
        "_still",
        "_wheel_radius_m",
    )

    def __init__(
        self,
        port: Port,
        *,
        command: Reception,
        speed: Reception,
        park: Reception,
        wheel_radius_m: float,
        state: Callable[[], EmbState],
        faulty: Callable[[], bool],
    ) -> None:
        corner = port.name.rpartition("_")[2]
        self._port = port
        self._command, self._speed, self._park = command, speed, park
        self._read_command = command.message.codec.reader("CDC_PwrMode", f"CDC_{corner}_AbsActv")
        self._read_speed = speed.message.codec.reader("CDC_VehSpd", "CDC_VehSpdQf")
        self._read_park = park.message.codec.reader(
            "EPB_CmdL", "EPB_CmdR", "EPB_StateL", "EPB_StateR"
        )
        self._has_lock = corner.startswith("R")
        self._wheel_radius_m = wheel_radius_m
        self._state = state
        self._faulty = faulty
        self._still = Standstill()

    def conditions(self, now_ns: int) -> Conditions:
        """The conditions at `now_ns`; ask every 100 ms at least, or standstill begins anew."""
        pins = self._port.inputs
        own_radps = abs(pins["wheel_speed_radps"])
        own_mps = 0.0 if own_radps < _STILL_RADPS else own_radps * self._wheel_radius_m
        vehicle_mps, vehicle_valid = self._vehicle_mps(now_ns)
        mode, slipping = 0, 0
        if now_ns <= self._command.valid_until_ns:
            mode, slipping = self._read_command.read(self._command.data)
        commands, locks = self._park_brake(now_ns)
        state = self._state()
        supply_v = pins["supply_v"]
        return Conditions(
            speed_1_mps=own_mps,
            speed_1_valid=True,
            speed_2_mps=vehicle_mps,
            speed_2_valid=vehicle_valid,
            standstill_ns=self._still.update(own_mps, True, vehicle_mps, vehicle_valid, now_ns),
            parked_commanded=commands == (_APPLY, _APPLY),
            parked_confirmed=locks == (_APPLIED, _APPLIED)
            and (not self._has_lock or state is EmbState.PARK_APPLIED),
            abs_active=bool(slipping),
            epb_active=_DYNAMIC in locks,
            epb_moving=state in _REAR_MOVING or _APPLYING in locks or _RELEASING in locks,
            ignition_allowed=mode in _PARKED_MODES,
            supply_v=supply_v,
            supply_margin_ns=_LASTS_NS if supply_v >= _MARGIN_FROM_V else 0,
            temperature_c=pins.get("motor_temperature_c", 25.0),
            safety_dtc=self._faulty(),
            erase_cycles_left=_MOST_CYCLES,
        )

    def _vehicle_mps(self, now_ns: int) -> tuple[float, bool]:
        if now_ns > self._speed.valid_until_ns:
            return 0.0, False
        speed_kmh, quality = self._read_speed.read(self._speed.data)
        speed_mps = 0.0 if speed_kmh < _STILL_KMH else speed_kmh / KMH_PER_MPS
        return speed_mps, quality == _QUALITY_VALID

    def _park_brake(self, now_ns: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Commands and states, left and right; nothing is known of what is too old."""
        if now_ns > self._park.valid_until_ns:
            return (0, 0), (0, 0)
        command_l, command_r, state_l, state_r = self._read_park.read(self._park.data)
        return (int(command_l), int(command_r)), (int(state_l), int(state_r))
