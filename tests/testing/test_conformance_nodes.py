"""The groups for any node: a network of its own, a good node, and nodes with one defect each.

Nothing here is of the shipped network: names, identifiers, cycles and data ids are the test's. The
last part takes the shipped one and renames everything in it.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simcore.attach.dut import Dut, dut_of
from simcore.bus import Frame
from simcore.ecu import RestbusNode
from simcore.network import Database
from simcore.network.interaction_rules import application_signals
from simcore.protection import e2e_sender
from simcore.resources import dbc_path
from simcore.rig.requirements import Requirement, RequirementFile
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import judge
from simcore.testing.conformance.result import CaseVerdict, ConformanceResult
from simcore.units import ms

NETWORK = """
VERSION ""
BS_:
BU_: UNIT PEER

BO_ 291 UnitState: 12 UNIT
 SG_ Sum : 0|16@1+ (1,0) [0|65535] "" PEER
 SG_ Alive : 16|8@1+ (1,0) [0|255] "" PEER
 SG_ Heard : 24|2@1+ (1,0) [0|3] "" PEER
 SG_ Echo : 32|8@1+ (0.5,0) [0|100] "A" PEER

BO_ 564 UnitInfo: 8 UNIT
 SG_ Version : 0|8@1+ (1,0) [0|10] "" PEER

BO_ 837 PeerWish: 8 PEER
 SG_ Sum : 0|16@1+ (1,0) [0|65535] "" UNIT
 SG_ Alive : 16|8@1+ (1,0) [0|255] "" UNIT
 SG_ Wish : 24|8@1+ (0.5,0) [0|100] "A" UNIT
 SG_ Mode : 32|3@1+ (1,0) [0|3] "" UNIT

BO_ 1110 PeerNote: 8 PEER
 SG_ Note : 0|8@1+ (1,0) [0|200] "" UNIT

