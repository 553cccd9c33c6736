"""Loading files of every format: refusals with a place, lenient loads, and no crash on any text."""

from __future__ import annotations

import pickle
import re
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.records import records_of, text_without
from simcore.resources import dbc_path

DATA = Path(__file__).resolve().parents[1] / "data"
CODEC = (DATA / "codec.dbc").read_text("utf-8")

DBC = """VERSION "1"
NS_ :
\tCM_
\tBA_DEF_
BS_:
BU_: A B
BO_ 16 Good: 8 A
 SG_ Level : 0|8@1+ (1,0) [0|0] "" B
 SG_ Speed : 8|16@1+ (0.1,0) [0|0] "km/h" B
BO_ 17 Other: 2 B
 SG_ Flag : 0|1@1+ (1,0) [0|0] "" A
CM_ BO_ 16 "two
BO_ lines, \\"quoted\\"";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 1000;
BA_ "GenMsgCycleTime" BO_ 16 10;
VAL_ 17 Flag 0 "off" 1 "on";
"""

KCD = """<?xml version="1.0"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0">
 <Node id="1" name="A"/>
 <Bus name="Front" baudrate="250000">
  <Message id="0x10" name="Same" length="2"><Producer><NodeRef id="1"/></Producer>
   <Signal name="Level" offset="0" length="8"><Value slope="0.5"/></Signal>
  </Message>
  <Message id="0x11" name="Wide" length="1"><Signal name="X" offset="4" length="8"/></Message>
  <Message id="0x12" name="Empty" length="1"><Signal name="Y" offset="0" length="0"/></Message>
 </Bus>
 <Bus name="Rear">
  <Message id="0x10" name="Same" length="1"><Signal name="Flag" offset="0"/></Message>
 </Bus>
</NetworkDefinition>
"""

SYM = """FormatVersion=6.0 // Do not edit this line!
Title="signals"

{SENDRECEIVE}

[Good]
ID=100h
Len=2
CycleTime=20
Var=Level unsigned 0,8

[Bad]
ID=101h
Len=1
Var=Nothing unsigned 0,0
"""


def dropped(database: Database) -> list[tuple[int | None, str]]:
    return [(each.line, each.where) for each in database.problems if each.severity == "dropped"]


# ---- formats ----


def test_a_kcd_file_has_buses_and_its_messages_are_told_apart_by_them() -> None:
    database = Database.from_text(KCD, name="car.kcd", lenient=True)
    assert database.buses == ("Front", "Rear")
    assert database.nominal_bps == 250_000
    front = database.message("Same", bus="Front")
    assert (front.senders, front.bus) == (("A",), "Front")
    assert front.codec.encode({"Level": 5.5}) == b"\x0b\x00"
    assert database.message(0x10, bus="Rear").length == 1
    with pytest.raises(UsageError, match=r"message 'Same' is on the buses Front, Rear, pass bus"):
        database.message("Same")
    with pytest.raises(UsageError, match=r"message id 0x010 is on the buses Front, Rear, pass bus"):
        database.message(0x10)
    with pytest.raises(UsageError, match=r"message 'Same' is not in the database"):
        database.message("Same", bus="Side")
    assert pickle.loads(pickle.dumps(front)) is front
    assert not [each for each in database.problems if "same" in each.text]


def test_a_sym_file_has_cycle_times() -> None:
    database = Database.from_text(SYM.replace("0,0", "0,8"), name="car.sym")
    message = database.message("Good")
    assert (message.arbitration_id, message.cycle_time_ns) == (0x100, 20_000_000)
    assert message.attributes == {}
    assert message.codec.decode(b"\x07\x00") == {"Level": 7}


