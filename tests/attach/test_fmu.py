"""An FMU in the place of an ECU: FMUs built here, a brake and a probe, for FMI 2.0 and 3.0."""

from __future__ import annotations

import gc
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent, indent
from typing import Any
from zipfile import ZipFile

import pytest

from simcore.attach import load_dut, module
from simcore.attach.fmu_instance import FmuError, FmuInstance
from simcore.attach.fmu_model import _Folder, load_fmu
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.resources import scenario_path
from simcore.rig import Restbus, Rig, Verdict, load_scenarios, run_scenario
from simcore.units import ms

HEAD = """
from {package} import Boolean, {fmi}Causality as C, {fmi}Slave, {fmi}Variability as V
from {package} import {real} as Real, {whole} as Whole


class {name}({fmi}Slave):
    made = 0

    def has(self, kind, causality, **values):
        variability = dict(variability=V.discrete) if kind is not Real else {{}}
        if causality == "parameter":
            variability = dict(variability=V.fixed)
        for name, value in values.items():
            setattr(self, name, value)
            self.register_variable(kind(name, causality=C[causality], **variability))

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.time = 0.0
        if {is_three}:
            self.register_variable(
                Real("time", causality=C.independent, variability=V.continuous)
            )
        {name}.made += 1
        self.number = {name}.made
"""
BRAKE = (
    HEAD
    + """        self.has(Real, "input", requested_n=0.0, clamp_force_n=0.0, screw_travel_m=0.0)
        self.has(Real, "input", motor_speed_radps=0.0)
        self.has(Whole, "input", mode=0)
        self.has(Boolean, "input", commanded=False)
        self.has(Real, "output", motor_current_a=0.0, force_n=0.0)
        self.has(Whole, "output", state=2)
        self.has(Real, "parameter", motor_nm_per_a=0.08)
        self.has(Real, "local", trim_m=0.0)

    def do_step(self, now, step):
        request_n = self.requested_n if self.commanded and self.mode in (2, 3) else 0.0
        error_n = request_n - self.clamp_force_n
        if request_n > 50.0:
            error_m = error_n / 30e6 + self.trim_m
            if abs(error_n) < 2_000.0:
                self.trim_m += error_n / 30e6 * 0.02
        else:
            error_m, self.trim_m = -0.2e-3 - self.screw_travel_m, 0.0
        speed = max(-400.0, min(400.0, 100.0 * error_m / 5e-5))
        torque = 1.2e-4 * 250.0 * (speed - self.motor_speed_radps) + 5e-5 * self.clamp_force_n
        self.motor_current_a = max(-30.0, min(30.0, torque / self.motor_nm_per_a))
        self.force_n, self.state = self.clamp_force_n, 3 if request_n > 0.0 else 2
        return True
"""
)
PROBE = (
    HEAD
    + """        self.has(Real, "input", force_n=0.0, factor=2.0)
        self.has(Boolean, "input", is_valid=False)
        self.has(Whole, "input", level=0)
        self.has(Real, "output", seen_n=-1.0, at_s=0.0)
        self.has(Boolean, "output", seen_valid=False)
        self.has(Whole, "output", steps=0, seen_level=0)
        self.has(Real, "parameter", gain=1.0)
        self.has(Whole, "parameter", breaks_at=-1)

    def do_step(self, now, step):
        self.seen_n, self.at_s = self.gain * self.force_n, now
        self.seen_valid, self.seen_level, self.steps = self.is_valid, self.level, self.steps + 1
        if self.steps == self.breaks_at:
            self.log("spindle at its end")
            {breaks}
        return True
"""
)
BRAKE_TOML = """
[fmu.parameters]
motor_nm_per_a = 0.11

[fmu.inputs]
requested_n = "CDC_EmbCmd.CDC_{corner}_FReq"
mode = "CDC_EmbCmd.CDC_{corner}_Mode"
commanded = "valid:CDC_EmbCmd"
clamp_force_n = "pin:clamp_force_n"
screw_travel_m = "pin:screw_travel_m"
motor_speed_radps = "pin:motor_speed_radps"

[fmu.outputs]
motor_current_a = ["pin:motor_current_a", "{node}_St1.{node}_MotCurr"]
force_n = { to = "{node}_St1.{node}_FAct", saturate = true }
state = "{node}_St1.{node}_State"

[fmu.values]
"{node}_St1" = { "{node}_FActQf" = "Valid", "{node}_WhlSpdQf" = 0, "{node}_BusSel" = "A" }
"""
PROBE_TOML = """
[fmu]
step_ms = 2.0

[fmu.inputs]
force_n = "Cmd.Force"
is_valid = "valid:Cmd"
level = "Cmd.Level"

[fmu.outputs]
seen_n = "Cyc.Seen"
steps = "Cyc.Steps"
seen_valid = "Cyc.Valid"
at_s = { to = "Cyc.Time", scale = 1000 }
seen_level = "Mixed.Level"
"""
NETWORK = Database.from_text(
    """VERSION ""
BU_: E R
BO_ 256 Cyc: 8 E
 SG_ Seen : 0|16@1- (0.5,0) [-100|100] "N" R
 SG_ Steps : 16|16@1+ (1,0) [0|65535] "" R
 SG_ Valid : 32|1@1+ (1,0) [0|1] "" R
 SG_ Time : 40|16@1+ (1,0) [0|65535] "ms" R
BO_ 257 Mixed: 8 E
 SG_ Level : 0|8@1+ (1,0) [0|200] "" R
BO_ 260 Cmd: 8 R
 SG_ Crc : 0|16@1+ (1,0) [0|65535] "" E
 SG_ Cnt : 16|8@1+ (1,0) [0|255] "" E
 SG_ Force : 24|16@1- (0.5,0) [-2000|2000] "N" E
 SG_ Level : 40|8@1+ (0.5,0) [0|100] "" E
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigSendType" STRING ;
BA_DEF_ SG_ "GenSigFuncType" STRING ;
BA_DEF_ SG_ "GenSigStartValue" FLOAT -100000 100000;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;
BA_DEF_ BO_ "E2EProfile" STRING ;
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_DEF_ "GenMsgSendType" "NoMsgSendType";
BA_ "GenMsgSendType" BO_ 256 "Cyclic";
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgSendType" BO_ 257 "Event";
BA_ "GenSigSendType" SG_ 257 Level "OnChange";
BA_ "GenMsgSendType" BO_ 260 "Cyclic";
BA_ "GenMsgCycleTime" BO_ 260 10;
BA_ "GenSigStartValue" SG_ 260 Force 14;
BA_ "E2EProfile" BO_ 260 "P05";
BA_ "E2EDataId" BO_ 260 77;
BA_ "GenSigFuncType" SG_ 260 Crc "Checksum";
BA_ "GenSigFuncType" SG_ 260 Cnt "Counter";
""",
    name="probe.dbc",
)
STATE = {"canGetAndSetFMUstate": True, "canSerializeFMUstate": True}
STATE_3 = {"canGetAndSetFMUState": True, "canSerializeFMUState": True}

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """`build(PROBE, PROBE_TOML, version=3)` writes `Name.fmu` with its sidecar; once each."""
    made: dict[tuple[Any, ...], Path] = {}
    path = list(sys.path)

    def built(
        text: str,
        mapping: str = "",
        *,
        version: int = 2,
        breaks: str = "raise RuntimeError('broken')",
        **options: object,
    ) -> Path:
        key = (text, version, breaks, *sorted(options.items()))
        folder = tmp_path_factory.mktemp("fmu")
        if key not in made:
            name = f"Module{len(made)}_{version}"
            source = tmp_path_factory.mktemp("source") / f"{name.lower()}.py"
            source.write_text(
                text.format(
                    name=name,
                    package=f"pythonfmu{'3' if version == 3 else ''}",
                    fmi=f"Fmi{version}",
                    real="Float64" if version == 3 else "Real",
                    whole="Int32" if version == 3 else "Integer",
                    is_three=version == 3,
                    breaks=indent(dedent(breaks), " " * 12).strip(),
                )
            )
            package = import_module("pythonfmu3.builder" if version == 3 else "pythonfmu.builder")
            made[key] = package.FmuBuilder.build_FMU(source, dest=source.parent, **options)
        file = folder / "module.fmu"
        file.write_bytes(made[key].read_bytes())
        file.with_suffix(".toml").write_text(mapping)
        return file

    yield built
    sys.path[:] = path