BA_DEF_ BU_ "RedundantNode" ENUM "No","Yes";
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN",$,"StandardCAN_FD";
BA_DEF_ BO_ "CANFD_BRS" ENUM "0","1";
BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","Event";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgStartDelayTime" INT 0 65535;
BA_DEF_ BO_ "RedundantBus" ENUM "No","Yes";
BA_DEF_ BO_ "E2EProfile" ENUM "None","P05";
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_ SG_ "GenSigFuncType" ENUM "NoFunction","Counter","Checksum";
BA_DEF_DEF_ "RedundantNode" "No";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_DEF_DEF_ "CANFD_BRS" "1";
BA_DEF_DEF_ "GenMsgSendType" "Cyclic";
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_DEF_DEF_ "GenMsgStartDelayTime" 0;
BA_DEF_DEF_ "RedundantBus" "No";
BA_DEF_DEF_ "E2EProfile" "None";
BA_DEF_DEF_ "E2EDataId" 0;
BA_DEF_DEF_ "GenSigFuncType" "NoFunction";
BA_ "RedundantNode" BU_ UNIT 1;
BA_ "RedundantNode" BU_ PEER 1;
BA_ "VFrameFormat" BO_ 291 14;
BA_ "VFrameFormat" BO_ 837 14;
BA_ "GenMsgCycleTime" BO_ 291 7;
BA_ "GenMsgCycleTime" BO_ 564 40;
BA_ "GenMsgCycleTime" BO_ 837 10;
BA_ "GenMsgCycleTime" BO_ 1110 25;
BA_ "GenMsgStartDelayTime" BO_ 291 2;
BA_ "GenMsgStartDelayTime" BO_ 564 5;
BA_ "RedundantBus" BO_ 291 1;
BA_ "RedundantBus" BO_ 837 1;
BA_ "E2EProfile" BO_ 291 1;
BA_ "E2EProfile" BO_ 837 1;
BA_ "E2EDataId" BO_ 291 4660;
BA_ "E2EDataId" BO_ 837 22136;
BA_ "GenSigFuncType" SG_ 291 Sum 2;
BA_ "GenSigFuncType" SG_ 291 Alive 1;
BA_ "GenSigFuncType" SG_ 837 Sum 2;
BA_ "GenSigFuncType" SG_ 837 Alive 1;
VAL_ 291 Heard 0 "Init" 1 "Heard" 2 "Lost" 3 "SNA" ;
VAL_ 837 Mode 0 "Off" 1 "Slow" 2 "Fast" ;
"""


class AnyNode:
    """Sends its cyclic messages as the database says, whatever that is; knows nothing else."""

    defect = ""
    starts = 0

    def __init__(self, node: str, database: Database, defect: str = "") -> None:
        self.messages = [each for each in database.sent_by(node) if each.cycle_time_ns]
        self.defect = defect
        self.starts = 0

    def start(self, port: Any, now_ns: int) -> None:
        self.port = port
        self.starts += 1
        late_ns = ms(80) if self.defect == "late start" else 0
        late_ns += ms(60) if self.defect == "late restart" and self.starts > 1 else 0
        self.due = {each.name: now_ns + each.start_delay_ns + late_ns for each in self.messages}
        self.senders = {
            each.name: e2e_sender(each.e2e, each.length)
            for each in self.messages
            if each.e2e is not None
        }
        self.turn = self.hurry = 0
        self.dead = False
        if self.defect == "memory":
            port.memory.clear()
        port.memory[f"entry {self.starts if self.defect in ('memory', 'leak') else 0}"] = bytes(99)

    def next_deadline_ns(self) -> int | None:
        if self.defect == "endless" and self.turn > 20:
            return 0
        return None if self.dead else min(self.due.values())

    def on_timer(self, now_ns: int) -> None:
        for message in self.messages:
            if self.due[message.name] > now_ns:
                continue
            self.turn += 1
            self.due[message.name] += self.distance_ns(message.cycle_time_ns or 0)
            is_odd = self.defect == "copies" and self.turn % 9 == 0
            self.port.send(self.frame(message, now_ns), self.port.channels[0] if is_odd else None)

    def distance_ns(self, cycle_ns: int) -> int:
        match self.defect:
            case "slow":
                return cycle_ns * 6 // 5
            case "jitter":
                return cycle_ns + (ms(1) if self.turn % 2 else -ms(1))
            case "drift":
                return cycle_ns * 1005 // 1000
            case "storm" if self.hurry:
                self.hurry -= 1
                return ms(1)
        return cycle_ns

    def values(self, message: Any, now_ns: int) -> dict[str, Any]:
        return {
            each.name: each.start_value
            for each in application_signals(message)
            if not each.multiplexer_ids
        }

    def frame(self, message: Any, now_ns: int) -> Frame:
        data = message.codec.encode(
            {
                **{each.name: each.start_value for each in message.signals},
                **self.values(message, now_ns),
            }
        )
        sender = self.senders.get(message.name)
        if sender is not None:
            data = sender.protect(data)
        return Frame(
            message.arbitration_id,
            data,
            is_fd=message.is_fd,
            bitrate_switch=message.is_fd and message.bitrate_switch,
            is_extended_id=message.is_extended_id,
        )

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nothing is of interest."""


