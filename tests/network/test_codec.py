"""The compiled codec: the same bits as cantools, the same numbers, and errors that say where."""

from __future__ import annotations

import copy
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import cantools.database
import numpy
import pytest
from cantools.database.errors import Error as CantoolsError
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import Choice, Database, Message, Signal
from simcore.resources import dbc_path

CODEC_DBC = Path(__file__).parent.parent / "data" / "codec.dbc"

DATABASES = [Database.load(CODEC_DBC), Database.reference()]
ORACLES: list[Any] = [
    cantools.database.load_file(CODEC_DBC),
    cantools.database.load_file(dbc_path("chassis_fd.dbc")),
]


def layout_of(message: Message) -> tuple[object, ...]:
    """What makes two messages the same to a codec."""
    signals = [
        (s.start_bit, s.length, s.byte_order, s.is_signed, s.scale, s.offset, s.minimum, s.maximum)
        for s in message.signals
    ]
    return (message.length, *signals, *(str(s.choices) for s in message.signals))


# The four brake actuators and the diagnostic frames look alike: one of each kind is enough.
PAIRS = list(
    {
        layout_of(message): (message, oracle.get_message_by_name(message.name))
        for database, oracle in zip(DATABASES, ORACLES, strict=True)
        for message in database.messages
    }.values()
)
pairs = pytest.mark.parametrize(
    ("message", "oracle"), PAIRS, ids=[message.name for message, _ in PAIRS]
)
IS_NIGHTLY = settings.get_current_profile_name() == "nightly"
few = settings(max_examples=settings.default.max_examples if IS_NIGHTLY else 30)
"""Of each message: there are dozens of them."""


def own(name: str) -> Message:
    return DATABASES[0].message(name)


def reference(name: str) -> Message:
    return DATABASES[1].message(name)


