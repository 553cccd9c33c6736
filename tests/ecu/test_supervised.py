"""Supervision around a module that knows nothing of watchdogs: a small actuator that stops working.

Two lines put it in: `rig.replace(...)` and a guard beside it.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from simcore.bus import ErrorState, Frame
from simcore.ecu import Node, Port
from simcore.ecu.supervised import Supervised, alive_supervision, frame_checkpoint
from simcore.errors import UsageError
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.rig import Rig
from simcore.units import ms, us
from simcore.watchdog import (
    DeadlineSupervision,
    EntityMode,
    GlobalStatus,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)
from simcore.watchdog.presets import fs65, tlf35584, tps65381

STATUS_ID = 0x080


class SmallActuator:
    """Controls force every millisecond and sends its status every five, as long as it works."""

    def __init__(self, database: Database) -> None:
        self.command = database.message("CDC_EmbCmd")
        self.status = database.message("EMB_FL_St1")
        self.reader = self.command.codec.reader("CDC_FL_FReq")
        self.writer = self.status.codec.writer(
            "EMB_FL_FAct", "EMB_FL_FActQf", "EMB_FL_State", "EMB_FL_WhlSpdQf"
        )
        self.works = True
        self.sleeps = False
        self.start_count = 0

    def start(self, port: Port, now_ns: int) -> None:
        self.port: Any = port
        self.request_n = 0.0
        self.start_count += 1
        self.sender = Profile05Sender(self.status.e2e.data_id, self.status.length)
        self.frame = Frame(
            self.status.arbitration_id, bytes(self.status.length), is_fd=True, bitrate_switch=True
        )
        self.due_ns = now_ns
        self.period_ns = ms(1)

    def receive(self, frame: Frame, now_ns: int) -> None:
        if frame.arbitration_id == self.command.arbitration_id:
            (self.request_n,) = self.reader.read(frame.data)

    def on_timer(self, now_ns: int) -> None:
        self.due_ns += self.period_ns
        force_n = self.port.inputs["clamp_force_n"]
        self.port.write("motor_current_a", max(-20.0, min(20.0, (self.request_n - force_n) / 200)))
        if self.works and (now_ns - self.due_ns + ms(1)) == 0 and now_ns % ms(5) == 0:
            data = self.writer.write(max(0.0, force_n), 3, 3, 3)
            self.port.send(self.frame.with_data(self.sender.protect(data)))

    def next_deadline_ns(self) -> int | None:
        return None if self.sleeps else self.due_ns


SETTINGS = alive_supervision({STATUS_ID: ms(5)}, timer_ns=ms(10))


def put_in(rig: Rig, settings: SupervisionSettings | None = SETTINGS) -> SmallActuator:
    actuator = SmallActuator(rig.database)
    rig.replace("EMB_FL", Supervised(actuator, settings))
    rig.host("EMB_FL").guard(fs65(), cuts="outputs")
    return actuator


@pytest.fixture
def rig() -> Rig:
    rig = Rig(seed=2)
    rig.run_for(ms(200))
    return rig


def told(rig: Rig, kind: str) -> list[str]:
    return [e.text for e in rig.log.events if (e.source, e.kind) == ("EMB_FL", kind)]


def event_ns(rig: Rig, kind: str, text: str) -> int:
    """When something was first said."""
    return next(
        e.time_ns
        for e in rig.log.events
        if (e.source, e.kind) == ("EMB_FL", kind) and text in e.text
    )


# -- it works ------------------------------------------------------------------------------------


def test_a_supervised_module_is_a_node() -> None:
    assert isinstance(Supervised(SmallActuator(Database.reference())), Node)


def test_a_module_that_works_keeps_its_power_stage_and_is_not_found_fault_with(rig: Rig) -> None:
    actuator = put_in(rig)
    rig.press_pedal(40)
    rig.run_for(ms(800))
    assert rig.vehicle.clamp_force_n[0] > 1_000.0
    assert rig.host("EMB_FL").power_stage_on
    assert rig.node("EMB_FL").manager.global_status is GlobalStatus.OK  # type: ignore[attr-defined]
    since_ns = ms(200)
    assert [e for e in rig.log.events if e.kind == "detection" and e.time_ns >= since_ns] == []
    assert rig.log.findings == []
    assert actuator.start_count == 2  # put in, guarded


def test_the_module_does_the_same_with_supervision_as_without() -> None:
    rigs = [Rig(seed=2), Rig(seed=2)]
    for rig, supervised in zip(rigs, (True, False), strict=True):
        actuator = SmallActuator(rig.database)
        rig.replace("EMB_FL", Supervised(actuator, SETTINGS) if supervised else actuator)
        rig.press_pedal(40)
        rig.run_for(ms(300))
    assert rigs[0].recorder.table().tolist() == rigs[1].recorder.table().tolist()
    frames = [[(r.sof_ns, r.frame) for r in rig.recorder.frames] for rig in rigs]
    assert frames[0] == frames[1]


@pytest.mark.parametrize("device", [tlf35584(), tps65381(), fs65()], ids=["tlf", "tps", "fs"])
def test_any_device_is_served(rig: Rig, device: Any) -> None:
    rig.replace("EMB_FL", Supervised(SmallActuator(rig.database), SETTINGS))
    rig.host("EMB_FL").guard(device)
    rig.run_for(ms(500))
    assert rig.host("EMB_FL").power_stage_on
    assert not any("watchdog" in text for text in told(rig, "detection"))


# -- it stops working ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["silent", "asleep"])
def test_a_module_that_stops_working_loses_its_power_stage(rig: Rig, how: str) -> None:
    actuator = put_in(rig)
    rig.press_pedal(40)
    rig.run_for(ms(500))
    broken_ns = rig.now_ns
    if how == "silent":
        actuator.works = False
    else:
        actuator.sleeps = True
    rig.run_for(ms(100))
    found = "at frame 0x080" if how == "silent" else "at timer"
    assert any(found in text for text in told(rig, "detection"))
    expired_ns = event_ns(rig, "state", "supervision OK -> ") - broken_ns
    low_ns = event_ns(rig, "reaction", "watchdog: enable line low") - broken_ns
    assert 0 < expired_ns <= low_ns <= ms(80)
    rig.run_for(ms(300))
    assert not rig.host("EMB_FL").power_stage_on
    assert rig.vehicle.clamp_force_n[0] < 500.0
    assert actuator.start_count >= 3  # and it is reset


def test_a_module_that_works_again_after_its_reset_gets_its_power_stage_back(rig: Rig) -> None:
    actuator = put_in(rig)
    rig.run_for(ms(100))
    actuator.works = False
    while actuator.start_count < 3:
        rig.run_for(ms(1))
    actuator.works = True
    assert not rig.host("EMB_FL").power_stage_on
    rig.run_for(ms(100))
    assert rig.host("EMB_FL").power_stage_on
    rig.press_pedal(40)
    rig.run_for(ms(500))
    assert rig.vehicle.clamp_force_n[0] > 1_000.0


def test_without_settings_timer_calls_are_all_that_is_asked_for(rig: Rig) -> None:
    actuator = put_in(rig, None)
    actuator.works = False
    rig.run_for(ms(200))
    assert rig.host("EMB_FL").power_stage_on
    actuator.sleeps = True
    rig.run_for(ms(120))
    assert any("at timer" in text for text in told(rig, "detection"))
    assert actuator.start_count >= 3


def test_a_module_that_hangs_is_expired_at_the_end_of_the_tolerated_cycle(rig: Rig) -> None:
    """10 ms judged, one failure tolerated: 20 ms at most, and what was left of a cycle."""
    actuator = put_in(rig)
    rig.run_for(ms(100))
    actuator.sleeps = True
    start_ns = rig.now_ns
    rig.run_for(ms(60))
    assert event_ns(rig, "detection", "EXPIRED") - start_ns <= ms(30)


# -- checkpoints of its own ----------------------------------------------------------------------


class Careful(SmallActuator):
    """Reports when its control begins and when it has ended."""

    reports = True
    span_ns = us(100)

    def start(self, port: Port, now_ns: int) -> None:
        super().start(port, now_ns)
        self.began = self.port.checkpoint("module.begun")
        self.ended = self.port.checkpoint("module.ended")
        self.ends_ns: int | None = None

    def on_timer(self, now_ns: int) -> None:
        if self.ends_ns == now_ns:
            self.ends_ns = None
            self.ended()
        if self.due_ns == now_ns:
            super().on_timer(now_ns)
            self.began()
            self.ends_ns = now_ns + self.span_ns

    def next_deadline_ns(self) -> int | None:
        return self.due_ns if self.ends_ns is None else min(self.ends_ns, self.due_ns)


def test_a_module_may_report_checkpoints_of_its_own(rig: Rig) -> None:
    settings = SupervisionSettings(
        ms(5),
        (SupervisedEntity("module", ("begun", "ended")),),
        (
            SupervisionMode(
                "normal",
                (
                    EntityMode(
                        "module", deadline=(DeadlineSupervision("begun", "ended", 0, us(200)),)
                    ),
                ),
            ),
        ),
    )
    actuator = Careful(rig.database)
    rig.replace("EMB_FL", Supervised(actuator, settings))
    rig.host("EMB_FL").guard(fs65())
    rig.run_for(ms(200))
    assert rig.host("EMB_FL").power_stage_on
    actuator.span_ns = us(201)
    rig.run_for(ms(50))
    assert any("EXPIRED" in text for text in told(rig, "detection"))
    assert not rig.host("EMB_FL").power_stage_on


def test_a_checkpoint_that_the_settings_do_not_have_is_refused(rig: Rig) -> None:
    rig.replace("EMB_FL", Supervised(Careful(rig.database), SETTINGS))
    (finding,) = rig.log.findings
    assert "start raised UsageError: checkpoint: expected one of module.timer, " in finding.text


# -- what the module can do besides --------------------------------------------------------------


class Versatile(SmallActuator):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.states: list[ErrorState] = []
        self.second: list[int] = []

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        self.second.append(now_ns)

    def bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        self.states.append(state)

    def trim(self) -> str:
        return "trimmed"


def test_whatever_else_a_module_has_is_reached_through_it(rig: Rig) -> None:
    module = Versatile(rig.database)
    node: Any = Supervised(module, SETTINGS)
    rig.replace("EMB_FL", node)
    rig.run_for(ms(20))
    assert node.trim() == "trimmed"
    assert len(module.second) > 5
    rig.host("EMB_FL").controller().add_transmit_errors(100)
    assert module.states == [ErrorState.WARNING]
    with pytest.raises(AttributeError):
        node.polish()
    plain: Any = Supervised(SmallActuator(rig.database))
    assert getattr(plain, "receive_on", None) is None  # the rig asks for it


def test_the_port_of_the_module_is_a_port(rig: Rig) -> None:
    actuator = put_in(rig)
    port = actuator.port
    assert (port.name, port.channels) == ("EMB_FL", ("CHASSIS_A", "CHASSIS_B"))
    port.memory["key"] = b"1"
    assert rig.host("EMB_FL").memory["key"] == b"1"
    assert port.read("supply_v") == 48.0
    port.log("note", "hello")
    assert "hello" in told(rig, "note")
    assert port.watchdog.error_count == 0
    port.accept([0x60])
    with pytest.raises(UsageError, match=r"^EMB_FL: write pin 'x': expected one of "):
        port.write("x", 1.0)


def test_a_rig_with_a_supervised_module_forks_and_pickles(rig: Rig) -> None:
    actuator = put_in(rig)
    rig.run_for(ms(50))
    actuator.works = False
    rig.run_for(ms(20))
    twins = [rig.fork(), pickle.loads(pickle.dumps(rig))]
    for each in (rig, *twins):
        each.run_for(ms(200))
    assert {each.digest for each in twins} == {rig.digest}
    assert actuator.start_count >= 3
    node = rig.node("EMB_FL")
    assert copy.deepcopy(node).module is not node.module  # type: ignore[attr-defined]


def test_a_module_that_raises_is_a_finding_as_ever(rig: Rig) -> None:
    actuator = put_in(rig)
    rig.run_for(ms(50))
    del actuator.due_ns
    rig.run_for(ms(50))
    (finding,) = rig.log.findings
    assert "raised AttributeError" in finding.text


# -- settings ------------------------------------------------------------------------------------


def test_frames_are_judged_over_two_of_their_cycles() -> None:
    settings = alive_supervision({0x080: ms(5), 0x7F0: ms(100)}, timer_ns=None)
    alive = {each.checkpoint: each for each in settings.modes[0].entities[0].alive}
    assert frame_checkpoint(0x080) == "frame 0x080"
    fast, slow = alive["frame 0x080"], alive["frame 0x7F0"]
    assert (fast.reference_cycles, fast.min_count, fast.max_count) == (2, 1, 3)
    assert (slow.reference_cycles, slow.min_count, slow.max_count) == (40, 1, 3)
    own = alive_supervision(timer_ns=None, own=("begun",))
    assert own.checkpoints == ("module.begun",)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timer_ns": None}, r"alive_supervision: expected something to supervise, got nothing"),
        ({"timer_ns": 0}, r"alive_supervision, timer_ns: expected whole ns > 0, got 0"),
        ({"cycle_ns": 0}, r"alive_supervision, cycle_ns: expected whole ns > 0, got 0"),
        (
            {"frames": {0x80: 0.005}},
            r"alive_supervision, frame 0x080: expected whole ns > 0, got 0\.01",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}$"):
        alive_supervision(**options)


@pytest.mark.parametrize("module", [SmallActuator, None, "module"])
def test_what_is_no_node_is_refused(module: Any) -> None:
    with pytest.raises(UsageError, match=r"^Supervised: expected a node with a method start, got "):
        Supervised(module)


def test_what_are_no_settings_is_refused() -> None:
    module, wrong = SmallActuator(Database.reference()), {}
    with pytest.raises(
        UsageError, match=r"^Supervised, settings: expected SupervisionSettings, as alive_superv"
    ):
        Supervised(module, wrong)  # type: ignore[arg-type]


def test_a_supervision_too_slow_for_the_watchdog_is_a_finding_at_the_start(rig: Rig) -> None:
    slow = alive_supervision({STATUS_ID: ms(5)}, cycle_ns=ms(20))
    rig.replace("EMB_FL", Supervised(SmallActuator(rig.database), slow))
    rig.host("EMB_FL").guard(fs65())
    (finding,) = rig.log.findings
    assert "EMB_FL: Supervised, cycle_ns: expected at most 7 ms, as the watchdog" in finding.text
