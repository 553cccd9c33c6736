"""A network secured with freshness of several counters: master, slaves, resets, replays."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Ecu
from simcore.ecu.runtime import FrameGuard, FreshnessSource
from simcore.errors import InputError, UsageError
from simcore.faults.attacks import ReplayAttack
from simcore.network import Database
from simcore.protection.cmac import memory_of
from simcore.protection.freshness_multi import SYNC_MEMORY, TRIP_MEMORY
from simcore.protection.secoc_status import SecOcReason
from simcore.rig import Restbus, Verdict, load_scenarios, run_scenario
from simcore.rig.reference import test_key as secoc_test_key
from simcore.units import ms, s

DBC = """VERSION ""
BU_: GTW ENG ESP BRK
BO_ 16 FvSync: 12 GTW
 SG_ Trip : 7|24@0+ (1,0) [0|0] "" ENG
 SG_ Reset : 31|24@0+ (1,0) [0|0] "" ENG
 SG_ Tag : 55|48@0+ (1,0) [0|0] "" ENG
BO_ 32 Torque: 8 ENG
 SG_ Nm : 7|16@0+ (1,0) [0|0] "" BRK
 SG_ Fresh : 39|4@0+ (1,0) [0|0] "" BRK
 SG_ Mac : 35|28@0+ (1,0) [0|0] "" BRK
BO_ 33 Gate: 8 GTW
 SG_ State : 7|8@0+ (1,0) [0|0] "" BRK
BO_ 34 Yaw: 8 ESP
 SG_ Rate : 7|16@0+ (1,0) [0|0] "" BRK
BO_ 48 Status: 8 BRK
 SG_ Force : 7|16@0+ (1,0) [0|0] "" ENG