class Stand:
    """The probe on a bus with one sender, and what it says of itself there."""

    def __init__(self, file: Path) -> None:
        self.rig = Restbus(NETWORK, all_but=["E"])
        self.rig.replace("E", load_dut(str(file)))

    def seen(self) -> dict[str, float | None]:
        return {name: self.rig.signal("Cyc", name) for name in ("Seen", "Steps", "Valid", "Time")}

    @property
    def findings(self) -> list[str]:
        return [each.text for each in self.rig.log.findings]


# -- the brake ------------------------------------------------------------------------------------


def braked(file: Path) -> Rig:
    """150 ms after full pedal at 100 km/h, with the FMU in front on the left."""
    rig = Rig()
    rig.replace("EMB_FL", module(str(file)))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(60))
    rig.press_pedal(100)
    rig.run_for(ms(200))
    return rig


def test_a_brake_fmu_passes_the_panic_stop(build: Build) -> None:
    (item,) = load_scenarios(scenario_path("panic_stop.py"))
    brake = load_dut(str(build(BRAKE, BRAKE_TOML)))

    result = run_scenario(item, on_rig=lambda rig: rig.replace("EMB_FL", brake))

    failed = [check for check in result.checks if not check.passed]
    assert (result.error, failed, result.findings) == (None, [], ())
    assert result.verdict is Verdict.PASSED
    (note,) = (event.text for event in result.events if event.text.startswith("replaced"))
    assert note == "replaced by FmuNode of module.fmu"


