"""Somebody else's module in the place of a node: it works, it may be broken, the run goes on."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.bus import ErrorState, Frame
from simcore.ecu import Emb, Node, Port
from simcore.errors import UsageError
from simcore.faults import BusOff
from simcore.kernel import Scheduler
from simcore.network import Database
from simcore.protection import E2eStatus, Profile05Receiver, Profile05Sender
from simcore.resources import scenario_path
from simcore.rig import Rig, Verdict, load_scenarios, run_scenario
from simcore.rig.host_time import LocalClock
from simcore.rig.outcome import report_collisions
from simcore.units import ms, s

CORNERS = ("FL", "FR", "RL", "RR")


class SmallActuator:
    """A brake actuator as a supplier might begin: one force loop, two messages, E2E."""

    def __init__(self, name: str, database: Database, motor_nm_per_a: float) -> None:
        self.name, self.motor_nm_per_a = name, motor_nm_per_a
        corner = name[-2:]
        self.command = database.message("CDC_EmbCmd")
        self.read = self.command.codec.reader(f"CDC_{corner}_FReq", f"CDC_{corner}_Mode")
        self.status = [database.message(f"{name}_St1"), database.message(f"{name}_St2")]
        one = ("FAct", "FActQf", "State", "WhlSpd", "WhlDir", "WhlSpdQf", "ReqEcho", "BusSel")
        self.write = self.status[0].codec.writer(*(f"{name}_{signal}" for signal in one))

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.request_n, self.commanded_ns, self.trim_m = 0.0, now_ns - s(1), 0.0
        self.checker = Profile05Receiver(self.command.e2e.data_id, self.command.length)
        self.senders = [Profile05Sender(m.e2e.data_id, m.length) for m in self.status]
        self.due_ns = [now_ns, *(now_ns + message.start_delay_ns for message in self.status)]
        port.accept([self.command.arbitration_id])

    def receive(self, frame: Frame, now_ns: int) -> None:
        if self.checker.check(frame.data) in (E2eStatus.OK, E2eStatus.OK_SOME_LOST):
            force_n, mode = self.read.read(frame.data)
            self.request_n, self.commanded_ns = (force_n if mode in (2, 3) else 0.0), now_ns

    def next_deadline_ns(self) -> int | None:
        return min(self.due_ns)

    def on_timer(self, now_ns: int) -> None:
        if self.due_ns[0] == now_ns:
            self.due_ns[0] += ms(1)
            self.control(self.request_n if now_ns - self.commanded_ns <= ms(100) else 0.0)
        for index, message in enumerate(self.status):
            if self.due_ns[1 + index] == now_ns:
                self.due_ns[1 + index] += message.cycle_time_ns
                self.send(index)

    def control(self, request_n: float) -> None:
        pins = self.port.inputs
        force_n, travel_m = pins["clamp_force_n"], pins["screw_travel_m"]
        if request_n > 50.0:
            error_m = (request_n - force_n) / 30e6 + self.trim_m
            if abs(request_n - force_n) < 2_000.0:
                self.trim_m += (request_n - force_n) / 30e6 * 0.02
        else:
            error_m, self.trim_m = -0.2e-3 - travel_m, 0.0
        speed_radps = max(-400.0, min(400.0, 100.0 * error_m / 5e-5))
        torque_nm = 1.2e-4 * 250.0 * (speed_radps - pins["motor_speed_radps"]) + 5e-5 * force_n
        self.port.write("motor_current_a", max(-30.0, min(30.0, torque_nm / self.motor_nm_per_a)))

    def send(self, index: int) -> None:
        pins, message = self.port.inputs, self.status[index]
        data = message.codec.writer().write()
        if index == 0:
            force_n, speed_radps = pins["clamp_force_n"], pins["wheel_speed_radps"]
            state = 3 if self.request_n > 0 else 2
            wheel = (abs(speed_radps) * 0.345 * 3.6, 2 if abs(speed_radps) < 0.05 else 0, 3)
            data = self.write.write(force_n, 3, state, *wheel, 2, 0)
        frame = Frame(
            message.arbitration_id, bytes(message.length), is_fd=True, bitrate_switch=True
        )
        self.port.send(frame.with_data(self.senders[index].protect(data)))


def small(rig: Rig, name: str) -> SmallActuator:
    return SmallActuator(name, rig.database, 0.11 if name[-2] == "F" else 0.08)


# -- a module that works -------------------------------------------------------------------------


def test_a_small_actuator_is_a_node(standing: Rig) -> None:
    assert isinstance(small(standing, "EMB_FL"), Node)


@pytest.mark.parametrize("names", [("EMB_FL",), ("EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")])
def test_a_panic_stop_passes_with_a_small_python_actuator(names: tuple[str, ...]) -> None:
    (item,) = load_scenarios(scenario_path("panic_stop.py"))

    def replace(rig: Rig) -> None:
        for name in names:
            rig.replace(name, small(rig, name))

    result = run_scenario(item, on_rig=replace)
    failed = [check for check in result.checks if not check.passed]
    assert (result.error, failed, result.findings) == (None, [], ())
    assert result.verdict is Verdict.PASSED
    notes = [event.text for event in result.events if event.text.startswith("replaced")]
    assert notes == ["replaced by SmallActuator"] * len(names)


def test_a_rig_with_a_small_actuator_forks_and_pickles(standing: Rig) -> None:
    standing.replace("EMB_FL", small(standing, "EMB_FL"))
    standing.run_for(ms(33))
    twins = [standing.fork(), pickle.loads(pickle.dumps(standing))]
    assert twins[0].node("EMB_FL") is not standing.node("EMB_FL")
    for rig in (standing, *twins):
        rig.press_pedal(30)
        rig.run_for(ms(200))
    assert {rig.digest for rig in twins} == {standing.digest}
    assert standing.vehicle.clamp_force_n[0] > 1_000.0


def test_a_module_takes_over_while_driving(rolling: Rig) -> None:
    rolling.press_pedal(30)
    rolling.run_for(ms(300))
    before_n = rolling.vehicle.clamp_force_n[0]
    rolling.replace("EMB_FL", small(rolling, "EMB_FL"))
    rolling.run_for(ms(300))
    assert rolling.vehicle.clamp_force_n[0] == pytest.approx(before_n, rel=0.1)
    assert rolling.log.findings == []


def test_a_replaced_node_starts_with_empty_memory_and_hears_everything(standing: Rig) -> None:
    class Curious(Quiet):
        def start(self, port: Port, now_ns: int) -> None:
            self.heard: set[int] = set()
            self.memory = dict(port.memory)
            port.memory["left"] = b"behind"

        def receive(self, frame: Frame, now_ns: int) -> None:
            self.heard.add(frame.arbitration_id)

    first, second = Curious(), Curious()
    for node in (first, second):
        standing.replace("GW", node)
        standing.run_for(ms(20))
        assert node.memory == {}
        assert {0x060, 0x080, 0x0A0} <= node.heard
    standing.reset("GW")
    assert second.memory == {"left": b"behind"}


class Quiet:
    """Implements `Node` and does nothing."""

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port

    def receive(self, frame: Frame, now_ns: int) -> None:
        pass

    def on_timer(self, now_ns: int) -> None:
        pass

    def next_deadline_ns(self) -> int | None:
        return None


@pytest.mark.parametrize("missing", ["start", "receive", "on_timer", "next_deadline_ns"])
def test_what_is_no_node_is_refused_and_the_old_one_stays(standing: Rig, missing: str) -> None:
    broken: Any = Quiet()
    setattr(broken, missing, None)
    old = standing.node("EMB_FL")
    with pytest.raises(
        UsageError,
        match=rf"^replace EMB_FL: expected a node with a method {missing}, got <.*Quiet object",
    ):
        standing.replace("EMB_FL", broken)
    assert standing.node("EMB_FL") is old
    standing.run_for(ms(20))
    assert standing.log.findings == []


# -- a module that raises ------------------------------------------------------------------------


class Broken(Emb):
    """A good actuator that raises in one method, `after_ns` after its start."""

    method = ""
    error: type[BaseException] = ZeroDivisionError
    after_ns = 0
    started_ns: int | None = None

    def _maybe(self, method: str, now_ns: int) -> None:
        if method == self.method and now_ns - (self.started_ns or 0) >= self.after_ns:
            raise self.error("bad luck")

    def start(self, port: Port, now_ns: int) -> None:
        self.started_ns = self.last_ns = now_ns
        self._maybe("start", now_ns)
        super().start(port, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.last_ns = now_ns
        self._maybe("receive", now_ns)
        super().receive(frame, now_ns)

    def on_timer(self, now_ns: int) -> None:
        self.last_ns = now_ns
        self._maybe("on_timer", now_ns)
        super().on_timer(now_ns)

    def next_deadline_ns(self) -> int | None:
        self._maybe("next_deadline_ns", self.last_ns)
        return super().next_deadline_ns()


def broken(rig: Rig, method: str, after_ns: int, error: type[BaseException]) -> Broken:
    node = Broken("EMB_FL", rig.database)
    node.method, node.after_ns, node.error = method, after_ns, error
    return node


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, RecursionError, MemoryError])
@pytest.mark.parametrize(
    ("method", "after_ns"),
    [("start", 0), ("receive", ms(20)), ("on_timer", ms(20)), ("next_deadline_ns", ms(20))],
)
def test_what_a_module_raises_is_a_finding_and_the_run_goes_on(
    rolling: Rig, method: str, after_ns: int, error: type[Exception]
) -> None:
    start_ns = rolling.now_ns
    rolling.replace("EMB_FL", broken(rolling, method, after_ns, error))
    rolling.run_for(ms(200))
    assert rolling.now_ns == start_ns + ms(200)
    (finding,) = rolling.log.findings
    assert finding.source == "EMB_FL"
    assert start_ns + after_ns <= finding.time_ns <= start_ns + after_ns + ms(5)
    assert f"raised {error.__name__}: " in finding.text
    assert "bad luck" in finding.text
    assert re.search(r"; the node is switched off \(test_host\.py:\d+\)$", finding.text)
    assert "Traceback" in finding.detail and "test_host.py" in finding.detail
    if method != "next_deadline_ns":
        assert finding.text.startswith(method)
    # It is off as a crashed ECU is: silent, without output; the others take over.
    late = [
        record
        for record in rolling.recorder.frames
        if record.sender == "EMB_FL" and record.sof_ns > finding.time_ns + ms(1)
    ]
    assert late == []
    assert rolling.pin("EMB_FL", "motor_current_a") == 0.0
    assert rolling.signal("CDC_BrkSt", "CDC_DegrLvl") == 2
    rolling.press_pedal(30)
    rolling.run_for(ms(300))
    fl, fr, rl, rr = rolling.vehicle.clamp_force_n
    assert fl < 100.0
    assert min(fr, rl, rr) > 1_000.0
    assert len(rolling.log.findings) == 1


def test_a_crash_fails_the_run_and_is_no_error_of_the_scenario() -> None:
    (item,) = load_scenarios(scenario_path("panic_stop.py"))
    result = run_scenario(
        item,
        on_rig=lambda rig: rig.replace("EMB_FL", broken(rig, "receive", ms(900), ValueError)),
    )
    assert result.error is None
    assert result.verdict is Verdict.FAILED
    assert [finding.source for finding in result.findings] == ["EMB_FL"]
    assert result.duration_ns > s(3)


def test_a_crashed_module_runs_again_after_a_reset(rolling: Rig) -> None:
    node = broken(rolling, "on_timer", ms(20), ValueError)
    rolling.replace("EMB_FL", node)
    rolling.run_for(ms(50))
    assert len(rolling.log.findings) == 1
    node.method = ""
    rolling.reset("EMB_FL")
    rolling.run_for(ms(400))
    assert rolling.signal("CDC_BrkSt", "CDC_DegrLvl") == 0
    assert len(rolling.log.findings) == 1


# -- a module that asks for odd things -----------------------------------------------------------


class Asking(Quiet):
    """Asks for the deadlines it is given, one after the other."""

    def __init__(self, *deadlines: Any) -> None:
        self.deadlines = list(deadlines)
        self.called_ns: list[int] = []

    def on_timer(self, now_ns: int) -> None:
        self.called_ns.append(now_ns)
        if self.deadlines:
            del self.deadlines[0]

    def next_deadline_ns(self) -> Any:
        return self.deadlines[0] if self.deadlines else None


def test_a_node_is_called_exactly_at_its_deadlines(standing: Rig) -> None:
    node = Asking(ms(300) + 1, ms(300) + 2, ms(333))
    standing.replace("GW", node)
    standing.run_for(ms(100))
    assert node.called_ns == [ms(300) + 1, ms(300) + 2, ms(333)]


def test_a_deadline_in_the_past_at_power_on_is_due_now(standing: Rig) -> None:
    node = Asking(ms(10), ms(310))
    standing.replace("GW", node)
    standing.run_for(ms(100))
    assert node.called_ns == [ms(300), ms(310)]
    assert standing.log.findings == []


@pytest.mark.parametrize("again_ns", [ms(305), ms(304), 0, -1])
def test_a_deadline_that_does_not_move_on_is_a_finding(standing: Rig, again_ns: int) -> None:
    node = Asking(ms(305), again_ns)
    standing.replace("GW", node)
    standing.run_for(ms(100))
    assert node.called_ns == [ms(305)]
    (finding,) = standing.log.findings
    assert "next_deadline_ns after on_timer: expected a time after 305 ms, or None" in finding.text
    assert standing.now_ns == ms(400)


def test_a_received_frame_may_bring_the_deadline_forward(standing: Rig) -> None:
    class Prompt(Asking):
        def receive(self, frame: Frame, now_ns: int) -> None:
            if self.deadlines == [ms(900)]:
                self.deadlines = [now_ns + 7]
                self.heard_ns = now_ns

    node = Prompt(ms(900))
    standing.replace("GW", node)
    standing.run_for(ms(50))
    assert node.called_ns == [node.heard_ns + 7]


def test_a_received_frame_may_take_the_deadline_back(standing: Rig) -> None:
    class Calm(Asking):
        def receive(self, frame: Frame, now_ns: int) -> None:
            self.deadlines = []

    node = Calm(ms(320))
    standing.replace("GW", node)
    standing.run_for(ms(50))
    assert node.called_ns == []


def test_a_deadline_moved_there_and_back_is_called_once(standing: Rig) -> None:
    class Undecided(Asking):
        count = 0

        def receive(self, frame: Frame, now_ns: int) -> None:
            self.count += 1
            if not self.called_ns:
                self.deadlines = [ms(320) if self.count % 2 else ms(330)]

    node = Undecided(ms(330))
    standing.replace("TST", node)
    standing.run_for(ms(100))
    assert node.called_ns in ([ms(320)], [ms(330)])
    assert standing.log.findings == []


def test_a_node_that_was_halted_is_not_called_any_more(standing: Rig) -> None:
    from simcore.faults import EcuSilent

    node = Asking(ms(320), ms(340))
    standing.replace("GW", node)
    standing.run_for(ms(30))
    standing.inject(EcuSilent(node="GW"))
    standing.run_for(ms(100))
    assert node.called_ns == [ms(320)]


@pytest.mark.parametrize("deadline", ["soon", 3.2e8, float("nan"), True, object()])
def test_a_deadline_that_is_no_integer_is_a_finding(standing: Rig, deadline: object) -> None:
    """A float would be the simulation's time from then on."""
    standing.replace("GW", Asking(deadline))
    standing.run_for(ms(100))
    (finding,) = standing.log.findings
    assert finding.source == "GW"
    assert "next_deadline_ns: expected whole ns as an int, or None, got " in finding.text
    assert type(standing.now_ns) is int
    assert standing.digest


