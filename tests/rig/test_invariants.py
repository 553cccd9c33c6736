"""Invariants: each passes on a good run and fails on the one thing it watches for."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Emb, Port
from simcore.faults import BitFlip, CaliperJammed, EcuSilent, TaskSkipped, UnintendedClamp
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.rig import Check, Rig
from simcore.rig.invariants import judge
from simcore.rig.outcome import bus_statistics
from simcore.units import ms, s


def judged(rig: Rig) -> dict[str, Check]:
    """The check of each requirement; of those that are judged per bus the first that failed."""
    checks = judge(rig, bus_statistics(rig))
    per_bus = [check for check in checks if check.requirement == "COM-LOAD"]
    assert len({check.requirement for check in checks}) == len(checks) - max(0, len(per_bus) - 1)
    found: dict[str, Check] = {}
    for check in checks:
        if check.requirement not in found or found[check.requirement].passed:
            found[check.requirement] = check
    return found


def failing(rig: Rig) -> set[str]:
    return {name for name, check in judged(rig).items() if not check.passed}


def test_a_quiet_run_is_judged_on_all_three_and_passes(rolling: Rig) -> None:
    checks = judged(rolling)
    assert {name: check.passed for name, check in checks.items()} == {
        "BRK-003": True,
        "COM-001": True,
        "COM-LOAD": True,
    }
    assert {check.source for check in checks.values()} == {
        "invariant unrequested force",
        "invariant cycle times",
        "invariant bus load",
    }
    assert {check.time_ns for check in checks.values()} == {rolling.now_ns}


def test_a_rig_that_never_ran_is_judged_on_nothing() -> None:
    assert judged(Rig()) == {}


def test_judging_changes_nothing(rolling: Rig) -> None:
    before = rolling.digest
    judged(rolling)
    assert rolling.digest == before


# -- BRK-003 -------------------------------------------------------------------------------------


class RogueEmb(Emb):
    """Clamps by itself from `rogue_from_ns` on, whatever it is told and whatever it reports."""

    rogue_from_ns = 0
    current_a = 8.0

    def on_timer(self, now_ns: int) -> None:
        super().on_timer(now_ns)
        if now_ns >= self.rogue_from_ns:
            self.port.write("motor_current_a", self.current_a)


def rogue(rig: Rig, name: str = "EMB_RL", *, after_ns: int = 0) -> None:
    node = RogueEmb(name, rig.database)
    node.rogue_from_ns = rig.now_ns + after_ns
    rig.replace(name, node)


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RL"])
def test_an_actuator_that_clamps_by_itself_fails_brk_003(rolling: Rig, name: str) -> None:
    rogue(rolling, name, after_ns=ms(20))
    rolling.run_for(ms(200))
    check = judged(rolling)["BRK-003"]
    assert not check.passed
    column = rolling.recorder.column(f"clamp_force_n.{name[-2:]}")
    assert check.measured == f"{column.max():.0f} N"
    when_ms = int(column.argmax()) + 1
    assert check.text == (
        f"largest clamp force without a request at wheel {name[-2:]}, {when_ms} ms"
    )
    assert check.limit == "<= 500 N"


def test_it_fails_in_any_state_also_at_rest(standing: Rig) -> None:
    rogue(standing)
    standing.run_for(ms(100))
    assert failing(standing) == {"BRK-003"}


def test_braking_on_request_is_none_of_its_business(rolling: Rig) -> None:
    rolling.press_pedal(100)
    rolling.run_for(ms(300))
    rolling.release_pedal()
    rolling.run_for(ms(400))
    assert failing(rolling) == set()


def test_150_ms_are_granted_after_the_release_and_not_more(rolling: Rig) -> None:
    rolling.press_pedal(100, ramp_ns=0)
    rogue(rolling)
    rolling.run_for(ms(200))
    rolling.release_pedal()
    rolling.run_for(ms(150))
    assert failing(rolling) == set()
    rolling.run_for(ms(2))
    assert failing(rolling) == {"BRK-003"}


@pytest.mark.parametrize(("pedal_pct", "expected"), [(3.3, {"BRK-003"}), (3.4, set())])
def test_a_pedal_beyond_its_dead_travel_is_a_request(
    rolling: Rig, pedal_pct: float, expected: set[str]
) -> None:
    """2 of 60 mm."""
    rolling.press_pedal(pedal_pct, ramp_ns=0)
    rogue(rolling)
    rolling.run_for(ms(200))
    assert failing(rolling) == expected


@pytest.mark.parametrize(
    "request_values",
    [
        {"ADAS_AebActv": "Partial", "ADAS_AebDecel": -1.0},
        {"ADAS_AccActv": 1, "ADAS_AccAccel": -1.0},
        {"ADAS_HoldReq": "Hold"},
        {"ADAS_AebPrefill": 1},
    ],
    ids=["AEB", "ACC", "hold", "prefill"],
)
def test_a_request_of_the_assistance_on_the_bus_counts_and_its_end_too(
    rolling: Rig, request_values: dict[str, Any]
) -> None:
    rolling.restbus("ADAS").set("ADAS_LongReq", **request_values)
    rolling.run_for(ms(40))
    rogue(rolling)
    rolling.run_for(ms(200))
    assert failing(rolling) == set()
    idle = {"ADAS_AebActv": 0, "ADAS_AccActv": 0, "ADAS_HoldReq": 0, "ADAS_AebPrefill": 0}
    rolling.restbus("ADAS").set("ADAS_LongReq", **idle)
    rolling.run_for(ms(20 + 150 + 10))
    assert failing(rolling) == {"BRK-003"}


@pytest.mark.parametrize(
    "request_values",
    [{"ADAS_AccActv": 1, "ADAS_AccAccel": 1.0}, {"ADAS_HoldReq": "Release"}, {"ADAS_AebDecel": -5}],
    ids=["ACC accelerates", "hold released", "AEB not active"],
)
def test_what_asks_for_no_braking_is_no_request(
    rolling: Rig, request_values: dict[str, Any]
) -> None:
    rolling.restbus("ADAS").set("ADAS_LongReq", **request_values)
    rolling.run_for(ms(40))
    rogue(rolling)
    rolling.run_for(ms(200))
    assert failing(rolling) == {"BRK-003"}


def test_a_forged_request_on_the_bus_is_no_request(rolling: Rig) -> None:
    """Of another sender, or with a wrong checksum."""
    message = rolling.database.message("ADAS_LongReq")
    data = message.codec.writer("ADAS_AebActv").write("Full")
    rogue(rolling)
    for _ in range(40):
        frame = Frame(message.arbitration_id, data, is_fd=True, bitrate_switch=True)
        rolling.node("TST").port.send(frame)  # type: ignore[attr-defined]
        rolling.node("ADAS").port.send(frame)  # type: ignore[attr-defined]
        rolling.run_for(ms(5))
    assert "BRK-003" in failing(rolling)


def test_a_well_protected_request_of_a_wrong_sender_is_no_request(rolling: Rig) -> None:
    message = rolling.database.message("ADAS_LongReq")
    assert message.e2e is not None
    rolling.inject(EcuSilent(node="ADAS"))
    sender = Profile05Sender(message.e2e.data_id, message.length)
    data = message.codec.writer("ADAS_AebActv").write("Full")
    rogue(rolling)
    for _ in range(15):
        frame = Frame(message.arbitration_id, sender.protect(data), is_fd=True, bitrate_switch=True)
        rolling.node("TST").port.send(frame)  # type: ignore[attr-defined]
        rolling.run_for(ms(20))
    assert "BRK-003" in failing(rolling)


def test_a_request_whose_sender_falls_silent_ends_after_three_cycles(rolling: Rig) -> None:
    rolling.restbus("ADAS").set("ADAS_LongReq", ADAS_HoldReq="Hold")
    rolling.run_for(ms(60))
    last_ns = [r.eof_ns for r in rolling.recorder.frames if r.sender == "ADAS"][-1]
    rolling.inject(EcuSilent(node="ADAS"))
    rogue(rolling)
    rolling.run_for(last_ns + ms(60 + 149) - rolling.now_ns)
    assert failing(rolling) == set()
    rolling.run_for(ms(5))
    assert failing(rolling) == {"BRK-003"}


def test_auto_hold_is_a_request_at_standstill_only(warm_standing: Rig, warm_rolling: Rig) -> None:
    for warm, expected in ((warm_standing, set()), (warm_rolling, {"BRK-003"})):
        rig = warm.fork()
        rig.set_auto_hold(True)
        rig.run_for(ms(10))
        rogue(rig)
        rig.run_for(ms(200))
        assert failing(rig) == expected


def test_what_the_domain_controller_says_is_no_excuse(rolling: Rig) -> None:
    """A CDC that commands force without a request fails it, however much it calls it a request."""
    from simcore.ecu import Cdc

    class EagerCdc(Cdc):
        without = frozenset({"monitor"})  # which would limit it

        def _pack_command(self, now_ns: int) -> bytes:
            self.application.force_request_n = [3_000.0] * 4
            return super()._pack_command(now_ns)

    rolling.replace("CDC", EagerCdc("CDC", rolling.database))
    rolling.run_for(ms(300))
    assert "BRK-003" in failing(rolling)


# -- COM-001 -------------------------------------------------------------------------------------


def with_cycle(message_id: int, cycle_ms: int, wrong_ms: int) -> Database:
    text = Database.reference().text
    old = f'BA_ "GenMsgCycleTime" BO_ {message_id} {cycle_ms};'
    assert text.count(old) == 1
    new = f'BA_ "GenMsgCycleTime" BO_ {message_id} {wrong_ms};'
    return Database.from_text(text.replace(old, new), name="wrong_cycle.dbc")


@pytest.mark.parametrize(("wrong_ms", "percent"), [(4, "20"), (6, "20"), (10, "100")])
def test_a_wrong_cycle_time_fails_com_001(rolling: Rig, wrong_ms: int, percent: str) -> None:
    rolling.replace("EMB_FL", Emb("EMB_FL", with_cycle(0x080, 5, wrong_ms)))
    rolling.run_for(ms(300))
    check = judged(rolling)["COM-001"]
    assert not check.passed
    assert "EMB_FL_St1" in check.text
    assert float(check.measured.removesuffix(" %")) == pytest.approx(float(percent), abs=5.0)


def test_a_message_that_is_late_once_fails_com_001(rolling: Rig) -> None:
    # Hold the line for more than a millisecond with frames of the highest priority.
    for _ in range(6):
        rolling.node("TST").port.send(Frame(0x000, bytes(8)))  # type: ignore[attr-defined]
    rolling.run_for(ms(50))
    assert "COM-001" in failing(rolling)


def test_a_message_missing_for_two_cycles_fails_com_001(rolling: Rig) -> None:
    class SilentStatus(Emb):
        def sends(self, message: str, pack: Any, **keywords: Any) -> Any:
            if not message.endswith("St2"):
                return super().sends(message, pack, **keywords)
            return None

    rolling.replace("EMB_FL", SilentStatus("EMB_FL", rolling.database))
    rolling.run_for(ms(90))
    check = judged(rolling)["COM-001"]
    rolling.run_for(ms(60))
    late = judged(rolling)["COM-001"]
    assert check.passed
    assert not late.passed
    assert late.text.endswith("; missing: EMB_FL_St2 on CHASSIS_A")


def test_what_a_fault_silenced_on_purpose_is_not_missing(rolling: Rig) -> None:
    rolling.inject(EcuSilent(node="EMB_FL"))
    rolling.run_for(s(1))
    assert "COM-001" not in failing(rolling)
    rolling.reset("EMB_FL")
    rolling.run_for(ms(200))
    assert "COM-001" not in failing(rolling)


def test_a_node_that_crashed_is_missing(rolling: Rig) -> None:
    class Crashing(Emb):
        def receive(self, frame: Frame, now_ns: int) -> None:
            raise RuntimeError("crash")

    rolling.replace("EMB_FL", Crashing("EMB_FL", rolling.database))
    rolling.run_for(ms(200))
    check = judged(rolling)["COM-001"]
    assert not check.passed
    assert check.text.endswith(
        "; missing: EMB_FL_St1 on CHASSIS_A, EMB_FL_St1 on CHASSIS_B, EMB_FL_St2 on CHASSIS_A"
    )


def test_frames_of_an_impostor_are_not_the_senders_cycle(rolling: Rig) -> None:
    """TST sends EMB_FL's identifier in between: not a cycle of EMB_FL."""
    identifier = rolling.database.message("EMB_FL_St1").arbitration_id
    port = rolling.node("TST").port  # type: ignore[attr-defined]
    for _ in range(10):
        rolling.run_for(ms(7))
        port.send(Frame(identifier, bytes(20), is_fd=True, bitrate_switch=True))
    rolling.run_for(ms(20))
    assert "COM-001" not in failing(rolling)