def test_fmi_2_and_fmi_3_brake_alike_to_the_last_bit(build: Build) -> None:
    two, three = (build(BRAKE, BRAKE_TOML, version=version) for version in (2, 3))

    rigs = [braked(two), braked(three)]

    assert rigs[0].digest == rigs[1].digest
    own, other = rigs[1].vehicle.clamp_force_n[:2]
    assert other > 15_000.0
    assert own == pytest.approx(other, rel=0.1)
    assert rigs[1].signal("EMB_FL_St1", "EMB_FL_State") == 3
    assert rigs[1].signal("EMB_FL_St1", "EMB_FL_FAct") == pytest.approx(own, rel=0.1)
    assert rigs[1].log.findings == []
    twin = rigs[1].fork()
    for rig in (rigs[1], twin):
        rig.release_pedal()
        rig.run_for(ms(50))
    assert twin.digest == rigs[1].digest
    assert twin.vehicle.clamp_force_n[0] < 10_000.0


@pytest.mark.parametrize(("version", "options"), [(2, STATE), (2, {}), (3, STATE_3), (3, {})])
def test_a_fork_and_a_pickle_go_on_as_the_original(
    build: Build, version: int, options: dict[str, bool]
) -> None:
    file = build(PROBE, PROBE_TOML, version=version, **options)
    assert load_fmu(file, "").has_state is bool(options)
    rig = Stand(file).rig
    rig.set("Cmd", Force=33.0)
    rig.run_for(ms(31))
    rigs = [rig, rig.fork(), pickle.loads(pickle.dumps(rig)), Stand(file).rig]
    rigs[3].set("Cmd", Force=33.0)
    rigs[3].run_for(ms(31))
    for each in rigs:
        each.set("Cmd", Force=44.0)
        each.run_for(ms(30))
    assert len({each.digest for each in rigs}) == 1
    assert [each.signal("Cyc", "Steps") for each in rigs] == [30] * 4


def test_several_instances_of_one_fmu_know_nothing_of_each_other(build: Build) -> None:
    rig = Rig()
    brake = load_dut(str(build(BRAKE, BRAKE_TOML)))
    for name in ("EMB_FL", "EMB_FR"):
        rig.replace(name, brake)
    rig.silence("EMB_FR")
    rig.press_pedal(50)
    rig.run_for(ms(120))
    assert rig.vehicle.clamp_force_n[0] > 3_000.0
    assert rig.vehicle.clamp_force_n[1] < 500.0


# -- the probe: values, times, validity -----------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_outputs_hold_at_the_end_of_the_step_that_made_them(build: Build, version: int) -> None:
    stand = Stand(build(PROBE, PROBE_TOML, version=version))
    stand.rig.set("Cmd", Force=100.0, Level=7.0)
    stand.rig.run_for(ms(51))
    # The frame of 50 ms: the last step that has ended began at 48 ms and was the 25th.
    assert stand.seen() == {"Seen": 100.0, "Steps": 25, "Valid": 1, "Time": 48}
    assert stand.rig.signal("Mixed", "Level") == 7
    assert stand.findings == []