BA_DEF_ "BusType" STRING;
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN",RESERVED,"StandardCAN_FD";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","None";
BA_DEF_ BO_ "SecOCProfile" ENUM "None","Profile3";
BA_DEF_ BO_ "SecOCDataId" INT 0 65535;
BA_DEF_ BO_ "SecOCFreshnessType" ENUM "SingleCounter","MultiCounter";
BA_DEF_ BO_ "SecOCFreshnessSync" ENUM "No","Yes";
BA_DEF_ BO_ "SecOCAuthInfoTruncLength" INT -1 128;
BA_DEF_ SG_ "GenSigFuncType" ENUM "NoFunction","Freshness","Authenticator";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN_FD";
BA_DEF_DEF_ "GenMsgCycleTime" 10;
BA_DEF_DEF_ "GenMsgSendType" "Cyclic";
BA_DEF_DEF_ "SecOCProfile" "Profile3";
BA_DEF_DEF_ "SecOCDataId" 0;
BA_DEF_DEF_ "SecOCFreshnessType" "MultiCounter";
BA_DEF_DEF_ "SecOCFreshnessSync" "No";
BA_DEF_DEF_ "SecOCAuthInfoTruncLength" -1;
BA_DEF_DEF_ "GenSigFuncType" "NoFunction";
BA_ "BusType" "CAN FD";
BA_ "GenMsgCycleTime" BO_ 16 100;
BA_ "SecOCProfile" BO_ 16 0;
BA_ "SecOCFreshnessSync" BO_ 16 1;
BA_ "SecOCAuthInfoTruncLength" BO_ 16 48;
BA_ "SecOCDataId" BO_ 16 1;
BA_ "SecOCDataId" BO_ 32 2;
BA_ "SecOCDataId" BO_ 33 3;
BA_ "SecOCDataId" BO_ 34 4;
BA_ "SecOCDataId" BO_ 48 5;
BA_ "GenSigFuncType" SG_ 32 Fresh 1;
BA_ "GenSigFuncType" SG_ 32 Mac 2;
""".replace("RESERVED", ",".join(['"reserved"'] * 13))
DATABASE = Database.from_text(DBC, name="fresh.dbc")
RECEIVED = ("Torque", "Gate", "Yaw")


def zeros(now_ns: int) -> bytes:
    """A payload."""
    return bytes(8)


class Brake(Ecu):
    """Receives every secured message and sends its own."""

    def configure(self, now_ns: int) -> None:
        for name in RECEIVED:
            self.receives(name)
        self.sends("Status", zeros)

    def rejected(self) -> dict[SecOcReason, int]:
        """Frames rejected by reason, of all messages."""
        total: dict[SecOcReason, int] = {}
        for name in RECEIVED:
            guard: Any = self.reception(name)
            for reason, count in guard.guard.reasons.items():
                total[reason] = total.get(reason, 0) + count
        return total

    def accepted(self) -> list[int]:
        """Frames that verified, by message."""
        guards: list[Any] = [self.reception(name) for name in RECEIVED]
        return [each.guard.receivers[0].accepted for each in guards]


def network(database: Database = DATABASE) -> Any:
    """All but BRK played, BRK an ECU; run past the first sync."""
    rig = Restbus(database, all_but=["BRK"], spread_offsets=True)
    rig.replace("BRK", Brake("BRK", database))
    rig.run_for(ms(150))
    return rig


def brake(rig: Any) -> Any:
    return rig.node("BRK")


def frames_of(rig: Any, name: str) -> list[Frame]:
    identifier = rig.message(name).arbitration_id
    return [each.frame for each in rig.recorder.frames if each.frame.arbitration_id == identifier]


def test_the_database_is_without_a_problem() -> None:
    assert DATABASE.problems == ()
    sync = DATABASE.message("FvSync")
    assert sync.secoc is None
    assert sync.secoc_sync is not None
    assert [m.secoc is not None for m in DATABASE.messages] == [False, True, True, True, True]


def test_every_frame_of_master_and_slaves_verifies_for_ten_seconds() -> None:
    rig = network()
    before = brake(rig).accepted()
    assert brake(rig).rejected().keys() <= {SecOcReason.NO_SYNC_YET}
    early = brake(rig).rejected()
    rig.run_for(s(10))
    assert brake(rig).rejected() == early
    assert [after - first for first, after in zip(before, brake(rig).accepted(), strict=True)] == [
        1000,
        1000,
        1000,
    ]
    assert rig.log.findings == []


def test_the_sync_message_tells_trip_and_reset_counter() -> None:
    rig = network()
    rig.run_for(s(1))
    heads = [frame.data[:6].hex() for frame in frames_of(rig, "FvSync")]
    assert heads == [f"000001{count:06x}" for count in range(1, len(heads) + 1)]
    assert len(heads) in (11, 12)


def test_before_the_first_sync_a_slave_sends_nothing_and_says_so_once() -> None:
    rig = Restbus(DATABASE, play=["ENG"])
    rig.run_for(ms(500))
    assert frames_of(rig, "Torque") == []
    texts = [each.text for each in rig.log.events if "not sent" in each.text]
    assert texts == ["Torque not sent: SecOC, no sync yet"]


def test_a_slave_that_was_reset_sends_and_verifies_again_from_the_next_sync() -> None:
    rig = network()
    for name in ("ENG", "BRK"):
        rig.reset(name)
        rig.run_for(ms(200))
        before, rejected = brake(rig).accepted(), brake(rig).rejected()
        rig.run_for(s(1))
        after = brake(rig).accepted()
        assert [n - m for m, n in zip(before, after, strict=True)] == [100, 100, 100]
        assert brake(rig).rejected() == rejected


def test_a_master_that_was_reset_begins_a_new_trip_and_all_follow() -> None:
    rig = network()
    host = rig._hosts["GTW"]
    assert host.memory[TRIP_MEMORY] == bytes((0, 0, 1))
    rig.run_for(s(1))
    rig.reset("GTW")
    assert host.memory[TRIP_MEMORY] == bytes((0, 0, 2))
    rig.run_for(ms(200))
    before, rejected = brake(rig).accepted(), brake(rig).rejected()
    rig.run_for(s(1))
    after = brake(rig).accepted()
    assert [n - m for m, n in zip(before, after, strict=True)] == [100, 100, 100]
    assert brake(rig).rejected() == rejected
    assert rig._hosts["BRK"].memory[SYNC_MEMORY][:3] == bytes((0, 0, 2))


@pytest.mark.parametrize("name", ["Torque", "FvSync"])
def test_a_recording_is_rejected_to_the_last_frame_also_after_a_new_trip(name: str) -> None:
    rig = network()
    rig.run_for(ms(500))
    recorded = tuple(frames_of(rig, name))
    rig.reset("GTW")
    rig.run_for(ms(300))
    before, rejected = brake(rig).accepted(), brake(rig).rejected()
    sync = brake(rig)._receptions[16]
    attack = rig.inject(ReplayAttack(bus="CAN", frames=recorded, burst=2))
    rig.run_for(s(1))
    del attack
    sent = len(frames_of(rig, name))
    after = brake(rig).accepted()
    assert [n - m for m, n in zip(before, after, strict=True)] == [100, 100, 100]
    more = {
        reason: count - rejected.get(reason, 0)
        for reason, count in brake(rig).rejected().items()
        if count != rejected.get(reason, 0)
    }
    if name == "FvSync":
        assert more == {}
        assert set(sync.reasons) == {SecOcReason.STALE_TRIP}
        assert sync.reasons[SecOcReason.STALE_TRIP] >= 18
    else:
        assert sum(more.values()) >= 190
        assert set(more) <= {
            SecOcReason.STALE_TRIP,
            SecOcReason.RESET_FLAG,
            SecOcReason.MAC_MISMATCH,
        }
    assert sent > 0


def test_a_forged_sync_moves_no_counter() -> None:
    rig = network()
    sync = brake(rig)._receptions[16]
    counts = brake(rig).freshness.counts_for(rig.message("Torque")).counts
    sync.receive(bytes((0, 9, 9)) + bytes(9), rig.now_ns)
    assert brake(rig).freshness.counts_for(rig.message("Torque")).counts == counts
    assert sync.reasons == {SecOcReason.MAC_MISMATCH: 1}
    assert sync.rejected_count == 1


def test_a_fork_and_a_pickle_go_on_alike() -> None:
    rig = network()
    others = [rig.fork(), pickle.loads(pickle.dumps(rig)), copy.deepcopy(rig)]
    rig.run_for(ms(500))
    for other in others:
        other.run_for(ms(500))
        assert other.digest == rig.digest
        assert brake(other).accepted() == brake(rig).accepted()


class TwoBuses:
    """As much of a port as a guard needs."""

    channels = ("A", "B")

    def __init__(self) -> None:
        self.memory = memory_of({0: secoc_test_key(0)})
        self.texts: list[str] = []

    def log(self, kind: str, text: str) -> None:
        self.texts.append(text)


def test_on_two_buses_a_copy_is_no_replay_and_a_silent_bus_no_way_in() -> None:
    rig = network()
    rig.run_for(s(1))
    syncs, frames = frames_of(rig, "FvSync"), frames_of(rig, "Torque")
    port: Any = TwoBuses()
    source = FreshnessSource("BRK", DATABASE, port)
    guard = FrameGuard(DATABASE.message("Torque"), port, source)
    source.reception(DATABASE.message("FvSync")).receive(syncs[-2].data, 0)
    counts = source.counts_for(DATABASE.message("Torque")).counts
    assert counts is not None
    inner = [each.data for each in frames if each.data[4] >> 4 & 3 == counts[1] & 3][-10:]
    assert len(inner) == 10
    assert [guard.passes(data, 0, lane) for data in inner[:3] for lane in (0, 1)] == [True] * 6
    assert not any(guard.passes(data, 0, lane) for data in inner[:3] for lane in (0, 1))
    assert [guard.passes(data, 0, 0) for data in inner[3:]] == [True] * 7
    # What a slow bus may still bring passes; nothing that came there before does.
    assert [guard.passes(data, 0, 1) for data in inner] == [False] * 3 + [True] * 7
    late = FrameGuard(DATABASE.message("Torque"), port, source)
    assert [late.passes(data, 0, 0) for data in inner] == [True] * 10
    assert [late.passes(data, 0, 1) for data in inner[:1]] == [False]


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            'BA_ "SecOCFreshnessSync" BO_ 16 1;',
            "",
            r"message Torque: SecOC freshness of several counters: expected a message with "
            r'SecOCFreshnessSync "Yes" in the network, got none',
        ),
        (
            'BA_ "SecOCProfile" BO_ 16 0;',
            "",
            r"message FvSync, SecOC, profile 3, bits of freshness .* expected 64 4 28, got 64 4 48",
        ),
        ("FvSync: 12 GTW", "FvSync: 12 Vector__XXX", r"expected one sender, .* got none"),
        ("FvSync: 12 GTW", "FvSync: 16 GTW", r"freshness sync of 48 \+ 48 bits: expected 12 bytes"),
        (
            'BA_ "SecOCAuthInfoTruncLength" BO_ 16 48;',
            "",
            r"message FvSync, SecOC: expected a SecOCAuthInfoTruncLength of the freshness sync",
        ),
        (
            'BA_ "SecOCDataId" BO_ 34 4;',
            'BA_ "SecOCDataId" BO_ 34 2;',
            r"messages 0x020 Torque and 0x022 Yaw: they have the same SecOC data id",
        ),
        (
            'BA_ "SecOCDataId" BO_ 16 1;',
            'BA_ "SecOCDataId" BO_ 16 2;',
            r"messages 0x020 Torque and 0x010 FvSync: they have the same SecOC data id",
        ),
        (
            'BA_ "SecOCDataId" BO_ 34 4;',
            'BA_ "SecOCDataId" BO_ 34 4;\nBA_ "SecOCFreshnessSync" BO_ 34 1;\n'
            'BA_ "SecOCProfile" BO_ 34 0;\nBA_ "SecOCAuthInfoTruncLength" BO_ 34 16;',
            r"message Yaw: a second freshness sync message beside 0x010 FvSync: unsupported",
        ),
    ],
)
def test_a_network_that_cannot_work_is_refused_before_it_starts(
    old: str, new: str, text: str
) -> None:
    assert DBC.count(old) == 1
    database = Database.from_text(DBC.replace(old, new), name="fresh.dbc")
    with pytest.raises(InputError, match=text):
        Restbus(database)


def test_trip_and_reset_counter_are_as_long_as_in_the_sync_message() -> None:
    settings = "[secoc.messages.FvSync]\ntrip_counter_length = 16\nreset_counter_length = 32\n"
    database = Database.from_text(DBC, name="fresh.dbc", protection=settings)
    assert str(database.problems[0]) == (
        "protection.toml:3: error: message FvSync, SecOC, "
        "secoc.messages.FvSync.reset_counter_length: expected 1..24 bits, got 32"
    )
    settings = "[secoc.messages.FvSync]\ntrip_counter_length = 16\nauth_info_trunc_length = 56\n"
    database = Database.from_text(DBC, name="fresh.dbc", protection=settings)
    with pytest.raises(
        InputError,
        match=r"Torque: SecOC trip and reset counter: expected 16 and 24 bits as in 0x01",
    ):
        database.refuse_errors()


def test_a_sync_message_has_no_other_protection() -> None:
    settings = (
        '[secoc.messages.FvSync]\nprofile = "Explicit"\nfreshness_value_trunc_length = 8\n'
        'freshness_type = "SingleCounter"\nauthentic_length = 3\n'
        'trailer_signals = ["Reset", "Tag"]\n'
    )
    database = Database.from_text(DBC, name="fresh.dbc", protection=settings)
    with pytest.raises(InputError, match=r"protects itself: E2E or SecOC is unsupported"):
        database.refuse_errors()


def test_a_lenient_restbus_leaves_out_what_has_no_sync() -> None:
    text = DBC.replace('BA_ "SecOCFreshnessSync" BO_ 16 1;', "")
    rig = Restbus(Database.from_text(text, name="fresh.dbc", lenient=True))
    assert list(rig.skipped) == ["Gate", "Torque", "Yaw", "Status"]
    assert set(rig.skipped.values()) == {
        "SecOC freshness of several counters without a freshness sync message"
    }
    rig.run_for(ms(100))
    assert frames_of(rig, "FvSync")


def test_the_settings_may_stand_in_the_protection_file_alone() -> None:
    text = "\n".join(line for line in DBC.splitlines() if "SecOC" not in line)
    settings = (
        "[secoc.messages.FvSync]\nfreshness_sync = true\ndata_id = 1\nauth_info_trunc_length = 48\n"
    )
    for number, name in enumerate(("Torque", "Gate", "Yaw", "Status"), start=2):
        settings += f"[secoc.messages.{name}]\nprofile = 3\ndata_id = {number}\n"
        settings += 'freshness_type = "MultiCounter"\n'
    database = Database.from_text(text, name="plain.dbc", protection=settings)
    assert database.problems == ()
    for own, theirs in zip(database.messages, DATABASE.messages, strict=True):
        assert (own.secoc, own.secoc_sync) == (theirs.secoc, theirs.secoc_sync)


def test_the_sync_message_has_no_signal_to_set() -> None:
    rig = network()
    with pytest.raises(UsageError, match=r"a signal that E2E and SecOC do not fill in"):
        rig.set("FvSync", Trip=5)


SCENARIO = '''
from simcore import Restbus, ms, s, scenario

@scenario(restbus="fresh.dbc", requirements=["SEC-001"])
def secured(bus: Restbus) -> None:
    """Every slave follows the master over its reset."""
    bus.run_for(s(1))
    bus.reset("GTW")
    bus.run_for(s(1))
    sent = [each.frame.data for each in bus.recorder.frames if each.frame.arbitration_id == 32]
    bus.check("SEC-001", len(sent) > 180, measured=len(sent), limit="> 180")
    bus.check("SEC-001", len(set(sent)) == len(sent), measured=len(set(sent)), limit="no repeats")
'''


def test_a_scenario_over_a_secured_network_passes(tmp_path: Path) -> None:
    (tmp_path / "fresh.dbc").write_text(DBC, encoding="ascii")
    (tmp_path / "secured.py").write_text(SCENARIO, encoding="utf-8")
    (item,) = load_scenarios(tmp_path / "secured.py")
    first = run_scenario(item, seed=1)
    assert first.error is None, first.error_detail
    assert (first.verdict, first.findings) == (Verdict.PASSED, ())
    assert run_scenario(item, seed=1).digest == first.digest