# -- COM-LOAD ------------------------------------------------------------------------------------


class Flood:
    """Sends a long classic frame of the lowest priority every `period_ns`."""

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns

    def start(self, port: Port, now_ns: int) -> None:
        self.port, self.due_ns = port, now_ns + self.period_ns
        port.accept([])

    def receive(self, frame: Frame, now_ns: int) -> None:
        raise AssertionError("asked for no frames")

    def on_timer(self, now_ns: int) -> None:
        self.due_ns = now_ns + self.period_ns
        self.port.send(Frame(0x1FFFFFFF, bytes(8), is_extended_id=True))

    def next_deadline_ns(self) -> int | None:
        return self.due_ns


def test_a_flooding_node_fails_the_bus_load(rolling: Rig) -> None:
    rolling.replace("TST", Flood(ms(1)))
    rolling.run_for(ms(300))
    check = judged(rolling)["COM-LOAD"]
    assert not check.passed
    bus, _ = bus_statistics(rolling)
    assert check.measured == f"{100 * bus.peak_load_ratio:.1f} %"
    assert bus.peak_load_ratio > 0.5
    assert check.text == "CHASSIS_A: highest load of any 100 ms"


def test_a_short_flood_fails_it_though_the_mean_is_low(rolling: Rig) -> None:
    rolling.run_for(ms(600))
    rolling.replace("TST", Flood(ms(1) // 4))
    rolling.run_for(ms(120))
    rolling.inject(EcuSilent(node="TST"))
    rolling.run_for(ms(300))
    bus, _ = bus_statistics(rolling)
    assert bus.load_ratio < 0.5 < bus.peak_load_ratio
    assert "COM-LOAD" in failing(rolling)


def test_a_little_more_traffic_passes_it(rolling: Rig) -> None:
    rolling.replace("TST", Flood(ms(10)))
    rolling.run_for(ms(300))
    assert failing(rolling) == set()


# -- what a fault of its own excuses --------------------------------------------------------------


def test_a_jammed_caliper_is_not_judged_until_it_is_free_and_has_released() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(300))
    rig.press_pedal(30)
    rig.run_for(ms(400))
    jam = rig.inject(CaliperJammed(corner="RL"))
    rig.release_pedal()
    rig.run_for(ms(600))
    assert rig.vehicle.clamp_force_n[2] > 2000.0
    check = judged(rig)["BRK-003"]
    assert check.passed
    assert check.text.endswith("; not judged while a fault of their own is handled: RL")
    rig.clear(jam)
    rig.run_for(ms(300))
    assert judged(rig)["BRK-003"].passed
    rig.plant.calipers[2].place_at(5_000.0)
    rig.run_for(ms(1))
    assert not judged(rig)["BRK-003"].passed


@pytest.mark.parametrize(("duration_ms", "passes"), [(95, True), (130, False)])
def test_an_unintended_clamp_has_100_ms_to_be_found_and_released(
    duration_ms: int, passes: bool
) -> None:
    rig = Rig(without=["monitor"])
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(300))
    rig.inject(UnintendedClamp(corner="FL"))
    rig.run_for(ms(duration_ms))
    assert rig.vehicle.clamp_force_n[0] > 500.0
    assert judged(rig)["BRK-003"].passed is passes


def test_a_fault_of_one_actuator_is_no_excuse_for_another() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(300))
    rig.inject(CaliperJammed(corner="FL"))
    rig.plant.calipers[1].place_at(5_000.0)
    rig.run_for(ms(2))
    check = judged(rig)["BRK-003"]
    assert not check.passed
    assert "at wheel FR" in check.text


def test_a_clamping_fault_of_a_controller_excuses_all_wheels_and_only_once() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(300))
    flip = BitFlip(node="CDC", variable="application.decel_mps2", bit=3)
    rig.inject(flip)
    rig.plant.calipers[1].place_at(5_000.0)
    rig.run_for(ms(2))
    check = judged(rig)["BRK-003"]
    assert check.passed
    assert check.text.endswith(": all")
    rig.run_for(ms(300))
    rig.inject(flip)
    rig.plant.calipers[1].place_at(5_000.0)
    rig.run_for(ms(2))
    assert not judged(rig)["BRK-003"].passed


def test_a_fault_that_does_not_clamp_is_no_excuse() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(300))
    rig.inject(TaskSkipped(node="CDC", task="control"))
    rig.plant.calipers[1].place_at(5_000.0)
    rig.run_for(ms(2))
    assert not judged(rig)["BRK-003"].passed
