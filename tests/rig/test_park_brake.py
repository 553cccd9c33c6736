"""The parking brake from the switch to the park locks, and who is in charge meanwhile."""

from __future__ import annotations

import pytest

from simcore import Rig, UsageError, ms, s
from simcore.faults import EcuReset, EcuSilent
from simcore.rig import EventSeen
from simcore.rig.invariants import judge
from simcore.rig.outcome import bus_statistics


@pytest.fixture(scope="module")
def standing_rig() -> Rig:
    rig = Rig()
    rig.run_for(ms(600))
    return rig


def failed_invariants(rig: Rig) -> list[str]:
    return [check.text for check in judge(rig, bus_statistics(rig)) if not check.passed]


def texts(rig: Rig, *kinds: str) -> list[str]:
    return [event.text for event in rig.log.events if event.kind in kinds]


def test_the_switch_locks_both_rear_brakes_at_standstill_and_nobody_is_alarmed(
    standing_rig: Rig,
) -> None:
    rig = standing_rig.fork()
    rig.set_park_brake(True)
    rig.run_for(s(1))
    fl_n, fr_n, rl_n, rr_n = rig.vehicle.clamp_force_n
    assert (fl_n, fr_n) == (0.0, 0.0)
    assert min(rl_n, rr_n) > 11_500.0
    assert rig.pin("EMB_RL", "park_lock_state") == rig.pin("EMB_RR", "park_lock_state") == 1.0
    assert texts(rig, "detection", "reaction") == []
    assert failed_invariants(rig) == []


def test_the_switch_down_lets_both_go(standing_rig: Rig) -> None:
    rig = standing_rig.fork()
    rig.set_park_brake(True)
    rig.run_for(s(1))
    rig.set_park_brake(False)
    rig.run_for(s(1))
    assert max(rig.vehicle.clamp_force_n) < 100.0
    assert texts(rig, "detection", "reaction") == []
    assert failed_invariants(rig) == []


def test_what_the_bus_says_of_the_parking_brake_is_what_the_locks_report(standing_rig: Rig) -> None:
    rig = standing_rig.fork()
    rig.set_park_brake(True)
    rig.run_for(s(1))
    message = rig.database.message("CDC_Epb")
    frame = next(
        record.frame
        for record in reversed(rig.recorder.frames)
        if record.frame.arbitration_id == message.arbitration_id
    )
    values = message.codec.decode(frame.data)
    assert [values[name] for name in ("EPB_Switch", "EPB_CmdL", "EPB_CmdR")] == [1, 1, 1]
    assert [values[name] for name in ("EPB_StateL", "EPB_StateR")] == [2, 2]


def test_at_speed_the_switch_waits_for_standstill() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=30)
    rig.run_for(ms(500))
    rig.set_park_brake(True)
    rig.run_for(ms(500))
    assert "parking brake waits for standstill" in texts(rig, "note")
    assert max(rig.vehicle.clamp_force_n) < 100.0
    rig.measure_stop(pedal_pct=60, timeout=s(8))
    rig.run_for(s(1))
    assert rig.pin("EMB_RL", "park_lock_state") == 1.0


@pytest.mark.parametrize("node", ["EMB_RL", "CDC"])
def test_a_reset_while_parked_leaves_the_car_parked(standing_rig: Rig, node: str) -> None:
    rig = standing_rig.fork()
    rig.set_park_brake(True)
    rig.run_for(s(1))
    rig.inject(EcuReset(node=node))
    rig.run_for(s(1))
    assert min(rig.vehicle.clamp_force_n[2:]) > 11_500.0
    rig.set_park_brake(False)
    rig.run_for(s(1))
    assert max(rig.vehicle.clamp_force_n) < 100.0


def test_the_secondary_controller_parks_when_the_primary_is_lost(standing_rig: Rig) -> None:
    rig = standing_rig.fork()
    rig.inject(EcuSilent(node="CDC"))
    rig.run_for(ms(500))
    rig.set_park_brake(True)
    rig.run_for(s(1))
    assert min(rig.vehicle.clamp_force_n[2:]) > 11_500.0
    assert EventSeen("state", source="CDC2", text="being applied").first(rig, 0, rig.now_ns)


def test_a_brake_that_cannot_park_is_found(standing_rig: Rig) -> None:
    rig = standing_rig.fork()
    rig.inject(EcuSilent(node="EMB_RL"))
    rig.run_for(ms(200))
    rig.set_park_brake(True)
    rig.run_for(s(4))
    assert "parking brake not applied after 3 s: UNKNOWN/APPLIED" in texts(rig, "detection")


def test_a_switch_that_is_neither_up_nor_down_is_refused(standing_rig: Rig) -> None:
    with pytest.raises(UsageError, match="set_park_brake: expected True or False, got 2"):
        standing_rig.set_park_brake(2)  # type: ignore[arg-type]
