"""Reading DBC files: what the database offers, and how it refuses bad files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

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
        UsageError,
        match=r"^unknown message 'CDC_EmbCmdx': did you mean 'CDC_EmbCmd'\? \(chassis_fd\.dbc\)$",
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
    with pytest.raises(
        InputError, match=r"image\.dbc:1: not a valid DBC: Invalid syntax at line 1"
    ):
        Database.load(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_units_beyond_ascii_survive(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "unit.dbc"
    file.write_text(changed('"N" B', '"°C" B'), encoding=encoding)
    assert Database.load(file).message("First").signal("Force").unit == "°C"


def test_bytes_of_no_encoding_are_replaced_and_reported(tmp_path: Path) -> None:
    file = tmp_path / "unit.dbc"
    file.write_bytes(changed('"N" B', '"?C" B').encode().replace(b"?C", b"\x81C"))
    database = Database.load(file)
    assert database.message("First").signal("Force").unit == "\ufffdC"
    assert [str(each) for each in database.problems] == [
        f"{file}:6: warning: text: "
        "characters that are neither UTF-8 nor Windows-1252 have been replaced"
    ]


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


def problems_of(text: str, name: str = "bad.dbc", **options: Any) -> list[str]:
    return [str(each) for each in Database.from_text(text, name=name, **options).problems]


def test_twins_are_errors_with_both_names() -> None:
    same_id = changed("BO_ 97 Second", "BO_ 96 Second")
    same_id = "".join(line for line in same_id.splitlines(True) if not line.startswith("BA_ "))
    database = Database.from_text(same_id, name="bad.dbc")
    with pytest.raises(
        InputError,
        match=r"^bad\.dbc:7: messages 0x060 First and 0x060 Second: "
        r"they have the same arbitration id$",
    ):
        database.refuse_errors()
    with pytest.raises(UsageError, match=r"message id 0x060 is 2 times in the database"):
        database.message(0x60)
    assert database.message("Second").length == 8
    same_name = Database.from_text(changed("BO_ 97 Second", "BO_ 97 First"), name="bad.dbc")
    assert str(same_name.problems[0]) == (
        "bad.dbc:3: error: messages 0x060 First and 0x061 First: they have the same message name"
    )
    with pytest.raises(UsageError, match=r"message 'First' is 2 times in the database"):
        same_name.message("First")
    assert [pickle.loads(pickle.dumps(m)) for m in same_name.messages] == [*same_name.messages]
    twin = 'BA_ "E2EProfile" BO_ 97 1;\nBA_ "E2EDataId" BO_ 97 4660;\n'
    assert problems_of(PROTECTED + twin) == [
        "bad.dbc:7: error: messages 0x060 First and 0x061 Second: they have the same E2E data id"
    ]


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
            "signal Cnt: E2E profile P05: expected .*16.*got .*40",
        ),
        (
            "SG_ Crc : 0|16@1+",
            "SG_ Crc : 7|16@0+",
            "signal Crc: E2E profile P05: expected .*, got .*big_endian",
        ),
        (
            'BA_ "E2EDataId" BO_ 96 4660;',
            "",
            "E2E protection: expected an E2EDataId of 0..65535, got none",
        ),
        (
            "Force 1000;",
            "Force 65536;",
            r"signal Force: start value: expected 0\.\.65535 raw, got 65536: 0 is used",
        ),
        (
            "Force 1000;",
            "Force 0.5;",
            r"signal Force: start value: expected a whole raw value, got 0\.5",
        ),
        ("(1,-1000)", "(0,-1000)", "signal Force: expected a factor other than 0, got 0"),
        (
            'BA_ "GenMsgCycleTime" BO_ 96 5;',
            'BA_ "GenMsgCycleTime" BO_ 96 -5;',
            "GenMsgCycleTime: expected a time in ms, 0 or more, got -5: 0 is used",
        ),
    ],
)
def test_what_cantools_lets_pass_is_an_error_with_line_and_reason(
    old: str, new: str, reason: str
) -> None:
    database = Database.from_text(changed(old, new), name="bad.dbc")
    assert [each.severity for each in database.problems] == ["error"]
    with pytest.raises(InputError, match=rf"^bad\.dbc:3: message First(, |: ){reason}"):
        database.refuse_errors()


def test_a_database_without_errors_is_not_refused() -> None:
    Database.from_text(PROTECTED, name="first.dbc").refuse_errors()
    warned = changed("BO_ 96 First: 8 A", "BO_ 96 First: 65 A")
    assert problems_of(warned) == [
        "bad.dbc:3: warning: message First: 65 bytes are longer than a frame: "
        "it needs a transport protocol"
    ]
    Database.from_text(warned, name="bad.dbc").refuse_errors()


def test_a_refusal_counts_the_other_errors() -> None:
    text = changed("Force 1000;", "Force 0.5;").replace("(1,-1000)", "(0,-1000)")
    with pytest.raises(InputError, match=r"got 0\.5: 0 is used \(and 1 more error\)$"):
        Database.from_text(text, name="bad.dbc").refuse_errors()


def test_a_message_with_a_factor_of_0_is_decoded_but_not_encoded() -> None:
    text = 'BU_: A\nBO_ 1 Flat: 1 A\n SG_ F : 0|8@1+ (0,3) [0|0] "" A\n'
    message = Database.from_text(text, name="flat.dbc").message("Flat")
    assert message.codec.decode(b"\x07") == {"F": 3}
    for call in (lambda: message.codec.encode({"F": 3}), message.codec.writer):
        with pytest.raises(
            UsageError,
            match=r"^message 0x001 Flat cannot be encoded: "
            r"signal F: expected a factor other than 0, got 0$",
        ):
            call()


def test_a_float_of_odd_length_is_an_error_and_not_decoded() -> None:
    text = 'BU_: A\nBO_ 1 Odd: 8 A\n SG_ F : 0|24@1- (1,0) [0|0] "" A\nSIG_VALTYPE_ 1 F : 1;\n'
    database = Database.from_text(text, name="odd.dbc")
    with pytest.raises(
        InputError,
        match=r"^odd\.dbc:2: message Odd: signal F: expected a float of 16, 32 or 64 bits, got 24",
    ):
        database.refuse_errors()
    codec = database.message("Odd").codec
    assert database.message("Odd").signal("F").raw_limits == (0, 0)
    with pytest.raises(UsageError, match="message 0x001 Odd cannot be encoded: signal F: expect"):
        codec.overwrite_raw(bytes(8), {"F": 1.0})
    for call in (lambda: codec.decode(bytes(8)), lambda: codec.reader("F")):
        with pytest.raises(UsageError, match="message 0x001 Odd cannot be decoded: signal F: exp"):
            call()


def test_one_name_on_two_pages_is_one_name_per_page() -> None:
    text = (
        'BU_: A\nBO_ 1 Mux: 2 A\n SG_ Page M : 0|8@1+ (1,0) [0|0] "" A\n'
        ' SG_ One m0 : 8|8@1+ (1,0) [0|0] "" A\n SG_ One m1 : 8|4@1+ (1,0) [0|0] "" A\n'
    )
    codec = Database.from_text(text, name="mux.dbc").message("Mux").codec
    assert codec.decode(b"\0\xff") == {"Page": 0, "One": 255}
    assert codec.decode(b"\1\xff") == {"Page": 1, "One": 15}
    assert codec.encode({"Page": 0, "One": 200}) == b"\0\xc8"


def test_one_name_twice_on_a_page_is_an_error() -> None:
    text = (
        'BU_: A\nBO_ 1 Two: 2 A\n SG_ One : 0|8@1+ (1,0) [0|0] "" A\n'
        ' SG_ One : 8|8@1+ (1,0) [0|0] "" A\n'
    )
    (problem,) = Database.from_text(text, name="two.dbc", lenient=True).problems
    assert str(problem) == "two.dbc:2: error: message Two: two signals of the same name One"


# ---- attributes ----


def test_attributes_are_by_name_with_enums_as_text_and_defaults_applied() -> None:
    database = Database.from_text(PROTECTED, name="first.dbc")
    first, second = database.message("First"), database.message("Second")
    assert first.attributes == {
        "E2EProfile": "P05",
        "E2EDataId": 4660,
        "GenMsgCycleTime": 5,
        "GenMsgStartDelayTime": 3,
        "GenMsgDelayTime": 1,
        "GenMsgSendType": "Cyclic",
        "CANFD_BRS": "1",
        "VFrameFormat": "StandardCAN_FD",
    }
    assert second.attributes["GenMsgSendType"] == "OnEvent"
    assert second.attributes["CANFD_BRS"] == "0"
    assert "E2EDataId" not in second.attributes
    assert first.signal("Cnt").attributes == {"GenSigFuncType": "Counter", "GenSigStartValue": 0}
    assert first.signal("Force").attributes["GenSigStartValue"] == 1000
    assert database.attributes == {"Baudrate": 500_000, "BaudrateCANFD": 2_000_000}
    assert database.node_attributes == {"A": {}, "B": {}}
    assert Database.reference().node_attributes["GW"]["RedundantNode"] == "Yes"


def test_an_enum_index_or_default_that_is_no_text_of_it_stays_what_it_is() -> None:
    text = changed('BA_ "CANFD_BRS" BO_ 97 0;', 'BA_ "CANFD_BRS" BO_ 97 7;')
    text = text.replace('BA_DEF_DEF_ "CANFD_BRS" "1"', 'BA_DEF_DEF_ "CANFD_BRS" 5')
    database = Database.from_text(text, name="enum.dbc")
    assert database.message("First").attributes["CANFD_BRS"] == "5"
    assert database.message("Second").attributes["CANFD_BRS"] == "7"


def test_an_error_without_a_place_gets_the_line_of_the_statement_at_fault() -> None:
    bad = 'BA_ "GenMsgSendType" BO_ 96 7;'
    text = changed('BA_ "GenMsgSendType" BO_ 96 0;', bad)
    line = text.splitlines().index(bad) + 1
    with pytest.raises(InputError, match=rf"^enum\.dbc:{line}: not a valid DBC: list index out"):
        Database.from_text(text, name="enum.dbc")


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


def test_an_unknown_message_without_a_similar_name_is_answered_with_the_file_and_nearest() -> None:
    database = Database.from_text("BU_: A\nBO_ 1 Gear: 8 A\nBO_ 2 Speed: 8 A\n", name="a.dbc")
    with pytest.raises(
        UsageError, match=r"^unknown message 'Foo': the nearest are (Gear, Speed|Speed, Gear) \(a"
    ):
        database.message("Foo")
    with pytest.raises(UsageError, match=r"^unknown message 'Foo': there are none \(a\.dbc\)$"):
        Database.from_text("BU_: A\n", name="a.dbc").message("Foo")
