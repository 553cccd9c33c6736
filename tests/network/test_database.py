"""Reading DBC files: what the database offers, and how it refuses bad files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database, E2eConfig

CODEC_DBC = Path(__file__).parent.parent / "data" / "codec.dbc"

PROTECTED = """VERSION ""
BU_: A B
BO_ 96 First: 8 A
 SG_ Crc : 0|16@1+ (1,0) [0|65535] "" B
 SG_ Cnt : 16|8@1+ (1,0) [0|255] "" B
 SG_ Force : 24|16@1+ (1,-1000) [-1000|64000] "N" B
BO_ 97 Second: 8 B
 SG_ Crc2 : 0|16@1+ (1,0) [0|65535] "" A
 SG_ Cnt2 : 16|8@1+ (1,0) [0|255] "" A
BA_DEF_ "Baudrate" INT 0 1000000;
BA_DEF_ "BaudrateCANFD" INT 0 8000000;
BA_DEF_ BO_ "E2EProfile" ENUM "None","P05";
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgStartDelayTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgDelayTime" INT 0 1000;
BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","OnEvent";
BA_DEF_ BO_ "CANFD_BRS" ENUM "0","1";
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN",%s"StandardCAN_FD","ExtendedCAN_FD";
BA_DEF_ SG_ "GenSigFuncType" ENUM "NoFunction","Counter","Checksum";
BA_DEF_ SG_ "GenSigStartValue" FLOAT 0 100000000000;
BA_DEF_DEF_ "E2EProfile" "None";
BA_DEF_DEF_ "GenSigFuncType" "NoFunction";
BA_DEF_DEF_ "GenMsgSendType" "OnEvent";
BA_DEF_DEF_ "CANFD_BRS" "1";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_DEF_DEF_ "GenSigStartValue" 0;
BA_ "Baudrate" 500000;
BA_ "BaudrateCANFD" 2000000;
BA_ "E2EProfile" BO_ 96 1;
BA_ "E2EDataId" BO_ 96 4660;
BA_ "GenMsgCycleTime" BO_ 96 5;
BA_ "GenMsgStartDelayTime" BO_ 96 3;
BA_ "GenMsgDelayTime" BO_ 96 1;
BA_ "GenMsgSendType" BO_ 96 0;
BA_ "VFrameFormat" BO_ 96 14;
BA_ "VFrameFormat" BO_ 97 14;
BA_ "CANFD_BRS" BO_ 97 0;
BA_ "GenSigFuncType" SG_ 96 Crc 2;
BA_ "GenSigFuncType" SG_ 96 Cnt 1;
BA_ "GenSigFuncType" SG_ 97 Crc2 2;
BA_ "GenSigFuncType" SG_ 97 Cnt2 1;
BA_ "GenSigStartValue" SG_ 96 Force 1000;
""".replace("%s", '"other",' * 13)


def changed(old: str, new: str) -> str:
    assert old in PROTECTED
    return PROTECTED.replace(old, new)


def test_attributes_of_a_message_come_from_the_file() -> None:
    database = Database.from_text(PROTECTED, name="first.dbc")
    first, second = database.message("First"), database.message(97)
    assert (first.cycle_time_ns, first.start_delay_ns, first.min_gap_ns) == (
        5_000_000,
        3_000_000,
        1_000_000,
    )
    assert (second.cycle_time_ns, second.start_delay_ns, second.min_gap_ns) == (None, 0, 0)
    assert (first.send_type, second.send_type) == ("Cyclic", "OnEvent")
    assert (first.is_fd, first.bitrate_switch, second.bitrate_switch) == (True, True, False)
    assert first.e2e == E2eConfig(
        profile="P05", data_id=4660, counter_signal="Cnt", checksum_signal="Crc"
    )
    assert second.e2e is None
    assert (database.nominal_bps, database.data_bps, database.is_fd) == (500_000, 2_000_000, True)


def test_nodes_and_directions() -> None:
    database = Database.from_text(PROTECTED, name="first.dbc")
    assert database.nodes == ("A", "B")
    assert [m.name for m in database.sent_by("A")] == ["First"]
    assert [m.name for m in database.received_by("A")] == ["Second"]
    assert database.message("First").receivers == ("B",)


def test_start_values_are_raw_and_physical() -> None:
    message = Database.from_text(PROTECTED, name="first.dbc").message("First")
    force = message.signal("Force")
    assert (force.start_raw, force.start_value) == (1000, 0)
    assert message.signal("Crc").start_raw == 0
    assert message.codec.decode(message.codec.writer().write())["Force"] == 0


def test_signals_carry_what_the_file_says() -> None:
    texts = Database.load(CODEC_DBC).message("Texts")
    gear, speed = texts.signal("Gear"), texts.signal("Speed")
    assert gear.choices == {0: "Park", 1: "Reverse", 2: "Neutral", 3: "Drive", 7: "SNA"}
    assert gear.comment == "Selected gear."
    assert texts.comment == "Signals with texts."
    assert (speed.start_bit, speed.length, speed.scale, speed.offset) == (8, 12, 0.1, 0)
    assert (speed.minimum, speed.maximum, speed.unit) == (0, 400, "km/h")
    assert speed.receivers == ("BETA",)


def test_multiplexing_is_described() -> None:
    message = Database.load(CODEC_DBC).message("ExtendedMultiplexed")
    inner = message.signal("Inner")
    assert inner.is_multiplexer
    assert (inner.multiplexer_signal, inner.multiplexer_ids) == ("Outer", (2,))
    assert message.signal("OuterRange").multiplexer_ids == (1, 5, 6, 7)


def test_an_extended_id_is_told_from_a_standard_one() -> None:
    database = Database.load(CODEC_DBC)
    message = database.message("ExtendedId")
    assert message.is_extended_id
    assert database.message(message.arbitration_id, is_extended_id=True) is message
    assert message.label == f"0x{message.arbitration_id:08x} ExtendedId"
    with pytest.raises(UsageError, match=r"message id 0x.* is not in the database"):
        database.message(message.arbitration_id, is_extended_id=False)


def test_the_same_number_in_both_formats_needs_the_format() -> None:
    text = "BU_: A\nBO_ 5 Short: 1 A\nBO_ 2147483653 Wide: 1 A\n"
    database = Database.from_text(text, name="both.dbc")
    assert database.message(5, is_extended_id=True).name == "Wide"
    with pytest.raises(UsageError, match="message id 0x005 is in both formats"):
        database.message(5)


def test_the_reference_interface_loads() -> None:
    database = Database.reference()
    assert database.is_fd
    assert (database.nominal_bps, database.data_bps) == (500_000, 2_000_000)
    assert database.message("CDC_EmbCmd").cycle_time_ns == 5_000_000
    assert database.message(0x060).e2e is not None


# ---- sharing ----


def test_a_database_is_shared_by_copies_and_pickles_as_its_text() -> None:
    database = Database.load(CODEC_DBC)
    message = database.message("Texts")
    assert copy.copy(database) is database
    assert copy.deepcopy(database) is database
    assert copy.deepcopy([message, message.signal("Gear")]) == [message, message.signal("Gear")]
    assert copy.deepcopy(message) is message
    gear = message.signal("Gear")
    assert copy.copy(gear) is copy.deepcopy(gear) is gear
    assert pickle.loads(pickle.dumps(gear)) == gear
    assert hash(gear) == hash(pickle.loads(pickle.dumps(gear)))
    assert pickle.loads(pickle.dumps(database)) is database
    assert pickle.loads(pickle.dumps(message)) is message
    assert Database.load(CODEC_DBC) is database


def test_signals_and_messages_cannot_be_changed() -> None:
    message = Database.load(CODEC_DBC).message("Texts")
    with pytest.raises(AttributeError):
        message.length = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        message.signal("Gear").length = 3  # type: ignore[misc]


# ---- the caller's mistakes ----


def test_unknown_names_are_answered_with_the_nearest() -> None:
    database = Database.reference()
    with pytest.raises(
        UsageError, match=r"^unknown message 'CDC_EmbCmdx': did you mean 'CDC_EmbCmd'\?$"
    ):
        database.message("CDC_EmbCmdx")
    with pytest.raises(UsageError, match=r"unknown node 'EMB_Fl': did you mean 'EMB_FL'\?"):
        database.sent_by("EMB_Fl")
    with pytest.raises(UsageError, match=r"^unknown node 'Z'$"):
        database.received_by("Z")
    with pytest.raises(UsageError, match="message id 0x7fe is not in the database"):
        database.message(0x7FE)
    with pytest.raises(UsageError, match="0x060 CDC_EmbCmd: unknown signal 'E2E_Crc': did you"):
        database.message("CDC_EmbCmd").signal("E2E_Crc")


# ---- bad files ----


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.dbc: .*expected a readable DBC file, got No such"):
        Database.load(tmp_path / "none.dbc")
    with pytest.raises(InputError, match="expected a readable DBC file, got Is a directory"):
        Database.load(tmp_path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image.dbc"
    file.write_bytes(b"\x7fELF\0\0")
    with pytest.raises(InputError, match="expected text, got NUL bytes"):
        Database.load(file)
    file.write_bytes(b"\xff\x81")
    with pytest.raises(InputError, match="expected text in UTF-8 or Windows-1252"):
        Database.load(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_units_beyond_ascii_survive(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "unit.dbc"
    file.write_text(changed('"N" B', '"°C" B'), encoding=encoding)
    assert Database.load(file).message("First").signal("Force").unit == "°C"


def test_a_syntax_error_has_file_and_line() -> None:
    text = changed(" SG_ Cnt : 16|8@1+", " SG_ Cnt 16|8@1+")
    with pytest.raises(InputError, match=r"^bad\.dbc:5: not a valid DBC: ") as caught:
        Database.from_text(text, name="bad.dbc")
    assert (caught.value.file, caught.value.line) == ("bad.dbc", 5)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("16|8@1+", "15|8@1+", "signals Cnt and Crc are overlapping in message First"),
        ("24|16@1+", "60|16@1+", "signal Force does not fit in message First"),
        ("24|16@1+", "24|0@1+", "signal Force length 0 is not greater than 0 in message First"),
    ],
)
def test_a_bad_layout_has_file_line_and_reason(old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"^bad\.dbc:3: not a valid DBC: The {reason}"):
        Database.from_text(changed(old, new), name="bad.dbc")


def test_twins_are_refused_with_both_names() -> None:
    with pytest.raises(
        InputError,
        match=r"^bad\.dbc:7: messages 0x060 First and 0x060 Second have the same arbitration id$",
    ):
        Database.from_text(changed("BO_ 97 Second", "BO_ 96 Second"), name="bad.dbc")
    with pytest.raises(InputError, match="First and 0x061 First have the same message name"):
        Database.from_text(changed("BO_ 97 Second", "BO_ 97 First"), name="bad.dbc")
    twin = 'BA_ "E2EProfile" BO_ 97 1;\nBA_ "E2EDataId" BO_ 97 4660;\n'
    with pytest.raises(
        InputError, match="messages 0x060 First and 0x061 Second have the same E2E data id"
    ):
        Database.from_text(PROTECTED + twin, name="bad.dbc")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            'BA_ "GenSigFuncType" SG_ 96 Cnt 1;',
            "",
            "E2E protection: expected one signal with GenSigFuncType 'Counter', got none",
        ),
        (
            "SG_ 96 Cnt 1;",
            "SG_ 96 Cnt 2;",
            "E2E protection: expected one signal with GenSigFuncType 'Counter', got none",
        ),
        (
            "SG_ 96 Force 1000;",
            'SG_ 96 Force 1000;\nBA_ "GenSigFuncType" SG_ 96 Force 1;',
            "E2E protection: expected one signal with GenSigFuncType 'Counter', got Cnt, Force",
        ),
        (
            "SG_ Cnt : 16|8@1+",
            "SG_ Cnt : 40|8@1+",
            "signal Cnt: E2E profile P05: expected 8 bits from bit 16, .*got 8 bits from bit 40",
        ),
        (
            "SG_ Crc : 0|16@1+",
            "SG_ Crc : 7|16@0+",
            "signal Crc: E2E profile P05: expected 16 bits from bit 0, .*got .*big_endian",
        ),
        (
            'BA_ "E2EDataId" BO_ 96 4660;',
            "",
            "E2E protection: expected an E2EDataId of 0..65535, got none",
        ),
        (
            "Force 1000;",
            "Force 65536;",
            r"signal Force: start value: expected 0\.\.65535 raw, got 65536",
        ),
        (
            "Force 1000;",
            "Force 0.5;",
            r"signal Force: start value: expected a whole raw value, got 0\.5",
        ),
        ("(1,-1000)", "(0,-1000)", "signal Force: expected a factor other than 0, got 0"),
        ("BO_ 96 First: 8 A", "BO_ 96 First: 65 A", r"length: expected 0\.\.64 bytes, got 65"),
    ],
)
def test_what_cantools_lets_pass_is_refused_with_line_and_reason(
    old: str, new: str, reason: str
) -> None:
    with pytest.raises(InputError, match=rf"^bad\.dbc:3: message First, {reason}"):
        Database.from_text(changed(old, new), name="bad.dbc")


@pytest.mark.parametrize("mark", ["(2,0)", "(1,1)"])
def test_a_scaled_multiplexer_is_unsupported(mark: str) -> None:
    text = (
        "BU_: A\nBO_ 1 Mux: 2 A\n"
        f' SG_ Page M : 0|8@1+ {mark} [0|0] "" A\n SG_ One m2 : 8|8@1+ (1,0) [0|0] "" A\n'
    )
    with pytest.raises(InputError, match="signal Page: unsupported: scaled or float multiplexer"):
        Database.from_text(text, name="mux.dbc")


def test_a_float_of_odd_length_is_refused() -> None:
    text = 'BU_: A\nBO_ 1 Odd: 8 A\n SG_ F : 0|24@1- (1,0) [0|0] "" A\nSIG_VALTYPE_ 1 F : 1;\n'
    with pytest.raises(InputError, match=r"signal F: expected a float of .* bits, got 24 bits"):
        Database.from_text(text, name="odd.dbc")


def test_one_name_on_two_pages_is_refused() -> None:
    text = (
        'BU_: A\nBO_ 1 Mux: 2 A\n SG_ Page M : 0|8@1+ (1,0) [0|0] "" A\n'
        ' SG_ One m0 : 8|8@1+ (1,0) [0|0] "" A\n SG_ One m1 : 8|4@1+ (1,0) [0|0] "" A\n'
    )
    with pytest.raises(InputError, match=r"^mux\.dbc:2: message Mux, two signals of the same name"):
        Database.from_text(text, name="mux.dbc")


def test_redundant_messages_and_nodes_come_from_the_file() -> None:
    database = Database.reference()
    assert database.message("CDC_EmbCmd").is_redundant
    assert not database.message("IMU_Data").is_redundant
    assert "GW" in database.redundant_nodes
    assert "IMU" not in database.redundant_nodes


def test_without_the_attributes_nothing_is_redundant() -> None:
    database = Database.from_text(PROTECTED, name="single.dbc")
    assert not any(message.is_redundant for message in database.messages)
    assert database.redundant_nodes == frozenset()
