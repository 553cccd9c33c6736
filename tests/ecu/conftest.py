"""A test bench for one ECU without bus and rig: a fake port, senders of the other nodes, a clock.

What a supplier would build to test a module bare: the node only ever sees the `Port` protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Node
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import NS_PER_MS

EMB_PINS = {
    "clamp_force_n": 0.0,
    "screw_travel_m": 0.0,
    "motor_speed_radps": 0.0,
    "phase_current_a": 0.0,
    "battery_current_a": 0.0,
    "wheel_speed_radps": 0.0,
    "supply_v": 48.0,
    "disc_temperature_c": 20.0,
    "park_lock_state": 0.0,
}


class FakePort:
    """Implements `Port` and keeps what the node did."""

    def __init__(self, name: str, inputs: Mapping[str, float], outputs: Iterable[str]) -> None:
        self.name = name
        self.channels: tuple[str, ...] = ("CHASSIS_A",)
        self.inputs = dict(inputs)
        self.outputs = dict.fromkeys(outputs, 0.0)
        self.memory: dict[str, bytes] = {}
        self.sent: list[Frame] = []
        self.accepted: frozenset[int] | None = None
        self.events: list[tuple[str, str]] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append(frame)

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        self.accepted = None if arbitration_ids is None else frozenset(arbitration_ids)

    def read(self, pin: str) -> float:
        return self.inputs[pin]

    def write(self, pin: str, value_ratio: float) -> None:
        assert pin in self.outputs, f"{self.name} has no output pin {pin}"
        self.outputs[pin] = value_ratio
        if pin in self.inputs:  # what a latch is set to is what its sensor sees
            self.inputs[pin] = value_ratio

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))


class Bench:
    """One node, powered on at `start_ns`, and protected senders of everything it listens to."""

    def __init__(
        self,
        node: Node,
        name: str,
        *,
        database: Database,
        inputs: Mapping[str, float],
        outputs: Iterable[str] = (),
        start_ns: int = 0,
    ) -> None:
        self.node: Any = node
        self.database = database
        self.port = FakePort(name, inputs, outputs)
        self.now_ns = start_ns
        self.senders: dict[str, Profile05Sender] = {}
        self._cyclic: dict[str, tuple[dict[str, Any], int]] = {}
        node.start(self.port, start_ns)

    # -- the other nodes ------------------------------------------------------------------------

    def frame(self, message: str, *, data_id: int | None = None, **values: Any) -> Frame:
        """The next frame of a message, right counter and checksum; unnamed signals: start values.

        With `data_id` it is protected for another message.
        """
        found = self.database.message(message)
        sender = self.senders.get(message)
        if sender is None:
            assert found.e2e is not None
            sender = self.senders[message] = Profile05Sender(found.e2e.data_id, found.length)
        data = found.codec.writer(*values).write(*values.values())
        if data_id is None:
            data = sender.protect(data)
        else:
            data = Profile05Sender(data_id, found.length, counter=sender.counter).protect(data)
        return self.raw_frame(message, data)

    def raw_frame(self, message: str, data: bytes) -> Frame:
        """A frame with this payload, right or wrong."""
        identifier = self.database.message(message).arbitration_id
        return Frame(identifier, data, is_fd=True, bitrate_switch=True)

    def hear(self, frame: Frame) -> None:
        """Let the node receive a frame now."""
        self.node.receive(frame, self.now_ns)

    def say(self, message: str, **values: Any) -> None:
        """Let the node receive the next frame of a message now."""
        self.hear(self.frame(message, **values))

    def repeat(self, message: str, **values: Any) -> None:
        """Send a message every cycle from now on; calling again changes the values only."""
        due_ns = self._cyclic[message][1] if message in self._cyclic else self.now_ns
        self._cyclic[message] = (values, due_ns)

    def stop(self, *messages: str) -> None:
        """Stop what `repeat` began."""
        for message in messages:
            del self._cyclic[message]

    # -- time ------------------------------------------------------------------------------------

    def run_to(self, end_ns: int) -> None:
        """Frames and deadlines up to and including `end_ns`; frames of an instant come first."""
        while True:
            times_ns = [due_ns for _, due_ns in self._cyclic.values()]
            deadline_ns = self.node.next_deadline_ns()
            if deadline_ns is not None:
                times_ns.append(deadline_ns)
            if not times_ns or min(times_ns) > end_ns:
                break
            self.now_ns = min(times_ns)
            for message, (values, due_ns) in list(self._cyclic.items()):
                if due_ns == self.now_ns:
                    cycle_ns = self.database.message(message).cycle_time_ns
                    assert cycle_ns is not None
                    self._cyclic[message] = (values, due_ns + cycle_ns)
                    self.say(message, **values)
            if self.node.next_deadline_ns() == self.now_ns:
                self.node.on_timer(self.now_ns)
        self.now_ns = end_ns

    def run_for(self, duration_ns: int) -> None:
        self.run_to(self.now_ns + duration_ns)

    def each_ms(self, count: int) -> Iterable[int]:
        """`count` milliseconds, one by one: the time in ms since the first."""
        for index in range(1, count + 1):
            self.run_for(NS_PER_MS)
            yield index

    # -- what the node did -----------------------------------------------------------------------

    def frames(self, message: str) -> list[Frame]:
        """Frames of a message the node sent so far."""
        identifier = self.database.message(message).arbitration_id
        return [frame for frame in self.port.sent if frame.arbitration_id == identifier]

    def last(self, message: str) -> dict[str, Any]:
        """Values of the last frame of a message, enumerations as texts."""
        return self.database.message(message).codec.decode(self.frames(message)[-1].data, True)

    def happened(self, kind: str) -> list[str]:
        """Texts of the events of one kind."""
        return [text for each, text in self.port.events if each == kind]


class FakeWatchdog:
    """A `WatchdogLine` for `FakePort.watchdog`: its enable line is what a test says."""

    period_ns = 5 * NS_PER_MS

    def __init__(self) -> None:
        self.enabled = True
        self.error_count = 0
        self.served: list[int] = []
        """When the software was allowed to serve it, and did."""
        self.demanded_ns: int | None = None
        self.obeys = True
        """Drops its enable line when the software demands it."""

    @property
    def service(self) -> FakeWatchdog:
        return self

    def step(self, line: Any, now_ns: int, *, allowed: bool) -> None:
        if allowed:
            self.served.append(now_ns)

    def demand_safe_state(self, now_ns: int) -> None:
        self.demanded_ns = now_ns
        if self.obeys:
            self.enabled = False


class Brake:
    """An actuator in closed loop with a caliper, all mechanisms on; commands every 5 ms."""

    def __init__(self, bench: Bench, caliper: Any) -> None:
        self.bench = bench
        self.caliper = caliper
        self.watchdog = FakeWatchdog()
        bench.port.watchdog = self.watchdog  # type: ignore[attr-defined]
        bench.node.start(bench.port, 0)
        self.force_current_a: float | None = None
        """What the power stage drives by itself."""
        self.lies: dict[str, Callable[[float], float]] = {}
        """Sensor pins that show something else than the truth."""
        self.supply_v = 48.0
        self.lock_broken = False
        self.command(0.0)

    @property
    def application(self) -> Any:
        return self.bench.node.application

    def command(self, force_n: float, mode: str = "", **rest: Any) -> None:
        """What the domain controller asks of this corner from now on."""
        corner = self.bench.port.name[-2:]
        mode = mode or ("ForceCtrl" if force_n > 0.0 else "Clearance")
        values = {"FReq": force_n, "Mode": mode, "FSlope": 1000, "ReqVld": 1, "AbsActv": 0}
        named = {f"CDC_{corner}_{name}": value for name, value in values.items()}
        self.bench.repeat("CDC_EmbCmd", **named | rest)

    def pedal(self, travel_mm: float) -> None:
        """Both channels of the pedal from now on."""
        self.bench.repeat(
            "BPS_Pedal", BPS_Trvl1=travel_mm, BPS_Trvl2=travel_mm, BPS_Qf1=3, BPS_Qf2=3
        )

    def run(self, count_ms: int) -> list[float]:
        """Milliseconds of ECU and caliper; the true clamp force of each."""
        caliper, port = self.caliper, self.bench.port
        forces_n = []
        for _ in self.bench.each_ms(count_ms):
            current_a = port.outputs["motor_current_a"]
            if self.force_current_a is not None:
                current_a = self.force_current_a
            if not self.watchdog.enabled:
                current_a = 0.0
            caliper.park_locked = port.outputs["park_lock_state"] > 0.0 and not self.lock_broken
            caliper.step(0.001, current_a, self.supply_v, 0.0, 0.0)
            truth = {
                "clamp_force_n": caliper.clamp_force_n,
                "screw_travel_m": caliper.screw_travel_m,
                "motor_speed_radps": caliper.motor_speed_radps,
                "phase_current_a": caliper.phase_current_a,
                "supply_v": self.supply_v,
                "park_lock_state": float(caliper.park_locked),
            }
            for pin, lie in self.lies.items():
                truth[pin] = lie(truth[pin])
            port.inputs.update(truth)
            forces_n.append(caliper.clamp_force_n)
        return forces_n

    def events(self, kind: str) -> list[str]:
        """Texts of the events of one kind."""
        return self.bench.happened(kind)


@pytest.fixture(scope="session")
def database() -> Database:
    return Database.reference()


@pytest.fixture(scope="session")
def make_bench(database: Database) -> Callable[..., Bench]:
    """`make_bench(node, name, inputs=..., outputs=...)` starts a node on a bench."""

    def make(node: Node, name: str, **rest: Any) -> Bench:
        return Bench(node, name, database=database, **rest)

    return make


@pytest.fixture(scope="session")
def make_emb(make_bench: Callable[..., Bench], database: Database) -> Callable[..., Bench]:
    """`make_emb("EMB_FL")`: a brake actuator just powered on, cold and at rest.

    Pins that a test sets by hand fit no caliper: its monitor and its plausibility checks are left
    out unless the test gives another set of mechanisms with `without=`.
    """
    from simcore.ecu import Emb

    def make(
        name: str = "EMB_FL",
        without: frozenset[str] = frozenset({"monitor", "plausibility"}),
        **rest: Any,
    ) -> Bench:
        emb = Emb(name, database)
        emb.without = without
        return make_bench(
            emb,
            name,
            inputs=EMB_PINS,
            outputs=("motor_current_a", "park_lock_state"),
            **rest,
        )

    return make


@pytest.fixture(scope="session")
def make_brake(make_emb: Callable[..., Bench]) -> Callable[..., Brake]:
    """`make_brake("EMB_FL")`: a ready actuator, open, in closed loop with its caliper."""
    from simcore.plant.caliper import Caliper
    from simcore.plant.parameters import FRONT_CALIPER, REAR_CALIPER

    def make(name: str = "EMB_FL", without: Iterable[str] = ()) -> Brake:
        parameters = FRONT_CALIPER if name[-2] == "F" else REAR_CALIPER
        brake = Brake(make_emb(name, without=frozenset(without)), Caliper(parameters))
        brake.run(200)
        assert brake.application.state.name == "READY"
        assert brake.events("detection") == []
        return brake

    return make
