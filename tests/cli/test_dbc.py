"""`simcore dbc`: its figures against exact durations, worst-case formulas and cantools."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cantools.database
import pytest

from simcore.bus import BitTiming, Frame, bits, duration_ns, worst_case_ns
from simcore.resources import dbc_path

REFERENCE = dbc_path("chassis_fd.dbc")
CODEC = Path(__file__).resolve().parents[1] / "data" / "codec.dbc"
TIMING = BitTiming(nominal_bps=500_000, data_bps=2_000_000)

Simcore = Callable[..., Any]

ROW = re.compile(
    r" *(?P<id>0x[0-9A-F]+)  (?P<name>\w+) +(?P<sender>\S+) +(?P<bytes>\d+) "
    r"(?P<format>FD BRS|FD|classic) +(?P<cycle>\d+ ms|event) +(?P<offset>\d+) ms "
    r"+(?P<wire>[\d.]+) +(?P<worst>[\d.]+) +(?P<load>[\d.]+%|-) +(?P<worst_load>[\d.]+%|-)"
    r"  (?P<e2e>P05 0x[0-9A-F]{4}|-)"
)


def rows_of(ended: Any) -> dict[str, dict[str, str]]:
    """Rows by message name; every line between header and total must be one."""
    assert (ended.code, ended.err) == (0, "")
    start = next(i for i, line in enumerate(ended.lines) if line.lstrip().startswith("id "))
    matches = [ROW.fullmatch(line) for line in ended.lines[start + 1 : -1]]
    assert all(matches)
    return {match["name"]: match.groupdict() for match in matches if match}


def per_cent(text: str) -> float:
    return float(text.removesuffix("%"))


def start_frame(message: cantools.database.can.Message) -> Frame:
    """The frame of a message with its start values, made by cantools alone."""
    starts = {
        signal.name: signal.dbc.attributes["GenSigStartValue"].value
        if "GenSigStartValue" in signal.dbc.attributes
        else 0
        for signal in message.signals
    }
    return Frame(
        message.frame_id,
        message.encode(starts, scaling=False, strict=False),
        is_extended_id=message.is_extended_frame,
        is_fd=message.is_fd,
        bitrate_switch=message.is_fd,
    )


def test_the_first_line_sums_the_file_up(simcore: Simcore) -> None:
    assert simcore("dbc", REFERENCE).lines[0] == (
        f"{REFERENCE}: 54 messages, 609 signals, 14 nodes, 500 kbit/s, data 2 Mbit/s"
    )


def test_every_reference_message_has_a_row_in_order_of_its_priority(simcore: Simcore) -> None:
    rows = rows_of(simcore("dbc", REFERENCE))
    parsed = cantools.database.load_file(REFERENCE)
    assert {(m.name, f"0x{m.frame_id:03X}", m.length, m.senders[0]) for m in parsed.messages} == {
        (r["name"], r["id"], int(r["bytes"]), r["sender"]) for r in rows.values()
    }
    identifiers = [int(row["id"], 16) for row in rows.values()]
    assert identifiers == sorted(identifiers)


def test_wire_times_are_those_of_the_start_values_with_intermission(simcore: Simcore) -> None:
    rows = rows_of(simcore("dbc", REFERENCE))
    for message in cantools.database.load_file(REFERENCE).messages:
        exact_ns = duration_ns(start_frame(message), TIMING) + TIMING.to_ns(3)
        assert rows[message.name]["wire"] == f"{exact_ns / 1e3:.1f}", message.name


def test_worst_times_are_those_of_the_formula_and_above_the_start_values(simcore: Simcore) -> None:
    for row in rows_of(simcore("dbc", REFERENCE)).values():
        worst_ns = worst_case_ns(int(row["bytes"]), TIMING, is_fd=True, bitrate_switch=True)
        assert row["worst"] == f"{worst_ns / 1e3:.1f}"
        assert float(row["worst"]) >= float(row["wire"])


def test_cycle_times_offsets_and_data_ids_are_those_of_the_file(simcore: Simcore) -> None:
    rows = rows_of(simcore("dbc", REFERENCE))
    for message in cantools.database.load_file(REFERENCE).messages:
        attributes = {name: each.value for name, each in message.dbc.attributes.items()}
        row = rows[message.name]
        cycle = attributes.get("GenMsgCycleTime", 0)
        assert row["cycle"] == (f"{cycle} ms" if cycle else "event")
        assert row["offset"] == str(attributes.get("GenMsgStartDelayTime", 0))
        data_id = attributes.get("E2EDataId")
        assert row["e2e"] == ("-" if data_id is None else f"P05 0x{data_id:04X}")


def test_loads_are_time_over_cycle_and_add_up(simcore: Simcore) -> None:
    ended = simcore("dbc", REFERENCE)
    exact = worst = 0.0
    for row in rows_of(ended).values():
        if row["cycle"] == "event":
            assert (row["load"], row["worst_load"]) == ("-", "-")
            continue
        cycle_us = 1000.0 * float(row["cycle"].removesuffix(" ms"))
        assert row["load"] == f"{float(row['wire']) / cycle_us:.2%}"
        assert row["worst_load"] == f"{float(row['worst']) / cycle_us:.2%}"
        exact += float(row["wire"]) / cycle_us
        worst += float(row["worst"]) / cycle_us
    assert ended.lines[-1] == (
        f"bus load of all cyclic messages: {exact:.1%} with start values, {worst:.1%} worst case"
    )
    assert 0.30 < exact < worst < 0.50  # the reference load, below COM-LOAD


def test_classic_extended_and_event_messages_of_a_foreign_file(simcore: Simcore) -> None:
    ended = simcore("dbc", CODEC)
    rows = rows_of(ended)
    assert ended.lines[1] == (
        "bit rates the file does not name (Baudrate, BaudrateCANFD) are assumed"
    )
    # Davis et al. 2007: 8 data bytes take at most 135 bits with intermission, 3 extended 110.
    assert (rows["IntelAcross"]["format"], rows["IntelAcross"]["worst"]) == ("classic", "270.0")
    assert (rows["ExtendedId"]["id"], rows["ExtendedId"]["worst"]) == ("0x18FEF100", "220.0")
    assert list(rows)[-1] == "ExtendedId"
    zeros = Frame(0x18FEF100, bytes(3), is_extended_id=True)
    assert rows["ExtendedId"]["wire"] == f"{2.0 * (len(bits(zeros)) + 3):.1f}"
    loads = [per_cent(row["load"]) for row in rows.values() if row["load"] != "-"]
    assert ended.lines[-1].startswith(f"bus load of all cyclic messages: {sum(loads):.1f}% with ")


def test_rates_the_file_names_are_not_called_assumed(simcore: Simcore) -> None:
    assert "assumed" not in simcore("dbc", REFERENCE).out


def test_an_empty_database_has_no_load(simcore: Simcore) -> None:
    Path("empty.dbc").write_text('VERSION ""\n', encoding="utf-8")
    ended = simcore("dbc", "empty.dbc")
    assert ended.lines[0] == "empty.dbc: 0 messages, 0 signals, 0 nodes, 500 kbit/s"
    assert ended.lines[-1] == (
        "bus load of all cyclic messages: 0.0% with start values, 0.0% worst case"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "bad.dbc: network database: expected a readable DBC file, got No such file or dire"),
        (b"\0", "bad.dbc: network database: expected text, got NUL bytes"),
        (b'VERSION ""\nBO_ nonsense\n', "bad.dbc:2: not a valid DBC: Invalid syntax at line 2, "),
    ],
    ids=["missing", "binary", "syntax"],
)
def test_a_bad_file_is_exit_3_and_named(simcore: Simcore, content: bytes | None, text: str) -> None:
    if content is not None:
        Path("bad.dbc").write_bytes(content)
    ended = simcore("dbc", "bad.dbc")
    assert ended.code == 3
    assert ended.err.startswith(f"simcore: {text}")


def test_no_file_is_usage(simcore: Simcore) -> None:
    ended = simcore("dbc")
    assert (ended.code, ended.out) == (2, "")
    assert "Error: Missing argument 'FILE'." in ended.err


# ---- problems ----

FAULTY = """VERSION ""
BU_: A B
BO_ 16 Flat: 8 A
 SG_ Level : 0|8@1+ (0,1) [0|0] "" B
