"""A controller whose clock drifts: it withdraws, the secondary brakes on, and nothing flaps."""

from __future__ import annotations

from typing import Any

import pytest

from simcore import Rig, ms
from simcore.ecu.cdc.own_clock import MEMORY, OwnClock
from simcore.ecu.cdc2.states import StandbyState
from simcore.faults.ecu import ClockDrift
from simcore.faults.message_timing import MessageDelayed

CORNERS = ("FL", "FR", "RL", "RR")


@pytest.fixture(scope="module")
def braking() -> Rig:
    rig = Rig(seed=0)
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=120)
    rig.run_for(ms(400))
    rig.press_pedal(20)
    rig.run_for(ms(500))
    return rig


def texts(rig: Rig, *sources: str) -> list[str]:
    return [event.text for event in rig.log.events if event.source in sources]


@pytest.mark.parametrize("ppm", [20_000.0, -20_000.0])
def test_the_secondary_takes_over_and_keeps_on_and_no_brake_opens(braking: Rig, ppm: float) -> None:
    rig = braking.fork()
    before_n = rig.vehicle.clamp_force_n
    start_ns = rig.now_ns
    rig.inject(ClockDrift(node="CDC", ppm=ppm))
    rig.run_for(ms(2000))
    for corner, force_n in zip(CORNERS, before_n, strict=True):
        assert rig.recorded(f"clamp_force_n.{corner}", since_ns=start_ns).min() > 0.9 * force_n
    secondary: Any = rig.node("CDC2")
    assert secondary.application.state is StandbyState.COMMANDING
    assert texts(rig, "CDC2").count("STANDBY -> COMMANDING (PRIMARY_LOST)") == 1
    assert not any("lost" in text for text in texts(rig, "CDC"))
    assert ("own clock suspect: all senders late at once" in texts(rig, "CDC")) is (ppm > 0.0)


def test_one_late_actuator_is_not_the_own_clock(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(MessageDelayed(message="EMB_FR_St1", delay_ns=ms(16)))
    rig.run_for(ms(150))
    assert "EMB_FR lost: late" in texts(rig, "CDC")
    assert not any("own clock" in text for text in texts(rig, "CDC"))


class Port:
    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}
        self.events: list[tuple[str, str]] = []

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))


def test_the_suspicion_survives_a_reset_and_ends_when_all_were_in_time_for_long() -> None:
    port: Any = Port()
    clock = OwnClock(port, ms(1000), 0)
    assert clock.judge(True, ms(5)) is True
    assert clock.judge(True, ms(10)) is False
    assert port.memory[MEMORY] == b"\x01"
    again: Any = OwnClock(port, ms(1000), ms(50))
    assert again.suspect
    again.judge(True, ms(900))
    again.judge(False, ms(1899))
    assert again.suspect
    again.judge(False, ms(1900))
    assert not again.suspect
    assert not OwnClock(port, ms(1000), ms(2000)).suspect
    assert [text for kind, text in port.events if kind == "detection"] == [
        "own clock suspect: all senders late at once"
    ]
