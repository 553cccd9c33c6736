"""A module under test by one line of text: which module that is, and what is said of a bad one."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest

from simcore.attach import dut_of, load_dut, module
from simcore.attach.dut_places import Places
from simcore.ecu import Emb, Node
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.rig import Restbus, Rig
from simcore.units import ms

REPOSITORY = Path(__file__).resolve().parents[2]
BRAKE = """
    class Brake:
        def __init__(self{arguments}):
            self.given = [{values}]
        def start(self, port, now_ns):
            port.log("note", f"started {{self.given}}")
        def receive(self, frame, now_ns): ...
        def on_timer(self, now_ns): ...
        def next_deadline_ns(self): return None
"""
PLAIN = BRAKE.format(arguments="", values="")
DATABASE = Database.reference()

Write = Callable[..., str]


class Module:
    """A module of this test, with or without what it is given."""

    def __init__(self, name: str = "", database: Database | None = None) -> None:
        self.given = (name, database)

    def start(self, port: object, now_ns: int) -> None: ...
    def receive(self, frame: object, now_ns: int) -> None: ...
    def on_timer(self, now_ns: int) -> None: ...
    def next_deadline_ns(self) -> int | None:
        return None


def make(extra: int, name: str, database: Database) -> Module:
    return Module(f"{name}+{extra}", database)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file, dedented, and returns its path as a user would name it."""

    def written(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return str(path)

    return written


def given(spec: str) -> list[object]:
    node = load_dut(spec).build("EMB_FR", DATABASE)
    return node.given  # type: ignore[attr-defined]


# -- which module ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ("", "", []),
        (", name", "name", ["EMB_FR"]),
        (", place, network", "place, network", ["EMB_FR", DATABASE]),
        (", gain=2.5", "gain", [2.5]),
        (", gain=2.5, database=None", "gain, database", [2.5, DATABASE]),
        (", *, name='x'", "name", ["EMB_FR"]),
        (", *rest, **more", "rest, more", [(), {}]),
    ],
)
def test_a_class_is_made_with_what_it_asks_for(
    write: Write, arguments: str, values: str, expected: list[object]
) -> None:
    assert given(write("b.py", BRAKE.format(arguments=arguments, values=values))) == expected


def test_the_only_node_of_a_file_needs_no_name(write: Write) -> None:
    text = (
        PLAIN
        + "\n    class Settings: ...\n    class Better(Brake): ...\n    class _Test(Brake): ..."
    )
    node = load_dut(write("b.py", text)).build("EMB_FL", DATABASE)
    assert type(node).__name__ == "Better"


def test_one_of_several_is_named(write: Write) -> None:
    spec = write("b.py", PLAIN + PLAIN.replace("Brake", "Second"))
    assert type(load_dut(f"{spec}::Second").build("EMB_FL", DATABASE)).__name__ == "Second"
    assert load_dut(f"{spec}::Second").label == "b.py::Second"


def test_a_function_that_makes_a_node_can_be_named(write: Write) -> None:
    text = f"""{PLAIN}
    def tuned(name):
        made = Brake()
        made.given = [name]
        return made
    """
    assert given(f"{write('b.py', text)}::tuned") == ["EMB_FR"]


def test_what_lies_beside_the_file_can_be_imported(write: Write) -> None:
    write("beside_dut.py", "GAIN = 7")
    before = list(sys.path)
    text = "import beside_dut\n" + dedent(BRAKE.format(arguments="", values="beside_dut.GAIN"))
    assert given(write("b.py", text)) == [7]
    assert sys.path == before


def test_a_file_is_executed_once_for_all_its_nodes(write: Write) -> None:
    spec = write("b.py", PLAIN)
    nodes = [load_dut(spec).build("EMB_FL", DATABASE) for _ in range(2)]
    assert nodes[0] is not nodes[1]
    assert type(nodes[0]) is type(nodes[1])


def test_a_changed_file_is_another_module(write: Write) -> None:
    before = load_dut(write("b.py", PLAIN))
    after = load_dut(write("b.py", PLAIN.replace("[]", "[1]")))
    assert before.digest != after.digest
    assert [dut.build("EMB_FL", DATABASE).given for dut in (before, after)] == [[], [1]]  # type: ignore[attr-defined]