BO_ 17 Long: 12 A
BO_ 18 Good: 8 B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 1000;
BA_ "GenMsgCycleTime" BO_ 18 10;
"""


def test_problems_are_listed_counted_and_an_error_is_exit_3(simcore: Simcore) -> None:
    Path("faulty.dbc").write_text(FAULTY, encoding="utf-8")
    ended = simcore("dbc", "faulty.dbc")
    assert (ended.code, ended.err) == (3, "")
    assert ended.lines[-3:] == [
        "error: line 3: message Flat: signal Level: expected a factor other than 0, got 0",
        "warning: line 5: message Long: 12 bytes are longer than a classic frame: taken as CAN FD",
        "2 problems: 1 errors, 1 warnings, 0 left out",
    ]
    assert any("Long" in line and " 12 FD BRS" in line for line in ended.lines)
    assert simcore("dbc", "faulty.dbc", "--lenient").code == 0


def test_a_warning_alone_is_exit_0(simcore: Simcore) -> None:
    Path("warned.dbc").write_text(FAULTY.replace("(0,1)", "(1,0)"), encoding="utf-8")
    ended = simcore("dbc", "warned.dbc")
    assert ended.code == 0
    assert ended.lines[-1] == "1 problems: 0 errors, 1 warnings, 0 left out"


def test_a_lenient_listing_says_what_was_left_out(simcore: Simcore) -> None:
    Path("broken.dbc").write_text(FAULTY.replace("BO_ 17 Long: 12", "BO_ 17 Long 12"))
    assert simcore("dbc", "broken.dbc").code == 3
    ended = simcore("dbc", "broken.dbc", "--lenient")
    assert ended.code == 0
    assert any(
        line.startswith("dropped: line 5: BO_ 17 Long: left out: Invalid syntax")
        for line in ended.lines
    )
    assert ended.lines[-1] == "2 problems: 1 errors, 0 warnings, 1 left out"
    assert any("Good" in line for line in ended.lines)


def test_a_message_longer_than_a_frame_has_no_wire_time(simcore: Simcore) -> None:
    Path("long.dbc").write_text(FAULTY.replace("Long: 12", "Long: 100"), encoding="utf-8")
    (row,) = [
        line for line in simcore("dbc", "long.dbc").lines if " Long " in line and "0x" in line
    ]
    assert row.split()[-5:] == ["-", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "small.kcd",
            '<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Bus name="B">'
            '<Message id="0x10" name="Hello" length="2"/></Bus></NetworkDefinition>',
        ),
        (
            "small.sym",
            'FormatVersion=6.0 // x\nTitle="x"\n{SEND}\n'
            "[Hello]\nID=010h\nLen=2\nVar=X unsigned 0,8\n",
        ),
    ],
)
def test_other_formats_are_listed_too(simcore: Simcore, name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    ended = simcore("dbc", name)
    assert ended.code == 0
    assert any(line.split()[:2] == ["0x010", "Hello"] for line in ended.lines)


def test_bit_rates_that_no_controller_has_are_exit_3(simcore: Simcore) -> None:
    Path("slow.dbc").write_text(
        'BU_: A\nBO_ 1 Long: 12 A\nBA_DEF_ "BaudrateCANFD" INT 0 9;\nBA_ "BaudrateCANFD" 5;\n'
    )
    ended = simcore("dbc", "slow.dbc")
    assert ended.code == 3
    assert "slow.dbc: BitTiming.data_bps: expected at least nominal_bps" in ended.err


def test_protection_comes_from_a_file_of_its_own_and_its_problems_name_it(
    simcore: Simcore,
) -> None:
    Path("a.dbc").write_text("BU_: A\nBO_ 1 M: 8 A\n", encoding="utf-8")
    Path("own.toml").write_text(
        '[e2e.messages.M]\nprofile = "P05"\ndata_id = 0x123\n', encoding="utf-8"
    )
    ended = simcore("dbc", "a.dbc", "--protection", "own.toml")
    assert ended.code == 0 and any(line.endswith("  P05 0x0123") for line in ended.lines)
    Path("own.toml").write_text('[e2e]\npreset = "vw_mqb"\n', encoding="utf-8")
    ended = simcore("dbc", "a.dbc", "--protection", "own.toml")
    assert ended.code == 0
    assert "warning: own.toml:2: preset vw_mqb: no message has its layout" in ended.out
    assert simcore("dbc", "a.dbc", "--protection", "none.toml").code == 3


def test_a_negative_start_bit_is_listed_as_an_error(simcore: Simcore) -> None:
    Path("neg.dbc").write_text(
        'BU_: A\nBO_ 1 M: 8 A\n SG_ S : -1|8@1+ (1,0) [0|0] "" A\n', encoding="utf-8"
    )
    ended = simcore("dbc", "neg.dbc")
    assert ended.code == 3
    assert (
        "error: line 2: message M: signal S: expected a start bit of 0 or more, got -1"
        in ended.lines
    )
    assert simcore("dbc", "neg.dbc", "--lenient").code == 0