def test_the_format_is_that_of_the_extension_unless_given(tmp_path: Path) -> None:
    file = tmp_path / "network.txt"
    file.write_text(SYM.replace("0,0", "0,8"), encoding="utf-8")
    assert len(Database.load(file, format="sym").messages) == 2
    with pytest.raises(InputError, match=r"network\.txt:1: not a valid DBC"):
        Database.load(file)
    with pytest.raises(UsageError, match="database format: expected one of dbc, kcd, sym, arxml, "):
        Database.load(file, format="xlsx")


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("car.kcd", KCD, r"car\.kcd:8: not a valid KCD: The signal X does not fit in message Wide"),
        (
            "car.kcd",
            KCD.replace('"4"', '"0"'),
            r"car\.kcd:9: not a valid KCD: The signal Y length 0",
        ),
        ("car.kcd", KCD.replace("</Bus>", "", 1), r"car\.kcd:14: not a valid KCD: mismatched tag"),
        ("car.sym", SYM, r"car\.sym:12: not a valid SYM: The signal Nothing length 0"),
        ("car.sym", SYM.replace("6.0", "5.0"), r"car\.sym: not a valid SYM: Only SYM version 6"),
        ("car.arxml", "<AUTOSAR/>", r"car\.arxml: not a valid ARXML: No XML namespace"),
        ("car.dbc", DBC.replace("Flag 0", "Flat 0"), r"car\.dbc:16: .*unused VAL_ entries"),
    ],
)
def test_a_refusal_names_file_line_and_reason(name: str, text: str, place: str) -> None:
    with pytest.raises(InputError, match=f"^{place}"):
        Database.from_text(text, name=name)


# ---- lenient ----


def test_a_lenient_load_of_a_good_file_leaves_nothing_out() -> None:
    database = Database.from_text(DBC, name="good.dbc", lenient=True)
    assert database.problems == ()
    assert database.message("Good").comment == 'two\nBO_ lines, "quoted"'


OF_OTHER = [(11, "SG_ Flag"), (16, "VAL_ 17 Flag")]
CYCLE_TIME = (15, 'BA_ "GenMsgCycleTime" BO_')


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("8|16@1+", "8 16@1+", [(9, "SG_ Speed")]),
        ("16|16@1+ (0.1", "", []),
        ("BO_ 17 Other: 2 B", "BO_ 17 Other 2 B", [(10, "BO_ 17 Other"), *OF_OTHER]),
        ("BO_ 17 Other", "BO_ 4095 Other", [(10, "BO_ 4095 Other"), *OF_OTHER]),
        ("0|8@1+", "0|0@1+", [(8, "SG_ Level")]),
        ('BA_ "GenMsgCycleTime" BO_', 'BA_ "GenMsgCycle" BO_', [(15, 'BA_ "GenMsgCycle" BO_')]),
        ("BO_ 16 10;", "BO_ 16 ten;", [CYCLE_TIME]),
        ("VAL_ 17 Flag", "VAL_ 17 Flat", [(16, "VAL_ 17 Flat")]),
        ("VAL_ 17 Flag 0", "VAL_ 17 Flag 0.x", [(16, "VAL_ 17 Flag")]),
        ("INT 0 1000", "INT 0 1e99999", [(14, 'BA_DEF_ BO_ "GenMsgCycleTime"'), CYCLE_TIME]),
        ("BO_ 17 Other: 2", "BO_ 17 Other: 9999999", [(10, "BO_ 17 Other"), *OF_OTHER]),
    ],
)
def test_a_lenient_load_leaves_out_and_lists_what_is_broken_and_nothing_else(
    old: str, new: str, expected: list[tuple[int, str]]
) -> None:
    text = DBC.replace(old, new)
    if expected:
        with pytest.raises(InputError, match=r"^bad\.dbc:\d+: "):
            Database.from_text(text, name="bad.dbc")
    database = Database.from_text(text, name="bad.dbc", lenient=True)
    assert dropped(database) == expected
    assert database.message("Good").length == 8
    assert all("left out: " in each.text for each in database.problems)


