"""The safety device beside an ECU: its timer, what its lines do, and who has one."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Port
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.rig import Rig
from simcore.rig.board import Board
from simcore.rig.host import NodeHost
from simcore.rig.reference import WATCHDOGS
from simcore.units import ms, s, us
from simcore.watchdog.device import NEVER_NS, WatchdogLine, WatchdogService
from simcore.watchdog.presets import fs65, tlf35584, tps65381

GUARDED = ("CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")


class Software:
    """A node that serves its watchdog every 5 ms, writes its outputs and talks."""

    def __init__(self) -> None:
        self.allowed = True
        self.starts: list[int] = []
        self.heard: list[int] = []

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.starts.append(now_ns)
        self.due_ns = now_ns

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.heard.append(now_ns)

    def on_timer(self, now_ns: int) -> None:
        self.due_ns = now_ns + ms(5)
        self.port.write("motor_current_a", 5.0)
        self.port.write("park_lock_state", 1.0)
        self.port.send(Frame(0x7F0, b"\x01"))
        line = self.port.watchdog
        if line is not None:
            line.service.step(line, now_ns, allowed=self.allowed)

    def next_deadline_ns(self) -> int | None:
        return self.due_ns


class Cut:
    """A fault: what the software writes gets lost from now on."""

    def __init__(self) -> None:
        self.last_ns = -1

    def between(self, line: WatchdogLine) -> WatchdogLine:
        self.line = line
        return self  # type: ignore[return-value]

    def trigger(self, now_ns: int) -> None:
        pass

    def answer(self, value: int, now_ns: int) -> None:
        pass

    def question(self, now_ns: int) -> int:
        return self.line.question(now_ns)

    def release(self, code: int, now_ns: int) -> None:
        pass

    def demand_safe_state(self, now_ns: int) -> None:
        pass

    @property
    def enabled(self) -> bool:
        return self.line.enabled

    @property
    def error_count(self) -> int:
        return self.line.error_count

    @property
    def service(self) -> WatchdogService:
        return self.line.service


def host_of(rig: Rig, name: str) -> NodeHost:
    return rig._hosts[name]


def board_of(rig: Rig, name: str) -> Board:
    board = host_of(rig, name).board
    assert board is not None
    return board


def events(rig: Rig, name: str, kind: str, *, since_ns: int = 0) -> list[tuple[int, str]]:
    return [
        (event.time_ns, event.text.removeprefix("watchdog: "))
        for event in rig.log.events
        if (event.source, event.kind) == (name, kind)
        and event.text.startswith("watchdog: ")
        and event.time_ns >= since_ns
    ]


def with_software(rig: Rig, settings: Any, cuts: Any = "outputs") -> Software:
    """`Software` in the place of EMB_FL with a device beside it."""
    software = Software()
    rig.replace("EMB_FL", software)
    host_of(rig, "EMB_FL").guard(settings, cuts=cuts)
    return software


def sent_by(rig: Rig, name: str, since_ns: int, until_ns: int = NEVER_NS) -> int:
    return sum(
        record.sender == name and since_ns <= record.sof_ns < until_ns
        for record in rig.recorder.frames
    )


# -- the reference chassis -----------------------------------------------------------------------


def test_controllers_and_actuators_have_a_watchdog_and_sensors_have_none(standing: Rig) -> None:
    assert tuple(WATCHDOGS) == GUARDED
    for name in standing.nodes:
        line = host_of(standing, name).watchdog
        assert (line is not None) is (name in GUARDED), name
        if line is not None:
            assert line.enabled
            assert line.error_count == 0


def test_without_the_mechanism_there_are_no_devices() -> None:
    rig = Rig(without=("watchdog",))
    assert all(host.watchdog is None for host in rig._hosts.values())


def test_the_devices_change_not_a_bit_of_the_fault_free_chassis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first frame at power on; the software is the same in both, supervision and all."""
    guarded = Rig(seed=3)
    monkeypatch.setattr("simcore.rig.building.WATCHDOGS", {})
    rigs = [guarded, Rig(seed=3)]
    for rig in rigs:
        rig.vehicle.set_speed(kmh=80)
        rig.run_for(ms(400))
        rig.press_pedal(50)
        rig.run_for(ms(600))
    assert rigs[1].node("CDC").port.watchdog is None  # type: ignore[attr-defined]
    assert rigs[0].recorder.table().tolist() == rigs[1].recorder.table().tolist()
    frames = [
        [(record.sof_ns, record.sender, record.frame) for record in rig.recorder.frames]
        for rig in rigs
    ]
    assert frames[0] == frames[1]
    for name in GUARDED:
        assert events(rigs[0], name, "detection") == []
        assert events(rigs[0], name, "reaction") == []
        ((at_ns, text),) = events(rigs[0], name, "state")
        assert text == "INIT -> NORMAL (SERVED)"
        assert at_ns < ms(5)


