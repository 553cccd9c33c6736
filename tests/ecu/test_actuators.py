"""Watching the actuators: silent, failed, weak, excessive; when, and when not."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.ecu.cdc.actuators import Actuator, Actuators
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import ms

DATABASE = Database.reference()
CORNERS = ("FL", "FR", "RL", "RR")
HEALTHY: dict[str, Any] = {
    "FAct": 0,
    "FActQf": "Valid",
    "State": "Ready",
    "FaultLvl": "None",
    "WhlSpd": 36.0,
    "WhlSpdQf": "Valid",
    "WhlDir": "Forward",
    "ReqEcho": "ForceCtrl",
}


class Log:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def log(self, kind: str, text: str) -> None:
        assert kind == "detection"
        self.texts.append(text)


class Watch:
    """Four actuators that report every 5 ms and are judged at the same instants."""

    def __init__(self) -> None:
        self.log = Log()
        self.now_ns = 0
        self.command_n = [0.0] * 4
        self.silent: set[str] = set()
        self.reports = {corner: dict(HEALTHY) for corner in CORNERS}
        self.starting = False
        receptions, self.senders = {}, {}
        for corner in CORNERS:
            message = DATABASE.message(f"EMB_{corner}_St1")
            assert message.e2e is not None
            receptions[corner] = Reception(message)
            self.senders[corner] = Profile05Sender(message.e2e.data_id, message.length)
        self.receptions = receptions
        self.actuators = Actuators(
            DATABASE,
            self.log,  # type: ignore[arg-type]
            [receptions[corner] for corner in CORNERS],
        )

    def run(self, cycles: int) -> list[tuple[bool, ...]]:
        lost = []
        for _ in range(cycles):
            self.now_ns += ms(5)
            for corner in CORNERS:
                if corner not in self.silent:
                    self.report(corner)
            self.actuators.update(self.now_ns, starting=self.starting)
            if not self.starting:
                self.actuators.watch_forces(self.command_n, self.now_ns, CdcParameters())
            lost.append(self.actuators.lost)
        return lost

    def report(self, corner: str) -> None:
        message = DATABASE.message(f"EMB_{corner}_St1")
        values = {f"EMB_{corner}_{key}": value for key, value in self.reports[corner].items()}
        data = message.codec.writer(*values).write(*values.values())
        self.receptions[corner].receive(self.senders[corner].protect(data), self.now_ns)

    def detection_ms(self, index: int, limit: int = 60) -> int | None:
        """Milliseconds until actuator `index` is lost, `None` for not within `limit` cycles."""
        for count in range(1, limit + 1):
            if self.run(1)[-1][index]:
                return 5 * count
        return None


@pytest.fixture
def watch() -> Watch:
    made = Watch()
    made.starting = True
    made.run(10)
    made.starting = False
    made.run(2)
    assert made.actuators.lost == (False,) * 4
    return made


def test_a_report_is_read_in_physical_units(watch: Watch) -> None:
    watch.reports["RL"].update(FAct=1234, WhlSpd=72.0, WhlDir="Backward")
    watch.run(1)
    actuator = watch.actuators.corners[2]
    assert (actuator.clamp_force_n, actuator.wheel_speed_kmh) == (1234, pytest.approx(72.0))
    assert (actuator.wheel_valid, actuator.direction) == (True, 1)
    assert watch.actuators.wheel_speeds_mps() == pytest.approx([10.0, 10.0, 20.0, 10.0])


@pytest.mark.parametrize("index", range(4))
def test_a_silent_actuator_is_lost_at_the_first_look_after_15_ms(watch: Watch, index: int) -> None:
    """SAF-001: three cycles, well within 50 ms."""
    watch.silent = {CORNERS[index]}
    assert watch.detection_ms(index) == 20
    assert watch.log.texts == [f"EMB_{CORNERS[index]} lost: silent"]
    assert watch.actuators.lost_since_ns == watch.now_ns
    assert not watch.actuators.corners[index].wheel_valid


def test_two_lost_frames_in_a_row_are_borne(watch: Watch) -> None:
    for _ in range(5):
        watch.silent = {"FL"}
        assert not any(any(lost) for lost in watch.run(2))
        watch.silent = set()
        assert not any(any(lost) for lost in watch.run(5))
    assert watch.log.texts == []


def test_while_starting_nobody_is_reported_lost() -> None:
    watch = Watch()
    watch.starting = True
    watch.silent = set(CORNERS)
    assert not any(any(lost) for lost in watch.run(40))
    watch.starting = False
    assert watch.run(1)[-1] == (True,) * 4


def test_a_silent_actuator_that_reports_in_again_is_back(watch: Watch) -> None:
    watch.silent = {"FR"}
    watch.run(30)
    watch.silent = set()
    watch.run(10)
    assert watch.actuators.lost == (False,) * 4
    assert watch.log.texts == ["EMB_FR lost: silent", "EMB_FR back"]
    assert watch.actuators.lost_since_ns is None


@pytest.mark.parametrize(
    "report",
    [{"FaultLvl": "Failed"}, {"FActQf": "Invalid"}, {"ReqEcho": "Rejected"}],
)
def test_an_actuator_that_says_so_is_lost_at_once_and_back_when_it_recovers(
    watch: Watch, report: dict[str, str]
) -> None:
    watch.reports["RR"].update(report)
    assert watch.detection_ms(3) == 5
    watch.reports["RR"].update(HEALTHY)
    watch.run(1)
    assert watch.actuators.lost == (False,) * 4
    assert watch.log.texts == ["EMB_RR lost: reports itself failed", "EMB_RR back"]


@pytest.mark.parametrize(
    "report", [{"FaultLvl": "Degraded"}, {"FActQf": "Degraded"}, {"ReqEcho": "HoldLast"}]
)
def test_a_degraded_actuator_still_counts(watch: Watch, report: dict[str, str]) -> None:
    watch.reports["RR"].update(report)
    assert watch.detection_ms(3) is None


def test_a_rejecting_echo_during_start_up_is_normal() -> None:
    watch = Watch()
    watch.starting = True
    for corner in CORNERS:
        watch.reports[corner]["ReqEcho"] = "Rejected"
    watch.run(39)
    for corner in CORNERS:
        watch.reports[corner]["ReqEcho"] = "ForceCtrl"
    watch.run(1)
    watch.starting = False
    watch.run(20)
    assert watch.actuators.lost == (False,) * 4


# -- force does not follow -----------------------------------------------------------------------


def creep(watch: Watch, index: int, *, start_n: int, step_um: float, cycles: int) -> int | None:
    """Milliseconds until an actuator whose screw creeps at a standing force is lost."""
    report = watch.reports[CORNERS[index]]
    report.update(FAct=start_n, Pos=100.0)
    for count in range(1, cycles + 1):
        report["Pos"] += step_um
        if watch.run(1)[-1][index]:
            return 5 * count
    return None


@pytest.mark.parametrize("force_n", [0, 2_000, 4_999])
def test_a_screw_that_does_not_move_towards_a_far_command_is_a_fault_within_40_ms(
    watch: Watch, force_n: int
) -> None:
    watch.command_n = [10_000.0] * 4
    for corner in CORNERS:
        watch.reports[corner]["FAct"] = 10_000
    watch.run(2)
    watch.reports["FL"]["FAct"] = force_n
    found_ms = watch.detection_ms(0)
    assert found_ms is not None and found_ms <= 40
    assert watch.log.texts == ["EMB_FL lost: force stays below command"]


@pytest.mark.parametrize("index", range(4))
def test_one_jammed_actuator_among_three_that_follow_is_found_wherever_it_is(
    watch: Watch, index: int
) -> None:
    watch.command_n = [10_000.0] * 4
    for corner in CORNERS:
        watch.reports[corner]["FAct"] = 10_000
    watch.run(2)
    watch.reports[CORNERS[index]]["FAct"] = 1_000
    found_ms = watch.detection_ms(index)
    assert found_ms is not None and found_ms <= 40
    assert watch.actuators.lost == tuple(i == index for i in range(4))


@pytest.mark.parametrize("index", range(4))
def test_a_deviation_that_ends_is_forgotten_wherever_it_was(watch: Watch, index: int) -> None:
    watch.command_n = [10_000.0] * 4
    for corner in CORNERS:
        watch.reports[corner]["FAct"] = 10_000
    watch.run(2)
    for _ in range(6):
        watch.reports[CORNERS[index]]["FAct"] = 1_000
        watch.run(4)
        watch.reports[CORNERS[index]]["FAct"] = 10_000
        watch.run(2)
    assert watch.actuators.lost == (False,) * 4


def test_less_than_half_the_commanded_force_for_80_ms_is_a_fault_even_where_the_screw_moves(
    watch: Watch,
) -> None:
    watch.command_n = [10_000.0] * 4
    for corner in CORNERS:
        watch.reports[corner]["FAct"] = 10_000
    watch.run(2)
    assert creep(watch, 0, start_n=4_999, step_um=5.0, cycles=60) == 5 + 80 + 5
    assert watch.log.texts == ["EMB_FL lost: force far below command"]


@pytest.mark.parametrize(
    ("command_n", "force_n"), [(10_000.0, 5_000), (2_000.0, 0), (1_000.0, 0), (0.0, 0)]
)
def test_half_the_force_or_a_small_command_is_no_fault(
    watch: Watch, command_n: float, force_n: int
) -> None:
    watch.command_n = [command_n] * 4
    for corner in CORNERS:
        watch.reports[corner]["FAct"] = force_n
    assert watch.detection_ms(0) is None
    assert watch.actuators.lost == (False,) * 4


def test_an_actuator_that_is_only_slow_is_no_fault(watch: Watch) -> None:
    """Dead travel for 40 ms, then its force."""
    watch.command_n = [10_000.0] * 4
    for _ in range(3):
        for step in range(14):
            for corner in CORNERS:
                watch.reports[corner].update(FAct=0, Pos=-250.0 + 15.0 * step)
            watch.run(1)
        for corner in CORNERS:
            watch.reports[corner]["FAct"] = 8_000
        watch.run(2)
    assert watch.actuators.lost == (False,) * 4


def test_a_command_that_grows_is_judged_by_where_it_began(watch: Watch) -> None:
    """ABS lets a wheel go and comes back: no more was asked for during those 80 ms."""
    for step in range(60):
        watch.command_n = [2_100.0 + 200.0 * step] * 4
        for corner in CORNERS:
            watch.reports[corner].update(FAct=1_050 + 100 * step - 60, Pos=10.0 * step)
        watch.run(1)
    assert watch.actuators.lost == (False,) * 4


def test_a_force_far_above_the_command_that_does_not_fall_is_a_fault_within_35_ms(
    watch: Watch,
) -> None:
    watch.reports["RL"]["FAct"] = 3_001
    found_ms = watch.detection_ms(2)
    assert found_ms is not None and found_ms <= 35
    assert watch.log.texts == ["EMB_RL lost: force stays above command"]


def test_a_force_that_falls_too_slowly_is_a_fault_after_80_ms(watch: Watch) -> None:
    watch.command_n = [0.0] * 4
    assert creep(watch, 2, start_n=9_000, step_um=-5.0, cycles=60) == 5 + 80 + 5
    assert watch.log.texts == ["EMB_RL lost: force far above command"]


def test_a_healthy_release_is_no_fault(watch: Watch) -> None:
    """A front brake from 29 kN, as the reference brake does it."""
    watch.command_n = [29_400.0] * 4
    for corner in CORNERS:
        watch.reports[corner].update(FAct=29_400, Pos=990.0)
    watch.run(5)
    watch.command_n = [0.0] * 4
    falling_n = (29_450, 29_450, 28_600, 26_200, 23_000, 19_400, 15_600, 11_900, 8_500, 5_600)
    for force_n in (*falling_n, 3_200, 1_300, 0):
        for corner in CORNERS:
            watch.reports[corner].update(FAct=force_n, Pos=force_n / 30.0)
        watch.run(1)
    assert watch.log.texts == []


def test_an_actuator_whose_status_comes_too_late_is_known_to(watch: Watch) -> None:
    """What it says is true, but of another time. That it is lost for it all four decide."""
    message = DATABASE.message("EMB_FR_St1")
    reception = Reception(message)
    late = Actuator(DATABASE, "FR", reception, ArrivalMonitor)
    for cycle in range(12):
        delay_ns = 0 if cycle < 6 else ms(16)
        values = {f"EMB_FR_{key}": value for key, value in HEALTHY.items()}
        data = watch.senders["FR"].protect(message.codec.writer(*values).write(*values.values()))
        now_ns = ms(5) * (cycle + 1) + delay_ns
        reception.receive(data, now_ns)
        late.update(now_ns, starting=False)
    assert late.late and late.behind and not late.lost


def test_an_actuator_without_its_enable_line_counts_as_lost(watch: Watch) -> None:
    watch.reports["FR"]["EnLine"] = "Off"
    assert watch.detection_ms(1) == 5
    assert watch.log.texts == ["EMB_FR lost: enable line off"]
    watch.reports["FR"]["EnLine"] = "On"
    watch.run(1)
    assert watch.actuators.lost == (False,) * 4


def test_the_monitor_may_condemn_an_actuator_for_good(watch: Watch) -> None:
    watch.actuators.condemn(3, "clamp force beyond what is permitted")
    watch.run(50)
    assert watch.actuators.lost == (False, False, False, True)
    assert watch.log.texts == ["EMB_RR lost: clamp force beyond what is permitted"]


def test_3_kn_more_than_commanded_is_still_borne(watch: Watch) -> None:
    watch.reports["RL"]["FAct"] = 3_000
    assert watch.detection_ms(2) is None


def test_a_force_fault_is_final_however_healthy_the_actuator_says_it_is(watch: Watch) -> None:
    watch.reports["RL"]["FAct"] = 9_000
    assert watch.detection_ms(2) is not None
    watch.reports["RL"]["FAct"] = 0
    watch.run(200)
    assert watch.actuators.lost == (False, False, True, False)
    watch.silent = {"RL"}
    watch.run(20)
    watch.silent = set()
    watch.run(20)
    assert watch.actuators.lost == (False, False, True, False)


def test_two_lost_one_back_leaves_one_lost(watch: Watch) -> None:
    watch.silent = {"FL", "RR"}
    watch.run(10)
    assert watch.actuators.lost == (True, False, False, True)
    first_ns = watch.actuators.lost_since_ns
    watch.silent = {"RR"}
    watch.run(10)
    assert watch.actuators.lost == (False, False, False, True)
    assert watch.actuators.lost_since_ns == first_ns