class Unit(AnyNode):
    """The node of the test's network, with one defect or none."""

    def __init__(self, node: str, database: Database, defect: str = "") -> None:
        super().__init__(node, database, defect)
        self.wish = database.message("PeerWish")
        self.note = database.message("PeerNote")

    def start(self, port: Any, now_ns: int) -> None:
        super().start(port, now_ns)
        self.wanted = 0.0
        self.heard_ns: int | None = None
        self.state = "Init"
        if self.defect == "foreign":
            port.send(Frame(0x111, b""))
        if self.defect == "second bus":
            port.send(Frame(564, bytes(8)), port.channels[1])
        if self.defect == "counter":
            self.senders["UnitState"].counter = 7

    def values(self, message: Any, now_ns: int) -> dict[str, Any]:
        if message.name == "UnitInfo":
            return {"Version": 3}
        if self.heard_ns is not None:
            is_lost = now_ns - self.heard_ns > ms(30)
            latched = self.defect == "latched" and self.state == "Lost"
            self.state = "Lost" if is_lost or latched else "Heard"
            self.dead = self.defect == "gives up" and is_lost
        return {"Heard": self.state, "Echo": self.wanted}

    def frame(self, message: Any, now_ns: int) -> Frame:
        frame = super().frame(message, now_ns)
        data = bytearray(frame.data)
        match self.defect, message.name:
            case "data id", "UnitState":
                data[0] ^= 1
            case "stale checksum", "UnitState":
                data[4] = int(self.wanted * 2) ^ (1 if self.wanted > 50 else 0)
            case "stuck", "UnitState":
                self.senders["UnitState"].counter = 5
            case "wrap", "UnitState" if data[2] == 254:
                self.senders["UnitState"].counter = 0
            case "padding", "UnitInfo":
                data[6] = self.turn & 0xFF
            case "range", "UnitInfo" if self.wanted > 60:
                data[0] = 200
            case "length", "UnitInfo":
                data = data[:7]
            case "rate", "UnitState":
                return Frame(frame.arbitration_id, bytes(data), is_fd=True)
        return frame.with_data(bytes(data))

    def on_timer(self, now_ns: int) -> None:
        super().on_timer(now_ns)
        if self.defect == "chatter" and self.turn > 420:
            self.port.log("note", f"timer at {now_ns}")

    def receive(self, frame: Frame, now_ns: int) -> None:
        if (self.defect, frame.is_remote_frame) == ("remote", True):
            raise RuntimeError("what is that?")
        if (self.defect, frame.is_extended_id) == ("extended", True):
            raise RuntimeError("and that?")
        if frame.arbitration_id == self.note.arbitration_id and self.defect == "hasty":
            self.due["UnitInfo"] = min(self.due["UnitInfo"], now_ns + ms(1))
        if frame.arbitration_id != self.wish.arbitration_id:
            return
        if frame.is_extended_id or (len(frame.data) != self.wish.length and self.defect != "short"):
            return
        raw = frame.data[3]
        mode = frame.data[4] & 7
        if self.defect == "reserved":
            raw = (raw, raw, raw, raw)[mode]  # a mode that nobody has named is none of these
        self.heard_ns = now_ns
        self.wanted = min(raw, 200) / 2

    def bus_state(self, channel: str, state: Any, now_ns: int) -> None:
        if self.defect == "bus-off" and state.name == "BUS_OFF":
            self.dead = True
        if self.defect == "storm" and state.name == "ACTIVE":
            self.hurry = 20


def database() -> Database:
    return Database.from_text(
        NETWORK.replace("$", ",".join('"reserved"' for _ in range(13))), name="unit.dbc"
    )


def judged(dut: Dut, *only: str, interface: Interface | None = None) -> ConformanceResult:
    found = interface or Interface.of(database(), "UNIT", role="node")
    return judge(found, dut, only=only, budget=40)


def failures(result: ConformanceResult) -> str:
    return "\n".join(
        f"{case.id} {case.verdict} {case.reason} {case.findings} "
        f"{[each for each in case.judgements if not each.passed]}"
        for case in result.cases
        if case.verdict not in (CaseVerdict.PASSED, CaseVerdict.NOT_TESTED)
    )


def test_a_good_node_of_any_network_passes_all_groups() -> None:
    result = judged(dut_of(Unit), "[!l]*", "layout.*")
    assert failures(result) == ""
    assert {case.id.split(".")[0] for case in result.cases} == {
        *("start", "cycle", "layout", "e2e", "timeout", "bus", "robust", "power")
    }
    assert [case.id for case in result.cases if case.verdict is CaseVerdict.NOT_TESTED] == [
        "robust.others"
    ]
    assert len(result.cases) > 70
    assert all(case.requirements for case in result.cases)


DEFECTS = {
    "late start": "start.first.*",
    "counter": "start.e2e.*",
    "foreign": "start.own",
    "second bus": "start.own",
    "slow": "cycle.reference.UnitState",
    "jitter": "cycle.reference.UnitState",
    "hasty": "cycle.reference.UnitInfo",
    "length": "layout.format.UnitInfo",
    "rate": "layout.format.UnitState",
    "padding": "layout.unused.UnitInfo",
    "range": "layout.range.UnitInfo",
    "reserved": "layout.received.PeerWish",
    "data id": "e2e.transmit.checksum.*",
    "stuck": "e2e.transmit.counter.*",
    "wrap": "e2e.transmit.counter.*",
    "stale checksum": "e2e.transmit.stirred.*",
    "copies": "e2e.transmit.copies.*",
    "gives up": "timeout.lost.PeerWish",
    "latched": "timeout.lost.PeerWish",
    "bus-off": "bus.off.first",
    "storm": "bus.off.first",
    "remote": "robust.remote",
    "short": "robust.lengths",
    "extended": "robust.extended",
    "memory": "power.memory",
    "late restart": "power.cycle",
    "drift": "long.calm",
    "chatter": "long.calm",
    "leak": "long.restarts",
    "endless": "start.own",
}
"""What is wrong with the node, and a case that says so."""


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_case_of_its_group_fails_every_planted_defect(defect: str) -> None:
    result = judged(dut_of(partial(Unit, defect=defect)), DEFECTS[defect])
    assert result.verdict is CaseVerdict.FAILED, failures(result)


