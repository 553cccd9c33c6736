"""Batches: the values of the scalar codec, bit for bit, for every kind of signal."""

from __future__ import annotations

import copy
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.batch import BatchDecoder
from simcore.network.batch_columns import BLOCK_ROWS

CODEC_DBC = Path(__file__).parent.parent / "data" / "codec.dbc"
OWN = Database.load(CODEC_DBC)


def layout_of(message: Message) -> tuple[object, ...]:
    """What makes two messages the same to a codec."""
    signals = [
        (s.start_bit, s.length, s.byte_order, s.is_signed, s.scale, s.offset)
        for s in message.signals
    ]
    return (message.length, *signals, *(str(s.choices) for s in message.signals))


# The four brake actuators and the diagnostic frames look alike: one of each kind is enough.
MESSAGES = list({layout_of(m): m for m in (*OWN.messages, *Database.reference().messages)}.values())
messages = pytest.mark.parametrize("message", MESSAGES, ids=[each.name for each in MESSAGES])


def bits(value: object) -> object:
    """`value` such that only equal bits of an equal type are equal."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
    return ("int", value) if isinstance(value, int) else ("text", str(value))


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns, frame by frame, without what is not present."""
    lists = {name: column.tolist() for name, column in columns.items()}
    count = len(next(iter(lists.values()), []))
    masks = {
        name: np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
        for name, column in columns.items()
    }
    return [
        {
            name: bits(values[row])
            for name, values in lists.items()
            if (mask := masks[name]) is None or not mask[row]
        }
        for row in range(count)
    ]


def scalar(message: Message, data: bytes, **options: Any) -> dict[str, Any] | None:
    try:
        found = message.codec.decode(data, **options)
    except UsageError:
        return None
    return {name: bits(value) for name, value in found.items()}


def array_of(message: Message, frames: list[bytes]) -> Any:
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), message.length)


def frames_of(message: Message) -> st.SearchStrategy[list[bytes]]:
    length = message.length
    extreme = st.sampled_from([bytes(length), b"\xff" * length, b"\x80" * length])
    return st.lists(st.binary(min_size=length, max_size=length) | extreme, max_size=20)


MODES: list[tuple[dict[str, bool], dict[str, bool]]] = [
    ({}, {}),
    ({"raw": True}, {"scaling": False}),
    ({"choices": True}, {"choices": True}),
]
"""Options of a batch, and of the scalar codec for the same."""


def assert_same(message: Message, frames: list[bytes]) -> None:
    decoder = BatchDecoder(message)
    data = array_of(message, frames)
    for mode, scalar_mode in MODES:
        expected = [scalar(message, frame, **scalar_mode) for frame in frames]
        refused = decoder.refused(data, **mode)
        assert refused.tolist() == [row is None for row in expected]
        if message.signals:
            wanted = [row for row in expected if row is not None]
            assert rows_of(decoder.decode(data[~refused], **mode)) == wanted


@messages
@given(data=st.data())
def test_every_batch_decodes_as_the_scalar_codec_does(
    message: Message, data: st.DataObject
) -> None:
    assert_same(message, data.draw(frames_of(message)))


# ---- signals nobody has written down ----

FORMS = ("unsigned", "signed", "float")


