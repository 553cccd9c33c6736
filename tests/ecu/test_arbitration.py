"""Request arbitration: who brakes, how hard, and how requests leave; the pedal is elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.cdc.arbitration import AssistanceInput, arbitrate
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import RequestSource
from simcore.ecu.runtime import Reception
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import ms

DATABASE = Database.reference()


class Input:
    """A reception that a sender fills every cycle, and an input that reads it every 5 ms."""

    def __init__(self, name: str) -> None:
        self.message = DATABASE.message(name)
        self.reception = Reception(self.message)
        assert self.message.e2e is not None
        self.sender = Profile05Sender(self.message.e2e.data_id, self.message.length)
        self.now_ns = 0

    def say(self, count: int = 1, **values: Any) -> None:
        cycle_ns = self.message.cycle_time_ns
        assert cycle_ns is not None
        for _ in range(count):
            self.now_ns += cycle_ns
            data = self.message.codec.writer(*values).write(*values.values())
            self.reception.receive(self.sender.protect(data), self.now_ns)


class Assistance(Input):
    def __init__(self) -> None:
        super().__init__("ADAS_LongReq")
        self.input = AssistanceInput(DATABASE, self.reception, CdcParameters(), period_s=0.005)
        self.say(10, ADAS_AebActv="Inactive")

    def update(self, after_ns: int = 0) -> AssistanceInput:
        self.now_ns += after_ns
        self.input.update(self.now_ns)
        return self.input


# -- assistance ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "decel_mps2"), [("Inactive", 0.0), ("Partial", 8.0), ("Full", 8.0), ("SNA", 0.0)]
)
def test_emergency_braking_counts_while_it_is_active(active: str, decel_mps2: float) -> None:
    assistance = Assistance()
    assistance.say(1, ADAS_AebActv=active, ADAS_AebDecel=-8.0)
    assert assistance.update().emergency_mps2 == pytest.approx(decel_mps2)


def test_cruise_control_counts_while_it_is_active_and_decelerates() -> None:
    assistance = Assistance()
    for active, acceleration_mps2, expected_mps2 in ((1, -2.5, 2.5), (1, 1.5, 0.0), (0, -2.5, 0.0)):
        assistance.say(1, ADAS_AccActv=active, ADAS_AccAccel=acceleration_mps2)
        assert assistance.update().cruise_mps2 == pytest.approx(expected_mps2)


def test_a_lost_message_ends_emergency_braking_at_once() -> None:
    assistance = Assistance()
    assistance.say(1, ADAS_AebActv="Full", ADAS_AebDecel=-9.0)
    assert assistance.update(ms(60)).emergency_mps2 == pytest.approx(9.0)
    assert assistance.update(1).emergency_mps2 == 0.0


def test_a_lost_message_ramps_cruise_control_out_at_3_mps3() -> None:
    assistance = Assistance()
    assistance.say(1, ADAS_AccActv=1, ADAS_AccAccel=-0.06)
    assert assistance.update(ms(60)).cruise_mps2 == pytest.approx(0.06)
    found = [assistance.update(ms(5)).cruise_mps2 for _ in range(6)]
    assert found == pytest.approx([0.045, 0.03, 0.015, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("request_text", "requests", "releases"),
    [
        ("None", False, False),
        ("Hold", True, False),
        ("Release", False, True),
        ("SNA", False, False),
    ],
)
def test_hold_requests_of_the_assistance(request_text: str, requests: bool, releases: bool) -> None:
    assistance = Assistance()
    assistance.say(1, ADAS_HoldReq=request_text)
    found = assistance.update()
    assert (found.requests_hold, found.releases_hold) == (requests, releases)
    found = assistance.update(ms(61))
    assert (found.requests_hold, found.releases_hold) == (False, False)


# -- arbitration ---------------------------------------------------------------------------------

SOURCES = (RequestSource.DRIVER, RequestSource.AEB, RequestSource.ACC, RequestSource.HOLD)


def arbitrated(driver: float, emergency: float, cruise: float, hold: float) -> tuple[Any, Any]:
    return arbitrate(
        driver_mps2=driver, emergency_mps2=emergency, cruise_mps2=cruise, hold_mps2=hold
    )


def test_no_request_has_no_source() -> None:
    assert arbitrated(0.0, 0.0, 0.0, 0.0) == (0.0, RequestSource.NONE)


@given(requests=st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_the_largest_request_wins_and_the_earlier_of_equals(requests: list[int]) -> None:
    best, source = arbitrated(*map(float, requests))
    assert best == max(requests)
    if best > 0:
        assert source is SOURCES[requests.index(max(requests))]
    else:
        assert source is RequestSource.NONE