def test_many_broken_statements_are_all_found() -> None:
    lines = DBC.splitlines(keepends=True)
    lines += [f'VAL_ {number} Flag 0 "off";\n' for number in range(100, 160)]
    lines += ["nonsense here;\n", 'BA_ "Nothing" 1;\n', "CM_ BO_ 16 no quotes;\n"]
    database = Database.from_text("".join(lines), name="bad.dbc", lenient=True)
    assert len(dropped(database)) >= 62
    assert [message.name for message in database.messages] == ["Good", "Other"]
    assert database.message("Good").cycle_time_ns == 10_000_000
    assert database.message("Other").signal("Flag").choices == {0: "off", 1: "on"}


def test_overlapping_signals_stay_readable_but_are_not_encoded() -> None:
    text = DBC.replace("8|16@1+", "4|16@1+")
    database = Database.from_text(text, name="bad.dbc", lenient=True)
    message = database.message("Good")
    assert message.codec.decode(b"\xff\x0f" + bytes(6)) == {"Level": 255, "Speed": 25.5}
    with pytest.raises(UsageError, match="cannot be encoded: signals Speed and Level overlap"):
        message.codec.encode({"Level": 0, "Speed": 0})
    with pytest.raises(
        InputError, match=r"^bad\.dbc:7: message Good: signals Speed and Level over"
    ):
        database.refuse_errors()


def test_a_signal_beyond_its_message_is_left_out_and_the_others_work() -> None:
    text = DBC.replace("8|16@1+", "56|16@1+")
    database = Database.from_text(text, name="bad.dbc", lenient=True)
    assert dropped(database) == [(7, "message Good, signal Speed")]
    assert database.message("Good").codec.encode({"Level": 3}) == b"\x03" + bytes(7)
    database.refuse_errors()


def test_a_lenient_database_pickles_as_such() -> None:
    database = Database.from_text(DBC.replace("8|16@1+", "4|16@1+"), name="x.dbc", lenient=True)
    assert pickle.loads(pickle.dumps(database)) is database


def test_lenient_loads_of_kcd_and_sym_leave_out_messages() -> None:
    kcd = Database.from_text(KCD, name="car.kcd", lenient=True)
    assert [message.name for message in kcd.messages] == ["Same", "Wide", "Same"]
    assert [line for line, _ in dropped(kcd)] == [9, 8]
    sym = Database.from_text(SYM, name="car.sym", lenient=True)
    assert [message.name for message in sym.messages] == ["Good"]
    assert [line for line, _ in dropped(sym)] == [12]


def test_what_nothing_can_be_left_out_of_is_refused() -> None:
    with pytest.raises(InputError, match=r"^x\.sym: not a valid SYM, even without what could be"):
        Database.from_text(SYM.replace("6.0", "5.0"), name="x.sym", lenient=True)
    with pytest.raises(InputError, match=r"^x\.kcd:1: not a valid KCD, even without what could be"):
        Database.from_text("no xml", name="x.kcd", lenient=True)


def test_a_signal_without_a_name_is_an_error() -> None:
    text = KCD.replace('name="Level"', "")
    database = Database.from_text(text, name="car.kcd", lenient=True)
    message = database.message("Same", bus="Front")
    with pytest.raises(InputError, match="message Same: a signal without a name"):
        database.refuse_errors()
    with pytest.raises(UsageError, match="Same cannot be decoded: a signal without a name"):
        message.codec.decode(bytes(2))


# ---- sizes ----


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("x.dbc", "BU_: A\nBO_ 1 X: 70000 A\n", r"x\.dbc:2: message length"),
        ("x.dbc", 'BO_ 1 X: 8 A\n SG_ S : 9999999|1@1+ (1,0) [0|0] "" A\n', r"x\.dbc:2: start bit"),
        ("x.dbc", "BO_ 1 X: 8 A\nSG_MUL_VAL_ 1 S M 0-4294967295;\n", r"x\.dbc:2: multiplexer val"),
        ("x.dbc", 'BA_DEF_ "N" INT 0 1;\nBA_ "N" 1e9999999;\n', r"x\.dbc:2: attribute"),
        ("x.sym", SYM.replace("Len=2", "Len=99999999"), r"x\.sym:8: length"),
        ("x.kcd", KCD.replace('length="2"', 'length="99999999"'), r"x\.kcd:5: length"),
    ],
)
def test_sizes_that_would_fill_the_memory_are_refused(name: str, text: str, place: str) -> None:
    with pytest.raises(InputError, match=f"^{place}.*: expected at most 65536 bytes, "):
        Database.from_text(text, name=name)