@st.composite
def signal_lines(draw: st.DrawFn, name: str, length: int) -> tuple[str, str]:
    """One signal anywhere in `length` bytes, as DBC text: its line, and that of its float type."""
    form = draw(st.sampled_from(FORMS))
    sizes = [bits for bits in (16, 32, 64) if bits <= 8 * length]
    if form == "float" and not sizes:
        form = "signed"
    size = draw(st.sampled_from(sizes) if form == "float" else st.integers(1, min(64, 8 * length)))
    first = draw(st.integers(0, 8 * length - size))
    big = draw(st.booleans())
    start = 8 * (first // 8) + 7 - first % 8 if big else first
    scale = draw(
        st.sampled_from(["1", "2", "-3", "0.5", "0.1", "-0.001", "1e-9", "4294967296", "1e30"])
    )
    offset = draw(st.sampled_from(["0", "-40", "0.5", "1e-3", "9007199254740993", "-273.15"]))
    order, sign = ("0" if big else "1"), ("+" if form == "unsigned" else "-")
    line = f' SG_ {name} : {start}|{size}@{order}{sign} ({scale},{offset}) [0|0] "" B'
    kind = {16: 3, 32: 1, 64: 2}[size] if form == "float" else 0
    return line, f"SIG_VALTYPE_ 256 {name} : {kind};" if kind in (1, 2) else ""


def database_of(length: int, lines: list[str], extra: list[str]) -> Database:
    text = "\n".join(
        ['VERSION ""', "NS_ :", "BS_:", "BU_: A B", f"BO_ 256 Any: {length} A", *lines, *extra, ""]
    )
    return Database.from_text(text)


@given(data=st.data(), length=st.sampled_from([1, 2, 3, 5, 7, 8, 9, 12, 16, 20, 24, 33, 48, 64]))
def test_every_signal_there_can_be_decodes_as_the_scalar_codec_does(
    data: st.DataObject, length: int
) -> None:
    line, extra = data.draw(signal_lines("Value", length))
    message = database_of(length, [line], [extra]).message("Any")
    assert_same(message, data.draw(frames_of(message)))


@given(data=st.data())
def test_every_tree_of_multiplexers_decodes_as_the_scalar_codec_does(data: st.DataObject) -> None:
    numbers = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(sorted)
    outer, inner, leaf = data.draw(numbers), data.draw(numbers), data.draw(numbers)
    lines = [
        ' SG_ Outer M : 0|2@1+ (1,0) [0|0] "" B',
        f' SG_ Inner m{outer[0]}M : 9|2@0+ (1,0) [0|0] "" B',
        f' SG_ Leaf m{leaf[0]} : 16|13@1- (0.1,0) [0|0] "" B',
        f' SG_ Page m{inner[0]} : 32|7@1+ (1,0) [0|0] "" B',
    ]
    extra = [
        _ranges("Inner", "Outer", outer),
        _ranges("Leaf", "Inner", leaf),
        _ranges("Page", "Outer", inner),
    ]
    message = database_of(8, lines, extra).message("Any")
    assert message.signal("Leaf").multiplexer_signal == "Inner"
    assert_same(message, data.draw(frames_of(message)))


@given(data=st.data())
def test_scaled_multiplexers_select_as_those_of_the_scalar_codec_do(data: st.DataObject) -> None:
    scale = data.draw(st.sampled_from(["2", "0.5", "-1", "0.1"]))
    offset = data.draw(st.sampled_from(["0", "1", "-0.5"]))
    length = data.draw(st.sampled_from([3, 8, 20, 32]))
    form = data.draw(st.sampled_from(["+", "-", "float"]))
    lines = [
        f" SG_ Page M : 0|{32 if form == 'float' else length}@1{form[-1].replace('t', '-')} "
        f'({scale},{offset}) [0|0] "" B',
        ' SG_ One m1 : 32|8@1+ (1,0) [0|0] "" B',
        ' SG_ Two m2 : 32|16@1- (0.1,0) [0|0] "" B',
    ]
    texts = 'VAL_ 256 Page 1 "first" 3 "third" -1 "none";'
    extra = [texts, "SIG_VALTYPE_ 256 Page : 1;" if form == "float" else ""]
    message = database_of(8, lines, extra).message("Any")
    raws = st.integers(-4, 7).map(
        lambda n: struct.pack("<f", n / 2) if form == "float" else struct.pack("<i", n)
    )
    frames = st.lists(st.builds(bytes.__add__, raws, st.binary(min_size=4, max_size=4)))
    assert_same(message, data.draw(frames))
    assert_same(message, data.draw(frames_of(message)))


def test_signals_of_one_name_on_different_pages_share_a_column() -> None:
    lines = [
        ' SG_ Page M : 0|2@1+ (1,0) [0|0] "" B',
        ' SG_ Value m0 : 8|8@1+ (1,0) [0|0] "" B',
        ' SG_ Value m1 : 8|16@1- (0.5,0) [0|0] "" B',
    ]
    message = database_of(4, lines, []).message("Any")
    assert len(message.signals) == 3
    frames = [bytes([0, 7, 0, 0]), bytes([1, 255, 255, 0]), bytes([0, 9, 1, 1])]
    assert_same(message, frames)
    column = BatchDecoder(message, ["Value"]).decode(array_of(message, frames))["Value"]
    assert [bits(value) for value in column.tolist()] == [bits(7), bits(-0.5), bits(9)]


@given(data=st.data())
def test_signals_of_more_than_64_bits_decode_as_the_scalar_codec_does(data: st.DataObject) -> None:
    order = data.draw(st.sampled_from(["7|{}@0", "3|{}@1"]))
    sign = data.draw(st.sampled_from("+-"))
    scale = data.draw(st.sampled_from(["(1,0)", "(2,-7)", "(0.5,0)"]))
    size = data.draw(st.integers(65, 120))
    line = f' SG_ Value : {order.format(size)}{sign} {scale} [0|0] "" B'
    message = database_of(16, [line], []).message("Any")
    assert_same(message, data.draw(frames_of(message)))


def test_a_message_the_codec_cannot_decode_is_refused() -> None:
    line = ' SG_ Value : 0|8@1+ (1,0) [0|0] "" B'
    other = ' SG_ Value : 8|8@1+ (1,0) [0|0] "" B'
    text = "\n".join(['VERSION ""', "BU_: A B", "BO_ 256 Any: 4 A", line, other, ""])
    message = Database.from_text(text, lenient=True).message("Any")
    with pytest.raises(UsageError, match=r"^message 0x100 Any cannot be decoded: two signals of"):
        BatchDecoder(message)


def _ranges(name: str, multiplexer: str, numbers: list[int]) -> str:
    listed = ", ".join(f"{number}-{number}" for number in numbers)
    return f"SG_MUL_VAL_ 256 {name} {multiplexer} {listed};"


@pytest.mark.parametrize("scaling", ["(3,0.5)", "(-3,0.5)", "(3.0,0.5)", "(0.1,7)", "(3,-7)"])
@pytest.mark.parametrize("sign", "+-")
def test_64_bits_are_scaled_and_rounded_as_the_scalar_codec_does(scaling: str, sign: str) -> None:
    line = f' SG_ Value : 0|64@1{sign} {scaling} [0|0] "" B'
    message = database_of(8, [line], []).message("Any")
    numbers = [2**64 - 1, 2**63 + 1025, 2**63 - 511, 2**62 + 257, 2**54 + 3, 2**53 + 1, 5**27]
    assert_same(message, [number.to_bytes(8, "little") for number in numbers])


def test_all_64_bits_survive() -> None:
    message = OWN.message("Long")
    frames = [b"\xff" * message.length, bytes(range(message.length))]
    column = BatchDecoder(message, ["Quad0"]).decode(array_of(message, frames))["Quad0"]
    assert column.dtype == np.uint64
    assert column.tolist() == [2**64 - 1, int.from_bytes(bytes(range(8)), "little")]


def test_whole_numbers_beyond_64_bits_are_python_integers() -> None:
    line = ' SG_ Value : 0|64@1+ (2,-1) [0|0] "" B'
    message = database_of(8, [line], []).message("Any")
    column = BatchDecoder(message).decode(array_of(message, [b"\xff" * 8]))["Value"]
    assert column.dtype == object
    assert column.tolist() == [2 * (2**64 - 1) - 1]


@pytest.mark.parametrize(
    ("name", "signal", "dtype"),
    [
        ("IntelAcross", "Across13", np.int64),
        ("IntelAcross", "Signed11", np.int64),
        ("IntelAcross", "Fraction7", np.float64),
        ("MotorolaAcross", "Big13", np.int64),
        ("Floats", "Single", np.float64),
        ("Long", "Quad0", np.uint64),
    ],
)
def test_the_type_of_a_column_follows_from_its_signal(name: str, signal: str, dtype: type) -> None:
    message = OWN.message(name)
    for rows in (0, 3):
        data = np.zeros((rows, message.length), np.uint8)
        column = BatchDecoder(message).decode(data)[signal]
        assert column.dtype == dtype
        assert column.shape == (rows,)


@pytest.mark.parametrize("rows", [BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 7])
@pytest.mark.parametrize("name", ["MixedOrders", "Multiplexed"])
def test_blocks_join_without_a_seam(name: str, rows: int) -> None:
    message = OWN.message(name)
    row = np.arange(rows, dtype=np.uint64)
    data = (
        row[:, None] * np.uint64(2654435761) >> np.arange(message.length, dtype=np.uint64)
    ).astype(np.uint8)
    data[:, 1] &= 1
    decoder = BatchDecoder(message)
    whole = rows_of(decoder.decode(data))
    for at in (0, BLOCK_ROWS - 2, rows - 1):
        assert whole[at] == scalar(message, data[at].tobytes())
    assert len(whole) == rows


def test_chosen_names_come_in_their_order_and_alone() -> None:
    message = OWN.message("Multiplexed")
    found = BatchDecoder(message, ["Tail", "PageZero"]).decode(np.zeros((2, 8), np.uint8))
    assert list(found) == ["Tail", "PageZero"]
    assert found["PageZero"].tolist() == [0.0, 0.0]


def test_what_is_not_selected_is_masked_and_says_nothing() -> None:
    message = OWN.message("Multiplexed")
    frames = [bytes([7, 0, 1, 1, 0, 0, 0, 0]), bytes([7, 1, 1, 1, 0, 0, 0, 0])]
    found: dict[str, Any] = BatchDecoder(message).decode(array_of(message, frames))
    assert isinstance(found["PageZero"], np.ma.MaskedArray)
    assert found["PageZero"].mask.tolist() == [False, True]
    assert math.isnan(found["PageZero"].data[1])
    assert found["PageOneLow"].data.tolist() == [0, 1]
    assert found["PageOneLow"].mask.tolist() == [True, False]
    assert not isinstance(found["Common"], np.ma.MaskedArray)


def test_an_unknown_multiplexer_number_is_refused_or_selects_nothing() -> None:
    message = OWN.message("Multiplexed")
    frames = [bytes(8), bytes([7, 9, 0, 0, 0, 0, 0, 5])]
    data = array_of(message, frames)
    decoder = BatchDecoder(message)
    text = r"^message 0x106 Multiplexed, row 1, multiplexer Page: expected one of 0, 1, 5, got 9$"
    with pytest.raises(UsageError, match=text):
        decoder.decode(data)
    assert decoder.refused(data).tolist() == [False, True]
    found: dict[str, Any] = decoder.decode(data, lenient=True)
    assert found["Tail"].tolist() == [0, 5]
    assert found["Page"].tolist() == [0, 9]
    assert [found[name].mask[1] for name in ("PageZero", "PageOneLow", "PageFive")] == [True] * 3


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"12345678", r"expected an array of uint8 of shape \(frames, 8\), got b'12345678'"),
        (np.zeros((2, 8), np.int64), r"got int64 \(2, 8\)"),
        (np.zeros(8, np.uint8), r"got uint8 \(8,\)"),
        (np.zeros((2, 7), np.uint8), r"expected 8 bytes per frame, got 7 bytes"),
    ],
)
def test_what_is_no_batch_is_refused(data: Any, got: str) -> None:
    with pytest.raises(UsageError, match=rf"^message 0x100 IntelAcross: .*{got}$"):
        BatchDecoder(OWN.message("IntelAcross")).decode(data)


