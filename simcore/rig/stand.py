"""`NodeStand`: one module on a bench, everything around it played.

Every other sender of the database is on its buses with counters, checksums and secured messages
right; an analyser acknowledges. The module has its pins, a caliper where it is an actuator, an
external watchdog and a flash where its place has them. `Rig` is the whole vehicle instead,
`Restbus` a network without pins.

    stand = NodeStand(database, "EMB_FL", axle="front", watchdog=fs65())
    stand.mount(MyActuator())
    stand.set("CDC_EmbCmd", CDC_FL_Mode="ForceCtrl", CDC_FL_FReq=8000, CDC_FL_ReqVld="Valid")
    stand.run_for(ms(300))
    stand.pin("clamp_force_n")
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simcore.bus import Bus, ControllerOptions
from simcore.ecu import Node, RestbusNode
from simcore.errors import UsageError
from simcore.faults.message import MessageStopped
from simcore.kernel import Priority
from simcore.network import Database
from simcore.network.messages import Number, unknown_name
from simcore.plant.caliper import Caliper
from simcore.protection.cmac import memory_of
from simcore.rig.arguments import require_number
from simcore.rig.bench import Bench
from simcore.rig.board import Cuts
from simcore.rig.building import BUS_OFF_PAUSE_NS, chassis_buses
from simcore.rig.clock import NodeClock
from simcore.rig.host import NodeHost
from simcore.rig.injection import InjectedFault
from simcore.rig.reference import CORNERS, test_keys
from simcore.rig.restbus import ANALYSER, AbsentNode
from simcore.rig.software import HARDWARE, factory_flash, layout, provision
from simcore.rig.stand_pins import PLANT_PERIOD_NS, Axle, StandLoop, StandPlant, columns_of, pins_of
from simcore.rig.timing import timing_of
from simcore.rig.wire_watch import WireWatch
from simcore.units import NS_PER_S
from simcore.update.flash import Flash
from simcore.watchdog.device import DeviceSettings

_TIDY_NS = NS_PER_S


class NodeStand(Bench):
    """A place of the network for one module, and everything around it.

    `inputs` and `outputs` are pins of the place with their values at power on; with an `axle` those
    of a brake actuator come by themselves, with its caliper behind them. `cuts` is what the enable
    line of a `watchdog` takes away. `flash` puts one there with what the factory wrote. `values` is
    what the restbus sends where it differs from the start values, by message and signal.

    The place is empty until `mount`. Raises `UsageError` for a node the database does not have.
    """

    def __init__(
        self,
        database: Database,
        node: str,
        *,
        seed: int = 0,
        inputs: Mapping[str, float] | None = None,
        outputs: Mapping[str, float] | None = None,
        axle: Axle | None = None,
        watchdog: DeviceSettings | None = None,
        cuts: Cuts = "outputs",
        flash: bool = False,
        values: Mapping[str, Mapping[str, Number | str]] | None = None,
    ) -> None:
        database.refuse_errors()
        if node not in database.nodes:
            raise unknown_name(f"NodeStand on {database.name}: unknown node", node, database.nodes)
        ins, outs = pins_of(axle, dict(inputs or {}), dict(outputs or {}))
        super().__init__(
            database, seed=seed, pacing=None, columns=columns_of(tuple(ins), tuple(outs))
        )
        self.place = node
        """Name of the node whose module is under test."""
        self.plant = None if axle is None else StandPlant(axle, _corner_of(node, axle))
        self.buses = chassis_buses(
            database, timing_of(database), self.scheduler, self.recorder.frames
        )
        for bus in self.buses:
            bus.attach(ANALYSER)
        self.wire_watch = WireWatch(self.buses, self.recorder, self.log)
        self._stopped: dict[str, InjectedFault] = {}
        self._sender: dict[str, str] = {}
        """Who plays each message."""
        self._clock = NodeClock(self.scheduler)
        for name in dict.fromkeys((*database.nodes, *database.senders)):
            if name != node:
                self._play(name)
        self._dut = self._hosts[node] = self._place(node, AbsentNode(), ins, outs)
        self._dut.configure_controllers(
            ControllerOptions(
                replace_pending=frozenset(
                    message.arbitration_id
                    for message in database.sent_by(node)
                    if message.cycle_time_ns is not None
                ),
                recovery_delay_ns=BUS_OFF_PAUSE_NS,
            )
        )
        if flash:
            self._dut.fit_flash(_flash(node))
        if watchdog is not None:
            self._dut.guard(watchdog, cuts=cuts)
        for message, signals in (values or {}).items():
            self.set(message, **signals)
        for name in self._playing:
            self._hosts[name].start()
        self._loop = StandLoop(self._dut, self.plant, self.recorder, self.scheduler)
        self._loop.start()
        self.scheduler.timer(_TIDY_NS, Priority.OBSERVER, self._tidy)

    def _tidy(self) -> None:
        """Pack the frames recorded so far: copies of the stand share them."""
        self.recorder.fold()
        self.scheduler.timer(self.now_ns + _TIDY_NS, Priority.OBSERVER, self._tidy)

    # -- wiring ---------------------------------------------------------------------------------

    def _place(
        self, name: str, node: Node, inputs: dict[str, float], outputs: dict[str, float]
    ) -> NodeHost:
        database = self.database
        both = {m.arbitration_id for m in database.messages if m.is_redundant}
        buses: tuple[Bus, ...] = self.buses
        return NodeHost(
            name,
            node,
            buses if name in database.redundant_nodes else buses[:1],
            self.scheduler,
            self._clock,
            self.log,
            inputs=inputs,
            outputs=outputs,
            both_ids=frozenset(both),
            provisioned=memory_of(test_keys(name, database)) if name in database.nodes else {},
        )

    def _play(self, name: str) -> None:
        """Put a restbus sender in a place, not yet switched on."""
        wanted = [
            message.name
            for message in self.database.sent_by(name)
            if self.place not in message.senders and message.name not in self._sender
        ]
        self._sender.update(dict.fromkeys(wanted, name))
        node = RestbusNode(name, self.database, messages=wanted)
        host = self._hosts[name] = self._place(name, node, {}, {})
        host.configure_controllers(
            ControllerOptions(
                replace_pending=frozenset(
                    rule.message.arbitration_id for rule in node.rules.values() if rule.cycle_ns
                ),
                recovery_delay_ns=BUS_OFF_PAUSE_NS,
            )
        )

    @property
    def _playing(self) -> tuple[str, ...]:
        return tuple(name for name in self._hosts if name != self.place)

    # -- the module -----------------------------------------------------------------------------

    def mount(self, module: Node, *, power_on: bool = True) -> None:
        """Put the module under test into its place, and power it on unless told otherwise.

        Memory is as provisioned, the flash as the factory left it.
        """
        if self._dut.running:
            self._dut.halt()
        if not isinstance(self._dut.node, AbsentNode):
            flash = self._dut.flash
            self._dut.fit_flash(None if flash is None else _flash(self.place))
            self._dut.memory.clear()
            self._dut.memory.update(memory_of(test_keys(self.place, self.database)))
        if self._dut.flash is not None:
            provision(self.place, module)
        self._dut.node = module
        self._replaced.add(self.place)
        self.log.add(self.place, "note", f"{type(module).__name__} mounted")
        if power_on:
            self.power_on()

    def power_on(self) -> None:
        """Give the module its supply."""
        if not self._dut.running:
            self._revive(self.place)
            self._dut.start()

    def power_off(self) -> None:
        """Take the module's supply away; a latch stays as it is."""
        self._dut.halt()

    @property
    def dut(self) -> NodeHost:
        """What runs the module under test."""
        return self._dut

    @property
    def caliper(self) -> Caliper:
        """The caliper behind the pins. Raises `UsageError` where there is none."""
        if self.plant is None:
            raise UsageError(f"caliper of {self.place}", expected="a stand with an axle")
        return self.plant.caliper

    # -- what is around it ----------------------------------------------------------------------

    def set(self, message: str, /, **values: Number | str) -> None:
        """Set signals without an event: they are sent from the next frame on."""
        self.restbus(self.sender_of(message)).set(message, **values)

    def write(self, message: str, /, **values: Number | str) -> None:
        """Write signals as an application does: with the events their send types say."""
        name = self.sender_of(message)
        self.restbus(name).write(message, self.now_ns, **values)
        self._hosts[name].ask_again()

    def send(self, message: str, /) -> None:
        """Send one frame of a message, now, whatever its send type."""
        self.send_once(self.sender_of(message), message)

    def stop(self, message: str, /) -> None:
        """Let a message stay away until `resume`; its counter runs on meanwhile."""
        if message not in self._stopped:
            self.sender_of(message)
            self._stopped[message] = self.inject(MessageStopped(message=message))

    def resume(self, message: str, /) -> None:
        """Let a message come again."""
        stopped = self._stopped.pop(message, None)
        if stopped is not None:
            stopped.clear()

    def sender_of(self, message: str) -> str:
        """The played node that sends a message. Raises `UsageError` where there is none."""
        name = self._sender.get(message)
        if name is None:
            found = self.database.message(message)  # an unknown one is said to be unknown
            raise UsageError(
                f"stand of {self.place}: {message}",
                expected="a message that is played",
                got=f"one of {', '.join(found.senders) or 'nobody'}",
            )
        return name

    def set_speed(self, *, kmh: float) -> None:
        """Let the wheel turn at this speed of the vehicle from now on; 0 at first."""
        require_number("set_speed, kmh", kmh)
        self._require_plant("set_speed").set_speed(float(kmh))

    def set_supply(self, *, supply_v: float) -> None:
        """Set the supply of the actuator's inverter; the ECU goes on, see `power_off`."""
        require_number("set_supply, supply_v", supply_v)
        plant = self._require_plant("set_supply")
        plant.supply_v[plant.corner] = float(supply_v)

    def pin(self, name: str) -> float:
        """Present value of a pin of the module: an input as it reads it, else an output."""
        value = self._dut.inputs.get(name)
        if value is None:
            value = self._dut.outputs.get(name)
        return self._dut.read(name) if value is None else value

    def set_pin(self, name: str, value: float) -> None:
        """Set an input pin that the caliper does not drive."""
        require_number(f"set_pin {name!r}", value)
        self._loop.set_pin(name, float(value))

    def recorded(self, column: str, *, since_ns: int = 0) -> NDArray[np.float64]:
        """The true value of a pin, one per millisecond, from the first one after `since_ns`.

        Named as the pin; what the module writes to one that has an input of the same name is
        `<pin>.written`. Raises `UsageError` for an unknown column.
        """
        return self.recorder.column(column, first_row=max(0, since_ns // PLANT_PERIOD_NS))

    def _require_plant(self, what: str) -> StandPlant:
        if self.plant is None:
            raise UsageError(what, expected="a stand with an axle")
        return self.plant


def _corner_of(node: str, axle: Axle) -> int:
    """The corner a node's name says, else the left one of its axle."""
    corner = node.rpartition("_")[2]
    if corner in CORNERS:
        return CORNERS.index(corner)
    return 0 if axle == "front" else 2


def _flash(node: str) -> Flash:
    """As the factory leaves it; blank for hardware the reference software is not made for."""
    return factory_flash(node) if node in HARDWARE else Flash(layout().geometry())