@pytest.mark.parametrize(
    ("name", "after_ns"),
    [("CDC", ms(45)), ("CDC2", ms(45)), ("EMB_FL", ms(24)), ("EMB_RR", ms(24))],
)
def test_the_enable_line_of_a_dead_ecu_drops_within_50_ms_of_its_last_service(
    rolling: Rig, name: str, after_ns: int
) -> None:
    host = host_of(rolling, name)
    board = board_of(rolling, name)
    before_ns = board.device.next_deadline_ns()
    while board.device.next_deadline_ns() == before_ns:  # until it has just been served
        rolling.run_for(us(50))
    deadline_ns = board.device.next_deadline_ns()
    assert deadline_ns is not None
    last_ns = deadline_ns - {"CDC": ms(15), "CDC2": ms(15)}.get(name, ms(8))
    host.interpose_watchdog(Cut().between)
    rolling.run_for(ms(60))
    (low_ns, text), *_ = events(rolling, name, "reaction")
    assert text.startswith("enable line low (")
    assert low_ns == last_ns + after_ns
    assert after_ns <= ms(50)


# -- outputs -------------------------------------------------------------------------------------


def test_a_low_line_keeps_the_outputs_at_zero_whatever_the_ecu_writes(standing: Rig) -> None:
    software = with_software(standing, fs65(resets_ecu=False))
    host = host_of(standing, "EMB_FL")
    standing.run_for(ms(50))
    assert (host.outputs["motor_current_a"], host.power_stage_on) == (5.0, True)
    software.allowed = False
    standing.run_for(ms(30))
    assert not host.power_stage_on
    for _ in range(20):
        standing.run_for(ms(1))
        assert host.outputs["motor_current_a"] == 0.0
        assert standing.pin("EMB_FL", "motor_current_a") == 0.0
        assert host.outputs["park_lock_state"] == 1.0  # a latch needs no current to stay
    software.allowed = True
    standing.run_for(ms(60))
    assert (host.outputs["motor_current_a"], host.power_stage_on) == (5.0, True)
    reactions = [text for _, text in events(standing, "EMB_FL", "reaction")]
    assert reactions == ["enable line low (counter 6 of 6)", "enable line high (released)"]


def test_a_value_written_while_the_line_is_low_comes_when_it_is_high() -> None:
    rig = Rig()
    software = with_software(rig, fs65())
    host = host_of(rig, "EMB_FL")
    host.set_power_stage(False)
    software.port.write("motor_current_a", 3.0)
    assert host.outputs["motor_current_a"] == 0.0
    host.set_power_stage(True)
    assert host.outputs["motor_current_a"] == 3.0
    host.set_power_stage(True)
    assert host.outputs["motor_current_a"] == 3.0


def test_pins_are_checked_while_the_line_is_low(standing: Rig) -> None:
    software = with_software(standing, fs65())
    host_of(standing, "EMB_FL").set_power_stage(False)
    with pytest.raises(UsageError, match=r"^EMB_FL: write pin 'current': expected one of "):
        software.port.write("current", 1.0)
    with pytest.raises(UsageError, match=r"^EMB_FL: write pin 'motor_current_a': expected a fin"):
        software.port.write("motor_current_a", float("nan"))


def test_a_module_that_never_serves_gets_no_output_at_all(standing: Rig) -> None:
    software = with_software(standing, fs65(init_ns=ms(100)))
    software.allowed = False
    host = host_of(standing, "EMB_FL")
    for _ in range(99):
        standing.run_for(ms(1))
        assert host.outputs["motor_current_a"] == 0.0
    standing.run_for(ms(20))
    texts = [text for _, text in events(standing, "EMB_FL", "detection")]
    assert texts == ["answer missing in the first window"]
    assert len(software.starts) == 3  # put in, guarded, reset


# -- transmitters --------------------------------------------------------------------------------


def test_a_low_line_makes_the_controllers_receive_only(standing: Rig) -> None:
    software = with_software(standing, fs65(resets_ecu=False), "transmit")
    host = host_of(standing, "EMB_FL")
    standing.run_for(ms(50))
    software.allowed = False
    standing.run_for(ms(40))
    low_ns = events(standing, "EMB_FL", "reaction")[0][0]
    assert sent_by(standing, "EMB_FL", low_ns) == 0
    assert max(software.heard) > low_ns + ms(5)  # it goes on to listen
    assert host.outputs["motor_current_a"] == 5.0
    assert all(controller.options.listen_only for controller in host._controllers.values())
    software.allowed = True
    standing.run_for(ms(60))
    high_ns = events(standing, "EMB_FL", "reaction")[1][0]
    assert sent_by(standing, "EMB_FL", high_ns) >= 3


