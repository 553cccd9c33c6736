"""Response times as picture and table: complete, to scale, the same bytes, escaped."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest

from simcore.bus import BitTiming
from simcore.errors import InputError
from simcore.network.response_time import Analysis, MessageTiming, analyse
from simcore.report.response_plot import response_svg, write_response_plot
from simcore.report.response_table import COLUMNS, response_csv, write_response_table
from simcore.units import ms, us

TIMING = BitTiming(nominal_bps=500_000)
SVG = "{http://www.w3.org/2000/svg}"
MISSED = "#b3261e"


def analysis_of(*rows: tuple[str, int, int | None, int | None]) -> Analysis:
    """Rows of name, transmission, period, deadline; priorities as they come."""
    return analyse(
        [
            MessageTiming(
                name=name,
                arbitration_id=0x100 + number,
                transmission_ns=transmission_ns,
                period_ns=period_ns,
                deadline_ns=deadline_ns,
                sender="ECU",
            )
            for number, (name, transmission_ns, period_ns, deadline_ns) in enumerate(rows)
        ],
        TIMING,
    )


MIXED = analysis_of(
    ("Fits", us(206), ms(1), None),
    ("Silent", us(100), None, None),
    ("Late", us(200), ms(2), us(300)),
    ("Endless", ms(1), ms(1), None),
)


def drawn(analysis: Analysis) -> ElementTree.Element:
    return ElementTree.fromstring(response_svg(analysis, title="a title"))


def texts(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def bars(picture: ElementTree.Element) -> dict[float, list[tuple[float, float, str]]]:
    """Left, width and colour of the parts of each bar, by its top."""
    found: dict[float, list[tuple[float, float, str]]] = {}
    for element in picture.iter(f"{SVG}rect"):
        if "fill-opacity" in element.attrib:
            part = float(element.attrib["x"]), float(element.attrib["width"])
            colour = element.attrib["fill"]
            found.setdefault(float(element.attrib["y"]), []).append((*part, colour))
    return found


def test_every_message_has_its_name_and_figures_in_the_picture() -> None:
    said = texts(drawn(MIXED))
    assert "a title" in said
    for text in (
        "0x100 Fits",
        "1.2 ms of 1 ms",
        "0x102 Late",
        "no bound: the load of this and higher priorities is 130.6%",
    ):
        assert text in said
    assert "0x101 Silent" not in said  # not analysed


def test_bars_are_shares_of_the_deadline_on_one_scale() -> None:
    analysis = analysis_of(("Half", us(206), us(400), None), ("Tenth", us(206), ms(4), None))
    picture = drawn(analysis)
    half, tenth = bars(picture).values()
    (deadline,) = [
        float(line.attrib["x1"])
        for line in picture.iter(f"{SVG}line")
        if line.attrib["stroke"] == MISSED
    ]
    whole = deadline - half[0][0]
    assert (half[0][0] + whole, tenth[0][0]) == (deadline, half[0][0])
    for parts, row in ((half, analysis.messages[0]), (tenth, analysis.messages[1])):
        assert row.response_ns is not None
        width = sum(width for _, width, _ in parts)
        assert width == pytest.approx(whole * row.response_ns / row.deadline_ns, abs=0.02)


def test_only_a_missed_deadline_is_drawn_in_its_colour() -> None:
    colours = [{colour for *_, colour in parts} for parts in bars(drawn(MIXED)).values()]
    assert colours == [{MISSED}, {MISSED}, {MISSED}]
    met = bars(drawn(analysis_of(("Fits", us(206), ms(1), None))))
    assert [MISSED in {colour for *_, colour in parts} for parts in met.values()] == [False]


def test_a_bar_far_beyond_its_deadline_stays_inside_the_picture() -> None:
    analysis = analysis_of(("Far", us(206), ms(1), us(1)))
    picture = drawn(analysis)
    ((*_, last),) = bars(picture).values()
    assert last[0] + last[1] <= 260 + 560
    assert "0.2 ms of 0.001 ms" in texts(picture)


def test_names_from_a_foreign_file_are_escaped() -> None:
    analysis = analysis_of(("<b>&\x00", us(206), ms(1), None))
    assert "0x100 <b>&?" in texts(drawn(analysis))


def test_no_messages_make_an_empty_picture() -> None:
    assert bars(drawn(analysis_of())) == {}


def test_the_same_analysis_gives_the_same_bytes(tmp_path: Path) -> None:
    one = write_response_plot(tmp_path / "one.svg", MIXED, title="t").read_bytes()
    two = write_response_plot(tmp_path / "new" / "two.svg", MIXED, title="t").read_bytes()
    assert one == two
    assert one.decode() == response_svg(MIXED, title="t")


def test_the_table_has_a_row_per_message_and_names_what_was_not_analysed(tmp_path: Path) -> None:
    file = write_response_table(tmp_path / "table.csv", MIXED)
    text = file.read_text(encoding="utf-8")
    assert text == response_csv(MIXED)
    fits, late, endless, silent = csv.DictReader(io.StringIO(text))
    assert list(fits) == COLUMNS
    assert fits == {
        "priority": "1",
        "id": "0x100",
        "is_extended_id": "no",
        "message": "Fits",
        "sender": "ECU",
        "transmission_ns": "206000",
        "period_ns": "1000000",
        "jitter_ns": "0",
        "blocking_ns": "1000000",
        "busy_period_ns": "1412000",
        "instances": "2",
        "response_ns": "1200000",
        "deadline_ns": "1000000",
        "slack_ns": "-200000",
        "schedulable": "no",
        "remark": "",
    }
    assert late["remark"] == "while these do not send: Silent"
    assert (endless["response_ns"], endless["instances"], endless["slack_ns"]) == ("", "", "")
    assert endless["remark"] == "the load of this and higher priorities is 130.6%"
    assert (silent["message"], silent["priority"], silent["period_ns"]) == ("Silent", "", "")
    assert silent["remark"] == "not analysed: no period"


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (lambda path: write_response_plot(path, MIXED, title=""), "plot of response times"),
        (lambda path: write_response_table(path, MIXED), "table of response times"),
    ],
    ids=["plot", "table"],
)
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, write: object, what: str) -> None:
    (tmp_path / "file").touch()
    assert callable(write)
    with pytest.raises(
        InputError, match=rf"file/x: writing the {what}: expected a path that can be written, got"
    ):
        write(tmp_path / "file" / "x")