def test_reference_is_the_simulated_ecu_of_the_place() -> None:
    dut = load_dut("reference")
    assert isinstance(dut.build("EMB_RR", DATABASE), Emb)
    assert (dut.kind, dut.forkable, dut.has_pins) == ("reference", True, True)


def test_a_c_library_is_one_by_its_suffix(write: Write) -> None:
    for suffix in ("so", "dll", "dylib"):
        assert load_dut(write(f"b.{suffix}", "")).kind == "c"
    assert not load_dut(write("b.so", "")).isolated
    assert "(c, isolated, digest " in str(
        Places.of(load_dut(write("b.so", ""), isolated=True), "A")
    )
    write("b.toml", "[module]\nisolated = true")
    assert load_dut(write("b.so", "")).isolated


def test_a_dut_never_changes_and_travels(write: Write) -> None:
    write("b.toml", '[omits]\n"control.*" = "no screw"')
    dut = load_dut(write("b.py", PLAIN))
    assert copy.copy(dut) is copy.deepcopy(dut) is dut
    with pytest.raises(TypeError):
        dut.omits["x"] = "y"  # type: ignore[index]
    twin = pickle.loads(pickle.dumps(dut))
    assert (twin.digest, dict(twin.omits)) == (dut.digest, {"control.*": "no screw"})


def test_another_process_loads_the_file_anew(write: Write, tmp_path: Path) -> None:
    dut = load_dut(write("b.py", BRAKE.format(arguments=", name", values="name")))
    (tmp_path / "dut.pickle").write_bytes(pickle.dumps(dut))
    code = (
        "import pickle; from simcore.network import Database\n"
        "dut = pickle.load(open('dut.pickle', 'rb'))\n"
        "print(dut.build('EMB_RL', Database.reference()).given)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("['EMB_RL']\n", "")


def test_a_file_that_changed_on_the_way_to_another_process_is_refused(write: Write) -> None:
    dut = load_dut(write("b.py", PLAIN))
    (name,) = (each for each in sys.modules if each == dut.maker.loaded)  # type: ignore[attr-defined]
    del sys.modules[name]
    write("b.py", PLAIN + "\n    # edited")
    with pytest.raises(InputError, match=r"b\.py: module under test: expected it unchanged since"):
        dut.build("EMB_FL", DATABASE)


# -- classes and factories ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (Module, ("EMB_FL", DATABASE)),
        (partial(make, 3), ("EMB_FL+3", DATABASE)),
        (partial(Module, "fixed"), ("fixed", DATABASE)),
    ],
)
def test_a_class_or_a_factory_is_a_module(
    factory: Callable[..., Node], expected: tuple[str, Database]
) -> None:
    dut = pickle.loads(pickle.dumps(dut_of(Module))) if factory is Module else dut_of(factory)
    node = dut.build("EMB_FL", DATABASE)
    assert (node.given, dut.kind) == (expected, "python")  # type: ignore[attr-defined]


