"""`Rig`: the reference chassis wired up, and the scripting API.

The walk of one pedal press: `driver` moves the pedal; its travel is a pin of the pedal sensor;
the sensor's frame wins arbitration on `CHASSIS_A`, and again on `CHASSIS_B`, which carries all
that braking needs; the domain controller commands the four actuators; their motor currents are
pins of the plant; the plant brakes the vehicle; wheel speeds are pins again. What needs no vehicle
is in `bench`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from simcore.bus import BitTiming
from simcore.ecu.mechanisms import mechanisms_off
from simcore.errors import UsageError
from simcore.faults.fault import FaultSequence, TimedFault
from simcore.kernel import Pacing
from simcore.network import Database
from simcore.plant.chassis import ChassisPlant
from simcore.rig.bench import Bench
from simcore.rig.building import chassis_buses, chassis_hosts
from simcore.rig.driver import DEFAULT_RAMP_NS, Driver
from simcore.rig.evidence import Observation
from simcore.rig.injection import AnyFault
from simcore.rig.invariants import judge
from simcore.rig.measure import ForceAccuracy, Release, Stop, measure_force_accuracy
from simcore.rig.measure import measure_release as _measure_release
from simcore.rig.measure import measure_stop as _measure_stop
from simcore.rig.pins import COLUMNS, PLANT_PERIOD_NS, PlantLoop
from simcore.rig.reaction import SETTLE_NS, TIMEOUT_NS, Reaction
from simcore.rig.reaction import measure_reaction as _measure_reaction
from simcore.rig.reference import AUTO_HOLD_NODES, SUPPLY_V
from simcore.rig.result import BusStatistics, Check
from simcore.rig.timing import timing_of
from simcore.rig.vehicle import VehicleControl
from simcore.rig.wire_watch import WireWatch
from simcore.units import NS_PER_MS


class Rig(Bench):
    """The reference chassis in virtual time.

    `seed` feeds the named random streams; `database` is the network (default: the shipped
    interface); `pacing` ties virtual to real time (default: as fast as possible). `without` names
    mechanisms of `simcore.ecu.mechanisms` to build the ECUs without: what they are worth shows.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        database: Database | None = None,
        timing: BitTiming | None = None,
        pacing: Pacing | None = None,
        without: Iterable[str] = (),
    ) -> None:
        self.without = mechanisms_off(without)
        if database is not None and not isinstance(database, Database):
            raise UsageError(
                "Rig, database", expected="a Database, as Database.load(path)", got=repr(database)
            )
        database = database if database is not None else Database.reference()
        database.refuse_errors()
        super().__init__(database, seed=seed, pacing=pacing, columns=COLUMNS)
        self.plant = ChassisPlant(supply_v=SUPPLY_V)
        self.vehicle = VehicleControl(self.plant, self.log)
        self.driver = Driver(self.log)
        bus_timing = timing if timing is not None else timing_of(database)
        self.buses = chassis_buses(database, bus_timing, self.scheduler, self.recorder.frames)
        self.wire_watch = WireWatch(self.buses, self.recorder, self.log)
        self._hosts = chassis_hosts(
            database, self.buses, self.scheduler, self.log, without=self.without
        )
        self._loop = PlantLoop(self.plant, self.driver, self.recorder, self.scheduler, self._hosts)
        self._loop.start()
        for host in self._hosts.values():
            host.start()

    def pin(self, node: str, name: str) -> float:
        """Present value of an input or output pin."""
        host = self._host(node)
        value = host.outputs.get(name)
        return host.read(name) if value is None else value

    def set_auto_hold(self, on: bool) -> None:
        """Press the auto-hold switch."""
        if not isinstance(on, bool):
            raise UsageError("set_auto_hold", expected="True or False", got=repr(on))
        for name in AUTO_HOLD_NODES:  # a switch with two contacts
            if name in self._hosts:
                self._host(name).inputs["auto_hold_switch_state"] = float(on)
        self.log.add("driver", "driver", f"auto hold switched {'on' if on else 'off'}")

    def set_park_brake(self, on: bool) -> None:
        """Pull the parking brake's switch up, or push it down; it stays there."""
        if not isinstance(on, bool):
            raise UsageError("set_park_brake", expected="True or False", got=repr(on))
        for name in AUTO_HOLD_NODES:
            if name in self._hosts:
                self._host(name).inputs["park_switch_state"] = float(on)
        self.log.add("driver", "driver", f"parking brake switched {'on' if on else 'off'}")

    def set_power_mode(self, mode: str) -> None:
        """Let the gateway report another power mode: `Drive`, `Ready`, `Park`, `Afterrun`."""
        self.restbus("GW").set("VEH_Mode", VEH_PwrMode=mode)
        self.log.add("driver", "driver", f"power mode {mode}")

    # -- driving ---------------------------------------------------------------------------------

    def press_pedal(self, pedal_pct: float, *, ramp_ns: int = DEFAULT_RAMP_NS) -> None:
        """Press the brake pedal to a position along a ramp."""
        self.driver.press(pedal_pct, now_ns=self.now_ns, ramp_ns=ramp_ns)

    def release_pedal(self, *, ramp_ns: int = 0) -> None:
        """Release the brake pedal, at once by default."""
        self.driver.press(0.0, now_ns=self.now_ns, ramp_ns=ramp_ns)

    def measure_stop(
        self, *, pedal_pct: float, timeout: int, ramp_ns: int = DEFAULT_RAMP_NS
    ) -> Stop:
        """Brake from the present speed to standstill and measure it; the pedal stays pressed."""
        return _measure_stop(self, pedal_pct=pedal_pct, timeout_ns=timeout, ramp_ns=ramp_ns)

    def measure_release(self, *, timeout: int) -> Release:
        """Release the pedal and measure how fast the clamp forces go."""
        return _measure_release(self, timeout_ns=timeout)

    def measure_force_accuracy(self, *, duration: int) -> ForceAccuracy:
        """Compare commanded and true clamp forces over a stretch of steady command."""
        return measure_force_accuracy(self, duration_ns=duration)

    def measure_reaction(
        self,
        fault: AnyFault | TimedFault | FaultSequence,
        *,
        detection: Observation,
        safe_state: Observation,
        timeout: int = TIMEOUT_NS,
        hazard: Observation | None = None,
        hazard_within: int | None = None,
        settle: int = SETTLE_NS,
    ) -> Reaction:
        """Break something and measure when that was detected and when the vehicle was safe.

        The run goes on until the safe state has lasted for `settle` ns, at most to `timeout` ns
        after the fault. A `TimedFault` is waited for. `hazard` is the event that must not come
        within `hazard_within` ns of the fault (default: `timeout`): so long is observed anyway.
        `detection` should name the cause, by node and text: any event that fits is taken for it.
        """
        return _measure_reaction(
            self,
            fault,
            detection=detection,
            safe_state=safe_state,
            timeout_ns=timeout,
            hazard=hazard,
            hazard_within_ns=hazard_within,
            settle_ns=settle,
        )

    # -- looking at the vehicle ------------------------------------------------------------------

    def recorded(self, column: str, *, since_ns: int = 0) -> NDArray[np.float64]:
        """A recorded column, one value per millisecond, from the first one after `since_ns`.

        Raises `UsageError` for an unknown column, naming all there are.
        """
        return self.recorder.column(column, first_row=max(0, since_ns // PLANT_PERIOD_NS))

    def last_ms(
        self, column: str, holds: Callable[[NDArray[np.float64]], object], *, since_ns: int
    ) -> float:
        """When a condition on a recorded column last held, in ms after `since_ns`; 0 if never.

        `holds` gets the column as an array and returns an array of flags.
        """
        rows = np.flatnonzero(np.asarray(holds(self.recorded(column, since_ns=since_ns))))
        if len(rows) == 0:
            return 0.0
        last_ns = (since_ns // PLANT_PERIOD_NS + int(rows[-1]) + 1) * PLANT_PERIOD_NS
        return (last_ns - since_ns) / NS_PER_MS

    # -- verdicts -------------------------------------------------------------------------------

    def invariants(self, buses: tuple[BusStatistics, ...]) -> list[Check]:
        """BRK-003, COM-001 and COM-LOAD over the run so far."""
        return judge(self, buses)
