"""Level 2: what the monitor permits, and what it does about more (SAF-002, SAF-004)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from simcore import Rig
from simcore.ecu import Cdc
from simcore.ecu.cdc.communication import CORNERS, command_writer
from simcore.ecu.cdc.distribution import distribute
from simcore.ecu.cdc.monitor import FunctionMonitor
from simcore.ecu.cdc.monitor_parameters import DEFAULT_MONITOR
from simcore.ecu.cdc.states import (
    MONITOR_IGNORED,
    MONITOR_TRANSITIONS,
    MonitorEvent,
    MonitorState,
    next_monitor_state,
)
from simcore.ecu.runtime import Reception
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import ms

DATABASE = Database.reference()
FORCE_MAX_N = [40_000.0] * 2 + [27_000.0] * 2
MESSAGES = ("BPS_Pedal", "ADAS_LongReq", *(f"EMB_{corner}_St1" for corner in CORNERS))


def test_the_table_is_total() -> None:
    pairs = set(product(MonitorState, MonitorEvent))
    assert set(MONITOR_TRANSITIONS) | MONITOR_IGNORED == pairs
    assert not set(MONITOR_TRANSITIONS) & MONITOR_IGNORED


def test_nothing_leads_out_of_cut_and_nothing_but_limiting_into_it() -> None:
    assert {next_monitor_state(MonitorState.CUT, event) for event in MonitorEvent} == {
        MonitorState.CUT
    }
    assert [before for (before, _), after in MONITOR_TRANSITIONS.items() if after == 2] == [
        MonitorState.LIMITING
    ]


class Bench:
    """A monitor, the messages it reads, and a command it reads back, every 10 ms."""

    def __init__(self, lane: str = "CDC") -> None:
        self.receptions = {name: Reception(DATABASE.message(name)) for name in MESSAGES}
        self.senders = {}
        for name in MESSAGES:
            message = DATABASE.message(name)
            assert message.e2e is not None
            self.senders[name] = Profile05Sender(message.e2e.data_id, message.length)
        self.values: dict[str, dict[str, Any]] = {name: {} for name in MESSAGES}
        self.inputs = {"auto_hold_switch_state": 0.0}
        self.events: list[tuple[str, str]] = []
        self.condemned: list[int] = []
        self.now_ns = 0
        self.write = command_writer(DATABASE, lane)
        self.lane = lane
        self.monitor = FunctionMonitor(
            self,  # type: ignore[arg-type]
            DATABASE,
            DEFAULT_MONITOR,
            self.receptions,
            lane=lane,
            condemn=lambda corner, reason: self.condemned.append(corner),
        )
        self.pedal(0.0)
        self.wheels(100.0)
        self.force([0.0] * 4)
        for _ in range(20):
            self.check([0.0] * 4)

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))

    def pedal(self, first_mm: float, second_mm: float | None = None, **changes: Any) -> None:
        self.values["BPS_Pedal"] = {
            "BPS_Trvl1": first_mm,
            "BPS_Trvl2": first_mm if second_mm is None else second_mm,
            "BPS_Qf1": "Valid",
            "BPS_Qf2": "Valid",
            **changes,
        }

    def wheels(self, kmh: float) -> None:
        for corner in CORNERS:
            self.values[f"EMB_{corner}_St1"][f"EMB_{corner}_WhlSpd"] = kmh

    def force(self, force_n: list[float]) -> None:
        for corner, value_n in zip(CORNERS, force_n, strict=True):
            self.values[f"EMB_{corner}_St1"][f"EMB_{corner}_FAct"] = value_n

    def packed(self, force_n: list[float], *, valid: int = 1) -> bytes:
        values: list[float] = [0, 0, 0, 3]
        for value_n in force_n:
            values += (value_n, 2 if value_n else 1, 1000, valid, 0)
        return self.write.write(*values, *((0, 0, 1, 0) if self.lane == "CDC2" else ()))

    def hear(self) -> None:
        for name in MESSAGES:
            message, values = DATABASE.message(name), self.values[name]
            data = message.codec.writer(*values).write(*values.values())
            self.receptions[name].receive(self.senders[name].protect(data), self.now_ns)

    def check(
        self, sent_n: list[float], asked_n: list[float] | None = None, *, valid: int = 1
    ) -> bool:
        for _ in range(2):
            self.now_ns += ms(5)
            self.hear()
        sent = self.packed(sent_n, valid=valid)
        return self.monitor.check(sent, sent_n if asked_n is None else asked_n, self.now_ns)

    def happened(self, kind: str) -> list[str]:
        return [text for each, text in self.events if each == kind]


@pytest.fixture(params=["CDC", "CDC2"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


def demand(travel_mm: float, lost: tuple[int, ...] = ()) -> list[float]:
    decel_mps2 = min(12.0, max(0.0, (travel_mm - 2.0) / 58.0 * 12.0))
    return distribute(
        decel_mps2,
        mass_kg=2_200.0,
        available=[i not in lost for i in range(4)],
        force_max_n=FORCE_MAX_N,
        speed_mps=27.0,
    )


LOSSES = [(), (0,), (3,), (0, 3), (0, 2), (0, 1), (2, 3), (0, 1, 2), (1, 2, 3)]


@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("travel_mm", [5.0, 20.0, 31.0, 45.0, 60.0, 80.0])
def test_what_distribution_gives_is_always_permitted(
    bench: Bench, travel_mm: float, lost: tuple[int, ...]
) -> None:
    bench.pedal(travel_mm)
    for _ in range(5):
        assert not bench.check(demand(travel_mm, lost))
    assert bench.monitor.state is MonitorState.OK
    assert bench.events == []


def test_with_all_brakes_the_bound_is_ten_per_cent_and_1500_n_above_the_demand(
    bench: Bench,
) -> None:
    bench.pedal(31.0)
    bench.check(demand(31.0))
    wanted_n = [1.1 * force_n + 1_500.0 for force_n in demand(31.0)]
    assert bench.monitor.permitted_n == pytest.approx(wanted_n, rel=0.001)


@pytest.mark.parametrize("corner", range(4))
def test_a_command_that_nobody_asked_for_is_limited_within_two_checks_and_cut_after_three_more(
    bench: Bench, corner: int
) -> None:
    """The driver let go, an output stays."""
    force_n = [0.0] * 4
    force_n[corner] = 8_000.0
    assert not bench.check(force_n)
    assert bench.monitor.state is MonitorState.LIMITING
    assert bench.monitor.limit_n is not None and bench.monitor.limit_n[corner] == 500.0
    assert bench.happened("detection") == [
        f"monitor: command {CORNERS[corner]} 8000 N, 500 N permitted"
    ]
    assert bench.happened("reaction") == ["monitor: commands limited"]
    assert [bench.check(force_n) for _ in range(3)] == [False, False, True]
    assert bench.monitor.state is MonitorState.CUT
    assert bench.monitor.reason.startswith("command")
    assert not bench.check(force_n)  # told once
    assert bench.happened("state") == [
        "monitor OK -> LIMITING (EXCESS)",
        "monitor LIMITING -> CUT (PERSISTED)",
    ]


def test_a_request_beyond_it_is_seen_even_where_the_payload_is_limited(bench: Bench) -> None:
    for cut in (False, False, False, True):
        assert bench.check([400.0] * 4, [9_000.0] * 4) is cut


def test_a_payload_is_judged_as_it_was_sent_whatever_the_control_task_believes(
    bench: Bench,
) -> None:
    """A flipped bit in the packing."""
    assert not bench.check([16_384.0, 0.0, 0.0, 0.0], [0.0] * 4)
    assert bench.monitor.state is MonitorState.LIMITING


def test_an_excess_that_is_over_ends_the_limit_after_a_while(bench: Bench) -> None:
    bench.check([8_000.0, 0.0, 0.0, 0.0])
    for _ in range(DEFAULT_MONITOR.settle_checks):
        assert bench.monitor.limit_n is not None
        bench.check([0.0] * 4)
    assert bench.monitor.state is MonitorState.OK
    assert bench.monitor.limit_n is None


def test_a_command_of_a_check_ago_may_still_be_on_its_way(bench: Bench) -> None:
    bench.pedal(60.0)
    bench.check(demand(60.0))
    bench.pedal(0.0)
    bench.check(demand(60.0))
    assert bench.monitor.state is MonitorState.OK
    bench.check(demand(60.0))
    assert bench.monitor.state is MonitorState.LIMITING


@pytest.mark.parametrize(
    ("active", "permitted"), [("Inactive", False), ("Partial", True), ("Full", True)]
)
def test_emergency_braking_is_permitted_while_it_is_active(
    bench: Bench, active: str, permitted: bool
) -> None:
    bench.values["ADAS_LongReq"] = {"ADAS_AebActv": active, "ADAS_AebDecel": -6.0}
    bench.check(demand(31.0))
    assert (bench.monitor.state is MonitorState.OK) is permitted


def test_cruise_braking_that_is_lost_may_leave_along_its_ramp(bench: Bench) -> None:
    bench.values["ADAS_LongReq"] = {"ADAS_AccActv": 1, "ADAS_AccAccel": -3.0}
    bench.check([0.0] * 4)
    bench.values["ADAS_LongReq"] = {}
    for step in range(100):
        decel_mps2 = 3.0 - 0.03 * (step + 1)
        bench.check(demand(2.0 + decel_mps2 * 58.0 / 12.0))
    assert bench.monitor.state is MonitorState.OK


@pytest.mark.parametrize(("kmh", "permitted"), [(0.0, True), (100.0, False)])
def test_a_hold_is_permitted_at_standstill_only(bench: Bench, kmh: float, permitted: bool) -> None:
    bench.inputs["auto_hold_switch_state"] = 1.0
    bench.wheels(kmh)
    bench.check([0.0] * 4)
    bench.check([4_000.0] * 4)
    assert (bench.monitor.state is MonitorState.OK) is permitted


def test_where_the_channels_disagree_the_larger_one_is_permitted(bench: Bench) -> None:
    bench.pedal(31.0, 0.0)
    bench.check(demand(31.0))
    assert bench.monitor.state is MonitorState.OK


def test_a_channel_that_is_not_valid_permits_nothing_for_long(bench: Bench) -> None:
    bench.pedal(60.0, 0.0, BPS_Qf1="Invalid")
    for _ in range(3):
        bench.check(demand(60.0))
    assert bench.monitor.state is not MonitorState.OK


def test_a_force_beyond_what_is_permitted_condemns_the_actuator_and_not_the_controller(
    bench: Bench,
) -> None:
    bench.force([0.0, 12_000.0, 0.0, 0.0])
    for _ in range(2 * DEFAULT_MONITOR.measured_checks - 2):
        bench.check([0.0] * 4)
    assert bench.condemned == []
    bench.check([0.0] * 4)
    bench.check([0.0] * 4)
    assert bench.condemned == [1]
    assert bench.monitor.state is MonitorState.OK
    for _ in range(50):
        bench.check([0.0] * 4)
    assert bench.condemned == [1]


def test_forces_are_not_judged_while_the_requests_are_not_valid(bench: Bench) -> None:
    """The actuators obey somebody else, or do what COM-004 says."""
    bench.force([12_000.0] * 4)
    for _ in range(5 * DEFAULT_MONITOR.measured_checks):
        bench.check([0.0] * 4, valid=0)
    assert bench.condemned == []


def test_a_release_is_over_before_the_forces_are_held_against_anybody(bench: Bench) -> None:
    bench.pedal(60.0)
    bench.force(demand(60.0))
    for _ in range(10):
        bench.check(demand(60.0))
    bench.pedal(0.0)
    for force_n in (29_000, 26_000, 19_000, 12_000, 5_600, 1_300, 0, 0, 0):
        bench.force([float(force_n)] * 4)
        bench.check([0.0] * 4)
    assert bench.condemned == [] and bench.monitor.state is MonitorState.OK


# -- on the rig ------------------------------------------------------------------------------------

WILD_N = 20_000.0
WILD_FROM_NS = ms(700)
_control = Cdc._control


def wild(self: Cdc, now_ns: int) -> None:
    """A control task that asks for a full clamp nobody wants, from some time on."""
    _control(self, now_ns)
    if now_ns >= WILD_FROM_NS:
        self.application.force_request_n = [WILD_N] * 4


def driven_wild(monkeypatch: pytest.MonkeyPatch, *without: str) -> Rig:
    monkeypatch.setattr(Cdc, "_control", wild)
    rig = Rig(seed=2, without=list(without))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(700))
    rig.run_for(ms(150))
    return rig


def test_a_controller_gone_wild_is_limited_cut_and_replaced_within_100_ms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SAF-002 for the controller: hardly any force, and the secondary in charge."""
    rig = driven_wild(monkeypatch)
    events = [each for each in rig.log.events if each.time_ns >= WILD_FROM_NS]
    limited = next(e for e in events if e.text == "monitor: commands limited")
    assert limited.time_ns - WILD_FROM_NS <= ms(10)
    low = next(e for e in events if e.source == "CDC" and "enable line low" in e.text)
    assert low.time_ns - WILD_FROM_NS <= ms(100)
    assert any(e.source == "CDC2" and "COMMANDING" in e.text for e in events)
    for corner in CORNERS:
        assert rig.recorded(f"clamp_force_n.{corner}").max() <= 3_000.0


def test_without_the_monitor_the_wild_controller_clamps(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = driven_wild(monkeypatch, "monitor")
    assert rig.recorded("clamp_force_n.FL").max() >= 0.9 * WILD_N
    assert rig.signal("CDC_BrkSt", "CDC_MonSt") == 0