def test_two_classes_have_two_digests() -> None:
    class Other(Module):
        pass

    assert dut_of(Other).digest != dut_of(Module).digest


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (3, r"dut_of: expected a class or a function that makes a node, got 3"),
        (lambda a, b, c: None, r"dut_of: parameters: expected none, \(name\) or .*, got a, b, c"),
        (lambda *, gain: None, r"dut_of: parameters: expected none, .*got gain"),
    ],
)
def test_what_cannot_make_a_node_is_no_module(factory: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dut_of(factory)  # type: ignore[arg-type]


def test_a_factory_that_makes_no_node_is_told_so() -> None:
    with pytest.raises(UsageError, match=r"for EMB_FL: expected a node with start, .*got None"):
        dut_of(lambda: None).build("EMB_FL", DATABASE)


# -- bad files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "suffix", "line", "message"),
    [
        ("def (:", "", 1, r"expected valid Python, got invalid syntax"),
        ("import os\n1 / 0", "", 2, r"read without error, got ZeroDivisionError: division by zero"),
        ("x = 1\nraise SystemExit(3)", "", 2, r"read without error, got SystemExit: 3"),
        ("import no_such_thing", "", 1, r"got ModuleNotFoundError: No module named 'no_such_thi"),
        ("", "", None, r"expected a class with the methods start, receive, .*, got no class"),
        ("class A: ...", "", None, r"expected a class with the methods .*, got classes A"),
        (
            dedent(PLAIN).replace("on_timer", "on_tick"),
            "",
            2,
            r"class Brake: expected the methods start, .*, got a class without on_timer",
        ),
        (
            dedent(PLAIN) + dedent(PLAIN).replace("Brake", "Other"),
            "",
            11,
            r"expected one class, as .*b\.py::Brake, got 2: Brake, Other",
        ),
        (
            dedent(PLAIN),
            "::Break",
            None,
            r"class Break: expected a class of the file: did you mean 'Brake'\?, got none of this",
        ),
        ("x = 3", "::x", None, r"class x: expected a class of the file, got 3"),
        ("class A: ...", "::A", 1, r"class A: .*got a class without start, receive, on_timer, ne"),
        (dedent(PLAIN), "::", None, r"expected .*b\.py::CLASS, got .*b\.py::"),
        (
            dedent(BRAKE.format(arguments=", a, b, c", values="")),
            "",
            2,
            r"Brake: parameters: expected none, \(name\) or \(name, database\), got a, b, c",
        ),
    ],
)
def test_a_bad_file_is_told_with_its_line(
    write: Write, text: str, suffix: str, line: int | None, message: str
) -> None:
    path = write("b.py", text)
    with pytest.raises(InputError, match=message) as caught:
        load_dut(path + suffix)
    assert (caught.value.file, caught.value.line) == (path, line)


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("1 / 0", 4, r"Brake for EMB_FL: expected a node, got ZeroDivisionError: division by zero"),
        ("raise SystemExit", 4, r"Brake for EMB_FL: expected a node, got SystemExit: "),
    ],
)
def test_a_constructor_that_raises_is_told_with_its_line(
    write: Write, body: str, line: int, message: str
) -> None:
    path = write("b.py", PLAIN.replace("self.given = []", body))
    with pytest.raises(InputError, match=message) as caught:
        load_dut(path).build("EMB_FL", DATABASE)
    assert (caught.value.file, caught.value.line) == (path, line)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no/such.py", r"no/such\.py: module under test: expected a file, got no such file"),
        ("brake.c", r"module under test: expected MODULE\.py, .*or reference, got brake\.c"),
        ("referense", r"expected MODULE\.py, .*or reference, got referense"),
        ("can:", r"module under test can:: expected can:INTERFACE:CHANNEL, .*got can:"),
        ("can:virtual", r"expected can:INTERFACE:CHANNEL, .*got can:virtual"),
        ("can:virtual:x:a=1:a=2", r"expected can:INTERFACE:CHANNEL, .*got a twice"),
        ("can:virtual:x:=2", r"expected can:INTERFACE:CHANNEL, .*got =2"),
        ("can:virtual:x:late_ms=0", r"late_ms: expected more than 0 ms, got 0"),
    ],
)
def test_a_spec_that_names_no_module_is_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_dut(spec)


def test_a_folder_and_a_class_of_a_library_are_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match=r"folder\.py: .*expected a file, got a folder"):
        load_dut(str(tmp_path / "folder.py"))
    with pytest.raises(InputError, match=r"expected no '::' after a \.so file, got .*b\.so::Brake"):
        load_dut(f"{write('b.so', '')}::Brake")
    with pytest.raises(UsageError, match=r"module under test: expected MODULE\.py, .*, got None"):
        load_dut(None)  # type: ignore[arg-type]


def test_only_compiled_modules_can_be_isolated(write: Write) -> None:
    for spec in (write("b.py", PLAIN), "reference", "can:virtual:x"):
        with pytest.raises(UsageError, match=r"isolated: expected a C module or an FMU, got "):
            load_dut(spec, isolated=True)


# -- the sidecar ----------------------------------------------------------------------------------


