"""The pytest plugin: fixtures, options and markers, and scenario files as tests.

| fixture | what it is |
|---|---|
| `rig` | a fresh reference rig, with the module under test in its place; failed checks, broken invariants and findings are an error of the test when it ends |
| `dut` | the module under test in its (first) place on `rig`: `dut.node`, `dut.module`, `dut.rig` |
| `simcore_dut` | which module: `("EMB_FL", MyActuator)`; a project overrides it, `--simcore-dut` goes before that |
| `chassis_bus` | a `can.Bus` on `rig`, in virtual time |
| `fault` | one of the faults of the marker `faults`, a test each |

| marker | what it says |
|---|---|
| `requirement("BRK-001", ...)` | what the test verifies: into the JUnit properties and the report |
| `faults(EcuSilent(node="EMB_FL"), ...)` | the values of the fixture `fault` |
| `rig(seed=..., without=[...], database="chassis_fd_secoc.dbc")` | how `rig` is built |

`--simcore-conformance` adds the cases of the conformance kit, a test each. Scenario files named on
the command line (`pytest scenarios/panic_stop.py`) are collected like test modules, one test per
scenario case. A failed run prints the command that replays it. simcore is
imported when first needed, so a project that does not use it does not pay for the plugin.
"""  # noqa: E501 - tables

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import can

    from simcore.attach.dut_places import Places
    from simcore.rig import Rig, Scenario, ScenarioResult
    from simcore.testing.plugin_place import ModuleInPlace