def bits(value: object) -> object:
    """`value` such that only equal bits of an equal type are equal."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
    return ("int", value) if isinstance(value, int) else ("text", str(value))


def outcome(function: Any, *arguments: Any, **options: Any) -> Any:
    """The result, or None where cantools or the codec refuses."""
    try:
        return function(*arguments, **options)
    except (CantoolsError, UsageError):
        return None


def payloads(message: Message) -> st.SearchStrategy[bytes]:
    """Random bytes, in multiplexed messages mostly with multiplexer numbers that exist."""
    length = message.length
    random_bytes = st.binary(min_size=length, max_size=length)
    if not any(signal.is_multiplexer for signal in message.signals):
        return random_bytes
    return st.builds(
        lambda data, first, second, at: bytes(
            first if i == at else second if i == at + 1 else byte for i, byte in enumerate(data)
        ),
        random_bytes,
        st.integers(0, 255).map(lambda n: n & 0x37),
        st.integers(0, 15),
        st.sampled_from([0, 1, 2, 3]),
    )


def is_finite(values: dict[str, Any]) -> bool:
    return all(not isinstance(value, float) or math.isfinite(value) for value in values.values())


@pairs
@few
@given(data=st.data())
def test_every_payload_decodes_as_in_cantools(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    payload = data.draw(payloads(message))
    expected = outcome(oracle.decode, payload, decode_choices=False)
    found = outcome(message.codec.decode, payload)
    if expected is None:
        assert found is None
        return
    assert list(found) == list(expected)
    assert {k: bits(v) for k, v in found.items()} == {k: bits(v) for k, v in expected.items()}


@pairs
@few
@given(data=st.data())
def test_every_payload_decodes_to_the_texts_of_cantools(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    payload = data.draw(payloads(message))
    expected = outcome(oracle.decode, payload)
    found = outcome(message.codec.decode, payload, choices=True)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert {k: bits(v) for k, v in found.items()} == {k: bits(v) for k, v in expected.items()}


@pairs
@few
@given(data=st.data())
def test_values_on_the_raw_grid_encode_as_in_cantools(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    values = outcome(message.codec.decode, data.draw(payloads(message)))
    if values is not None and is_finite(values):
        assert outcome(message.codec.encode, values) == outcome(oracle.encode, values)


@pairs
@few
@given(data=st.data())
def test_values_between_the_grid_encode_as_in_cantools(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    values = outcome(message.codec.decode, data.draw(payloads(message)))
    if values is None or not is_finite(values):
        return
    for name in values:
        signal = message.signal(name)
        if not signal.is_multiplexer and not signal.is_float and signal.length < 60:
            steps = data.draw(st.floats(-1.5, 1.5) | st.sampled_from([-0.5, 0.5, 1e-7, -1e-7]))
            nudged = values[name] + steps * abs(signal.scale)
            lowest, highest = signal.raw_limits
            if lowest <= signal.to_raw(nudged) <= highest:
                values[name] = nudged
    assert outcome(message.codec.encode, values) == outcome(oracle.encode, values)


@pairs
def test_limits_and_their_tolerance_are_those_of_cantools(message: Message, oracle: Any) -> None:
    values = message.codec.decode(message.codec.writer().write())
    tried = 0
    for name in values:
        signal = message.signal(name)
        for limit in (signal.minimum, signal.maximum):
            if limit is None or signal.is_multiplexer:
                continue
            step = abs(signal.scale)
            for nudge in (0, -0.9e-6, 0.9e-6, -2e-6, 2e-6, -1, 1):
                value = limit + nudge * step
                raw, (lowest, highest) = signal.to_raw(value), signal.raw_limits
                if lowest <= raw <= highest:
                    changed = {**values, name: value}
                    ours = outcome(message.codec.encode, changed)
                    assert ours == outcome(oracle.encode, changed), (name, value)
                    tried += 1
    assert tried > 0 or message.name in ("Empty", "Long") or message.name.startswith("DIAG")


@pairs
@few
@given(data=st.data())
def test_texts_encode_as_in_cantools(message: Message, oracle: Any, data: st.DataObject) -> None:
    payload = data.draw(payloads(message))
    values = outcome(message.codec.decode, payload, choices=True)
    if values is None or not is_finite(values):
        return
    assert outcome(message.codec.encode, values) == outcome(oracle.encode, values)
    theirs = oracle.decode(payload)
    assert outcome(message.codec.encode, theirs) == outcome(oracle.encode, theirs)


@pairs
@few
@given(data=st.data())
def test_readers_read_what_decode_returns(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    payload = data.draw(payloads(message))
    decoded = outcome(message.codec.decode, payload)
    if not decoded:
        return
    names = data.draw(st.lists(st.sampled_from(sorted(decoded)), min_size=1, max_size=5))
    values = message.codec.reader(*names).read(payload)
    assert [bits(v) for v in values] == [bits(decoded[name]) for name in names]
    raws = message.codec.raw_reader(*names).read(payload)
    for name, raw, expected in zip(names, raws, values, strict=True):
        signal = message.signal(name)
        assert bits(signal.to_physical(raw)) == bits(expected)
        theirs = oracle.decode(payload, scaling=False, decode_choices=False)
        assert bits(raw) == bits(theirs[name])


@pairs
@few
@given(data=st.data())
def test_writers_write_what_encode_returns(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    values = outcome(message.codec.decode, data.draw(payloads(message)))
    if not values or not is_finite(values) or outcome(message.codec.encode, values) is None:
        return
    names = data.draw(st.permutations(sorted(values)))
    write = message.codec.writer(*names).write
    assert write(*(values[name] for name in names)) == oracle.encode(values)


@pytest.mark.parametrize("database", DATABASES, ids=["own", "reference"])
def test_a_writer_sends_start_values_for_all_other_signals(database: Database) -> None:
    for message in database.messages:
        data = message.codec.writer().write()
        for name, value in message.codec.decode(data).items():
            assert bits(value) == bits(message.signal(name).start_value), (message, name)


def test_a_writer_changes_only_its_signals() -> None:
    message = own("IntelAcross")
    before = message.codec.decode(message.codec.writer().write())
    after = message.codec.decode(message.codec.writer("Signed20", "FlagA").write(-0.125, 1))
    assert before["Across13"] == 4660
    assert after == {**before, "Signed20": -0.125, "FlagA": 1}


def test_unused_bits_are_zero() -> None:
    values = {"Gear": 0, "Quality": 0, "Direction": 0, "Speed": 0, "Level": 0, "Wide": 0}
    assert own("Texts").codec.encode(values) == bytes(6)


def test_whole_results_stay_int_and_scaled_ones_are_float() -> None:
    decoded = own("MotorolaAcross").codec.decode(bytes(8))
    assert type(decoded["Big13"]) is int
    assert decoded["Big13"] == -100
    assert type(decoded["BigFraction7"]) is float


def test_halves_round_to_even() -> None:
    codec = own("IntelAcross").codec
    write = codec.writer("Across13").write
    read = codec.reader("Across13").read
    assert [read(write(value))[0] for value in (0.5, 1.5, 2.5, 3.5)] == [0, 2, 2, 4]


@pytest.mark.parametrize("number", [numpy.float64(12.5), numpy.int64(7), numpy.uint8(90), True])
def test_foreign_number_types_give_the_bits_of_the_same_python_number(number: Any) -> None:
    plain = float(number) if isinstance(number, float) else int(number)
    write = reference("CDC_EmbCmd").codec.writer("CDC_FL_FReq", "CDC_FR_FSlope").write
    assert write(number, number) == write(plain, plain)
    write = reference("EMB_FL_St1").codec.writer("EMB_FL_FAct", "EMB_FL_Pos").write
    assert write(number, number) == write(plain, plain)
    write = own("MotorolaAcross").codec.writer("Big13").write
    assert write(number) == write(plain)


def test_a_value_with_a_text_may_lie_outside_the_range() -> None:
    message = own("Texts")
    write = message.codec.writer("Wide", "Gear").write
    assert message.codec.decode(write(65535, 7), choices=True)["Wide"] == "SNA"
    assert write(65535, 7) == write("SNA", "SNA")


# ---- refusals ----


def test_out_of_range_names_message_signal_limits_and_unit() -> None:
    message = reference("CDC_EmbCmd")
    values = message.codec.decode(message.codec.writer().write())
    text = r"^message 0x060 CDC_EmbCmd, signal CDC_FL_FReq: expected 0\.\.65000 N, got 70000 N$"
    with pytest.raises(UsageError, match=text):
        message.codec.encode({**values, "CDC_FL_FReq": 70000})
    with pytest.raises(UsageError, match=text):
        message.codec.writer("CDC_FL_FReq").write(70000)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("IntelAcross", "FlagA"),
        ("IntelAcross", "Across13"),
        ("IntelAcross", "Fraction7"),
        ("Floats", "Single"),
        ("Floats", "DoubleScaled"),
        ("Long", "Quad0"),
    ],
)
def test_nan_and_infinity_are_refused(name: str, signal: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"signal {signal}: expected .*got {value}"):
        own(name).codec.writer(signal).write(value)


def test_a_value_that_does_not_fit_the_bits_is_refused_even_without_limits() -> None:
    write = own("Long").codec.writer("Quad0").write
    assert write(2**64 - 1)[:8] == b"\xff" * 8
    with pytest.raises(UsageError, match=r"signal Quad0: expected 0\.\.18446744073709551615, got"):
        write(2**64)
    with pytest.raises(UsageError, match=r"signal Quad0: expected 0.*got -1$"):
        write(-1)
    with pytest.raises(UsageError, match=r"signal Single: expected -3\.40.*m, got 1e\+39 m"):
        own("Floats").codec.writer("Single").write(1e39)


def test_missing_and_unknown_signals_are_named() -> None:
    message = own("Texts")
    values = message.codec.decode(bytes(6))
    lacking = {name: value for name, value in values.items() if name not in ("Gear", "Wide")}
    with pytest.raises(UsageError, match=r"0x105 Texts: expected a value .*none for Gear, Wide"):
        message.codec.encode(lacking)
    with pytest.raises(UsageError, match=r"expected only its own .*got also Gaer, Weit"):
        message.codec.encode({**values, "Gaer": 1, "Weit": 2})
    with pytest.raises(UsageError, match="none for Gear"):
        message.codec.encode({**values, "Gear": None})


@pytest.mark.parametrize("value", ["Sideways", b"Drive", [1], object()])
def test_what_is_no_number_and_no_text_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"0x105 Texts, signal Gear: expected .*got "):
        own("Texts").codec.writer("Gear").write(value)
    with pytest.raises(UsageError, match=r"0x105 Texts, signal Speed: expected .*got "):
        own("Texts").codec.writer("Speed").write(value)


def test_an_unknown_text_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="signal Quality: expected 'Init', 'Ok', 'Bad', got 'No'"):
        own("Texts").codec.writer("Quality").write("No")


@pytest.mark.parametrize("length", [0, 5, 7, 64])
def test_data_of_another_length_is_refused_with_both_lengths(length: int) -> None:
    codec = own("Texts").codec
    for decode in (codec.decode, codec.reader("Gear").read, codec.raw_reader("Gear").read):
        with pytest.raises(UsageError, match=f"0x105 Texts: expected 6 bytes, got {length} bytes"):
            decode(bytes(length))
    with pytest.raises(UsageError, match=f"expected 8 bytes, got {length} bytes"):
        own("Multiplexed").codec.decode(bytes(length))


def test_reader_and_writer_refuse_unknown_doubled_and_no_signals() -> None:
    codec = own("Texts").codec
    with pytest.raises(UsageError, match="unknown signal 'Gera': did you mean 'Gear'"):
        codec.reader("Gera")
    with pytest.raises(UsageError, match="unknown signal 'Gera': did you mean 'Gear'"):
        codec.writer("Gera")
    with pytest.raises(UsageError, match="writer: expected each signal once"):
        codec.writer("Gear", "Gear")
    with pytest.raises(UsageError, match="reader: expected a signal, got none"):
        codec.reader()


# ---- multiplexing ----


def test_an_unknown_multiplexer_number_is_refused_in_both_directions() -> None:
    codec = own("Multiplexed").codec
    with pytest.raises(UsageError, match="multiplexer Page: expected one of 0, 1, 5, got 3"):
        codec.decode(bytes([0, 3, 0, 0, 0, 0, 0, 0]))
    with pytest.raises(UsageError, match="multiplexer Page: expected one of 0, 1, 5, got 3"):
        codec.encode({"Common": 0, "Page": 3, "Tail": 0})
    with pytest.raises(UsageError, match=r"multiplexer Page: expected a whole number, got 0\.5"):
        codec.encode({"Common": 0, "Page": 0.5, "Tail": 0, "PageZero": 0})
    with pytest.raises(UsageError, match=r"none for Page$"):
        codec.encode({"Common": 0, "Tail": 0})


def test_signals_of_another_page_are_refused() -> None:
    codec = own("Multiplexed").codec
    page_five = {"Common": 1, "Page": 5, "PageFive": 3, "Tail": -1}
    assert codec.decode(codec.encode(page_five)) == page_five
    with pytest.raises(UsageError, match="got also PageZero"):
        codec.encode({**page_five, "PageZero": 1.0})
    with pytest.raises(UsageError, match="signal PageZero: expected Page one of 0, got 5"):
        codec.reader("PageZero").read(codec.encode(page_five))
    with pytest.raises(UsageError, match="signal PageZero: not present with Page = 5"):
        codec.writer("Page", "PageZero").write(5, 1.0)


def test_nested_multiplexers_depend_on_the_outer_one() -> None:
    codec = own("ExtendedMultiplexed").codec
    values = {"Outer": 2, "Inner": 6, "InnerMany": -3.5, "Other": 3, "OtherThree": 999}
    data = codec.encode(values)
    assert codec.decode(data) == values
    assert codec.reader("InnerMany").read(data) == (-3.5,)
    outside = codec.encode({"Outer": 6, "OuterRange": 17, "Other": 0, "OtherZero": 4})
    assert codec.reader("OuterRange").read(outside) == (17,)
    with pytest.raises(UsageError, match="signal InnerMany: expected Outer one of 2, got 6"):
        codec.reader("InnerMany").read(outside)


SCALED_PAGES = """BU_: A
BO_ 1 Mux: 2 A
 SG_ Page M : 0|8@1+ (0.5,%s) [0|0] "" A
 SG_ One m2 : 8|8@1+ (1,0) [0|0] "" A
 SG_ Two m3 : 8|4@1+ (1,0) [0|0] "" A
