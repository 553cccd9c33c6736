"""What the runtime does around diagnostics: links from the database, workers, the bootloader."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from simcore.bus import Frame
from simcore.diag.codes import Nrc
from simcore.diag.rows import Did, Routine
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostic_addresses import diagnosed_nodes, diagnostic_messages
from simcore.ecu.runtime.diagnostics_rows import (
    Calibration,
    DiagnosticExtras,
    SecurityKey,
    calibrated,
    merged,
    number,
    security_key,
)
from simcore.ecu.runtime.programming import Booting
from simcore.ecu.runtime.schedule_disturbed import DisturbedSchedule
from simcore.errors import UsageError
from simcore.faults import TaskSlow
from simcore.network import Database
from simcore.resources import dbc_path
from simcore.rig import Rig
from simcore.rig.reference import build_node
from simcore.transport import LinkSettings
from simcore.units import ms, us

SERVERS = ("CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR", "GW")
DIAGNOSTIC_IDS = (*range(1696, 1703), *range(1704, 1711), 2015)


def database_with(text: str) -> Database:
    return Database.from_text(text, name="changed.dbc")


def classic_text() -> str:
    """The reference network with classic diagnostic frames of 8 bytes."""
    lines, inside = [], False
    for line in Database.reference().text.splitlines():
        if line.startswith("BO_ "):
            inside = int(line.split()[1]) in DIAGNOSTIC_IDS
            line = line.replace(": 64 ", ": 8 ") if inside else line
        elif re.match(r"( |BA_ .* |CM_ )SG_ (\d+ )?DIAG_Data[1-7] ", line):
            continue
        elif re.match(r'BA_ "(VFrameFormat|CANFD_BRS)" BO_ (\d+) ', line):
            if int(line.split()[3]) in DIAGNOSTIC_IDS:
                continue
        lines.append(line)
    return "\n".join(lines)


# -- the link -------------------------------------------------------------------------------------


def test_links_come_from_attributes_and_not_from_names() -> None:
    text = Database.reference().text.replace("DIAG_EMB_FL_Req", "Whatever")
    text = text.replace("DIAG_Func_Req", "Everybody")
    found = diagnosed_nodes(database_with(text))
    assert tuple(found) == SERVERS
    messages = found["EMB_FL"]
    assert messages.request.name == "Whatever" and messages.functional is not None
    address = messages.tester_address()
    assert (address.tx_id, address.rx_id, address.functional_tx_id) == (0x6A2, 0x6AA, 0x7DF)
    assert messages.server_address() == address.mirrored()
    assert diagnostic_messages(Database.reference(), "BPS") is None
    assert copy.deepcopy(messages) is messages


def test_frame_format_is_the_databases_and_frames_may_only_be_shorter_than_it_says() -> None:
    messages = diagnosed_nodes(Database.reference())["CDC"]
    settings = messages.link_settings(messages.response, LinkSettings(tx_dl=24, block_size=5))
    assert (settings.tx_dl, settings.is_fd, settings.bitrate_switch) == (24, True, True)
    assert settings.block_size == 5
    settings = messages.link_settings(messages.response)
    assert (settings.tx_dl, settings.is_fd, settings.bitrate_switch) == (64, True, True)
    messages = diagnosed_nodes(database_with(classic_text()))["CDC"]
    settings = messages.link_settings(messages.response)
    assert (settings.tx_dl, settings.is_fd, settings.bitrate_switch) == (8, False, False)


def test_mixed_identifier_formats_are_a_mistake_of_the_database() -> None:
    text = Database.reference().text
    extended = 1698 | 1 << 31
    for old in ("BO_ 1698 ", "SG_ 1698 "):
        text = text.replace(old, old.replace("1698", str(extended)))
    text = text.replace(f'"VFrameFormat" BO_ {extended} 14;', f'"VFrameFormat" BO_ {extended} 15;')
    with pytest.raises(UsageError, match=r"EMB_FL: diagnostic messages of changed.dbc: expected i"):
        diagnostic_messages(database_with(text), "EMB_FL")


def test_everything_works_on_classic_can_too() -> None:
    rig = Rig(database=database_with(classic_text()))
    rig.run_for(ms(300))
    response = rig.tester.request("EMB_FL", b"\x22\xf1\x90")
    assert response is not None and len(response) == 20
    frames = [r.frame for r in rig.bus("CHASSIS_A").log if r.frame.arbitration_id >= 0x6A0]
    assert [each.arbitration_id for each in frames] == [0x6A2, 0x6AA, 0x6A2, 0x6AA, 0x6AA]
    assert all(not each.is_fd and len(each.data) == 8 for each in frames)
    assert len(rig.tester.functional(b"\x3e\x00")) == 7


def test_an_ecu_without_diagnostic_messages_accepts_what_it_ever_did() -> None:
    text = "\n".join(
        line
        for line in Database.reference().text.splitlines()
        if not line.startswith(('BA_ "DiagRequest" ', 'BA_ "DiagResponse" '))
    )
    rig = Rig(database=database_with(text))
    rig.run_for(ms(100))
    ecu = rig.node("EMB_FL")
    assert isinstance(ecu, Ecu) and ecu.require_diagnostics(rig.now_ns) is None
    frame = Frame(0x6A2, b"\x02\x3e\x00", is_fd=True, bitrate_switch=True)
    assert not rig.host("EMB_FL").controller().accepts(frame)


# -- workers and rows of others -------------------------------------------------------------------


class Bell:
    """A worker that rings every 700 us."""

    def __init__(self, now_ns: int) -> None:
        self.rung_ns: list[int] = []
        self.due_ns: int | None = now_ns + us(700)

    def on_timer(self, now_ns: int) -> None:
        self.rung_ns.append(now_ns)
        self.due_ns = now_ns + us(700) if len(self.rung_ns) < 5 else None

    def next_deadline_ns(self) -> int | None:
        return self.due_ns


def test_a_worker_is_called_at_its_own_times_between_the_tasks() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    twin = rig.fork()
    ecu = rig.node("EMB_FL")
    assert isinstance(ecu, Ecu)
    begun_ns = rig.now_ns
    bell = Bell(begun_ns)
    ecu.attends(bell)
    for each in (rig, twin):
        each.run_for(ms(20))
    assert bell.rung_ns == [begun_ns + us(700) * k for k in range(1, 6)]
    assert rig.recorder.hexdigest() == twin.recorder.hexdigest()  # and the tasks notice nothing
    rig.reset("EMB_FL")
    bell.due_ns = rig.now_ns + us(100)
    rig.run_for(ms(5))
    assert len(bell.rung_ns) == 5  # it ended with the start


class Extra:
    """Rows that something else adds."""

    def extras(self) -> DiagnosticExtras:
        return DiagnosticExtras(
            dids=(Did(0x0999, "extra", 1, read=b"\x07"), Did(0xF18A, "supplier", 2, read=b"ME")),
            routines=(Routine(0x0777, "extraRoutine", start=self.start),),
        )

    def start(self, option: bytes, now_ns: int) -> bytes | Nrc:
        return b"\x2a"


def test_rows_of_others_are_added_and_take_the_place_of_equal_ones() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    ecu = rig.node("EMB_FL")
    assert isinstance(ecu, Ecu)
    ecu.diagnostic_extras.append(Extra().extras)
    ask = rig.tester.request
    assert ask("EMB_FL", b"\x22\x09\x99") == b"\x62\x09\x99\x07"
    assert ask("EMB_FL", b"\x22\xf1\x8a") == b"\x62\xf1\x8aME"
    assert ask("EMB_FL", b"\x31\x01\x07\x77") == b"\x71\x01\x07\x77\x2a"
    assert ask("EMB_FR", b"\x22\x09\x99") == b"\x7f\x22\x31"


def test_a_request_may_come_another_way_than_over_the_link() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    ecu = rig.node("CDC")
    assert isinstance(ecu, Ecu)
    diagnostics = ecu.require_diagnostics(rig.now_ns)
    assert diagnostics is not None
    assert diagnostics.request(b"\x10\x03", rig.now_ns, source=0x0E80)[0][:2] == b"\x50\x03"
    assert diagnostics.request(b"\x28\x01\x01", rig.now_ns, source=0x0E80) == (b"\x68\x01",)
    assert rig.log.events[-1].text == "communication: reception on, transmission off"


# -- before the application -----------------------------------------------------------------------


class Stage:
    """A bootloader that takes 3 ms in three steps."""

    def __init__(self, steps: tuple[object, ...] = (ms(1), ms(2), None)) -> None:
        self.left = list(steps)
        self.stepped_ns: list[int] = []

    def step(self, now_ns: int) -> int | None:
        self.stepped_ns.append(now_ns)
        return self.left.pop(0)  # type: ignore[return-value]


class Started:
    def __init__(self) -> None:
        self.at_ns: list[int] = []

    def __call__(self, now_ns: int) -> None:
        self.at_ns.append(now_ns)


def test_the_application_starts_in_the_call_in_which_the_bootloader_is_done() -> None:
    stage, started = Stage(), Started()
    booting = Booting(stage, started, ms(5))
    assert booting.run_due(ms(5) - 1) == ms(5) and stage.stepped_ns == []
    assert booting.run_due(ms(5)) == ms(6)
    assert booting.run_due(ms(6)) == ms(8) and started.at_ns == []
    assert booting.run_due(ms(8)) is None and booting.deadline_ns is None
    assert started.at_ns == [ms(8)] and booting.run_due(ms(9)) is None


@pytest.mark.parametrize("pause", [0, -1, 1.5, "soon"])
def test_a_step_of_no_length_is_refused(pause: object) -> None:
    with pytest.raises(UsageError, match=r"Stage.step: expected ns > 0, or None"):
        Booting(Stage((pause,)), Started(), 0).run_due(0)


def test_an_ecu_is_silent_and_deaf_while_its_bootloader_runs() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    ecu = build_node("EMB_FL", rig.database)
    assert isinstance(ecu, Ecu)
    stage = Stage((ms(20), ms(30), None))
    ecu.boot_stage = lambda now_ns: stage  # type: ignore[method-assign]
    begun_ns = rig.now_ns
    rig.replace("EMB_FL", ecu)
    ecu.boot_stage = None  # type: ignore[method-assign, assignment]
    sent = len(rig.bus("CHASSIS_A").log)
    rig.run_for(ms(49))
    frames = list(rig.bus("CHASSIS_A").log)[sent:]
    assert not any(each.sender == "EMB_FL" for each in frames)
    assert rig.tester.request("EMB_FL", b"\x3e\x00", timeout=us(900)) is None
    rig.run_for(ms(1))
    assert stage.stepped_ns == [begun_ns, begun_ns + ms(20), begun_ns + ms(50)]
    rig.run_for(ms(200))
    assert rig.tester.request("EMB_FL", b"\x3e\x00") == b"\x7e\x00"
    assert rig.log.findings == []
    assert ecu.run_due is not None and ecu.started_ns == begun_ns + ms(50)


# -- small things ---------------------------------------------------------------------------------


def test_a_stopped_secured_message_is_not_sent_and_goes_on_afterwards() -> None:
    database = Database.load(dbc_path("chassis_fd_secoc.dbc"))
    rig = Rig(database=database)
    rig.run_for(ms(400))
    ecu = rig.node("CDC")
    assert isinstance(ecu, Ecu)
    ecu.set_sending(False)
    ecu.set_sending(False)
    rig.run_for(ms(3))  # what waits in the controller already goes out
    begin = len(rig.bus("CHASSIS_A").log)
    rig.run_for(ms(100))
    assert not any(each.sender == "CDC" for each in rig.bus("CHASSIS_A").log[begin:])
    rig = pickle.loads(pickle.dumps(rig))
    ecu = rig.node("CDC")
    assert isinstance(ecu, Ecu)
    ecu.set_sending(True)
    rig.run_for(ms(100))
    reception = rig.node("EMB_FL").reception("CDC_EmbCmd")  # type: ignore[attr-defined]
    assert reception.usable(rig.now_ns)


def test_a_number_that_cannot_be_said_is_not_available() -> None:
    assert number(-1.5) == b"\xff\xff\xff\xfe" and number(0.4) == bytes(4)
    for bad in (float("nan"), float("inf"), -float("inf"), 3e9, -3e9):
        assert number(bad) == b"\x7f\xff\xff\xff"


def test_keys_differ_by_ecu_level_and_seed() -> None:
    keys = {
        security_key(node, level, seed)
        for node in ("CDC", "EMB_FL")
        for level in (1, 0x11)
        for seed in (bytes(8), b"12345678")
    }
    assert len(keys) == 8
    key = SecurityKey("CDC", 1)
    assert copy.deepcopy(key) is copy.copy(key) is key


def test_calibration_leaves_parameters_alone_that_nobody_wrote() -> None:
    rig = Rig()
    parameters = rig.node("CDC").parameters  # type: ignore[attr-defined]
    row = Calibration(
        did=1, name="mass", parameter="mass_kg", scale_ratio=2.0, minimum=1, maximum=2
    )
    assert calibrated(parameters, (row,), {}) is parameters
    assert calibrated(parameters, (row,), {"calibration 0001": b"\x03\xe8"}).mass_kg == 500.0


def test_rows_merge_by_their_identifier() -> None:
    one, two = Did(1, "one", 1, read=b"1"), Did(2, "two", 1, read=b"2")
    other = Did(1, "other", 1, read=b"o")
    assert merged((one, two), (other,)) == (other, two)


class PoorPort:
    """A port of somebody else's making: it only sends, and has a memory."""

    name, channels, inputs = "IMU", ("CHASSIS_A",), {}

    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}
        self.sent: list[Frame] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append(frame)