def test_the_sidecar_says_what_is_not_to_be_tested(write: Write) -> None:
    path = write("b.py", PLAIN)
    bare = load_dut(path)
    write("b.toml", '[module]\nforkable = false\n[omits]\n"control.*" = "no screw yet"')
    dut = load_dut(path)
    assert dict(dut.omits) == {"control.*": "no screw yet"}
    assert (bare.forkable, dut.forkable) == (True, False)
    assert dut.digest != bare.digest


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[modul]", 1, r"modul: expected one of module, omits, fmu: did you mean 'module'\?"),
        ("\n[module]\nisolatd = true", 3, r"module\.isolatd: expected one of .*'isolated'"),
        ("[module]\nisolated = 1", 2, r"module\.isolated: expected true or false, got a whole nu"),
        ("[module]\ncall_limit_s = 0", 2, r"module\.call_limit_s: expected more than 0 s, got 0 s"),
        ('[omits]\n"a.*" = ""', 2, r'omits\."a\.\*": expected the reason, as a text, got \'\''),
        ("omits = 3", 1, r"omits: expected a table, got 3"),
        ("[module\n", 1, r"module settings: expected valid TOML, got "),
        ("[fmu]\nstep_ms = 1", None, r"table \[fmu\]: expected an FMU beside it, got .*b\.py"),
        (
            "[module]\nisolated = true",
            None,
            r"isolated: expected a C module or an FMU, got .*b\.py",
        ),
    ],
)
def test_a_mistake_in_the_sidecar_is_told_with_its_line(
    write: Write, text: str, line: int | None, message: str
) -> None:
    path = write("b.py", PLAIN)
    write("b.toml", text)
    with pytest.raises((InputError, UsageError), match=message) as caught:
        load_dut(path)
    if isinstance(caught.value, InputError):
        assert caught.value.file == path.replace(".py", ".toml")
        assert caught.value.line == line


# -- in a rig -------------------------------------------------------------------------------------


def test_a_scenario_puts_a_module_in_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.py").write_text(dedent(PLAIN))
    script = tmp_path / "script.py"
    text = 'from simcore.attach import module\nmade = module("parts/b.py")\n'
    names: dict[str, object] = {"__file__": str(script)}
    exec(compile(text, str(script), "exec"), names)
    rig = Restbus(DATABASE, all_but=["EMB_FL"])
    rig.replace("EMB_FL", names["made"])  # type: ignore[arg-type]
    notes = [event.text for event in rig.log.events if event.source == "EMB_FL"]
    assert notes == ["replaced by Brake of b.py", "started []"]


def test_a_path_in_a_file_does_not_count_from_the_working_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("b.py", PLAIN)
    monkeypatch.chdir(tmp_path)
    assert load_dut("b.py").kind == "python"
    here = str(Path(__file__).parent / "b.py")
    with pytest.raises(InputError, match=f"{here}: .*no such file"):
        module("b.py")
    assert module("reference").kind == "reference"


def test_places_get_an_instance_each(write: Write) -> None:
    places = Places.of(load_dut(write("b.py", PLAIN)), "EMB_FL, EMB_FR")
    rig = Rig()
    mounted = places.mount(rig)
    assert rig.node("EMB_FL") is not rig.node("EMB_FR")
    assert rig.fork().digest == rig.digest
    mounted.require_still_there()
    assert rig.log.findings == []
    rig.replace("EMB_FR", Module())
    mounted.require_still_there()
    (finding,) = rig.log.findings
    assert finding.source == "EMB_FR"
    assert finding.text.startswith("the scenario replaced the module under test by Module: what")
    rig.run_for(ms(1))


def test_places_that_are_none_are_refused(write: Write) -> None:
    dut = load_dut(write("b.py", PLAIN))
    with pytest.raises(UsageError, match=r"expected a node to replace, got none"):
        Places.of(dut, " , ")
    rig = Restbus(DATABASE)
    with pytest.raises(UsageError, match=r"b\.py as EMB_XX: expected nodes of chassis_fd\.dbc: CD"):
        Places.of(dut, "EMB_FL,EMB_XX").mount(rig)
    assert "replaced" not in " ".join(event.text for event in rig.log.events)