def test_at_power_on_transmitters_work_before_the_first_service_but_not_after_a_reset() -> None:
    rig = Rig()
    software = with_software(rig, fs65(init_ns=ms(100)), "transmit")
    software.allowed = False
    rig.run_for(ms(99))
    assert sent_by(rig, "EMB_FL", 0) >= 18
    rig.run_for(ms(1))
    reset_ns = rig.now_ns
    rig.run_for(ms(90))
    assert software.starts[-1] == reset_ns + ms(10)
    assert sent_by(rig, "EMB_FL", reset_ns) == 0
    software.allowed = True
    rig.run_for(ms(60))
    assert sent_by(rig, "EMB_FL", reset_ns) >= 3


@pytest.mark.parametrize("at_ns", [0, us(50), us(120), us(200), us(290), us(400), us(777)])
def test_a_line_that_drops_in_the_middle_of_a_frame_is_a_clean_cut(
    rolling: Rig, at_ns: int
) -> None:
    """The command goes out at whole 5 ms and takes about 0.4 ms; the CDC2 takes over."""
    rolling.press_pedal(30)
    rolling.run_for(ms(200) + at_ns)
    line = host_of(rolling, "CDC").watchdog
    assert line is not None
    line.demand_safe_state(rolling.now_ns)
    low_ns = rolling.now_ns
    rolling.run_for(ms(100))
    assert sent_by(rolling, "CDC", low_ns) == 0
    assert sent_by(rolling, "CDC2", low_ns) > 5
    assert min(rolling.vehicle.clamp_force_n) > 1_000.0
    assert rolling.log.findings == []
    rolling.reset("CDC")  # power on: its transmitters work again
    rolling.run_for(ms(50))
    assert sent_by(rolling, "CDC", low_ns + ms(100)) > 5


def test_a_line_that_cuts_nothing_still_resets(standing: Rig) -> None:
    software = with_software(standing, fs65(), "nothing")
    standing.run_for(ms(50))
    software.allowed = False
    standing.run_for(ms(24))
    host = host_of(standing, "EMB_FL")
    assert host.power_stage_on
    standing.run_for(ms(30))
    assert len(software.starts) == 3


# -- reset ---------------------------------------------------------------------------------------


def test_a_reset_stops_the_ecu_for_the_pulse_and_starts_it_anew(standing: Rig) -> None:
    software = with_software(standing, fs65(reset_ns=ms(7)))
    standing.run_for(ms(50))
    software.port.memory["kept"] = b"1"
    software.allowed = False
    host = host_of(standing, "EMB_FL")
    while not events(standing, "EMB_FL", "reaction"):
        standing.run_for(us(500))
    (low_ns, _), (reset_ns, text) = events(standing, "EMB_FL", "reaction")
    assert reset_ns == low_ns
    assert text == "reset for 7 ms (counter 6 of 6)"
    assert not host.running
    standing.run_for(reset_ns + ms(7) - 1 - standing.now_ns)
    assert not host.running
    software.allowed = True
    standing.run_for(1)
    assert host.running
    assert software.starts[-1] == reset_ns + ms(7)
    assert software.port.memory["kept"] == b"1"
    assert sent_by(standing, "EMB_FL", reset_ns, reset_ns + ms(7)) == 0
    assert board_of(standing, "EMB_FL").device.fault_count == 1  # type: ignore[attr-defined]
    standing.run_for(ms(60))
    assert host.power_stage_on


def test_a_reset_inside_the_ecus_own_call_is_a_clean_end(standing: Rig) -> None:
    """The third wrong answer trips the counter while the software is writing it."""

    class Wrong(Software):
        def on_timer(self, now_ns: int) -> None:
            super().on_timer(now_ns)
            line = self.port.watchdog
            if line is not None and not self.allowed:
                for _ in range(5):
                    line.answer(line.question(now_ns) ^ 1, now_ns)

    software = Wrong()
    standing.replace("EMB_FL", software)
    host_of(standing, "EMB_FL").guard(fs65())
    standing.run_for(ms(52))
    software.allowed = False
    standing.run_for(ms(6))
    software.allowed = True
    assert not host_of(standing, "EMB_FL").running
    standing.run_for(ms(40))
    assert host_of(standing, "EMB_FL").running
    assert len(software.starts) == 3
    assert standing.log.findings == []