def test_a_part_number_that_looks_like_a_great_exponent_is_no_number() -> None:
    text = 'BU_: A\nBA_DEF_ "Part" STRING;\nBA_ "Part" "8E0907401";\nCM_ "1E99999";\n'
    assert Database.from_text(text, name="part.dbc").attributes == {"Part": "8E0907401"}


# ---- settings beside the database ----


def test_settings_beside_the_database_are_picked_up_and_travel_with_it(tmp_path: Path) -> None:
    file = tmp_path / "car.dbc"
    file.write_text(CODEC, encoding="utf-8")
    assert Database.load(file).message("Long").e2e is None
    settings = tmp_path / "car.protection.toml"
    settings.write_text('[e2e.messages.Empty]\nprofile = "P05"\ndata_id = 0x1234\n')
    database = Database.load(file)
    config = database.message("Empty").e2e
    assert config is not None
    assert (config.profile, config.data_id) == ("P05", 0x1234)
    assert pickle.loads(pickle.dumps(database)) is database
    elsewhere = tmp_path / "other.toml"
    elsewhere.write_text("[e2e]\n")
    assert Database.load(file, protection=elsewhere).message("Empty").e2e is None


def test_bad_settings_are_named_with_their_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^set\.toml:1: .*unknown message"):
        Database.from_text(
            CODEC, name="a.dbc", protection='[e2e.messages.No]\nprofile = "P05"\n',
            protection_name="set.toml",
        )  # fmt: skip
    wrong = '[e2e.messages.ExtendedId]\nprofile = "P05"\ndata_id = 1\n'
    database = Database.from_text(CODEC, name="a.dbc", protection=wrong, protection_name="set.toml")
    with pytest.raises(InputError, match=r"^set\.toml:\d+: message ExtendedId, "):
        database.refuse_errors()
    with pytest.raises(InputError, match=r"none\.toml: .*expected a readable TOML file"):
        Database.load(DATA / "codec.dbc", protection=tmp_path / "none.toml")


# ---- records ----


@pytest.mark.parametrize(
    ("text", "name"), [(DBC, "dbc"), (CODEC, "dbc"), (KCD, "kcd"), (SYM, "sym"), ("\n\nx", "kcd")]
)
def test_records_put_together_are_the_text_and_know_their_lines(text: str, name: str) -> None:
    records = records_of(text, name)
    assert text_without(records, []) == text
    lines = text.splitlines()
    for index, record in enumerate(records):
        if name in ("dbc", "sym"):
            assert lines[record.line - 1] == record.text.splitlines()[0]
        assert text_without(records, [index]).count("\n") == text.count("\n")