def test_a_long_run_passes_the_good_node() -> None:
    assert failures(judged(dut_of(Unit), "long.[cr]*")) == ""


# -- another network, and the shipped one with everything renamed ---------------------------------

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize("node", ["ALPHA", "BETA"])
def test_the_restbus_passes_in_a_foreign_network(node: str) -> None:
    interface = Interface.of(Database.load(DATA / "codec.dbc"), node)
    assert interface.role == "node"
    result = judge(interface, dut_of(RestbusNode), budget=20)
    assert failures(result) == ""
    assert result.counts[CaseVerdict.PASSED] > 20


def renamed_network() -> tuple[Database, dict[str, str]]:
    """The shipped one under other names and identifiers, in twice the time."""
    text = dbc_path("chassis_fd.dbc").read_text(encoding="utf-8")
    names = [*re.findall(r"^BO_ \d+ (\w+):", text, re.M), *re.findall(r"^ SG_ (\w+)", text, re.M)]
    names += re.findall(r"^BU_: (.*)$", text, re.M)[0].split()
    other = {name: f"N{number}x{name[::-1]}" for number, name in enumerate(dict.fromkeys(names))}
    text = re.sub(r"\w+", lambda found: other.get(found[0], found[0]), text)
    moved = r"^((?:BO_|CM_ BO_|CM_ SG_|BA_ \"\w+\" (?:BO_|SG_)|VAL_|SIG_VALTYPE_) )(\d+)"
    text = re.sub(moved, lambda found: f"{found[1]}{int(found[2]) + 5}", text, flags=re.M)
    cycle = r"^(BA_ \"GenMsg(?:CycleTime|StartDelayTime)\" BO_ \d+ )(\d+)"
    text = re.sub(cycle, lambda found: f"{found[1]}{int(found[2]) * 2}", text, flags=re.M)
    return Database.from_text(text, name="renamed.dbc"), other


def test_nothing_is_wired_to_the_names_of_the_shipped_network() -> None:
    network, other = renamed_network()
    node = other["EMB_FL"]
    interface = Interface.of(network, node, own_requirements(), role="node")
    only = (
        "start.*",
        "cycle.[rse]*",
        "layout.*",
        "e2e.*.c*",
        "bus.off.*",
        "power.c*",
        "robust.[eor]*",
    )
    assert interface.cycle_ns(interface.cyclic_sent[0]) == ms(10)
    result = judge(interface, dut_of(AnyNode), only=only, budget=20)
    assert failures(result) == ""
    assert result.counts[CaseVerdict.PASSED] > 50
    shipped = {f".{name}" for name in other}
    assert not [case.id for case in result.cases for name in shipped if case.id.endswith(name)]
    assert {name for case in result.cases for name in case.requirements} <= {"ANY-1", "ANY-2"}


def own_requirements() -> RequirementFile:
    """A list of one's own: other ids, other numbers."""
    return RequirementFile(
        requirements={
            "ANY-1": Requirement(
                id="ANY-1",
                text="whatever it is",
                source="test",
                parameters={
                    "cycle_tolerance_pct": 12.0,
                    "start_budget_ms": 30.0,
                    "recovery_ms": 250.0,
                    "waiting_count": 2,
                },
                cases=("[!l]*",),
            ),
            "ANY-2": Requirement(
                id="ANY-2",
                text="as above",
                source="test",
                parameters={"cycle_tolerance_pct": 15.0},
                cases=("layout.*",),
            ),
        },
        file="own.toml",
    )