def test_raw_values_have_no_texts() -> None:
    decoder = BatchDecoder(OWN.message("Texts"))
    with pytest.raises(UsageError, match=r"0x105 Texts: decode: expected raw or choices, got both"):
        decoder.decode(np.zeros((1, 6), np.uint8), raw=True, choices=True)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown signal 'Gaer': did you mean 'Gear'\?"):
        BatchDecoder(OWN.message("Texts"), ["Gaer"])


def test_a_view_of_other_memory_decodes_as_its_copy_does() -> None:
    message = OWN.message("MixedOrders")
    memory = np.arange(40 * 32, dtype=np.uint16).astype(np.uint8).reshape(40, 32)
    view = memory[::2, 3 : 3 + message.length]
    decoder = BatchDecoder(message)
    assert rows_of(decoder.decode(view)) == rows_of(decoder.decode(view.copy()))


def test_a_decoder_is_shared_by_copies_and_travels_as_its_message() -> None:
    decoder = BatchDecoder(Database.reference().message("CDC_EmbCmd"), ["E2E_Cnt"])
    assert copy.copy(decoder) is decoder
    assert copy.deepcopy(decoder) is decoder
    other = pickle.loads(pickle.dumps(decoder))
    assert other.message is decoder.message
    assert other.names == ("E2E_Cnt",)
