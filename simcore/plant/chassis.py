"""The whole plant: four calipers, the vehicle and the road, advanced together.

This is what a rig steps every millisecond. Inputs are plain attributes that stay until changed;
outputs are read from `calipers` and `vehicle`. Pedal, sensors and electronics are outside.
"""

from __future__ import annotations

from dataclasses import replace

from simcore.plant.caliper import Caliper
from simcore.plant.environment import DRY_ASPHALT, Segment, Surface
from simcore.plant.held import Held, Holding
from simcore.plant.parameters import (
    FRONT_CALIPER,
    REAR_CALIPER,
    REFERENCE_VEHICLE,
    CaliperParameters,
    VehicleParameters,
)
from simcore.plant.vehicle import Vehicle


class ChassisPlant:
    """Four calipers on a vehicle on a road. Lists are in the order FL FR RL RR.

    `motor_current_a` is the request to each current loop, `supply_v` the supply of each inverter,
    `steer_rad` the road wheel angle of the front axle.
    """

    __slots__ = (
        "_held_grade",
        "_held_segments",
        "_held_supply",
        "_road",
        "_surface",
        "_torque_nm",
        "calipers",
        "drive_torque_nm",
        "motor_current_a",
        "steer_rad",
        "supply_v",
        "vehicle",
    )

    def __init__(
        self,
        *,
        vehicle: VehicleParameters = REFERENCE_VEHICLE,
        front_caliper: CaliperParameters = FRONT_CALIPER,
        rear_caliper: CaliperParameters = REAR_CALIPER,
        surface: Surface = DRY_ASPHALT,
        supply_v: float = 48.0,
    ) -> None:
        self.calipers = (
            Caliper(front_caliper),
            Caliper(front_caliper),
            Caliper(rear_caliper),
            Caliper(rear_caliper),
        )
        self.vehicle = Vehicle(vehicle)
        self.motor_current_a: list[float] = [0.0, 0.0, 0.0, 0.0]
        self.supply_v: list[float] = [supply_v] * 4
        self.drive_torque_nm: list[float] = [0.0, 0.0, 0.0, 0.0]
        self.steer_rad = 0.0
        self._torque_nm: list[float] = [0.0, 0.0, 0.0, 0.0]
        self._held_supply: tuple[Held[float], ...] = (Held(), Held(), Held(), Held())
        self._held_segments: list[Holding[tuple[Segment, ...]]] = []
        self._held_grade: list[Holding[float]] = []
        self.set_surface(surface)

    @property
    def surface(self) -> Surface:
        """The road; changed by `set_surface`, and not by faults that hold its friction or slope."""
        return self._road

    def set_surface(self, surface: Surface) -> None:
        """Put another road under the vehicle, from now on. Takes the road's slope, too.

        What a fault holds of it stays as the fault says.
        """
        self._road = surface
        self._take_road()

    def _take_road(self) -> None:
        """The road, with what faults hold of it."""
        surface = self._road
        if self._held_segments:
            surface = replace(surface, segments=self._held_segments[-1].value)
        if self._held_grade:
            surface = replace(surface, grade_ratio=self._held_grade[-1].value)
        self._surface = surface
        if surface.grade_ratio != self.vehicle.grade_ratio:
            self.vehicle.set_grade(surface.grade_ratio)
        self._take_friction()

    def step(self, dt_s: float) -> None:
        """Advance everything by `dt_s`: calipers first, then the vehicle under their torques."""
        vehicle = self.vehicle
        fl, fr, rl, rr = self.calipers
        i_fl, i_fr, i_rl, i_rr = self.motor_current_a
        u_fl, u_fr, u_rl, u_rr = self.supply_v
        w_fl, w_fr, w_rl, w_rr = vehicle.wheel_speed_radps
        speed_mps = vehicle.speed_mps
        # In a straight stop the two of an axle are in the same state under the same inputs: then
        # one step is enough for both. Open brakes are cheaper than the question.
        same = fl.clamp_force_n > 0.0 and i_fl == i_fr and w_fl == w_fr and u_fl == u_fr
        same = same and fl.works_like(fr)
        fl.step(dt_s, i_fl, u_fl, w_fl, speed_mps)
        if same:
            fr.follow(fl)
        else:
            fr.step(dt_s, i_fr, u_fr, w_fr, speed_mps)
        same = rl.clamp_force_n > 0.0 and i_rl == i_rr and w_rl == w_rr and u_rl == u_rr
        same = same and rl.works_like(rr)
        rl.step(dt_s, i_rl, u_rl, w_rl, speed_mps)
        if same:
            rr.follow(rl)
        else:
            rr.step(dt_s, i_rr, u_rr, w_rr, speed_mps)
        torque = self._torque_nm
        torque[0] = fl.brake_torque_nm
        torque[1] = fr.brake_torque_nm
        torque[2] = rl.brake_torque_nm
        torque[3] = rr.brake_torque_nm
        if len(self._surface.segments) > 1:
            self._take_friction()
        vehicle.step(dt_s, torque, self.drive_torque_nm, self.steer_rad)

    def _take_friction(self) -> None:
        vehicle = self.vehicle
        front_m = vehicle.x_m + vehicle.parameters.cg_to_front_m
        rear_m = vehicle.x_m - vehicle.parameters.cg_to_rear_m
        for corner in range(4):
            x_m = front_m if corner < 2 else rear_m
            vehicle.friction_ratio[corner] = self._surface.friction_ratio(corner, x_m)

    # -- faults ---------------------------------------------------------------------------------

    def hold_friction(self, segments: tuple[Segment, ...]) -> Holding[tuple[Segment, ...]]:
        """The road has this friction, whatever it is, until it is released; the last one wins."""
        holding = Holding(segments)
        self._held_segments.append(holding)
        self._take_road()
        return holding

    def release_friction(self, holding: Holding[tuple[Segment, ...]]) -> None:
        """No longer."""
        self._held_segments.remove(holding)
        self._take_road()

    def hold_grade(self, grade_ratio: float) -> Holding[float]:
        """The road has this slope, whatever it is, until it is released; the last one wins."""
        holding = Holding(grade_ratio)
        self._held_grade.append(holding)
        self._take_road()
        return holding

    def release_grade(self, holding: Holding[float]) -> None:
        """No longer."""
        self._held_grade.remove(holding)
        self._take_road()

    def hold_supply(self, corner: int, supply_v: float) -> Holding[float]:
        """The inverter of a corner has this supply, until it is released; the last one wins."""
        holding = self._held_supply[corner].hold(self.supply_v[corner], supply_v)
        self.supply_v[corner] = supply_v
        return holding

    def release_supply(self, corner: int, holding: Holding[float]) -> None:
        """No longer."""
        self.supply_v[corner] = self._held_supply[corner].release(holding)
