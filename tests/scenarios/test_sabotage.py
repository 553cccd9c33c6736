"""Each shipped scenario fails honestly: one thing is broken, and the right requirements fail.

The sets are exact: a sabotage must fail what it breaks and nothing that is not its consequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Cdc, Cdc2, Emb, Port, RestbusNode
from simcore.ecu.cdc import CdcParameters, application
from simcore.ecu.cdc.actuators import Actuators
from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.cdc2 import Cdc2Parameters
from simcore.faults.attacks import SpoofedMessage
from simcore.network import Database
from simcore.protection.secoc_status import SecOcOverride
from simcore.resources import scenario_path
from simcore.rig import Rig, Scenario, ScenarioResult, Verdict, load_scenarios, run_scenario
from simcore.units import s

pytestmark = pytest.mark.campaign

EMBS = ("EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")


def shipped(name: str) -> Scenario:
    files = {"silent_in_full_stop": "silent_actuator", "cdc_back": "cdc_lost"}
    function = name.partition("[")[0]
    path = scenario_path(f"{files.get(function, function)}.py")
    return next(item for item in load_scenarios(path) if item.name == name)


def failed(result: ScenarioResult) -> set[str]:
    """Requirements that failed; the run itself went to its end."""
    assert result.error is None, result.error_detail
    assert result.findings == ()
    verdict = Verdict.FAILED if any(not check.passed for check in result.checks) else None
    assert result.verdict is (verdict or Verdict.PASSED)
    return {check.requirement for check in result.checks if not check.passed}


def failed_texts(result: ScenarioResult, requirement: str) -> list[str]:
    return [
        check.text
        for check in result.checks
        if check.requirement == requirement and not check.passed
    ]


def run_with(
    scenario: str, name: str, node_type: type[Emb] | type[Cdc] | type[Cdc2]
) -> ScenarioResult:
    """Run a scenario with another module in the place of one node."""
    return run_scenario(
        shipped(scenario), on_rig=lambda rig: rig.replace(name, node_type(name, rig.database))
    )


class Shortened:
    """Cuts a scenario's long waits: what happens in a minute happens in two seconds."""

    def __init__(self, rig: Rig, limit_ns: int) -> None:
        self.rig, self.limit_ns = rig, limit_ns

    def __call__(self, duration_ns: int) -> None:
        Rig.run_for(self.rig, min(duration_ns, self.limit_ns))


# -- actuators -----------------------------------------------------------------------------------


class DeafEmb(Emb):
    """Hears nothing: no command, and no pedal to fall back on (COM-004)."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        pass

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        pass


def test_actuators_that_ignore_commands_do_not_stop_the_car() -> None:
    def sabotage(rig: Rig) -> None:
        for name in EMBS:
            rig.replace(name, DeafEmb(name, rig.database))

    result = run_scenario(shipped("panic_stop"), on_rig=sabotage)
    # BRK-004, too: without a force before it there is no release to measure.
    assert failed(result) == {"BRK-001", "BRK-002", "BRK-004", "BRK-005"}
    assert failed_texts(result, "BRK-001") == ["came to a stop", "stopping distance", "MFDD"]


def test_one_actuator_that_ignores_commands_still_fails_response_and_accuracy() -> None:
    result = run_with("panic_stop", "EMB_FL", DeafEmb)
    assert failed(result) == {"BRK-002", "BRK-004", "BRK-005"}


class Ratchet:
    """A port whose parking lock closes as soon as the brake is on."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, pin: str, value_ratio: float) -> None:
        if pin == "motor_current_a":
            self._port.write(pin, value_ratio)
            if self._port.read("clamp_force_n") > 5_000.0:
                self._port.write("park_lock_state", 1.0)


class NeverReleasingEmb(Emb):
    """Clamps as commanded and never lets go."""

    def start(self, port: Port, now_ns: int) -> None:
        super().start(Ratchet(port), now_ns)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["EMB_FR", "EMB_RL"])
def test_an_actuator_that_never_releases_fails_the_release(name: str) -> None:
    result = run_with("panic_stop", name, NeverReleasingEmb)
    # A brake that stays on after the release is unrequested force, too; and under slip control, and
    # once it is found to be too strong, its force is not the commanded one any more.
    assert failed(result) == {"BRK-004", "BRK-003", "BRK-005"}