@pytest.mark.parametrize("deadline", ["soon", 3.2e8, float("nan")])
def test_so_it_is_after_on_timer(standing: Rig, deadline: object) -> None:
    standing.replace("GW", Asking(ms(310), deadline))
    standing.run_for(ms(100))
    (finding,) = standing.log.findings
    assert finding.source == "GW"
    assert "next_deadline_ns: expected whole ns as an int, or None, got " in finding.text
    assert type(standing.now_ns) is int
    assert standing.digest


def test_sys_exit_in_a_module_does_not_end_the_run(standing: Rig) -> None:
    standing.replace("EMB_FL", broken(standing, "on_timer", ms(20), SystemExit))
    standing.run_for(ms(100))
    (finding,) = standing.log.findings
    assert "raised SystemExit: bad luck" in finding.text


def test_the_interrupt_key_gets_through_a_module(standing: Rig) -> None:
    standing.replace("EMB_FL", broken(standing, "on_timer", ms(20), KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        standing.run_for(ms(100))


# -- the port ------------------------------------------------------------------------------------


@pytest.fixture
def port(standing: Rig) -> Port:
    node = Quiet()
    standing.replace("EMB_FL", node)
    return node.port


def test_the_port_knows_its_name_and_reads_its_pins(port: Port) -> None:
    assert port.name == "EMB_FL"
    assert port.read("supply_v") == 48.0
    assert port.inputs["supply_v"] == 48.0
    port.write("motor_current_a", 1.5)


def test_unknown_pins_are_refused_with_those_there_are(port: Port) -> None:
    with pytest.raises(
        UsageError, match=r"^EMB_FL: read pin 'force_n': expected one of battery_current_a, "
    ):
        port.read("force_n")
    with pytest.raises(
        UsageError,
        match=r"^EMB_FL: write pin 'current': expected one of motor_current_a, park_lock_state$",
    ):
        port.write("current", 1.0)
    with pytest.raises(UsageError, match=r"^EMB_FL: write pin 'supply_v': expected one of "):
        port.write("supply_v", 1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_output_must_be_a_finite_number(port: Port, value: float) -> None:
    with pytest.raises(
        UsageError,
        match=r"^EMB_FL: write pin 'motor_current_a': expected a finite number, got -?(nan|inf)$",
    ):
        port.write("motor_current_a", value)


def test_an_unknown_channel_is_refused_with_those_there_are(port: Port, standing: Rig) -> None:
    with pytest.raises(
        UsageError, match=r"^EMB_FL: send on CHASSIS_X: expected CHASSIS_A, CHASSIS_B$"
    ):
        port.send(Frame(1), "CHASSIS_X")
    port.send(Frame(1, b"\x01"), "CHASSIS_A")
    standing.run_for(ms(5))
    assert any(record.frame == Frame(1, b"\x01") for record in standing.recorder.frames)


def test_what_a_node_logs_is_an_event_of_its_own(port: Port, standing: Rig) -> None:
    before = standing.digest
    port.log("note", "hello")
    event = standing.log.events[-1]
    assert (event.source, event.kind, event.text) == ("EMB_FL", "note", "hello")
    assert event.time_ns == standing.now_ns
    assert standing.digest != before


def test_the_acceptance_filter_takes_extended_identifiers_above_0x7ff(standing: Rig) -> None:
    class Choosy(Quiet):
        def start(self, port: Port, now_ns: int) -> None:
            self.heard: list[Frame] = []
            port.accept([0x123, 0x18DA00F1])

        def receive(self, frame: Frame, now_ns: int) -> None:
            self.heard.append(frame)

    node, talker = Choosy(), Quiet()
    standing.replace("GW", node)
    standing.replace("TST", talker)
    wanted = [Frame(0x123), Frame(0x18DA00F1, is_extended_id=True)]
    for frame in (*wanted, Frame(0x124), Frame(0x123, is_extended_id=True)):
        talker.port.send(frame)
    standing.run_for(ms(10))
    assert sorted(node.heard, key=repr) == sorted(wanted, key=repr)


def test_two_nodes_that_send_different_frames_at_once_are_a_finding(standing: Rig) -> None:
    talkers = []
    for name in ("GW", "TST"):
        node = Quiet()
        standing.replace(name, node)
        talkers.append(node)
    for index, node in enumerate(talkers):
        node.port.send(Frame(0x001, bytes([index])))
    standing.run_for(ms(5))
    report_collisions(standing)
    (finding,) = standing.log.findings
    assert finding.source == "CHASSIS_A"
    assert "0x001 from GW and TST at one instant: 16 error frames" in finding.text
    report_collisions(standing)
    assert len(standing.log.findings) == 1


class Told(Quiet):
    """Notes what its controllers go through."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[tuple[str, ErrorState, int]] = []

    def bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        self.states.append((channel, state, now_ns))
        if state is ErrorState.WARNING:
            raise RuntimeError("cannot stand it")


def test_a_module_is_told_of_the_error_states_of_its_controllers(standing: Rig) -> None:
    node = Told()
    standing.replace("GW", node)
    standing.inject(BusOff(bus="CHASSIS_A", node="GW"))
    standing.run_for(ms(110))
    assert [(channel, state) for channel, state, _ in node.states] == [
        ("CHASSIS_A", ErrorState.BUS_OFF),
        ("CHASSIS_A", ErrorState.ACTIVE),
    ]
    assert 102 <= (node.states[1][2] - node.states[0][2]) / ms(1) <= 106


def test_a_module_that_raises_when_told_is_switched_off(standing: Rig) -> None:
    standing.replace("GW", Told())
    standing.bus("CHASSIS_A").controller("GW").add_transmit_errors(100)
    (finding,) = standing.log.findings
    assert finding.text.startswith(
        "bus_state raised RuntimeError: cannot stand it; the node is switched off"
    )


# -- what a fault wants of a node ----------------------------------------------------------------


class Listener:
    """Notes when it is called."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.called_ns: list[int] = []

    def call(self) -> None:
        self.called_ns.append(self.rig.now_ns)


def test_a_listener_of_starts_is_called_after_every_start_until_it_is_forgotten(
    standing: Rig,
) -> None:
    host, listener = standing.host("EMB_FL"), Listener(standing)
    host.listen_starts(listener.call)
    standing.reset("EMB_FL")
    standing.run_for(ms(3))
    standing.replace("EMB_FL", Quiet())
    assert listener.called_ns == [ms(300), ms(303)]
    host.forget_starts(listener.call)
    standing.reset("EMB_FL")
    assert len(listener.called_ns) == 2


def test_a_start_that_fails_is_told_to_nobody(standing: Rig) -> None:
    host, listener = standing.host("EMB_FL"), Listener(standing)
    host.listen_starts(listener.call)
    standing.replace("EMB_FL", broken(standing, "start", 0, ValueError))
    assert listener.called_ns == []
    assert len(standing.log.findings) == 1


@pytest.mark.parametrize("kind", ["reference", "module"])
def test_a_listener_of_ticks_is_called_after_every_timer_call(standing: Rig, kind: str) -> None:
    if kind == "module":
        standing.replace("EMB_FL", Asking(*(ms(300 + i) for i in range(1, 40))))
    host, listener = standing.host("EMB_FL"), Listener(standing)
    host.listen_ticks(listener.call)
    standing.run_for(ms(5))
    assert listener.called_ns == [ms(300 + i) for i in (1, 2, 3, 4, 5)]
    host.forget_ticks(listener.call)
    standing.run_for(ms(5))
    assert len(listener.called_ns) == 5


def test_a_listener_of_ticks_stays_over_a_start(standing: Rig) -> None:
    host, listener = standing.host("EMB_FL"), Listener(standing)
    host.listen_ticks(listener.call)
    standing.reset("EMB_FL")
    standing.run_for(ms(2))
    assert listener.called_ns == [ms(300), ms(301), ms(302)]


def test_a_listener_that_only_looks_changes_nothing(rolling: Rig) -> None:
    heard, plain = rolling.fork(), rolling.fork()
    listener = Listener(heard)
    for name in ("CDC", "EMB_FL"):
        heard.host(name).listen_ticks(listener.call)
        heard.host(name).listen_starts(listener.call)
    for rig in (heard, plain):
        rig.press_pedal(30)
        rig.run_for(ms(100))
    assert heard.digest == plain.digest
    twin = pickle.loads(pickle.dumps(heard))
    twin.run_for(ms(20))
    heard.run_for(ms(20))
    assert twin.digest == heard.digest


def test_a_refreshed_timer_is_the_one_the_node_has_now(standing: Rig) -> None:
    node = Asking(ms(390))
    standing.replace("GW", node)
    standing.run_for(ms(10))
    node.deadlines = [ms(320), ms(330)]
    called: list[int] = []

    def other(now_ns: int) -> None:
        called.append(now_ns)
        del node.deadlines[0]

    node.on_timer = other  # type: ignore[method-assign]
    standing.host("GW").refresh_timer()
    standing.run_for(ms(100))
    assert (called, node.called_ns) == ([ms(320), ms(330)], [])


def test_restarted_controllers_have_empty_queues_and_forget_their_errors(standing: Rig) -> None:
    node = Quiet()
    standing.replace("GW", node)
    host = standing.host("GW")
    host.controller().add_transmit_errors(100)
    for number in range(5):
        node.port.send(Frame(0x7F0 + number))
    assert host.controller().pending_count == 5
    host.restart_controllers()
    assert host.controller().pending_count == 0
    assert host.controller().transmit_error_count == 0
    standing.run_for(ms(5))
    assert not any(record.sender == "GW" for record in standing.recorder.frames[-100:])
    node.port.send(Frame(0x7F0))
    standing.run_for(ms(5))
    assert any(record.sender == "GW" for record in standing.recorder.frames[-100:])


def test_controllers_of_a_node_that_is_off_stay_off(standing: Rig) -> None:
    host = standing.host("GW")
    host.halt()
    host.restart_controllers()
    host.refresh_timer()
    assert not host.controller().enabled


# -- a clock of its own --------------------------------------------------------------------------


class Metronome(Quiet):
    """Wants to be called every millisecond of its own time."""

    def start(self, port: Port, now_ns: int) -> None:
        super().start(port, now_ns)
        self.due_ns = self.started_ns = now_ns
        self.seen: list[int] = []
        self.heard: list[int] = []

    def on_timer(self, now_ns: int) -> None:
        assert now_ns == self.due_ns
        self.seen.append(now_ns)
        self.due_ns = now_ns + ms(1)

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.heard.append(now_ns)

    def next_deadline_ns(self) -> int | None:
        return self.due_ns


@pytest.mark.parametrize(
    ("ratio", "calls"), [(1.0, 100), (2.0, 200), (0.5, 50), (1.001, 100), (1.25, 125), (3.0, 300)]
)
def test_a_node_lives_by_its_own_clock(standing: Rig, ratio: float, calls: int) -> None:
    node = Metronome()
    standing.replace("GW", node)
    standing.host("GW").set_clock_ratio(ratio)
    standing.run_for(ms(100))
    assert node.seen == [ms(300 + i) for i in range(calls + 1)]
    last = standing.recorder.frames[-1]
    passed_ns = int((last.eof_ns - ms(300)) * ratio)
    assert abs(node.heard[-1] - ms(300) - passed_ns) <= ms(1)
    assert standing.log.findings == []


def test_its_time_goes_on_from_where_it_stands_when_the_ratio_changes(standing: Rig) -> None:
    node = Metronome()
    standing.replace("GW", node)
    host = standing.host("GW")
    for ratio, shown_ns in ((2.0, ms(320)), (0.5, ms(325)), (1.0, ms(335))):
        host.set_clock_ratio(ratio)
        standing.run_for(ms(10))
        assert host.clock.now_ns == shown_ns
    assert node.seen == [ms(300 + i) for i in range(36)]


def test_a_clock_of_whole_ppm_is_exact_over_hours(standing: Rig) -> None:
    host = standing.host("GW")
    host.set_clock_ratio(1.0 + 100 * 2.0**-20)
    host.scheduler.now_ns += s(36_000)
    gained_ns = s(36_000) * 100 // 2**20
    assert host.clock.now_ns == ms(300) + s(36_000) + gained_ns


@settings(max_examples=200)
@given(
    ratio=st.floats(0.01, 100.0),
    start_ns=st.integers(0, s(100)),
    wait_ns=st.integers(0, s(100)),
    ahead_ns=st.integers(0, s(10)),
)
def test_a_deadline_comes_at_the_first_time_at_which_the_clock_shows_it(
    ratio: float, start_ns: int, wait_ns: int, ahead_ns: int
) -> None:
    scheduler = Scheduler()
    scheduler.now_ns = start_ns
    clock = LocalClock(scheduler)
    clock.set_ratio(ratio)
    scheduler.now_ns += wait_ns
    deadline_ns = clock.now_ns + ahead_ns
    true_ns = clock.true_ns(deadline_ns)
    assert clock.local_ns(true_ns) >= deadline_ns > clock.local_ns(true_ns - 1)
    clock.set_ratio(1.0)
    assert clock.now_ns + ahead_ns == deadline_ns


@pytest.mark.parametrize("ppm", [-5000, 5000])
def test_a_reference_ecu_with_a_wrong_clock_sends_too_fast_or_too_slow(
    standing: Rig, ppm: int
) -> None:
    host = standing.host("EMB_FL")
    host.set_clock_ratio(1.0 + ppm * 1e-6)
    before = len(standing.recorder.frames)
    standing.run_for(s(2))
    sent = [
        record.request_ns
        for record in standing.recorder.frames[before:]
        if record.frame.arbitration_id == 0x080 and record.channel == "CHASSIS_A"
    ]
    cycle_ns = (sent[-1] - sent[0]) / (len(sent) - 1)
    assert cycle_ns == pytest.approx(ms(5) / (1.0 + ppm * 1e-6), rel=1e-6)
    assert standing.signal("CDC_BrkSt", "CDC_DegrLvl") == 0
    assert standing.log.findings == []


def test_a_rig_with_a_wrong_clock_forks_and_pickles(rolling: Rig) -> None:
    for name in ("CDC", "EMB_FL", "BPS"):
        rolling.host(name).set_clock_ratio(0.999)
    rolling.run_for(ms(17))
    twins = [rolling.fork(), pickle.loads(pickle.dumps(rolling))]
    for rig in (rolling, *twins):
        rig.press_pedal(30)
        rig.run_for(ms(100))
        rig.host("EMB_FL").set_clock_ratio(1.0)
        rig.run_for(ms(50))
    assert {rig.digest for rig in twins} == {rolling.digest}
    assert twins[0].host("CDC").clock is not rolling.host("CDC").clock


def test_a_node_that_has_been_right_all_along_is_not_disturbed_by_the_ratio_one(
    rolling: Rig,
) -> None:
    plain = rolling.fork()
    for name in rolling.nodes:
        rolling.host(name).set_clock_ratio(1.0)
    for rig in (rolling, plain):
        rig.press_pedal(30)
        rig.run_for(ms(100))
    assert rolling.digest == plain.digest


@pytest.mark.parametrize("ratio", [0, 0.0, -1.0, float("nan"), float("inf"), True, "1"])
def test_a_ratio_that_no_clock_has_is_refused(standing: Rig, ratio: Any) -> None:
    with pytest.raises(
        UsageError, match=r"^GW: set_clock_ratio: expected a finite number > 0, got "
    ):
        standing.host("GW").set_clock_ratio(ratio)


def test_a_broken_deadline_is_found_with_a_clock_of_its_own_too(standing: Rig) -> None:
    standing.replace("GW", Asking(ms(310), "soon"))
    standing.host("GW").set_clock_ratio(1.5)
    standing.run_for(ms(100))
    (finding,) = standing.log.findings
    assert "next_deadline_ns: expected whole ns as an int, or None, got 'soon'" in finding.text
