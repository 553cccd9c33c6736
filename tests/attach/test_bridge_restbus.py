"""The bridge with a restbus behind it: the module under test is on the other side."""

from __future__ import annotations

from types import SimpleNamespace

import can
import pytest

from simcore import Database, Restbus, ms
from simcore.attach import bridge as bridge_module
from simcore.attach import pace as pace_module
from simcore.attach.bridge import Bridge
from simcore.protection import E2eStatus
from simcore.protection.e2e_factory import e2e_receiver


class Foreign(can.BusABC):
    """An interface with a clock of its own, which goes on by what is waited for."""

    def __init__(self) -> None:
        self.now_ns = 50_000_000_000
        self.coming: list[tuple[int, can.Message]] = []
        self.sent: list[can.Message] = []
        super().__init__("test")

    def monotonic_ns(self) -> int:
        return self.now_ns

    def recv(self, timeout: float | None = None) -> can.Message | None:
        until_ns = self.now_ns + round((timeout or 0) * 1e9) + 1
        if self.coming and self.coming[0][0] <= until_ns:
            at_ns, message = self.coming.pop(0)
            self.now_ns = max(self.now_ns, at_ns)
            return message
        self.now_ns = until_ns
        return None

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        self.sent.append(msg)


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch):
    bus = Foreign()
    fake = SimpleNamespace(monotonic_ns=bus.monotonic_ns, time_ns=bus.monotonic_ns)
    for module in (bridge_module, pace_module):
        monkeypatch.setattr(module, "time", fake)
    yield bus
    bus.shutdown()


def test_the_played_nodes_are_heard_and_the_absent_one_comes_in_as_itself(foreign) -> None:
    rig = Restbus(Database.reference(), all_but=["EMB_FL"])
    status = rig.message("EMB_FL_St1")
    for index in range(100):
        message = can.Message(
            arbitration_id=status.arbitration_id,
            is_extended_id=False,
            is_fd=True,
            bitrate_switch=True,
            data=bytes(status.length),
        )
        foreign.coming.append((foreign.now_ns + index * ms(5), message))
    report = Bridge(rig, foreign, outside=rig.absent).run(0.5)
    came = [record for record in rig.recorder.frames if record.sender == "EMB_FL"]
    assert len(came) == report.received_count == 100
    assert {each.arbitration_id for each in foreign.sent} >= {0x60, 0x81, 0xA0}
    assert status.arbitration_id not in {each.arbitration_id for each in foreign.sent}
    assert report.findings == ["EMB_FL is outside and never sent EMB_FL_St2"]
    command = rig.message("CDC_EmbCmd")
    assert command.e2e is not None
    receiver = e2e_receiver(command.e2e, command.length)
    statuses = [
        receiver.check(bytes(each.data))
        for each in foreign.sent
        if each.arbitration_id == command.arbitration_id
    ]
    assert len(statuses) >= 99 and set(statuses) == {E2eStatus.OK}
    figures = {each.name: each for each in report.cycles.values()}
    assert figures["CDC_EmbCmd"].mean_ns == pytest.approx(ms(5), rel=0.01)


def test_without_a_module_the_others_detect_it_and_the_bridge_says_so(foreign) -> None:
    text = """VERSION ""
BU_: A B
BO_ 256 M: 2 A
 SG_ X : 0|8@1+ (1,0) [0|255] "" B
BO_ 257 N: 2 B
 SG_ Y : 0|8@1+ (1,0) [0|255] "" A
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 1000;
BA_DEF_ SG_ "GenSigTimeoutTime_B" INT 0 1000;
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgCycleTime" BO_ 257 10;
BA_ "GenSigTimeoutTime_B" SG_ 256 X 30;
"""
    rig = Restbus(Database.from_text(text), all_but=["A"])
    report = Bridge(rig, foreign, outside=rig.absent).run(0.2)
    assert report.findings == ["A is outside and never sent M"]
    assert [each.text for each in rig.log.of_kind("detection")] == ["no M for 30 ms: X timed out"]