SEED = "--simcore-seed"
DUT = "--simcore-dut"
AS = "--simcore-as"
ISOLATED = "--simcore-isolated"
REPORT = "--simcore-report"
CONFORMANCE = "--simcore-conformance"
DBC = "--simcore-dbc"
REQUIREMENTS = "--simcore-requirements"
MARKERS = (
    "requirement(id, ...): what the test verifies, for the JUnit properties and the report",
    "faults(fault, ...): faults to run the test with, one each; the fixture `fault` gives them",
    "rig(seed=0, without=(), database=''): how the fixture `rig` is built",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simcore")
    group.addoption(
        SEED,
        type=int,
        default=0,
        metavar="SEED",
        help="seed of the random streams of scenarios and of the rig fixture (default 0)",
    )
    group.addoption(
        DUT,
        metavar="MODULE",
        help="module under test, in every rig: MODULE.py (::CLASS), .so, .dll or .fmu, reference; "
        "write it with =, or pytest takes the file for one of tests",
    )
    group.addoption(AS, metavar="NODE", help="the node that it replaces, or several: EMB_FL,EMB_FR")
    group.addoption(
        ISOLATED, action="store_true", help="run a C module under test in a process of its own"
    )
    group.addoption(
        REPORT,
        metavar="DIR",
        help="write report.html into DIR: scenarios, tests with a rig, requirements",
    )
    group.addoption(
        CONFORMANCE,
        action="store_true",
        help="run the cases of the conformance kit for the module under test, a test each",
    )
    group.addoption(DBC, metavar="FILE", help="another database for these cases")
    group.addoption(REQUIREMENTS, metavar="FILE", help="another requirement list for these cases")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if (config.getoption(DUT) is None) != (config.getoption(AS) is None):
        raise pytest.UsageError(f"{DUT} MODULE and {AS} NODE: expected both or neither")
    if config.getoption(ISOLATED) and config.getoption(DUT) is None:
        raise pytest.UsageError(f"{ISOLATED}: expected {DUT} with it")
    if config.getoption(CONFORMANCE) and config.getoption(DUT) is None:
        raise pytest.UsageError(f"{CONFORMANCE}: expected {DUT} and {AS} with it")
    for option in (DBC, REQUIREMENTS):
        if config.getoption(option) is not None and not config.getoption(CONFORMANCE):
            raise pytest.UsageError(f"{option}: expected {CONFORMANCE} with it")
    folder = config.getoption(REPORT)
    if folder is not None:
        from simcore.testing.plugin_report import ReportCollector

        config.pluginmanager.register(ReportCollector(Path(folder), config), "simcore-report")


def pytest_report_header(config: pytest.Config) -> str | None:
    module = config.getoption(DUT)
    return None if module is None else f"simcore: {module} in the place of {config.getoption(AS)}"


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Requirement markers become JUnit properties, conformance cases become tests."""
    for item in items:
        for name in requirements_of(item):
            item.user_properties.append(("requirement", name))
    if session.config.getoption(CONFORMANCE):
        from simcore.errors import SimcoreError
        from simcore.testing.plugin_conformance import conformance_items

        try:
            items.extend(conformance_items(session))
        except SimcoreError as error:
            raise pytest.UsageError(str(error)) from error


def requirements_of(item: pytest.Item) -> list[str]:
    """What the markers of a test say it verifies, the outermost first."""
    names: dict[str, None] = {}
    for marker in reversed(list(item.iter_markers("requirement"))):
        for name in marker.args:
            if not isinstance(name, str) or not name or marker.kwargs:
                raise pytest.UsageError(
                    f"{item.nodeid}: marker requirement: expected requirement ids, got {name!r}"
                )
            names[name] = None
        if not marker.args:
            raise pytest.UsageError(f"{item.nodeid}: marker requirement: expected an id, got none")
    return list(names)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per fault of the marker."""
    markers = list(metafunc.definition.iter_markers("faults"))
    if not markers or "fault" not in metafunc.fixturenames:
        return
    from simcore.testing.plugin_place import fault_name, require_fault

    faults = [fault for marker in markers for fault in marker.args]
    for fault in faults:
        require_fault(metafunc.definition.nodeid, fault)
    metafunc.parametrize("fault", faults, ids=[fault_name(fault) for fault in faults])


# ---- fixtures ----


@pytest.fixture
def simcore_dut() -> object:
    """The module under test and its place, `("EMB_FL", MyActuator)`; override it in a project.

    A class, a function of name and database, a `Dut`, or a path as `--simcore-dut` takes it. `None`
    stands for the simulated ECUs alone.
    """
    return None


@pytest.fixture
def _simcore_place(request: pytest.FixtureRequest, simcore_dut: object) -> Places | None:
    """Which module goes where, by the command line or else by the project."""
    from simcore.testing.plugin_place import place_of

    config = request.config
    path, node = config.getoption(DUT), config.getoption(AS)
    if path is not None:
        simcore_dut = (node, path)
    return place_of(simcore_dut, isolated=bool(config.getoption(ISOLATED)))


@pytest.fixture
def rig(request: pytest.FixtureRequest, _simcore_place: Places | None) -> Iterator[Rig]:
    """A fresh reference rig, with the module under test in its place.

    Failed checks, broken invariants and findings are an error of the test when it ends.
    """
    from simcore.testing.plugin_place import built_rig, problems_of

    seed = int(request.config.getoption(SEED))
    made = built_rig(request.node, seed, _simcore_place)
    collector: Any = request.config.pluginmanager.get_plugin("simcore-report")
    if collector is not None:
        collector.keep(request.node, made)
    request.node.stash[RIG] = made
    yield made
    problems = problems_of(made)
    if problems:
        text = "\n".join(f"  {problem}" for problem in problems)
        words = replay_words(request.node)
        pytest.fail(f"rig:\n{text}\ndigest {made.digest}\nreplay: {words}", pytrace=False)


RIG: pytest.StashKey[Any] = pytest.StashKey()
"""The rig that a test was given."""


def replay_words(item: pytest.Item) -> str:
    """The command that runs a test again as it ran."""
    config = item.config
    words = ["pytest", item.nodeid, SEED, str(config.getoption(SEED))]
    if config.getoption(DUT) is not None:
        words += [f"{DUT}={config.getoption(DUT)}", f"{AS}={config.getoption(AS)}"]
    if config.getoption(ISOLATED):
        words.append(ISOLATED)
    quoted = [f"'{words[1]}'", *(shlex.quote(word) for word in words[2:])]
    return " ".join([words[0], *quoted])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """A test that failed with a rig in hand says where the rig stood, and how to run it again."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and RIG in item.stash:
        rig = item.stash[RIG]
        text = f"at {rig.now_ns} ns of virtual time, digest {rig.digest}"
        report.sections.append(("simcore", f"{text}\nreplay: {replay_words(item)}"))


@pytest.fixture
def dut(request: pytest.FixtureRequest, rig: Rig, _simcore_place: Places | None) -> ModuleInPlace:
    """The module under test, in its place on `rig`.

    Without one it is the simulated ECU of `EMB_FL`: a project's tests run before there is a module.
    """
    from simcore.testing.plugin_place import module_in_place

    return module_in_place(rig, _simcore_place)


@pytest.fixture
def chassis_bus(rig: Rig) -> Iterator[can.BusABC]:
    """A python-can bus on the first bus of `rig`: `recv` lets virtual time pass.

    While the test runs, `can.Bus(interface="simcore", channel="chassis")` finds the same rig.
    """
    from simcore.attach.python_can import SimcoreBus
    from simcore.attach.session import publish

    with publish(rig):
        bus = SimcoreBus("chassis", rig=rig)
        try:
            yield bus
        finally:
            bus.shutdown()


# ---- scenario files ----


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[ScenarioItem] | None:
    """Turn what `@scenario` left in a module into tests."""
    if type(obj).__module__ != "simcore.rig.scenario" or type(obj).__name__ != "ScenarioSet":
        return None
    scenarios: Any = obj
    here = collector.path.resolve()
    return [
        ScenarioItem.from_parent(collector, name=item.name, scenario=item)
        for item in scenarios
        if Path(item.file).resolve() == here  # imported ones are tests of their own file
    ]


class ScenarioError(Exception):
    """A scenario did not pass; carries its result."""

    def __init__(self, result: ScenarioResult) -> None:
        self.result = result
        super().__init__(result.name)


class ScenarioItem(pytest.Item):
    """One scenario case as a test."""

    def __init__(self, *, scenario: Scenario, **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario = scenario

    def runtest(self) -> None:
        from simcore.rig import Verdict
        from simcore.testing.plugin_place import run_as_test

        result = run_as_test(self, self.scenario)
        self.user_properties.append(("digest", result.digest))
        self.user_properties.append(("requirements", ", ".join(result.requirements)))
        collector: Any = self.config.pluginmanager.get_plugin("simcore-report")
        if collector is not None:
            collector.add(self.nodeid, result)
        if result.verdict is not Verdict.PASSED:
            raise ScenarioError(result)

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        if not isinstance(excinfo.value, ScenarioError):
            return super().repr_failure(excinfo)
        result = excinfo.value.result
        lines = [f"scenario {result.name}: {result.verdict}"]
        if result.error is not None:
            lines += [result.error, result.error_detail]
        for check in result.checks:
            mark = "passed" if check.passed else "FAILED"
            verdict = f"  {mark}  {check.requirement}  {check.text}"
            lines.append(f"{verdict}: {check.measured} (limit {check.limit})")
        lines += [f"  FAILED  {name}  named but never checked" for name in result.unjudged]
        lines += [f"  finding  {item.source}: {item.text}" for item in result.findings]
        lines += [f"digest {result.digest}", f"replay: {result.replay_command}"]
        return "\n".join(lines)

    def reportinfo(self) -> tuple[str, int, str]:
        return self.scenario.file, self.scenario.line - 1, f"scenario {self.scenario.name}"