def test_a_port_that_confirms_nothing_gets_the_whole_response_all_the_same() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    ecu = rig.node("CDC")
    assert isinstance(ecu, Ecu)
    ecu.port = port = PoorPort()  # type: ignore[assignment]
    request = bytes.fromhex("07 22 0202 0204 0205")
    ecu.receive(Frame(0x6A0, request, is_fd=True), rig.now_ns)
    assert port.sent[-1].data[:2] == b"\x10\x37"
    flow_control = Frame(0x6A0, b"\x30\x00\x00", is_fd=True)
    ecu.receive(flow_control, rig.now_ns)
    while (deadline_ns := ecu.next_deadline_ns()) is not None and deadline_ns <= rig.now_ns:
        ecu.on_timer(rig.now_ns)
    assert [each.data[0] for each in port.sent] == [0x10, *range(0x21, 0x20 + len(port.sent))]
    assert sum(len(each.data) - 1 for each in port.sent[1:]) >= 0x37 - len(port.sent[0].data) + 2


def test_a_fault_of_a_task_waits_for_the_application_after_the_bootloader() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(TaskSlow(node="EMB_FL", task="monitor", factor=3, permanent=True))
    ecu = rig.node("EMB_FL")
    assert isinstance(ecu, Ecu)
    rig.run_for(ms(1))
    stage = Stage((ms(5), None))
    ecu.boot_stage = lambda now_ns: stage  # type: ignore[method-assign]
    rig.reset("EMB_FL")
    assert ecu.is_booting
    rig.run_for(ms(30))
    assert not ecu.is_booting and rig.log.findings == []
    assert isinstance(ecu._schedule, DisturbedSchedule)
