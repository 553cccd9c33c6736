"""`NodeStand`: one module on a bench, everything around it played."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from simcore import Database, UsageError, ms
from simcore.ecu import Emb
from simcore.faults import (
    CaliperJammed,
    ChecksumWrong,
    EcuSilent,
    FrictionChanged,
    OpenWire,
    SensorStuck,
    SlopeChanged,
    UnintendedClamp,
)
from simcore.plant.caliper import Caliper
from simcore.plant.parameters import FRONT_CALIPER
from simcore.protection.e2e_factory import e2e_receiver
from simcore.protection.e2e_status import E2eStatus
from simcore.rig.software import layout, software_settings
from simcore.rig.stand import NodeStand
from simcore.update.flash import Flash
from simcore.watchdog.presets import fs65

COMMAND = "CDC_EmbCmd"
READY: dict[str, dict[str, int | float | str]] = {
    COMMAND: {"CDC_FL_Mode": "Clearance", "CDC_FL_FSlope": 1000, "CDC_FL_ReqVld": "Valid"},
    "BPS_Pedal": {"BPS_Trvl1": 60.0, "BPS_Trvl2": 60.0, "BPS_Qf1": "Valid", "BPS_Qf2": "Valid"},
}


def emb(database: Database) -> Emb:
    module = Emb("EMB_FL", database)
    module.software_settings = software_settings("EMB_FL")
    return module


@pytest.fixture(scope="module")
def database() -> Database:
    return Database.reference()


@pytest.fixture(scope="module")
def warm(database: Database) -> NodeStand:
    """An actuator that is ready; tests take copies."""
    stand = NodeStand(database, "EMB_FL", axle="front", watchdog=fs65(), flash=True, values=READY)
    stand.mount(emb(database))
    stand.run_for(ms(250))
    return stand


@pytest.fixture
def stand(warm: NodeStand) -> NodeStand:
    return warm.fork()


@pytest.fixture(scope="module")
def braking_stand(warm: NodeStand) -> NodeStand:
    stand = warm.fork()
    brake(stand)
    return stand


@pytest.fixture
def braking(braking_stand: NodeStand) -> NodeStand:
    return braking_stand.fork()


def brake(stand: NodeStand, force_n: int = 8000) -> None:
    stand.set(COMMAND, CDC_FL_Mode="ForceCtrl", CDC_FL_FReq=force_n)
    stand.run_for(ms(150))


def test_the_actuator_clamps_with_the_force_that_the_restbus_asks_for(braking: NodeStand) -> None:
    assert braking.pin("clamp_force_n") == pytest.approx(8000.0, abs=100.0)
    assert braking.signal("EMB_FL_St1", "EMB_FL_FAct") == pytest.approx(8000.0, abs=100.0)
    assert not braking.log.findings


def test_the_caliper_of_the_stand_is_the_one_of_the_plant(braking: NodeStand) -> None:
    """Replayed alone with the recorded current it takes the very same way."""
    alone = Caliper(FRONT_CALIPER)
    column = braking.recorded
    force_n = []
    for current_a in column("motor_current_a"):
        alone.step(0.001, float(current_a), 48.0, 0.0, 0.0)
        force_n.append(alone.clamp_force_n)
    shown = column("clamp_force_n")
    assert shown.max() > 7500.0
    assert force_n == shown.tolist()


def test_every_cyclic_message_of_the_others_is_played_in_its_cycle_and_protected(
    warm: NodeStand, database: Database
) -> None:
    others = [
        each
        for each in database.messages
        if each.cycle_time_ns is not None
        and each.cycle_time_ns <= ms(50)
        and each.senders
        and "EMB_FL" not in each.senders
    ]
    assert len(others) > 15
    receivers = {
        each.arbitration_id: e2e_receiver(each.e2e, each.length)
        for each in others
        if each.e2e is not None
    }
    times: dict[int, list[int]] = {}
    statuses: set[E2eStatus] = set()
    for record in warm.recorder.frames:
        if record.channel != "CHASSIS_A":
            continue
        identifier = record.frame.arbitration_id
        times.setdefault(identifier, []).append(record.request_ns)
        if identifier in receivers:
            statuses.add(receivers[identifier].check(record.frame.data))
    assert statuses == {E2eStatus.OK}
    for each in others:
        assert set(np.diff(times[each.arbitration_id])) == {each.cycle_time_ns}, each.name


def test_redundant_messages_go_out_on_both_buses_as_one_frame(warm: NodeStand) -> None:
    frames = {
        name: [
            record.frame.data
            for record in warm.recorder.frames
            if record.channel == name and record.frame.arbitration_id == 0x060
        ]
        for name in ("CHASSIS_A", "CHASSIS_B")
    }
    assert len(frames["CHASSIS_A"]) >= 50
    assert frames["CHASSIS_A"] == frames["CHASSIS_B"]


def test_a_fork_goes_on_by_itself_to_the_same_digest(braking: NodeStand) -> None:
    before = braking.digest
    one, two = braking.fork(), pickle.loads(pickle.dumps(braking))
    for each in (one, two):
        each.set(COMMAND, CDC_FL_FReq=12000)
        each.run_for(ms(60))
    assert one.digest == two.digest != before
    assert braking.digest == before
    assert one.pin("clamp_force_n") > 11000.0


# -- the module -----------------------------------------------------------------------------------


def test_an_empty_place_is_silent_and_a_module_can_come_without_supply(database: Database) -> None:
    stand = NodeStand(database, "EMB_FL", axle="front", values=READY)
    stand.run_for(ms(20))
    stand.mount(emb(database), power_on=False)
    stand.run_for(ms(20))
    assert stand.signal("EMB_FL_St1", "EMB_FL_State") is None
    stand.power_on()
    stand.run_for(ms(20))
    assert stand.signal("EMB_FL_St1", "EMB_FL_State") == 0
    stand.power_off()
    heard = len([1 for each in stand.recorder.frames if each.sender == "EMB_FL"])
    stand.run_for(ms(30))
    assert len([1 for each in stand.recorder.frames if each.sender == "EMB_FL"]) == heard


def test_another_module_finds_memory_and_flash_as_the_factory_left_them(
    stand: NodeStand, database: Database
) -> None:
    def running() -> bytes:
        assert stand.dut.flash is not None
        return layout().running.on(stand.dut.flash).read(0, 64)

    factory = running()
    stand.dut.memory["left behind"] = b"1"
    stand.dut.fit_flash(Flash(layout().geometry()))
    assert running() == bytes([255]) * 64 != factory
    stand.mount(emb(database))
    assert "left behind" not in stand.dut.memory
    assert running() == factory


def test_without_service_the_watchdog_keeps_the_power_stage_off(database: Database) -> None:
    class Deaf:
        def start(self, port, now_ns):  # type: ignore[no-untyped-def]
            port.write("motor_current_a", 30.0)

        def receive(self, frame, now_ns):  # type: ignore[no-untyped-def]
            pass

        def on_timer(self, now_ns):  # type: ignore[no-untyped-def]
            pass

        def next_deadline_ns(self):  # type: ignore[no-untyped-def]
            return None

    for watchdog, clamps in ((None, True), (fs65(), False)):
        stand = NodeStand(database, "EMB_FL", axle="front", watchdog=watchdog)
        stand.mount(Deaf())
        stand.run_for(ms(100))
        assert (stand.pin("clamp_force_n") > 1000.0) is clamps


# -- what is around it ----------------------------------------------------------------------------


def test_a_stopped_message_stays_away_until_it_is_resumed(stand: NodeStand) -> None:
    def count(begin_ns: int) -> int:
        return sum(
            each.frame.arbitration_id == 0x060 and each.sof_ns >= begin_ns
            for each in stand.recorder.frames
        )

    stand.stop(COMMAND)
    stand.stop(COMMAND)  # once is enough
    begin_ns = stand.now_ns + ms(1)  # what has begun goes through
    stand.run_for(ms(30))
    assert count(begin_ns) == 0
    stand.resume(COMMAND)
    stand.resume("BPS_Pedal")  # was never stopped
    begin_ns = stand.now_ns
    stand.run_for(ms(30))
    assert count(begin_ns) >= 10


def test_write_and_send_bring_frames_at_once(stand: NodeStand) -> None:
    begin_ns = stand.now_ns
    stand.send("BPS_Pedal")
    stand.write("BPS_Pedal", BPS_Trvl1=10.0)
    stand.run_for(ms(1))
    sent = [
        each
        for each in stand.recorder.frames
        if each.frame.arbitration_id == 0x0A0 and each.sof_ns >= begin_ns
    ]
    assert sent


def test_speed_and_supply_reach_pins_status_and_recording(stand: NodeStand) -> None:
    begin_ns = stand.now_ns
    stand.set_speed(kmh=36)
    stand.set_supply(supply_v=40.5)
    stand.run_for(ms(100))
    assert stand.pin("wheel_speed_radps") == pytest.approx(10.0 / 0.345)
    assert stand.signal("EMB_FL_St1", "EMB_FL_WhlSpd") == pytest.approx(36.0, abs=0.02)
    assert stand.signal("EMB_FL_St2", "EMB_FL_UBat") == pytest.approx(40.5, abs=0.1)
    assert len(stand.recorded("supply_v", since_ns=begin_ns)) == 100
    assert set(stand.recorded("supply_v", since_ns=begin_ns)) == {40.5}


def test_pins_of_another_kind_of_node_are_set_and_recorded(database: Database) -> None:
    stand = NodeStand(database, "IMU", inputs={"yaw_rate_radps": 0.0}, outputs={"lamp_state": 0.0})
    stand.run_for(ms(5))
    stand.set_pin("yaw_rate_radps", 0.25)
    stand.run_for(ms(5))
    assert stand.recorded("yaw_rate_radps").tolist() == [0.0] * 5 + [0.25] * 5
    assert stand.recorded("lamp_state").tolist() == [0.0] * 10
    with pytest.raises(UsageError, match=r"^caliper of IMU: expected a stand with an axle$"):
        _ = stand.caliper


def test_a_node_without_pins_is_a_stand_too(database: Database) -> None:
    stand = NodeStand(database, "IMU")
    stand.run_for(ms(20))
    assert len(stand.recorder.frames) > 20


# -- faults ---------------------------------------------------------------------------------------


def test_a_lying_sensor_shows_its_value_and_the_recording_the_truth(braking: NodeStand) -> None:
    begin_ns = braking.now_ns
    fault = braking.inject(SensorStuck(node="EMB_FL", pin="disc_temperature_c", value=77.0))
    braking.run_for(ms(30))
    assert braking.pin("disc_temperature_c") == 77.0
    assert braking.recorded("disc_temperature_c", since_ns=begin_ns).max() < 30.0
    fault.clear()
    assert braking.pin("disc_temperature_c") < 30.0


def test_faults_of_ecus_messages_and_wires_work_as_on_the_rig(braking: NodeStand) -> None:
    node = braking.node("EMB_FL")
    assert isinstance(node, Emb)
    braking.inject(ChecksumWrong(message="BPS_Pedal", frames=2))
    braking.inject(EcuSilent(node="VCU"))
    braking.inject(OpenWire(bus="CHASSIS_A", node="EMB_FL"))
    begin_ns = braking.now_ns
    braking.run_for(ms(50))
    assert node.reception("BPS_Pedal").counts["crc"] >= 2
    assert not [e for e in braking.recorder.frames if e.sender == "VCU" and e.sof_ns > begin_ns]
    assert braking.signal("EMB_FL_St1", "EMB_FL_BusSel") == 1


def test_faults_of_the_own_corner_work_and_those_of_another_are_refused(
    braking: NodeStand,
) -> None:
    braking.inject(CaliperJammed(corner="FL"))
    braking.set(COMMAND, CDC_FL_FReq=30000)
    braking.run_for(ms(100))
    assert braking.pin("clamp_force_n") < 9000.0
    with pytest.raises(UsageError, match=r"^caliper of the stand: expected FL, got RR$"):
        braking.inject(CaliperJammed(corner="RR"))


def test_a_driven_power_stage_ends_with_the_enable_line(stand: NodeStand) -> None:
    fault = stand.inject(UnintendedClamp(corner="FL"))
    stand.run_for(ms(100))
    assert stand.dut.board is not None
    assert not stand.dut.board.enabled
    assert stand.pin("clamp_force_n") == 0.0
    fault.clear()
    stand.run_for(ms(5))


@pytest.mark.parametrize(
    ("fault", "what"),
    [(FrictionChanged(ratio=0.3), "friction"), (SlopeChanged(pct=5.0), "slope")],
)
def test_faults_of_the_road_are_refused(stand: NodeStand, fault: object, what: str) -> None:
    text = rf"^fault of the {what}: expected a Rig, which has one, got a NodeStand$"
    with pytest.raises(UsageError, match=text):
        stand.inject(fault)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"^fault of the vehicle: expected a Rig"):
        _ = stand.plant.vehicle  # type: ignore[union-attr]


# -- mistakes -------------------------------------------------------------------------------------

MISTAKES: list[tuple[Callable[[NodeStand], object], str]] = [
    (
        lambda s: s.set_pin("clamp_force_n", 1.0),
        r"^EMB_FL: set pin 'clamp_force_n': expected a pin ",
    ),
    (lambda s: s.set_pin("oil", 1.0), r"^EMB_FL, input pin: expected one of .*, got 'oil'$"),
    (lambda s: s.set_pin("supply_v", float("nan")), r"^set_pin 'supply_v': expected a finite"),
    (lambda s: s.set_speed(kmh="fast"), r"^set_speed, kmh: expected a finite number, got 'fast'$"),  # type: ignore[arg-type]
    (lambda s: s.set_supply(supply_v=True), r"^set_supply, supply_v: expected a finite number"),
    (lambda s: s.pin("oil"), r"^EMB_FL: read pin 'oil': expected one of "),
    (lambda s: s.recorded("oil"), r"^recorded column 'oil': expected one of clamp_force_n, "),
    (
        lambda s: s.set("EMB_FL_St1", EMB_FL_State=1),
        r"^stand of EMB_FL: EMB_FL_St1: expected a message that is played, got one of EMB_FL$",
    ),
    (lambda s: s.stop("CDC_EmbCmt"), r"unknown message 'CDC_EmbCmt': did you mean 'CDC_EmbCmd'\? "),
    (
        lambda s: s.inject(SensorStuck(node="BPS", pin="pedal_force_n", value=1.0)),
        r"^pins of node 'BPS': expected EMB_FL, got 'BPS'$",
    ),
    (
        lambda s: NodeStand(s.database, "EMB_FX"),
        r"^NodeStand on chassis_fd\.dbc: unknown node 'EMB_FX': did you mean 'EMB_F[LR]'\?$",
    ),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_named(warm: NodeStand, number: int) -> None:
    act, text = MISTAKES[number]
    with pytest.raises(UsageError, match=text):
        act(warm)


def test_an_output_without_a_caliper_cannot_be_disturbed(database: Database) -> None:
    stand = NodeStand(database, "EMB_FL", outputs={"motor_current_a": 0.0})
    with pytest.raises(UsageError, match=r"fault of plant|output pin motor_current_a: expected a"):
        stand.inject(UnintendedClamp(corner="FL"))
    with pytest.raises(UsageError, match=r"^set_speed: expected a stand with an axle$"):
        stand.set_speed(kmh=10)