def test_a_device_in_failsafe_keeps_the_ecu_off_until_its_supply_is_cycled(standing: Rig) -> None:
    software = with_software(standing, fs65(faults_max=2, init_ns=ms(40)))
    standing.run_for(ms(50))
    software.allowed = False
    standing.run_for(ms(500))
    starts = len(software.starts)
    assert not host_of(standing, "EMB_FL").running
    assert events(standing, "EMB_FL", "reaction")[-1][1] == "reset for good, after 1 resets"
    software.allowed = True
    standing.run_for(ms(500))
    assert len(software.starts) == starts
    standing.reset("EMB_FL")
    standing.run_for(ms(50))
    assert len(software.starts) == starts + 1
    assert host_of(standing, "EMB_FL").power_stage_on


# -- supply --------------------------------------------------------------------------------------


def test_an_ecu_without_supply_has_a_device_without_supply(rolling: Rig) -> None:
    rolling.inject(EcuSilent(node="CDC"))
    start_ns = rolling.now_ns
    rolling.run_for(ms(300))
    for kind in ("detection", "reaction", "state"):
        assert events(rolling, "CDC", kind, since_ns=start_ns) == []
    assert not board_of(rolling, "CDC").enabled
    rolling.reset("CDC")
    rolling.run_for(ms(10))
    assert board_of(rolling, "CDC").enabled
    assert [text for _, text in events(rolling, "CDC", "state", since_ns=start_ns)] == [
        "INIT -> NORMAL (SERVED)"
    ]


def test_what_reaches_a_device_without_supply_is_nothing(standing: Rig) -> None:
    """A fault may let a service arrive when the ECU is already off."""
    line = host_of(standing, "CDC").watchdog
    assert line is not None
    standing.inject(EcuSilent(node="CDC"))
    start_ns = standing.now_ns
    standing.run_for(ms(300))
    line.trigger(standing.now_ns)
    line.answer(0xFF, standing.now_ns)
    line.release(0x00, standing.now_ns)
    line.demand_safe_state(standing.now_ns)
    assert (line.question(standing.now_ns), line.enabled) == (0, False)
    for kind in ("detection", "reaction", "state"):
        assert events(standing, "CDC", kind, since_ns=start_ns) == []


def test_supply_lost_during_a_reset_pulse_cancels_the_restart(standing: Rig) -> None:
    software = with_software(standing, fs65())
    standing.run_for(ms(50))
    software.allowed = False
    while not events(standing, "EMB_FL", "reaction"):
        standing.run_for(ms(1))
    standing.inject(EcuSilent(node="EMB_FL"))
    starts = len(software.starts)
    standing.run_for(ms(100))
    assert len(software.starts) == starts
    software.allowed = True
    standing.reset("EMB_FL")
    standing.run_for(ms(100))
    assert len(software.starts) == starts + 1


def test_a_crashed_module_takes_its_device_with_it(standing: Rig) -> None:
    class Crashing(Software):
        def on_timer(self, now_ns: int) -> None:
            super().on_timer(now_ns)
            if not self.allowed:
                raise ValueError("bad luck")

    software = Crashing()
    standing.replace("EMB_FL", software)
    host_of(standing, "EMB_FL").guard(fs65())
    standing.run_for(ms(50))
    software.allowed = False
    standing.run_for(ms(500))
    assert len(standing.log.findings) == 1
    assert events(standing, "EMB_FL", "reaction") == []


# -- putting one there ---------------------------------------------------------------------------


def test_another_module_comes_without_the_reference_watchdog(standing: Rig) -> None:
    software = Software()
    software.allowed = False
    standing.replace("EMB_FL", software)
    host = host_of(standing, "EMB_FL")
    assert (host.watchdog, host.board, software.port.watchdog) == (None, None, None)
    standing.run_for(s(1))
    assert host.outputs["motor_current_a"] == 5.0
    assert len(software.starts) == 1


def test_a_watchdog_put_there_stays_when_the_module_is_replaced(standing: Rig) -> None:
    host = host_of(standing, "EMB_FL")
    host.guard(tps65381(), cuts="outputs")
    board = host.board
    standing.run_for(ms(20))
    first = Software()
    standing.replace("EMB_FL", first)
    assert host.board is board
    standing.run_for(ms(20))
    assert host.power_stage_on
    host.guard(tlf35584())
    assert host.board is not board
    standing.run_for(ms(20))
    assert host.power_stage_on
    assert len(first.starts) == 2  # guarding cycles the supply


