"""The documentation says what the server does: each claim is checked against its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from simcore.diag.documentation import as_json, html, markdown, sections
from simcore.diag.dtc import Dtc, DtcSettings
from simcore.diag.table import DiagnosticTable, Did, SessionRule

Benches = Callable[..., Any]
Tables = Callable[..., DiagnosticTable]

DTCS = DtcSettings((Dtc(0x4A1029, "silent", text="actuator | silent"), Dtc(0xC10000, "lost")))


def rows_of(table: DiagnosticTable, title: str) -> dict[str, dict[str, str]]:
    """Rows of a section by their first cell."""
    content = json.loads(as_json([(table, DTCS)]))[table.node][title]
    return {next(iter(row.values())): row for row in content}


def test_the_same_table_gives_the_same_text(uds_table: Tables) -> None:
    for write in (markdown, html, as_json):
        assert write([(uds_table(), DTCS)]) == write([(uds_table(), DTCS)])


def test_every_row_of_the_table_is_there(uds_table: Tables) -> None:
    table = uds_table()
    text = markdown([(table, DTCS)])
    named = (*table.dids, *table.routines, *table.areas, *table.io_controls, *table.sessions)
    for row in named:
        assert f"| {row.name} |" in text, row.name
    for number in ("0xF190", "0xFF00", "0x00001000", "0x0302"):
        assert number in text
    assert "C0A10-29 | 0x4A1029 | silent" in text
    assert [section.title for section in sections(table, DTCS)] == [
        *("Sessions", "Services", "Security levels", "Authentication", "Data identifiers"),
        *("Inputs and outputs", "Routines", "Memory areas", "Resets", "Trouble codes"),
    ]


def test_what_an_ecu_does_not_have_is_left_out(uds_table: Tables) -> None:
    bare: dict[str, Any] = dict.fromkeys(("routines", "areas", "io_controls", "resets"), ())
    table = uds_table(**bare, dids=(Did(1, "x", 1, read=b"\x00"),), authentication=None)
    assert [section.title for section in sections(table)] == [
        *("Sessions", "Services", "Security levels", "Data identifiers"),
    ]
    assert "0x14" not in rows_of_services(table)


def rows_of_services(table: DiagnosticTable) -> list[str]:
    (services,) = [section for section in sections(table) if section.title == "Services"]
    return [row[0] for row in services.rows]


PLACES = {"0x01": "def", "0x02": "prog", "0x03": "ext"}


def is_in(sessions: str, session: str) -> bool:
    where = sessions.split(";")[0]
    return where == "all" or session in where.split(", ")


def test_services_are_offered_where_the_documentation_says(uds_bench: Benches) -> None:
    for session, place in PLACES.items():
        bench = uds_bench()
        bench.go(place)
        rows = rows_of(bench.server.table, "Services")
        for sid in range(0x100):
            row = rows.get(f"0x{sid:02X}")
            answer = bench.ask(bytes((sid,)))
            if row is None:
                assert answer == f"7f{sid:02x}11"
            else:
                assert (answer == f"7f{sid:02x}7f") is not is_in(row["Sessions"], session), row


def uds_answer(uds_bench: Benches, place: str, request: bytes) -> str:
    bench = uds_bench()
    bench.go(place)
    answer: str = bench.ask(request) or bench.finish()
    return answer


@pytest.mark.parametrize(("session", "place"), PLACES.items())
def test_identifiers_are_read_and_written_where_the_documentation_says(
    uds_bench: Benches, session: str, place: str
) -> None:
    bench = uds_bench()
    for row in rows_of(bench.server.table, "Data identifiers").values():
        did = bytes.fromhex(row["DID"][2:])
        size = 3 if row["Size"] == "varies" else int(row["Size"].split()[0])
        for way, request in (("Read", b"\x22" + did), ("Write", b"\x2e" + did + bytes(size))):
            answer = uds_answer(uds_bench, place, request)
            rule = row[way]
            if rule == "-" or not is_in(rule, session):
                assert answer[-2:] in ("31", "7f"), (row, answer)
            elif "level" in rule:
                assert answer[-2:] == "33", (row, answer)
            elif "role" in rule:
                assert answer[-2:] == "34", (row, answer)
            else:
                assert not answer.startswith("7f"), (row, answer)


def test_markdown_tables_are_even_and_bars_are_escaped(uds_table: Tables) -> None:
    text = markdown([(uds_table(), DTCS)])
    assert r"actuator \| silent" in text
    width = 0
    for line in text.replace(r"\|", "").splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.count("|")
        assert width in (0, cells), line
        width = cells
    assert text.startswith("# Diagnostics of ECU\n\n## Sessions\n\n")
    assert text.endswith("|\n")


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_html_is_well_formed_and_says_the_same(uds_table: Tables) -> None:
    table = uds_table(dids=(Did(1, "<b>&", 1, read=b"\x00"),))
    page = Balance()
    page.feed(html([(table, DTCS), (uds_table(node="B"), None)]))
    assert page.open == []
    assert "<b>&" in page.cells
    written = [cell for ecu in ((table, DTCS), (uds_table(node="B"), None)) for cell in cells(*ecu)]
    assert page.cells == [cell for cell in written if cell]


def cells(table: DiagnosticTable, dtcs: DtcSettings | None) -> list[str]:
    return [cell for section in sections(table, dtcs) for row in section.rows for cell in row]


def test_several_ecus_become_one_document(uds_table: Tables) -> None:
    pair = [(uds_table(node="A"), None), (uds_table(node="B"), DTCS)]
    assert list(json.loads(as_json(pair))) == ["A", "B"]
    assert markdown(pair).count("\n# Diagnostics of B\n") == 1
    assert "<title>Diagnostics of A, B</title>" in html(pair)


def test_sub_functions_say_where_they_differ_from_their_service(uds_table: Tables) -> None:
    services = rows_of(uds_table(), "Services")
    assert services["0x10"]["Sub-functions"] == (
        "0x01 default, 0x02 programming (in 0x02, 0x03), 0x03 extended (in 0x01, 0x03), "
        "0x04 safety (in 0x03; level 0x01)"
    )
    assert services["0x27"]["Sub-functions"].endswith(
        "0x11 requestSeed (in 0x02), 0x12 sendKey (in 0x02)"
    )
    assert services["0x14"]["Name"] == "ClearDiagnosticInformation"
    assert services["0x85"]["Name"] == "ControlDTCSetting"
    assert services["0x11"]["Name"] == "ECUReset"


def test_conditions_are_called_as_their_handlers_are(uds_table: Tables) -> None:
    table = uds_table()
    assert rows_of(table, "Sessions")["0x02"]["Needs"] == "condition"
    assert rows_of(table, "Resets")["0x03"]["Access"] == "0x02, 0x03; condition"
    assert rows_of(table, "Memory areas")["flash"]["Download"] == "0x02; condition"


def test_columns_without_content_are_left_out(uds_table: Tables) -> None:
    bare: dict[str, Any] = dict.fromkeys(
        ("dids", "routines", "areas", "io_controls", "resets", "security"), ()
    )
    table = uds_table(**bare, sessions=(SessionRule(1, "default"),))
    (first, *_) = sections(table)
    assert first.header == ("Session", "Name", "Reached from", "P2", "P2*")
    assert first.rows == (("0x01", "default", "any", "50 ms", "5000 ms"),)
