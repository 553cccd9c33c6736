"""Scenarios: marking, loading, running, and what each mistake in them comes to."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError, UsageError
from simcore.kernel import FreeRunning
from simcore.network import Database
from simcore.rig import Rig, Scenario, Verdict, load_scenarios, run_scenario, scenario
from simcore.rig.scenario import ScenarioSet, describe, is_internal, unreadable_result
from simcore.units import ms

# -- @scenario -----------------------------------------------------------------------------------


def test_a_bare_decorator_makes_one_scenario() -> None:
    @scenario
    def stand(rig: Rig) -> None:
        """Stand still.

        More words.
        """

    assert isinstance(stand, ScenarioSet)
    (item,) = stand
    assert (item.name, item.title, item.requirements, item.case) == (
        "stand",
        "Stand still.",
        (),
        {},
    )
    assert Path(item.file) == Path(__file__)
    assert item.line > 20


def test_without_a_docstring_the_title_is_empty() -> None:
    @scenario
    def stand(rig: Rig) -> None:
        pass

    assert stand[0].title == ""


def test_cases_make_one_scenario_each_and_call_it_with_their_values() -> None:
    got: list[tuple[Any, ...]] = []

    @scenario(requirements=["X-1", "X-2"], cases=[{"mu": 0.3, "side": "left"}, {"mu": 0.8}])
    def slide(rig: Rig, mu: float, side: str = "both") -> None:
        got.append((rig, mu, side))

    assert [item.name for item in slide] == ["slide[mu=0.3,side=left]", "slide[mu=0.8]"]
    assert {item.requirements for item in slide} == {("X-1", "X-2")}
    for item in slide:
        item("a rig")  # type: ignore[arg-type]
    assert got == [("a rig", 0.3, "left"), ("a rig", 0.8, "both")]


def test_requirements_in_one_string_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^@scenario: expected a list of requirement ids, got BRK-001$"
    ):
        scenario(requirements="BRK-001")


def test_two_equal_cases_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^@scenario slide: expected unlike cases, got slide\[mu=0\.3\] twice$"
    ):

        @scenario(cases=[{"mu": 0.3}, {"mu": 0.3}])
        def slide(rig: Rig, mu: float) -> None:
            pass


# -- loading -------------------------------------------------------------------------------------


def written(folder: Path, text: str, name: str = "made.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


HEAD = "from simcore import Rig, ms, scenario\n"


def test_scenarios_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEAD
        + "@scenario\ndef zebra(rig):\n    pass\n"
        + "@scenario(cases=[{'a': 2}, {'a': 1}])\ndef ant(rig, a):\n    pass\n",
    )
    assert [item.name for item in load_scenarios(path)] == ["zebra", "ant[a=2]", "ant[a=1]"]


def test_a_scenario_imported_from_elsewhere_is_not_of_this_file(tmp_path: Path) -> None:
    written(tmp_path, HEAD + "@scenario\ndef other(rig):\n    pass\n", "other_file.py")
    text = (
        HEAD
        + f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom other_file import other\n"
        + "sys.path.pop(0)\n@scenario\ndef mine(rig):\n    pass\n"
    )
    try:
        items = load_scenarios(written(tmp_path, text))
    finally:
        sys.modules.pop("other_file", None)
    assert [item.name for item in items] == ["mine"]


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first = written(tmp_path / "a", HEAD + "@scenario\ndef one(rig):\n    pass\n")
    second = written(tmp_path / "b", HEAD + "@scenario\ndef two(rig):\n    pass\n")
    assert load_scenarios(first)[0].name == "one"
    assert load_scenarios(second)[0].name == "two"
    modules = {load_scenarios(path)[0].function.__module__ for path in (first, second)}
    assert len(modules) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.py"
    with pytest.raises(
        InputError,
        match=rf"^{re.escape(str(path))}: scenario file: expected a Python file, got no such file$",
    ):
        load_scenarios(path)


def test_a_folder_is_no_scenario_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a Python file, got no such file$"):
        load_scenarios(tmp_path)


def test_a_file_that_is_not_named_py_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, "scenario.txt")
    with pytest.raises(InputError, match=r"scenario\.txt: scenario file: expected a name ending"):
        load_scenarios(path)


def test_a_file_without_scenario_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "def plain(rig):\n    pass\n")
    with pytest.raises(
        InputError, match=r"made\.py: scenario file: expected a function marked with @scenario$"
    ):
        load_scenarios(path)


def test_a_syntax_error_is_given_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "\ndef broken(rig:\n    pass\n")
    with pytest.raises(
        InputError,
        match=rf"^{re.escape(str(path))}:3: scenario file: expected valid Python, got .*closed",
    ) as caught:
        load_scenarios(path)
    assert (caught.value.file, caught.value.line) == (str(path), 3)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.py"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"binary\.py.*: scenario file: expected "):
        load_scenarios(path)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("scenario(requirements='X-1')", "UsageError: @scenario: expected a list"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("ms(0.0000001)", "UsageError: ms"),
    ],
)
def test_what_a_file_raises_while_it_is_read_is_given_with_its_line(
    tmp_path: Path, line: str, text: str
) -> None:
    path = written(tmp_path, HEAD + "\n\n" + line + "\n")
    with pytest.raises(
        InputError,
        match=rf"^{re.escape(str(path))}:4: scenario file: expected to be read without error, "
        rf"got {re.escape(text)}",
    ):
        load_scenarios(path)


@pytest.mark.parametrize(
    "definition",
    [
        "@scenario(cases=[{'mu': 0.3}])\ndef slide(rig):\n    pass\n",
        "@scenario\ndef slide(rig, mu):\n    pass\n",
        "@scenario\ndef slide():\n    pass\n",
    ],
    ids=["too many values", "a value missing", "no rig"],
)
def test_a_case_that_does_not_fit_the_function_is_refused_with_its_line(
    tmp_path: Path, definition: str
) -> None:
    path = written(tmp_path, HEAD + "\n" + definition)
    with pytest.raises(
        InputError,
        match=r"made\.py:3: .*@scenario slide.*expected a function of a rig and the values of its",
    ):
        load_scenarios(path)


def test_marking_what_is_no_function_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^@scenario: expected a function, got 5$"):
        scenario(5)  # type: ignore[call-overload]


def test_an_unreadable_file_has_a_result_too(tmp_path: Path) -> None:
    path = written(tmp_path, "1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError") as caught:
        load_scenarios(path)
    result = unreadable_result(path, caught.value, seed=4, options={"a": "b"})
    assert result.verdict is Verdict.ERROR
    assert (result.name, result.file, result.seed) == ("made", str(path), 4)
    assert result.error == str(caught.value)
    assert "ZeroDivisionError" in result.error_detail
    assert (result.checks, result.trace, result.error_is_internal) == ((), None, False)


# -- running -------------------------------------------------------------------------------------


def made(folder: Path, body: str, decorator: str = "@scenario") -> Scenario:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    path = written(folder, f"{HEAD}\n{decorator}\ndef made(rig):\n{indented}")
    return load_scenarios(path)[0]


def test_a_run_leaves_everything_in_its_result(tmp_path: Path) -> None:
    item = made(
        tmp_path,
        'rig.run_for(ms(120))\nrig.check("X-1", True, measured=1.0, limit="<= 2 m", text="t")\n'
        'rig.report("figure", "1 m")',
        '@scenario(requirements=["X-1"])',
    )
    calls: list[str] = []
    result = run_scenario(
        item,
        seed=5,
        options={"report": "x"},
        replay_command="simcore run made.py --seed 5",
        pacing=FreeRunning(),
        on_rig=lambda rig: calls.append(f"rig at {rig.now_ns}"),
        on_end=lambda: calls.append("end"),
    )
    assert calls == ["rig at 0", "end"]
    assert result.verdict is Verdict.PASSED
    assert (result.name, result.seed, result.duration_ns) == ("made", 5, ms(120))
    assert (result.options, result.replay_command) == (
        {"report": "x"},
        "simcore run made.py --seed 5",
    )
    assert result.checks[0].requirement == "X-1"
    assert {check.source for check in result.checks[1:]} >= {"invariant bus load"}
    assert result.measurements == {"figure": "1 m"}
    assert len(result.digest) == 32
    assert len(result.records) == sum(row.count for row in result.messages)
    assert result.trace is not None and len(result.trace.time_s) == 120
    assert result.requirement_verdict("X-1") is Verdict.PASSED
    assert result.requirement_verdict("X-9") is None


def test_a_requirement_that_is_named_but_never_judged_fails(tmp_path: Path) -> None:
    item = made(
        tmp_path,
        'rig.run_for(ms(5))\nrig.check("X-1", True)',
        '@scenario(requirements=["X-1", "X-2"])',
    )
    result = run_scenario(item)
    assert result.unjudged == ("X-2",)
    assert result.verdict is Verdict.FAILED
    assert result.requirement_verdict("X-1") is Verdict.PASSED
    assert result.requirement_verdict("X-2") is Verdict.FAILED


def test_an_invariant_may_judge_a_named_requirement(tmp_path: Path) -> None:
    item = made(tmp_path, "rig.run_for(ms(400))", '@scenario(requirements=["BRK-003"])')
    result = run_scenario(item)
    assert (result.unjudged, result.verdict) == ((), Verdict.PASSED)


def test_one_failed_check_among_good_ones_fails_the_run_and_its_requirement(tmp_path: Path) -> None:
    item = made(
        tmp_path,
        'rig.run_for(ms(5))\nrig.check("X-1", True)\nrig.check("X-1", False)\n'
        'rig.check("X-1", True)\nrig.check("X-2", True)',
    )
    result = run_scenario(item)
    assert result.verdict is Verdict.FAILED
    assert result.requirement_verdict("X-1") is Verdict.FAILED
    assert result.requirement_verdict("X-2") is Verdict.PASSED


def test_a_finding_fails_the_run(tmp_path: Path) -> None:
    item = made(tmp_path, 'rig.run_for(ms(5))\nrig.log.find("GW", "something odd", "detail")')
    result = run_scenario(item)
    assert result.verdict is Verdict.FAILED
    (finding,) = result.findings
    assert (finding.source, finding.text, finding.detail) == ("GW", "something odd", "detail")
    assert result.events[-1].kind == "finding"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("rig.run_for(-5)", "UsageError: run_for: expected a time >= 0 ns, got -5 ns"),
        ("rig.run_for(1.5)", "UsageError: run_for: expected whole ns"),
        ('rig.signal("Nope", "X")', "UsageError: unknown message 'Nope'"),
        ('rig.inject("EMB_FL")', "UsageError: inject: expected a fault"),
        ("assert False, 'not so'", "AssertionError: not so"),
        ("rig.no_such_thing()", "AttributeError: "),
        ("rig.run_for()", "TypeError: "),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("while True: rig.run_for(0)", "StuckError: the script called run_for/run_until"),
        ("rig.run_until(lambda: 1 / 0, timeout=5)", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_scenario_that_raises_keeps_what_ran_so_far_and_names_the_line(
    tmp_path: Path, line: str, text: str
) -> None:
    item = made(
        tmp_path, f'rig.run_for(ms(50))\nrig.check("X-1", True)\n{line}\nrig.report("a", "b")'
    )
    result = run_scenario(item)
    assert result.verdict is Verdict.ERROR
    assert result.error is not None
    assert result.error.startswith(f"{item.file}:7: {text}")
    assert "Traceback" in result.error_detail
    assert not result.error_is_internal
    assert result.duration_ns == ms(50)
    assert result.checks[0].requirement == "X-1"
    assert len(result.records) > 50
    assert result.trace is not None
    assert result.measurements == {}
    assert result.digest


def test_a_raise_deep_in_the_file_names_the_deepest_line_of_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEAD
        + "def deeper(rig):\n    rig.run_for(-1)\n@scenario\ndef made(rig):\n    deeper(rig)\n",
    )
    result = run_scenario(load_scenarios(path)[0])
    assert result.error is not None
    assert result.error.startswith(f"{path}:3: UsageError")


def test_the_interrupt_key_passes_through(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_scenario(made(tmp_path, "raise KeyboardInterrupt"))


def test_a_defect_of_simcore_is_internal(tmp_path: Path) -> None:
    item = made(tmp_path, "rig.run_for(ms(5))")

    def break_it(rig: Rig) -> None:
        rig._loop._plant = None  # type: ignore[assignment]

    result = run_scenario(item, on_rig=break_it)
    assert result.verdict is Verdict.ERROR
    assert result.error_is_internal
    assert result.error is not None and result.error.startswith(f"{item.file}:5: AttributeError")


def caught(action: Any) -> BaseException:
    try:
        action()
    except BaseException as error:
        return error
    raise AssertionError("nothing raised")


def test_what_simcore_raises_on_purpose_is_not_internal() -> None:
    assert not is_internal(caught(lambda: Rig(seed="x")))  # type: ignore[arg-type]
    assert not is_internal(caught(lambda: 1 / 0))
    assert not is_internal(ValueError("never raised"))


def test_an_error_that_did_not_come_through_the_file_has_no_line(tmp_path: Path) -> None:
    item = made(tmp_path, "pass")
    text = describe(caught(lambda: int("x")), item)
    assert text.startswith(f"{item.file}: ValueError: invalid literal")


# -- the network a scenario runs on --------------------------------------------------------------


def test_a_scenario_may_name_another_shipped_network_and_a_given_one_goes_before_it() -> None:
    lengths: list[int] = []

    @scenario(database="chassis_fd_secoc.dbc")
    def secured(rig: Rig) -> None:
        lengths.append(rig.database.message("CDC_EmbCmd").length)

    (item,) = secured
    result = run_scenario(item, options={"dbc": "chassis_fd.dbc (shipped)"})
    assert result.options["dbc"] == "chassis_fd_secoc.dbc (of the scenario)"
    given = run_scenario(item, database=Database.reference(), options={"dbc": "given"})
    assert given.options["dbc"] == "given"
    assert lengths == [32, 24]


def test_a_network_that_is_not_shipped_is_named() -> None:
    @scenario(database="no_such.dbc")
    def lost(rig: Rig) -> None: ...

    with pytest.raises(InputError, match=r"packaged file dbc/no_such\.dbc: expected it in "):
        run_scenario(lost[0])