def test_only_changed_values_of_an_event_message_are_sent(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    for level in (5.0, 5.0, 6.0):
        stand.rig.set("Cmd", Level=level)
        stand.rig.run_for(ms(40))
    frames = [r.frame.data[0] for r in stand.rig.recorder.frames if r.frame.arbitration_id == 257]
    assert frames == [5, 6]


@pytest.mark.parametrize(
    ("setting", "force_n"),
    [('"hold"', 40.0), ('"start"', 7.0), ("-3", -3.0)],
)
def test_what_an_input_is_when_its_message_is_lost(
    build: Build, setting: str, force_n: float
) -> None:
    mapping = PROBE_TOML.replace(
        'force_n = "Cmd.Force"', f'force_n = {{ from = "Cmd.Force", on_invalid = {setting} }}'
    )
    stand = Stand(build(PROBE, mapping))
    stand.rig.set("Cmd", Force=40.0)
    stand.rig.run_for(ms(60))
    assert (stand.seen()["Seen"], stand.seen()["Valid"]) == (40.0, 1)
    stand.rig.silence("R")
    stand.rig.run_for(ms(60))
    assert (stand.seen()["Seen"], stand.seen()["Valid"]) == (force_n, 0)


def test_a_frame_with_a_wrong_checksum_reaches_no_input(build: Build) -> None:
    from simcore.faults import ChecksumWrong

    stand = Stand(build(PROBE, PROBE_TOML))
    stand.rig.set("Cmd", Force=40.0)
    stand.rig.run_for(ms(60))
    stand.rig.inject(ChecksumWrong(message="Cmd"))
    stand.rig.set("Cmd", Force=80.0)
    stand.rig.run_for(ms(15))
    assert stand.seen()["Seen"] == 40.0


def test_before_any_frame_an_input_has_the_start_value_of_its_signal(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    stand.rig.silence("R")
    stand.rig.run_for(ms(30))
    assert (stand.seen()["Seen"], stand.seen()["Valid"]) == (7.0, 0)


def test_parameters_scales_and_offsets_count(build: Build) -> None:
    mapping = PROBE_TOML.replace(
        'force_n = "Cmd.Force"', 'force_n = { from = "Cmd.Force", scale = 0.1, offset = 1 }'
    )
    stand = Stand(build(PROBE, f"{mapping}\n[fmu.parameters]\ngain = 3.0\n"))
    stand.rig.set("Cmd", Force=40.0)
    stand.rig.run_for(ms(60))
    assert stand.seen()["Seen"] == 15.0


def test_a_reset_begins_anew_at_time_zero(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    stand.rig.run_for(ms(95))
    stand.rig.reset("E")
    stand.rig.run_for(ms(21))
    assert (stand.seen()["Steps"], stand.seen()["Time"]) == (10, 18)


def test_inputs_without_a_source_are_named(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    notes = [event.text for event in stand.rig.log.events if event.source == "E"]
    assert "FMU inputs left at their start: factor" in notes


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "breaks", "text"),
    [
        (2, "raise RuntimeError('broken')", r"doStep: fmi2DoStep failed with status 4 \(fatal\)"),
        (
            2,
            "return False",
            "doStep: it ended the simulation; it logged: spindle at its end; the node",
        ),
        (3, "raise RuntimeError('broken')", r"doStep: fmi3DoStep failed with status 4 \(fatal\)"),
    ],
)
def test_an_fmu_that_fails_is_a_finding_and_the_run_goes_on(
    build: Build, capfd: pytest.CaptureFixture[str], version: int, breaks: str, text: str
) -> None:
    file = build(
        PROBE, f"{PROBE_TOML}[fmu.parameters]\nbreaks_at = 9\n", version=version, breaks=breaks
    )
    stand = Stand(file)
    stand.rig.run_for(ms(60))
    twin = stand.rig.fork()
    assert twin.digest == stand.rig.digest
    (finding,) = stand.findings
    assert re.match(rf"on_timer raised FmuError: {re.escape(str(file))}: {text}", finding)
    assert stand.seen()["Steps"] == 5  # in the frame of 10 ms; there was none after 16 ms
    assert capfd.readouterr() == ("", "")
    stand.rig.reset("E")
    stand.rig.run_for(ms(11))
    assert stand.seen()["Steps"] == 5


def test_a_value_that_does_not_fit_its_signal_is_a_finding(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    stand.rig.set("Cmd", Force=101.0)
    stand.rig.run_for(ms(60))
    (finding,) = stand.findings
    assert "signal Seen: expected -100..100 N, got 101.0 N" in finding


def test_saturate_allows_for_it(build: Build) -> None:
    mapping = PROBE_TOML.replace('"Cyc.Seen"', '{ to = "Cyc.Seen", saturate = true }')
    stand = Stand(build(PROBE, mapping))
    for force_n, seen_n in ((500.0, 100.0), (-500.0, -100.0)):
        stand.rig.set("Cmd", Force=force_n)
        stand.rig.run_for(ms(60))
        assert stand.seen()["Seen"] == seen_n
    assert stand.findings == []


def test_a_fraction_for_a_whole_input_is_a_finding(build: Build) -> None:
    stand = Stand(build(PROBE, PROBE_TOML))
    stand.rig.set("Cmd", Level=2.5)
    stand.rig.run_for(ms(60))
    (finding,) = stand.findings
    kind = "input level: expected a whole number for its Integer, got 2.5"
    assert kind in finding


def test_a_pin_that_the_place_lacks_is_a_finding(build: Build) -> None:
    mapping = PROBE_TOML.replace('"Cmd.Force"', '"pin:clamp_force_n"')
    stand = Stand(build(PROBE, mapping))
    (finding,) = stand.findings
    assert "start raised UsageError: E: read pin 'clamp_force_n'" in finding


def test_an_fmu_that_is_not_the_same_again_cannot_be_forked(build: Build) -> None:
    drifting = PROBE.replace("self.steps + 1", "self.steps + self.number")
    stand = Stand(build(drifting, PROBE_TOML))
    stand.rig.run_for(ms(9))
    with pytest.raises(
        UsageError,
        match=r"fork or pickle of E, .*module\.fmu at 10 ms: "
        r"expected the outputs \[.*\] after the same inputs, got \[",
    ):
        stand.rig.fork()
    stand.rig.run_for(ms(10))  # the original is none the worse for it
    assert stand.findings == []


def test_an_fmu_for_one_instance_per_process_cannot_be_forked(build: Build) -> None:
    file = build(PROBE, PROBE_TOML, canBeInstantiatedOnlyOncePerProcess=True)
    dut = load_dut(str(file))
    assert not dut.forkable
    rig = Restbus(NETWORK, all_but=["E"])
    rig.replace("E", dut)
    rig.run_for(ms(5))
    with pytest.raises(UsageError, match="can be instantiated only once in a process"):
        rig.fork()
    rig.reset("E")  # frees the first
    assert rig.log.findings == []


def test_an_fmu_that_refuses_to_be_made_is_a_finding(build: Build) -> None:
    refusing = PROBE.replace(
        "    def do_step",
        "    def exit_initialization_mode(self):\n        1 / 0\n\n    def do_step",
    )
    stand = Stand(build(refusing, PROBE_TOML))
    (finding,) = stand.findings
    assert "start raised FmuError" in finding
    assert "exitInitializationMode: fmi2ExitInitializationMode failed" in finding


def test_a_changed_file_does_not_stand_for_the_one_that_was_loaded(build: Build) -> None:
    file = build(PROBE, PROBE_TOML)
    model = pickle.dumps(load_fmu(file, "probe.fmu"))
    with ZipFile(file, "a") as archive:
        archive.writestr("extra.txt", "changed")
    with pytest.raises(InputError, match=r"probe\.fmu: FMU: expected it unchanged since"):
        pickle.loads(model)


# -- in a child process ---------------------------------------------------------------------------


def isolated(file: Path) -> Restbus:
    rig = Restbus(NETWORK, all_but=["E"])
    rig.replace("E", load_dut(str(file), isolated=True))
    rig.run_for(ms(31))
    return rig


def test_an_isolated_fmu_does_the_same_and_forks(build: Build) -> None:
    file = build(PROBE, PROBE_TOML)
    rig, here = isolated(file), Stand(file).rig
    here.run_for(ms(31))
    twin = rig.fork()
    for each in (rig, here, twin):
        each.run_for(ms(20))
    assert rig.digest == here.digest == twin.digest
    assert rig.signal("Cyc", "Steps") == 25


@pytest.mark.parametrize(
    ("breaks", "text"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "process died of SIGSEGV; the"),
        ("import os; os._exit(3)", "its process ended with exit code 3; the node"),
        ("while True: pass", "no answer within 0.3 s, process ended; the node"),
        ("return False", "doStep: it ended the simulation; it logged: spindle at its end; the"),
    ],
)
def test_what_an_isolated_fmu_does_to_its_process_is_a_finding(
    build: Build, breaks: str, text: str
) -> None:
    mapping = f"{PROBE_TOML}[fmu.parameters]\nbreaks_at = 9\n[module]\ncall_limit_s = 0.3\n"
    rig = isolated(build(PROBE, mapping, breaks=breaks))
    (finding,) = (each.text for each in rig.log.findings)
    assert finding.startswith("on_timer raised FmuError: ")
    assert text in finding
    assert rig.signal("Cyc", "Steps") == 5


# -- files ----------------------------------------------------------------------------------------


def test_an_instance_frees_itself_and_its_folder_goes_with_the_process(
    build: Build, tmp_path: Path
) -> None:
    model = load_fmu(build(PROBE), "probe.fmu")
    instance = FmuInstance(model, "E", parameters={}, inputs={}, outputs=[])
    assert (model.folder() / "modelDescription.xml").is_file()
    instance.close()
    instance.close()  # once is enough

    folders = [tmp_path / "mine", tmp_path / "of_another"]
    for folder in folders:
        folder.mkdir()
    kept = _Folder(folders[0], process=os.getpid())
    del kept
    forked = _Folder(folders[1], process=os.getpid() + 1)
    del forked
    gc.collect()
    assert [folder.exists() for folder in folders] == [False, True]


@pytest.mark.parametrize(("status", "calls"), [(3, ["terminate", "free"]), (4, [])])
def test_after_a_fatal_error_nothing_is_called_any_more(
    build: Build, status: int, calls: list[str]
) -> None:
    from fmpy.fmi1 import FMICallException

    instance = FmuInstance(
        load_fmu(build(PROBE), "probe.fmu"), "E", parameters={}, inputs={}, outputs=[]
    )
    slave, called = instance._slave, []
    end = slave.terminate, slave.freeInstance

    def fail(*arguments: object) -> None:
        raise FMICallException("fmi2DoStep", status)

    slave.doStep = fail
    slave.terminate = lambda: called.append("terminate")
    slave.freeInstance = lambda: called.append("free")
    with pytest.raises(FmuError, match=rf"probe\.fmu: doStep: .* failed with status {status}"):
        instance.step([], 0, ms(1))
    instance.close()
    assert called == calls
    for each in end:
        each()


def test_without_fmpy_the_extra_is_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    file = build(PROBE, PROBE_TOML)
    monkeypatch.setitem(sys.modules, "fmpy", None)
    with pytest.raises(UsageError, match=r"expected fmpy, as `pip install simcore\[fmi\]`"):
        load_dut(str(file))


DESCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="{version}" modelName="M" guid="g" instantiationToken="g">
{interface}<ModelVariables></ModelVariables><ModelStructure></ModelStructure>
</fmiModelDescription>"""
COSIM = '<CoSimulation modelIdentifier="M"/>'
EXCHANGE = '<ModelExchange modelIdentifier="M"/>'


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "expected a zip archive with modelDescription.xml, got .*no item named"),
        ("<nonsense", "expected a model description as of FMI, got "),
        (
            DESCRIPTION.format(version="2.0", interface=EXCHANGE),
            "expected co-simulation with FMI 2.0 or 3.0, got model exchange only, FMI 2.0",
        ),
        (
            DESCRIPTION.format(version="2.0", interface=COSIM),
            r"expected binaries/\w+/M\.\w+, got binaries/win64/M\.dll",
        ),
    ],
)
def test_a_file_that_is_no_fmu_for_this_machine_is_refused(
    tmp_path: Path, description: str | None, message: str
) -> None:
    pytest.importorskip("fmpy")
    file = tmp_path / "m.fmu"
    with ZipFile(file, "w") as archive:
        archive.writestr("binaries/win64/M.dll", b"")
        if description is not None:
            archive.writestr("modelDescription.xml", description)
    with pytest.raises(InputError, match=rf"m\.fmu: FMU: {message}"):
        load_dut(str(file))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.fmu"
    file.write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"m\.fmu: FMU: expected a zip archive .*not a zip file"):
        load_dut(str(file))


def test_an_fmu_without_a_mapping_says_what_there_is_to_map(build: Build) -> None:
    file = build(PROBE)
    with pytest.raises(
        InputError,
        match=r"module\.toml: FMU: expected a table \[fmu\] beside it, with inputs and outputs for "
        r"force_n \(input\), factor \(input\), .*steps \(output\).*, got none",
    ):
        load_dut(str(file))