# ---- any text ----


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """`text` with a few stretches cut out, doubled, or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 30)))
        kind = draw(st.sampled_from(["cut", "double", "digits", "text", "swap"]))
        word = st.sampled_from(['"', ";", "\n", "\0", "BO_ ", "SG_ "]) | st.text(max_size=6)
        middle = {
            "cut": "",
            "double": text[at:end] * 2,
            "digits": draw(st.sampled_from(["0", "-1", "99999", "4294967295", "1e5", "1e400"])),
            "text": draw(word),
            "swap": text[at:end][::-1],
        }[kind]
        text = text[:at] + middle + text[end:]
    return text


@given(text=mutated(DBC) | mutated(CODEC), lenient=st.booleans())
def test_any_dbc_text_is_a_database_or_an_input_error(text: str, lenient: bool) -> None:
    use(text, "fuzz.dbc", lenient)


@given(text=mutated(KCD), lenient=st.booleans())
def test_any_kcd_text_is_a_database_or_an_input_error(text: str, lenient: bool) -> None:
    use(text, "fuzz.kcd", lenient)


@given(text=mutated(SYM), lenient=st.booleans())
def test_any_sym_text_is_a_database_or_an_input_error(text: str, lenient: bool) -> None:
    use(text, "fuzz.sym", lenient)


@given(text=st.text(), name=st.sampled_from(["x.dbc", "x.kcd", "x.sym", "x.arxml"]))
def test_no_text_at_all_crashes_a_lenient_load(text: str, name: str) -> None:
    use(text, name, True)


def use(text: str, name: str, lenient: bool) -> None:
    """Load, and use every codec that comes of it."""
    try:
        database = Database.from_text(text, name=name, lenient=lenient)
    except InputError as error:
        assert error.file == name
        return
    for message in database.messages:
        with suppress(UsageError):
            message.codec.decode(bytes(message.length), choices=True)
        try:
            data = message.codec.writer().write()
        except UsageError:
            assert message.defect or message.codec.is_multiplexed
            continue
        assert len(data) == message.length


def test_the_reference_interface_has_no_problems() -> None:
    text = dbc_path("chassis_fd.dbc").read_text("utf-8")
    assert Database.reference().problems == ()
    assert Database.from_text(text, name="chassis_fd.dbc", lenient=True).problems == ()


# ---- what lies nowhere ----


@pytest.mark.parametrize("order", ["1", "0"])
def test_a_signal_before_the_first_bit_makes_its_message_unusable(order: str) -> None:
    text = f'BU_: A\nBO_ 1 M: 8 A\n SG_ S : -1|8@{order}+ (1,0) [0|0] "" A\n'
    text += ' SG_ T : 8|8@1+ (1,0) [0|0] "" A\nBO_ 2 N: 8 A\n'
    for lenient in (False, True):
        database = Database.from_text(text, lenient=lenient)
        message = database.message("M")
        assert message.defect == "signal S: expected a start bit of 0 or more, got -1"
        assert message.is_undecodable and not database.message("N").defect
        with pytest.raises(InputError, match=r"^database\.dbc:2: message M: signal S: expected a "):
            database.refuse_errors()


def test_a_negative_length_makes_a_message_unusable() -> None:
    database = Database.from_text("BU_: A\nBO_ 1 M: -5 A\nBO_ 2 N: 8 A\n", lenient=True)
    assert database.message("M").length == 0
    with pytest.raises(InputError, match="message M: expected a length of 0 bytes or more, got -5"):
        database.refuse_errors()


def test_a_bit_rate_without_end_is_none() -> None:
    text = 'BU_: A\nBA_DEF_ "BaudrateCANFD" FLOAT 0 1e9;\nBA_ "BaudrateCANFD" 1e999;\n'
    assert Database.from_text(text).data_bps is None


@pytest.mark.parametrize("format_name", ["dbc", "kcd", "sym", "arxml"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_called_empty(format_name: str, text: str) -> None:
    for lenient in (False, True):
        with pytest.raises(
            InputError,
            match=r"^e: network database: expected a network description, got an empty file$",
        ):
            Database.from_text(text, name="e", format=format_name, lenient=lenient)


_NUMBERS = "0 1 -1 -5 7 8 63 64 65 255 -256 65536 4294967295 99999999999999999999 1e10 0.5 -0.5"
_NUMBERS += " 1e-300 1e300 -1e300 1e999 -1e999 nan inf -inf"


@pytest.mark.parametrize("seed", range(40))
def test_no_number_anywhere_in_a_file_makes_loading_crash(seed: int) -> None:
    random = Random(seed)
    text = CODEC
    for _ in range(random.choice([1, 2, 4])):
        places = list(re.finditer(r"(?<![A-Za-z_])-?\d+(\.\d+)?", text))
        place = random.choice(places)
        text = text[: place.start()] + random.choice(_NUMBERS.split()) + text[place.end() :]
    for lenient in (False, True):
        try:
            database = Database.from_text(text, lenient=lenient)
        except InputError:
            continue
        for message in database.messages:
            assert message.defect or len(message.codec.writer().write()) == message.length