VAL_ 1 Page 3 "three" 9 "nine";
"""


@pytest.mark.parametrize("offset", ["0", "1", "-2"])
def test_a_scaled_multiplexer_selects_by_the_whole_part_of_its_value(offset: str) -> None:
    text = SCALED_PAGES % offset
    message = Database.from_text(text, name="mux.dbc").message("Mux")
    oracle: Any = cantools.database.load_string(text, "dbc").messages[0]
    met = set()
    for raw in range(256):
        data = bytes([raw, 7])
        for choices in (False, True):
            for scaling in (False, True):
                found = outcome(message.codec.decode, data, choices=choices, scaling=scaling)
                assert found == outcome(
                    oracle.decode, data, decode_choices=choices, scaling=scaling
                )
                if found is None:
                    continue
                met.add(tuple(found))
                expected = outcome(oracle.encode, found, scaling=scaling)
                assert outcome(message.codec.encode, found, scaling=scaling) == expected
    assert {("Page",), ("Page", "One"), ("Page", "Two")} <= met


def test_a_multiplexer_that_is_no_number_is_refused() -> None:
    text = (
        'BU_: A\nBO_ 1 Mux: 8 A\n SG_ Page M : 0|32@1- (1,0) [0|0] "" A\n'
        ' SG_ One m2 : 32|8@1+ (1,0) [0|0] "" A\nSIG_VALTYPE_ 1 Page : 1;\n'
    )
    codec = Database.from_text(text, name="mux.dbc").message("Mux").codec
    assert codec.decode(struct.pack("<f", 2.0) + bytes(4)) == {"Page": 2.0, "One": 0}
    with pytest.raises(UsageError, match=r"multiplexer Page: expected a number, got nan"):
        codec.decode(struct.pack("<f", math.nan) + bytes(4))


def test_a_signal_that_no_multiplexer_selects_is_on_no_page() -> None:
    text = (
        'BU_: A\nBO_ 1 Mux: 2 A\n SG_ A M : 0|4@1+ (1,0) [0|0] "" A\n'
        ' SG_ B m0M : 4|4@1+ (1,0) [0|0] "" A\n SG_ C m0 : 8|8@1+ (1,0) [0|0] "" A\n'
        "SG_MUL_VAL_ 1 C B 1-1;\nSG_MUL_VAL_ 1 B C 0-0;\n"
    )
    codec = Database.from_text(text, name="mux.dbc").message("Mux").codec
    assert codec.decode(b"\0\0") == {"A": 0}
    with pytest.raises(UsageError, match=r"0x001 Mux, signal C: on no page: B does not select it"):
        codec.reader("C")


def test_a_multiplexer_starts_on_a_page() -> None:
    text = (
        'BU_: A\nBO_ 1 Mux: 2 A\n SG_ Page M : 0|8@1+ (1,0) [0|0] "" A\n'
        ' SG_ One m7 : 8|8@1+ (1,0) [0|0] "" A\n SG_ Two m5 : 8|8@1+ (1,0) [0|0] "" A\n'
    )
    codec = Database.from_text(text, name="mux.dbc").message("Mux").codec
    assert codec.writer().write() == b"\x05\0"
    assert codec.writer("Page", "One").write(7, 3) == b"\x07\x03"


# ---- texts, raw values, padding ----


def test_texts_know_their_raw_value() -> None:
    decoded = own("Texts").codec.decode(bytes([3, 0, 0, 0, 0xFF, 0xFF]), choices=True)
    assert (decoded["Gear"], decoded["Gear"].value) == ("Drive", 3)
    assert (decoded["Wide"].name, decoded["Wide"].value) == ("SNA", 65535)
    assert type(decoded["Wide"].name) is str
    again = pickle.loads(pickle.dumps(decoded["Gear"]))
    assert (type(again), again, again.value) == (Choice, "Drive", 3)
    assert copy.deepcopy(decoded["Gear"]) is copy.copy(decoded["Gear"]) is decoded["Gear"]
    assert own("Texts").codec.encode({**decoded, "Quality": 0}) == bytes([3, 0, 0, 0, 255, 255])


def test_raw_values_are_checked_against_the_range_of_their_physical_value() -> None:
    codec = own("Texts").codec
    raws = codec.decode(bytes(6), scaling=False)
    assert codec.encode({**raws, "Speed": 4000}, scaling=False)[1:3] == b"\xa0\x0f"
    with pytest.raises(
        UsageError, match=r"signal Speed: expected 0\.\.400 km/h, given raw, got 4001 raw$"
    ):
        codec.encode({**raws, "Speed": 4001}, scaling=False)
    assert codec.encode({**raws, "Speed": "SNA"}, scaling=False)[1:3] == b"\xff\x0f"
    with pytest.raises(UsageError, match=r"signal Gear: expected 0\.\.4, given raw, got 8 raw$"):
        codec.encode({**raws, "Gear": 8}, scaling=False)


def test_a_raw_writer_writes_what_a_raw_reader_reads() -> None:
    codec = own("Texts").codec
    data = codec.raw_writer("Speed", "Level").write(3999, -250)
    assert codec.raw_reader("Speed", "Level").read(data) == (3999, -250)
    assert codec.reader("Speed").read(data) == (399.90000000000003,)
    writer = pickle.loads(pickle.dumps(codec.raw_writer("Speed", "Level")))
    assert writer is codec.raw_writer("Speed", "Level")
    pages = own("Multiplexed").codec
    data = pages.raw_writer("Page", "PageZero").write(0, 65535)
    assert pages.raw_reader("PageZero").read(data) == (65535,)


@pairs
@few
@given(data=st.data())
def test_padding_sets_the_bits_that_no_signal_has(
    message: Message, oracle: Any, data: st.DataObject
) -> None:
    values = outcome(message.codec.decode, data.draw(payloads(message)))
    if values is None or not is_finite(values):
        return
    found = outcome(message.codec.encode, values, padding=True)
    assert found == outcome(oracle.encode, values, padding=True)
    if found is not None:
        assert message.codec.decode(found) == values


def test_overwriting_goes_beyond_the_range_and_leaves_all_else() -> None:
    codec = own("Texts").codec
    data = bytes(range(10, 16))
    changed = codec.overwrite_raw(data, {"Speed": 4001, "Level": -512})
    assert codec.raw_reader("Speed", "Level").read(changed) == (4001, -512)
    before, after = (codec.decode(each, scaling=False) for each in (data, changed))
    assert {**before, "Speed": 4001, "Level": -512} == after
    assert own("Floats").codec.overwrite_raw(bytes(32), {"Single": math.inf})[:4] == struct.pack(
        "<f", math.inf
    )


@pytest.mark.parametrize(
    ("signal", "raw", "text"),
    [
        ("Speed", 4096, r"signal Speed: expected 0\.\.4095 raw, got 4096 raw"),
        ("Level", -513, r"signal Level: expected -512\.\.511 raw, got -513 raw"),
        ("Level", 1.0, r"signal Level: expected a whole number, raw, got 1\.0"),
        ("Level", True, r"signal Level: expected a whole number, raw, got True"),
        ("Levels", 1, r"unknown signal 'Levels': did you mean 'Level'"),
    ],
)
def test_overwriting_refuses_what_does_not_fit_the_bits(signal: str, raw: float, text: str) -> None:
    with pytest.raises(UsageError, match=f"0x105 Texts.*{text}"):
        own("Texts").codec.overwrite_raw(bytes(6), {signal: raw})
    with pytest.raises(UsageError, match="0x105 Texts: expected 6 bytes, got 5 bytes"):
        own("Texts").codec.overwrite_raw(bytes(5), {})


# ---- sharing ----


@pairs
def test_codecs_survive_pickling_and_are_shared_by_copies(message: Message, oracle: Any) -> None:
    codec = message.codec
    assert pickle.loads(pickle.dumps(codec)) is codec
    assert copy.deepcopy(codec) is codec
    assert copy.copy(codec) is codec
    writer = codec.writer()
    assert copy.deepcopy(writer) is writer
    assert pickle.loads(pickle.dumps(writer)).write() == writer.write()


def test_readers_and_writers_are_shared_by_copies_and_pickle_as_recipes() -> None:
    codec = reference("CDC_EmbCmd").codec
    data = codec.writer("CDC_FL_FReq").write(1234)
    reader = codec.raw_reader("CDC_FL_FReq", "E2E_Cnt")
    again = pickle.loads(pickle.dumps(reader))
    assert again.read(data) == reader.read(data) == (1234, 0)
    assert again.is_raw
    assert copy.deepcopy(reader) is reader
    writer = pickle.loads(pickle.dumps(codec.writer("CDC_FL_FReq")))
    assert writer.write(1234) == data


def test_the_source_is_kept_for_reading() -> None:
    codec = reference("CDC_EmbCmd").codec
    assert "def encode(values, " in codec.source
    assert "def decode(data" in codec.source
    assert "CDC_FR_FReq" not in codec.reader("E2E_Cnt").source


def test_signal_names_that_are_words_of_the_generated_code_do_no_harm() -> None:
    names = ["data", "values", "round", "class", "found", "raw", "A", "A_3", "_3", "signal_0"]
    lines = [
        f' SG_ {name} : {i * 11}|11@1+ (0.5,0) [0|1023.5] "" X' for i, name in enumerate(names)
    ]
    text = "BU_: X\nBO_ 1 Words: 20 X\n" + "\n".join(lines) + "\n"
    message = Database.from_text(text, name="words.dbc").message("Words")
    values = {name: (i * 37 % 1024) / 2 for i, name in enumerate(names)}
    data = message.codec.encode(values)
    assert message.codec.decode(data) == values
    oracle: Any = cantools.database.load_string(text, "dbc")
    assert data == oracle.encode_message("Words", values)


def test_every_single_bit_belongs_to_the_signal_the_layout_names() -> None:
    message = own("MixedOrders")
    owner: dict[int, str] = {}
    for bit in range(8 * message.length):
        data = (1 << bit).to_bytes(message.length, "little")
        zero = message.codec.decode(bytes(message.length))
        changed = [k for k, v in message.codec.decode(data).items() if v != zero[k]]
        assert len(changed) <= 1
        if changed:
            owner[bit] = changed[0]
    counted: dict[str, int] = {}
    for name in owner.values():
        counted[name] = counted.get(name, 0) + 1
    signals: tuple[Signal, ...] = message.signals
    assert counted == {signal.name: signal.length for signal in signals}
