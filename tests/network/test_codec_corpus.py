"""The codec against cantools over databases that nobody here wrote, and over drawn ones.

The foreign files are those of cantools' own tests, fetched with its source distribution; the drawn
ones come from a strategy and always run.
"""

from __future__ import annotations

import logging
import math
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cantools.database
import pytest
from cantools.database.errors import DecodeError, EncodeError
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError, UsageError
from simcore.network import Database, Message, Signal
from simcore.network.loading import FORMATS

REFUSED = "refused"
NO_ORACLE = "no oracle"
FLOATS = {16: "<e", 32: "<f", 64: "<d"}


def bits(value: object) -> object:
    """`value` such that only equal bits of an equal type are equal."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
    return ("int", int(value)) if isinstance(value, int) else ("text", str(value))


def ours(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        found = function(*arguments, **options)
    except UsageError:
        return REFUSED
    return {k: bits(v) for k, v in found.items()} if isinstance(found, dict) else found


def theirs(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        found = function(*arguments, **options)
    except (EncodeError, DecodeError):
        return REFUSED
    except (TypeError, ValueError, KeyError, OverflowError, NotImplementedError):
        return NO_ORACLE  # it broke down: a text for a float, a multiplexer that is not a number
    return {k: bits(v) for k, v in found.items()} if isinstance(found, dict) else found


def drawn_raws(rng: random.Random, message: Message) -> dict[str, tuple[Signal, int | float]]:
    """Raw values of one page, within the bits, with the ends of every signal among them."""
    numbers: dict[str, int] = {}

    def number_of(multiplexer: Signal) -> int:
        known = sorted(message.codec.tree.numbers[multiplexer.name])
        return numbers.setdefault(multiplexer.name, rng.choice(known))

    raws: dict[str, tuple[Signal, int | float]] = {}
    for signal in message.codec.active_signals(number_of):
        low, high = signal.raw_limits
        if signal.name in numbers:
            raw = signal.to_raw(numbers[signal.name])
        elif signal.is_float:
            layout = FLOATS[signal.length]
            raw = struct.unpack(layout, struct.pack(layout, rng.uniform(-1000, 1000)))[0]
        else:
            raw = rng.choice([low, high, rng.randint(int(low), int(high))])
        raws[signal.name] = (signal, raw)
    return raws


def differences(message: Message, oracle: Any, rng: random.Random, rounds: int) -> Iterator[str]:
    """What the codec and cantools disagree on, for random bytes and for random valid values."""
    codec = message.codec
    payloads = [rng.randbytes(message.length) for _ in range(rounds)]
    for _ in range(0 if message.defect else rounds):
        drawn = drawn_raws(rng, message)
        raws = {name: raw for name, (_, raw) in drawn.items()}
        values = {name: signal.to_physical(raw) for name, (signal, raw) in drawn.items()}
        texts = {
            n: s.choices.get(int(r), values[n]) if int(r) == r else values[n]
            for n, (s, r) in drawn.items()
        }
        for given_values, scaling in ((values, True), (texts, True), (raws, False)):
            for padding in (False, True):
                options = {"scaling": scaling, "padding": padding}
                found = ours(codec.encode, given_values, **options)
                expected = theirs(oracle.encode, given_values, **options)
                if expected is not NO_ORACLE and found != expected:
                    yield f"{message.name} encodes {given_values} {options}: {found}, {expected}"
                if isinstance(found, bytes):
                    payloads.append(found)
    for data in payloads:
        for choices in (False, True):
            for scaling in (False, True):
                found = ours(codec.decode, data, choices=choices, scaling=scaling)
                expected = theirs(oracle.decode, data, decode_choices=choices, scaling=scaling)
                if expected is NO_ORACLE:
                    continue
                if found != expected or list(found) != list(expected):
                    yield f"{message.name} decodes {data.hex()} {choices} {scaling}: {found}"


def loaded_oracle(file: Path, *, strict: bool) -> Any:
    """cantools' database, in the encoding that the file has; None where it refuses."""
    try:
        file.read_text("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "cp1252"
    try:
        return cantools.database.load_file(file, strict=strict, encoding=encoding)
    except cantools.database.errors.Error:
        return None


# ---- cantools' own files ----


@pytest.fixture(scope="module")
def corpus(foreign_sources: Callable[[str], Path]) -> list[Path]:
    """The databases in cantools' source distribution."""
    folder = foreign_sources("cantools") / "tests" / "files"
    return sorted(file for file in folder.glob("*/*") if file.suffix[1:].lower() in FORMATS)


@pytest.fixture(autouse=True)
def quiet_cantools() -> Iterator[None]:
    """cantools logs every message that hides another."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
def test_what_cantools_loads_is_loaded_with_the_same_bits_and_values(
    corpus: list[Path], strict: bool
) -> None:
    counted: Counter[str] = Counter()
    found: list[str] = []
    for file in corpus:
        oracle = loaded_oracle(file, strict=strict)
        if oracle is None:
            continue
        database = Database.load(file, lenient=not strict)
        assert [m.name for m in database.messages] == [m.name for m in oracle.messages]
        counted["files"] += 1
        rng = random.Random(file.name)
        dropped = {each.where.split(",")[0] for each in database.problems if "fit" in each.text}
        for message, foreign in zip(database.messages, oracle.messages, strict=True):
            # What overlaps or leaves its message makes cantools' own codec break down.
            if message.defect or f"message {message.name}" in dropped:
                continue
            counted["messages"] += 1
            found += [f"{file.name}: {each}" for each in differences(message, foreign, rng, 4)]
    assert found == []
    assert counted["files"] >= 110
    assert counted["messages"] >= 700


def test_what_cantools_refuses_is_refused_with_the_file_or_salvaged(corpus: list[Path]) -> None:
    outcomes: Counter[str] = Counter()
    for file in corpus:
        if loaded_oracle(file, strict=True) is not None:
            continue
        with pytest.raises(InputError, match="not a valid") as caught:
            Database.load(file)
        assert caught.value.file == str(file)
        try:
            database = Database.load(file, lenient=True)
        except InputError:
            outcomes["hopeless"] += 1  # another version, namespace or root
            continue
        outcomes["salvaged"] += 1
        assert [each for each in database.problems if each.severity in ("dropped", "error")]
    assert outcomes["salvaged"] >= 12
    assert outcomes["hopeless"] <= 6


# ---- drawn databases ----

SCALES = ["1", "0.1", "0.5", "-1", "2", "10", "0.0625", "1e-05", "-0.25", "3", "1.5E3"]
OFFSETS = ["0", "-40", "1000", "0.5", "-5.5", "0.1"]


@st.composite
def places(draw: st.DrawFn, length: int, taken: int) -> tuple[int, int, str, int] | None:
    """Start bit, length, byte order and mask of a signal in the bits not taken, if it fits."""
    size = draw(st.integers(1, 12) | st.sampled_from([8, 16, 24, 32, 64]) | st.integers(1, 64))
    start = draw(st.integers(0, 8 * length - 1))
    order = draw(st.sampled_from("01"))
    mask, bit = 0, start
    for _ in range(size):
        mask |= 1 << bit
        bit = bit + 1 if order == "1" else bit - 1 if bit % 8 else bit + 15
    return None if mask & taken or mask >> 8 * length else (start, size, order, mask)


@st.composite
def signal_texts(
    draw: st.DrawFn, message_id: int, index: int, place: tuple[int, int, str, int], mark: str
) -> tuple[str, str]:
    """The `SG_` line of a signal, and the statements that go with it."""
    start, size, order, _ = place
    name = f"S{index}"
    is_float = size in (32, 64) and draw(st.booleans())
    sign = draw(st.sampled_from("+-"))
    scale, offset = draw(st.sampled_from(SCALES)), draw(st.sampled_from(OFFSETS))
    limits = "0|0"
    if draw(st.booleans()):
        low = draw(st.integers(-300, 300))
        limits = f"{low}|{low + draw(st.integers(1, 3000))}"
    more = f"SIG_VALTYPE_ {message_id} {name} : {1 if size == 32 else 2};\n" if is_float else ""
    if not is_float and draw(st.booleans()):
        least = -(1 << size - 1) if sign == "-" else 0
        raws = draw(st.sets(st.integers(0, min(1 << size, 40) - 1), min_size=1, max_size=4))
        rows = " ".join(f'{least + raw} "T{raw}"' for raw in sorted(raws))
        more += f"VAL_ {message_id} {name} {rows};\n"
    mark = f" {mark}" if mark else ""
    line = f' SG_ {name}{mark} : {start}|{size}@{order}{sign} ({scale},{offset}) [{limits}] "" N\n'
    return line, more


@st.composite
def message_texts(draw: st.DrawFn, message_id: int) -> tuple[str, str]:
    """A message with disjoint signals, on pages of up to two multiplexers if it has some."""
    length = draw(st.integers(1, 8) | st.sampled_from([12, 20, 64]))
    kind = draw(st.sampled_from(["plain", "plain", "pages", "nested", "scaled"]))
    lines, more = f"BO_ {message_id} M{message_id}: {length} N\n", ""
    taken = 0
    masks: dict[int, int] = {}
    if kind != "plain" and length >= 2:
        scale = "(2,0)" if kind == "scaled" else "(1,0)"
        lines += f' SG_ Page M : 0|4@1+ {scale} [0|0] "" N\n'
        taken = 0xF
        if kind == "nested":
            lines += ' SG_ Inner m2M : 4|4@1+ (1,0) [0|0] "" N\n'
            more += f"SG_MUL_VAL_ {message_id} Inner Page 2-2;\n"
            taken = 0xFF
    else:
        kind = "plain"
    for index in range(draw(st.integers(0, 8))):
        page = draw(st.sampled_from([None, 0, 2, 4])) if kind != "plain" else None
        is_inner = page is not None and kind == "nested" and draw(st.booleans())
        others = taken
        for other, mask in masks.items():  # Inner is on a page itself: clear of all pages
            others |= mask if page is None or is_inner or other == page else 0
        place = draw(places(length, others))
        if place is None:
            continue
        if page is None or is_inner:
            taken |= place[3]
        else:
            masks[page] = masks.get(page, 0) | place[3]
        if kind == "nested" and page is not None:
            last = page + draw(st.integers(0, 1)) if is_inner else page
            parent = "Inner" if is_inner else "Page"
            more += f"SG_MUL_VAL_ {message_id} S{index} {parent} {page}-{last};\n"
        mark = "" if page is None else f"m{page}"
        line, extra = draw(signal_texts(message_id, index, place, mark))
        lines, more = lines + line, more + extra
    return lines, more


@st.composite
def databases(draw: st.DrawFn) -> str:
    """DBC files of a few messages."""
    parts = [draw(message_texts(number)) for number in range(1, draw(st.integers(1, 3)) + 1)]
    body = "\n".join(message for message, _ in parts) + "\n" + "".join(more for _, more in parts)
    return f'VERSION ""\nBU_: N\n{body}'


@given(text=databases(), seed=st.integers(0, 1 << 32))
def test_drawn_databases_give_the_bits_and_values_of_cantools(text: str, seed: int) -> None:
    oracle: Any = cantools.database.load_string(text, "dbc")
    database = Database.from_text(text, name="drawn.dbc")
    rng = random.Random(seed)
    for message, foreign in zip(database.messages, oracle.messages, strict=True):
        assert message.defect == ""
        assert list(differences(message, foreign, rng, 3)) == []


@given(text=databases(), seed=st.integers(0, 1 << 32))
def test_overwriting_raw_values_never_touches_other_signals(text: str, seed: int) -> None:
    rng = random.Random(seed)
    for message in Database.from_text(text, name="drawn.dbc").messages:
        for signal in message.signals:
            data = rng.randbytes(message.length)
            low, high = signal.raw_limits
            raw = rng.uniform(-9, 9) if signal.is_float else rng.randint(int(low), int(high))
            changed = message.codec.overwrite_raw(data, {signal.name: raw})
            (theirs_bits,) = {message.codec.overwrite_raw(changed, {signal.name: raw})}
            assert theirs_bits == changed
            back = message.codec.overwrite_raw(changed, {signal.name: 0})
            assert back == message.codec.overwrite_raw(data, {signal.name: 0})
            oracle_raw = read_bits(changed, signal)
            if signal.is_float:
                layout = FLOATS[signal.length]
                raw = int.from_bytes(struct.pack(layout, raw), "little")
            assert oracle_raw == int(raw) & (1 << signal.length) - 1


def read_bits(data: bytes, signal: Signal) -> int:
    """The bits of one signal, taken one by one."""
    number, bit = 0, signal.start_bit
    for index in range(signal.length):
        one = data[bit // 8] >> bit % 8 & 1
        if signal.byte_order == "big_endian":
            number = number << 1 | one
            bit = bit - 1 if bit % 8 else bit + 15
        else:
            number |= one << index
            bit += 1
    return number
