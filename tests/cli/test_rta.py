"""`simcore rta` and `simcore run --rta`: figures, verdicts, what is left out, bad input."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcore.network import Database
from simcore.resources import dbc_path

REFERENCE = dbc_path("chassis_fd.dbc")
CODEC = Path(__file__).resolve().parents[1] / "data" / "codec.dbc"
Simcore = Callable[..., Any]

HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: ECU\n'
CYCLE = 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;\nBA_DEF_DEF_ "GenMsgCycleTime" 0;\n'
FORMATS = (
    'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","a","b","c","d","e","f","g","h",'
    '"i","j","k","l","StandardCAN_FD","ExtendedCAN_FD";\nBA_DEF_DEF_ "VFrameFormat" "StandardCAN";'
    "\n"
)


def write_dbc(
    rows: list[tuple[int, int, int]], *, is_fd: bool = False, name: str = "set.dbc", more: str = ""
) -> Path:
    """A DBC file of messages (id, bytes, cycle time in ms; 0 for none)."""
    lines = [f"BO_ {identifier} M{identifier:X}: {length} ECU\n" for identifier, length, _ in rows]
    values = [f'BA_ "GenMsgCycleTime" BO_ {row[0]} {row[2]};\n' for row in rows if row[2]]
    if is_fd:
        values += [f'BA_ "VFrameFormat" BO_ {identifier} 14;\n' for identifier, _, _ in rows]
    path = Path(name)
    path.write_text(HEAD + "".join(lines) + CYCLE + FORMATS + more + "".join(values))
    return path


def table_of(simcore: Simcore, *arguments: object) -> dict[str, dict[str, str]]:
    """The rows of the CSV table by message; the exit code is not looked at."""
    simcore("rta", *arguments, "--csv", "table.csv")
    with Path("table.csv").open(newline="") as file:
        return {row["message"]: row for row in csv.DictReader(file)}


def responses_ns(simcore: Simcore, *arguments: object) -> list[int]:
    return [int(row["response_ns"]) for row in table_of(simcore, *arguments).values()]


# ---- published sets, through the whole command ----


def test_the_set_of_broster_as_a_file(simcore: Simcore) -> None:
    messages = [(8, 10), (3, 14), (3, 20), (2, 15), (5, 20), (5, 40), (4, 15), (5, 50), (4, 20),
                (7, 100), (5, 50), (1, 100)]  # fmt: skip
    file = write_dbc([(n, length, cycle) for n, (length, cycle) in enumerate(messages)])
    assert responses_ns(simcore, file, "--nominal", 250_000) == [
        1000 * time_us
        for time_us in (1028, 1368, 1708, 2008, 2428, 2848, 3228, 3648, 4028, 4448, 4708, 4708)
    ]


@pytest.mark.parametrize(
    ("rates", "expected_ns"),
    [
        ((500_000, 2_000_000), [517_500, 677_500, 920_000, 1_323_000, 1_443_500, 1_443_500]),
        ((1_000_000, 8_000_000), [159_875, 215_875, 292_500, 409_250, 455_375, 455_375]),
    ],
)
def test_the_can_fd_set_as_a_file(
    simcore: Simcore, rates: tuple[int, int], expected_ns: list[int]
) -> None:
    rows = [(0x0A0, 8, 5), (0x0B0, 16, 10), (0x0C0, 32, 10), (0x0D0, 64, 10), (0x0E0, 64, 20),
            (0x0F0, 8, 100)]  # fmt: skip
    file = write_dbc(rows, is_fd=True)
    found = responses_ns(simcore, file, "--nominal", rates[0], "--data", rates[1])
    assert found == expected_ns


# ---- the table ----


def test_the_reference_chassis_meets_every_deadline(simcore: Simcore) -> None:
    ended = simcore("rta", REFERENCE)
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines[0] == f"{REFERENCE}: 54 messages, 500 kbit/s, data 2 Mbit/s"
    assert ended.lines[2].split() == (
        "0x060 CDC_EmbCmd CDC 203.0 5 0.0 403.0 1 600.0 5000.0 12.0% ok".split()
    )
    rows = [line.split() for line in ended.lines[2:] if line.lstrip().startswith("0x")]
    assert [row[-1] for row in rows] == ["ok"] * 39
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert ended.lines[-1] == (
        "worst-case bus load 48.9%; deadlines met: 39 of 39, tightest NM_GW at 37.5%"
    )


def test_messages_without_a_period_are_named_and_block(simcore: Simcore) -> None:
    (line,) = [li for li in simcore("rta", REFERENCE).lines if li.startswith("not analysed")]
    assert line.startswith(
        "not analysed, for neither cycle time nor least gap is known (see --event-gap); they do "
        "block, for up to 403.0 us: 0x6a0 DIAG_CDC_Req, 0x6a1 DIAG_CDC2_Req, "
    )
    assert line.endswith(", 0x7df DIAG_Func_Req")
    assert line.count("DIAG_") == 15
    ended = simcore("rta", REFERENCE, "--event-gap", "100ms")
    assert "not analysed" not in ended.out
    assert "deadlines met: 54 of 54" in ended.lines[-1]


def test_a_bound_below_a_message_without_a_period_is_conditional(simcore: Simcore) -> None:
    ended = simcore("rta", write_dbc([(1, 8, 10), (2, 8, 0), (3, 8, 10)]))
    assert ended.code == 0
    words = [line.rpartition("%  ")[2] for line in ended.lines if "0x00" in line and "%" in line]
    assert words == ["ok", "ok (if)"]
    assert "(if): holds while these higher priorities do not send: M2" in ended.lines


def test_a_missed_deadline_is_exit_1(simcore: Simcore) -> None:
    ended = simcore("rta", REFERENCE, "--deadline", "EMB_RR_St1=1.5ms")
    assert ended.code == 1
    (row,) = [line for line in ended.lines if "EMB_RR_St1" in line and line.endswith("MISSED")]
    assert row.split()[-3:] == ["1500.0", "102.3%", "MISSED"]
    assert ended.lines[-1].endswith("deadlines met: 38 of 39, tightest EMB_RR_St1 at 102.3%")


def test_a_bus_that_is_too_full_is_exit_1_with_the_reason(simcore: Simcore) -> None:
    ended = simcore("rta", write_dbc([(1, 8, 1), (2, 8, 1)]), "--nominal", 200_000)
    assert ended.code == 1
    assert "NO BOUND" in ended.out
    assert "no bound for 0x002 M2: the load of this and higher priorities is 135.0%" in ended.lines
    assert ended.lines[-1] == (
        "worst-case bus load 135.0%; deadlines met: 0 of 2, tightest M1 at 133.5%"
    )


def test_where_nothing_was_analysed_nothing_was_shown(simcore: Simcore) -> None:
    ended = simcore("rta", write_dbc([(1, 8, 0)]))
    assert ended.code == 1
    assert ended.lines[-1] == "worst-case bus load 0.0%; deadlines met: 0 of 0"


def test_a_message_that_does_not_wait_for_its_cycle_is_noted(simcore: Simcore) -> None:
    kinds = 'BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","CyclicAndSpontan";\n'
    kinds += 'BA_DEF_DEF_ "GenMsgSendType" "Cyclic";\nBA_ "GenMsgSendType" BO_ 2 1;\n'
    ended = simcore("rta", write_dbc([(1, 8, 10), (2, 8, 10)], more=kinds))
    assert (
        "note: 0x002 M2 is sent CyclicAndSpontan and has no GenMsgDelayTime: its bound and those "
        "of lower priorities hold for its cyclic frames alone"
    ) in ended.lines


# ---- options ----


def test_jitter_comes_on_top_for_one_message_or_for_all(simcore: Simcore) -> None:
    file = write_dbc([(1, 8, 10), (2, 8, 10)])
    plain = responses_ns(simcore, file)
    assert responses_ns(simcore, file, "--jitter", "250us") == [ns + 250_000 for ns in plain]
    one = responses_ns(simcore, file, "--jitter", "M2=1.5ms", "--jitter", "0us")
    assert one == [plain[0], plain[1] + 1_500_000]


def test_a_deadline_for_all_leaves_one_of_its_own(simcore: Simcore) -> None:
    file = write_dbc([(1, 8, 10), (2, 8, 10)])
    table = table_of(simcore, file, "--deadline", "3ms", "--deadline", "M1=1s")
    assert [row["deadline_ns"] for row in table.values()] == ["1000000000", "3000000"]


def test_errors_are_allowed_for_and_said(simcore: Simcore) -> None:
    file = write_dbc([(1, 8, 10)])
    one_error_ns = 62_000 + 270_000  # 31 bits, and the frame of 135 bits once more
    assert responses_ns(simcore, file, "--errors", 3)[0] == 264_000 + 3 * one_error_ns
    assert responses_ns(simcore, file, "--error-interval", "5ms")[0] == 264_000 + one_error_ns
    ended = simcore("rta", file, "--errors", 3, "--error-interval", "5ms")
    assert ended.lines[-1].startswith("worst-case bus load 2.7%, 3 errors, an error each 5 ms; ")


def test_rates_the_file_does_not_name_are_called_assumed_unless_given(simcore: Simcore) -> None:
    said = "bit rates the file does not name (Baudrate, BaudrateCANFD) are assumed"
    assert said in simcore("rta", CODEC).lines
    assert said in simcore("rta", CODEC, "--nominal", 500_000).lines
    given = simcore("rta", CODEC, "--nominal", 1_000_000, "--data", 5_000_000)
    assert said not in given.out
    assert given.lines[0].endswith("11 messages, 1000 kbit/s, data 5 Mbit/s")
    assert said not in simcore("rta", REFERENCE).out


def test_the_second_bus_has_the_redundant_messages_alone(simcore: Simcore) -> None:
    table = table_of(simcore, REFERENCE, "--redundant")
    redundant = [m for m in Database.reference().messages if m.is_redundant]
    assert list(table) == [m.name for m in sorted(redundant, key=lambda m: m.arbitration_id)]
    # No 64-byte diagnostic frame is there to block for 403 us; the longest is one of 24 bytes.
    assert table["CDC_EmbCmd"]["blocking_ns"] == "203000"


def test_the_plot_is_written_and_the_same_every_time(simcore: Simcore) -> None:
    for name in ("one.svg", "two.svg"):
        assert simcore("rta", REFERENCE, "--plot", name).code == 0
    picture = Path("one.svg").read_bytes()
    assert picture == Path("two.svg").read_bytes()
    assert b"Worst-case response times, chassis_fd.dbc" in picture
    assert b"0x060 CDC_EmbCmd" in picture


# ---- bad input ----


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--jitter", "5"], "'5': expected a number and us, ms or s, as in 250us"),
        (["--jitter", "-5us"], "'-5us': expected a number and us, ms or s, as in 250us"),
        (["--jitter", "us"], "'us': expected a number and us, ms or s, as in 250us"),
        (["--jitter", "0.0001us"], "us(0.0001): expected a whole number of ns, got 1/10 ns"),
        (["--deadline", "0ms"], "'0ms': expected more than 0"),
        (["--deadline", "M1=0s"], "'0s': expected more than 0"),
        (["--event-gap", "soon"], "'soon': expected a number and us, ms or s, as in 250us"),
        (["--errors", "-1"], "-1 is not in the range x>=0"),
        (["--jitter", "M9=1us"], "unknown message 'M9'"),
        (["--deadline", "m1=1us"], "unknown message 'm1': did you mean 'M1'?"),
        (["--data", "2000000"], "--data: expected a database with CAN FD messages, got set.dbc"),
        (["--nominal", "0"], "BitTiming.nominal_bps: expected an integer in 1..1000000000 bit/s"),
    ],
)
def test_a_wrong_option_is_usage(simcore: Simcore, arguments: list[str], text: str) -> None:
    ended = simcore("rta", write_dbc([(1, 8, 10)]), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "bad.dbc: network database: expected a readable DBC file, got No such file or dire"),
        ('VERSION ""\nBO_ nonsense\n', "bad.dbc:2: not a valid DBC: Invalid syntax at line 2, "),
        (
            'VERSION ""\nBU_: A\nBO_ 2566844672 Long: 12 A\n SG_ X : 0|8@1+ (1,0) [0|9] "" A\n'
            'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","none","J1939PG";\n'
            'BA_DEF_DEF_ "VFrameFormat" "J1939PG";\n',
            "bad.dbc: message 0x18fef100 Long: length: expected 0..8 bytes in a classic frame, got",
        ),
        (
            'VERSION ""\nBA_DEF_ "Baudrate" INT 0 0;\nBA_DEF_DEF_ "Baudrate" 0;\n'
            'BA_ "Baudrate" 2000000000;\n',
            "bad.dbc: BitTiming.nominal_bps: expected an integer in 1..1000000000 bit/s, got 2000",
        ),
    ],
    ids=["missing", "syntax", "too long", "rates"],
)
def test_a_bad_file_is_exit_3_and_named(simcore: Simcore, content: str | None, text: str) -> None:
    if content is not None:
        Path("bad.dbc").write_text(content)
    ended = simcore("rta", "bad.dbc")
    assert (ended.code, ended.out) == (3, "")
    assert f"simcore: {text}" in ended.err


def test_a_file_that_cannot_be_written_is_exit_3_after_the_table(simcore: Simcore) -> None:
    Path("taken").touch()
    ended = simcore("rta", REFERENCE, "--csv", "taken/table.csv")
    assert ended.code == 3
    assert ended.err.startswith("simcore: taken/table.csv: writing the table of response times: ")
    assert ended.lines[-1].startswith("worst-case bus load")


# ---- simcore run --rta ----


def test_a_run_is_held_against_the_bounds(simcore: Simcore, quick: Path) -> None:
    ended = simcore("run", quick, "--rta", "--report", "out")
    assert (ended.code, ended.err) == (0, "")
    overall, single = [line for line in ended.lines if "observed maxima within bounds" in line]
    assert overall == single.strip()
    _, _, figures = overall.partition(": ")
    within, _, rest = figures.partition(" of ")
    assert within == rest.partition(",")[0] != "0"
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert '<th class="num">bound</th>' in page


def test_a_run_without_the_option_says_nothing_of_bounds(simcore: Simcore, quick: Path) -> None:
    ended = simcore("run", quick, "--report", "out")
    assert "within bounds" not in ended.out
    assert '<th class="num">bound</th>' not in Path("out/report.html").read_text(encoding="utf-8")


def test_the_bounds_change_no_digest_and_the_replay_asks_for_them(
    simcore: Simcore, fails: Path
) -> None:
    plain, held = simcore("run", fails), simcore("run", fails, "--rta")
    assert plain.digest == held.digest
    assert plain.code == held.code == 1
    assert "  replay: simcore run fails.py::fails --seed 0 --rta" in held.lines


def test_a_file_that_cannot_be_read_has_no_bounds(simcore: Simcore) -> None:
    Path("broken.py").write_text("syntax error here\n")
    ended = simcore("run", "broken.py", "--rta")
    assert ended.code == 3
    assert "within bounds" not in ended.out


@pytest.mark.parametrize(("option", "ending"), [("--csv", ".csv"), ("--plot", ".svg")])
def test_a_file_of_another_kind_is_refused(simcore: Simcore, option: str, ending: str) -> None:
    ended = simcore("rta", str(dbc_path("chassis_fd.dbc")), option, "x.png")
    assert ended.code == 2
    assert f"{option}: expected a file name that ends in {ending}, got x.png" in ended.err
    assert not Path("x.png").exists()
