"""What a host does for diagnostics and updates: confirmations, resets, the flash beside a node."""

from __future__ import annotations

import pickle

import pytest

from simcore.bus import Frame
from simcore.diag.codes import ResetKind
from simcore.ecu import Port, Supervised
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.rig.host_reset import BOOT_NS
from simcore.units import ms, s, us
from simcore.update.flash import CutKind, Flash, FlashGeometry, PowerCut
from simcore.update.reset_cause import ResetCause

GEOMETRY = FlashGeometry(size=4096, sector_size=1024, program_size=8, erase_ns=ms(2))
ASKED, OTHER = 0x6AA, 0x6AB


class Probe:
    """A module at a place of the rig that does what a test tells it, and remembers all."""

    def __init__(self) -> None:
        self.starts: list[tuple[int, ResetCause]] = []
        self.left: list[tuple[str, int, int]] = []
        self.heard: list[int] = []
        self.due_ns: int | None = None
        self.at_timer = ""
        self.at_start = ""

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.starts.append((now_ns, port.reset_cause))
        self.due_ns = None
        if self.at_start:
            getattr(self, self.at_start)(now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.heard.append(frame.arbitration_id)

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        self.left.append((channel, frame.arbitration_id, now_ns))

    def on_timer(self, now_ns: int) -> None:
        self.due_ns = None
        getattr(self, self.at_timer)(now_ns)

    def next_deadline_ns(self) -> int | None:
        return self.due_ns

    def send(self, now_ns: int) -> None:
        for each in (ASKED, OTHER):
            self.port.send(Frame(each, b"\x01\x3e", is_fd=True, bitrate_switch=True))

    def reset(self, now_ns: int) -> None:
        self.port.reset(ResetKind.SOFT)
        self.port.write("motor_current_a", 3.0)
        self.send(now_ns)

    def erase(self, now_ns: int) -> None:
        assert self.port.flash is not None
        self.port.flash.erase(0, 1024)


def rig_with(probe: Probe, at_timer: str = "send") -> Rig:
    rig = Rig()
    rig.replace("EMB_FL", probe)
    rig.run_for(ms(2))
    order(rig, probe, at_timer)
    return rig


def order(rig: Rig, probe: Probe, at_timer: str) -> None:
    probe.at_timer = at_timer
    probe.due_ns = rig.now_ns + ms(1)
    rig.host("EMB_FL").ask_again()


# -- confirmation ---------------------------------------------------------------------------------


def test_a_node_is_told_when_a_frame_it_asked_about_has_left_at_its_end_of_frame() -> None:
    probe = Probe()
    rig = rig_with(probe)
    probe.port.confirm([ASKED])
    rig.run_for(ms(3))
    log = rig.bus("CHASSIS_A").log
    eof_ns = [each.eof_ns for each in log if each.frame.arbitration_id == ASKED]
    assert len(eof_ns) == 1 and probe.left == [("CHASSIS_A", ASKED, eof_ns[0])]
    assert any(each.frame.arbitration_id == OTHER for each in log)


def test_nobody_is_told_who_did_not_ask_or_asks_no_longer() -> None:
    probe = Probe()
    rig = rig_with(probe)
    controller = rig.host("EMB_FL").controller()
    assert controller.on_transmitted is None
    probe.port.confirm([ASKED])
    probe.port.confirm([])
    assert controller.on_transmitted is None
    rig.run_for(ms(3))
    assert probe.left == []


def test_confirmations_end_with_a_reset() -> None:
    probe = Probe()
    rig = rig_with(probe)
    probe.port.confirm([ASKED])
    rig.reset("EMB_FL")
    order(rig, probe, "send")
    rig.run_for(ms(3))
    assert probe.left == []


def test_what_leaves_on_the_second_bus_is_told_with_its_name() -> None:
    probe = Probe()
    rig = Rig()
    rig.replace("EMB_FL", probe)
    probe.port.confirm([0x80])
    probe.port.send(Frame(0x80, bytes(32), is_fd=True, bitrate_switch=True))
    rig.run_for(ms(2))
    assert sorted(channel for channel, *_ in probe.left) == ["CHASSIS_A", "CHASSIS_B"]


class Deaf(Probe):
    """Raises where it is told."""

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        raise RuntimeError("told")


def test_a_module_that_raises_where_it_is_told_is_a_finding() -> None:
    probe = Deaf()
    rig = rig_with(probe)
    probe.port.confirm([ASKED])
    rig.run_for(ms(3))
    assert "transmitted of" in rig.log.findings[0].text and not rig.host("EMB_FL").running


def test_a_supervised_module_is_told_as_well() -> None:
    probe = Probe()
    rig = Rig()
    rig.replace("EMB_FL", Supervised(probe))
    probe.due_ns = None
    probe.port.confirm([ASKED])
    probe.port.timer_changed()
    probe.send(0)
    rig.run_for(ms(3))
    assert [each[1] for each in probe.left] == [ASKED]
    assert probe.port.flash is rig.host("EMB_FL").flash
    assert probe.port.reset_cause is ResetCause.POWER_ON
    probe.port.reset(ResetKind.SOFT)
    rig.run_for(ms(30))
    assert len(probe.starts) == 2


# -- resets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ResetKind))
def test_a_node_resets_itself_and_is_up_after_its_boot_time(kind: ResetKind) -> None:
    probe = Probe()
    rig = rig_with(probe)
    probe.port.memory["kept"] = b"yes"
    asked_ns = rig.now_ns
    probe.port.reset(kind)
    probe.port.reset(ResetKind.HARD)  # once is enough
    rig.run_for(s(1))
    assert probe.starts[1:] == [(asked_ns + BOOT_NS[kind], ResetCause.SOFTWARE)]
    assert probe.port.memory["kept"] == b"yes"
    events = [each for each in rig.log.events if each.kind == "state" and "reset" in each.text]
    assert [(each.source, each.text) for each in events] == [("EMB_FL", f"reset ({kind.name})")]


def test_a_reset_comes_when_the_present_call_has_ended_and_takes_everything_with_it() -> None:
    probe = Probe()
    rig = rig_with(probe, "reset")
    rig.run_for(ms(1))
    host = rig.host("EMB_FL")
    assert not host.running and rig.pin("EMB_FL", "motor_current_a") == 0.0
    rig.run_for(ms(5))
    assert not any(each.frame.arbitration_id == ASKED for each in rig.bus("CHASSIS_A").log)
    probe.port.reset(ResetKind.SOFT)  # of an ECU that is off nothing comes
    rig.run_for(ms(100))
    assert len(probe.starts) == 2


def test_supply_that_goes_while_a_node_boots_comes_first() -> None:
    probe = Probe()
    rig = rig_with(probe)
    probe.port.reset(ResetKind.HARD)
    rig.run_for(ms(10))
    rig.host("EMB_FL").halt()
    rig.run_for(s(1))
    assert len(probe.starts) == 1
    rig.host("EMB_FL").start()
    assert probe.starts[1][1] is ResetCause.POWER_ON


def test_an_unknown_kind_of_reset_is_refused() -> None:
    probe = Probe()
    rig_with(probe)
    with pytest.raises(UsageError, match=r"EMB_FL: reset: expected one of HARD, KEY_OFF_ON, SOFT"):
        probe.port.reset(7)  # type: ignore[arg-type]


def test_a_rig_pickled_while_a_node_boots_goes_on_alike() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    rig.host("EMB_FL").reset(ResetKind.HARD)
    rig.run_for(ms(10))
    other = pickle.loads(pickle.dumps(rig))
    for each in (rig, other):
        each.run_for(ms(200))
    assert rig.digest == other.digest and other.host("EMB_FL").running


def test_the_watchdogs_reset_pulse_is_the_cause_of_the_next_start() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    host = rig.host("EMB_FL")
    assert host.reset_cause is ResetCause.POWER_ON
    host.hold_in_reset()
    host.leave_reset()
    assert host.reset_cause is ResetCause.WATCHDOG
    rig.reset("EMB_FL")
    assert host.reset_cause is ResetCause.POWER_ON
    host.start(ResetCause.BROWN_OUT)
    assert host.reset_cause is ResetCause.BROWN_OUT


def test_its_own_watchdog_does_not_count_against_a_node_that_is_reset_by_order() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.host("CDC").reset(ResetKind.HARD)
    rig.run_for(ms(60))
    board = rig.host("CDC").board
    assert board is not None and board.error_count <= 1 and rig.host("CDC").running


def test_the_pause_of_a_reset_is_no_cycle_of_the_nodes_messages() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.host("EMB_RR").reset(ResetKind.HARD)
    rig.run_for(ms(300))
    assert [each.requirement for each in rig.invariants(()) if not each.passed] == []


# -- flash ----------------------------------------------------------------------------------------


def test_a_flash_survives_reset_and_loss_of_supply() -> None:
    probe = Probe()
    rig = rig_with(probe)
    flash = Flash(GEOMETRY)
    rig.host("EMB_FL").fit_flash(flash)
    assert len(probe.starts) == 2  # it was powered off for it
    flash.program(0, b"contents")
    probe.port.reset(ResetKind.HARD)
    rig.run_for(ms(100))
    rig.reset("EMB_FL")
    assert probe.port.flash is flash and flash.read(0, 8) == b"contents"


def test_another_module_gets_a_blank_flash_of_the_same_kind() -> None:
    rig = rig_with(Probe())
    old = Flash(GEOMETRY)
    rig.host("EMB_FL").fit_flash(old)
    old.program(0, b"contents")
    probe = Probe()
    rig.replace("EMB_FL", probe)
    flash = probe.port.flash
    assert flash is not None and flash is not old and flash.geometry is GEOMETRY
    assert flash.is_erased(0, 1024)


def test_a_fork_has_a_flash_of_its_own() -> None:
    probe = Probe()
    rig = rig_with(probe)
    rig.host("EMB_FL").fit_flash(Flash(GEOMETRY))
    other = rig.fork()
    flash = other.host("EMB_FL").flash
    assert flash is not None
    flash.program(0, b"contents")
    assert probe.port.flash is not None and probe.port.flash.is_erased(0, 1024)
    assert other.node("EMB_FL").port.flash is flash  # type: ignore[attr-defined]


def test_power_lost_in_a_call_switches_the_node_off_and_is_no_finding() -> None:
    probe = Probe()
    rig = rig_with(probe, "erase")
    flash = Flash(GEOMETRY)
    rig.host("EMB_FL").fit_flash(flash)
    order(rig, probe, "erase")
    flash.cut = PowerCut(0, kind=CutKind.BEFORE)
    rig.run_for(ms(5))
    host = rig.host("EMB_FL")
    assert not host.running and rig.log.findings == []
    (event,) = [each for each in rig.log.events if each.kind == "fault"]
    assert event.text.startswith("supply cut in the midst of a flash operation: power lost at")
    rig.reset("EMB_FL")
    assert host.running and probe.starts[-1][1] is ResetCause.POWER_ON


def test_power_lost_in_start_does_the_same() -> None:
    probe = Probe()
    rig = rig_with(probe)
    flash = Flash(GEOMETRY)
    rig.host("EMB_FL").fit_flash(flash)
    probe.at_start = "erase"
    flash.cut = PowerCut(0, kind=CutKind.AFTER)
    rig.reset("EMB_FL")
    assert not rig.host("EMB_FL").running and rig.log.findings == []
    assert flash.wear(0) == 1


def test_supply_that_goes_in_the_time_of_an_operation_tears_it() -> None:
    outcomes = set()
    for after_ns in (*range(us(100), ms(2), us(300)), ms(3)):
        probe = Probe()
        rig = rig_with(probe)
        flash = Flash(GEOMETRY)
        flash.program(0, b"contents" * 8)
        flash.take_busy_ns()
        rig.host("EMB_FL").fit_flash(flash)
        flash.erase(0, 1024)
        flash.take_busy_ns()
        probe.flash_busy_since_ns = rig.now_ns  # type: ignore[attr-defined]
        rig.run_for(after_ns)
        rig.host("EMB_FL").halt()
        outcomes.add(flash.is_erased(0, 1024))
        if after_ns > ms(2):
            assert flash.is_erased(0, 1024)
    assert outcomes == {False, True}