def test_guarding_a_reference_node_gives_it_another_device(standing: Rig) -> None:
    host_of(standing, "EMB_RL").guard(tps65381(), cuts="outputs")
    standing.run_for(ms(200))
    assert type(board_of(standing, "EMB_RL").device).__name__ == "Tps65381"
    assert board_of(standing, "EMB_RL").enabled
    assert events(standing, "EMB_RL", "detection") == []
    standing.press_pedal(40)
    standing.run_for(ms(400))
    assert standing.vehicle.clamp_force_n[2] > 1_000.0


@pytest.mark.parametrize(
    ("settings", "cuts", "text"),
    [
        (fs65, "outputs", r"guard GW: expected settings of a safety device, as fs65\(\) gives, "),
        (None, "outputs", r"guard GW: expected settings of a safety device, as fs65\(\) gives, "),
        (fs65(), "brakes", r"guard GW, cuts: expected one of outputs, transmit, nothing, got 'br"),
    ],
)
def test_what_is_no_device_and_what_cannot_be_cut_is_refused(
    standing: Rig, settings: Any, cuts: Any, text: str
) -> None:
    with pytest.raises(UsageError, match=f"^{text}"):
        host_of(standing, "GW").guard(settings, cuts=cuts)
    assert host_of(standing, "GW").watchdog is None


# -- faults in between ---------------------------------------------------------------------------


def test_a_fault_stands_between_software_and_device_until_it_is_taken_out(standing: Rig) -> None:
    host = host_of(standing, "EMB_FL")
    line, cut = host.watchdog, Cut()
    host.interpose_watchdog(cut.between)
    assert host.watchdog is cut
    standing.run_for(ms(12))
    assert 2 <= board_of(standing, "EMB_FL").error_count <= 4
    host.expose_watchdog(cut.between)
    assert host.watchdog is line
    standing.run_for(ms(30))
    assert (board_of(standing, "EMB_FL").error_count, host.power_stage_on) == (0, True)


def test_several_faults_stand_one_before_the_other(standing: Rig) -> None:
    host = host_of(standing, "EMB_FL")
    line, first, second = host.watchdog, Cut(), Cut()
    host.interpose_watchdog(first.between)
    host.interpose_watchdog(second.between)
    assert (second.line, first.line) == (first, line)
    host.expose_watchdog(first.between)
    assert (host.watchdog, second.line) == (second, line)


def test_a_node_without_a_watchdog_has_no_place_for_such_a_fault(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^GW: watchdog: expected a node with one, got none$"):
        host_of(standing, "GW").interpose_watchdog(Cut().between)


# -- the timer -----------------------------------------------------------------------------------


def test_a_service_costs_no_event_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []
    tick = Board.tick

    def counted(self: Board, now_ns: int) -> int | None:
        ticks.append(now_ns)
        return tick(self, now_ns)

    monkeypatch.setattr(Board, "tick", counted)
    counts = []
    for watchdogs in (WATCHDOGS, {}):
        monkeypatch.setattr("simcore.rig.building.WATCHDOGS", watchdogs)
        rig = Rig()
        rig.run_for(ms(300))
        before = rig.scheduler.event_count
        rig.run_for(s(1))
        counts.append(rig.scheduler.event_count - before)
    services = 4 * 200 + 200 + 200
    assert 0 < len(ticks) < 1.3 * services
    # Every tick shares its event with a task.
    assert counts[0] == counts[1]


def test_a_rig_with_a_device_in_trouble_forks_and_pickles(standing: Rig) -> None:
    software = with_software(standing, fs65())
    standing.run_for(ms(50))
    software.allowed = False
    standing.run_for(ms(20))
    for wait_ns in (0, ms(8), ms(20)):  # before the reset, in it, after it
        standing.run_for(wait_ns)
        twins = [standing.fork(), pickle.loads(pickle.dumps(standing))]
        assert board_of(twins[0], "EMB_FL") is not board_of(standing, "EMB_FL")
        assert board_of(twins[0], "EMB_FL").settings is board_of(standing, "EMB_FL").settings
        for twin in twins:
            twin.run_for(ms(300))
        ahead = standing.fork()
        ahead.run_for(ms(300))
        assert {twin.digest for twin in twins} == {ahead.digest}
        assert len(events(ahead, "EMB_FL", "reaction")) >= 2


def test_a_demanded_safe_state_drops_the_line_at_once(standing: Rig) -> None:
    line = host_of(standing, "EMB_FL").watchdog
    assert line is not None
    line.demand_safe_state(standing.now_ns)
    assert not host_of(standing, "EMB_FL").power_stage_on
    standing.run_for(ms(100))
    assert not host_of(standing, "EMB_FL").power_stage_on
    (event,) = events(standing, "EMB_FL", "reaction")
    assert event[1] == "enable line low (demanded by software)"