class Boasting(Mapping[str, float]):
    """The pins of an actuator whose force sensor reads 8 % too much."""

    def __init__(self, pins: Mapping[str, float]) -> None:
        self._pins = pins

    def __getitem__(self, pin: str) -> float:
        return self._pins[pin] * (1.08 if pin == "clamp_force_n" else 1.0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pins)

    def __len__(self) -> int:
        return len(self._pins)


class WeakEmb(Emb):
    """Delivers 8 % less than commanded and does not know it."""

    def start(self, port: Port, now_ns: int) -> None:
        wrapped: Any = Ratchet(port)
        wrapped.write = port.write
        wrapped.inputs = Boasting(port.inputs)
        super().start(wrapped, now_ns)


def test_an_actuator_8_percent_off_fails_the_accuracy_alone() -> None:
    result = run_with("panic_stop", "EMB_FL", WeakEmb)
    assert failed(result) == {"BRK-005"}


# -- domain controller ---------------------------------------------------------------------------


@pytest.mark.parametrize("corner", ["FL", "RR"])
def test_without_redistribution_the_deceleration_does_not_come_back(
    corner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribute = application.distribute

    def as_if_all_were_there(decel_mps2: float, **values: Any) -> list[float]:
        return distribute(decel_mps2, **{**values, "available": [True] * 4})

    monkeypatch.setattr(application, "distribute", as_if_all_were_there)
    result = run_scenario(shipped(f"silent_actuator[corner={corner}]"))
    # Not DEG-001: at full pedal the other three are at the limit of the road anyway.
    assert failed(result) == {"SAF-001"}
    assert failed_texts(result, "SAF-001") == [
        "fault to 90 % of the torque of before from the other brakes",
        "last instant below 90 % of the deceleration before (FTTI)",
    ]


def test_a_loss_in_a_full_stop_that_is_never_detected_is_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    update = Actuators.update
    monkeypatch.setattr(
        Actuators, "update", lambda self, now_ns, *, starting: update(self, now_ns, starting=True)
    )
    # The second line of detection would see it, too: force far below command.
    monkeypatch.setattr(Actuators, "watch_forces", lambda *_: None)
    result = run_scenario(shipped("silent_in_full_stop[corner=FL]"))
    assert failed(result) == {"DEG-001"}
    assert "the loss is reported" in failed_texts(result, "DEG-001")


def test_braking_at_half_force_after_a_loss_fails_the_secondary_braking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distribute = application.distribute

    def timid(decel_mps2: float, **values: Any) -> list[float]:
        share = 1.0 if all(values["available"]) else 0.3
        return [share * force_n for force_n in distribute(decel_mps2, **values)]

    monkeypatch.setattr(application, "distribute", timid)
    result = run_scenario(shipped("silent_actuator[corner=FL]"))
    assert failed(result) == {"SAF-001", "DEG-001"}
    assert "90 % of the reference figure for this loss" in failed_texts(result, "DEG-001")


def test_silence_that_is_never_detected_is_neither_reported_nor_redistributed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    update = Actuators.update
    monkeypatch.setattr(
        Actuators, "update", lambda self, now_ns, *, starting: update(self, now_ns, starting=True)
    )
    result = run_scenario(shipped("silent_actuator[corner=FL]"))
    assert failed(result) == {"SAF-001", "DEG-001", "DIA-002"}
    assert failed_texts(result, "SAF-001") == [
        "fault to the right degradation level on the bus",
        "fault to 90 % of the torque of before from the other brakes",
        "last instant below 90 % of the deceleration before (FTTI)",
        "the degradation level stays",
    ]


def test_a_warning_without_a_lamp_is_no_warning() -> None:
    class DarkCdc(Cdc):
        def _pack_status(self, now_ns: int) -> bytes:
            message = self.database.message("CDC_BrkSt")
            values = message.codec.decode(super()._pack_status(now_ns))
            return message.codec.encode({**values, "CDC_LampRed": 0})

    result = run_with("silent_actuator[corner=RL]", "CDC", DarkCdc)
    assert failed(result) == {"DEG-001"}


@pytest.mark.parametrize("mu", ["0.3", "0.8"])
def test_without_slip_control_the_wheels_lock(mu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = SlipController.step

    def let_all_pass(self: SlipController, force_demand_n: Any, *rest: Any) -> list[float]:
        step(self, force_demand_n, *rest)
        self.active[:] = [False] * 4
        return list(force_demand_n)

    monkeypatch.setattr(SlipController, "step", let_all_pass)
    result = run_scenario(shipped(f"low_friction_stop[mu={mu}]"))
    assert failed(result) == {"BRK-006"}
    assert "longest lock of a wheel above 15 km/h" in failed_texts(result, "BRK-006")


def test_without_the_hold_function_the_car_rolls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandstillHold, "step", lambda self, now_ns, **seen: 0.0)

    def shorten(rig: Rig) -> None:
        rig.run_for = Shortened(rig, s(2))  # type: ignore[method-assign]

    result = run_scenario(shipped("stop_and_hold"), on_rig=shorten)
    assert failed(result) == {"BRK-008"}
    assert failed_texts(result, "BRK-008") == ["roll-back over 60 s with the pedal released"]


def quiet_cruise(rig: Rig) -> None:
    rig.run_for = Shortened(rig, s(2))  # type: ignore[method-assign]


def test_the_shortened_cruise_passes_unsabotaged() -> None:
    assert failed(run_scenario(shipped("cruise"), on_rig=quiet_cruise)) == set()


def test_trigger_happy_detection_is_a_false_alarm() -> None:
    def sabotage(rig: Rig) -> None:
        quiet_cruise(rig)
        eager = CdcParameters(excess_n=-1.0, excess_for_ns=0)
        rig.replace("CDC", Cdc("CDC", rig.database, eager))

    result = run_scenario(shipped("cruise"), on_rig=sabotage)
    assert failed(result) == {"SAF-001"}


def test_a_brake_that_drags_while_cruising_is_unrequested_force() -> None:
    class DraggingEmb(Emb):
        """Drives its motor with 0.7 A whatever is asked of it."""

        def on_timer(self, now_ns: int) -> None:
            super().on_timer(now_ns)
            self.port.write("motor_current_a", 0.7)

    def sabotage(rig: Rig) -> None:
        quiet_cruise(rig)
        rig.replace("EMB_RR", DraggingEmb("EMB_RR", rig.database))

    result = run_scenario(shipped("cruise"), on_rig=sabotage)
    assert failed(result) == {"BRK-003", "SAF-001"}  # and it is noticed


# -- secondary controller ------------------------------------------------------------------------


def test_a_secondary_that_never_takes_over_fails_deg_002() -> None:
    def sabotage(rig: Rig) -> None:
        rig.replace("CDC2", RestbusNode("CDC2", rig.database))

    result = run_scenario(shipped("cdc_lost[moment=braking]"), on_rig=sabotage)
    assert "DEG-002" in failed(result)
    assert failed_texts(result, "DEG-002") == [
        "third missed frame to the first valid command of CDC2 on a bus"
    ]


def test_a_secondary_that_takes_over_two_commands_late_fails_deg_002() -> None:
    class Sleepy(Cdc2):
        late = 2

        def _pack_command(self, now_ns: int) -> bytes:
            if self.application.control is not None and self.late:
                self.late -= 1
                return self._standby
            return super()._pack_command(now_ns)

    result = run_with("cdc_lost[moment=cruising]", "CDC2", Sleepy)
    assert failed(result) == {"DEG-002"}
    assert failed_texts(result, "DEG-002") == [
        "third missed frame to the first valid command of CDC2 on a bus"
    ]


def test_a_secondary_that_brakes_harder_than_asked_fails_deg_002() -> None:
    class Panicking(Cdc2):
        def _pack_command(self, now_ns: int) -> bytes:
            control = self.application.control
            if control is not None:
                control.force_request_n = [1.3 * force_n for force_n in control.force_request_n]
            return super()._pack_command(now_ns)

    result = run_with("cdc_lost[moment=braking]", "CDC2", Panicking)
    # BRK-001, too: slip control cannot keep what it does not command.
    assert failed(result) == {"DEG-002", "BRK-001"}
    assert failed_texts(result, "DEG-002") == [
        "largest clamp force beyond demand and tolerance since the loss"
    ]


def test_a_secondary_that_never_hands_back_fails_deg_002() -> None:
    def sabotage(rig: Rig) -> None:
        forever = Cdc2Parameters(hand_back_cycles=1_000_000)
        rig.replace("CDC2", Cdc2("CDC2", rig.database, forever))

    result = run_scenario(shipped("cdc_back[mu=1.05]"), on_rig=sabotage)
    assert failed(result) == {"DEG-002"}
    assert failed_texts(result, "DEG-002") == ["power on of the CDC to CDC2 standing by again"]


def test_a_primary_that_comes_back_as_if_nobody_had_braked_is_a_step_of_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application.Application, "resume", lambda self, *_: None)
    result = run_scenario(shipped("cdc_back[mu=0.3]"))
    assert failed(result) == {"DEG-002"}
    assert failed_texts(result, "DEG-002") == [
        "largest deviation from the last force beyond 50 % while the CDC takes over again"
    ]


