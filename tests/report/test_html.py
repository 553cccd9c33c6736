"""The report page as text: self-contained, reproducible, complete, escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError
from simcore.report import write_html
from simcore.report.html import MATRIX_LIMIT, OPEN_LIMIT, html_page
from simcore.rig.result import Event, FaultRecord, Finding, ScenarioResult
from simcore.units import ms

Make = Callable[..., Any]

BLOCKS = {"td", "th", "tr", "dt", "dd", "div", "p", "summary", "h2", "h3", "li", "span"}
VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """Elements, visible text and attributes of a page; fails on badly nested tags."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " " if tag in BLOCKS else ""
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    @property
    def squeezed(self) -> str:
        return " ".join(self.text.split())


def page_of(
    results: Sequence[ScenarioResult],
    texts: Mapping[str, str] | None = None,
    links: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> str:
    return html_page(results, requirement_texts=texts or {}, version="1.2.3", links=links or {})


def test_the_same_results_give_the_same_bytes(
    mixed_run: list[ScenarioResult], requirement_texts: dict[str, str], tmp_path: Path
) -> None:
    one, two = (
        write_html(
            tmp_path / name, mixed_run, requirement_texts=requirement_texts, version="1.2.3"
        ).read_bytes()
        for name in ("one.html", "two.html")
    )
    assert one == two


def test_nothing_on_the_page_loads_from_outside(mixed_run: list[ScenarioResult]) -> None:
    source = page_of(mixed_run)
    page = Page(source)
    assert page.attributes("src") == []
    assert page.attributes("action") == []
    assert all(re.match(r"#|data:,$", href) for href in page.attributes("href"))
    styles = "".join(re.findall(r"<style>(.*?)</style>", source, re.DOTALL))
    assert styles
    assert "url(" not in styles
    assert "@import" not in styles


def test_a_policy_forbids_every_request(mixed_run: list[ScenarioResult]) -> None:
    metas = [attributes for tag, attributes in Page(page_of(mixed_run)).elements if tag == "meta"]
    (policy,) = [m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert "connect-src" not in policy


def test_the_page_says_everything_about_a_mixed_run(
    mixed_run: list[ScenarioResult], requirement_texts: dict[str, str]
) -> None:
    text = Page(page_of(mixed_run, requirement_texts)).squeezed
    for expected in (
        "simcore 1.2.3",
        "! ERROR",
        "Scenarios passed 2 of 4",
        "pacing=free",
        "silent_emb[corner=FL]",
        "EMB front left falls silent in a full stop.",
        "Silent EMB: detected <= 50 ms, redistributed <= 100 ms, FTTI 200 ms",
        "✗ FAILED SAF-001 silent EMB to redistribution 131 ms <= 100 ms 1631.000 scenario",
        "stopping distance 40.2 m",
        "Named but never judged: DEG-001. This counts as failed.",
        "the module raised ZeroDivisionError: division by zero",
        "The scenario broke off scenarios/ota.py:41: KeyError: 'slot_b'",
        "1532.000 +32.000 detection CDC EMB_FL_St1 missing for 3 cycles",
        "CHASSIS_A load 31.00 % peak 35.00 % in 100 ms 5320 frames",
        "0x060 CDC_EmbCmd CDC 800 5 5.000 5.000 5.000 +0.0 0.121 0.148 0.262 2.46",
        "0x18DAF110 TST 1 event - - - - 0.140 0.140 0.140 0.00",
        "simcore run scenarios/panic_stop.py --scenario flash_cut[at=17] --seed 20",
    ):
        assert expected in text, expected
    assert mixed_run[0].digest in text


def test_the_error_detail_is_there_but_folded(mixed_run: list[ScenarioResult]) -> None:
    source = page_of(mixed_run)
    assert re.search(
        r"<details><summary>Details</summary><pre>Traceback .*?</pre></details>", source, re.DOTALL
    )


def test_requirements_nobody_judged_are_listed_as_such(
    make_result: Make, requirement_texts: dict[str, str]
) -> None:
    text = Page(page_of([make_result()], requirement_texts)).squeezed
    assert "5 requirements not judged by this run" in text
    assert "OTA-002 Power cut at every flash operation" in text


def test_whatever_users_write_is_escaped(make_result: Make, make_check: Make) -> None:
    nasty = "</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"
    result = make_result(
        nasty,
        title=nasty,
        file=nasty,
        options={nasty: nasty},
        requirements=(nasty,),
        checks=(make_check(nasty, text=nasty, measured=nasty, limit=nasty, source=nasty),),
        findings=(Finding(time_ns=0, source=nasty, text=nasty, detail=nasty),),
        events=(Event(time_ns=0, source=nasty, kind=nasty, text=nasty),),
        measurements={nasty: nasty},
        replay_command=nasty,
        error=nasty,
        error_detail=nasty,
        digest=nasty,
    )
    source = page_of([result], {nasty: nasty}, {nasty: [("x.blf", nasty)]})
    page = Page(source)
    assert "img" not in {tag for tag, _ in page.elements}
    assert "<img" not in source.replace("plotly", "").split("<script>")[0]
    assert page.text.count("{{ 7 * 7 }}") > 10
    assert page.squeezed.count(nasty) > 10


def test_no_scenario_gives_a_small_page_that_says_so(requirement_texts: dict[str, str]) -> None:
    source = page_of([], requirement_texts)
    text = Page(source).squeezed
    assert "No scenario was run, so nothing is judged." in text
    assert "PASSED" not in text
    assert len(source) < 100_000


def test_plotly_is_inlined_once_and_only_where_something_is_drawn(
    make_result: Make, make_stop: Make
) -> None:
    assert len(page_of([make_result()])) < 100_000
    source = page_of([make_stop(), make_stop()])
    assert source.count("* plotly.js v") == 1
    assert source.count('class="plot"') == 2


def test_few_scenarios_are_open_and_of_many_only_the_first_that_did_not_pass(
    make_result: Make, make_check: Make
) -> None:
    def opened(results: list[ScenarioResult]) -> list[str]:
        elements = Page(page_of(results)).elements
        return [a["id"] for tag, a in elements if tag == "details" and "open" in a]

    few = [make_result() for _ in range(OPEN_LIMIT)]
    assert opened(few) == [f"scenario-{index}" for index in range(OPEN_LIMIT)]
    failed = make_result(checks=(make_check(passed=False),))
    assert opened([*few, failed, failed]) == [f"scenario-{OPEN_LIMIT}"]
    assert opened([*few, *few]) == []


def test_many_scenarios_are_counted_per_requirement_with_links_to_what_failed(
    make_result: Make, make_check: Make
) -> None:
    runs = [make_result(f"run{index}") for index in range(MATRIX_LIMIT)]
    runs.append(make_result("bad", checks=(make_check(passed=False),)))
    page = Page(page_of(runs, {"BRK-001": "stops"}))
    assert f"BRK-001 stops ✗ FAILED {MATRIX_LIMIT} 1 bad" in page.squeezed
    assert "matrix" not in " ".join(page.attributes("class"))


def test_ids_are_unique(mixed_run: list[ScenarioResult]) -> None:
    ids = Page(page_of(mixed_run)).attributes("id")
    assert len(ids) == len(set(ids))


def test_internal_links_lead_somewhere(mixed_run: list[ScenarioResult]) -> None:
    page = Page(page_of(mixed_run))
    targets = {href[1:] for href in page.attributes("href") if href.startswith("#")}
    assert targets <= set(page.attributes("id"))


def test_logs_are_linked_relative_to_the_page_and_quoted(make_result: Make, tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    write_html(
        path,
        [make_result()],
        requirement_texts={},
        version="1",
        log_files={"panic_stop": [tmp_path / "logs" / "panic stop#1.blf"]},
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert "../logs/panic%20stop%231.blf" in page.attributes("href")
    assert "../logs/panic stop#1.blf" in page.text


def test_undecodable_characters_do_not_stop_the_report(make_result: Make, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html(path, [make_result("caf\udce9")], requirement_texts={}, version="1")
    assert "caf\\udce9" in path.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="writing the HTML report: expected a path"):
        write_html(tmp_path, [], requirement_texts={}, version="1")


def test_bounds_have_columns_only_where_there_are_any(make_stop: Make) -> None:
    plain = make_stop()
    first, second, *others = plain.messages
    bounded = replace(
        plain,
        messages=(
            replace(first, latency_bound_ns=2 * first.latency_max_ns),
            replace(second, latency_bound_ns=second.latency_max_ns - 1),
            *others,
        ),
    )
    assert '<th class="num">bound</th>' not in page_of([plain])
    source = page_of([bounded])
    assert '<th colspan="5" scope="colgroup">Latency, request to end, ms</th>' in source
    # the last cell before the load
    shares = re.findall(
        r'<td class="num( over)?" data-sort="[\d.]*">(\S+)</td>\s*<td class="num edge" data', source
    )[: len(plain.messages)]
    assert shares[0] == ("", "50.0")
    assert shares[1] == (" over", "100.0")
    assert shares[2:] == [("", "-")] * len(others)
    heads = re.search(r"<tr><th>Bus</th>.*?</tr>", source)
    row = re.search(rf"<td>{first.name}</td>.*?</tr>", source, re.DOTALL)
    assert heads is not None
    assert row is not None
    assert len(re.findall("<th", heads[0])) - 2 == len(re.findall("<td", row[0]))
    Page(source)


def test_faults_are_listed_with_their_times(make_result: Make) -> None:
    faults = (
        FaultRecord(sentence="CHASSIS_A shorted", where="CHASSIS_A", start_ns=ms(5), stop_ns=ms(9)),
        FaultRecord(sentence="PDM silent", where="PDM", start_ns=ms(7), stop_ns=None),
    )
    text = Page(page_of([make_result("broken", faults=faults)])).squeezed
    assert "CHASSIS_A shorted CHASSIS_A 5.000 9.000" in text
    assert "PDM silent PDM 7.000 end" in text