# -- two buses -----------------------------------------------------------------------------------


class OneEared(Emb):
    """Hears bus A only."""

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        pass


class OneEaredCdc(Cdc):
    """Hears bus A only."""

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        pass


def one_eared(rig: Rig) -> None:
    for name in EMBS:
        rig.replace(name, OneEared(name, rig.database))


FOLLOWS = {
    "bus_a_shorted[fault=dominant]": "loss of bus A until all four report commands from bus B",
    "babbling_node": "begin of the babbling until all four report commands from bus B",
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_actuators_that_do_not_listen_to_bus_b_fail_deg_003(name: str) -> None:
    result = run_scenario(shipped(name), on_rig=one_eared)
    assert failed(result) >= {"DEG-003"}
    assert FOLLOWS[name] in failed_texts(result, "DEG-003")
    if name == "babbling_node":  # bus A stays lost: nobody brakes
        assert "BRK-001" in failed(result)


def test_a_cut_off_actuator_that_does_not_listen_to_bus_b_fails_deg_003() -> None:
    result = run_with("actuator_bus_off[corner=FL,fault=unplugged]", "EMB_FL", OneEared)
    assert failed(result) >= {"DEG-003", "BRK-002"}


def test_a_controller_that_does_not_listen_to_bus_b_takes_the_actuator_for_lost() -> None:
    result = run_with("actuator_bus_off[corner=FL,fault=unplugged]", "CDC", OneEaredCdc)
    assert failed(result) >= {"DEG-003"}
    assert "the actuator is not reported lost: its status comes over bus B" in failed_texts(
        result, "DEG-003"
    )


def test_a_lost_bus_without_a_warning_fails_deg_003() -> None:
    class DarkCdc(Cdc):
        def _pack_status(self, now_ns: int) -> bytes:
            message = self.database.message("CDC_BrkSt")
            values = message.codec.decode(super()._pack_status(now_ns))
            return message.codec.encode({**values, "CDC_LampRed": 0})

    result = run_with("babbling_node", "CDC", DarkCdc)
    assert failed(result) == {"DEG-003"}
    assert failed_texts(result, "DEG-003") == ["begin of the babbling to the warning on bus B"]


def test_without_the_force_estimate_braking_on_bus_b_alone_is_weak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slip control without an accelerometer must have something in its place."""
    monkeypatch.setattr(application.Application, "_estimated_mps2", lambda self, clamp_n: 0.0)
    result = run_scenario(shipped("babbling_node"))
    assert failed(result) == {"BRK-001"}


# -- attacks -------------------------------------------------------------------------------------

ATTACKS = {
    "replay_attack[attack=braking while cruising]": {"SEC-001", "COM-002", "BRK-003"},
    "replay_attack[attack=cruising while braking]": {"SEC-001", "COM-002"},
    "spoofed_command[attack=brake while cruising]": {"SEC-001", "COM-002", "BRK-003"},
    "spoofed_command[attack=release while braking]": {"SEC-001", "COM-002"},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_actuators_that_pass_what_does_not_verify_fail_sec_001(name: str) -> None:
    def sabotage(rig: Rig) -> None:
        for emb in EMBS:
            for receiver in rig.node(emb).reception("CDC_EmbCmd").guard.receivers:  # type: ignore
                receiver.override(SecOcOverride.PASS_UNTIL_NOTICE)

    result = run_scenario(shipped(name), on_rig=sabotage)
    assert failed(result) == ATTACKS[name]
    (text,) = failed_texts(result, "SEC-001")
    assert text.endswith("commands rejected and counted")


@pytest.mark.parametrize("name", list(ATTACKS)[1:3])
def test_one_actuator_that_does_not_verify_is_enough_to_fail(name: str) -> None:
    def sabotage(rig: Rig) -> None:
        for receiver in rig.node("EMB_RL").reception("CDC_EmbCmd").guard.receivers:  # type: ignore
            receiver.override(SecOcOverride.PASS_UNTIL_NOTICE)

    assert failed(run_scenario(shipped(name), on_rig=sabotage)) == ATTACKS[name]


@pytest.mark.parametrize("name", list(ATTACKS)[2:])
def test_on_a_vehicle_without_secoc_the_forged_command_fails_everything(name: str) -> None:
    result = run_scenario(shipped(name), database=Database.reference())
    assert failed(result) == ATTACKS[name]


def test_an_attack_that_does_no_harm_anywhere_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control vehicle fails the scenario when the attacker is lame."""
    monkeypatch.setattr(SpoofedMessage, "forged", lambda self, genuine: genuine)
    result = run_scenario(shipped("spoofed_command[attack=brake while cruising]"))
    assert failed_texts(result, "SEC-001") == ["control: the same figure where E2E is alone"]


# -- network -------------------------------------------------------------------------------------


def altered(old: str, new: str) -> Database:
    """The reference interface with one line of the DBC changed."""
    text = Database.reference().text
    assert text.count(old) == 1
    return Database.from_text(text.replace(old, new), name="altered.dbc")


@pytest.mark.parametrize("cycle_ms", [4, 6])
def test_a_wrong_cycle_time_in_the_database_of_one_node_fails_com_001(cycle_ms: int) -> None:
    wrong = altered(
        'BA_ "GenMsgCycleTime" BO_ 128 5;', f'BA_ "GenMsgCycleTime" BO_ 128 {cycle_ms};'
    )

    def sabotage(rig: Rig) -> None:
        quiet_cruise(rig)
        rig.replace("EMB_FL", Emb("EMB_FL", wrong))

    result = run_scenario(shipped("cruise"), on_rig=sabotage)
    # Its receivers miss frames or get ever later ones, its supervision counts too many: noticed.
    assert failed(result) == {"COM-001", "SAF-001"}
    (text,) = failed_texts(result, "COM-001")
    assert "EMB_FL_St1" in text


def test_a_wrong_data_id_makes_the_actuator_silent_to_everyone_else() -> None:
    wrong = altered('BA_ "E2EDataId" BO_ 128 16512;', 'BA_ "E2EDataId" BO_ 128 20000;')

    def sabotage(rig: Rig) -> None:
        quiet_cruise(rig)
        rig.replace("EMB_FL", Emb("EMB_FL", wrong))

    result = run_scenario(shipped("cruise"), on_rig=sabotage)
    assert failed(result) == {"SAF-001"}
    assert "EMB_FL lost" in failed_texts(result, "SAF-001")[0]


def test_a_node_that_was_taken_away_is_missed() -> None:
    class Nothing:
        """Implements `Node` and does nothing."""

        def start(self, port: Port, now_ns: int) -> None:
            port.accept([])

        def receive(self, frame: Frame, now_ns: int) -> None:
            raise AssertionError("asked for no frames")

        def on_timer(self, now_ns: int) -> None:
            raise AssertionError("asked for no deadline")

        def next_deadline_ns(self) -> int | None:
            return None

    def sabotage(rig: Rig) -> None:
        quiet_cruise(rig)
        rig.replace("PDM", Nothing())

    result = run_scenario(shipped("cruise"), on_rig=sabotage)
    assert failed(result) == {"COM-001"}
    assert "missing: PDM_Supply" in failed_texts(result, "COM-001")[0]
